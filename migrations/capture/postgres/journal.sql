CREATE SCHEMA greffe_capture;

CREATE TABLE greffe_capture.journal (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at          timestamp with time zone NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    transaction text NOT NULL DEFAULT pg_catalog.pg_current_xact_id()::text,
    session     integer NOT NULL DEFAULT pg_catalog.pg_backend_pid(),
    role        text NOT NULL DEFAULT session_user,
    application text DEFAULT pg_catalog.current_setting('application_name', true),
    -- INSTALL, INSERT, UPDATE, DELETE, TRUNCATE, DEFINE or DROP.
    operation   text NOT NULL,
    -- Kind and name of what was defined or dropped; never the text of a statement.
    object      text,
    -- Columns that the tool has in every version; of TRUNCATE a list of rows.
    before      jsonb,
    after       jsonb,
    -- SQLSTATE, where the row could not be written down.
    failure     text
);
