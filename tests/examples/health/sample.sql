-- Invented: sixty patients in six decades of birth, one stay each.
INSERT INTO patient (record_number, born_on)
SELECT 'R-' || n, make_date(1930 + 10 * (n % 6), 1 + n % 12, 1 + n % 28)
FROM generate_series(1, 60) AS n;

INSERT INTO stay (patient_id, ward, began_on, ended_on)
SELECT id, CASE WHEN id % 30 = 0 THEN 'surgery' ELSE 'medicine' END, DATE '2004-03-01', DATE '2004-03-05'
FROM patient;

INSERT INTO record_access (record_number, pseudonym, role, reason)
VALUES ('R-1', repeat('0a', 16), 'nurse', 'treatment');
