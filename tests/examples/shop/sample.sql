-- Invented: one order, paid by a token that no provider ever gave.
INSERT INTO placed_order (number, cents, currency) VALUES ('2026-0001', 4200, 'EUR');
INSERT INTO payment (order_id, card_number, cents) SELECT id, 'tok_' || repeat('0a', 16), cents FROM placed_order;
INSERT INTO refund (payment_id, cents) SELECT id, 1200 FROM payment;
