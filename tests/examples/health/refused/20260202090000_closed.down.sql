CREATE TABLE patient (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    record_number text NOT NULL UNIQUE,
    born_on       date NOT NULL
);

CREATE TABLE stay (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    patient_id bigint NOT NULL REFERENCES patient (id),
    ward       text NOT NULL,
    began_on   date NOT NULL,
    ended_on   date CHECK (ended_on >= began_on)
);

CREATE INDEX stay_patient ON stay (patient_id);
