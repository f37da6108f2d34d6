-- purpose: journal of what greffe did to this database, and outbox of what is not archived yet
-- impact: adds one table; no other object is touched
-- rollback: drops the table; events that were not archived are lost
CREATE TABLE IF NOT EXISTS greffe_history (
    position     BIGINT NOT NULL PRIMARY KEY,
    id           VARCHAR(36) NOT NULL UNIQUE,
    event        VARCHAR(16) NOT NULL CHECK (event IN ('apply', 'rollback', 'fail', 'repair', 'drift', 'baseline', 'stamp')),
    direction    VARCHAR(8) NOT NULL CHECK (direction IN ('up', 'down')),
    -- started: it runs, or a crash cut it short; partial: it failed and what ran before stays; done: all or nothing.
    state        VARCHAR(8) NOT NULL CHECK (state IN ('started', 'partial', 'done')),
    -- While it is started: the statement that was begun last, from 1.
    reached      BIGINT,
    version      LONGTEXT NOT NULL,
    name         LONGTEXT,
    started_at   VARCHAR(32) NOT NULL,
    finished_at  VARCHAR(32),
    up_digests   TEXT,
    down_digests TEXT,
    -- Algorithm and fingerprint of the schema that the event left, a space between; null where none was taken.
    schema_after VARCHAR(255),
    -- Where the event stands in the archive; null until it is there.
    seq          BIGINT,
    manifest     VARCHAR(255),
    -- Manifest of the trust document that was in force there.
    trust        VARCHAR(255),
    -- The rest of the event and its scripts, until they are archived.
    record       LONGTEXT,
    files        LONGTEXT,
    up_script    LONGBLOB,
    down_script  LONGBLOB
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
