"""A log that was not written here, before a witness: `feed.py URL VKEY`.

Its tree, its checkpoints, its client and what it makes of the answers are aics-tlog's and aics-witness'; tlog-scales
looks at the cosignatures once more. Without URL and VKEY it prints the log's verifier key.
"""

import hashlib
import sys
import urllib.request

from aics_tlog.checkpoint import Checkpoint, sign_checkpoint
from aics_tlog.note import format_vkey, vkey_from_ed25519
from aics_witness.feeder import WitnessClient, WitnessRejected, merge_cosignatures
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tlog_scales.signing import Vkey
from tlog_scales.tlog import Checkpoint as OtherCheckpoint

ORIGIN = "example.com/migrations/orders"
KEY = Ed25519PrivateKey.from_private_bytes(b"\x01" * 32)


def node(left, right):
    return hashlib.sha256(b"\x01" + left + right).digest()


def split(count):
    return 1 << (count - 1).bit_length() - 1


def root(leaves):
    """RFC 6962 section 2.1."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    half = split(len(leaves))
    return node(root(leaves[:half]), root(leaves[half:]))


def proof(leaves, old, whole=True):
    """RFC 6962 section 2.1.2."""
    if old == len(leaves):
        return [] if whole else [root(leaves)]
    half = split(len(leaves))
    if old <= half:
        return proof(leaves[:half], old, whole) + [root(leaves[half:])]
    return proof(leaves[half:], old - half, False) + [root(leaves[:half])]


def signed(leaves):
    checkpoint = Checkpoint(ORIGIN, len(leaves), root(leaves))
    return sign_checkpoint(checkpoint, KEY, ORIGIN).serialise()


def main():
    if len(sys.argv) == 1:
        print(format_vkey(vkey_from_ed25519(ORIGIN, KEY.public_key())))
        return
    url, vkey = sys.argv[1:]
    grown = [f"migration-{number}\n".encode() for number in range(300)]
    client = WitnessClient(url, vkey)
    for size in [1, 2, 3, 7, 7, 8, 255, 256, 257, 300]:
        leaves = grown[:size]
        note = signed(leaves)
        line = client.submit(note, lambda old, new: proof(leaves, old) if old else [])
        merged = merge_cosignatures(note, line)
        OtherCheckpoint.from_text(merged.decode()).verify(Vkey.from_string(vkey))
        print(f"cosigned {size}")
    # One who has forgotten all asks again.
    WitnessClient(url, vkey).submit(signed(grown), lambda old, new: proof(grown, old))
    # Another history of the same log, by the same key.
    for fork in [[b"other"] + grown[1:], [b"other"] + grown[1:] + [b"more"]]:
        try:
            client.submit(signed(fork), lambda old, new: proof(fork, old))
            sys.exit("a fork was cosigned")
        except WitnessRejected as refused:
            print(f"refused {refused.status}")
    path = hashlib.sha256(ORIGIN.encode()).hexdigest()
    with urllib.request.urlopen(f"{url}/{path}/checkpoint") as answer:
        latest = OtherCheckpoint.from_text(answer.read().decode())
    latest.verify(Vkey.from_string(vkey))
    print(f"latest {latest.size}")


main()
