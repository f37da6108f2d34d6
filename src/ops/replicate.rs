//! Brings the head of an archive to its replicas.
//!
//! The archive is the truth; a replica that cannot be reached is owed the head and gets it later.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;
use serde::Serialize;

use super::delta::delta;
use super::kin::{Known, known_heads};
use super::notes::Notes;
use super::{ChainReader, OpsError, Progress, now};
use crate::model::{ChainName, Cid, Timestamp};
use crate::store::remote::{
    Delivery, Holding, NamedReplica, Remedy, RemoteError, Replica as _, ReplicaError, Turn,
};
use crate::store::{Confirmed, Delivered, Deliveries};

/// Heads that a replica was told of and did not have in time are remembered, so many of them; one that does not answer
/// is told of none.
const BEGUN: usize = 1024;
/// Characters of what is said of an error.
const LONGEST_SAID: usize = 1000;

/// What came of one replica.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReplicaState {
    pub name: String,
    pub url: String,
    /// The head that it was given last.
    pub head: Option<Cid>,
    /// When that was.
    pub at: Option<Timestamp>,
    /// Whether that is the archive's head.
    pub current: bool,
    /// Blocks that this run brought.
    pub delivered: u64,
    /// Whether it has a head that the archive does not go on from.
    #[serde(skip)]
    pub ahead: bool,
    /// What helps, where that is known.
    #[serde(skip)]
    pub remedy: Option<Remedy>,
    /// Why it does not have the archive's head.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

/// What came of all replicas.
#[derive(Debug, Serialize)]
pub struct Replicated {
    pub head: Cid,
    pub replicas: Vec<ReplicaState>,
    /// Notes of what replicas were given that cannot be read: what stays pinned of that is not known.
    #[serde(skip)]
    pub unreadable: Option<PathBuf>,
}

/// What is known of replicas without asking them.
#[derive(Debug, Default)]
pub struct KnownStates {
    pub replicas: Vec<ReplicaState>,
    /// See [`Replicated::unreadable`].
    pub unreadable: Option<PathBuf>,
}

impl Replicated {
    /// How many replicas have the archive's head.
    #[must_use]
    pub fn current(&self) -> usize {
        self.replicas.iter().filter(|replica| replica.current).count()
    }
}

/// What is known of the replicas without asking them.
///
/// # Errors
/// When the notes cannot be read.
pub fn known(
    reader: &ChainReader,
    name: &ChainName,
    replicas: &[NamedReplica],
) -> Result<KnownStates, OpsError> {
    let notes = Notes::read(reader, name)?;
    let state = |replica: &NamedReplica| {
        let outcome = Outcome { delivered: notes.of(replica), ..Outcome::default() };
        state_of(replica, outcome, reader.head())
    };
    Ok(KnownStates { replicas: replicas.iter().map(state).collect(), unreadable: notes.unreadable() })
}

/// Brings the head to every replica that does not have it yet, each for at most `deadline`: to nodes at the same time,
/// then to services that fetch from these, then to files. A replica that fails is no error.
///
/// # Errors
/// Those of the archive, and of the notes beside it.
pub async fn replicate(
    reader: &ChainReader,
    name: &ChainName,
    replicas: &[NamedReplica],
    deadline: Duration,
    progress: &mut Progress<'_>,
) -> Result<Replicated, OpsError> {
    let notes = Notes::read(reader, name)?;
    progress("replicating", 0, Some(replicas.len() as u64));
    let work = async |replica: &NamedReplica| {
        let outcome = bring_in_time(reader, name, replica, &notes, deadline).await?;
        if outcome.is_overtaken {
            // Another process has archived more meanwhile, and brought it.
            let newer = ChainReader::open(reader.archive().directory(), name)?;
            if newer.head() != reader.head() {
                let outcome = bring_in_time(&newer, name, replica, &notes, deadline).await?;
                return Ok(state_of(replica, outcome, newer.head()));
            }
        }
        Ok::<_, OpsError>(state_of(replica, outcome, reader.head()))
    };
    let mut done = Vec::new();
    for turn in [Turn::First, Turn::Fetching, Turn::Files] {
        let group = replicas.iter().enumerate().filter(|(_, replica)| replica.replica.turn() == turn);
        let group = group.map(async |(place, replica)| (place, work(replica).await));
        for (place, state) in join_all(group).await {
            done.push((place, state?));
        }
    }
    done.sort_by_key(|(place, _)| *place);
    let replicas = done.into_iter().map(|(_, state)| state).collect();
    Ok(Replicated { head: reader.head(), replicas, unreadable: notes.unreadable() })
}

/// Brings the head of `reader` to one replica, and notes what came of it at once: what ends this program later takes
/// nothing of that away.
async fn bring_in_time(
    reader: &ChainReader,
    name: &ChainName,
    replica: &NamedReplica,
    notes: &Notes,
    deadline: Duration,
) -> Result<Outcome, OpsError> {
    let (before, headway, manifest) = (notes.of(replica), Headway::default(), reader.newest()?.0);
    let bringing = bring(reader, name, replica, notes, &before, &headway);
    let brought = match tokio::time::timeout(deadline, bringing).await {
        Ok(brought) => brought?,
        Err(_) => Err(RemoteError::TimedOut(deadline).into()),
    };
    let outcome = noted(before, reader.head(), manifest, &headway, brought);
    notes.write(replica, outcome.delivered.clone())?;
    Ok(outcome)
}

/// What is known of a replica after a delivery.
#[derive(Default)]
struct Outcome {
    delivered: Delivered,
    /// How many blocks it took.
    blocks: u64,
    ahead: bool,
    is_overtaken: bool,
    remedy: Option<Remedy>,
}

/// What was brought.
enum Brought {
    /// It had the head.
    Nothing,
    /// So many blocks; the heads of which nothing could be told stay.
    Blocks(u64, Vec<Cid>),
}

/// How far a delivery came, also when it is cut off.
#[derive(Default)]
struct Headway {
    /// Whether the replica was told to keep the head.
    told: Cell<bool>,
    /// Blocks that it lacked.
    lacking: Cell<u64>,
    /// Those of them, the first ones, that were read back while it kept the head.
    confirmed: Cell<u64>,
}

impl Headway {
    fn confirmed(&self, head: Cid) -> Option<Confirmed> {
        let (blocks, of) = (self.confirmed.get(), self.lacking.get());
        (blocks > 0).then_some(Confirmed { head, blocks, of })
    }
}

/// What is known of a replica after this.
fn noted(
    before: Delivered,
    head: Cid,
    manifest: Cid,
    headway: &Headway,
    outcome: Result<Brought, ReplicaError>,
) -> Outcome {
    let ahead = matches!(outcome, Err(ReplicaError::Ahead(_)));
    let is_overtaken = outcome.as_ref().is_err_and(ReplicaError::is_overtaken);
    let remedy = outcome.as_ref().err().map(ReplicaError::remedy);
    let (delivered, blocks) = match outcome {
        Ok(Brought::Nothing) => (Delivered { failure: None, manifest: Some(manifest), ..before }, 0),
        Ok(Brought::Blocks(blocks, begun)) => (Delivered { begun, ..given(before, head, manifest) }, blocks),
        Err(error) if !headway.told.get() => (Delivered { failure: Some(said(&error)), ..before }, 0),
        Err(error) => {
            let (failure, confirmed) = (Some(said(&error)), headway.confirmed(head));
            (Delivered { failure, confirmed, ..begin(before, head) }, 0)
        }
    };
    Outcome { delivered, blocks, ahead, is_overtaken, remedy }
}

/// What is known of a replica that is told to keep the head.
pub(super) fn begin(before: Delivered, head: Cid) -> Delivered {
    let mut begun = before.begun;
    if before.head != Some(head) && !begun.contains(&head) {
        begun.push(head);
        begun.drain(..begun.len().saturating_sub(BEGUN));
    }
    Delivered { begun, ..before }
}

/// What is known of a replica that keeps the head.
pub(super) fn given(before: Delivered, head: Cid, manifest: Cid) -> Delivered {
    let (head, manifest, at) = (Some(head), Some(manifest), Some(now()));
    Delivered { head, manifest, at, failure: None, confirmed: None, ..before }
}

/// Brings the head, and says when that begins; the inner error is the replica's.
async fn bring(
    reader: &ChainReader,
    name: &ChainName,
    replica: &NamedReplica,
    notes: &Notes,
    before: &Delivered,
    headway: &Headway,
) -> Result<Result<Brought, ReplicaError>, OpsError> {
    let head = reader.head();
    if before.head.is_some() && replica.replica.is_gone(name) {
        return Ok(Err(ReplicaError::Gone));
    }
    let known = known_heads(reader, name, replica, before, false).await?;
    let Known { begun, last, unknown, own } = match known {
        Ok(known) => known,
        Err(error) => return Ok(Err(error)),
    };
    // What it was given is asked for before anything is built on it: a node may have been emptied since.
    let (previous, blocks) = match holdings(replica, before, head).await {
        Ok((Some(before), Holding::Pinned)) if before == head => return Ok(Ok(Brought::Nothing)),
        // It has been told, or is at it again: what is left is to wait, and then to let the heads before go.
        Ok((previous, Holding::Pinned | Holding::Pending)) => (previous, vec![head]),
        Ok((previous, _)) => {
            let since = if replica.replica.takes_all() { None } else { previous.filter(|_| last) };
            (previous, delta(reader, since, head)?)
        }
        Err(error) => return Ok(Err(error)),
    };
    let brought = if replica.replica.fetches() { 0 } else { blocks.len() as u64 };
    // One that was given something has answered by now.
    if before.head.is_none() {
        let answered = match replica.replica.gives_blocks() {
            true => replica.replica.answers().await,
            false => replica.replica.holding(&head).await.map(drop),
        };
        if let Err(error) = answered {
            return Ok(Err(error));
        }
    }
    notes.begin(replica, before, head)?;
    headway.told.set(true);
    headway.lacking.set(blocks.len() as u64);
    let earlier =
        before.confirmed.filter(|earlier| earlier.head == head && earlier.of == blocks.len() as u64);
    headway.confirmed.set(earlier.map_or(0, |earlier| earlier.blocks));
    let resumes = !before.begun.is_empty();
    let (root, previous, begun) = (reader.root(), previous.filter(|_| last), &begun[..]);
    let delivery = Delivery {
        name,
        root,
        head,
        previous,
        begun,
        judged: own,
        repairs: false,
        resumes,
        confirmed: &headway.confirmed,
        blocks: &blocks,
        whole: &[],
        size: &|cid| reader.archive().size(cid),
        read: &|cid| reader.archived(cid),
    };
    let delivered = replica.replica.deliver(&delivery).await;
    Ok(delivered.map(|()| Brought::Blocks(brought, unknown)))
}

/// The head that it still keeps of those that it was given, and what it says of the new one where it knows that.
async fn holdings(
    replica: &NamedReplica,
    before: &Delivered,
    head: Cid,
) -> Result<(Option<Cid>, Holding), ReplicaError> {
    let (mut previous, mut holding) = (None, Holding::Absent);
    if let Some(before) = before.head {
        let held = replica.replica.holding(&before).await?;
        if matches!(held, Holding::Pinned | Holding::Pending) {
            previous = Some(before);
            holding = if before == head { held } else { Holding::Absent };
        }
    }
    // One that gives blocks back is looked at block by block, whatever it says.
    if !replica.replica.gives_blocks() && before.begun.contains(&head) {
        holding = replica.replica.holding(&head).await?;
    }
    Ok((previous, holding))
}

/// Asks all replicas whether they can be brought what comes, until so many can: what came of those that were waited
/// for. Nodes are asked whether they answer and let us in; files, whether they are there and can be written. `directory`:
/// where the archive is.
pub async fn answering(
    directory: &Path,
    name: &ChainName,
    replicas: &[NamedReplica],
    required: usize,
    deadline: Duration,
) -> Vec<(String, Option<String>)> {
    // Where notes cannot be read, nothing was given as far as is known.
    let notes = Deliveries::read(directory, name).ok();
    let asked = replicas.iter().map(|replica| async {
        let given = notes
            .as_ref()
            .is_some_and(|notes| notes.of(&replica.name, &replica.url.to_string()).head.is_some());
        let failure = match tokio::time::timeout(deadline, replica.replica.is_ready(name, given)).await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(said(&error)),
            Err(_) => Some(RemoteError::TimedOut(deadline).to_string()),
        };
        (replica.name.clone(), failure)
    });
    let mut asked: FuturesUnordered<_> = asked.collect();
    let mut answers: Vec<(String, Option<String>)> = Vec::new();
    let count = |answers: &[(String, Option<String>)]| {
        answers.iter().filter(|(_, failure)| failure.is_none()).count()
    };
    while count(&answers) < required
        && let Some(answer) = asked.next().await
    {
        answers.push(answer);
    }
    answers
}

fn state_of(replica: &NamedReplica, outcome: Outcome, head: Cid) -> ReplicaState {
    let Outcome { delivered, blocks, ahead, remedy, .. } = outcome;
    let current = delivered.head == Some(head) && delivered.failure.is_none();
    ReplicaState {
        name: replica.name.clone(),
        url: delivered.url,
        head: delivered.head,
        at: delivered.at,
        current,
        delivered: blocks,
        ahead,
        remedy,
        failure: delivered.failure,
    }
}

/// An error with its causes, on one line that is not too long.
pub(super) fn said(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(deeper) = cause {
        text.push_str(&format!(", because {deeper}"));
        cause = deeper.source();
    }
    if let Some((end, _)) = text.char_indices().nth(LONGEST_SAID) {
        text.truncate(end);
        text.push('…');
    }
    text
}
