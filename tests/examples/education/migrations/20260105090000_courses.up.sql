-- but : garder les cours et leur intitulé, une ligne par langue
-- impact : deux nouvelles tables ; aucune donnée existante n'est touchée
-- retour : supprime les deux tables et leur contenu
-- secteur : éducation
CREATE TABLE course (
    id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    code text NOT NULL UNIQUE
);

CREATE TABLE course_text (
    course_id bigint NOT NULL REFERENCES course (id),
    language  text NOT NULL CHECK (language IN ('fr', 'en')),
    title     text NOT NULL,
    PRIMARY KEY (course_id, language)
);

INSERT INTO course (code) VALUES ('ALG-1'), ('HIS-1');

INSERT INTO course_text (course_id, language, title)
SELECT id, 'fr', CASE code WHEN 'ALG-1' THEN 'Algèbre linéaire' ELSE 'Histoire contemporaine' END
FROM course;
