CREATE OR REPLACE FUNCTION greffe_capture.schema_changed() RETURNS event_trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
    BEGIN
        IF TG_EVENT = 'sql_drop' THEN
            INSERT INTO greffe_capture.journal (operation, object)
                SELECT 'DROP', left(object_type || ' ' || object_identity, 1000)
                FROM pg_event_trigger_dropped_objects()
                WHERE original AND NOT is_temporary AND schema_name IS DISTINCT FROM 'greffe_capture';
        ELSE
            INSERT INTO greffe_capture.journal (operation, object)
                SELECT 'DEFINE', left(command_tag || ' ' || coalesce(object_identity, object_type, ''), 1000)
                FROM pg_event_trigger_ddl_commands()
                WHERE schema_name IS DISTINCT FROM 'pg_temp' AND schema_name IS DISTINCT FROM 'greffe_capture';
        END IF;
    EXCEPTION
        WHEN disk_full THEN RAISE;
        -- Whoever watches must not stop the tool.
        WHEN OTHERS THEN NULL;
    END;
END
$function$;

REVOKE ALL ON FUNCTION greffe_capture.schema_changed() FROM PUBLIC;

DROP EVENT TRIGGER IF EXISTS greffe_capture_define;
DROP EVENT TRIGGER IF EXISTS greffe_capture_drop;
CREATE EVENT TRIGGER greffe_capture_define ON ddl_command_end EXECUTE FUNCTION greffe_capture.schema_changed();
CREATE EVENT TRIGGER greffe_capture_drop ON sql_drop EXECUTE FUNCTION greffe_capture.schema_changed();
