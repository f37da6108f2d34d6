DROP TABLE access_audit;
DROP TABLE patient;
