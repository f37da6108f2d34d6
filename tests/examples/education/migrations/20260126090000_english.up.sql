-- purpose: students from abroad read their transcript in English
-- impact: rows are added; texts that are there stay as they are
-- rollback: deletes the English texts; transcripts are in French alone then
-- depends-on: 20260105090000, 20260119090000
-- sector: éducation
INSERT INTO course_text (course_id, language, title)
SELECT id, 'en', CASE code WHEN 'ALG-1' THEN 'Linear algebra' ELSE 'Modern history' END
FROM course;

INSERT INTO honours (minimum, language, says)
VALUES (16, 'en', 'Very good'), (14, 'en', 'Good'), (12, 'en', 'Fairly good'), (10, 'en', 'Passed'), (0, 'en', 'Failed');
