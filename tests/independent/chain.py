"""Builds greffe archives from FORMAT.md alone, with a place to put a defect at every step.

Everything is fixed: keys come from seeds, times and ids from a counter, so the same calls make the same bytes.
It is for tests; it has no database behind it and encrypts nothing.
"""
import base64
import hashlib
import json
from datetime import datetime, timedelta

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from blocks import (DAG_CBOR, DAG_PB, MIB, RAW, Link, cid_of, cid_text, encode_varint, entries_tree, leaf_hash,
                    tiles, unixfs_blocks)


def hex256(data):
    return hashlib.sha256(data).hexdigest()


def stream(label, count):
    """Bytes that look random and are always the same."""
    blocks = (hashlib.sha256(f"{label}/{n}".encode()).digest() for n in range(count // 32 + 1))
    return b"".join(blocks)[:count]


class Key:
    """An Ed25519 key from a seed of one repeated byte."""

    def __init__(self, number):
        self.private = Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32)
        self.public = self.private.public_key().public_bytes_raw()
        self.keyid = hex256(b'{"keytype":"ed25519","keyval":{"public":"' + self.public.hex().encode()
                            + b'"},"scheme":"ed25519"}')

    def sign(self, data):
        return self.private.sign(data)


ROOT, SIGNER, SECOND_ROOT, SECOND_SIGNER, APPROVER, STRANGER = (Key(number) for number in (1, 2, 3, 4, 5, 9))
DEFAULT_KEYS = {ROOT: ["root"], SIGNER: ["signer"], APPROVER: ["approver"]}


def trust_document(version=1, keys=None, root=1, signer=1, revoked=(), change=None):
    document = {
        "version": version, "name": "billing-production",
        "keys": {key.keyid: {"public": base64.b64encode(key.public).decode(), "roles": roles, "label": "test"}
                 for key, roles in (keys or DEFAULT_KEYS).items()},
        "thresholds": {"root": root, "signer": signer, "approver": 0},
        "revoked": [{"keyid": key.keyid, "since": since, "reason": reason} for key, since, reason in revoked],
        "policy": "quorum none\n", "authorities": []}
    if change:
        change(document)
    return json.dumps(document, indent=1).encode()


def encode_cbor(value):
    """DAG-CBOR as FORMAT §1 wants it."""
    def start(major, count):
        if count < 24:
            return bytes([major << 5 | count])
        width = next(n for n in (1, 2, 4, 8) if count < 1 << (8 * n))
        return bytes([major << 5 | {1: 24, 2: 25, 4: 26, 8: 27}[width]]) + count.to_bytes(width, "big")

    if value is None or isinstance(value, bool):
        return {None: b"\xf6", True: b"\xf5", False: b"\xf4"}[value]
    if isinstance(value, int):
        return start(0, value) if value >= 0 else start(1, -1 - value)
    if isinstance(value, Link):
        return b"\xd8\x2a" + encode_cbor(b"\0" + bytes(value))
    if isinstance(value, bytes):
        return start(2, len(value)) + value
    if isinstance(value, str):
        return start(3, len(value.encode())) + value.encode()
    if isinstance(value, list):
        return start(4, len(value)) + b"".join(map(encode_cbor, value))
    keys = sorted(value, key=lambda key: (len(key.encode()), key.encode()))
    return start(5, len(value)) + b"".join(encode_cbor(key) + encode_cbor(value[key]) for key in keys)


def encode_directory(children, reverse=False):
    """A UnixFS directory of (name, CID, cumulative size), sorted by name unless it is to be wrong."""
    block = b""
    for name, cid, size in sorted(children, key=lambda child: child[0].encode(), reverse=reverse):
        link = b"\x0a\x24" + cid + b"\x12" + encode_varint(len(name.encode())) + name.encode()
        link += b"\x18" + encode_varint(size)
        block += b"\x12" + encode_varint(len(link)) + link
    return block + b"\x0a\x02\x08\x01"


def pae(payload_type, payload):
    return b"DSSEv1 %d %b %d %b" % (len(payload_type), payload_type.encode(), len(payload), payload)


def envelope_signature(key, payload, payload_type="application/vnd.in-toto+json"):
    return {"keyid": key.keyid, "sig": base64.b64encode(key.sign(pae(payload_type, payload))).decode()}


def note_line(key, text, name=None, kind=1, signed=None):
    """One signature line of a note; the name is the note's first line unless it is to be wrong."""
    name = name or text.split("\n")[0]
    keyid = hashlib.sha256(name.encode() + b"\n" + bytes([kind]) + key.public).digest()[:4]
    signature = key.sign((signed or text).encode())
    return f"\u2014 {name} {base64.b64encode(keyid + signature).decode()}\n"


def same(value):
    return value


def change_nothing(value):
    return None


class File:
    """A file of a manifest. `cid` and `blocks` may be given, for a layout that is to be wrong."""

    def __init__(self, role, name, content, sealed=False, cid=None, blocks=None):
        self.role, self.name, self.content, self.sealed = role, name, content, sealed
        profile_cid, profile_blocks = unixfs_blocks(content)
        self.cid, self.blocks = cid or profile_cid, blocks or profile_blocks

    def digests(self):
        plain = self.content.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n")
        return {"raw": "sha256:" + hex256(self.content), "lf": "sha256:" + hex256(plain)}


class Chain:
    """A chain that grows by one event at a time, and the blocks it is made of."""

    def __init__(self, label="billing"):
        self.label, self.blocks, self.manifests = label, {}, []
        self.clock, self.schema, self.applied_by = datetime(2026, 1, 5, 8), 0, {}

    def put(self, codec, data):
        cid = cid_of(codec, data)
        self.blocks[cid] = data
        return cid

    def identifier(self, name):
        milliseconds = int((self.clock - datetime(1970, 1, 1)).total_seconds() * 1000)
        bits = hex256(f"{self.label}/{name}/{len(self.manifests)}".encode())
        stamp = f"{milliseconds:012x}"
        return f"{stamp[:8]}-{stamp[8:]}-7{bits[:3]}-8{bits[3:6]}-{bits[6:18]}"

    def schema_digest(self, number):
        return "sha256:" + hex256(f"{self.label} schema {number}".encode()) if number else None

    def genesis(self, document=None, signers=(ROOT,), **changes):
        files = changes.pop("files", [File("trust", "trust.json", document or trust_document())])
        return self.event("genesis", files, signers, **changes)

    def trust(self, document, signers=(ROOT,), **changes):
        return self.event("trust", [File("trust", "trust.json", document)], signers, **changes)

    def apply(self, version, event="apply", files=None, **changes):
        """An event about a migration. `apply`, `rollback` and `baseline` move the schema on."""
        if files is None:
            number = int(version)
            files = [File("down", f"{version}_table_{number}.down.sql", f"DROP TABLE t{number};\n".encode()),
                     File("up", f"{version}_table_{number}.up.sql",
                          f"CREATE TABLE t{number} (id INTEGER);\n".encode())]
        before = self.schema
        moved = event in ("apply", "rollback", "baseline")
        self.schema += moved
        predicate = {
            "migration": {"version": version, "name": None, "dependsOn": [], "sectors": [], "purpose": None,
                          "impact": None},
            "evidence": "executed", "digests": {file.name: file.digests() for file in files if not file.sealed},
            "statements": [{"kind": "CREATE TABLE", "count": 1, "durationUs": 1200, "rows": None}],
            "schema": {"algorithm": "test:1", "before": self.schema_digest(before),
                       "after": self.schema_digest(self.schema)},
            "outcome": "failed" if event == "fail" else "succeeded",
            "error": {"code": "42P07", "statement": 1} if event == "fail" else None,
            "commitments": {file.name: "hmac-sha256:" + hex256(b"commitment" + file.content)
                            for file in files if file.sealed},
            "plan": None, "reverts": cid_text(self.applied_by[version])
            if event == "rollback" and version in self.applied_by else None, "promotedFrom": None, "hooks": []}
        predicate |= changes.pop("members", {})
        cid = self.event(event, files, members=predicate, **changes)
        self.applied_by[version] = cid
        return cid

    def event(self, event, files=(), signers=(SIGNER,), members=None, seq=None, chain=same, previous=same, times=None,
              on_predicate=change_nothing, on_statement=change_nothing, on_payload=same, on_envelope=change_nothing,
              on_log=same, on_files=change_nothing, on_manifest=change_nothing, on_block=same):
        """Appends one event. Each `on_…` may change what it is given (in place, or bytes for bytes)."""
        position = len(self.manifests)
        seq = position if seq is None else seq
        chain = chain(cid_text(self.manifests[0]) if position else None)
        previous = previous(cid_text(self.manifests[-1]) if position else None)
        self.clock += timedelta(seconds=60)
        started, finished = times(self.clock) if times else (self.clock, self.clock + timedelta(seconds=1.5))
        files = sorted(files, key=lambda file: (file.role, file.name))
        for file in files:
            self.blocks |= file.blocks
        predicate = {
            "chain": chain, "seq": seq, "prev": previous, "event": event, "id": self.identifier("event"),
            "startedAt": started.isoformat(timespec="microseconds") + "Z",
            "finishedAt": finished.isoformat(timespec="microseconds") + "Z", "databaseClock": None,
            "actor": {"pseudonym": hex256(b"actor")[:32], "role": "operator"},
            "target": None if event == "genesis" else {"name": "billing", "engine": "sqlite", "version": "3.46.0"},
            "executor": {"name": "greffe", "version": "0.1.0"},
            "run": {"id": self.identifier("run"), "ci": None}} | (members or {})
        on_predicate(predicate)
        subjects = [{"name": file.name, "uri": "ipfs://" + cid_text(file.cid),
                     "digest": {"sha256": hex256(file.content)}, "annotations": {"role": file.role}} for file in files]
        if not files:
            subjects = [{"name": "chain", "digest": {"sha256": self.manifests[-1][4:].hex()}}]
        statement = {"_type": "https://in-toto.io/Statement/v1", "subject": subjects,
                     "predicateType": "urn:greffe:migration-log:1", "predicate": predicate}
        on_statement(statement)
        payload = on_payload(json.dumps(statement, ensure_ascii=False, separators=(",", ":")).encode())
        envelope = {"payload": base64.b64encode(payload).decode(), "payloadType": "application/vnd.in-toto+json",
                    "signatures": [envelope_signature(key, payload) for key in signers]}
        on_envelope(envelope)
        log = self.put(RAW, on_log(json.dumps(envelope, separators=(",", ":")).encode()))
        listed = [{"cid": Link(file.cid), "name": file.name, "role": file.role, "size": len(file.content),
                   "sealed": file.sealed} for file in files]
        on_files(listed)
        manifest = {"greffe": 1, "seq": seq, "chain": chain, "prev": previous, "log": Link(log), "files": listed}
        on_manifest(manifest)
        self.manifests.append(self.put(DAG_CBOR, on_block(encode_cbor(manifest))))
        return self.manifests[-1]

    def directory(self, files, reverse=False):
        """The CID and cumulative size of a directory of {path: bytes}."""
        children, below = [], {}
        for path, content in files.items():
            name, slash, rest = path.partition("/")
            if slash:
                below.setdefault(name, {})[rest] = content
            else:
                children.append((name, self.put(RAW, content), len(content)))
        for name, inside in below.items():
            children.append((name, *self.directory(inside)))
        block = encode_directory(children, reverse)
        return self.put(DAG_PB, block), len(block) + sum(size for _, _, size in children)

    def checkpoint_text(self, size=None, origin=None, root=None):
        size = len(self.manifests) if size is None else size
        root = root or tree_root([leaf_hash(cid) for cid in self.manifests])
        origin = origin or "greffe/" + cid_text(self.manifests[0])
        return f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n"

    def head(self, manifests=None, manifest=None, entries=None, text=None, lines=None, on_files=change_nothing,
             reverse=False, on_head=change_nothing):
        """Makes a head. Every argument is for a head that is to be wrong."""
        if entries is None:
            entries, nodes = entries_tree(manifests or self.manifests)
            self.blocks |= nodes
        text = text or self.checkpoint_text()
        note = text + "\n" + (note_line(SIGNER, text) if lines is None else lines(text))
        files = tiles(self.manifests) | {"checkpoint": note.encode()}
        on_files(files)
        head = {"greffe": 1, "manifest": Link(manifest or self.manifests[-1]), "entries": Link(entries),
                "tlog": Link(self.directory(files, reverse)[0]), "timestamps": []}
        on_head(head)
        return self.put(DAG_CBOR, encode_cbor(head))

    def car(self, root, without=(), lies=None):
        """The archive as CARv1: the root's block first, then the others."""
        header = encode_cbor({"roots": [Link(root)], "version": 1})
        out = [encode_varint(len(header)), header]
        for cid in [root] + [cid for cid in self.blocks if cid != root]:
            if cid not in without:
                block = (lies or {}).get(cid, self.blocks[cid])
                out += [encode_varint(36 + len(block)), cid, block]
        return b"".join(out)


def tree_root(hashes):
    """RFC 6962's root, grown from the left like a binary counter: another way than the verifier's."""
    peaks = []
    for count, leaf in enumerate(hashes, 1):
        peaks.append(leaf)
        while count % 2 == 0:
            right, left = peaks.pop(), peaks.pop()
            peaks.append(hashlib.sha256(b"\x01" + left + right).digest())
            count //= 2
    root = peaks.pop()
    while peaks:
        root = hashlib.sha256(b"\x01" + peaks.pop() + root).digest()
    return root


def chunked(content, chunk):
    """A file in chunks of another size than the profile's: its CID and blocks."""
    parts = [content[at:at + chunk] for at in range(0, len(content), chunk)]
    data = b"\x08\x02\x18" + encode_varint(len(content)) + b"".join(b"\x20" + encode_varint(len(p)) for p in parts)
    block = b""
    for part in parts:
        link = b"\x0a\x24" + cid_of(RAW, part) + b"\x12\x00\x18" + encode_varint(len(part))
        block += b"\x12" + encode_varint(len(link)) + link
    block += b"\x0a" + encode_varint(len(data)) + data
    return cid_of(DAG_PB, block), {cid_of(RAW, part): part for part in parts} | {cid_of(DAG_PB, block): block}


def sealed_bytes(label, count=256):
    """The shape of a COSE_Encrypt0 with ChaCha20/Poly1305; nothing is in it."""
    protected, kid, nonce = b"\xa1\x01\x18\x18", stream(label + "kid", 16), stream(label + "iv", 12)
    return (b"\xd0\x83" + encode_cbor(protected) + b"\xa2\x04" + encode_cbor(kid) + b"\x05" + encode_cbor(nonce)
            + encode_cbor(stream(label, count + 16)))


LARGE = stream("large script", 5 * MIB // 2)
