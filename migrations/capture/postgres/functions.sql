CREATE OR REPLACE FUNCTION greffe_capture.history_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET "TimeZone" = 'UTC'
SET bytea_output = 'hex'
AS $function$
DECLARE
    was jsonb;
    is_now jsonb;
BEGIN
    BEGIN
        IF TG_OP = 'TRUNCATE' THEN
            EXECUTE format('SELECT jsonb_agg((SELECT jsonb_object_agg(key, value) FROM jsonb_each_text(to_jsonb(t)) '
                'WHERE key = ANY ($1))) FROM (SELECT * FROM %s LIMIT 200000) AS t', TG_RELID::regclass)
                INTO was USING TG_ARGV;
        END IF;
        IF TG_OP IN ('UPDATE', 'DELETE') THEN
            was := (SELECT jsonb_object_agg(key, value) FROM jsonb_each_text(to_jsonb(OLD)) WHERE key = ANY (TG_ARGV));
        END IF;
        IF TG_OP IN ('INSERT', 'UPDATE') THEN
            is_now := (SELECT jsonb_object_agg(key, value) FROM jsonb_each_text(to_jsonb(NEW)) WHERE key = ANY (TG_ARGV));
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
