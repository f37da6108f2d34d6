DROP TABLE course_text;
DROP TABLE course;
