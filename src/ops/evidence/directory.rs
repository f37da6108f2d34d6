//! The directory that evidence is: what its files are called, and reading one that someone handed over. Nothing in
//! it is believed; `README.txt` is for people and not read.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::Path;

use super::super::OpsError;
use super::super::verify::finding_of;
use crate::chain::{EntryEvidence, EvidenceReport, Finding, Options, TOKENS_LIMIT, verify_evidence};
use crate::codec::dag_cbor::{decode_head, decode_manifest};
use crate::codec::sigstore::{BUNDLE_LIMIT, Bundle};
use crate::codec::timestamp::TOKEN_LIMIT;
use crate::codec::tlog_proof::{TLOG_PROOF_LIMIT, TlogProof};
use crate::model::{Cid, Codec};
use crate::store::{CarReader, Next};

/// That the entry is in the tree.
pub const ENTRY_PROOF: &str = "entry.tlog-proof";
/// The log as a sigstore bundle.
pub const SIGSTORE: &str = "log.sigstore.json";
/// PEM of the key that signed the bundle.
pub const KEY: &str = "public-key.pem";
/// All blocks.
pub const CAR: &str = "evidence.car";
/// PEM of the authorities that timestamps lead to.
pub const AUTHORITIES: &str = "authorities.pem";
/// What is what, for people.
pub const README: &str = "README.txt";

/// Longer PEM files are refused.
const KEY_LIMIT: usize = 4096;
/// More trust documents than a chain ever has; a bound on work.
const TRUST_LIMIT: usize = 1024;
/// A trust document has no more.
const AUTHORITIES_LIMIT: usize = 1 << 20;

/// That the entry `seq`, which brings a trust document, is in the tree.
pub fn trust_proof(seq: u64) -> String {
    format!("trust-{seq}.tlog-proof")
}

/// A timestamp token of the head, by its place.
pub fn timestamp(place: usize) -> String {
    format!("timestamp-{place}.tst")
}

/// Judges the evidence in a directory, with nothing else at hand.
///
/// # Errors
/// [`OpsError::EvidenceDamaged`] when a file is missing, too long or not what it has to be, and
/// [`OpsError::File`] when it cannot be read.
pub fn verify_directory(directory: &Path, options: &Options) -> Result<EvidenceReport, OpsError> {
    let path = directory.join(CAR);
    open(&path)?;
    let mut reader = CarReader::open(&path)?;
    let evidence = read(directory, &mut reader)?;
    let mut get = |cid: &Cid| Ok::<_, OpsError>(reader.get(cid)?.map(<[u8]>::to_vec));
    let mut report = verify_evidence(&evidence, options, &mut get)?;
    let mut damages: Vec<Finding> = Vec::new();
    reader.check_all(|damage| damages.push(finding_of(damage)))?;
    damages.into_iter().for_each(|finding| report.add(finding));
    Ok(report)
}

fn read(directory: &Path, reader: &mut CarReader) -> Result<EntryEvidence, OpsError> {
    let manifest = reader.root();
    let (mut manifests, mut heads, mut tokens) = (Vec::new(), Vec::new(), 0);
    loop {
        match reader.next_block()? {
            Next::Block { cid, bytes, .. } if cid.codec() == Codec::DagCbor && cid != manifest => {
                if let Ok(manifest) = decode_manifest(bytes) {
                    manifests.push((manifest.seq, cid));
                } else if let Ok(head) = decode_head(bytes) {
                    heads.push(cid);
                    tokens = head.timestamps.len().min(TOKENS_LIMIT);
                }
            }
            Next::Block { .. } | Next::Damaged(_) => {}
            Next::End => break,
        }
        if manifests.len() > TRUST_LIMIT || heads.len() > 1 {
            let reason = "it holds more manifests or heads than evidence of one entry has".to_owned();
            return Err(OpsError::EvidenceDamaged { file: directory.join(CAR), reason });
        }
    }
    manifests.sort_unstable();
    let proof = |name: &str| {
        let file = directory.join(name);
        let bytes = contents(&file, TLOG_PROOF_LIMIT)?;
        TlogProof::decode(&bytes)
            .map_err(|error| OpsError::EvidenceDamaged { file, reason: error.to_string() })
    };
    let trust = manifests.into_iter().map(|(seq, cid)| Ok::<_, OpsError>((cid, proof(&trust_proof(seq))?)));
    let file = directory.join(SIGSTORE);
    let bundle = Bundle::decode(&contents(&file, BUNDLE_LIMIT)?);
    let timestamps = (0..tokens).map(|place| contents(&directory.join(timestamp(place)), TOKEN_LIMIT));
    let authorities = directory.join(AUTHORITIES);
    // Where no token leads to any, there is none.
    let has_authorities = tokens > 0 && authorities.symlink_metadata().is_ok();
    Ok(EntryEvidence {
        manifest,
        proof: proof(ENTRY_PROOF)?,
        trust: trust.collect::<Result<_, _>>()?,
        head: heads.first().copied(),
        bundle: bundle.map_err(|error| OpsError::EvidenceDamaged { file, reason: error.to_string() })?,
        public_key: contents(&directory.join(KEY), KEY_LIMIT)?,
        timestamps: timestamps.collect::<Result<_, _>>()?,
        authorities: if has_authorities { contents(&authorities, AUTHORITIES_LIMIT)? } else { Vec::new() },
    })
}

/// Opens what is a file and nothing else: reading a pipe could last for ever, and a link may lead anywhere.
fn open(path: &Path) -> Result<File, OpsError> {
    let damaged =
        |reason: &str| OpsError::EvidenceDamaged { file: path.to_owned(), reason: reason.to_owned() };
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_file() => {}
        Ok(_) => return Err(damaged("it is not a file")),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(damaged("it is missing")),
        Err(source) => return Err(OpsError::File { path: path.to_owned(), done: "read", source }),
    }
    File::open(path).map_err(|source| OpsError::File { path: path.to_owned(), done: "read", source })
}

fn contents(path: &Path, limit: usize) -> Result<Vec<u8>, OpsError> {
    let mut bytes = Vec::new();
    let read = open(path)?.take(limit as u64 + 1).read_to_end(&mut bytes);
    read.map_err(|source| OpsError::File { path: path.to_owned(), done: "read", source })?;
    if bytes.len() > limit {
        let reason = format!("it has more than {limit} bytes");
        return Err(OpsError::EvidenceDamaged { file: path.to_owned(), reason });
    }
    Ok(bytes)
}
