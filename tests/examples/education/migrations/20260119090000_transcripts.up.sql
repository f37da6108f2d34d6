-- but : éditer le relevé de notes dans chaque langue qui a des textes
-- impact : une table de mentions et une vue ; rien n'est réécrit
-- retour : supprime la vue et la table
-- dépend-de : 20260105090000, 20260112090000
-- secteur : éducation
CREATE TABLE honours (
    minimum  numeric(4, 2) NOT NULL,
    language text NOT NULL CHECK (language IN ('fr', 'en')),
    says     text NOT NULL,
    PRIMARY KEY (minimum, language)
);

INSERT INTO honours (minimum, language, says)
VALUES (16, 'fr', 'Très bien'), (14, 'fr', 'Bien'), (12, 'fr', 'Assez bien'), (10, 'fr', 'Passable'), (0, 'fr', 'Ajourné');

CREATE VIEW transcript AS
SELECT grade.student, course_text.language, course_text.title, grade.session, grade.points,
       (SELECT says FROM honours
        WHERE honours.language = course_text.language AND honours.minimum <= grade.points
        ORDER BY minimum DESC LIMIT 1) AS honours
FROM grade
JOIN course_text ON course_text.course_id = grade.course_id;
