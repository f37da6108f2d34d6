"""Prints which share of the lines was reached, and the files that lack some, with their reasons."""

import json
import os
import sys

LEAST = 95.0


def main(report, reasons):
    with open(report, encoding="utf-8") as file:
        data = json.load(file)["data"][0]
    with open(reasons, encoding="utf-8") as file:
        lines = (line.strip() for line in file)
        known = dict(line.split(": ", 1) for line in lines if line and not line.startswith("#"))
    here, wrong = os.getcwd(), []
    files = {os.path.relpath(one["filename"], here): one["summary"]["lines"] for one in data["files"]}
    files = {name: lines for name, lines in files.items() if name.startswith("src/")}
    count = sum(lines["count"] for lines in files.values())
    reached = sum(lines["covered"] for lines in files.values())
    share = 100 * reached / max(count, 1)
    for name, lines in sorted(files.items()):
        if lines["count"] and lines["percent"] < LEAST:
            reason = known.pop(name, None)
            if reason is None:
                wrong.append(f"{name} has no reason in {reasons}")
            print(f"{lines['percent']:6.1f} %  {lines['count'] - lines['covered']:4} of {lines['count']:4} lines not reached  "
                  f"{name}: {reason or '?'}")
    wrong.extend(f"{name} needs no reason in {reasons} any more" for name in known)
    print(f"{share:.2f} % of {count} lines of src are reached")
    if share < LEAST:
        wrong.append(f"less than {LEAST} %")
    for one in wrong:
        print(f"coverage: {one}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
