-- purpose: keep what is ordered, and for how much
-- impact: one new table; nothing is rewritten
-- rollback: drops the table with all that is in it
-- sector: e-commerce
CREATE TABLE placed_order (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    number     text NOT NULL UNIQUE,
    cents      bigint NOT NULL CHECK (cents > 0),
    currency   text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    ordered_at timestamptz NOT NULL DEFAULT now()
);
