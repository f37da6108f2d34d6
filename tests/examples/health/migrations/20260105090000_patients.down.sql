DROP TABLE stay;
DROP TABLE patient;
