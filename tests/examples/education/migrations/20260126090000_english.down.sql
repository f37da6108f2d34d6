DELETE FROM honours WHERE language = 'en';
DELETE FROM course_text WHERE language = 'en';
