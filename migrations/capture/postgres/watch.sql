DROP TRIGGER IF EXISTS greffe_capture_row ON {table};
DROP TRIGGER IF EXISTS greffe_capture_truncate ON {table};
CREATE TRIGGER greffe_capture_row AFTER INSERT OR UPDATE OR DELETE ON {table}
    FOR EACH ROW EXECUTE FUNCTION greffe_capture.history_changed({columns});
CREATE TRIGGER greffe_capture_truncate BEFORE TRUNCATE ON {table}
    FOR EACH STATEMENT EXECUTE FUNCTION greffe_capture.history_changed({columns});
-- Also where a session says that it is a replica.
ALTER TABLE {table} ENABLE ALWAYS TRIGGER greffe_capture_row;
ALTER TABLE {table} ENABLE ALWAYS TRIGGER greffe_capture_truncate;
