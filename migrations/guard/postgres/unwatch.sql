DROP EVENT TRIGGER IF EXISTS greffe_guard_by_define;
DROP EVENT TRIGGER IF EXISTS greffe_guard_by_drop;
DROP EVENT TRIGGER IF EXISTS greffe_guard_define;
DROP EVENT TRIGGER IF EXISTS greffe_guard_drop;
