"""Writes a set of archives, valid ones and ones with one defect each, from FORMAT.md alone.

The same program makes the same bytes every time. It is for tests of verifiers; nothing in it comes from a database.

usage: write.py OUTDIR
Makes OUTDIR/valid/<name>.car, OUTDIR/invalid/<name>.car with <name>.json ({"seq", "says"}: what is wrong, and the seq
at which it has to be reported; null when it is about the head or FORMAT.md leaves the seq open), OUTDIR/manifest.json.
"""
import json
import os
import sys

from invalid import INVALID
from valid import VALID


def main(arguments):
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    listing = {"valid": [], "invalid": []}
    for folder in listing:
        os.makedirs(os.path.join(arguments[0], folder), exist_ok=True)
    for name, make in VALID:
        with open(os.path.join(arguments[0], "valid", name + ".car"), "wb") as file:
            file.write(make())
        listing["valid"].append({"file": f"valid/{name}.car"})
    for name, seq, says, make in INVALID:
        with open(os.path.join(arguments[0], "invalid", name + ".car"), "wb") as file:
            file.write(make())
        with open(os.path.join(arguments[0], "invalid", name + ".json"), "w", encoding="utf-8") as file:
            file.write(json.dumps({"seq": seq, "says": says}) + "\n")
        listing["invalid"].append({"file": f"invalid/{name}.car", "seq": seq, "says": says})
    with open(os.path.join(arguments[0], "manifest.json"), "w", encoding="utf-8") as file:
        file.write(json.dumps(listing, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
