//! Corroborates the head of an archive: cosignatures and timestamps that others gave for its checkpoint become part
//! of it.
//!
//! They come after the head is durable, from far away, and in their own time. The entries stay as they are: the head is
//! replaced by one with the same manifests, and more behind its checkpoint.

use std::path::Path;
use std::time::Duration;

use super::chain::{ChainReader, OpenChain, ReadBlock};
use super::error::BlockError;
use super::{OpsError, chain};
use crate::codec::cosignature::merge;
use crate::codec::dag_cbor::decode_head;
use crate::codec::note::{Note, NoteSignature};
use crate::codec::unixfs::decode_directory;
use crate::model::{ChainName, Cid, Codec};

/// What others gave for a checkpoint. Whoever hands it over has verified it.
#[derive(Clone, Debug, Default)]
pub struct Corroboration {
    /// Lines by witnesses.
    pub cosignatures: Vec<NoteSignature>,
    /// RFC 3161 TimeStampTokens over the checkpoint's own signature.
    pub timestamps: Vec<Vec<u8>>,
}

/// A head and what corroborates it so far.
#[derive(Clone, Debug)]
pub struct Checkpointed {
    pub head: Cid,
    /// The checkpoint with its signatures, which are not verified here.
    pub note: Note,
    pub timestamps: Vec<Vec<u8>>,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Corroborated {
    /// The archive has this head now.
    Added(Cid),
    /// All of it was there.
    Present,
    /// The archive has gone on, and what was brought is for an older checkpoint.
    Overtaken,
}

impl ChainReader {
    /// The head's checkpoint and its timestamps.
    ///
    /// # Errors
    /// When a block is missing or malformed.
    pub fn checkpointed(&self) -> Result<Checkpointed, OpsError> {
        checkpointed(self.head(), &mut |what, cid| self.block(what, cid))
    }

    /// A file of one block in the head's tlog-tiles directory; `None` when there is none at this path.
    ///
    /// # Errors
    /// When a block is missing or malformed.
    pub fn tlog_file(&self, path: &str) -> Result<Option<(Cid, Vec<u8>)>, OpsError> {
        tlog_file(self.head_block()?.tlog, path, &mut |what, cid| self.block(what, cid))
    }
}

pub(super) fn checkpointed(head: Cid, block: &mut ReadBlock<'_>) -> Result<Checkpointed, OpsError> {
    let parts = decode_head(&block("head", &head)?).map_err(|error| chain::refuse("head", head, error))?;
    let (cid, bytes) = tlog_file(parts.tlog, "checkpoint", block)?.ok_or(OpsError::Block {
        what: "tlog directory",
        cid: parts.tlog,
        source: BlockError::NoCheckpoint,
    })?;
    let note = Note::decode(&bytes).map_err(|error| chain::refuse("checkpoint", cid, error))?;
    Ok(Checkpointed { head, note, timestamps: parts.timestamps })
}

fn tlog_file(
    directory: Cid,
    path: &str,
    block: &mut ReadBlock<'_>,
) -> Result<Option<(Cid, Vec<u8>)>, OpsError> {
    let mut cid = directory;
    for part in path.split('/') {
        let links = decode_directory(&block("tlog directory", &cid)?);
        let links = links.map_err(|error| chain::refuse("tlog directory", cid, error))?;
        let Some(link) = links.iter().find(|link| link.name == part) else { return Ok(None) };
        cid = link.cid;
    }
    if cid.codec() == Codec::Raw { Ok(Some((cid, block("tlog file", &cid)?))) } else { Ok(None) }
}

/// Whether a head of the same entries has all that the archive's head has: each signature line and each timestamp. One
/// that lacks any would take it away.
///
/// # Errors
/// Those of the archive and of `block`.
pub fn has_all_of(reader: &ChainReader, head: Cid, block: &mut ReadBlock<'_>) -> Result<bool, OpsError> {
    let (ours, theirs) = (reader.checkpointed()?, checkpointed(head, block)?);
    let lines = ours.note.signatures.iter().all(|line| theirs.note.signatures.contains(line));
    Ok(lines && ours.timestamps.iter().all(|token| theirs.timestamps.contains(token)))
}

/// Adds to the head of the archive what was given for its checkpoint `of`, durably and by compare-and-swap. Nothing that
/// is there goes: a head never has fewer timestamps than the one before, nor fewer keys that cosigned it.
///
/// # Errors
/// Those of the archive; it is as it was then.
pub fn corroborate(
    directory: &Path,
    name: &ChainName,
    wait: Duration,
    of: &Note,
    added: Corroboration,
) -> Result<Corroborated, OpsError> {
    if added.cosignatures.is_empty() && added.timestamps.is_empty() {
        return Ok(Corroborated::Present);
    }
    let mut chain = OpenChain::open_unsigned(directory, name, wait)?;
    let Checkpointed { mut note, mut timestamps, .. } = chain.reader.checkpointed()?;
    // A timestamp is over the log's own signature, so that has to be the same one.
    if note.text != of.text || note.signatures.first() != of.signatures.first() {
        return Ok(Corroborated::Overtaken);
    }
    let before = timestamps.len();
    for token in added.timestamps {
        if !timestamps.contains(&token) {
            timestamps.push(token);
        }
    }
    if !merge(&mut note, added.cosignatures) && timestamps.len() == before {
        return Ok(Corroborated::Present);
    }
    chain.replace_head(&note, timestamps).map(Corroborated::Added)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::PrivateKey;
    use crate::model::{Actor, Details, EventKind, Pseudonym};
    use crate::ops::init::init;
    use crate::ops::own_event::Pen;

    const WAIT: Duration = Duration::from_secs(5);

    fn line(name: &str, at: u64) -> NoteSignature {
        let signature = [at.to_be_bytes().as_slice(), &[7; 64]].concat();
        NoteSignature { name: name.to_owned(), key_id: [1; 4], signature }
    }

    #[test]
    fn a_head_gains_and_never_loses_and_an_older_checkpoint_gives_it_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (path, name): (_, ChainName) = (folder.path(), "demo".parse().unwrap());
        let key = PrivateKey::from_seed(&[3; 32]);
        let actor = Actor { pseudonym: Pseudonym::generate(), role: "operator".to_owned() };
        let begun = init(path, &name, &actor, &key).unwrap();
        let first = ChainReader::open(path, &name).unwrap().checkpointed().unwrap();
        assert_eq!((first.head, first.timestamps.len()), (begun.head, 0));
        let add = |of: &Note, cosignatures: Vec<NoteSignature>, timestamps: Vec<Vec<u8>>| {
            corroborate(path, &name, WAIT, of, Corroboration { cosignatures, timestamps }).unwrap()
        };
        let Corroborated::Added(cosigned) = add(&first.note, vec![line("w1", 5)], Vec::new()) else {
            panic!("nothing was added")
        };
        // By another hand, from the head before.
        let Corroborated::Added(both) = add(&first.note, vec![line("w2", 6)], vec![vec![1, 2, 3]]) else {
            panic!("nothing was added")
        };
        assert!(cosigned != both && both != begun.head);
        assert_eq!(add(&first.note, vec![line("w1", 5)], vec![vec![1, 2, 3]]), Corroborated::Present);
        let now = ChainReader::open(path, &name).unwrap().checkpointed().unwrap();
        assert_eq!((now.head, &now.timestamps), (both, &vec![vec![1, 2, 3]]));
        assert_eq!(now.note.signatures[1..], [line("w1", 5), line("w2", 6)]);
        assert_eq!(now.note.signatures[0], first.note.signatures[0]);
        // A copy of the head before would take that away; the other way round it would not.
        let reader = ChainReader::open(path, &name).unwrap();
        let block = |what: &'static str, cid: &Cid| reader.block(what, cid);
        assert!(!has_all_of(&reader, begun.head, &mut { block }).unwrap());
        assert!(!has_all_of(&reader, cosigned, &mut { block }).unwrap());
        assert!(has_all_of(&reader, both, &mut { block }).unwrap());
        drop(reader);
        // A run goes on from it; its head has a checkpoint of its own.
        let chain = OpenChain::open(path, &name, WAIT, None).unwrap();
        let mut pen = Pen::with(chain, std::sync::Arc::new(key), actor);
        let details = Details::Attach { about: Vec::new(), access: None };
        pen.append(EventKind::Attach, details).unwrap();
        drop(pen.release());
        assert_eq!(add(&first.note, vec![line("w3", 7)], Vec::new()), Corroborated::Overtaken);
        let now = ChainReader::open(path, &name).unwrap().checkpointed().unwrap();
        assert_eq!((now.note.signatures.len(), now.timestamps.len()), (1, 0));
    }
}
