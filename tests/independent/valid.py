"""Valid archives, one function each: what a verifier has to accept."""
import base64
import json
from datetime import timedelta

from blocks import RAW, cid_of, cid_text
from chain import (DEFAULT_KEYS, LARGE, ROOT, SECOND_ROOT, SECOND_SIGNER, SIGNER, STRANGER, Chain, File, hex256,
                   note_line, sealed_bytes, trust_document)

VALID = []
TWO_SIGNERS = {ROOT: ["root"], SIGNER: ["signer"], SECOND_SIGNER: ["signer"]}
TWO_ROOTS = {ROOT: ["root"], SECOND_ROOT: ["root"], SIGNER: ["signer"]}


def valid(function):
    VALID.append((function.__name__.replace("_", "-"), function))
    return function


def seconds(count):
    return timedelta(seconds=count)


def start(document=None, signers=(ROOT,), **changes):
    chain = Chain()
    chain.genesis(document, signers, **changes)
    return chain


def three(**changes):
    """Genesis and three scripts applied; the changes are made to seq 2."""
    chain = start()
    chain.apply("0001")
    chain.apply("0002", **changes)
    chain.apply("0003")
    return chain


def attached(count):
    """A chain of so many events, all but the first without files."""
    chain = start()
    for _ in range(count - 1):
        chain.event("attach", members={"about": [cid_text(chain.manifests[0])]})
    return chain


def whole(chain, **head):
    return chain.car(chain.head(**head))


@valid
def genesis_only():
    return whole(start())


@valid
def one_apply():
    chain = start()
    chain.apply("0001")
    return whole(chain)


@valid
def applies_rollback_and_fail():
    chain = three()
    chain.apply("0003", "rollback")
    chain.apply("0003", "fail")
    chain.apply("0003")
    return whole(chain)


@valid
def every_event():
    chain = start()
    chain.apply("0001", "baseline", members={"evidence": "bare"}, files=[])
    about = [cid_text(chain.manifests[1])]
    chain.event("plan", [File("evidence", "plan.json", b"{}")])
    chain.apply("0002")
    chain.apply("0003", "stamp", files=[], members={"direction": "up"})
    chain.apply("0003", "rollback", files=[])
    chain.event("repair", members={"about": about, "direction": "down"})
    chain.event("attach", [File("approval", "ticket.txt", b"CHANGE-7\n")], members={"about": about})
    chain.event("drift", [File("evidence", "difference.txt", b"nothing\n")])
    chain.event("erase", members={"about": about, "erased": [cid_text(cid_of(RAW, b"gone"))], "basis": "art17"})
    return whole(chain)


@valid
def events_256():
    return whole(attached(256))


@valid
def events_300():
    return whole(attached(300))


@valid
def trust_adds_a_key():
    chain = start()
    chain.apply("0001")
    chain.trust(trust_document(2, DEFAULT_KEYS | {SECOND_SIGNER: ["signer"]}))
    chain.apply("0002", signers=(SECOND_SIGNER,))
    return whole(chain, lines=lambda text: note_line(SECOND_SIGNER, text))


@valid
def trust_revokes_a_key():
    chain = start(trust_document(1, TWO_SIGNERS))
    chain.apply("0001")
    chain.trust(trust_document(2, TWO_SIGNERS, revoked=[(SIGNER, 2, "retired")]))
    chain.apply("0002", signers=(SECOND_SIGNER,))
    return whole(chain, lines=lambda text: note_line(SECOND_SIGNER, text))


@valid
def trust_retires_a_key_from_the_start():
    chain = start(trust_document(1, TWO_SIGNERS))
    chain.apply("0001")
    chain.trust(trust_document(2, TWO_SIGNERS, revoked=[(SIGNER, 0, "retired")]))
    return whole(chain, lines=lambda text: note_line(SECOND_SIGNER, text))


@valid
def trust_revokes_a_stolen_key_that_was_not_needed():
    chain = start(trust_document(1, TWO_SIGNERS))
    chain.apply("0001", signers=(SIGNER, SECOND_SIGNER))
    chain.trust(trust_document(2, TWO_SIGNERS, revoked=[(SIGNER, 1, "compromised")]))
    return whole(chain, lines=lambda text: note_line(SECOND_SIGNER, text))


@valid
def trust_changes_the_root():
    chain = start()
    chain.trust(trust_document(2, {SECOND_ROOT: ["root"], SIGNER: ["signer"]}), (ROOT, SECOND_ROOT))
    chain.trust(trust_document(3, TWO_SIGNERS | {SECOND_ROOT: ["root"]}), (SECOND_ROOT,))
    chain.apply("0001")
    return whole(chain)


@valid
def threshold_two():
    chain = start(trust_document(1, TWO_SIGNERS, signer=2))
    chain.apply("0001", signers=(SIGNER, SECOND_SIGNER))
    chain.apply("0002", signers=(SECOND_SIGNER, SIGNER))
    return whole(chain)


@valid
def unknown_signature_beside_a_good_one():
    return whole(three(signers=(STRANGER, SIGNER)), lines=lambda text: note_line(STRANGER, text)
                 + note_line(SIGNER, text))


@valid
def chunked_script():
    chain = start()
    chain.apply("0001", files=[File("up", "0001_large.up.sql", LARGE)])
    return whole(chain)


@valid
def unicode_names():
    names = ["écoles/élève 1.sql", "表/作成.sql", "\U0001f5c3.sql", "é.sql", "~.sql", "a" * 251 + ".sql", "...", "b:c"]
    chain = start()
    chain.apply("0001", files=[File("up", name, name.encode()) for name in names])
    return whole(chain)


@valid
def unknown_members():
    return whole(three(on_predicate=lambda p: p.update({"novel": {"a": [1, None, 0.5]}, "ünknown": "kept"}),
                       on_statement=lambda s: s.update({"extension": True})))


@valid
def sealed_file():
    chain = start()
    chain.apply("0001", files=[File("down", "1.sealed", sealed_bytes("one"), True),
                               File("up", "0.sealed", sealed_bytes("zero"), True),
                               File("notices", "plain.txt", b"done\n")])
    return whole(chain)


@valid
def script_with_mark_and_carriage_returns():
    chain = start()
    chain.apply("0001", files=[File("up", "0001.sql", b"\xef\xbb\xbfSELECT 1;\r\nSELECT 2;\r\n"),
                               File("output", "empty.txt", b"")])
    return whole(chain)


@valid
def json_with_white_space():
    def spaced(data):
        return json.dumps(json.loads(data), indent=2).encode() + b"\n"
    return whole(three(on_payload=spaced, on_log=spaced))


@valid
def clock_back_by_four_seconds():
    return whole(three(times=lambda clock: (clock - seconds(62.5), clock - seconds(61))))


@valid
def one_key_for_every_role():
    chain = start(trust_document(1, {SIGNER: ["root", "signer", "approver"]}), (SIGNER,))
    chain.apply("0001")
    return whole(chain)


@valid
def checkpoint_with_other_lines():
    """A witness's cosignature and a line of type 0x06, both by keys that nobody told the verifier of."""
    def made(text):
        moment = 1767600000
        signature = STRANGER.sign(f"cosignature/v1\ntime {moment}\n{text}".encode())
        name = "witness.example/w1"
        keyid = bytes.fromhex(hex256(name.encode() + b"\n\x04" + STRANGER.public))[:4]
        cosignature = base64.b64encode(keyid + moment.to_bytes(8, "big") + signature).decode()
        longer = base64.b64encode(sealed_bytes("ML-DSA-44", 2500)[:4 + 8 + 2420]).decode()
        return note_line(SIGNER, text) + f"\u2014 {name} {cosignature}\n\u2014 witness.example/w2 {longer}\n"
    return whole(three(), lines=made)


@valid
def growing():
    chain = start()
    chain.head()
    chain.apply("0001")
    chain.head()
    return chain.car(chain.manifests[0])
