-- purpose: take payments without ever holding the number of a card
-- impact: one new table; its column for the card takes tokens of the payment provider and nothing else
-- rollback: drops the table; the provider keeps its tokens
-- depends-on: 20260105090000
-- sector: e-commerce
CREATE TABLE payment (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    order_id    bigint NOT NULL REFERENCES placed_order (id),
    card_number text NOT NULL CHECK (card_number ~ '^tok_[0-9a-f]{32}$'),
    cents       bigint NOT NULL CHECK (cents > 0),
    paid_at     timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX payment_order ON payment (order_id);
