DROP VIEW balance;
DROP TABLE refund;
