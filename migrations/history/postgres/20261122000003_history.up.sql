-- purpose: journal of what greffe did to this database, and outbox of what is not archived yet
-- impact: adds one table in greffe's own schema; no other object is touched
-- rollback: drops the table; events that were not archived are lost
CREATE TABLE greffe.history (
    position     bigint PRIMARY KEY,
    id           text NOT NULL UNIQUE,
    event        text NOT NULL CHECK (event IN ('apply', 'rollback', 'fail', 'repair', 'drift', 'baseline', 'stamp')),
    direction    text NOT NULL CHECK (direction IN ('up', 'down')),
    -- started: begun outside a transaction; partial: failed there; done: all or nothing.
    state        text NOT NULL CHECK (state IN ('started', 'partial', 'done')),
    version      text NOT NULL,
    name         text,
    started_at   text NOT NULL,
    finished_at  text,
    up_digests   text,
    down_digests text,
    -- Algorithm and fingerprint of the schema that the event left, a space between; null where none was taken.
    schema_after text,
    -- Where the event stands in the archive; null until it is there.
    seq          bigint,
    manifest     text,
    -- Manifest of the trust document that was in force there.
    trust        text,
    -- The rest of the event and its scripts, until they are archived.
    record       text,
    files        text,
    -- The statement that a script without a transaction has come to, from 1.
    reached      bigint,
    up_script    bytea,
    down_script  bytea
);
