-- purpose: journal of what greffe did to this database, and outbox of what is not archived yet
-- impact: adds one table; no other object is touched
-- rollback: drops the table; events that were not archived are lost
CREATE TABLE greffe_history (
    position     INTEGER PRIMARY KEY,
    id           TEXT NOT NULL UNIQUE,
    event        TEXT NOT NULL CHECK (event IN ('apply', 'rollback', 'fail', 'repair')),
    direction    TEXT NOT NULL CHECK (direction IN ('up', 'down')),
    -- started: begun outside a transaction; partial: failed there; done: all or nothing.
    state        TEXT NOT NULL CHECK (state IN ('started', 'partial', 'done')),
    version      TEXT NOT NULL,
    started_at   TEXT NOT NULL,
    finished_at  TEXT,
    up_digests   TEXT,
    down_digests TEXT,
    record       TEXT NOT NULL,
    -- The scripts themselves, until they are archived.
    files        TEXT,
    up_script    BLOB,
    down_script  BLOB,
    -- Where the event stands in the archive; null until it is there.
    seq          INTEGER UNIQUE,
    manifest     TEXT UNIQUE,
    -- Manifest of the trust document that was in force there.
    trust        TEXT
) STRICT;

CREATE INDEX greffe_history_outbox ON greffe_history (position) WHERE seq IS NULL;
