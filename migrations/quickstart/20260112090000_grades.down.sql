DROP TRIGGER grade_is_kept;
DROP TABLE grade_change;
DROP TABLE grade;
