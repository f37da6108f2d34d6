DROP TABLE change_of_points;
DROP TABLE grade;
DROP FUNCTION change_is_kept();
