-- Invented: two students are numbers, and nothing else is known of them.
INSERT INTO grade (student, course_id, session, points)
SELECT student, id, '2026-06', 9 + student * 2
FROM course, generate_series(1, 2) AS student;
