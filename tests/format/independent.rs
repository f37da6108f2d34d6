//! Archives written by another program from the format's text alone: the sound ones verify, and the
//! defect of each other one is found where it is.

use std::collections::HashMap;
use std::path::Path;

use greffe::chain::Options;
use greffe::model::Cid;

use crate::memory;

#[test]
fn archives_of_the_independent_writer_are_judged_as_it_says() {
    let directory = std::path::PathBuf::from(std::env::var("H1OUT").unwrap());
    let mut wrong = Vec::new();
    for (kind, sound) in [("valid", true), ("invalid", false)] {
        for entry in std::fs::read_dir(directory.join(kind)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "car") {
                wrong.extend(judge(&path, sound));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn judge(path: &Path, sound: bool) -> Option<String> {
    let bytes = std::fs::read(path).unwrap();
    let (root, blocks) = memory::read_car(&bytes);
    let mut map: HashMap<Cid, Vec<u8>> = HashMap::new();
    let mut newest = None;
    for (cid, block) in blocks {
        if greffe::codec::dag_cbor::decode_head(&block).is_ok() {
            newest = Some(cid);
        }
        map.entry(cid).or_insert(block);
    }
    let is_head =
        map.get(&root).is_some_and(|block| greffe::codec::dag_cbor::decode_manifest(block).is_err());
    let root = if is_head { root } else { newest.unwrap_or(root) };
    let report = memory::verify(root, &map, Options::default());
    let name = path.file_stem().unwrap().to_string_lossy();
    let says: Vec<String> = report.findings.iter().map(ToString::to_string).collect();
    if sound {
        return (!report.verified).then(|| format!("{name}: {says:?}"));
    }
    let note: serde_json::Value =
        serde_json::from_slice(&std::fs::read(path.with_extension("json")).unwrap()).unwrap();
    let located =
        report.findings.iter().any(|finding| note["seq"].is_null() || finding.seq == note["seq"].as_u64());
    (report.verified || !located).then(|| format!("{name}: wanted {note}, got {says:?}"))
}
