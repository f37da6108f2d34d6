DROP VIEW transcript;
DROP TABLE honours;
