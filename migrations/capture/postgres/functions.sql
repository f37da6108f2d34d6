CREATE OR REPLACE FUNCTION greffe_capture.history_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET "TimeZone" = 'UTC'
SET bytea_output = 'hex'
SET row_security = off
AS $function$
DECLARE
    made text;
    was jsonb;
    is_now jsonb;
BEGIN
    BEGIN
        -- Only types that PostgreSQL itself brings: nothing that the table's owner wrote runs with these rights.
        made := (SELECT string_agg(format('%L, to_jsonb(($1).%I) #>> ''{}''', a.attname, a.attname), ', ')
            FROM pg_attribute AS a JOIN pg_type AS t ON t.oid = a.atttypid
            WHERE a.attrelid = TG_RELID AND a.attname = ANY (TG_ARGV) AND NOT a.attisdropped
                AND t.typnamespace = 'pg_catalog'::regnamespace);
        IF TG_OP = 'TRUNCATE' THEN
            EXECUTE format('SELECT jsonb_agg(jsonb_build_object(%s)) FROM (SELECT t FROM %s AS t LIMIT 200000) AS r',
                replace(made, '($1)', '(r.t)'), TG_RELID::regclass) INTO was;
        END IF;
        IF TG_OP IN ('UPDATE', 'DELETE') THEN
            EXECUTE 'SELECT jsonb_build_object(' || made || ')' INTO was USING OLD;
        END IF;
        IF TG_OP IN ('INSERT', 'UPDATE') THEN
            EXECUTE 'SELECT jsonb_build_object(' || made || ')' INTO is_now USING NEW;
        END IF;
        INSERT INTO greffe_capture.journal (operation, before, after) VALUES (TG_OP, was, is_now);
    EXCEPTION
        WHEN disk_full THEN RAISE;
        -- Whoever watches must not stop the tool.
        WHEN OTHERS THEN
            BEGIN
                INSERT INTO greffe_capture.journal (operation, failure) VALUES (TG_OP, SQLSTATE);
            EXCEPTION
                WHEN disk_full THEN RAISE;
                WHEN OTHERS THEN NULL;
            END;
    END;
    RETURN NULL;
END
$function$;

CREATE OR REPLACE FUNCTION greffe_capture.kept() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    RAISE EXCEPTION 'rows of greffe_capture.journal are never changed';
END
$function$;

REVOKE ALL ON FUNCTION greffe_capture.history_changed(), greffe_capture.kept() FROM PUBLIC;

DROP TRIGGER IF EXISTS kept ON greffe_capture.journal;
CREATE TRIGGER kept BEFORE UPDATE OR DELETE OR TRUNCATE ON greffe_capture.journal
    FOR EACH STATEMENT EXECUTE FUNCTION greffe_capture.kept();
