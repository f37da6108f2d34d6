-- purpose: the clinic closed long ago, and the time for which its records are kept is over
-- impact: the records are gone for good; counts for research and the accesses stay
-- rollback: makes both tables again, empty
-- depends-on: 20260119090000
-- sector: santé
-- waiver: squawk/ban-drop-table 2099-12-31 nothing reads these tables since the clinic closed
DROP TABLE stay;
DROP TABLE patient;
