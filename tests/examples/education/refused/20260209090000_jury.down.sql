UPDATE grade SET points = points - 1
WHERE session = '2026-06' AND course_id = (SELECT id FROM course WHERE code = 'ALG-1');
