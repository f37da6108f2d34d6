//! Brings the head of an archive to its replicas.
//!
//! The archive is the truth; a replica that cannot be reached is owed the head and gets it later.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;
use serde::Serialize;

use super::delta::delta;
use super::kin::{Known, known_heads};
use super::{ChainReader, OpsError, Progress, now};
use crate::model::{ChainName, Cid, Timestamp};
use crate::store::remote::{Delivery, Holding, NamedReplica, RemoteError, Replica as _, ReplicaError, Turn};
use crate::store::{Confirmed, Delivered, Deliveries};

/// Heads that a replica was told of and did not have in time are remembered, so many of them; one that does not answer
/// is told of none.
const BEGUN: usize = 1024;

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
    /// Why it does not have the archive's head.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

/// What came of all replicas.
#[derive(Debug, Serialize)]
pub struct Replicated {
    pub head: Cid,
    pub replicas: Vec<ReplicaState>,
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
) -> Result<Vec<ReplicaState>, OpsError> {
    let deliveries = read_deliveries(reader, name)?;
    let state = |replica: &NamedReplica| {
        let delivered = deliveries.of(&replica.name, &replica.url.to_string());
        state_of(replica, Outcome { delivered, ..Outcome::default() }, reader.head())
    };
    Ok(replicas.iter().map(state).collect())
}

/// Brings the head to every replica that does not have it yet, to all at the same time, each for at most
/// `deadline`, as their turns come. A replica that fails is no error.
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
    let (head, manifest) = (reader.head(), reader.newest()?.0);
    let mut deliveries = read_deliveries(reader, name)?;
    progress("replicating", 0, Some(replicas.len() as u64));
    let of = |replica: &NamedReplica| deliveries.of(&replica.name, &replica.url.to_string());
    let known: BTreeMap<String, Delivered> =
        replicas.iter().map(|replica| (replica.name.clone(), of(replica))).collect();
    // Whoever ends this program in the middle leaves a note of what may be pinned already.
    let begun = known.iter().map(|(name, before)| (name.clone(), begin(before.clone(), head)));
    deliveries.write(begun.collect()).map_err(|source| notes_error(reader, name, source))?;
    let work = async |replica: &NamedReplica| {
        let before = known.get(&replica.name).cloned().unwrap_or_default();
        let headway = Headway::default();
        let bringing = bring(reader, name, replica, &before, &headway);
        let outcome = match tokio::time::timeout(deadline, bringing).await {
            Ok(outcome) => outcome?,
            Err(_) => Err(RemoteError::TimedOut(deadline).into()),
        };
        Ok::<_, OpsError>(noted(before, head, manifest, &headway, outcome))
    };
    let mut done = Vec::new();
    for turn in [Turn::First, Turn::Fetching, Turn::Files] {
        let group = replicas.iter().enumerate().filter(|(_, replica)| replica.replica.turn() == turn);
        let group = group.map(async |(place, replica)| (place, replica, work(replica).await));
        for (place, replica, outcome) in join_all(group).await {
            done.push((place, replica, outcome?));
        }
    }
    done.sort_by_key(|(place, ..)| *place);
    let notes = done.iter().map(|(_, replica, outcome)| (replica.name.clone(), outcome.delivered.clone()));
    deliveries.write(notes.collect()).map_err(|source| notes_error(reader, name, source))?;
    let replicas = done.into_iter().map(|(_, replica, outcome)| state_of(replica, outcome, head));
    Ok(Replicated { head, replicas: replicas.collect() })
}

/// What is known of a replica after a delivery.
#[derive(Default)]
struct Outcome {
    delivered: Delivered,
    /// How many blocks it took.
    blocks: u64,
    ahead: bool,
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
    let (delivered, blocks) = match outcome {
        Ok(Brought::Nothing) => (Delivered { failure: None, manifest: Some(manifest), ..before }, 0),
        Ok(Brought::Blocks(blocks, begun)) => (Delivered { begun, ..given(before, head, manifest) }, blocks),
        Err(error) if !headway.told.get() => (Delivered { failure: Some(said(&error)), ..before }, 0),
        Err(error) => {
            let (failure, confirmed) = (Some(said(&error)), headway.confirmed(head));
            (Delivered { failure, confirmed, ..begin(before, head) }, 0)
        }
    };
    Outcome { delivered, blocks, ahead }
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
    before: &Delivered,
    headway: &Headway,
) -> Result<Result<Brought, ReplicaError>, OpsError> {
    let head = reader.head();
    if before.head.is_some() && replica.replica.is_gone(name) {
        return Ok(Err(ReplicaError::Gone));
    }
    let Known { begun, last, unknown } = match known_heads(reader, name, replica, before).await? {
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
        repairs: false,
        resumes,
        confirmed: &headway.confirmed,
        blocks: &blocks,
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

/// Asks all replicas whether they answer and let us in, until so many do: what came of those that were waited for.
pub async fn answering(
    replicas: &[NamedReplica],
    required: usize,
    deadline: Duration,
) -> Vec<(String, Option<String>)> {
    let asked = replicas.iter().map(|replica| async move {
        let failure = match tokio::time::timeout(deadline, replica.replica.answers()).await {
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
    let Outcome { delivered, blocks, ahead } = outcome;
    let current = delivered.head == Some(head) && delivered.failure.is_none();
    ReplicaState {
        name: replica.name.clone(),
        url: delivered.url,
        head: delivered.head,
        at: delivered.at,
        current,
        delivered: blocks,
        ahead,
        failure: delivered.failure,
    }
}

/// An error with its causes, on one line.
pub(super) fn said(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(deeper) = cause {
        text.push_str(&format!(", because {deeper}"));
        cause = deeper.source();
    }
    text
}

pub(super) fn read_deliveries(reader: &ChainReader, name: &ChainName) -> Result<Deliveries, OpsError> {
    let directory = reader.archive().directory();
    Deliveries::read(directory, name).map_err(|source| notes_error(reader, name, source))
}

pub(super) fn notes_error(reader: &ChainReader, name: &ChainName, source: std::io::Error) -> OpsError {
    let path = reader.archive().directory().join(format!("{name}.replicas"));
    OpsError::File { path, done: "read or written", source }
}
