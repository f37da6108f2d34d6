#!/bin/sh
# Nothing runs without a backup.
cat > /dev/null
test -s backup/before.sql && exit 0
echo '{"verdict": "deny", "rule": "no-backup", "text": "there is no backup: see backup/before.sql"}'
