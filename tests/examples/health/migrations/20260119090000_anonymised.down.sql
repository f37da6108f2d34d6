DROP TABLE counted_stay;
