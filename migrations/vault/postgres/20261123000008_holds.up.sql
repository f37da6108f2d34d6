-- purpose: holds are kept when they are released, and belong to their chain; keys are found by the file that they seal
-- impact: locks the holds for a moment and reads all content keys once
-- rollback: forgets which holds were released; two chains must not have a hold of one name then
ALTER TABLE vault_hold
    -- Null while it forbids to erase.
    ADD COLUMN released_at BIGINT,
    DROP CONSTRAINT vault_hold_pkey,
    ADD PRIMARY KEY (chain, hold);

CREATE INDEX vault_content_key_cid ON vault_content_key (chain, cid);
CREATE INDEX vault_content_key_batch ON vault_content_key (batch);
