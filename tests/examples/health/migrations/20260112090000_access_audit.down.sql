DROP TABLE record_access;
DROP FUNCTION record_access_is_kept();
