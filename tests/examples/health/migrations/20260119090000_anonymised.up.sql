-- purpose: let research count stays without seeing anybody
-- impact: one new table, filled once; records are read and stay as they are
-- rollback: drops the table; it can be made again from the records while there are some
-- depends-on: 20260105090000
-- sector: santé
CREATE TABLE counted_stay (
    ward        text NOT NULL,
    year        integer NOT NULL,
    born_decade integer NOT NULL,
    patients    bigint NOT NULL CHECK (patients >= 5),
    PRIMARY KEY (ward, year, born_decade)
);

-- Who is one of four or fewer could be found again, so that such groups are left out.
INSERT INTO counted_stay (ward, year, born_decade, patients)
SELECT stay.ward,
       extract(year FROM stay.began_on)::integer,
       extract(decade FROM patient.born_on)::integer * 10,
       count(DISTINCT patient.id)
FROM stay
JOIN patient ON patient.id = stay.patient_id
GROUP BY 1, 2, 3
HAVING count(DISTINCT patient.id) >= 5;
