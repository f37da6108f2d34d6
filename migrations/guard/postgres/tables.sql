CREATE SCHEMA IF NOT EXISTS greffe_guard;

CREATE TABLE IF NOT EXISTS greffe_guard.installed (
    one     boolean PRIMARY KEY DEFAULT true CHECK (one),
    id      text NOT NULL,
    version integer NOT NULL,
    at      timestamp with time zone NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    -- Whether a change that cannot be noted is refused.
    strict  boolean NOT NULL,
    -- How many rows of changes stay.
    keep    integer NOT NULL CHECK (keep > 0)
);

CREATE TABLE IF NOT EXISTS greffe_guard.changes (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at           timestamp with time zone NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    transaction  xid8 NOT NULL DEFAULT pg_catalog.pg_current_xact_id(),
    session_role text NOT NULL DEFAULT session_user,
    -- As whom the statement ran.
    role         text,
    -- What the session says that it runs for: an event or a run of greffe.
    run          text,
    -- Of the statement: its tag, never its text.
    command      text NOT NULL,
    object_type  text,
    identity     text,
    -- The extension that the object belongs to.
    extension    text,
    -- Objects that the same statement made, changed or dropped besides.
    others       bigint NOT NULL DEFAULT 0,
    -- How many older rows went, where the row tells of that alone.
    removed      bigint
);

-- Changes that could not be noted; not undone with the transaction.
CREATE SEQUENCE IF NOT EXISTS greffe_guard.missed;
