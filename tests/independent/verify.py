"""Verifies a greffe archive (a CARv1 file) from FORMAT.md alone, and names everything that does not hold.

It is a second reading of the format, written apart from the program that makes archives, so that a mistake
has to be made twice to go unseen. It is not that program: it opens no sealed file, asks no network, and looks
at neither timestamp tokens nor witness cosignatures.

usage: verify.py ARCHIVE.car
Prints {"verified", "head", "chain", "events", "findings": [{"seq", "what"}]}; a finding about the head has
seq null. Exits 0 when verified, 1 when there are findings, 2 when it could not be run or the file is no CARv1.
"""
import base64
import json
import re
import sys
from datetime import datetime, timedelta

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import UnverifiedSignatureError
from securesystemslib.signer import Signature, SSlibKey

from blocks import (DAG_CBOR, DAG_PB, MIB, RAW, Link, Malformed, cid_text, decode_base64, decode_cbor, decode_unixfs,
                    demand, entries_tree, is_cid, leaf_hash, merkle_root, read_varint, sha256, tiles, unixfs_blocks)
from shapes import (BY_EVENT, ENVELOPE, HEAD, MANIFEST, MIGRATION, PREDICATE, STATEMENT, TRUST, misfits, name_fault,
                    parse_json, well_shaped)

TOLERANCE = timedelta(seconds=5)


# --- trust (FORMAT §7) --------------------------------------------------------------------------------------------

class Trust:
    """A trust document: who may sign what, at which seq."""

    def __init__(self, data):
        document = well_shaped(parse_json(data), TRUST, False, "trust document")
        self.version, self.thresholds = document["version"], document["thresholds"]
        demand(min(self.thresholds["root"], self.thresholds["signer"]) >= 1, "trust document: a threshold is 0")
        self.revoked = [(entry["keyid"], entry["since"]) for entry in document["revoked"]]
        self.stolen = [(entry["keyid"], entry["since"]) for entry in document["revoked"]
                       if entry["reason"] == "compromised"]
        self.keys, self.roles, self.public = {}, {}, {}
        for keyid, key in document["keys"].items():
            public = decode_base64(key["public"])
            text = f'{{"keytype":"ed25519","keyval":{{"public":"{public.hex()}"}},"scheme":"ed25519"}}'
            demand(len(public) == 32 and sha256(text.encode()).hex() == keyid,
                   f"trust document: keyid {keyid} is wrong")
            self.keys[keyid] = SSlibKey(keyid, "ed25519", "ed25519", {"public": public.hex()})
            self.roles[keyid], self.public[keyid] = key["roles"], public

    def may(self, role, seq):
        """The keys that count for a role at a seq."""
        gone = {keyid for keyid, since in self.revoked if since <= seq}
        return {keyid for keyid, roles in self.roles.items() if role in roles and keyid not in gone}


# --- the archive --------------------------------------------------------------------------------------------------

class Archive:
    """The blocks of a CAR file, what was found wrong in them, and what the events so far have made."""

    def __init__(self, data):
        self.findings, self.blocks, self.head = [], {}, None
        length, at = read_varint(data, 0)
        header = decode_cbor(data[at:at + length])
        demand(misfits(header, {"roots": [Link], "version": 1}, True) == [] and header["roots"], "no CARv1 header")
        self.root, at = header["roots"][0], at + length
        try:
            while at < len(data):
                length, at = read_varint(data, at)
                demand(at + length <= len(data), "the file ends inside a block")
                cid, block, at = data[at:at + 36], data[at + 36:at + length], at + length
                demand(length >= 36 and is_cid(cid), "a block has no CID of version 1 with sha2-256")
                if len(block) > 2 * MIB:
                    self.find(None, f"block {cid_text(cid)} is over 2 MiB")
                elif sha256(block) != cid[4:]:
                    self.find(None, f"block {cid_text(cid)} does not hash to its CID")
                else:
                    self.blocks.pop(cid, None)  # so that the order of `blocks` is that of each block's last place
                    self.blocks[cid] = block
        except Malformed as fault:
            self.find(None, str(fault))
        self.trust, self.identifiers, self.applied, self.schema, self.clock = None, {}, set(), None, None
        self.carried = []  # of each event and document that asked: seq, keys that counted, how many were needed

    def find(self, seq, what):
        if {"seq": seq, "what": what} not in self.findings:
            self.findings.append({"seq": seq, "what": what})

    def get(self, cid, codecs, what):
        demand(cid[1] in codecs, f"{what} {cid_text(cid)} has the wrong codec")
        demand(cid in self.blocks, f"{what} {cid_text(cid)} is not there")
        return self.blocks[cid]

    def verify(self):
        manifests = self.guard(None, self.open_head) or []
        for position, cid in enumerate(manifests):
            self.guard(position, self.verify_event, position, cid, manifests)
        if manifests and self.head:
            self.guard(None, self.verify_entries, manifests)
            self.guard(None, self.verify_log, manifests)
        return {"verified": not self.findings, "head": self.head and cid_text(self.head),
                "chain": cid_text(manifests[0]) if manifests else None, "events": len(manifests),
                "findings": self.findings}

    def guard(self, seq, step, *arguments):
        try:
            return step(*arguments)
        except (Malformed, ValueError, RecursionError) as fault:
            self.find(seq, str(fault))
            return None

    # the head and the list of manifests

    def open_head(self):
        growing = isinstance(value := decode_cbor(self.get(self.root, [DAG_CBOR], "root")), dict) and "seq" in value
        self.head = self.root
        if growing:
            heads = [cid for cid, block in self.blocks.items() if cid[1] == DAG_CBOR and self.decodes_as_head(block)]
            demand(heads, "there is no head")
            self.head = heads[-1]
        self.head_object = well_shaped(decode_cbor(self.blocks[self.head]), HEAD, True, "head")
        manifests = self.walk() or self.listed(self.head_object["entries"])
        if not manifests or manifests[-1] != self.head_object["manifest"]:
            self.find(None, "the head's manifest is not the last one that its entries list")
        if growing and manifests[:1] != [self.root]:
            self.find(None, "the head is of another chain than the root of the file")
        return manifests

    def decodes_as_head(self, block):
        try:
            return misfits(decode_cbor(block), HEAD, True) == []
        except (Malformed, ValueError):
            return False

    def walk(self):
        """The manifests along `prev`, when that leads without a gap from the newest to manifest 0; else None."""
        cids, cid, expected = [], self.head_object["manifest"], None
        try:
            while True:
                manifest = decode_cbor(self.get(cid, [DAG_CBOR], "manifest"))
                if misfits(manifest, MANIFEST, True) or expected not in (None, manifest["seq"]):
                    return None
                cids.append(cid)
                if manifest["seq"] == 0 or manifest["prev"] is None:
                    return cids[::-1] if (manifest["seq"], manifest["prev"]) == (0, None) else None
                cid = base64.b32decode(manifest["prev"][1:].upper() + "======")
                expected = manifest["seq"] - 1
        except (Malformed, ValueError):
            return None

    def listed(self, cid):
        """The manifests that the tree of links lists, as far as it can be read."""
        node = self.links_in(cid)
        if not node or len(node) > 256:
            self.find(None, f"entries node {cid_text(cid)} is not there or no array of 1 to 256 links")
            return []
        if self.links_in(node[0]) is None:
            return node
        return [manifest for child in node for manifest in self.listed(child)]

    def links_in(self, cid):
        try:
            node = decode_cbor(self.get(cid, [DAG_CBOR], "entries node"))
        except (Malformed, ValueError):
            return None
        return node if isinstance(node, list) and all(type(link) is Link for link in node) else None

    # one event

    def verify_event(self, position, cid, manifests):
        last_schema, self.schema = self.schema, None  # unknown after an event that cannot be read
        block = self.get(cid, [DAG_CBOR], "manifest")
        demand(len(block) <= MIB, "the manifest is over 1 MiB")
        manifest = well_shaped(decode_cbor(block), MANIFEST, True, "manifest")
        expected = {"seq": position, "chain": cid_text(manifests[0]) if position else None,
                    "prev": cid_text(manifests[position - 1]) if position else None}
        for key, value in expected.items():
            if manifest[key] != value:
                self.find(position, f"the manifest's {key} is {manifest[key]}, expected {value}")
        files = manifest["files"]
        order = [(file["role"], file["name"]) for file in files]
        if order != sorted(set(order)):
            self.find(position, "the files are not sorted by role and name, or not unique")
        contents = [self.guard(position, self.read_file, position, file) for file in files]
        log = self.get(manifest["log"], [RAW], "log")
        demand(len(log) <= MIB, "the log is over 1 MiB")
        envelope = well_shaped(parse_json(log), ENVELOPE, True, "envelope")
        payload = decode_base64(envelope["payload"])
        valid = self.guard(position, self.valid_signers, position, envelope, payload, files, contents) or set()
        statement = well_shaped(parse_json(payload), STATEMENT, False, "statement")
        self.guard(position, self.verify_subjects, position, statement["subject"], files, contents, manifests)
        predicate = statement["predicate"]
        for key in ("chain", "seq", "prev"):
            if key in predicate and predicate[key] != manifest[key]:
                self.find(position, f"the log's {key} is {predicate[key]}, the manifest's {manifest[key]}")
        self.guard(position, self.verify_signatures, position, predicate.get("event"), valid, files, contents)
        shape = PREDICATE | BY_EVENT.get(str(predicate.get("event")), {})
        faults = misfits(predicate, shape, False)
        for fault in faults:
            self.find(position, f"predicate: {fault}")
        if (predicate.get("event") == "genesis") != (position == 0):
            self.find(position, "genesis is not the event of manifest 0 and of no other")
        self.guard(position, self.verify_files, position, predicate, files, contents)
        if not faults:
            self.verify_story(position, predicate, last_schema)

    def read_file(self, position, file):
        """The whole bytes behind a file's CID, after everything about the file itself was looked at."""
        name, cid = file["name"], file["cid"]
        if fault := name_fault(name):
            self.find(position, f"file name {name!r} {fault}")
        if file["sealed"] and not re.fullmatch(r"(0|[1-9][0-9]*)\.sealed", name):
            self.find(position, f"sealed file {name!r} is not named `<n>.sealed`")
        content = self.read_unixfs(cid, file["size"], 0)
        if len(content) != file["size"]:
            self.find(position, f"file {name!r} has {len(content)} bytes, the manifest says {file['size']}")
        elif unixfs_blocks(content)[0] != cid:
            self.find(position, f"file {name!r} is not laid out as the profile unixfs-v1-2025 asks")
        return content

    def read_unixfs(self, cid, limit, depth):
        block = self.get(cid, [RAW, DAG_PB], "file")
        if cid[1] == RAW:
            return block
        kind, links, size, sizes = decode_unixfs(block)
        demand(kind == 2 and len(links) == len(sizes) and sum(sizes) == size and 0 not in sizes and depth < 8,
               f"{cid_text(cid)} is no UnixFS file whose sizes add up")
        demand(size <= limit, f"{cid_text(cid)} holds more bytes than the manifest says")
        parts = [self.read_unixfs(child, length, depth + 1) for (_, child), length in zip(links, sizes)]
        demand([len(part) for part in parts] == sizes, f"{cid_text(cid)} does not give the sizes of its parts")
        return b"".join(parts)

    def trust_brought(self, files, contents):
        documents = [content for file, content in zip(files, contents)
                     if file["role"] == "trust" and not file["sealed"]]
        demand(len(documents) == 1 and documents[0] is not None, "there is no trust document, or more than one")
        return Trust(documents[0])

    def valid_signers(self, position, envelope, payload, files, contents):
        """The keyids whose signature over the envelope is good. One bad signature by a known key leaves none."""
        known = dict(self.trust.keys) if self.trust else {}
        if any(file["role"] == "trust" for file in files):
            try:
                known |= self.trust_brought(files, contents).keys
            except (Malformed, ValueError):
                pass  # said again, as a finding, where the document is used
        encoded, good, bad = Envelope(payload, envelope["payloadType"], {}).pae(), set(), set()
        for entry in envelope["signatures"]:
            keyid, signature = entry["keyid"], decode_base64(entry["sig"])
            if keyid in known:
                try:
                    known[keyid].verify_signature(Signature(keyid, signature.hex()), encoded)
                    good.add(keyid)
                except UnverifiedSignatureError:
                    bad.add(keyid)
        demand(not bad, "the signature does not verify for the known key " + ", ".join(sorted(bad)))
        return good

    def verify_signatures(self, position, event, valid, files, contents):
        def enough(trust, role, which):
            counted, needed = valid & trust.may(role, position), trust.thresholds[role]
            count = len(counted)
            if count >= needed:
                self.carried.append([position, counted, needed])
            else:
                self.find(position, f"{count} of {needed} signatures of role {role} under the {which} trust document")
            return count >= needed

        demand(self.trust or position == 0, "there is no trust document in force")
        if event not in ("genesis", "trust"):
            demand(self.trust, "there is no trust document in force")
            enough(self.trust, "signer", "present")
            return
        brought = self.trust_brought(files, contents)
        accepted = enough(brought, "root", "new")
        if self.trust:
            accepted &= enough(self.trust, "root", "old")
            if brought.version != self.trust.version + 1:
                accepted = self.find(position, f"the trust document's version goes from {self.trust.version} "
                                               f"to {brought.version}")
        if accepted or position == 0:
            self.take_stolen(position, brought)
            self.trust = brought

    def take_stolen(self, position, brought):
        """What a key that is now told to be stolen signed from then on no longer stands on it."""
        for keyid, since in brought.stolen:
            for entry in self.carried:
                seq, counted, needed = entry
                if since <= seq < position and keyid in counted:
                    if len(counted) == needed:
                        self.find(seq, f"it stands on key {keyid}, which event {position} revokes as compromised")
                    entry[1] = counted - {keyid}

    def verify_subjects(self, position, subjects, files, contents, manifests):
        if not files:
            previous = manifests[position - 1][4:].hex() if position else None
            demand(len(subjects) == 1 and subjects[0]["name"] == "chain"
                   and subjects[0]["digest"]["sha256"] == previous, "the subject is not the chain before this event")
            return
        demand(len(subjects) == len(files), f"there are {len(subjects)} subjects for {len(files)} files")
        for subject, file, content in zip(subjects, files, contents):
            expected = {"name": file["name"], "uri": "ipfs://" + cid_text(file["cid"]),
                        "annotations": {"role": file["role"]}}
            for key, value in expected.items():
                if subject.get(key) != value:
                    self.find(position, f"the subject of file {file['name']!r} has another {key}")
            if content is not None and subject["digest"]["sha256"] != sha256(content).hex():
                self.find(position, f"the digest of file {file['name']!r} is not that of its bytes")

    def verify_files(self, position, predicate, files, contents):
        """Commitments belong to sealed files, and digests to public ones."""
        sealed = [file["name"] for file in files if file["sealed"]]
        commitments = predicate.get("commitments", {})
        found = misfits(commitments, {"*": re.compile("hmac-sha256:[0-9a-f]{64}")}, False, "commitments")
        demand(not found, "; ".join(found))
        if sorted(sealed) != sorted(commitments):
            self.find(position, f"commitments for {sorted(commitments)}, sealed files {sorted(sealed)}")
        digests = predicate.get("digests", {})
        for name, digest in digests.items() if isinstance(digests, dict) else []:
            public = [content for file, content in zip(files, contents)
                      if file["name"] == name and not file["sealed"] and content is not None]
            computed = [{"raw": "sha256:" + sha256(content).hex(), "lf": "sha256:" + sha256(
                content.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n")).hex()} for content in public]
            if digest not in computed:
                self.find(position, f"the digests of {name!r} are not those of a public file")

    # the story (FORMAT §9.6)

    def verify_story(self, position, predicate, last_schema):
        event, identifier = predicate["event"], predicate["id"]
        if identifier in self.identifiers:
            self.find(position, f"id {identifier} is that of event {self.identifiers[identifier]} too")
        self.identifiers.setdefault(identifier, position)
        started, finished = (datetime.fromisoformat(predicate[key][:-1]) for key in ("startedAt", "finishedAt"))
        if finished < started:
            self.find(position, "finishedAt is before startedAt")
        if self.clock and started < self.clock - TOLERANCE:
            self.find(position, f"startedAt is before {self.clock.isoformat()}Z, when the event before was finished")
        self.clock = finished
        migration, schema = predicate.get("migration"), predicate.get("schema")
        version = migration.get("version") if isinstance(migration, dict) else None
        succeeded, direction = predicate.get("outcome") == "succeeded", predicate.get("direction")
        if event == "apply" and succeeded and version in self.applied:
            self.find(position, f"version {version} is applied, and was applied already")
        if event == "rollback" and succeeded and version not in self.applied:
            self.find(position, f"version {version} is rolled back, and was not applied")
        if not isinstance(version, str):
            pass  # a repair that is about no migration
        elif direction == "up" or (event in ("apply", "baseline") and succeeded):
            self.applied.add(version)
        elif direction == "down" or (event == "rollback" and succeeded):
            self.applied.discard(version)
        if isinstance(schema, dict) and misfits(schema, MIGRATION["schema"], False) == []:
            before = (schema["algorithm"], schema["before"])
            comparable = last_schema and last_schema[0] == before[0] and None not in (last_schema[1], before[1])
            if comparable and last_schema != before:
                self.find(position, "schema.before is not the last schema.after: it changed outside the archive")
            self.schema = (schema["algorithm"], schema["after"])
        else:
            self.schema = last_schema

    # entries, tiles, checkpoint

    def verify_entries(self, manifests):
        root, blocks = entries_tree(manifests)
        demand(root == self.head_object["entries"], "the entries are not the tree of the manifests up to the head's")
        for cid in blocks:
            self.guard(None, self.get, cid, [DAG_CBOR], "entries node")

    def directory(self, cid, prefix=""):
        """Every file of a UnixFS directory as (path, CID)."""
        kind, links, _, _ = decode_unixfs(self.get(cid, [DAG_PB], f"directory /{prefix}"))
        names = [name.encode() for name, _ in links]
        demand(kind == 1 and names == sorted(set(names)) and prefix.count("/") < 12,
               f"/{prefix} is no UnixFS directory with sorted, unique names")
        for name, child in links:
            if child[1] == DAG_PB:
                yield from self.guard(None, lambda: list(self.directory(child, f"{prefix}{name}/"))) or []
            else:
                yield prefix + name, child

    def verify_log(self, manifests):
        expected, there = tiles(manifests), dict(self.directory(self.head_object["tlog"]))
        for path in sorted(expected.keys() | there.keys()):
            if path not in there:
                self.find(None, f"{path} is not in the tlog directory")
            elif path not in expected and path != "checkpoint":
                self.find(None, f"{path} is in the tlog directory, and a log of {len(manifests)} does not have it")
            elif path != "checkpoint":
                block = self.guard(None, self.get, there[path], [RAW], path)
                if block is not None and block != expected[path]:
                    self.find(None, f"{path} does not hold what the manifests make")
        demand("checkpoint" in there, "checkpoint is not in the tlog directory")
        self.verify_checkpoint(self.get(there["checkpoint"], [RAW], "checkpoint"), manifests)

    def verify_checkpoint(self, note, manifests):
        text, separator, lines = note.decode("utf-8").rpartition("\n\n")
        demand(separator and lines.endswith("\n") and not re.search("[\0-\x09\x0b-\x1f]", note.decode()),
               "the checkpoint is no signed note")
        root = merkle_root([leaf_hash(cid) for cid in manifests])
        origin = "greffe/" + cid_text(manifests[0])
        body = [origin, str(len(manifests)), base64.b64encode(root).decode()]
        for what, have, want in zip(("origin", "size", "root"), text.split("\n") + ["", ""], body):
            if have != want:
                self.find(None, f"the checkpoint's {what} is {have!r}, expected {want!r}")
        if len(text.split("\n")) > 3:
            self.find(None, "the checkpoint has more than origin, size and root")
        signers = self.trust.may("signer", len(manifests) - 1) if self.trust else set()
        known = {sha256(origin.encode() + b"\n\x01" + key)[:4]: key
                 for keyid, key in (self.trust.public.items() if self.trust else []) if keyid in signers}
        good = 0
        for line in lines[:-1].split("\n"):
            dash, name, encoded = (line.split(" ") + ["", "", ""])[:3]
            demand(dash == "\u2014" and name and line.count(" ") == 2, "the checkpoint has a line that is no signature")
            signature = decode_base64(encoded)
            if name == origin and signature[:4] in known:
                try:
                    Ed25519PublicKey.from_public_bytes(known[signature[:4]]).verify(
                        signature[4:], (text + "\n").encode())
                    good += 1
                except InvalidSignature:
                    self.find(None, "the checkpoint has a bad signature by a key that may sign entries")
        demand(good, "the checkpoint is not signed by a key that may sign entries at its size")


def main(arguments):
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        with open(arguments[0], "rb") as file:
            archive = Archive(file.read())
    except (OSError, Malformed, ValueError) as fault:
        print(f"error: {arguments[0]}: {fault}", file=sys.stderr)
        return 2
    result = archive.verify()
    print(json.dumps(result))
    return 0 if result["verified"] else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
