CREATE TRIGGER greffe_capture_{operation} AFTER {operation} ON {table} BEGIN
    INSERT INTO greffe_capture (at, operation, before, after, changes, size) VALUES (
        strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), '{operation}', {before}, {after}, total_changes(),
        (SELECT count(*) + coalesce(sum(length(sql)), 0) FROM sqlite_master));
END
