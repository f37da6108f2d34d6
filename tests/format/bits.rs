//! Every single bit of an archive matters: each is flipped, and what verification finds names the place.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use greffe::chain::{Fault, Finding, Options};
use greffe::codec::car::{decode_frame, decode_header};
use greffe::codec::dag_cbor::decode_manifest;
use greffe::model::{Cid, EventKind, Role};
use greffe::ops::ChainReader;
use greffe::ops::export::export;
use greffe::ops::verify::verify_car;
use greffe::store::{Archive, Existing};

use crate::chains::{Growing, key, script};

/// A part of the file: the header, or one block's frame.
struct Part {
    offset: u64,
    end: u64,
    /// `None` for the header.
    cid: Option<Cid>,
    /// The entries whose manifest, log or file the block is.
    seqs: Vec<u64>,
}

fn parts(file: &[u8]) -> Vec<Part> {
    let (_, header) = decode_header(file).unwrap();
    let mut parts = vec![Part { offset: 0, end: header as u64, cid: None, seqs: Vec::new() }];
    let mut used: Vec<(Cid, u64)> = Vec::new();
    let mut offset = header;
    while offset < file.len() {
        let frame = decode_frame(&file[offset..]).unwrap();
        let end = offset + frame.total();
        if let Ok(manifest) = decode_manifest(&file[offset + frame.prefix..end]) {
            let files = manifest.files.iter().map(|file| file.cid);
            used.extend(files.chain([frame.cid, manifest.log]).map(|cid| (cid, manifest.seq)));
        }
        parts.push(Part { offset: offset as u64, end: end as u64, cid: Some(frame.cid), seqs: Vec::new() });
        offset = end;
    }
    for part in &mut parts {
        part.seqs = used.iter().filter(|(cid, _)| Some(*cid) == part.cid).map(|(_, seq)| *seq).collect();
    }
    parts
}

/// Whether a finding says where in the file the flipped bit is: by offset, by CID or by the entry.
fn locates(finding: &Finding, part: &Part, header_root: Option<Cid>) -> bool {
    let by_offset = match &finding.fault {
        Fault::CarDamaged { offset, .. } | Fault::CarBlockCorrupt { offset } => *offset == part.offset,
        _ => false,
    };
    let by_cid = finding.cid.is_some() && (finding.cid == part.cid || finding.cid == header_root);
    by_offset || by_cid || finding.seq.is_some_and(|seq| part.seqs.contains(&seq))
}

/// Flips every bit of the file at `path`, and says which flips were not found or not located.
fn unseen(path: &Path) -> Vec<String> {
    let sound = std::fs::read(path).unwrap();
    let report = verify_car(path, Options::default(), 1, &mut |_, _, _| ()).unwrap();
    assert!(report.verified, "{:?}", report.findings);
    let parts = parts(&sound);
    let next = AtomicUsize::new(0);
    let workers = std::thread::available_parallelism().map_or(2, |count| count.get());
    std::thread::scope(|scope| {
        let started: Vec<_> = (0..workers)
            .map(|worker| {
                let copy = path.with_extension(format!("{worker}.flipped"));
                let (next, sound, parts) = (&next, &sound, &parts);
                scope.spawn(move || flip_some(&copy, sound, parts, next))
            })
            .collect();
        started.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    })
}

fn flip_some(copy: &PathBuf, sound: &[u8], parts: &[Part], next: &AtomicUsize) -> Vec<String> {
    std::fs::write(copy, sound).unwrap();
    let file = File::options().write(true).open(copy).unwrap();
    let mut unseen = Vec::new();
    loop {
        let byte = next.fetch_add(1, Ordering::Relaxed);
        if byte >= sound.len() {
            return unseen;
        }
        let part = parts.iter().find(|part| part.end > byte as u64).unwrap();
        for bit in 0..8 {
            let flipped = sound[byte] ^ (1 << bit);
            file.write_all_at(&[flipped], byte as u64).unwrap();
            unseen.extend(judge(copy, part).map(|fault| format!("byte {byte} bit {bit}: {fault}")));
        }
        file.write_all_at(&sound[byte..=byte], byte as u64).unwrap();
    }
}

fn judge(path: &Path, part: &Part) -> Option<String> {
    let report = match verify_car(path, Options::default(), 1, &mut |_, _, _| ()) {
        Ok(report) => report,
        // A file whose header cannot be read is no archive, and that is said.
        Err(_) if part.cid.is_none() => return None,
        Err(error) => return Some(format!("an error: {error}")),
    };
    if report.verified {
        return Some("not found".to_owned());
    }
    // A flip in the header's root makes it name another block, which is then what is missing.
    let header_root = part.cid.is_none().then(|| header_root(path)).flatten();
    if report.findings.iter().any(|finding| locates(finding, part, header_root)) {
        return None;
    }
    let says: Vec<String> = report.findings.iter().map(ToString::to_string).collect();
    Some(format!("not located: {says:?}"))
}

fn header_root(path: &Path) -> Option<Cid> {
    decode_header(&std::fs::read(path).unwrap()).ok().map(|(root, _)| root)
}

/// An archive of genesis and two events, and what `export` makes of it.
fn small_archive(directory: &Path) -> (PathBuf, PathBuf) {
    let name = "small".parse().unwrap();
    let one = key(1);
    let mut chain = Growing::of_one_key("small");
    let root = chain.manifests[0];
    chain.attach();
    let head = chain.head(&one);
    let mut archive = Archive::create(directory, &name, root, &chain.blocks, head).unwrap();
    let before = chain.blocks.len();
    chain.about(EventKind::Apply, "1", vec![script(Role::Up, "1.sql", b"CREATE TABLE t (a);\n")], &[&one]);
    let head = chain.head(&one);
    archive.append(&chain.blocks[before..], head).unwrap();
    let growing = archive.path().to_owned();
    drop(archive);
    let exported = directory.join("exported.car");
    let reader = ChainReader::open(directory, &name).unwrap();
    export(&reader, &exported, Existing::Keep, &mut |_, _, _| ()).unwrap();
    (growing, exported)
}

#[test]
fn every_flipped_bit_of_an_exported_archive_is_found_and_located() {
    let directory = tempfile::tempdir().unwrap();
    let (_, exported) = small_archive(directory.path());
    let unseen = unseen(&exported);
    assert!(unseen.is_empty(), "{} flips:\n{}", unseen.len(), unseen.join("\n"));
}

#[test]
fn every_flipped_bit_of_a_growing_archive_is_found_and_located() {
    let directory = tempfile::tempdir().unwrap();
    let (growing, _) = small_archive(directory.path());
    let unseen = unseen(&growing);
    assert!(unseen.is_empty(), "{} flips:\n{}", unseen.len(), unseen.join("\n"));
}
