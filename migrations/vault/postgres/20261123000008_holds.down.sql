DROP INDEX vault_content_key_batch;
DROP INDEX vault_content_key_cid;

DELETE FROM vault_hold WHERE released_at IS NOT NULL;
ALTER TABLE vault_hold
    DROP COLUMN released_at,
    DROP CONSTRAINT vault_hold_pkey,
    ADD PRIMARY KEY (hold);
