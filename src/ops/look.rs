//! Looks at what replicas keep: every block is fetched and hashed, and what is missing brought again.

use std::cell::Cell;
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use serde::{Serialize, Serializer};

use super::delta::delta;
use super::kin::{Known, known_heads};
use super::notes::Notes;
use super::replicate::{begin, given, said};
use super::{ChainReader, OpsError, Progress};
use crate::model::{ChainName, Cid};
use crate::store::Delivered;
use crate::store::remote::{Delivery, Holding, NamedReplica, RemoteError, Replica as _, ReplicaError};

/// How often what was collected during a repair is brought again.
const ROUNDS: usize = 3;
/// Blocks that are fetched from one replica at the same time.
const FETCHES: usize = 32;
/// Replicas that are looked at at the same time.
const AT_ONCE: usize = 8;

/// What a look at one replica found.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Look {
    pub name: String,
    pub url: String,
    /// The head that it was given last, as far as is known here.
    pub head: Option<Cid>,
    /// What it says of the archive's head.
    #[serde(serialize_with = "serialize_holding")]
    pub holding: Option<Holding>,
    /// Blocks that the archive's head needs.
    pub blocks: u64,
    /// How many of them it did not give back with their hash; `None` where it gives no blocks.
    pub missing: Option<u64>,
    /// Blocks that were brought again.
    pub repaired: u64,
    /// Whether it has a head that the archive does not go on from.
    #[serde(skip)]
    pub ahead: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

impl Look {
    /// Whether the replica keeps the archive's head and all below, as far as can be seen.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.failure.is_none() && self.holding == Some(Holding::Pinned) && self.missing.unwrap_or(0) == 0
    }

    /// Whether something is wrong with what the replica keeps, as far as it was looked at. One that could not be looked
    /// at is neither sound nor a finding.
    #[must_use]
    pub fn is_finding(&self) -> bool {
        let unkept = self.holding.is_some_and(|holding| holding != Holding::Pinned);
        self.ahead || unkept || self.missing.is_some_and(|missing| missing > 0)
    }
}

fn serialize_holding<S: Serializer>(holding: &Option<Holding>, serializer: S) -> Result<S::Ok, S::Error> {
    holding.map(word).serialize(serializer)
}

/// What is said of a replica's hold on a head.
#[must_use]
pub const fn word(holding: Holding) -> &'static str {
    match holding {
        Holding::Pinned => "pinned",
        Holding::Pending => "pending",
        Holding::Unpinned => "unpinned",
        Holding::Absent => "absent",
    }
}

/// How replicas are looked at.
#[derive(Clone, Copy)]
pub struct Looking {
    /// What is missing is brought again, and the head pinned.
    pub repair: bool,
    /// How long a look at one replica may take. What a repair brings has the time of a delivery besides.
    pub deadline: Duration,
}

/// Asks every replica for every block that the archive's head needs and hashes what it gives, several at the same time:
/// one that is slow takes no time from others. Files come last, since a disk that does not answer holds up everything.
///
/// # Errors
/// Those of the archive, and of the notes beside it.
pub async fn look(
    reader: &ChainReader,
    name: &ChainName,
    replicas: &[NamedReplica],
    looking: Looking,
    progress: &mut Progress<'_>,
) -> Result<Vec<Look>, OpsError> {
    let (blocks, manifest) = (delta(reader, None, reader.head())?, reader.newest()?.0);
    let notes = Notes::read(reader, name)?;
    let (total, mut done) = (replicas.len() as u64, Vec::new());
    progress("looking at replicas", 0, Some(total));
    let work = async |(place, replica): (usize, &NamedReplica)| {
        let known = notes.of(replica);
        let (look, told) = look_at(reader, name, replica, &blocks, &notes, looking).await?;
        let delivered = match told {
            Told::All(begun) => Delivered { begun, ..given(known, reader.head(), manifest) },
            Told::Nothing if look.is_sound() => kept(known, reader.head(), manifest),
            Told::Nothing => known,
            Told::Some => begin(known, reader.head()),
        };
        if looking.repair {
            notes.write(replica, delivered)?;
        }
        Ok::<_, OpsError>((place, look))
    };
    let (files, nodes): (Vec<_>, Vec<_>) =
        replicas.iter().enumerate().partition(|(_, replica)| replica.replica.is_copy());
    for (group, at_once) in [(nodes, AT_ONCE), (files, 1)] {
        let mut looks = stream::iter(group).map(&work).buffer_unordered(at_once);
        while let Some(looked) = looks.next().await {
            done.push(looked?);
            progress("looking at replicas", done.len() as u64, Some(total));
        }
    }
    done.sort_by_key(|(place, _)| *place);
    Ok(done.into_iter().map(|(_, look)| look).collect())
}

/// What is known of a replica that turned out to keep the head, and was told nothing: what it was given before may still
/// be pinned there, and is let go with the next head.
fn kept(known: Delivered, head: Cid, manifest: Cid) -> Delivered {
    let mut begun = known.begun.clone();
    begun.extend(known.head.filter(|before| *before != head && !known.begun.contains(before)));
    begun.retain(|before| *before != head);
    Delivered { begun, ..given(known, head, manifest) }
}

/// What a replica was told in a repair.
enum Told {
    Nothing,
    /// Something, and then it failed.
    Some,
    /// To keep the head, and to let go all before but those of which nothing is known.
    All(Vec<Cid>),
}

async fn look_at(
    reader: &ChainReader,
    name: &ChainName,
    replica: &NamedReplica,
    blocks: &[Cid],
    notes: &Notes,
    looking: Looking,
) -> Result<(Look, Told), OpsError> {
    let known = notes.of(replica);
    let mut look = Look {
        name: replica.name.clone(),
        url: replica.url.to_string(),
        head: known.head,
        holding: None,
        blocks: blocks.len() as u64,
        missing: None,
        repaired: 0,
        ahead: false,
        failure: None,
    };
    // One that is ahead is looked at and left as it is.
    let (before, ahead) = match looking.repair {
        false => (None, None),
        true => match known_heads(reader, name, replica, &known, true).await? {
            Ok(before) => (Some(before), None),
            Err(error) => (None, Some(error)),
        },
    };
    let repair = before.map(|Known { begun, last, unknown, own }| {
        let previous = known.head.filter(|_| last);
        (Repair { previous, begun, judged: own, told: Cell::new(false) }, unknown)
    });
    let begin = || notes.begin(replica, &known, reader.head());
    let (repair, unknown) = repair.unzip();
    let looked =
        look_into(reader, name, replica, blocks, repair.as_ref(), &begin, looking.deadline, &mut look);
    let looked = looked.await?;
    let told = match (&looked, unknown) {
        (Ok(true), Some(unknown)) => Told::All(unknown),
        (Err(_), Some(_)) if repair.is_some_and(|repair| repair.told.get()) => Told::Some,
        _ => Told::Nothing,
    };
    if let Some(error) = looked.err().or(ahead) {
        look.ahead = matches!(error, ReplicaError::Ahead(_));
        look.failure = Some(said(&error));
    }
    Ok((look, told))
}

/// What a repair may do.
struct Repair {
    /// The head that the replica was given last, and those that it was told to keep: it may let them go.
    previous: Option<Cid>,
    begun: Vec<Cid>,
    /// The head that a replica in the file system named itself.
    judged: Option<Cid>,
    /// Whether it was told to keep something.
    told: Cell<bool>,
}

/// Without `repair` it is looked at only. Whether something was brought; `begin` is called before. The inner error is the
/// replica's.
#[expect(clippy::too_many_arguments, reason = "each is another thing, and there is one caller")]
async fn look_into(
    reader: &ChainReader,
    name: &ChainName,
    replica: &NamedReplica,
    blocks: &[Cid],
    repair: Option<&Repair>,
    begin: &dyn Fn() -> Result<(), OpsError>,
    deadline: Duration,
    look: &mut Look,
) -> Result<Result<bool, ReplicaError>, OpsError> {
    let head = reader.head();
    let seen = Cell::new(0);
    let first = async {
        // What says nothing of itself is not looked at, unless it is about to be replaced.
        match replica.replica.own_head(name, &reader.root()) {
            Err(ReplicaError::Damaged(_)) if repair.is_some() => {}
            own => _ = own?,
        }
        look.holding = Some(replica.replica.holding(&head).await?);
        match lacking(replica, blocks, &seen).await {
            Ok((lacking, damaged)) => {
                look.missing = Some(lacking.len() as u64);
                Ok((lacking, damaged))
            }
            Err(ReplicaError::Remote(RemoteError::Unsupported(_))) => Ok((blocks.to_vec(), false)),
            Err(error) => Err(error),
        }
    };
    let looked = match tokio::time::timeout(deadline, first).await {
        Ok(looked) => looked,
        Err(_) if seen.get() == 0 => Err(RemoteError::TimedOut(deadline).into()),
        Err(_) => Err(ReplicaError::Slow { seen: seen.get(), blocks: blocks.len() as u64, deadline }),
    };
    let (lacking, damaged) = match looked {
        Ok(looked) => looked,
        Err(error) => return Ok(Err(error)),
    };
    let Some(repair) = repair.filter(|_| !look.is_sound()) else { return Ok(Ok(false)) };
    if damaged {
        // They may be taken from under their pin; whatever is collected meanwhile has to be at hand.
        for cid in blocks {
            reader.archived(cid)?;
        }
    }
    begin()?;
    repair.told.set(true);
    Ok(bring_again(reader, name, replica, blocks, lacking, repair, look).await.map(|()| true))
}

/// Brings what is missing, and looks again.
async fn bring_again(
    reader: &ChainReader,
    name: &ChainName,
    replica: &NamedReplica,
    blocks: &[Cid],
    mut lacking: Vec<Cid>,
    repair: &Repair,
    look: &mut Look,
) -> Result<(), ReplicaError> {
    let (head, mut judged) = (reader.head(), repair.judged);
    for _ in 0..ROUNDS {
        if replica.replica.takes_all() {
            lacking = blocks.to_vec();
        } else if lacking.last() != Some(&head) {
            lacking.push(head);
        }
        let delivery = Delivery {
            name,
            root: reader.root(),
            head,
            previous: repair.previous,
            begun: &repair.begun,
            judged,
            repairs: true,
            resumes: false,
            confirmed: &Cell::new(0),
            blocks: &lacking,
            whole: blocks,
            size: &|cid| reader.archive().size(cid),
            read: &|cid| reader.archived(cid),
        };
        replica.replica.deliver(&delivery).await?;
        judged = Some(head);
        look.repaired += if replica.replica.fetches() { 0 } else { lacking.len() as u64 };
        look.holding = Some(replica.replica.holding(&head).await?);
        if look.missing.is_some() {
            lacking = self::lacking(replica, blocks, &Cell::new(0)).await?.0;
            look.missing = Some(lacking.len() as u64);
        }
        if look.is_sound() {
            break;
        }
    }
    Ok(())
}

/// The blocks that a replica does not give back, in order, and whether it gives other bytes for one. `seen`: how many
/// it gave.
async fn lacking(
    replica: &NamedReplica,
    blocks: &[Cid],
    seen: &Cell<u64>,
) -> Result<(Vec<Cid>, bool), ReplicaError> {
    let mut fetches = stream::iter(blocks)
        .map(|cid| async move {
            match replica.replica.get(cid).await {
                Ok(Some(_)) => Ok(None),
                Ok(None) => Ok(Some((*cid, false))),
                Err(ReplicaError::Remote(RemoteError::Lied(_))) => Ok(Some((*cid, true))),
                Err(error) => Err(error),
            }
        })
        .buffered(FETCHES);
    let (mut lacking, mut damaged) = (Vec::new(), false);
    while let Some(fetched) = fetches.next().await {
        match fetched? {
            Some((cid, is_damaged)) => {
                lacking.push(cid);
                damaged |= is_damaged;
            }
            None => seen.set(seen.get() + 1),
        }
    }
    Ok((lacking, damaged))
}
