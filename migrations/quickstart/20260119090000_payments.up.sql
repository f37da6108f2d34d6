-- purpose: take payments without ever holding a card number
-- impact: one new table
-- rollback: drops the table; tokens stay with the payment provider
-- sector: e-commerce
CREATE TABLE payment (
    id           INTEGER PRIMARY KEY,
    order_number TEXT NOT NULL,
    token        TEXT NOT NULL UNIQUE,
    cents        INTEGER NOT NULL CHECK (cents > 0),
    currency     TEXT NOT NULL CHECK (length(currency) = 3)
);
