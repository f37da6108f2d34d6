CREATE TABLE greffe_capture (
    id        INTEGER PRIMARY KEY,
    at        TEXT NOT NULL,
    -- INSTALL, INSERT, UPDATE or DELETE.
    operation TEXT NOT NULL,
    -- Columns that the tool has in every version, as SQL writes them, comma between.
    before    TEXT,
    after     TEXT,
    -- How many rows the connection had changed by then, and how large the schema was.
    changes   INTEGER NOT NULL,
    size      INTEGER NOT NULL
)
