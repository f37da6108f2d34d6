-- purpose: holds are kept when they are released, and belong to their chain; keys are found by the file that they seal
-- impact: writes the few rows of the holds anew and reads all content keys once
-- rollback: forgets which holds were released; two chains must not have a hold of one name then
CREATE TABLE vault_hold_of_chain (
    hold        TEXT NOT NULL,
    chain       TEXT NOT NULL,
    -- Null: everything.
    event       TEXT,
    reason      TEXT NOT NULL,
    placed_at   INTEGER NOT NULL,
    -- Null while it forbids to erase.
    released_at INTEGER,
    PRIMARY KEY (chain, hold)
) STRICT;

INSERT INTO vault_hold_of_chain (hold, chain, event, reason, placed_at)
SELECT hold, chain, event, reason, placed_at FROM vault_hold;

DROP TABLE vault_hold;
ALTER TABLE vault_hold_of_chain RENAME TO vault_hold;

CREATE INDEX vault_content_key_cid ON vault_content_key (chain, cid);
CREATE INDEX vault_content_key_batch ON vault_content_key (batch);
