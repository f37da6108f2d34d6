-- purpose: keep who is treated, and who looked at what
-- impact: two new tables; nothing is rewritten
-- rollback: drops both tables with all that is in them
-- sector: santé
CREATE TABLE patient (
    id         INTEGER PRIMARY KEY,
    pseudonym  TEXT NOT NULL UNIQUE,
    born_year  INTEGER CHECK (born_year BETWEEN 1900 AND 2100),
    erased     INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE access_audit (
    id         INTEGER PRIMARY KEY,
    patient_id INTEGER NOT NULL REFERENCES patient (id),
    role       TEXT NOT NULL,
    looked_at  TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
);

CREATE INDEX access_audit_patient ON access_audit (patient_id);
