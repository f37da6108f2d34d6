-- but : noter les examens, et garder chaque changement de note
-- impact : deux nouvelles tables et un déclencheur
-- retour : supprime les tables et leur contenu
-- dépend-de : 20260105090000
-- secteur : éducation
CREATE TABLE grade (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    student   bigint NOT NULL,
    course_id bigint NOT NULL REFERENCES course (id),
    session   text NOT NULL,
    points    numeric(4, 2) NOT NULL CHECK (points BETWEEN 0 AND 20),
    UNIQUE (student, course_id, session)
);

CREATE TABLE change_of_points (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    grade_id   bigint NOT NULL,
    before     numeric(4, 2) NOT NULL,
    after      numeric(4, 2) NOT NULL,
    changed_at timestamptz NOT NULL DEFAULT now()
);

CREATE FUNCTION change_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO change_of_points (grade_id, before, after) VALUES (old.id, old.points, new.points);
    RETURN NULL;
END
$$;

CREATE TRIGGER change_is_kept
    AFTER UPDATE OF points ON grade
    FOR EACH ROW EXECUTE FUNCTION change_is_kept();
