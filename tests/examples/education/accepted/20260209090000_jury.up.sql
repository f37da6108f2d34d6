-- purpose: question 3 could not be answered as it stood; decided by the jury, minutes 2026-06-3
-- impact: one point more for whoever sat the exam ALG-1 of June; each change is kept beside the grades
-- rollback: takes the point off again
-- depends-on: 20260112090000
-- sector: éducation
UPDATE grade SET points = points + 1
WHERE session = '2026-06' AND course_id = (SELECT id FROM course WHERE code = 'ALG-1');
