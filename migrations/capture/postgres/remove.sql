DROP EVENT TRIGGER IF EXISTS greffe_capture_define;
DROP EVENT TRIGGER IF EXISTS greffe_capture_drop;
{triggers}
DROP TABLE IF EXISTS greffe_capture.journal;
DROP FUNCTION IF EXISTS greffe_capture.schema_changed();
DROP FUNCTION IF EXISTS greffe_capture.history_changed();
DROP FUNCTION IF EXISTS greffe_capture.kept();
DROP SCHEMA IF EXISTS greffe_capture;
