-- purpose: keep who looked at which record, and why, so that nobody can strike a line out
-- impact: one new table; what is written to it can be neither changed nor deleted
-- rollback: drops the table with all that is in it
-- depends-on: 20260105090000
-- sector: santé
CREATE TABLE record_access (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    record_number text NOT NULL,
    pseudonym     text NOT NULL CHECK (pseudonym ~ '^[0-9a-f]{32}$'),
    role          text NOT NULL,
    reason        text NOT NULL,
    looked_at     timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX record_access_record ON record_access (record_number);

CREATE FUNCTION record_access_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'accesses are kept as they are';
END
$$;

CREATE TRIGGER record_access_is_kept
    BEFORE UPDATE OR DELETE OR TRUNCATE ON record_access
    FOR EACH STATEMENT EXECUTE FUNCTION record_access_is_kept();
