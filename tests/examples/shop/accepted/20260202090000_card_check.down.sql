ALTER TABLE payment DROP COLUMN code_matched;
