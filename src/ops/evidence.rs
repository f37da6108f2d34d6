//! Evidence of one entry: a directory that says what an auditor needs to know of it, and that other people's programs
//! can check. It is made whole or not at all, and judged before it gets its name.

mod directory;
mod readme;
mod tree;

use std::collections::HashSet;
use std::io;
use std::path::Path;

use serde::Serialize;

pub use self::directory::verify_directory;
use self::directory::{AUTHORITIES, CAR, ENTRY_PROOF, KEY, README, SIGSTORE, timestamp, trust_proof};
pub use self::tree::Tree;
use super::OpsError;
use super::chain::{read_entry, read_manifest};
use super::source::Source;
use crate::chain::{Finding, Options, authorities_pem};
use crate::codec::dsse::Envelope;
use crate::codec::links::links;
use crate::codec::sigstore::Bundle;
use crate::codec::tlog_proof::TlogProof;
use crate::codec::trust::decode_trust;
use crate::crypto::{KeyId, PublicKey};
use crate::model::{Cid, Codec, Details, Event, EventKind, Manifest, Role};
use crate::store::{CarWriter, DraftDirectory, Existing, create_file};

/// Which entry is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Its number, or a version where the chain has no entry of that number.
    Seq(u64),
    /// Its manifest.
    Manifest(Cid),
    /// The newest one that tells of this version.
    Version(String),
}

/// What was written.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Made {
    pub head: Cid,
    pub chain: Cid,
    pub manifest: Cid,
    pub seq: u64,
    pub event: EventKind,
    /// Of the migration, if it tells of one.
    pub version: Option<String>,
    /// The key whose signature is in the bundle.
    pub keyid: KeyId,
    /// Signatures that the log has; the bundle has one of them.
    pub signatures: usize,
    /// Entries whose trust documents are in it.
    pub trust: Vec<u64>,
    /// Sealed files whose bytes are nowhere here.
    pub withheld: Vec<Cid>,
    /// Lines of others than the chain under the checkpoint.
    pub cosignatures: usize,
    /// Timestamps of the head.
    pub timestamps: usize,
    /// Bytes of the proof.
    pub proof_bytes: usize,
    pub files: Vec<String>,
    /// What the chain tells of itself: who is handed the evidence finds it, too.
    pub findings: Vec<Finding>,
}

/// Writes evidence of an entry below `head` to the directory `out`, which must not be there.
///
/// # Errors
/// [`OpsError::Exists`], [`OpsError::NoVersion`] and [`OpsError::NoEntry`]; [`OpsError::EvidenceFindings`] when what
/// was made does not hold, whatever the chain tells of itself; when a block is missing or malformed, or the directory cannot be written.
pub fn make(source: &mut Source, head: Cid, asked: &Asked, out: &Path) -> Result<Made, OpsError> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::AlreadyExists => OpsError::Exists(out.to_owned()),
        _ => OpsError::File { path: out.to_owned(), done: "written", source },
    };
    let draft = DraftDirectory::create(out).map_err(failed)?;
    let mut tree = Tree::read(source, head)?;
    let asked = match asked {
        Asked::Seq(seq) if *seq >= tree.size() => &Asked::Version(seq.to_string()),
        asked => asked,
    };
    let found = look_through(source, &tree, asked)?;
    let mut proofs = tree.inclusion(source, found.trust.iter().map(|(seq, _)| *seq).chain([found.seq]))?;
    let entry_proof = proofs.pop().ok_or(OpsError::NoEntry(found.seq, tree.size() - 1))?;

    let (log, event) = read_log(source, &found)?;
    let unsigned = || OpsError::HeadInconsistent {
        head,
        detail: "the entry is not signed by a key of its trust documents",
    };
    let key = signing_key(source, &found, &log)?.ok_or_else(unsigned)?;
    let bundle = Bundle::of(&log, &key.id()).ok_or_else(unsigned)?;
    let withheld = write_car(source, &tree, &found, &draft.temporary().join(CAR))?;

    let proof = TlogProof { index: found.seq, path: entry_proof, checkpoint: tree.checkpoint().to_vec() };
    let mut files = vec![
        (ENTRY_PROOF.to_owned(), proof.encode()),
        (SIGSTORE.to_owned(), bundle.encode()),
        (KEY.to_owned(), key.to_pem().into_bytes()),
    ];
    for ((seq, _), path) in found.trust.iter().zip(proofs) {
        let proof = TlogProof { index: *seq, path, checkpoint: tree.checkpoint().to_vec() };
        files.push((trust_proof(*seq), proof.encode()));
    }
    files.extend(timestamp_files(source, &tree, &found)?);
    let mut made = Made {
        head,
        chain: found.chain,
        manifest: found.cid,
        seq: found.seq,
        event: event.event,
        version: version_of(&event).map(str::to_owned),
        keyid: key.id(),
        signatures: log.signatures.len(),
        trust: found.trust.iter().map(|(seq, _)| *seq).collect(),
        withheld,
        cosignatures: tree.cosignatures(),
        timestamps: tree.timestamps().len(),
        findings: Vec::new(),
        proof_bytes: files[0].1.len(),
        files: files.iter().map(|(name, _)| name.clone()).chain([CAR, README].map(str::to_owned)).collect(),
    };
    let write =
        |name: &str, bytes: &[u8]| create_file(&draft.temporary().join(name), bytes, 0o644).map_err(failed);
    files.iter().try_for_each(|(name, bytes)| write(name, bytes))?;
    let report = verify_directory(draft.temporary(), &Options::default())?;
    if !report.is_sound() {
        return Err(OpsError::EvidenceFindings { seq: made.seq, findings: report.findings });
    }
    write(README, readme::text(&made, &tree, &key, &report.not_established).as_bytes())?;
    made.findings = report.findings;
    draft.finish().map_err(failed)?;
    Ok(made)
}

/// An entry, and the manifests that its signatures are judged by.
struct Found {
    chain: Cid,
    cid: Cid,
    seq: u64,
    manifest: Manifest,
    /// Other entries that bring trust documents, oldest first.
    trust: Vec<(u64, Cid)>,
}

/// Walks over all manifests, for any of them may bring a trust document.
fn look_through(source: &mut Source, tree: &Tree, asked: &Asked) -> Result<Found, OpsError> {
    let (mut found, mut trust, mut cid) = (None, Vec::new(), tree.newest());
    for seq in (0..tree.size()).rev() {
        let manifest = read_manifest(&cid, &mut source.reads())?;
        let previous = manifest.prev;
        if manifest.seq != seq || previous.is_some() != (seq > 0) {
            let detail = "its manifests are not numbered from 0 to its size";
            return Err(OpsError::HeadInconsistent { head: tree.head(), detail });
        }
        // Other events may hold a file of that role; only these bring a document into force.
        if manifest.files.iter().any(|file| file.role == Role::Trust)
            && matches!(
                read_entry(&cid, &mut source.reads())?.statement.event.event,
                EventKind::Genesis | EventKind::Trust
            )
        {
            trust.push((seq, cid));
        }
        let is_asked = match asked {
            Asked::Seq(asked) => *asked == seq,
            Asked::Manifest(asked) => *asked == cid,
            Asked::Version(version) => {
                found.is_none()
                    && version_of(&read_entry(&cid, &mut source.reads())?.statement.event) == Some(version)
            }
        };
        if is_asked {
            found = Some((seq, cid, manifest));
        }
        let Some(previous) = previous else { break };
        cid = previous;
    }
    let Some((seq, entry, manifest)) = found else {
        return Err(match asked {
            Asked::Version(version) => OpsError::NoVersion(version.clone()),
            Asked::Manifest(manifest) => OpsError::NotInArchive(manifest.to_string()),
            Asked::Seq(seq) => OpsError::NoEntry(*seq, tree.size() - 1),
        });
    };
    trust.reverse();
    trust.retain(|(at, _)| *at != seq);
    Ok(Found { chain: cid, cid: entry, seq, manifest, trust })
}

/// The version that an event tells of.
#[must_use]
pub fn version_of(event: &Event) -> Option<&str> {
    match &event.details {
        Details::Migration(details) => Some(&details.migration.version),
        Details::Repair { migration, .. } => migration.as_ref().map(|migration| migration.version.as_str()),
        _ => None,
    }
}

fn read_log(source: &mut Source, found: &Found) -> Result<(Envelope, Event), OpsError> {
    let cid = found.manifest.log;
    let bytes = source.block("log", &cid)?;
    let refuse =
        |error: crate::codec::dsse::EnvelopeError| OpsError::Block { what: "log", cid, source: error.into() };
    let envelope = Envelope::decode(&bytes).map_err(refuse)?;
    Ok((envelope, read_entry(&found.cid, &mut source.reads())?.statement.event))
}

/// The first key of the log's signatures that a trust document has; the newest documents are asked first.
fn signing_key(source: &mut Source, found: &Found, log: &Envelope) -> Result<Option<PublicKey>, OpsError> {
    for (_, cid) in found.trust.iter().rev().chain([&(found.seq, found.cid)]) {
        let manifest = read_manifest(cid, &mut source.reads())?;
        for file in manifest.files.iter().filter(|file| file.role == Role::Trust && !file.sealed) {
            let Ok(document) = decode_trust(&source.bytes(&file.cid)?) else { continue };
            let known = log.signatures.iter().find_map(|(id, _)| document.keys.get(id));
            if let Some(key) = known {
                return Ok(Some(key.public));
            }
        }
    }
    Ok(None)
}

/// The tokens of the head, and the certificates that they lead to, for programs that know RFC 3161.
fn timestamp_files(
    source: &mut Source,
    tree: &Tree,
    found: &Found,
) -> Result<Vec<(String, Vec<u8>)>, OpsError> {
    let tokens = tree.timestamps().iter().enumerate();
    let mut files: Vec<_> = tokens.map(|(place, token)| (timestamp(place), token.clone())).collect();
    if files.is_empty() {
        return Ok(files);
    }
    // By the newest document, as the tokens of the head are judged.
    let mut brings: Vec<(u64, Cid)> = found.trust.clone();
    if matches!(
        read_entry(&found.cid, &mut source.reads())?.statement.event.event,
        EventKind::Genesis | EventKind::Trust
    ) {
        brings.push((found.seq, found.cid));
    }
    let Some((_, newest)) = brings.into_iter().max() else { return Ok(files) };
    let manifest = read_manifest(&newest, &mut source.reads())?;
    let file = manifest.files.iter().find(|file| file.role == Role::Trust);
    let document = file.map(|file| source.bytes(&file.cid)).transpose()?;
    let authorities =
        document.and_then(|bytes| decode_trust(&bytes).ok()).map(|trust| authorities_pem(&trust));
    files.extend(authorities.filter(|pem| !pem.is_empty()).map(|pem| (AUTHORITIES.to_owned(), pem)));
    Ok(files)
}

/// Writes the blocks that are needed, the entry's first. Hands out the sealed files that are not there.
fn write_car(source: &mut Source, tree: &Tree, found: &Found, path: &Path) -> Result<Vec<Cid>, OpsError> {
    let mut writer = CarWriter::create(path, &found.cid, Existing::Keep)?;
    let mut withheld = Vec::new();
    for cid in [found.cid].iter().chain(found.trust.iter().map(|(_, cid)| cid)) {
        let manifest = read_manifest(cid, &mut source.reads())?;
        let sealed: HashSet<Cid> =
            manifest.files.iter().filter(|file| file.sealed).map(|file| file.cid).collect();
        let mut pending: Vec<Cid> = manifest.files.iter().rev().map(|file| file.cid).collect();
        pending.extend([manifest.log, *cid]);
        while let Some(cid) = pending.pop() {
            let bytes = match source.block("block", &cid) {
                // Erased, or kept from whoever makes the evidence.
                Err(OpsError::BlockMissing { .. }) if sealed.contains(&cid) => {
                    withheld.push(cid);
                    continue;
                }
                bytes => bytes?,
            };
            // Nodes of a file of several blocks; all else is named by the manifest itself.
            if writer.put(&cid, &bytes)? && cid.codec() == Codec::DagPb {
                let below = links(&cid, &bytes);
                let below =
                    below.map_err(|error| OpsError::Block { what: "file", cid, source: error.into() })?;
                pending.extend(below.into_iter().rev());
            }
        }
    }
    for (cid, bytes) in tree.head_blocks() {
        writer.put(cid, bytes)?;
    }
    writer.finish()?;
    Ok(withheld)
}
