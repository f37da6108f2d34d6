-- purpose: pay money back, and see what is left of each payment
-- impact: one new table and a view; nothing is rewritten
-- rollback: drops both with all refunds
-- depends-on: 20260112090000
-- sector: e-commerce
CREATE TABLE refund (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    payment_id  bigint NOT NULL REFERENCES payment (id),
    cents       bigint NOT NULL CHECK (cents > 0),
    refunded_at timestamptz NOT NULL DEFAULT now()
);

CREATE VIEW balance AS
SELECT payment.id, payment.cents - coalesce(sum(refund.cents), 0) AS cents
FROM payment
LEFT JOIN refund ON refund.payment_id = payment.id
GROUP BY payment.id;
