//! Looks at what replicas keep: every block is fetched and hashed, and what is missing brought again.

use std::collections::BTreeMap;

use futures_util::{StreamExt as _, stream};
use serde::{Serialize, Serializer};

use super::delta::delta;
use super::kin::{Known, known_heads};
use super::replicate::{begin, deliver, given, notes_error, read_deliveries, said};
use super::{ChainReader, OpsError, Progress};
use crate::model::{ChainName, Cid};
use crate::store::Delivered;
use crate::store::remote::{Holding, NamedReplica, RemoteError, Replica as _, ReplicaError};

/// How often what was collected during a repair is brought again.
const ROUNDS: usize = 3;
/// Blocks that are fetched from one replica at the same time.
const FETCHES: usize = 32;

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
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

impl Look {
    /// Whether the replica keeps the archive's head and all below, as far as can be seen.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.failure.is_none() && self.holding == Some(Holding::Pinned) && self.missing.unwrap_or(0) == 0
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

/// Asks every replica for every block that the archive's head needs and hashes what it gives. `repair`: what is
/// missing is brought again, and the head pinned.
///
/// # Errors
/// Those of the archive, and of the notes beside it.
pub async fn look(
    reader: &ChainReader,
    name: &ChainName,
    replicas: &[NamedReplica],
    repair: bool,
    progress: &mut Progress<'_>,
) -> Result<Vec<Look>, OpsError> {
    let (blocks, manifest) = (delta(reader, None, reader.head())?, reader.newest()?.0);
    let mut deliveries = read_deliveries(reader, name)?;
    let mut notes: BTreeMap<String, Delivered> = BTreeMap::new();
    let mut looks = Vec::new();
    let of = |replica: &NamedReplica| deliveries.of(&replica.name, &replica.url.to_string());
    let known: Vec<Delivered> = replicas.iter().map(of).collect();
    if repair {
        // Whoever ends this program in the middle leaves a note of what may be pinned already.
        let begun = replicas.iter().zip(&known);
        let begun = begun.map(|(replica, known)| (replica.name.clone(), begin(known.clone(), reader.head())));
        deliveries.write(begun.collect()).map_err(|source| notes_error(reader, name, source))?;
    }
    for (done, (replica, known)) in replicas.iter().zip(known).enumerate() {
        progress("looking at replicas", done as u64, Some(replicas.len() as u64));
        let (look, told) = look_at(reader, name, replica, &blocks, &known, repair).await?;
        let delivered = match told {
            Told::All(begun) => Delivered { begun, ..given(known, reader.head(), manifest) },
            Told::Nothing if repair && look.is_sound() => given(known, reader.head(), manifest),
            Told::Nothing => known,
            Told::Some => begin(known, reader.head()),
        };
        notes.insert(replica.name.clone(), delivered);
        looks.push(look);
    }
    if repair {
        deliveries.write(notes).map_err(|source| notes_error(reader, name, source))?;
    }
    Ok(looks)
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
    known: &Delivered,
    repair: bool,
) -> Result<(Look, Told), OpsError> {
    let mut look = Look {
        name: replica.name.clone(),
        url: replica.url.to_string(),
        head: known.head,
        holding: None,
        blocks: blocks.len() as u64,
        missing: None,
        repaired: 0,
        failure: None,
    };
    // One that is ahead is looked at and left as it is.
    let (before, ahead) = match repair {
        false => (None, None),
        true => match known_heads(reader, name, replica, known).await? {
            Ok(before) => (Some(before), None),
            Err(error) => (None, Some(error)),
        },
    };
    let previous = known.head.filter(|_| before.as_ref().is_some_and(|before| before.last));
    let (begun, unknown) = before.map(|Known { begun, unknown, .. }| (begun, unknown)).unzip();
    let before = begun.map(|begun| (previous, begun));
    let looked = look_into(reader, name, replica, blocks, before, &mut look).await;
    let told = match (&looked, unknown) {
        (Ok(true), Some(unknown)) => Told::All(unknown),
        (Err(_), Some(_)) => Told::Some,
        _ => Told::Nothing,
    };
    if let Some(error) = looked.err().or(ahead) {
        look.failure = Some(said(&error));
    }
    Ok((look, told))
}

/// `before`: the heads that it may let go when it is repaired; without them it is looked at only. Whether something was
/// brought.
async fn look_into(
    reader: &ChainReader,
    name: &ChainName,
    replica: &NamedReplica,
    blocks: &[Cid],
    before: Option<(Option<Cid>, Vec<Cid>)>,
    look: &mut Look,
) -> Result<bool, ReplicaError> {
    let head = reader.head();
    look.holding = Some(replica.replica.holding(&head).await?);
    let (mut lacking, damaged) = match lacking(replica, blocks).await {
        Ok((lacking, damaged)) => {
            look.missing = Some(lacking.len() as u64);
            (lacking, damaged)
        }
        Err(ReplicaError::Remote(RemoteError::Unsupported(_))) => (blocks.to_vec(), false),
        Err(error) => return Err(error),
    };
    let Some((previous, begun)) = before.filter(|_| !look.is_sound()) else { return Ok(false) };
    if damaged {
        // They may be taken from under their pin; whatever is collected meanwhile has to be at hand.
        for cid in blocks {
            reader.archived(cid)?;
        }
    }
    for _ in 0..ROUNDS {
        if replica.replica.takes_all() {
            lacking = blocks.to_vec();
        } else if lacking.last() != Some(&head) {
            lacking.push(head);
        }
        deliver(reader, name, replica, (previous, &begun), true, &lacking).await?;
        look.repaired += if replica.replica.fetches() { 0 } else { lacking.len() as u64 };
        look.holding = Some(replica.replica.holding(&head).await?);
        if look.missing.is_some() {
            lacking = self::lacking(replica, blocks).await?.0;
            look.missing = Some(lacking.len() as u64);
        }
        if look.is_sound() {
            break;
        }
    }
    Ok(true)
}

/// The blocks that a replica does not give back, in order, and whether it gives other bytes for one.
async fn lacking(replica: &NamedReplica, blocks: &[Cid]) -> Result<(Vec<Cid>, bool), ReplicaError> {
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
        if let Some((cid, is_damaged)) = fetched? {
            lacking.push(cid);
            damaged |= is_damaged;
        }
    }
    Ok((lacking, damaged))
}
