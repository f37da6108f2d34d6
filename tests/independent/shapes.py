"""What each object of a greffe archive has to hold, from FORMAT.md alone, and where a value differs from that.

A shape is read so: a type asks for a value of it (an `int` is unsigned), a pattern for a text that it matches,
a tuple for one of its alternatives, a list for a list of its one shape, a dict for its members (`*`: every
member), anything else for itself. Rules between objects are not here.
"""
import json
import re
import unicodedata

from blocks import Link, Malformed, demand

HEX64 = re.compile(r"[0-9a-f]{64}")
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
CID = re.compile(r"b[a-z2-7]{58}")
UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", re.ASCII)
ROLES = ("up", "down", "rendered", "output", "approval", "trust", "evidence", "notices")
EVENTS = ("genesis", "plan", "apply", "rollback", "fail", "baseline", "stamp", "repair", "attach", "drift", "trust",
          "erase")
# FORMAT §2 and §6: members that are not named here are an error.
MANIFEST = {"greffe": 1, "seq": int, "chain": (CID, None), "prev": (CID, None), "log": Link,
            "files": [{"cid": Link, "name": str, "role": ROLES, "size": int, "sealed": bool}]}
HEAD = {"greffe": 1, "manifest": Link, "entries": Link, "tlog": Link, "timestamps": [bytes]}
# FORMAT §3. The envelope has exactly these members; a statement and a predicate may have more.
ENVELOPE = {"payload": str, "payloadType": "application/vnd.in-toto+json", "signatures": [{"keyid": str, "sig": str}]}
STATEMENT = {"_type": "https://in-toto.io/Statement/v1", "subject": [{"name": str, "digest": {"sha256": HEX64}}],
             "predicateType": "urn:greffe:migration-log:1", "predicate": dict}
PREDICATE = {"chain": (CID, None), "seq": int, "prev": (CID, None), "event": EVENTS, "id": UUID7, "startedAt": TIME,
             "finishedAt": TIME, "databaseClock": (str, None),
             "actor": {"pseudonym": re.compile("[0-9a-f]{32}"), "role": str},
             "target": ({"name": str, "engine": ("sqlite", "postgresql", "mysql", "mariadb"), "version": str}, None),
             "executor": {"name": str, "version": str}, "run": {"id": UUID7, "ci": (dict, None)}}
MIGRATION = {"migration": {"version": str, "name": (str, None), "dependsOn": [str], "sectors": [str],
                           "purpose": (str, None), "impact": (str, None)},
             "evidence": ("executed", "captured", "imported-exact", "imported-weak", "bare"),
             "digests": {"*": {"raw": DIGEST, "lf": DIGEST}},
             "statements": [{"kind": str, "count": int, "durationUs": int, "rows": (int, None)}],
             "schema": {"algorithm": str, "before": (DIGEST, None), "after": (DIGEST, None)},
             "outcome": ("succeeded", "failed"), "error": ({"code": (str, int), "statement": int}, None),
             "plan": (CID, None), "reverts": (CID, None), "promotedFrom": (CID, None),
             "hooks": [{"event": str, "name": str, "sha256": str, "outcome": str, "durationUs": int}]}
DIRECTION = {"direction": ("up", "down")}
BY_EVENT = {event: MIGRATION for event in ("apply", "rollback", "fail", "baseline", "stamp")}
BY_EVENT |= {"stamp": MIGRATION | DIRECTION, "repair": DIRECTION,
             "erase": {"about": [CID], "erased": [CID], "basis": str}}
# FORMAT §7.
TRUST = {"version": int, "name": str,
         "keys": {"*": {"public": str, "roles": [("root", "signer", "approver")], "label": str}},
         "thresholds": {"root": int, "signer": int, "approver": int}, "policy": str, "authorities": [str],
         "revoked": [{"keyid": str, "since": int, "reason": ("retired", "compromised")}]}


def misfits(value, shape, exact, path=""):
    """Where a value differs from a shape; with `exact`, members that the shape does not name count too."""
    if isinstance(shape, tuple) and all(isinstance(alternative, str) for alternative in shape):
        return [] if isinstance(value, str) and value in shape else [f"{path} is none of {', '.join(shape)}"]
    if isinstance(shape, tuple):
        tried = [misfits(value, alternative, exact, path) for alternative in shape]
        return [] if [] in tried else max(tried, key=lambda one: (len(one[0]), one))
    if isinstance(shape, dict):
        if not isinstance(value, dict):
            return [f"{path or 'it'} is no object"]
        if "*" in shape:
            return [text for key in value for text in misfits(value[key], shape["*"], exact, f"{path}.{key}")]
        found = [f"{path}.{key} is missing" for key in shape if key not in value]
        found += [f"{path}.{key} is unknown" for key in value if exact and key not in shape]
        return found + [text for key in shape if key in value
                        for text in misfits(value[key], shape[key], exact, f"{path}.{key}")]
    if isinstance(shape, list):
        if not isinstance(value, list):
            return [f"{path} is no list"]
        return [text for n, one in enumerate(value) for text in misfits(one, shape[0], exact, f"{path}[{n}]")]
    if isinstance(shape, re.Pattern):
        return [] if isinstance(value, str) and shape.fullmatch(value) else [f"{path} is not {shape.pattern}"]
    if isinstance(shape, type):
        good = type(value) is shape and not (shape is int and value < 0)
        return [] if good else [f"{path} is not of type {shape.__name__}"]
    return [] if type(value) is type(shape) and value == shape else [f"{path} is not {shape!r}"]


def parse_json(data):
    def members(pairs):
        demand(len({key for key, _ in pairs}) == len(pairs), "JSON has a member twice")
        return dict(pairs)

    def refuse(word):
        raise Malformed(f"JSON has the word {word}")
    value = json.loads(data.decode("utf-8"), object_pairs_hook=members, parse_constant=refuse)
    json.dumps(value, ensure_ascii=False).encode("utf-8")  # raises for half of a surrogate pair
    return value


def well_shaped(value, shape, exact, what):
    found = misfits(value, shape, exact)
    demand(not found, f"{what}: " + "; ".join(found))
    return value


def name_fault(name):
    if len(name.encode()) > 255:
        return "is longer than 255 bytes"
    if any(part in ("", ".", "..") for part in name.split("/")):
        return "has an empty, `.` or `..` part"
    if "\\" in name or any(unicodedata.category(character) == "Cc" for character in name):
        return "has a backslash or a control character"
    return None
