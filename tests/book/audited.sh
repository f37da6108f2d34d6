# What the audited party of the auditor's guide does, before the auditor comes. Prints what the auditor is told.
mkdir -p migrations
cat > migrations/20260105090000_patients.up.sql <<'SQL'
-- purpose: keep who is treated
-- impact: a new table; nothing is rewritten
-- rollback: drops the table with all that is in it
CREATE TABLE patient (id INTEGER PRIMARY KEY, record TEXT NOT NULL UNIQUE);
SQL
cat > migrations/20260105090000_patients.down.sql <<'SQL'
DROP TABLE patient;
SQL
cat > migrations/20260112090000_visits.up.sql <<'SQL'
-- purpose: keep when a patient came
-- impact: a new table; nothing is rewritten
-- rollback: drops the table with all that is in it
CREATE TABLE visit (id INTEGER PRIMARY KEY, patient_id INTEGER NOT NULL REFERENCES patient (id), came_at TEXT NOT NULL);
SQL
cat > migrations/20260112090000_visits.down.sql <<'SQL'
DROP TABLE visit;
SQL
greffe init --name clinic --database sqlite:app.db --publish schema >/dev/null
greffe apply >/dev/null
OLDER=$(greffe head)
cat > migrations/20260119090000_wards.up.sql <<'SQL'
-- purpose: keep which wards there are
-- impact: a new table with two rows
-- rollback: drops the table with all that is in it
CREATE TABLE ward (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
INSERT INTO ward (name) VALUES ('cardiology'), ('surgery');
SQL
cat > migrations/20260119090000_wards.down.sql <<'SQL'
DROP TABLE ward;
SQL
greffe apply >/dev/null
greffe rollback --steps 1 >/dev/null
greffe apply >/dev/null
recipient=$(greffe subject new-key --out auditor.key --json | sed -n 's/.*"recipient": "\(.*\)".*/\1/p')
greffe grant --to "$recipient" --events 3 --parts script --purpose "audit of the wards" \
  --until "$(date -d '+30 days' +%F)" --out grant.age >/dev/null
echo "CHAIN=$(sed -n 's/^chain = "\(.*\)"$/\1/p' greffe.toml)"
echo "OLDER=$OLDER"
echo "HEAD=$(greffe head)"
