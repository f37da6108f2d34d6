-- purpose: how far the access chain of a chain has come, so that one that was put away or cut is seen
-- impact: adds a table to the vault
-- rollback: an access chain that is missing is begun anew again
CREATE TABLE vault_access (
    -- The chain whose accesses they are.
    chain TEXT PRIMARY KEY,
    -- Manifest 0 of the access chain, and how many entries it had.
    root  TEXT NOT NULL,
    size  INTEGER NOT NULL
) STRICT;
