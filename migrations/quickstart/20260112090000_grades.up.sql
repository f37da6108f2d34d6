-- but: noter les élèves, et garder chaque changement de note
-- impact: deux tables et un déclencheur; aucune donnée existante n'est touchée
-- retour: supprime les tables et leur contenu
-- secteur: éducation
CREATE TABLE grade (
    id      INTEGER PRIMARY KEY,
    pupil   INTEGER NOT NULL,
    subject TEXT NOT NULL,
    points  REAL NOT NULL CHECK (points BETWEEN 0 AND 20)
);

CREATE TABLE grade_change (
    id         INTEGER PRIMARY KEY,
    grade_id   INTEGER NOT NULL,
    old_points REAL NOT NULL,
    new_points REAL NOT NULL,
    changed_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
);

CREATE TRIGGER grade_is_kept AFTER UPDATE OF points ON grade
BEGIN
    INSERT INTO grade_change (grade_id, old_points, new_points) VALUES (old.id, old.points, new.points);
END;
