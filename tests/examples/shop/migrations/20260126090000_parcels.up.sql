-- purpose: know which order went out, and when
-- impact: one new table; nothing is rewritten
-- rollback: drops the table with all that is in it
-- depends-on: 20260105090000
-- sector: e-commerce
CREATE TABLE parcel (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    order_id bigint NOT NULL REFERENCES placed_order (id),
    sent_at  timestamptz
);
