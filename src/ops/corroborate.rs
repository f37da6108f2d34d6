//! Corroborates the head of an archive: cosignatures and timestamps that others gave for its checkpoint become part
//! of it.
//!
//! They come after the head is durable, from far away, and in their own time. The entries stay as they are: the head is
//! replaced by one with the same manifests, and more behind its checkpoint. It does not grow without end: witnesses have two
//! lines each, and authorities one timestamp each, as far as nobody else put more there.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use super::chain::{ChainReader, OpenChain, ReadBlock};
use super::error::BlockError;
use super::witness::trust_of;
use super::{OpsError, chain};
use crate::chain::{Authority, Options, TOKENS_LIMIT, imprints_of, verify_token};
use crate::codec::cosignature::merge;
use crate::codec::dag_cbor::decode_head;
use crate::codec::note::{Note, NoteSignature, decode_checkpoint};
use crate::codec::unixfs::decode_directory;
use crate::crypto::Digest;
use crate::model::{ChainName, Cid, Codec, Timestamp};

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

/// Why a timestamp is not in the head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// Its authority vouches for the head by one that is no later.
    Known,
    /// A head has no more timestamps than are looked at.
    Full,
}

/// What came of what was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    pub done: Corroborated,
    /// Timestamps that were given and are not in it.
    pub left: Vec<(Vec<u8>, Left)>,
}

impl From<Corroborated> for Settled {
    fn from(done: Corroborated) -> Self {
        Self { done, left: Vec::new() }
    }
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
/// is there goes: a head never has fewer timestamps than the one before, nor fewer keys that cosigned it. Nor does it grow
/// without end: see [`Left`].
///
/// # Errors
/// Those of the archive; it is as it was then.
pub fn corroborate(
    directory: &Path,
    name: &ChainName,
    wait: Duration,
    of: &Note,
    added: Corroboration,
) -> Result<Settled, OpsError> {
    if added.cosignatures.is_empty() && added.timestamps.is_empty() {
        return Ok(Corroborated::Present.into());
    }
    let mut chain = OpenChain::open_unsigned(directory, name, wait)?;
    let Checkpointed { mut note, mut timestamps, .. } = chain.reader.checkpointed()?;
    // A timestamp is over the log's own signature, so that has to be the same one.
    if note.text != of.text || note.signatures.first() != of.signatures.first() {
        return Ok(Corroborated::Overtaken.into());
    }
    let mut left = Vec::new();
    let mut changed = merge(&mut note, added.cosignatures);
    if !added.timestamps.is_empty() {
        let judge = judge_of(&chain.reader, name, &note)?;
        let before = timestamps.len();
        settle(&mut timestamps, added.timestamps, judge, &mut left);
        changed |= timestamps.len() > before;
    }
    let done = match changed {
        true => Corroborated::Added(chain.replace_head(&note, timestamps)?),
        false => Corroborated::Present,
    };
    Ok(Settled { done, left })
}

/// Which authority a valid token is by, and its time.
type Vouched = Option<(Digest, Timestamp)>;

/// Says which authority a valid token of the head is by, and its time.
fn judge_of(
    reader: &ChainReader,
    name: &ChainName,
    note: &Note,
) -> Result<impl Fn(&[u8]) -> Vouched + use<>, OpsError> {
    let (_, trust) = trust_of(reader, name)?;
    let read = decode_checkpoint(&note.text);
    let size = read.map_err(|error| chain::refuse("checkpoint", reader.head(), error))?.size;
    let imprints = imprints_of(note, &reader.root(), size.saturating_sub(1), &trust);
    let authorities = Authority::of_trust(&trust.authorities);
    let newest = reader.entry(&reader.newest()?.0)?.statement.event.finished_at;
    Ok(move |token: &[u8]| {
        let stamped = verify_token(token, &imprints, &authorities);
        let tolerance = Options::default().tolerance;
        let stamped = stamped.and_then(|stamped| stamped.not_before(Some(newest), tolerance)).ok()?;
        Some((stamped.root, stamped.time))
    })
}

/// Adds to the tokens of a head those that are given: of an authority that vouches for it already, only an earlier one, and
/// no more than are looked at.
fn settle(
    held: &mut Vec<Vec<u8>>,
    given: Vec<Vec<u8>>,
    judge: impl Fn(&[u8]) -> Vouched,
    left: &mut Vec<(Vec<u8>, Left)>,
) {
    let mut earliest: HashMap<Digest, Timestamp> = HashMap::new();
    for (authority, at) in held.iter().filter_map(|token| judge(token)) {
        let known = earliest.entry(authority).or_insert(at);
        *known = at.min(*known);
    }
    for token in given {
        if held.contains(&token) {
            continue;
        }
        let judged = judge(&token);
        let is_known = judged.is_some_and(|(by, at)| earliest.get(&by).is_some_and(|known| *known <= at));
        if is_known || held.len() >= TOKENS_LIMIT {
            left.push((token, if is_known { Left::Known } else { Left::Full }));
            continue;
        }
        earliest.extend(judged);
        held.push(token);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::Fault;
    use crate::crypto::PrivateKey;
    use crate::model::{Actor, Details, EventKind, Pseudonym};
    use crate::ops::init::init;
    use crate::ops::own_event::Pen;
    use crate::ops::verify::verify_archive;

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
            corroborate(path, &name, WAIT, of, Corroboration { cosignatures, timestamps }).unwrap().done
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
        let details = Details::attached_to(Vec::new());
        pen.append(EventKind::Attach, details).unwrap();
        drop(pen.release());
        assert_eq!(add(&first.note, vec![line("w3", 7)], Vec::new()), Corroborated::Overtaken);
        let now = ChainReader::open(path, &name).unwrap().checkpointed().unwrap();
        assert_eq!((now.note.signatures.len(), now.timestamps.len()), (1, 0));
    }

    /// A token that says by its bytes which authority it is of, and when.
    fn judged(token: &[u8]) -> Vouched {
        let [authority, at, ..] = token else { return None };
        (*authority > 0).then(|| (Digest([*authority; 32]), Timestamp::from_seconds(u64::from(*at)).unwrap()))
    }

    #[test]
    fn of_an_authority_that_vouches_already_only_an_earlier_token_comes() {
        let mut left = Vec::new();
        let mut held = vec![vec![1, 50], vec![0, 1]];
        let given = vec![vec![1, 60], vec![1, 40], vec![1, 50], vec![2, 60], vec![2, 61], vec![0, 2]];
        settle(&mut held, given, judged, &mut left);
        assert_eq!(held, [[1, 50], [0, 1], [1, 40], [2, 60], [0, 2]]);
        assert_eq!(left, [(vec![1, 60], Left::Known), (vec![2, 61], Left::Known)]);
    }

    #[test]
    fn a_head_takes_no_more_tokens_than_are_looked_at() {
        let full: Vec<Vec<u8>> = (0..32).map(|n| vec![0, n]).collect();
        let (mut held, mut left) = (full.clone(), Vec::new());
        settle(&mut held, vec![vec![1, 1], vec![0, 3]], judged, &mut left);
        assert_eq!((held, left), (full.clone(), vec![(vec![1, 1], Left::Full)]));
        // Nor does one that came with more lose any: what was handed out stays.
        let over = [full, vec![vec![1, 9]]].concat();
        let (mut held, mut left) = (over.clone(), Vec::new());
        settle(&mut held, vec![vec![1, 9], vec![2, 9], vec![1, 10]], judged, &mut left);
        assert_eq!((held, left), (over, vec![(vec![2, 9], Left::Full), (vec![1, 10], Left::Known)]));
    }

    #[test]
    fn a_head_with_more_tokens_than_are_looked_at_is_found_and_gets_none_more() {
        let folder = tempfile::tempdir().unwrap();
        let (path, name): (_, ChainName) = (folder.path(), "demo".parse().unwrap());
        let actor = Actor { pseudonym: Pseudonym::generate(), role: "operator".to_owned() };
        init(path, &name, &actor, &PrivateKey::from_seed(&[3; 32])).unwrap();
        let note = ChainReader::open(path, &name).unwrap().checkpointed().unwrap().note;
        let mut chain = OpenChain::open(path, &name, WAIT, None).unwrap();
        let over = chain.replace_head(&note, (0..40).map(|n| vec![n; 9]).collect()).unwrap();
        drop(chain);
        let reader = ChainReader::open(path, &name).unwrap();
        let report = verify_archive(&reader, over, Options::default(), 1, &mut |_, _, _| ()).unwrap();
        assert_eq!(report.findings[0].fault, Fault::TimestampsTooMany { count: 40 });
        drop(reader);
        let added = Corroboration { timestamps: vec![vec![7; 5]], ..Corroboration::default() };
        let settled = corroborate(path, &name, WAIT, &note, added).unwrap();
        assert_eq!((settled.done, settled.left), (Corroborated::Present, vec![(vec![7; 5], Left::Full)]));
    }
}
