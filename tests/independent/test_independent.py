"""Runs write.py and verify.py against each other: every valid archive passes, and every defect is named at its seq.

Plain script: `python test_independent.py`, with what requirements.txt names installed. The last line is
`N passed, M failed`; exits non-zero on any failure.
"""
import hashlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from blocks import DAG_PB, Malformed, cid_of, cid_text, leaf_hash, merkle_root, tile_path, unixfs_blocks
from chain import LARGE, Key, encode_directory, pae, tree_root
from verify import Archive

HERE = Path(__file__).resolve().parent
RFC6962_LEAVES = [bytes.fromhex(leaf) for leaf in (
    "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")]
RFC6962_ROOTS = {1: "6e340b9cffb37a98", 2: "fac54203e7cc696c", 3: "aeb6bcfe274b70a1", 4: "d37ee418976dd957",
                 5: "4e3bbb1f7b478dcf", 6: "76e67dadbcdf1e10", 7: "ddb89be403809e32", 8: "5dc9da79a70659a9"}


def known_answers():
    """Values from the specifications that both programs stand on, as (name, holds)."""
    for size, root in RFC6962_ROOTS.items():
        hashes = [leaf_hash(leaf) for leaf in RFC6962_LEAVES[:size]]
        yield f"RFC 6962 root of {size}", merkle_root(hashes).hex().startswith(root) and tree_root(
            hashes) == merkle_root(hashes)
    yield "tile path", tile_path(0, 1234067, 256) == "tile/0/x001/x234/067"
    yield "partial tile path", tile_path(1, 1, 17) == "tile/1/001.p/17"
    yield "empty UnixFS directory", cid_text(cid_of(DAG_PB, encode_directory([]))) == (
        "bafybeiczsscdsbs7ffqz55asqdf3smv6klcw3gofszvwlyarci47bgf354")
    yield "chunked file", cid_text(unixfs_blocks(LARGE)[0]) == (
        "bafybeicxkvwcal3ra7exux7wxg7pusmd3odi5pka74aujubgkdggfd2pqa")
    yield "keyid", Key(1).keyid == "7ab6b86cb2c9684b0ddc10896153aa2595decf4d4327a5ff1a8ab7422c828b12"
    yield "PAE", pae("http://example.com/HelloWorld", b"hello world") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world")


def verify(path):
    done = subprocess.run([sys.executable, HERE / "verify.py", path], capture_output=True, text=True)
    return done.returncode, json.loads(done.stdout) if done.returncode in (0, 1) else None, done.stderr


def accepted(data):
    try:
        return Archive(data).verify()["verified"]
    except (Malformed, ValueError):
        return False


def digest_of_all(folder):
    files = sorted(path for path in Path(folder).rglob("*") if path.is_file())
    return [(path.relative_to(folder), hashlib.sha256(path.read_bytes()).digest()) for path in files]


def main():
    passed, failures = 0, []

    def count(holds, text):
        nonlocal passed
        passed += bool(holds)
        if not holds:
            failures.append(text)
            print("FAILED " + text)

    for name, holds in known_answers():
        count(holds, name)
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
        for folder in (one, two):
            subprocess.run([sys.executable, HERE / "write.py", folder], check=True)
        count(digest_of_all(one) == digest_of_all(two), "write.py does not make the same bytes twice")
        listing = json.loads(Path(one, "manifest.json").read_text())
        for case in listing["valid"]:
            code, result, trouble = verify(Path(one, case["file"]))
            count(code == 0 and result["verified"], f"{case['file']}: {result and result['findings']} {trouble}")
        for case in listing["invalid"]:
            code, result, trouble = verify(Path(one, case["file"]))
            found = result["findings"] if result else []
            places = {finding["seq"] for finding in found}
            count(code == 1 and found and (case["seq"] is None or case["seq"] in places),
                  f"{case['file']}: {case['says']} (seq {case['seq']}): {found} {trouble}")
        whole = Path(one, "valid", "one-apply.car").read_bytes()
        unseen = [at for at in range(0, len(whole), 3)
                  if accepted(whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1:])]
        count(not unseen, f"a flipped bit is not found at {unseen}")
        count(not any(accepted(whole[:length]) for length in range(0, len(whole), 11)), "a cut file is not found")
        Path(one, "no.car").write_bytes(b"this is no archive")
        count(verify(Path(one, "no.car"))[0] == 2, "a file that is no CARv1 exits with 2")
        count(verify(Path(one, "absent.car"))[0] == 2, "a file that is not there exits with 2")
    print(f"{passed} passed, {len(failures)} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
