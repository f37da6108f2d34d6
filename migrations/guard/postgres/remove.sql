DROP TABLE IF EXISTS greffe_guard.changes;
DROP TABLE IF EXISTS greffe_guard.installed;
DROP SEQUENCE IF EXISTS greffe_guard.missed;
DROP FUNCTION IF EXISTS greffe_guard.schema_changed();
DROP FUNCTION IF EXISTS greffe_guard.role_seen();
DROP SCHEMA IF EXISTS greffe_guard;
