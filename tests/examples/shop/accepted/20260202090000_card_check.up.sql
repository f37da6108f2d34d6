-- purpose: see afterwards which payments were checked by the code on the card
-- impact: one more column, NULL for payments so far; the table is locked for a moment
-- rollback: drops the column
-- depends-on: 20260112090000
-- sector: e-commerce
ALTER TABLE payment ADD COLUMN code_matched boolean;
