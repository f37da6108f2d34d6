//! Compares what others show of a chain with the archive here, and with each other. One that shows everybody the same
//! chain has nothing to fear from it; one that shows two is found by whoever asks at both places.
//!
//! Nothing that a voice says is believed: its checkpoint has to be signed by the chain's keys, and how it stands to
//! another one is reckoned from the tiles of the larger tree, which hash up to the root that was signed.

mod reading;

use std::time::Duration;

use futures_util::future::join_all;
use serde::Serialize;

use self::reading::{Deaf, Reading, Shown};
use super::notes::Notes;
use super::replicate::said;
use super::witness::NamedWitness;
use super::{ChainReader, OpsError};
use crate::chain::{ChainKeys, compare};
use crate::codec::note::Note;
use crate::codec::vkey::VkeyVerdict;
use crate::crypto::{Digest, KeyId};
use crate::model::{ChainName, Cid, EventKind, ForkEvidence, IpnsName, Role, TrustEntry};
use crate::store::remote::{Http, NamedReplica, NamedSource, Names, ReplicaError, ReplicaUrl};

/// Somebody who shows the chain.
pub struct Voice {
    /// What people call it.
    pub name: String,
    pub says: Says,
}

/// What a voice shows, or where it is to be asked.
pub enum Says {
    /// A head; `place`: the URL of the source that is to have its block itself, where one was named.
    Head { head: Cid, place: Option<String> },
    /// A signed note; `head`: the head that it is of, where that is known.
    Note { note: Vec<u8>, head: Option<Cid> },
    /// Where an IPNS name leads.
    Name(IpnsName),
    /// What the service shows under `log/`, or under `logs/` with the chain's name.
    Log(Box<Http>),
    /// What a witness cosigned last.
    Witness(Box<NamedWitness>),
    /// Nothing of this chain.
    Nothing(String),
    /// Something else in its place.
    AnotherChain(String),
    /// It could not be asked.
    Unreachable(String),
}

/// Who is asked, and for how long.
pub struct Asking<'a> {
    pub reader: &'a ChainReader,
    pub name: &'a ChainName,
    /// Where blocks are that the archive has not, in this order.
    pub sources: &'a [NamedSource],
    /// Where IPNS names are asked for.
    pub names: &'a [(String, Names)],
    /// For each voice.
    pub deadline: Duration,
}

/// How what a voice shows stands to the archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    Same,
    /// The archive goes on from it.
    Behind,
    /// It goes on from the archive.
    Ahead,
    /// It is larger, and its tiles are not to be had.
    AheadUnproved,
    /// Both are signed, and neither goes on from the other.
    Forked,
    AnotherChain,
    /// Not a checkpoint that a key of the chain signed, or not one that the witness cosigned which shows it.
    Unsigned,
    /// It shows nothing of this chain.
    Silent,
    Unreachable,
}

/// What came of one voice.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Heard {
    pub name: String,
    pub standing: Standing,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entries: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root: Option<Digest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub head: Option<Cid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signed_by: Option<KeyId>,
    /// Why nothing more is known, or what is odd about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Two that show versions of the chain which cannot both be true.
#[derive(Clone, Debug)]
pub struct FoundFork {
    /// Who shows the smaller one, and who the other.
    pub first: String,
    pub second: String,
    /// For anyone who was not there; `None` where neither shows its tiles.
    pub evidence: Option<ForkEvidence>,
}

/// What came of all.
#[derive(Debug)]
pub struct Gossip {
    pub chain: Cid,
    pub head: Cid,
    pub entries: u64,
    pub root: Digest,
    pub voices: Vec<Heard>,
    pub forks: Vec<FoundFork>,
}

/// What the archive is called among the voices.
pub const ARCHIVE: &str = "archive";

/// What is said of a witness whose word is gone from where it shows it.
const FORGOTTEN: &str =
    "it cosigned the archive's head, and shows an older one: what it shows was kept back or put back";

/// The replicas as voices: a file names its head itself, of others it is known which one they were given last.
///
/// # Errors
/// When the notes beside the archive cannot be read.
pub fn replica_voices(
    reader: &ChainReader,
    name: &ChainName,
    replicas: &[NamedReplica],
) -> Result<Vec<Voice>, OpsError> {
    let notes = Notes::read(reader, name)?;
    let voice = |replica: &NamedReplica| {
        let (given, url) = (notes.of(replica).head, replica.url.to_string());
        let place = replica.replica.gives_blocks().then_some(url);
        let (is_copy, is_gone) = (replica.replica.is_copy(), replica.replica.is_gone(name));
        let says = match (replica.replica.own_head(name, &reader.root()), given) {
            (Ok(Some(head)), _) => Says::Head { head, place },
            (Ok(None), Some(head)) if !is_copy => Says::Head { head, place },
            (Ok(None), Some(_)) if is_gone => Says::Unreachable(ReplicaError::Gone.to_string()),
            (Ok(None), None) if !is_copy || is_gone => Says::Nothing("it was given no head".to_owned()),
            (Ok(None), _) => match replica.url {
                ReplicaUrl::Car(_) => Says::Unreachable("the file there cannot be read".to_owned()),
                _ => Says::AnotherChain("the archive there is of another chain".to_owned()),
            },
            (Err(error), _) => Says::Unreachable(said(&error)),
        };
        Voice { name: replica.name.clone(), says }
    };
    Ok(replicas.iter().map(voice).collect())
}

/// Asks all voices at the same time, and compares what they show.
///
/// # Errors
/// [`OpsError::Incomparable`] when the archive's own head or trust events are not sound, and those of the archive.
pub async fn gossip(asking: &Asking<'_>, voices: &[Voice]) -> Result<Gossip, OpsError> {
    let reader = asking.reader;
    let (chain, head) = (reader.root(), reader.head());
    let incomparable = |detail: String| OpsError::Incomparable { head, detail };
    let trust = trust_events(reader)?;
    let keys = ChainKeys::verify(&chain, &trust).map_err(|error| incomparable(error.to_string()))?;
    let says = Says::Head { head, place: None };
    let here = Reading::new(asking, &keys).hear(&says).await;
    let here = here.map_err(|deaf| incomparable(deaf.reason))?;
    let panel = Panel { asking, keys, trust, here };
    let (mut heard, mut shown, mut forks) = (Vec::new(), Vec::new(), Vec::new());
    for (voice, (shows, standing)) in voices.iter().zip(join_all(voices.iter().map(|v| panel.ask(v))).await) {
        heard.push(Heard::of(voice, shows.as_ref(), standing.as_ref()));
        match (shows, standing) {
            (Some(shows), Ok(Compared::Forked(evidence))) => {
                let (first, second) = panel.order(&voice.name, &shows);
                forks.push(FoundFork { first, second, evidence: evidence.map(|evidence| *evidence) });
            }
            (Some(shows), _) if shows.signed.checkpoint.size > panel.size() => {
                shown.push((voice.name.clone(), shows));
            }
            _ => {}
        }
    }
    forks.extend(panel.compare_with_each_other(&shown).await);
    let checkpoint = &panel.here.signed.checkpoint;
    Ok(Gossip { chain, head, entries: checkpoint.size, root: checkpoint.root, voices: heard, forks })
}

impl Heard {
    fn of(voice: &Voice, shows: Option<&Shown<'_>>, compared: Result<&Compared, &Deaf>) -> Self {
        let (standing, reason) = match compared {
            Ok(Compared::Consistent(standing)) => (*standing, None),
            Ok(Compared::Forgotten) => (Standing::Behind, Some(FORGOTTEN.to_owned())),
            Ok(Compared::Forked(_)) => (Standing::Forked, None),
            Ok(Compared::Unproved(reason)) => (Standing::AheadUnproved, Some(reason.clone())),
            Err(deaf) => (deaf.standing, Some(deaf.reason.clone())),
        };
        let checkpoint = shows.map(|shows| &shows.signed.checkpoint);
        Self {
            name: voice.name.clone(),
            standing,
            entries: checkpoint.map(|checkpoint| checkpoint.size),
            root: checkpoint.map(|checkpoint| checkpoint.root),
            head: shows.and_then(|shows| shows.head),
            signed_by: shows.map(|shows| shows.signed.signed_by),
            reason,
        }
    }
}

/// How two that are signed stand to each other.
enum Compared {
    Consistent(Standing),
    /// A witness shows less than what it cosigned here.
    Forgotten,
    Forked(Option<Box<ForkEvidence>>),
    /// The larger one's tiles are not to be had, and why.
    Unproved(String),
}

/// The archive among the voices.
struct Panel<'a> {
    asking: &'a Asking<'a>,
    keys: ChainKeys,
    trust: Vec<TrustEntry>,
    here: Shown<'a>,
}

impl<'a> Panel<'a> {
    fn size(&self) -> u64 {
        self.here.signed.checkpoint.size
    }

    /// What a voice shows, and how that stands to the archive; each for as long as a voice has.
    async fn ask(&self, voice: &'a Voice) -> (Option<Shown<'a>>, Result<Compared, Deaf>) {
        let mut reading = Reading::new(self.asking, &self.keys);
        let shown = match tokio::time::timeout(self.asking.deadline, reading.hear(&voice.says)).await {
            Ok(Ok(shown)) => shown,
            Ok(Err(deaf)) => return (None, Err(deaf)),
            Err(_) => return (None, Err(Deaf::slow(self.asking.deadline))),
        };
        let compared = self.compare(&shown, &self.here).await;
        let compared = match (compared, shown.uncosigned) {
            // It says nothing new, and nobody stands for it.
            (Compared::Consistent(Standing::Same | Standing::Behind), Some(reason)) => {
                Err(Deaf::unsigned(reason))
            }
            (Compared::Consistent(Standing::Behind), None) if self.has_cosigned_more(&voice.says) => {
                Ok(Compared::Forgotten)
            }
            (compared, _) => Ok(compared),
        };
        (Some(shown), compared)
    }

    /// Whether the archive's head is one that this witness cosigned.
    fn has_cosigned_more(&self, says: &Says) -> bool {
        let Says::Witness(witness) = says else { return false };
        let note = Note::decode(self.here.signed.note.as_bytes());
        note.is_ok_and(|note| matches!(witness.vkey.verify(&note), VkeyVerdict::Valid { .. }))
    }

    /// How `one` stands to `other`.
    async fn compare(&self, one: &Shown<'_>, other: &Shown<'_>) -> Compared {
        let (ours, theirs) = (&other.signed.checkpoint, &one.signed.checkpoint);
        if theirs.size == ours.size && theirs.root == ours.root {
            return Compared::Consistent(Standing::Same);
        }
        let (first, second, standing) = match theirs.size <= ours.size {
            true => (one, other, Standing::Behind),
            false => (other, one, Standing::Ahead),
        };
        let is_forked = theirs.size == ours.size;
        match self.prove(first, second).await {
            Ok(None) => Compared::Consistent(standing),
            Ok(Some(evidence)) => Compared::Forked(Some(Box::new(evidence))),
            // Either one's tiles show it.
            Err(_) if is_forked => {
                Compared::Forked(self.prove(second, first).await.ok().flatten().map(Box::new))
            }
            Err(reason) => Compared::Unproved(reason),
        }
    }

    /// Evidence that `second` does not go on from `first`; `None` when it does. Fails without the tiles of `second`.
    async fn prove(&self, first: &Shown<'_>, second: &Shown<'_>) -> Result<Option<ForkEvidence>, String> {
        let mut reading = Reading::new(self.asking, &self.keys);
        let read = reading.ranges(second, first.signed.checkpoint.size);
        let hashes = tokio::time::timeout(self.asking.deadline, read).await;
        let hashes = hashes.unwrap_or_else(|_| Err(Deaf::slow(self.asking.deadline).reason))?;
        compare(&first.signed, &second.signed, &hashes, &self.trust).map_err(|error| error.to_string())
    }

    /// Forks among those that are larger than the archive; what is no larger was compared by way of it.
    async fn compare_with_each_other(&self, shown: &[(String, Shown<'_>)]) -> Vec<FoundFork> {
        let pairs =
            shown.iter().enumerate().flat_map(|(at, one)| shown[..at].iter().map(move |other| (one, other)));
        let compared = pairs.map(async |((name, one), (other_name, other))| {
            let Compared::Forked(evidence) = self.compare(one, other).await else { return None };
            let is_first = one.signed.checkpoint.size <= other.signed.checkpoint.size;
            let (first, second) = if is_first { (name, other_name) } else { (other_name, name) };
            let evidence = evidence.map(|evidence| *evidence);
            Some(FoundFork { first: first.clone(), second: second.clone(), evidence })
        });
        join_all(compared).await.into_iter().flatten().collect()
    }

    /// The voice and the archive, the smaller one first.
    fn order(&self, name: &str, shows: &Shown<'_>) -> (String, String) {
        let (name, archive) = (name.to_owned(), ARCHIVE.to_owned());
        if shows.signed.checkpoint.size <= self.size() { (name, archive) } else { (archive, name) }
    }
}

/// The events of an archive that say whose signatures count, the oldest first. Walks the whole chain's manifests.
pub(super) fn trust_events(reader: &ChainReader) -> Result<Vec<TrustEntry>, OpsError> {
    let (mut cid, mut manifest) = reader.newest()?;
    let mut events = Vec::new();
    loop {
        // Other events may hold a file of that role; only these bring one into force.
        if let Some(file) = manifest.files.iter().find(|file| file.role == Role::Trust)
            && matches!(reader.entry(&cid)?.statement.event.event, EventKind::Genesis | EventKind::Trust)
        {
            events.push(TrustEntry {
                manifest: reader.block("manifest", &cid)?,
                log: reader.block("log", &manifest.log)?,
                document: reader.file(&file.cid)?,
            });
        }
        let Some(previous) = manifest.prev else { break };
        cid = previous;
        manifest = reader.manifest(&cid)?;
    }
    events.reverse();
    Ok(events)
}
