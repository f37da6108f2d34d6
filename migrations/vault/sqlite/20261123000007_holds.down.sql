DROP INDEX vault_content_key_batch;
DROP INDEX vault_content_key_cid;

CREATE TABLE vault_hold_by_name (
    hold       TEXT PRIMARY KEY,
    chain      TEXT NOT NULL,
    event      TEXT,
    reason     TEXT NOT NULL,
    placed_at  INTEGER NOT NULL
) STRICT;

INSERT INTO vault_hold_by_name (hold, chain, event, reason, placed_at)
SELECT hold, chain, event, reason, placed_at FROM vault_hold WHERE released_at IS NULL;

DROP TABLE vault_hold;
ALTER TABLE vault_hold_by_name RENAME TO vault_hold;
