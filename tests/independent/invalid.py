"""Archives with one defect each, with the seq at which it has to be reported and what is wrong in a sentence.

The seq is null for a defect of the head, and where FORMAT.md leaves open which seq it is.
"""
import base64

from blocks import DAG_CBOR, DAG_PB, MIB, RAW, Link, cid_of, cid_text, decode_cbor, entries_tree, leaf_hash
from chain import (APPROVER, DEFAULT_KEYS, ROOT, SECOND_ROOT, SECOND_SIGNER, SIGNER, STRANGER, Chain, File, chunked,
                   encode_cbor, envelope_signature, hex256, note_line, sealed_bytes, tree_root, trust_document)
from valid import TWO_ROOTS, TWO_SIGNERS, attached, seconds, start, three, whole

INVALID = []


def invalid(name, seq, says, make):
    INVALID.append((name, seq, says, make))


# --- the chain ----------------------------------------------------------------------------------------------------

OTHER = Chain("another chain")
OTHER.genesis()


def add(name, place, says, **changes):
    """An archive of three scripts with these changes to seq 2, to be reported at this place."""
    invalid(name, place, says, lambda: whole(three(**changes)))


def genesis_changed(name, says, **changes):
    def make():
        chain = start(**changes)
        chain.apply("0001")
        return whole(chain)
    invalid(name, 0, says, make)


def wrong_previous():
    chain = start()
    first = cid_text(chain.manifests[0])
    chain.apply("0001")
    chain.apply("0002", previous=lambda _: first)
    chain.apply("0003")
    return whole(chain)


def first_is_apply():
    chain = Chain()
    chain.apply("0001")
    chain.apply("0002")
    return whole(chain)


def identifier_twice():
    chain = start()
    kept = []
    chain.apply("0001", on_predicate=lambda p: kept.append(p["id"]))
    chain.apply("0002", on_predicate=lambda p: p.update(id=kept[0]))
    return whole(chain)


STRAY = cid_text(cid_of(DAG_CBOR, b"stray"))
invalid("chain-prev-wrong", 2, "prev is manifest 0 instead of manifest 1", wrong_previous)
add("chain-seq-gap", None, "seq goes from 1 to 3", seq=3)
add("chain-seq-repeated", None, "seq 1 is there twice", seq=1)
add("chain-of-another", 2, "chain is the CID of another chain's manifest 0",
    chain=lambda _: cid_text(OTHER.manifests[0]))
add("chain-null", 2, "chain is null in a manifest that is not manifest 0", chain=lambda _: None)
add("prev-null", 2, "prev is null in a manifest that is not manifest 0", previous=lambda _: None)
genesis_changed("chain-in-manifest-0", "chain is not null in manifest 0", chain=lambda _: STRAY)
genesis_changed("prev-in-manifest-0", "prev is not null in manifest 0", previous=lambda _: STRAY)
invalid("first-event-apply", 0, "manifest 0 is not the event genesis", first_is_apply)
add("genesis-twice", 2, "genesis is there a second time", on_predicate=lambda p: p.update(event="genesis"))
invalid("id-twice", 2, "the id is that of event 1", identifier_twice)
add("id-not-version-7", 2, "the id is a UUID of version 4",
    on_predicate=lambda p: p.update(id=p["id"][:14] + "4" + p["id"][15:]))
add("log-seq-differs", 2, "the log's seq is not the manifest's", on_predicate=lambda p: p.update(seq=3))
add("log-chain-differs", 2, "the log's chain is not the manifest's",
    on_predicate=lambda p: p.update(chain=cid_text(OTHER.manifests[0])))
add("log-prev-differs", 2, "the log's prev is not the manifest's", on_predicate=lambda p: p.update(prev=p["chain"]))


# --- the manifest -------------------------------------------------------------------------------------------------

def replaced(old, new):
    def change(block):
        assert block.count(old) == 1, (old, block)
        return block.replace(old, new)
    return change


def reordered(block):
    log = block[1:1 + 4 + 41]
    assert log.startswith(b"\x63log") and block[46:51] == b"\x63seq\x02"
    return block[:1] + block[46:51] + log + block[51:]


def indefinite_array(block):
    start_of_files = block.index(b"\x65files\x82")
    end = block.index(b"\x66greffe")
    return block[:start_of_files + 6] + b"\x9f" + block[start_of_files + 7:end] + b"\xff" + block[end:]


def as_array(block):
    """The values of the manifest without its keys."""
    return encode_cbor(list(decode_cbor(block).values()))


def without(key):
    return lambda value: value.pop(key)


def manifest(name, says, change):
    add("manifest-" + name, 2, "the manifest " + says, on_manifest=change)


def cbor(name, says, change):
    add("cbor-" + name, 2, "the manifest " + says, on_block=change)


manifest("unknown-key", "has an unknown key", lambda m: m.update(note="x"))
for missing in ("greffe", "seq", "chain", "prev", "log", "files"):
    manifest(f"without-{missing}", f"has no {missing}", without(missing))
manifest("version-2", "is of another version of the format", lambda m: m.update(greffe=2))
manifest("chain-as-link", "gives chain as a link instead of text",
         lambda m: m.update(chain=Link(base64.b32decode(m["chain"][1:].upper() + "======"))))
manifest("prev-as-link", "gives prev as a link instead of text",
         lambda m: m.update(prev=Link(base64.b32decode(m["prev"][1:].upper() + "======"))))
manifest("prev-upper-case", "gives prev in upper case", lambda m: m.update(prev=m["prev"].upper()))
manifest("log-as-text", "gives log as text instead of a link", lambda m: m.update(log=cid_text(m["log"])))
manifest("seq-negative", "has a negative seq", lambda m: m.update(seq=-2))
manifest("seq-as-text", "has a seq that is text", lambda m: m.update(seq="2"))
manifest("sealed-as-number", "has a number for sealed", lambda m: m["files"][0].update(sealed=0))
manifest("files-null", "has null for files", lambda m: m.update(files=None))
manifest("file-unknown-key", "has a file with an unknown key", lambda m: m["files"][0].update(mode=420))
manifest("file-without-sealed", "has a file without sealed", lambda m: m["files"][0].pop("sealed"))
cbor("keys-unsorted", "has its keys unsorted", reordered)
cbor("key-twice", "has the key seq twice",
     lambda block: b"\xa7" + replaced(b"\x63seq\x02", b"\x63seq\x02\x63seq\x02")(block)[1:])
cbor("key-as-bytes", "has a key that is bytes", replaced(b"\x66greffe", b"\x46greffe"))
cbor("integer-of-2-bytes", "has an integer that is not the shortest", replaced(b"\x63seq\x02", b"\x63seq\x18\x02"))
cbor("integer-of-9-bytes", "has an integer that is not the shortest",
     replaced(b"\x63seq\x02", b"\x63seq\x1b" + bytes(7) + b"\x02"))
cbor("text-length-long", "has a text length that is not the shortest", replaced(b"\x66greffe", b"\x78\x06greffe"))
cbor("map-length-long", "has a map length that is not the shortest", lambda block: b"\xb8\x06" + block[1:])
cbor("map-indefinite", "is a map of indefinite length", lambda block: b"\xbf" + block[1:] + b"\xff")
cbor("array-indefinite", "has an array of indefinite length", indefinite_array)
cbor("text-indefinite", "has a text of indefinite length", replaced(b"\x66greffe", b"\x7f\x66greffe\xff"))
cbor("float-16", "has a float", replaced(b"\x63seq\x02", b"\x63seq\xf9\x40\x00"))
cbor("float-64", "has a float", replaced(b"\x63seq\x02", b"\x63seq\xfb\x40" + bytes(7)))
cbor("undefined", "has the value undefined", replaced(b"\x63seq\x02", b"\x63seq\xf7"))
cbor("tag-other", "has a tag other than 42", replaced(b"\x63seq\x02", b"\x63seq\xc1\x02"))
cbor("text-not-utf-8", "has text that is not UTF-8", replaced(b"0002_table_2.up.sql", b"0002_table_\xff.up.sql"))
cbor("link-without-zero", "has a link without its leading zero byte",
     replaced(b"\x63log\xd8\x2a\x58\x25\x00", b"\x63log\xd8\x2a\x58\x24"))
cbor("link-of-version-0", "has a link to a CID of version 0",
     replaced(b"\x63log\xd8\x2a\x58\x25\x00\x01\x55", b"\x63log\xd8\x2a\x58\x23\x00"))
cbor("bytes-after-the-end", "has a byte after its end", lambda block: block + b"\x00")
cbor("cut-off", "is cut off", lambda block: block[:-1])
cbor("array", "is an array", as_array)
cbor("too-deep", "is deeper than 16", replaced(b"\x63seq\x02", b"\x63seq" + b"\x81" * 20 + b"\x02"))


# --- files --------------------------------------------------------------------------------------------------------

def file_name(slug, name, says):
    add("name-" + slug, 2, f"a file name {says}", files=[File("up", name, b"SELECT 1;\n")])


def listed_backwards(m):
    m["files"].reverse()


def both_backwards(s):
    s["subject"].reverse()


def twice(s):
    s["subject"].append(s["subject"][-1])


file_name("with-dots", "../0002.sql", "has a `..` part")
file_name("with-inner-dots", "a/../0002.sql", "has a `..` part")
file_name("with-dot", "./0002.sql", "has a `.` part")
file_name("with-backslash", "a\\0002.sql", "has a backslash")
file_name("absolute", "/0002.sql", "is absolute")
file_name("with-empty-part", "a//0002.sql", "has an empty part")
file_name("ends-with-slash", "a/", "has an empty part at its end")
file_name("empty", "", "is empty")
file_name("with-line-feed", "a\n.sql", "has a control character")
file_name("with-delete", "a\x7f.sql", "has a control character")
file_name("too-long", "é" * 128, "is 256 bytes long")
add("files-unsorted", 2, "the files are not sorted by role and name", on_manifest=listed_backwards,
    on_statement=both_backwards)
add("files-sorted-by-name-only", 2, "the files are sorted by name, not by role first",
    files=[File("up", "a.sql", b"1"), File("down", "b.sql", b"2")], on_manifest=listed_backwards,
    on_statement=both_backwards)
add("file-twice", 2, "a file is there twice", on_manifest=lambda m: m["files"].append(m["files"][-1]),
    on_statement=twice)
add("file-role-unknown", 2, "a file has an unknown role",
    files=[File("sideways", "0002.sql", b"SELECT 1;\n")])
add("file-size-wrong", 2, "a file's size is not that of its bytes",
    on_manifest=lambda m: m["files"][0].update(size=m["files"][0]["size"] + 1))
add("manifest-log-codec", 2, "the log is linked with the codec dag-cbor",
    on_manifest=lambda m: m.update(log=Link(b"\x01\x71" + bytes(m["log"])[2:])))


def file_layout(name, says, make):
    def build():
        content, cid, extra = make()
        return whole(three(files=[File("up", "0002.sql", content, cid=cid, blocks=extra)]))
    invalid("file-" + name, 2, says, build)


def small_wrapped():
    return (b"SELECT 1;\n", *chunked(b"SELECT 1;\n", MIB))


def smaller_chunks():
    content = bytes(range(256)) * 1200
    return (content, *chunked(content, MIB // 4))


def sizes_wrong():
    cid, extra = chunked(b"SELECT 1;\nSELECT 2;\n", 10)
    block = extra[cid].replace(b"\x18\x14\x20\x0a\x20\x0a", b"\x18\x14\x20\x09\x20\x0b")
    assert block != extra[cid]
    changed = cid_of(DAG_PB, block)
    return b"SELECT 1;\nSELECT 2;\n", changed, {key: value for key, value in extra.items() if key != cid} | {
        changed: block}


file_layout("small-and-wrapped", "a file of less than 1 MiB is not one raw block", small_wrapped)
file_layout("smaller-chunks", "a file is in chunks of 256 KiB instead of one raw block", smaller_chunks)
file_layout("block-sizes-wrong", "a UnixFS node's block sizes are not those of its blocks", sizes_wrong)

add("sealed-without-commitment", 2, "a sealed file has no commitment",
    files=[File("up", "0.sealed", sealed_bytes("x"), True)], on_predicate=lambda p: p["commitments"].clear())
add("sealed-with-its-name", 2, "a sealed file is not named <n>.sealed",
    files=[File("up", "salaries.sql", sealed_bytes("x"), True)])
add("sealed-with-leading-zero", 2, "a sealed file is not named <n>.sealed",
    files=[File("up", "00.sealed", sealed_bytes("x"), True)])
add("sealed-plain-digest", 2, "a commitment is a plain digest",
    files=[File("up", "0.sealed", sealed_bytes("x"), True)],
    on_predicate=lambda p: p.update(commitments={"0.sealed": "sha256:" + "0" * 64}))
add("commitment-for-a-public-file", 2, "there is a commitment for a file that is not sealed",
    on_predicate=lambda p: p.update(commitments={"0002_table_2.up.sql": "hmac-sha256:" + "0" * 64}))


# --- the statement ------------------------------------------------------------------------------------------------

def subject(name, says, change):
    add("subject-" + name, 2, says, on_statement=lambda s: change(s["subject"]))


def without_files(change):
    def make():
        chain = start()
        chain.apply("0001")
        chain.event("attach", members={"about": [cid_text(chain.manifests[1])]},
                    on_statement=lambda s: change(s["subject"]))
        return whole(chain)
    return make


subject("reordered", "the subjects are not in the order of the files", lambda s: s.reverse())
subject("missing", "a file has no subject", lambda s: s.pop())
subject("too-many", "there is a subject for no file", lambda s: s.append(s[0] | {"name": "more.sql"}))
subject("name-wrong", "a subject has another name than its file", lambda s: s[0].update(name="other.sql"))
subject("digest-wrong", "a subject's digest is not that of the file", lambda s: s[0]["digest"].update(sha256="0" * 64))
subject("digest-missing", "a subject has no digest", lambda s: s[0].pop("digest"))
subject("uri-wrong", "a subject's uri is not the file's CID", lambda s: s[0].update(uri=s[1]["uri"]))
subject("uri-without-scheme", "a subject's uri has no ipfs://", lambda s: s[0].update(uri=s[0]["uri"][7:]))
subject("role-wrong", "a subject's role is not the file's", lambda s: s[0]["annotations"].update(role="up"))
invalid("subject-of-no-files-wrong", 2, "the digest of the subject `chain` is not that of the previous manifest",
        without_files(lambda s: s[0]["digest"].update(sha256="0" * 64)))
invalid("subject-of-no-files-named-otherwise", 2, "the subject of a manifest without files is not named `chain`",
        without_files(lambda s: s[0].update(name="prev")))
invalid("subject-of-no-files-missing", 2, "a manifest without files has no subject", without_files(lambda s: s.clear()))
add("statement-type-other", 2, "_type is another",
    on_statement=lambda s: s.update(_type="https://in-toto.io/Statement/v0.1"))
add("statement-predicate-type-other", 2, "predicateType is another",
    on_statement=lambda s: s.update(predicateType="urn:greffe:migration-log:2"))
add("payload-member-twice", 2, "a JSON member is twice in the payload",
    on_payload=lambda data: data.replace(b'"event":"apply"', b'"event":"plan","event":"apply"'))
add("payload-half-a-surrogate-pair", 2, "a JSON text has half of a surrogate pair",
    on_payload=lambda data: data.replace(b'"role":"operator"', b'"role":"\\ud800"'))
add("payload-not-utf-8", 2, "the payload is not UTF-8",
    on_payload=lambda data: data.replace(b'"role":"operator"', b'"role":"\xff"'))
add("payload-with-mark", 2, "the payload begins with a byte order mark",
    on_payload=lambda data: b"\xef\xbb\xbf" + data)
add("payload-not-json", 2, "the payload is no JSON", on_payload=lambda data: data[:-1])
for member in ("id", "actor", "target", "databaseClock", "startedAt", "executor", "run", "migration", "schema"):
    add(f"predicate-without-{member}", 2, f"the predicate has no {member}", on_predicate=without(member))
for member, value, says in (
        ("event", "applied", "the event is none of the format"),
        ("startedAt", "2026-01-05T08:03:00Z", "startedAt has no microseconds"),
        ("finishedAt", "2026-01-05T09:03:01.500000+01:00", "finishedAt is not in UTC with Z"),
        ("startedAt", "2026-02-30T08:03:00.000000Z", "startedAt is no date"),
        ("actor", {"pseudonym": "Jo Bloggs", "role": "operator"}, "the pseudonym is a name"),
        ("outcome", "perhaps", "the outcome is none of the format"),
        ("evidence", "hearsay", "the evidence is none of the format")):
    add(f"predicate-{member}-" + says.split()[-1].lower(), 2, says,
        on_predicate=lambda p, m=member, v=value: p.update({m: v}))
add("predicate-digest-wrong", 2, "predicate.digests is not that of the file",
    on_predicate=lambda p: p["digests"]["0002_table_2.up.sql"].update(raw="sha256:" + "0" * 64))
add("predicate-lf-digest-wrong", 2, "the digest with CRLF as LF is that of the plain bytes",
    files=[File("up", "0002.sql", b"SELECT 1;\r\n")],
    on_predicate=lambda p: p["digests"]["0002.sql"].update(lf=p["digests"]["0002.sql"]["raw"]))
add("stamp-without-direction", 2, "a stamp has no direction", event="stamp")


# --- the envelope and its signatures ------------------------------------------------------------------------------

def envelope(name, says, change):
    add("envelope-" + name, 2, says, on_envelope=change)


def unpadded(e):
    e["signatures"][0]["sig"] = e["signatures"][0]["sig"].rstrip("=")


def for_web(e):
    e["payload"] = base64.urlsafe_b64encode(base64.b64decode(e["payload"])).decode()
    assert "-" in e["payload"] or "_" in e["payload"]


def other_type(e):
    e["payloadType"] = "application/json"
    e["signatures"] = [envelope_signature(SIGNER, base64.b64decode(e["payload"]), "application/json")]


def not_encoded(e):
    e["signatures"][0]["sig"] = base64.b64encode(SIGNER.sign(base64.b64decode(e["payload"]))).decode()


def payload_swapped(e):
    e["payload"] = base64.b64encode(base64.b64decode(e["payload"]).replace(b'"operator"', b'"engineer"')).decode()


def bad_beside_good(e):
    good = envelope_signature(SIGNER, base64.b64decode(e["payload"]))
    e["signatures"] = [good, envelope_signature(SECOND_SIGNER, b"something else")]


def one_key_twice(e):
    e["signatures"] *= 2


envelope("extra-member", "the envelope has an extra member", lambda e: e.update(note="x"))
envelope("signature-extra-member", "a signature has an extra member", lambda e: e["signatures"][0].update(cert="x"))
envelope("without-keyid", "a signature has no keyid", lambda e: e["signatures"][0].pop("keyid"))
envelope("keyid-empty", "the keyid is empty", lambda e: e["signatures"][0].update(keyid=""))
envelope("keyid-upper-case", "the keyid is in upper case",
         lambda e: e["signatures"][0].update(keyid=SIGNER.keyid.upper()))
envelope("keyid-plain-digest", "the keyid is the plain digest of the public key",
         lambda e: e["signatures"][0].update(keyid=hex256(SIGNER.public)))
envelope("no-signature", "there is no signature", lambda e: e["signatures"].clear())
envelope("base64-unpadded", "base64 is without padding", unpadded)
add("envelope-base64url", 2, "base64 is the one for URLs", on_envelope=for_web,
    on_predicate=lambda p: p.update(novel="\u00ff~\u00bf>\u00ff?" * 6))
envelope("base64-with-line-feed", "base64 has a line feed in it",
         lambda e: e.update(payload=e["payload"][:76] + "\n" + e["payload"][76:]))
envelope("payload-type-other", "payloadType is another", other_type)
envelope("signed-without-encoding", "the signature is over the payload, not over PAE", not_encoded)
envelope("payload-changed", "the payload was changed after it was signed", payload_swapped)
add("envelope-member-twice", 2, "a JSON member is twice in the envelope",
    on_log=lambda data: data.replace(b'{"payload":', b'{"payload":"","payload":', 1))
add("envelope-bytes-after-the-end", 2, "there are bytes after the envelope", on_log=lambda data: data + b"{}")
add("signed-by-unknown-key", 2, "the only signature is by an unknown key", signers=(STRANGER,))
add("signed-by-root-only", 2, "the only signature is by a key of another role", signers=(ROOT,))
add("signed-by-approver-only", 2, "the only signature is by a key of another role", signers=(APPROVER,))


def thresholds(name, says, **changes):
    def make():
        chain = start(trust_document(1, TWO_SIGNERS, signer=2))
        chain.apply("0001", signers=(SIGNER, SECOND_SIGNER))
        chain.apply("0002", **changes)
        return whole(chain)
    invalid("threshold-" + name, 2, says, make)


def bad_signature():
    chain = start(trust_document(1, TWO_SIGNERS))
    chain.apply("0001")
    chain.apply("0002", on_envelope=bad_beside_good)
    return whole(chain)


thresholds("two-signed-once", "one of two signatures is there", signers=(SIGNER,))
thresholds("two-one-key-twice", "one key is counted twice toward a threshold of 2", signers=(SIGNER,),
           on_envelope=one_key_twice)
thresholds("two-with-a-stranger", "the second of two signatures is by an unknown key", signers=(SIGNER, STRANGER))
invalid("bad-signature-beside-a-good-one", 2, "a bad signature by a known key is beside a good one", bad_signature)


# --- trust --------------------------------------------------------------------------------------------------------

def trust_changed(name, seq, says, document, signers=(ROOT,), before=None, genesis=(ROOT,), after=(SIGNER,)):
    """A chain whose event 2 is a trust event with this document."""
    def make():
        chain = start(before, genesis)
        chain.apply("0001")
        chain.trust(document, signers)
        chain.apply("0002", signers=after)
        return whole(chain, lines=lambda text: note_line(SIGNER, text) + note_line(SECOND_SIGNER, text))
    invalid("trust-" + name, seq, says, make)


WITH_SECOND = DEFAULT_KEYS | {SECOND_SIGNER: ["signer"]}
genesis_changed("genesis-below-root-threshold", "genesis is signed by one of two root keys",
                document=trust_document(1, TWO_ROOTS, root=2))
genesis_changed("genesis-signed-by-signer", "genesis is signed by a key that is no root", signers=(SIGNER,))
genesis_changed("genesis-without-trust", "genesis brings no trust document",
                files=[File("notices", "trust.json", trust_document())])
genesis_changed("trust-document-no-json", "the trust document is no JSON", document=b"version: 1\n")
genesis_changed("trust-keyid-wrong", "a keyid of the trust document is not that of its public key",
                document=trust_document(change=lambda d: d["keys"].update(
                    {STRANGER.keyid: d["keys"][APPROVER.keyid]})))
genesis_changed("trust-signer-threshold-0", "the signer threshold is 0", document=trust_document(signer=0))
trust_changed("version-skipped", 2, "the trust document's version is raised by two", trust_document(3))
trust_changed("version-not-raised", 2, "the trust document's version is not raised", trust_document(1, WITH_SECOND))
trust_changed("signed-by-signer", 2, "the trust event is signed by a key that is no root", trust_document(2),
              (SIGNER,))
trust_changed("below-old-threshold", 2, "the trust event is signed by one of the two roots that the old one asks for",
              trust_document(2, TWO_ROOTS), (ROOT,), trust_document(1, TWO_ROOTS, root=2), (ROOT, SECOND_ROOT))
trust_changed("below-new-threshold", 2, "the trust event is signed by one of the two roots that the new one asks for",
              trust_document(2, TWO_ROOTS, root=2), (ROOT,))
trust_changed("signed-by-new-root-only", 2, "the trust event is signed by the new root only",
              trust_document(2, TWO_ROOTS), (SECOND_ROOT,))
trust_changed("key-revoked", 3, "event 3 is signed by a key that is revoked since 2",
              trust_document(2, TWO_SIGNERS, revoked=[(SIGNER, 2, "compromised")]))
trust_changed("key-taken-away", 3, "event 3 is signed by a key that event 2 took away",
              trust_document(2, {ROOT: ["root"], SECOND_SIGNER: ["signer"]}))


trust_changed("key-stolen-before", 1, "event 1 is signed by a key that was stolen by then, as event 2 says",
              trust_document(2, TWO_SIGNERS, revoked=[(SIGNER, 1, "compromised")]), after=(SECOND_SIGNER,),
              before=trust_document(1, TWO_SIGNERS))


def key_before_it_is_brought():
    chain = start()
    chain.apply("0001", signers=(SECOND_SIGNER,))
    chain.trust(trust_document(2, WITH_SECOND))
    return whole(chain)


invalid("trust-key-before-its-event", 1, "event 1 is signed by a key that event 2 brings", key_before_it_is_brought)


# --- the story ----------------------------------------------------------------------------------------------------

def story(name, seq, says, *steps, **changes):
    """Genesis and these (version, event); the changes are made to the last."""
    def make():
        chain = start()
        for number, (version, event) in enumerate(steps, 1):
            chain.apply(version, event, **(changes if number == len(steps) else {}))
        return whole(chain)
    invalid("story-" + name, seq, says, make)


story("applied-twice", 2, "version 0001 is applied when it is applied", ("0001", "apply"), ("0001", "apply"))
story("applied-after-baseline", 2, "version 0001 is applied when a baseline says it is", ("0001", "baseline"),
      ("0001", "apply"))
story("rolled-back-not-applied", 2, "version 0002 is rolled back when it is not applied", ("0001", "apply"),
      ("0002", "rollback"))
story("rolled-back-twice", 3, "version 0001 is rolled back when it is not applied any more", ("0001", "apply"),
      ("0001", "rollback"), ("0001", "rollback"))
story("rolled-back-after-fail", 2, "version 0001 is rolled back when it has only failed", ("0001", "fail"),
      ("0001", "rollback"))
add("story-schema-changed-between", 2, "schema.before is not the last schema.after",
    on_predicate=lambda p: p["schema"].update(before="sha256:" + "0" * 64))
add("story-finished-before-started", 2, "finishedAt is before startedAt",
    times=lambda clock: (clock, clock - seconds(0.000001)))
add("story-time-six-seconds-backwards", 2, "the event starts and ends six seconds before the one before it starts",
    times=lambda clock: (clock - seconds(66.5), clock - seconds(66)))
add("story-time-backwards", 2, "the event is a minute before the one before it",
    times=lambda clock: (clock - seconds(121.5), clock - seconds(120)))


def rolled_back_after_stamp():
    chain = start()
    chain.apply("0001")
    chain.apply("0001", "stamp", files=[], members={"direction": "down"})
    chain.apply("0001", "rollback", files=[])
    return whole(chain)


invalid("story-rolled-back-after-stamp-down", 3, "version 0001 is rolled back when a stamp says that it is not applied",
        rolled_back_after_stamp)


# --- the head -----------------------------------------------------------------------------------------------------

def head(name, says, build):
    """An archive of three scripts and a head that is wrong; `build` gives what `Chain.head` takes."""
    def make():
        chain = three()
        return whole(chain, **build(chain))
    invalid("head-" + name, None, says, make)


def node(chain, links):
    return chain.put(DAG_CBOR, encode_cbor([Link(cid) for cid in links]))


def wrong_file(path, change):
    """Changes one file of the tlog directory; None takes it away."""
    def on_files(files):
        content = change(files.get(path))
        if content is None:
            del files[path]
        else:
            files[path] = content
    return lambda chain: {"on_files": on_files}


def flipped(content):
    return content[:-1] + bytes([content[-1] ^ 1])


def two_short_nodes(chain):
    return node(chain, [node(chain, chain.manifests[:2]), node(chain, chain.manifests[2:])])


def lines(*made):
    return lambda chain: {"lines": lambda text: "".join(line(text) for line in made)}


def good_line(text):
    return note_line(SIGNER, text)


TILE, ENTRIES = "tile/0/000.p/4", "tile/entries/000.p/4"
head("manifest-not-the-last", "the head's manifest is not the last of its entries",
     lambda chain: {"manifest": chain.manifests[2]})
head("unknown-key", "the head has an unknown key", lambda chain: {"on_head": lambda h: h.update(note="x")})
head("without-timestamps", "the head has no timestamps", lambda chain: {"on_head": without("timestamps")})
head("timestamps-text", "the head's timestamps are text",
     lambda chain: {"on_head": lambda h: h.update(timestamps=["x"])})
head("version-2", "the head is of another version of the format",
     lambda chain: {"on_head": lambda h: h.update(greffe=2)})
head("manifest-as-text", "the head gives its manifest as text",
     lambda chain: {"on_head": lambda h: h.update(manifest=cid_text(h["manifest"]))})
head("entries-reordered", "the entries are not in the order of the manifests",
     lambda chain: {"entries": node(chain, [chain.manifests[n] for n in (0, 2, 1, 3)])})
head("entries-missing-one", "the entries leave the newest manifest out",
     lambda chain: {"entries": node(chain, chain.manifests[:3])})
head("entries-missing-a-middle-one", "the entries leave manifest 1 out",
     lambda chain: {"entries": node(chain, [chain.manifests[n] for n in (0, 2, 3)])})
head("entries-twice", "the entries list a manifest twice",
     lambda chain: {"entries": node(chain, chain.manifests + chain.manifests[-1:])})
head("entries-empty", "the entries are an empty array", lambda chain: {"entries": node(chain, [])})
head("entries-a-map", "the entries are a map", lambda chain: {
    "entries": chain.put(DAG_CBOR, encode_cbor({"links": [Link(cid) for cid in chain.manifests]}))})
head("entries-one-level-more", "the entries have a level more than they need",
     lambda chain: {"entries": node(chain, [node(chain, chain.manifests)])})
head("entries-short-node-first", "a node of the entries that is not the last is short",
     lambda chain: {"entries": two_short_nodes(chain)})
head("entries-array-length-long", "the array of the entries has a length that is not the shortest",
     lambda chain: {"entries": chain.put(DAG_CBOR, b"\x98\x04" + encode_cbor(
         [Link(cid) for cid in chain.manifests])[1:])})
head("tile-path-short", "the number in a tile's path has fewer than three digits", lambda chain: {
    "on_files": lambda files: files.update({"tile/0/0.p/4": files.pop(TILE)})})
head("tile-path-without-width", "a partial tile is where the full one would be", lambda chain: {
    "on_files": lambda files: files.update({"tile/0/000": files.pop(TILE)})})
head("tile-hash-wrong", "a hash of a tile is wrong", wrong_file(TILE, flipped))
head("tile-too-long", "a tile has a hash too many", wrong_file(TILE, lambda content: content + bytes(32)))
head("tile-missing", "a tile is not there", wrong_file(TILE, lambda content: None))
head("tile-extra", "there is a tile that the size does not need", wrong_file("tile/0/000.p/3", lambda _: bytes(96)))
head("tile-of-level-1-extra", "there is a tile that the size does not need",
     wrong_file("tile/1/000.p/1", lambda _: bytes(32)))
head("file-extra", "there is another file beside the checkpoint", wrong_file("README", lambda _: b"hello\n"))
head("entries-tile-wrong", "an entry in a tile is wrong", wrong_file(ENTRIES, flipped))
head("entries-tile-without-lengths", "the entries of a tile have no length before them",
     lambda chain: {"on_files": lambda files: files.update({ENTRIES: b"".join(chain.manifests)})})
head("entries-tile-missing", "a tile of entries is not there", wrong_file(ENTRIES, lambda content: None))
head("checkpoint-missing", "there is no checkpoint", wrong_file("checkpoint", lambda content: None))
head("tlog-unsorted", "the links of the tlog directory are not sorted", lambda chain: {"reverse": True})
head("checkpoint-size-wrong", "the checkpoint's size is not that of the log",
     lambda chain: {"text": chain.checkpoint_text(size=5)})
head("checkpoint-size-padded", "the checkpoint's size has a leading zero",
     lambda chain: {"text": chain.checkpoint_text(size="04")})
head("checkpoint-of-an-older-size", "the checkpoint is that of the log one event ago", lambda chain: {
    "text": chain.checkpoint_text(3, root=tree_root([leaf_hash(cid) for cid in chain.manifests[:3]]))})
head("checkpoint-root-wrong", "the checkpoint's root is not that of the manifests",
     lambda chain: {"text": chain.checkpoint_text(root=bytes(32))})
head("checkpoint-origin-wrong", "the checkpoint's origin is another chain",
     lambda chain: {"text": chain.checkpoint_text(origin="greffe/" + cid_text(OTHER.manifests[0]))})
head("checkpoint-by-a-stranger", "the checkpoint is signed by an unknown key",
     lines(lambda text: note_line(STRANGER, text)))
head("checkpoint-by-a-root", "the checkpoint is signed by a key that is no signer",
     lines(lambda text: note_line(ROOT, text)))
head("checkpoint-without-signature", "the checkpoint has no signature", lines())
head("checkpoint-signature-bad", "the checkpoint's signature is over another text",
     lines(lambda text: note_line(SIGNER, text, signed="x\n")))
head("checkpoint-bad-signature-beside-good", "a bad signature by a known key is beside a good one",
     lines(good_line, lambda text: note_line(SIGNER, text, signed="x\n")))
head("checkpoint-key-name-other", "the key name of the checkpoint's signature is not the origin",
     lines(lambda text: note_line(SIGNER, text, name="greffe/other")))
head("checkpoint-key-type-other", "the key id of the checkpoint's signature is of another type",
     lines(lambda text: note_line(SIGNER, text, kind=4)))
head("checkpoint-carriage-returns", "the checkpoint has carriage returns",
     wrong_file("checkpoint", lambda content: content.replace(b"\n", b"\r\n")))


def checkpoint_by_revoked():
    chain = start(trust_document(1, TWO_SIGNERS))
    chain.trust(trust_document(2, TWO_SIGNERS, revoked=[(SIGNER, 1, "compromised")]))
    chain.apply("0001", signers=(SECOND_SIGNER,))
    return whole(chain)


def node_of_257():
    chain = attached(257)
    return whole(chain, entries=node(chain, chain.manifests))


def head_of_another_chain():
    chain, other = start(), Chain("another")
    chain.head()
    other.genesis()
    other.head()
    chain.blocks |= other.blocks
    return chain.car(chain.manifests[0])


invalid("head-checkpoint-by-a-revoked-key", None, "the checkpoint is signed by a key that is revoked",
        checkpoint_by_revoked)
invalid("head-entries-too-long", None, "a node of the entries has 257 links", node_of_257)
invalid("head-of-another-chain", None, "the newest head is not of the chain that the file's root begins",
        head_of_another_chain)


# --- blocks -------------------------------------------------------------------------------------------------------

def blocks(name, seq, says, pick, lie=False):
    """An archive of three scripts in which one block is not there, or lies about its CID."""
    def make():
        chain = three()
        root = chain.head()
        cid = pick(chain, root)
        lies = {cid: flipped(chain.blocks[cid])}
        return chain.car(root, without=() if lie else (cid,), lies=lies if lie else None)
    invalid("block-" + name, seq, says, make)


def containing(text):
    return lambda chain, root: next(cid for cid, block in chain.blocks.items() if text in block)


def log_of(seq):
    return lambda chain, root: next(cid for cid in chain.blocks if cid[1] == RAW and cid in chain.blocks[
        chain.manifests[seq]] and chain.blocks[cid].startswith(b'{"payload"'))


def cut_off():
    return whole(three())[:-7]


blocks("manifest-missing", 2, "manifest 2 is not there", lambda chain, root: chain.manifests[2])
blocks("manifest-0-missing", 0, "manifest 0 is not there", lambda chain, root: chain.manifests[0])
blocks("log-missing", 2, "the log of event 2 is not there", log_of(2))
blocks("file-missing", 2, "a file of event 2 is not there", containing(b"CREATE TABLE t2"))
blocks("trust-missing", 0, "the first trust document is not there", containing(b'"thresholds"'))
blocks("entries-missing", None, "the entries are not there",
       lambda chain, root: entries_tree(chain.manifests)[0])
blocks("checkpoint-missing", None, "the checkpoint is not there", containing("\u2014 greffe/".encode()))
blocks("head-missing", None, "the head is not there", lambda chain, root: root)
blocks("manifest-lies", 2, "the bytes of manifest 2 do not hash to its CID",
       lambda chain, root: chain.manifests[2], True)
blocks("log-lies", 2, "the bytes of log 2 do not hash to its CID", log_of(2), True)
blocks("file-lies", 2, "the bytes of a file of event 2 do not hash to its CID", containing(b"CREATE TABLE t2"), True)
blocks("head-lies", None, "the bytes of the head do not hash to its CID", lambda chain, root: root, True)
invalid("car-cut-off", None, "the file ends inside a block", cut_off)
