DROP TABLE greffe.history;
