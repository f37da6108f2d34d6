CREATE TABLE customers (id INTEGER PRIMARY KEY, full_name TEXT, card_number TEXT, cvv TEXT, iban TEXT, phone TEXT, ip TEXT);
INSERT INTO customers (id, full_name, card_number, cvv, iban, phone, ip)
VALUES (1, 'Rosa Lindqvist', '4970356230123832', '482', 'FR1420041010050500013M02606', '+46 8 123 456 78', '81.2.69.142');
INSERT INTO customers (full_name, card_number, cvv, iban) SELECT 'Tom Adeyemi', '5136 6077 7679 3612', 719, 'DE82 3704 0044 0532 0139 99';
INSERT OR REPLACE INTO payments(note) VALUES ('paid with 3773 048676 14118, refund to BE59539007547099');
-- reported by the bank: 6011-6961-0531-7837
UPDATE payments SET pan = 4929180732979745 WHERE id = 12;
-- the next ones only look like cards: order 4970101234567892, ean 4006381333931, imei 356938035643809
INSERT INTO users VALUES (7, 'Lindqvist', '1979-04-23', 'x');
-- Tom Adeyemi, born 23 April 1979, call +44 20 7946 1234 in the morning
ATTACH DATABASE 'kept.db' AS kept KEY 'n0-one-knows';
PRAGMA key = 'the-tall-0ak';
