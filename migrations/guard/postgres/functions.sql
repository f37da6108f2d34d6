CREATE OR REPLACE FUNCTION greffe_guard.role_seen() RETURNS event_trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    -- With the rights of who runs the statement: the next trigger has those of its owner.
    PERFORM set_config('greffe_guard.role', current_user::text, true);
EXCEPTION
    WHEN OTHERS THEN NULL;
END
$function$;

CREATE OR REPLACE FUNCTION greffe_guard.schema_changed() RETURNS event_trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '2s'
AS $function$
DECLARE
    is_strict boolean := false;
    kept integer;
    said_role text := nullif(current_setting('greffe_guard.role', true), '');
    said_run text := nullif(left(current_setting('greffe.run', true), 100), '');
    first_id bigint;
    last_id bigint;
BEGIN
    BEGIN
        SELECT strict, keep INTO STRICT is_strict, kept FROM greffe_guard.installed;
        IF TG_EVENT = 'sql_drop' THEN
            WITH dropped AS (
                SELECT object_type, object_identity, original,
                    row_number() OVER (PARTITION BY original ORDER BY object_type, object_identity) AS place
                FROM pg_event_trigger_dropped_objects()
                WHERE (original OR normal) AND NOT is_temporary
            ), noted AS (
                INSERT INTO greffe_guard.changes (role, run, command, object_type, identity, others)
                SELECT said_role, said_run, TG_TAG, object_type, left(object_identity, 2000),
                    CASE place WHEN 1 THEN (SELECT count(*) FROM dropped WHERE NOT original OR place > 1000) ELSE 0 END
                FROM dropped WHERE original AND place <= 1000
                ORDER BY place
                RETURNING id
            )
            SELECT min(id), max(id) INTO first_id, last_id FROM noted;
        ELSE
            -- A statement that makes indexes and sequences for a table is one change.
            WITH changed AS (
                SELECT c.*, row_number() OVER (PARTITION BY command_tag = TG_TAG) AS place
                FROM pg_event_trigger_ddl_commands() AS c
                WHERE NOT in_extension AND schema_name IS DISTINCT FROM 'pg_temp'
                    AND command_tag NOT IN ('REFRESH MATERIALIZED VIEW', 'REINDEX')
            ), named AS (
                SELECT * FROM changed
                WHERE place <= 1000 AND (command_tag = TG_TAG OR NOT EXISTS (SELECT FROM changed WHERE command_tag = TG_TAG))
            ), noted AS (
                INSERT INTO greffe_guard.changes (role, run, command, object_type, identity, extension, others)
                SELECT said_role, said_run, command_tag, object_type, left(object_identity, 2000), (
                        SELECT e.extname::text FROM pg_depend AS d JOIN pg_extension AS e ON e.oid = d.refobjid
                        WHERE d.classid = n.classid AND d.objid = n.objid AND d.deptype = 'e'
                            AND d.refclassid = 'pg_extension'::regclass
                        LIMIT 1
                    ),
                    CASE place WHEN 1 THEN (SELECT count(*) FROM changed) - (SELECT count(*) FROM named) ELSE 0 END
                FROM named AS n
                ORDER BY place
                RETURNING id
            )
            SELECT min(id), max(id) INTO first_id, last_id FROM noted;
            -- Which objects those were is not told.
            IF TG_TAG = 'REASSIGN OWNED' AND last_id IS NULL THEN
                INSERT INTO greffe_guard.changes (role, run, command) VALUES (said_role, said_run, TG_TAG);
            END IF;
        END IF;
    EXCEPTION
        WHEN OTHERS THEN
            BEGIN
                PERFORM nextval('greffe_guard.missed');
            EXCEPTION
                WHEN OTHERS THEN NULL;
            END;
            IF is_strict THEN
                RAISE EXCEPTION 'greffe could not note this change of the schema (SQLSTATE %)', SQLSTATE
                    USING HINT = 'The guard of this database is strict: run `greffe guard status`.';
            END IF;
            RAISE WARNING 'greffe could not note this change of the schema (SQLSTATE %)', SQLSTATE;
    END;
    IF last_id / 100 > (first_id - 1) / 100 THEN
        BEGIN
            -- Nobody is waited for: what another transaction removes is left to it.
            WITH gone AS (
                DELETE FROM greffe_guard.changes WHERE id IN (
                    SELECT id FROM greffe_guard.changes
                    WHERE id <= (SELECT id FROM greffe_guard.changes ORDER BY id DESC OFFSET kept LIMIT 1)
                    ORDER BY id LIMIT 10000 FOR UPDATE SKIP LOCKED
                ) RETURNING removed
            )
            INSERT INTO greffe_guard.changes (command, removed)
            SELECT '', sum(coalesce(removed, 1)) FROM gone HAVING count(*) > 0;
        EXCEPTION
            WHEN OTHERS THEN NULL;
        END;
    END IF;
END
$function$;
