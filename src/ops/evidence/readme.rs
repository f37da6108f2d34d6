//! What is written beside evidence for people who have no greffe: what is what, and which of their programs check it.
//!
//! Lines that are indented by four spaces are commands of a shell, with openssl and python3 alone; a test runs them.

use std::fmt::Write as _;

use data_encoding::HEXLOWER;

use super::directory::{AUTHORITIES, CAR, ENTRY_PROOF, KEY, SIGSTORE, timestamp};
use super::{Made, Tree};
use crate::chain::NotEstablished;
use crate::codec::note::{Note, NoteVerdict, encode_verifier_key};
use crate::codec::timestamp::decode_token;
use crate::crypto::{Digest, PublicKey};

/// The text for the evidence that was made; `open`: what it does not establish, as its judging says.
pub fn text(made: &Made, tree: &Tree, key: &PublicKey, open: &[NotEstablished]) -> String {
    let Made { chain, manifest, seq, event, head, keyid, signatures, .. } = made;
    let size = tree.size();
    let of = made.version.as_ref().map(|version| format!(" of version {version:?}")).unwrap_or_default();
    let mut text = format!(
        "Evidence of entry {seq}, `{event}`{of}, in a chain of database migrations\n\n\
         chain     {chain}\nentry     {manifest}\nhead      {head}, {size} entries\nkey       {keyid}\n\n\
         With greffe, offline; CHAIN is the CID of the chain as somebody told you whom you trust, not as it stands here:\n\n\
        \x20 greffe verify-evidence . --require CHAIN\n\n\
         What is what\n\n\
        \x20 {SIGSTORE}   the signed statement of the entry (in-toto, DSSE) as a sigstore bundle v0.3\n\
        \x20 {KEY}      the Ed25519 key of its signature\n\
        \x20 {ENTRY_PROOF}    that the entry is in the signed tree of the chain (C2SP tlog-proof)\n\
        \x20 trust-N.tlog-proof  the same of each entry that brings a trust document, which says who may sign\n\
        \x20 {CAR}        their blocks: manifests, logs, files, trust documents, the head and its checkpoint\n"
    );
    if made.timestamps > 0 {
        writeln!(
            text,
            "  timestamp-N.tst     when authorities saw the checkpoint (RFC 3161), over its signature"
        )
        .ok();
        writeln!(text, "  {AUTHORITIES}     their certificates, as the newest trust document has them").ok();
    }
    text.push('\n');
    if *signatures > 1 {
        writeln!(text, "The entry has {signatures} signatures; a bundle holds one, {CAR} holds all.\n").ok();
    }
    push_signature(&mut text);
    push_inclusion(&mut text, made, tree, key);
    push_others(&mut text, made, tree);
    let unless = |what: NotEstablished, text: &'static str| if open.contains(&what) { text } else { "" };
    let time = unless(NotEstablished::Time, ",\nand when it happened beyond the word of who signed");
    let tree = unless(NotEstablished::OneTree, ", whether others are shown another tree");
    writeln!(
        text,
        "What this does not tell: whether later entries undo or revoke something, or tell that a key was stolen{tree}{time}.\n\
         `greffe verify` on the whole chain tells the first."
    )
    .ok();
    text
}

/// The statement's signature, as openssl and sigstore's own programs check it.
fn push_signature(text: &mut String) {
    let command = format!(
        r#"
Is the statement signed by the key? openssl, over what DSSE signs (its PAE):

    python3 - <<'END'
    import base64, json
    envelope = json.load(open("{SIGSTORE}"))["dsseEnvelope"]
    kind, payload = envelope["payloadType"].encode(), base64.b64decode(envelope["payload"])
    open("pae.bin", "wb").write(b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload))
    open("sig.bin", "wb").write(base64.b64decode(envelope["signatures"][0]["sig"]))
    END
    openssl pkeyutl -verify -pubin -inkey {KEY} -rawin -in pae.bin -sigfile sig.bin

Or the npm package @sigstore/verify, with this key for the bundle's hint and no transparency log of sigstore's
(tlogThreshold, ctlogThreshold and timestampThreshold 0):

  const {{ Verifier, toSignedEntity, toTrustMaterial }} = require("@sigstore/verify")
  const {{ bundleFromJSON }} = require("@sigstore/bundle")
  const {{ TrustedRoot }} = require("@sigstore/protobuf-specs")
  const publicKey = require("crypto").createPublicKey(require("fs").readFileSync("{KEY}"))
  const trust = toTrustMaterial(TrustedRoot.fromJSON({{}}), () => ({{ publicKey, validFor: () => true }}))
  const bundle = bundleFromJSON(JSON.parse(require("fs").readFileSync("{SIGSTORE}")))
  const verifier = new Verifier(trust, {{ tlogThreshold: 0, ctlogThreshold: 0, timestampThreshold: 0 }})
  verifier.verify(toSignedEntity(bundle))

"#
    );
    text.push_str(command.trim_start());
}

/// The checkpoint's signature and the inclusion, as openssl, python and Go's own packages check them.
fn push_inclusion(text: &mut String, made: &Made, tree: &Tree, key: &PublicKey) {
    let signed = Note::decode(tree.checkpoint()).is_ok_and(|note| {
        note.verify(tree.origin(), key) == NoteVerdict::Valid
            && note.signatures.first().is_some_and(|line| line.name == tree.origin())
    });
    let verifier = encode_verifier_key(tree.origin(), key);
    let leaf = HEXLOWER.encode(&made.manifest.to_bytes());
    if signed {
        writeln!(
            text,
            r#"Is the checkpoint signed by the key? openssl, over the note's text:

    python3 - <<'END'
    import base64
    note = open("{ENTRY_PROOF}", encoding="utf-8").read().split("\n\n", 1)[1]
    body, lines = note.rsplit("\n\n", 1)
    open("note.bin", "wb").write((body + "\n").encode())
    open("notesig.bin", "wb").write(base64.b64decode(lines.splitlines()[0].split(" ")[2])[4:])
    END
    openssl pkeyutl -verify -pubin -inkey {KEY} -rawin -in note.bin -sigfile notesig.bin
"#
        )
        .ok();
    } else {
        text.push_str(
            "The checkpoint is signed by another key of the trust document than the statement.\n\n",
        );
    }
    writeln!(
        text,
        r#"Is the entry in the tree of the checkpoint? python3 (RFC 9162 section 2.1.3.2); the leaf is the entry's CID:

    python3 - <<'END'
    import base64, hashlib
    node = lambda left, right: hashlib.sha256(b"\1" + left + right).digest()
    proof, note = open("{ENTRY_PROOF}", encoding="utf-8").read().split("\n\n", 1)
    lines = [line for line in proof.splitlines()[1:] if not line.startswith("extra ")]
    first, last = int(lines[0].split(" ")[1]), int(note.splitlines()[1]) - 1
    found = hashlib.sha256(b"\0" + bytes.fromhex("{leaf}")).digest()
    assert 0 <= first <= last
    for line in lines[1:]:
        assert last > 0
        if first & 1 or first == last:
            found = node(base64.b64decode(line), found)
            while first and not first & 1:
                first, last = first >> 1, last >> 1
        else:
            found = node(found, base64.b64decode(line))
        first, last = first >> 1, last >> 1
    assert last == 0 and found == base64.b64decode(note.splitlines()[2])
    print("included")
    END
"#
    )
    .ok();
    if signed {
        writeln!(
            text,
            "Or Go's packages golang.org/x/mod/sumdb/note and tlog: open the note with this verifier key, then\n\
             tlog.CheckRecord with tlog.RecordHash of the leaf above.\n\n\
            \x20 {verifier}\n"
        )
        .ok();
    }
    writeln!(
        text,
        "Are these the entry's blocks? Any program of IPFS: `ipfs dag import {CAR}`, then `ipfs dag get {}`.\n",
        made.manifest
    )
    .ok();
}

/// What witnesses and timestamp authorities say of the checkpoint.
fn push_others(text: &mut String, made: &Made, tree: &Tree) {
    if made.cosignatures > 0 {
        writeln!(
            text,
            "The checkpoint has {} line(s) of others (C2SP tlog-cosignature). A witness says by its line that it saw no other tree\n\
             of this size; which keys are of witnesses says a policy that you trust, such as the trust document's:\n\n\
            \x20 greffe verify-evidence . --require CHAIN --policy FILE\n",
            made.cosignatures
        )
        .ok();
    }
    let Ok(note) = Note::decode(tree.checkpoint()) else { return };
    let mut is_first = true;
    for (place, token) in tree.timestamps().iter().enumerate() {
        let Ok(read) = decode_token(token) else { continue };
        let over = note.signatures.iter().position(|line| Digest::of(&line.signature) == read.imprint);
        let Some(line) = over else { continue };
        if std::mem::take(&mut is_first) {
            text.push_str("When did authorities see the checkpoint? openssl, over its signature:\n");
        }
        let file = timestamp(place);
        writeln!(
            text,
            r#"
    python3 - <<'END'
    import base64
    note = open("{ENTRY_PROOF}", encoding="utf-8").read().split("\n\n", 1)[1]
    line = note.rsplit("\n\n", 1)[1].splitlines()[{line}]
    open("stamped.bin", "wb").write(base64.b64decode(line.split(" ")[2])[4:])
    END
    openssl ts -verify -data stamped.bin -token_in -in {file} -CAfile {AUTHORITIES}
    openssl ts -reply -token_in -in {file} -token_out -text"#
        )
        .ok();
    }
    if !is_first {
        text.push('\n');
    }
}
