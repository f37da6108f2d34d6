DROP TABLE greffe_history;
