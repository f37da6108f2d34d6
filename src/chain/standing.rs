//! Verification that goes on from where an earlier one ended.
//!
//! What an earlier verification without a finding leaves behind is a [`Standing`]: the right edges of the trees, the
//! trust in force, what the next entry has to fit. It has the same size after ten thousand entries as after a million.
//! What grows with the chain are identifiers that must not come twice and versions that are applied; these are
//! [`Said`], kept elsewhere, and what new entries say about older ones comes back as [`Claim`]s to be looked up there.
//!
//! The new head has to be what the standing and the new entries make together, to the last bit, so nothing can have
//! changed before the standing without a finding. That the older blocks are still there and whole is not looked at.
//! A standing is a memory, too: a head that does not go on from it was cut back, or is another version.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::planned::Running;
use super::snapshot::{EntriesTree, Snapshot};
use super::story::Story;
use super::tree::MerkleTree;
use super::verify::Verifier;
use super::walk::Item;
use crate::codec::note::{Note, decode_checkpoint};
use crate::codec::tiles::{DIRECTORY_WIDTH, TILE_WIDTH, push_entry};
use crate::codec::trust::{decode_trust, encode_trust};
use crate::codec::unixfs::DirectoryBuilder;
use crate::crypto::{Digest, KeyId, PublicKey};
use crate::model::{Cid, ENTRIES_WIDTH, EventId, Remembered, Timestamp};

/// New entries that are fetched one by one; for more a whole file is worth it.
const FEW: u64 = 1000;
/// Plans that are kept; a run is hardly ever longer away from its plan.
const PLANS: usize = 8;

/// What an identifier or a version is known by: 16 bytes of it or of its digest.
pub type SaidKey = [u8; 16];

/// A chain at the end of a verification without a finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Standing {
    /// CID of manifest 0.
    pub chain: Cid,
    /// Entries so far.
    pub size: u64,
    /// The newest manifest.
    last: Cid,
    head: Cid,
    /// Its signed checkpoint.
    checkpoint: String,
    /// By how many microseconds times were allowed to run backwards.
    tolerance: i64,
    /// The trust document in force, as text.
    trust: String,
    /// Every public key that a trust document had so far, in base64.
    keys: Vec<String>,
    genesis_roots: Vec<KeyId>,
    newest: Option<Timestamp>,
    /// Algorithm and digest of the newest schema.
    schema: Option<(String, Digest)>,
    /// Hashes of the unfinished tiles, lowest level first.
    tree: Vec<Vec<Digest>>,
    /// Links of the unfinished nodes, lowest level first.
    entries: Vec<Vec<Cid>>,
    /// Links of the directory of full tiles: paths, CIDs, bytes below.
    tiles: Vec<(String, Cid, u64)>,
    /// The newest plans of which more may run, by their manifests. Who runs by an older one makes the next verification
    /// read all.
    #[serde(default)]
    plans: Vec<(Cid, Running)>,
}

/// What entries said that later ones have to fit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    pub events: Vec<SaidKey>,
    /// Versions, and whether they count as applied in the end.
    pub versions: Vec<(SaidKey, bool)>,
}

/// What a new entry says of older ones, which were not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// No older event has this identifier.
    New { seq: u64, id: EventId },
    /// Older events leave this version applied, or not.
    Version { seq: u64, version: String, applied: bool },
    /// No older entry stands on a key that this one says was stolen before. Only reading them all can tell.
    Unstolen { seq: u64 },
}

/// How a version is known in [`Said`].
#[must_use]
pub fn version_key(version: &str) -> SaidKey {
    let mut key = [0; 16];
    key.copy_from_slice(&Digest::of(version.as_bytes()).0[..16]);
    key
}

/// How a verification ended that goes on from an earlier one, or that a later one may go on from.
#[derive(Clone, Debug)]
pub struct Continued {
    /// What it went on from: so many entries, and the newest manifest of them.
    pub since: Option<(u64, Cid)>,
    /// What only those can answer who remember what older entries said.
    pub claims: Vec<Claim>,
    /// Where it ended; `None` after a finding.
    pub standing: Option<Standing>,
    /// What the entries that were read said.
    pub said: Said,
}

type Find = dyn Fn(&Cid) -> Option<Standing> + Send + Sync;

/// Finds the standing of a chain.
#[derive(Clone)]
pub struct Recall {
    find: Arc<Find>,
    goes_on: bool,
}

impl Recall {
    /// Asks `find` for the standing of a chain, by the CID of manifest 0.
    pub fn new(find: impl Fn(&Cid) -> Option<Standing> + Send + Sync + 'static) -> Self {
        Self { find: Arc::new(find), goes_on: true }
    }

    /// The same where all is read, and the standing is only remembered.
    #[must_use]
    pub fn to_compare(self) -> Self {
        Self { goes_on: false, ..self }
    }
}

impl fmt::Debug for Recall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Recall")
    }
}

/// What a standing stands for.
struct Restored {
    story: Story,
    snapshot: Snapshot,
}

impl Standing {
    /// What a verifier remembers of the head.
    #[must_use]
    pub fn remembered(&self) -> Remembered {
        let (chain, manifest, head) = (self.chain, self.last, self.head);
        let checkpoint = Some(self.checkpoint.clone());
        Remembered { chain, seq: self.size.saturating_sub(1), manifest, head, checkpoint }
    }

    /// How many entries, and the newest manifest.
    #[must_use]
    pub fn place(&self) -> (u64, Cid) {
        (self.size, self.last)
    }

    /// Whether nothing else that is remembered speaks against it. An older memory was put in the place of a newer one.
    fn agrees_with(&self, remembered: &[Remembered]) -> bool {
        let own = self.remembered();
        let of_chain = remembered.iter().filter(|seen| seen.chain == self.chain);
        of_chain
            .into_iter()
            .all(|seen| seen.seq > own.seq || (seen.seq == own.seq && seen.manifest == own.manifest))
    }

    /// `None` where it contradicts itself.
    fn restore(&self, tolerance: i64) -> Option<Restored> {
        let tree = size_of_edge(TILE_WIDTH, self.tree.iter().map(Vec::len));
        let entries = size_of_edge(ENTRIES_WIDTH as u64, self.entries.iter().map(Vec::len));
        if self.size == 0 || tree != Some(self.size) || entries != Some(self.size) {
            return None;
        }
        let mut directory = DirectoryBuilder::default();
        self.tiles.iter().for_each(|(path, cid, size)| directory.insert(path, *cid, *size));
        let mut bundle = Vec::new();
        self.entries.first()?.iter().for_each(|manifest| push_entry(&mut bundle, manifest));
        let keys = self.keys.iter().map(|key| PublicKey::parse_base64(key).ok().map(|key| (key.id(), key)));
        let story = Story {
            chain: Some(self.chain),
            last: Some(self.last),
            count: self.size,
            trust: Some(Arc::new(decode_trust(self.trust.as_bytes()).ok()?)),
            keys: Arc::new(keys.collect::<Option<BTreeMap<_, _>>>()?),
            genesis_roots: self.genesis_roots.clone(),
            newest: self.newest,
            signed: self.size,
            schema: self.schema.clone(),
            since: Some((self.size, self.last)),
            plans: self.plans.iter().map(|(manifest, plan)| (*manifest, Some(plan.clone()))).collect(),
            ..Story::new(tolerance)
        };
        let snapshot = Snapshot {
            merkle: MerkleTree::restore(self.size, self.tree.clone()),
            entries: EntriesTree::restore(self.entries.clone()),
            directory,
            bundle,
        };
        Some(Restored { story, snapshot })
    }
}

/// Leaves of a tree with so many links in the unfinished node of each level; `None` where none could be so.
fn size_of_edge(width: u64, lengths: impl Iterator<Item = usize>) -> Option<u64> {
    let mut size: u64 = 0;
    for (level, length) in (0_u32..).zip(lengths) {
        let length = u64::try_from(length).ok().filter(|length| *length < width)?;
        if length > 0 {
            size = size.checked_add(width.checked_pow(level)?.checked_mul(length)?)?;
        }
    }
    Some(size)
}

impl Verifier {
    /// Begins with the entries. Where an earlier verification may be gone on from, that waits until the checkpoint is
    /// there, which says of which chain it is, or cannot come any more.
    pub(super) fn begin_entries(&mut self) {
        let waits =
            |item: &Item| matches!(item, Item::Tlog { path, .. } if path.is_empty() || path == "checkpoint");
        let may_go_on = self.options.recall.is_some() && self.checkpoint.is_none();
        if self.waiting.is_none() || (may_go_on && self.items.iter().any(waits)) {
            return;
        }
        let Some(cid) = self.waiting.take() else { return };
        if let Some(Restored { story, snapshot }) = self.recall() {
            // Its tiles are made here and compared as a whole.
            self.items.retain(|item| !matches!(item, Item::Tlog { .. }));
            self.known = snapshot.entries.edge().iter().flatten().copied().collect();
            self.opened = story.count;
            (self.story, self.snapshot) = (story, snapshot);
        }
        if !self.known.contains(&cid) {
            self.items.push_back(Item::Entries { cid, depth: 0 });
        }
    }

    /// Whether it may still turn out that only few entries are read, or has.
    #[must_use]
    pub fn may_go_on(&self) -> bool {
        let few =
            |(since, _): (u64, Cid)| self.progress().1.is_some_and(|size| size.saturating_sub(since) <= FEW);
        self.options.recall.as_ref().is_some_and(|recall| recall.goes_on)
            && (!self.started || self.waiting.is_some() || self.story.since.is_some_and(few))
    }

    /// The standing of the chain whose checkpoint this is, where it can be gone on from. It is remembered in any case.
    fn recall(&mut self) -> Option<Restored> {
        let Recall { find, goes_on } = self.options.recall.clone()?;
        let note = Note::decode(self.checkpoint.as_ref()?).ok()?;
        let checkpoint = decode_checkpoint(&note.text).ok()?;
        let chain = checkpoint.origin.strip_prefix("greffe/")?.parse().ok()?;
        let standing = find(&chain).filter(|known| known.chain == chain)?;
        let restored = standing.restore(self.options.tolerance)?;
        let fits = standing.agrees_with(&self.options.remembered)
            && standing.size <= checkpoint.size
            && standing.tolerance <= self.options.tolerance;
        self.options.remembered.push(standing.remembered());
        (goes_on && fits).then_some(restored)
    }

    /// How it ended, for one that goes on from here. `sound`: without a finding.
    pub(super) fn continued(&self, sound: bool) -> Option<Box<Continued>> {
        self.options.recall.as_ref()?;
        let standing = if sound { self.standing() } else { None };
        Some(Box::new(Continued {
            since: self.story.since,
            claims: self.story.claims.clone(),
            standing,
            said: self.story.said(),
        }))
    }

    /// `None` when there is nothing to go on from.
    fn standing(&self) -> Option<Standing> {
        let (story, snapshot) = (&self.story, &self.snapshot);
        // Beyond 256,000,000 entries such a directory grows again; the next verification finds that and reads all.
        let full = |name: &str, links| name.starts_with('x') && links == DIRECTORY_WIDTH;
        Some(Standing {
            chain: story.chain?,
            size: story.count,
            last: story.last?,
            head: self.root,
            checkpoint: String::from_utf8(self.checkpoint.clone()?).ok()?,
            tolerance: self.options.tolerance,
            trust: String::from_utf8(encode_trust(story.trust.as_deref()?)).ok()?,
            keys: story.keys.values().map(PublicKey::to_base64).collect(),
            genesis_roots: story.genesis_roots.clone(),
            newest: story.newest,
            schema: story.schema.clone(),
            tree: snapshot.merkle.edge().to_vec(),
            entries: snapshot.entries.edge().to_vec(),
            tiles: snapshot.directory.links(&full),
            plans: self.running_plans(),
        })
    }

    fn running_plans(&self) -> Vec<(Cid, Running)> {
        let plans = self.story.plans.iter().filter_map(|(manifest, plan)| Some((*manifest, plan.clone()?)));
        let mut plans: Vec<(Cid, Running)> = plans.filter(|(_, plan)| plan.goes_on()).collect();
        plans.sort_by_key(|(_, plan)| std::cmp::Reverse(plan.seq));
        plans.truncate(PLANS);
        plans
    }
}
