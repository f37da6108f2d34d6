//! The format as data: one file per case under `tests/vectors`, valid and invalid, all of them run.
//!
//! A file is `{"what", "source", "input", "expect" or "error"}`. Text in `input` that begins with `hex:` is bytes.
//! `expect` is what the input reads as, as JSON; `error` is a part of what the refusal says. Folders are kinds; the
//! README beside them says what each holds.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use greffe::chain::{EntriesTree, MerkleTree, Snapshot, node_hash};
use greffe::codec::car::{decode_frame, decode_header};
use greffe::codec::dag_cbor::{
    decode_entries_node, decode_head, decode_manifest, encode_entries_node, encode_head, encode_manifest,
};
use greffe::codec::dsse::Envelope;
use greffe::codec::note::{Note, NoteVerdict, decode_checkpoint, encode_checkpoint};
use greffe::codec::statement::{decode_statement, encode_statement};
use greffe::codec::tiles::{Tile, TileKind, tiles_of};
use greffe::codec::trust::{decode_trust, encode_trust};
use greffe::codec::unixfs::{DirectoryBuilder, FileBuilder, build_file, decode_directory, decode_file_node};
use greffe::crypto::{Digest, PrivateKey, PublicKey, Signature, parse_private_key};
use greffe::model::{
    ChainName, Cid, Codec, EventId, FileDigests, FileName, Pseudonym, Subject, TimeError, Timestamp,
};
use greffe::store::CarReader;
use serde::Deserialize;
use serde_json::{Value, json};

/// What a file of `tests/vectors` holds.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vector {
    what: String,
    source: String,
    input: Value,
    expect: Option<Value>,
    error: Option<String>,
}

/// Reads an input of one kind.
type Read = fn(&Value) -> Result<Value, String>;

const KINDS: [(&str, Read); 20] = [
    ("car", read_car),
    ("chain-name", read_chain_name),
    ("checkpoint", read_checkpoint),
    ("cid", read_cid),
    ("digest", read_digest),
    ("dsse", read_dsse),
    ("ed25519", read_ed25519),
    ("entries", read_entries),
    ("envelope", read_envelope),
    ("event-id", read_event_id),
    ("file-name", read_file_name),
    ("head", read_head),
    ("key", read_key),
    ("manifest", read_manifest),
    ("note", read_note),
    ("pseudonym", read_pseudonym),
    ("statement", read_statement),
    ("tiles", read_tiles),
    ("timestamp", read_timestamp),
    ("tree", read_tree),
];

/// Kinds whose cases are also run, and cost time.
const SLOW_KINDS: [(&str, Read); 2] = [("trust", read_trust), ("unixfs", read_unixfs)];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors")
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}

/// Runs every file of a kind, and says which did not do what it says.
fn run(kind: &str, read: Read) -> (usize, Vec<String>) {
    let mut wrong = Vec::new();
    let paths = entries(&folder().join(kind));
    for path in &paths {
        let case = format!("{kind}/{}", name_of(path));
        match serde_json::from_slice::<Vector>(&std::fs::read(path).unwrap()) {
            Ok(vector) => wrong.extend(judge(&vector, read).map(|fault| format!("{case}: {fault}"))),
            Err(error) => wrong.push(format!("{case}: not a vector: {error}")),
        }
    }
    (paths.len(), wrong)
}

fn judge(vector: &Vector, read: Read) -> Option<String> {
    if vector.what.is_empty() || vector.source.is_empty() {
        return Some("it does not say what it is and where it is from".to_owned());
    }
    match (read(&vector.input), &vector.expect, &vector.error) {
        (Ok(found), Some(expected), None) if found == without_verdicts(expected) => None,
        (Ok(found), Some(expected), None) => Some(format!("read as {found}, not as {expected}")),
        (Ok(found), None, Some(_)) => Some(format!("read as {found}; wanted it refused: {}", vector.what)),
        (Err(error), None, Some(word)) if error.contains(word) && !word.is_empty() => None,
        (Err(error), None, Some(word)) => {
            Some(format!("refused with {error:?}, which does not say {word:?}"))
        }
        (Err(error), Some(_), None) => Some(format!("refused: {error}")),
        (_, _, _) => Some("it has to have one of `expect` and `error`".to_owned()),
    }
}

/// `verdicts` are judged by a test of their own.
fn without_verdicts(expected: &Value) -> Value {
    let mut expected = expected.clone();
    if let Value::Object(members) = &mut expected {
        members.remove("verdicts");
    }
    expected
}

#[test]
fn every_vector_reads_as_it_says() {
    let mut wrong = Vec::new();
    for (kind, read) in KINDS.into_iter().chain(SLOW_KINDS) {
        let (count, faults) = run(kind, read);
        assert!(count > 0, "tests/vectors/{kind} is empty");
        wrong.extend(faults);
    }
    assert!(wrong.is_empty(), "{} vectors:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn no_file_is_left_unread_and_each_kind_is_explained() {
    let kinds: BTreeSet<&str> = KINDS.iter().chain(&SLOW_KINDS).map(|(kind, _)| *kind).collect();
    let readme = std::fs::read_to_string(folder().join("README.md")).unwrap();
    for path in entries(&folder()) {
        let name = name_of(&path);
        if name == "README.md" {
            continue;
        }
        assert!(path.is_dir() && kinds.contains(name.as_str()), "no test reads tests/vectors/{name}");
        assert!(readme.contains(&format!("`{name}`")), "tests/vectors/README.md does not explain {name}");
        for path in entries(&path) {
            let file = name_of(&path);
            assert!(path.is_file() && file.ends_with(".json"), "no test reads tests/vectors/{name}/{file}");
        }
    }
}

/// An input's bytes: text, `hex:…`, or one of them repeated.
fn bytes(input: &Value) -> Vec<u8> {
    match input {
        Value::String(text) => match text.strip_prefix("hex:") {
            Some(digits) => hex(digits),
            None => text.as_bytes().to_vec(),
        },
        Value::Object(_) => bytes(&input["repeat"]).repeat(input["times"].as_u64().unwrap() as usize),
        other => panic!("{other} is no input"),
    }
}

fn hex(digits: &str) -> Vec<u8> {
    HEXLOWER.decode(digits.as_bytes()).expect("a vector's bytes are lower-case hexadecimal")
}

fn text(input: &Value) -> &str {
    input.as_str().expect("this input is text")
}

/// The error as text; the shape of every reader's end.
fn said<T, E: std::fmt::Display>(result: Result<T, E>) -> Result<T, String> {
    result.map_err(|error| error.to_string())
}

/// Bytes that were read are written again as they were.
fn same(written: &[u8], read: &[u8]) {
    assert_eq!(
        HEXLOWER.encode(written),
        HEXLOWER.encode(read),
        "it is written in other bytes than it was read from"
    );
}

fn read_manifest(input: &Value) -> Result<Value, String> {
    let block = bytes(input);
    let manifest = said(decode_manifest(&block))?;
    same(&encode_manifest(&manifest), &block);
    let file = |file: &greffe::model::FileEntry| json!({"cid": file.cid, "name": file.name, "role": file.role, "size": file.size, "sealed": file.sealed});
    Ok(json!({
        "seq": manifest.seq, "chain": manifest.chain, "prev": manifest.prev, "log": manifest.log,
        "files": manifest.files.iter().map(file).collect::<Vec<_>>(),
    }))
}

fn read_head(input: &Value) -> Result<Value, String> {
    let block = bytes(input);
    let head = said(decode_head(&block))?;
    same(&encode_head(&head), &block);
    let timestamps: Vec<String> = head.timestamps.iter().map(|token| HEXLOWER.encode(token)).collect();
    Ok(
        json!({"manifest": head.manifest, "entries": head.entries, "tlog": head.tlog, "timestamps": timestamps}),
    )
}

fn read_entries(input: &Value) -> Result<Value, String> {
    let block = bytes(input);
    let links = said(decode_entries_node(&block))?;
    same(&encode_entries_node(&links), &block);
    Ok(json!(links))
}

fn read_envelope(input: &Value) -> Result<Value, String> {
    let envelope = said(Envelope::decode(&bytes(input)))?;
    assert_eq!(Envelope::decode(&envelope.encode()).as_ref(), Ok(&envelope));
    let signatures: Vec<Value> = envelope
        .signatures
        .iter()
        .map(|(keyid, signature)| json!({"keyid": keyid, "sig": HEXLOWER.encode(&signature.0)}))
        .collect();
    Ok(json!({"payload": HEXLOWER.encode(&envelope.payload), "signatures": signatures}))
}

fn read_dsse(input: &Value) -> Result<Value, String> {
    let envelope = said(Envelope::decode(text(&input["envelope"]).as_bytes()))?;
    let message = envelope.message();
    let keys =
        input["keys"].as_array().unwrap().iter().map(|key| PublicKey::from_bytes(&hex(text(key))).unwrap());
    let signed = |key: &PublicKey| {
        envelope.signatures.iter().any(|(id, signature)| *id == key.id() && key.verify(&message, signature))
    };
    let valid: Vec<_> = keys.filter(signed).map(|key| key.id()).collect();
    Ok(json!({"message": String::from_utf8(message).unwrap(), "valid": valid}))
}

fn read_ed25519(input: &Value) -> Result<Value, String> {
    let key = said(PublicKey::from_bytes(&hex(text(&input["public"]))))?;
    let signature = Signature(hex(text(&input["signature"])).try_into().unwrap());
    Ok(json!({"valid": key.verify(&hex(text(&input["message"])), &signature)}))
}

fn read_key(input: &Value) -> Result<Value, String> {
    if let Some(seed) = input["seed"].as_str() {
        let key = PrivateKey::from_seed(&hex(seed).try_into().unwrap());
        return Ok(json!({"public": HEXLOWER.encode(key.public().as_bytes()), "keyid": key.public().id()}));
    }
    let key = said(parse_private_key(text(&input["text"]), input["passphrase"].as_str()))?;
    Ok(json!({"public": HEXLOWER.encode(key.public().as_bytes())}))
}

fn read_statement(input: &Value) -> Result<Value, String> {
    let statement = said(decode_statement(&bytes(input)))?;
    assert_eq!(decode_statement(&encode_statement(&statement)).as_ref(), Ok(&statement));
    let subject = |subject: &Subject| match subject {
        Subject::File { name, cid, digest, role } => {
            json!({"name": name, "cid": cid, "sha256": digest, "role": role})
        }
        Subject::Chain { digest } => json!({"chain": digest}),
    };
    let subjects: Vec<Value> = statement.subjects.iter().map(subject).collect();
    Ok(json!({"subjects": subjects, "event": statement.event}))
}

fn read_trust(input: &Value) -> Result<Value, String> {
    let document = said(decode_trust(&bytes(input)))?;
    let written = encode_trust(&document);
    assert_eq!(decode_trust(&written).as_ref(), Ok(&document));
    Ok(serde_json::from_slice(&written).unwrap())
}

fn read_note(input: &Value) -> Result<Value, String> {
    let read = bytes(input);
    let note = said(Note::decode(&read))?;
    same(&note.encode(), &read);
    let signatures: Vec<Value> = note
        .signatures
        .iter()
        .map(|line| {
            let (key_id, signature) = (HEXLOWER.encode(&line.key_id), HEXLOWER.encode(&line.signature));
            json!({"name": line.name, "keyId": key_id, "signature": signature})
        })
        .collect();
    Ok(json!({"text": note.text, "signatures": signatures}))
}

/// What the lines of each key that a note's vector names say.
#[test]
fn notes_are_judged_as_their_vectors_say() {
    for path in entries(&folder().join("note")) {
        let vector: Vector = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let Some(expected) = vector.expect else { continue };
        let note = Note::decode(&bytes(&vector.input)).unwrap();
        for wanted in expected["verdicts"].as_array().unwrap() {
            let key = PublicKey::from_bytes(&hex(text(&wanted["public"]))).unwrap();
            let verdict = match note.verify(text(&wanted["name"]), &key) {
                NoteVerdict::Absent => "absent",
                NoteVerdict::Valid => "valid",
                NoteVerdict::Invalid => "invalid",
            };
            assert_eq!(verdict, text(&wanted["verdict"]), "{}: {wanted}", path.display());
        }
    }
}

fn read_checkpoint(input: &Value) -> Result<Value, String> {
    let checkpoint = said(decode_checkpoint(text(input)))?;
    assert_eq!(encode_checkpoint(&checkpoint), text(input));
    Ok(json!({"origin": checkpoint.origin, "size": checkpoint.size, "root": checkpoint.root}))
}

fn read_car(input: &Value) -> Result<Value, String> {
    let file = bytes(input);
    let by_frames = read_car_frames(&file);
    let by_file = read_car_file(&file);
    assert_eq!(by_frames.is_ok(), by_file.is_ok(), "frames and files are read differently: {by_file:?}");
    if let (Ok(by_frames), Ok(count)) = (&by_frames, by_file) {
        assert_eq!(by_frames["blocks"].as_array().unwrap().len() as u64, count);
    }
    by_frames
}

fn read_car_frames(file: &[u8]) -> Result<Value, String> {
    let (root, mut offset) = said(decode_header(file))?;
    let mut blocks = Vec::new();
    while offset < file.len() {
        let frame = said(decode_frame(&file[offset..]))?;
        let end = offset + frame.total();
        if end > file.len() {
            return Err("the file ends in the middle of a block".to_owned());
        }
        blocks.push(json!({"offset": offset, "cid": frame.cid, "length": frame.length}));
        offset = end;
    }
    Ok(json!({"root": root, "blocks": blocks}))
}

fn read_car_file(file: &[u8]) -> Result<u64, String> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("vector.car");
    std::fs::write(&path, file).unwrap();
    let mut reader = CarReader::open(&path).map_err(|error| format!("{error:?}"))?;
    let mut damage = None;
    let checked = said(reader.check_all(|found| damage = Some(found.to_string())))?;
    damage.map_or(Ok(checked.frames), Err)
}

fn read_cid(input: &Value) -> Result<Value, String> {
    let cid = match text(input).strip_prefix("hex:") {
        Some(digits) => said(Cid::from_bytes(&hex(digits)))?,
        None => said(text(input).parse::<Cid>())?,
    };
    let codec = match cid.codec() {
        Codec::Raw => "raw",
        Codec::DagCbor => "dag-cbor",
        Codec::DagPb => "dag-pb",
    };
    let bytes = HEXLOWER.encode(&cid.to_bytes());
    Ok(json!({"codec": codec, "sha256": cid.digest(), "bytes": bytes, "text": cid.to_string()}))
}

fn read_file_name(input: &Value) -> Result<Value, String> {
    Ok(json!({"name": said(text(input).parse::<FileName>())?}))
}

fn read_chain_name(input: &Value) -> Result<Value, String> {
    Ok(json!({"name": said(text(input).parse::<ChainName>())?}))
}

fn read_event_id(input: &Value) -> Result<Value, String> {
    Ok(json!({"id": said(text(input).parse::<EventId>())?}))
}

fn read_pseudonym(input: &Value) -> Result<Value, String> {
    Ok(json!({"pseudonym": said(text(input).parse::<Pseudonym>())?}))
}

fn read_timestamp(input: &Value) -> Result<Value, String> {
    let time: Timestamp = said(text(input).parse::<Timestamp>().map_err(|error: TimeError| error))?;
    assert_eq!(time.to_string(), text(input));
    Ok(json!({"microseconds": time.as_microseconds()}))
}

fn read_digest(input: &Value) -> Result<Value, String> {
    let both: FileDigests = said(serde_json::from_value(json!({"raw": input, "lf": input})))?;
    assert_eq!(Some(both.raw), Digest::parse_prefixed(text(input)));
    Ok(json!({"hex": both.raw}))
}

fn read_unixfs(input: &Value) -> Result<Value, String> {
    if let Some(block) = input["directory"].as_str() {
        let links = said(decode_directory(&hex(block)))?;
        let link = |link: &greffe::codec::unixfs::PbLink| json!({"name": link.name, "cid": link.cid, "totalSize": link.total_size});
        return Ok(json!({"links": links.iter().map(link).collect::<Vec<_>>()}));
    }
    if let Some(block) = input["node"].as_str() {
        return Ok(json!({"children": said(decode_file_node(&hex(block)))?}));
    }
    if let Some(files) = input["files"].as_array() {
        let mut directory = DirectoryBuilder::default();
        for file in files {
            let content = text(&file["text"]).as_bytes();
            directory.insert(text(&file["path"]), build_file(content, &mut |_| ()), content.len() as u64);
        }
        return Ok(json!({"cid": directory.finish(&mut |_| ())}));
    }
    let mut builder = FileBuilder::default();
    let size = input["size"].as_u64().unwrap();
    // Whole turns of the pattern, so that each part begins where it begins.
    let part: Vec<u8> = (0..=250).collect::<Vec<u8>>().repeat(4001);
    let mut rest = size as usize;
    while rest > 0 {
        let now = rest.min(part.len());
        builder.push(&part[..now], &mut |_| ());
        rest -= now;
    }
    Ok(json!({"cid": builder.finish(&mut |_| ())}))
}

fn read_tiles(input: &Value) -> Result<Value, String> {
    if let Some(size) = input["size"].as_u64() {
        let paths: Vec<String> = tiles_of(size).map(|tile| tile.path()).collect();
        let partial: Vec<&String> = paths.iter().filter(|path| path.contains(".p/")).collect();
        let digest = Digest::of(paths.join("\n").as_bytes());
        return Ok(json!({"count": paths.len(), "partial": partial, "sha256OfPaths": digest}));
    }
    let kind = match text(&input["kind"]) {
        "entries" => TileKind::Entries,
        level => TileKind::Hashes { level: level.parse().unwrap() },
    };
    let (index, width) = (input["index"].as_u64().unwrap(), input["width"].as_u64().unwrap());
    Ok(json!({"path": Tile { kind, index, width }.path()}))
}

fn read_tree(input: &Value) -> Result<Value, String> {
    if let Some(count) = input["manifests"].as_u64() {
        return Ok(tree_of_manifests(u32::try_from(count).unwrap()));
    }
    let leaves: Vec<Digest> = input["leaves"]
        .as_array()
        .unwrap()
        .iter()
        .map(|leaf| Digest::of(&[[0].as_slice(), &hex(text(leaf))].concat()))
        .collect();
    let mut tree = MerkleTree::default();
    leaves.iter().for_each(|leaf| tree.push_hash(*leaf, |_| ()));
    assert_eq!(tree.root(), definition(&leaves));
    Ok(json!({"root": tree.root()}))
}

/// RFC 6962 §2.1, word for word, over leaf hashes.
pub fn definition(leaves: &[Digest]) -> Digest {
    match leaves {
        [] => Digest::of(b""),
        [leaf] => *leaf,
        leaves => {
            let split = leaves.len().next_power_of_two() / 2;
            node_hash(&definition(&leaves[..split]), &definition(&leaves[split..]))
        }
    }
}

fn tree_of_manifests(count: u32) -> Value {
    let (mut snapshot, mut entries) = (Snapshot::default(), EntriesTree::default());
    for n in 0..count {
        let manifest = Cid::of(Codec::DagCbor, &n.to_be_bytes());
        snapshot.push(manifest, &mut |_| ());
        entries.push(manifest, &mut |_| ());
    }
    assert_eq!(snapshot.entries, entries);
    let tiles: String =
        snapshot.files().iter().map(|(path, cid)| format!("{path} {}\n", cid.digest())).collect();
    let (root, tiles) = (snapshot.merkle.root(), Digest::of(tiles.as_bytes()));
    json!({"root": root, "entries": entries.root(&mut |_| ()), "tiles": tiles})
}
