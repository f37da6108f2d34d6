-- purpose: drift can be recorded; what every start asks for has columns of its own
-- impact: rebuilds greffe's own table, row by row; no other object is touched
-- rollback: none: what the archive holds is no longer kept here
ALTER TABLE greffe_history RENAME TO greffe_history_1;

CREATE TABLE greffe_history (
    position     INTEGER PRIMARY KEY,
    id           TEXT NOT NULL UNIQUE,
    event        TEXT NOT NULL CHECK (event IN ('apply', 'rollback', 'fail', 'repair', 'drift', 'baseline', 'stamp')),
    direction    TEXT NOT NULL CHECK (direction IN ('up', 'down')),
    -- started: begun outside a transaction; partial: failed there; done: all or nothing.
    state        TEXT NOT NULL CHECK (state IN ('started', 'partial', 'done')),
    version      TEXT NOT NULL,
    name         TEXT,
    started_at   TEXT NOT NULL,
    finished_at  TEXT,
    up_digests   TEXT,
    down_digests TEXT,
    -- Algorithm and fingerprint of the schema that the event left, a space between; null where none was taken.
    schema_after TEXT,
    -- Where the event stands in the archive; null until it is there.
    seq          INTEGER,
    manifest     TEXT,
    -- Manifest of the trust document that was in force there.
    trust        TEXT,
    -- The rest of the event and its scripts, until they are archived.
    record       TEXT,
    files        TEXT,
    up_script    BLOB,
    down_script  BLOB
) STRICT;

INSERT INTO greffe_history
SELECT position, id, event, direction, state, version, record ->> '$.migration.name', started_at, finished_at,
       up_digests, down_digests,
       record ->> '$.schema.algorithm' || coalesce(' ' || (record ->> '$.schema.after'), ''),
       seq, manifest, trust, CASE WHEN seq IS NULL THEN record END, files, up_script, down_script
FROM greffe_history_1;

DROP TABLE greffe_history_1;
