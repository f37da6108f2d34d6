-- purpose: content keys of sealed files, wrapped by a key that the owner holds
-- impact: makes the vault; it lies beside the archive and never in it
-- rollback: drops the vault; what was sealed with its keys can no longer be opened
CREATE TABLE vault (
    one        INTEGER PRIMARY KEY CHECK (one = 1),
    -- The owner's public key, age1….
    recipient  TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE vault_period (
    chain        TEXT NOT NULL,
    -- The month in which its files were sealed, such as 2026-11.
    period       TEXT NOT NULL,
    recipient    TEXT NOT NULL,
    -- The period's private key, encrypted for the owner; null once it is destroyed.
    identity     BLOB,
    destroyed_at INTEGER,
    PRIMARY KEY (chain, period)
) STRICT;

CREATE TABLE vault_batch (
    batch   BLOB PRIMARY KEY,
    chain   TEXT NOT NULL,
    period  TEXT NOT NULL,
    -- A key for the content keys of one run, encrypted for the period.
    wrapped BLOB NOT NULL,
    FOREIGN KEY (chain, period) REFERENCES vault_period (chain, period)
) STRICT;

CREATE TABLE vault_content_key (
    kid          BLOB PRIMARY KEY,
    batch        BLOB NOT NULL REFERENCES vault_batch (batch),
    chain        TEXT NOT NULL,
    event        TEXT NOT NULL,
    pseudonym    TEXT NOT NULL,
    role         TEXT NOT NULL,
    file         TEXT NOT NULL,
    cid          TEXT NOT NULL,
    sealed_at    INTEGER NOT NULL,
    -- The content key under the key of its batch; null once it is destroyed.
    wrapped      BLOB,
    destroyed_at INTEGER
) STRICT;

CREATE INDEX vault_content_key_event ON vault_content_key (chain, event);
CREATE INDEX vault_content_key_pseudonym ON vault_content_key (chain, pseudonym);

CREATE TABLE vault_hold (
    hold       TEXT PRIMARY KEY,
    chain      TEXT NOT NULL,
    -- Null: everything.
    event      TEXT,
    reason     TEXT NOT NULL,
    placed_at  INTEGER NOT NULL
) STRICT;

CREATE TABLE vault_person (
    pseudonym    TEXT PRIMARY KEY,
    -- Who it is, encrypted for the owner; null once it is destroyed.
    wrapped      BLOB,
    destroyed_at INTEGER
) STRICT;

CREATE TABLE vault_backup (
    backup  TEXT PRIMARY KEY,
    made_at INTEGER NOT NULL
) STRICT;
