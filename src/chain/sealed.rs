//! What became of sealed files (FORMAT §8): which of them open, and why the others do not.

use std::collections::{BTreeSet, HashSet};

use serde::Serialize;

use super::entry::EntryVerdict;
use super::finding::{Fault, Finding};
use super::report::Report;
use crate::codec::sealed::{ContentKeys, Found, key_id, open};
use crate::model::{Cid, EventId, FileName};

/// What a sealed file is to whoever looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SealedState {
    /// It opened and is what its log commits to.
    Open,
    /// There is no key for it here, or none that can be read.
    Sealed,
    /// There is no key for it any more, and an `erase` event says so.
    Erased,
    /// There is no key for it any more, and nothing says so.
    Lost,
    /// It does not open to what its log commits to.
    Tampered,
    /// Its bytes are not there.
    Missing,
}

/// A sealed file of a chain that was verified.
#[derive(Clone, Debug)]
pub struct SealedFile {
    pub seq: u64,
    pub manifest: Cid,
    /// `None` where the log could not be read.
    pub event: Option<EventId>,
    pub cid: Cid,
    pub name: FileName,
    /// As the log has it.
    pub commitment: Option<String>,
    pub state: SealedState,
}

/// How many sealed files are in which state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SealedCounts {
    pub open: u64,
    pub sealed: u64,
    pub erased: u64,
    pub lost: u64,
    pub tampered: u64,
    pub missing: u64,
}

impl SealedCounts {
    pub(super) fn of(states: impl Iterator<Item = SealedState>) -> Self {
        let mut counts = Self::default();
        states.for_each(|state| counts.add(state));
        counts
    }

    /// Counts files that are known in short, once all erasures are known.
    pub(super) fn add_short(&mut self, files: &[InShort], erased: &HashSet<Cid>) {
        let erased: HashSet<[u8; 16]> = erased.iter().map(front).collect();
        for (front, state) in files {
            self.add(if erased.contains(front) { after_erasure(*state) } else { *state });
        }
    }

    fn add(&mut self, state: SealedState) {
        *match state {
            SealedState::Open => &mut self.open,
            SealedState::Sealed => &mut self.sealed,
            SealedState::Erased => &mut self.erased,
            SealedState::Lost => &mut self.lost,
            SealedState::Tampered => &mut self.tampered,
            SealedState::Missing => &mut self.missing,
        } += 1;
    }
}

/// A sealed file that is only counted: the front of its digest, so that a long chain stays small, and its state.
pub(super) type InShort = ([u8; 16], SealedState);

pub(super) fn in_short(file: &SealedFile) -> InShort {
    (front(&file.cid), file.state)
}

fn front(cid: &Cid) -> [u8; 16] {
    let mut front = [0; 16];
    front.copy_from_slice(&cid.digest().0[..16]);
    front
}

fn after_erasure(state: SealedState) -> SealedState {
    match state {
        SealedState::Sealed | SealedState::Missing => SealedState::Erased,
        other => other,
    }
}

/// The sealed files of an entry, before anything is known of later ones.
pub(super) fn files_of(verdict: &EntryVerdict) -> Vec<SealedFile> {
    let sealed = verdict.manifest.iter().flat_map(|manifest| &manifest.files).filter(|file| file.sealed);
    let commitments = verdict.event.as_ref().and_then(|event| event.commitments());
    let file = |file: &crate::model::FileEntry| {
        let faults = verdict.faults.iter().filter(|(cid, _)| *cid == Some(file.cid));
        let state = faults.fold(SealedState::Sealed, |state, (_, fault)| match fault {
            Fault::BlockMissing => SealedState::Missing,
            Fault::BlockCorrupt | Fault::FileDigest { .. } | Fault::Malformed { .. } => SealedState::Tampered,
            _ => state,
        });
        SealedFile {
            seq: verdict.index,
            manifest: verdict.cid,
            event: verdict.event.as_ref().map(|event| event.id),
            cid: file.cid,
            name: file.name.clone(),
            commitment: commitments.and_then(|all| all.get(file.name.as_str())).cloned(),
            state,
        }
    };
    sealed.map(file).collect()
}

/// Says which files are erased, once all events are known.
pub(super) fn mark_erased(files: &mut [SealedFile], erased: &HashSet<Cid>) {
    for file in files.iter_mut().filter(|file| erased.contains(&file.cid)) {
        file.state = after_erasure(file.state);
    }
}

/// Gives the bytes of a file, `None` when they are not there.
pub type ReadFile<'a, E> = dyn FnMut(&Cid) -> Result<Option<Vec<u8>>, E> + 'a;

impl Report {
    /// Opens what `keys` open, and says in the report what came of it. Files that an earlier step found to be tampered
    /// with or missing are not looked at again.
    ///
    /// # Errors
    /// What `read` returns.
    pub fn open_sealed<E>(&mut self, keys: &dyn ContentKeys, read: &mut ReadFile<'_, E>) -> Result<(), E> {
        let mut files = std::mem::take(&mut self.sealed_files);
        let mut opened = BTreeSet::new();
        for file in &mut files {
            let looks = matches!(file.state, SealedState::Sealed | SealedState::Erased);
            let (true, Some(event)) = (looks, file.event) else { continue };
            let Some(bytes) = read(&file.cid)? else { continue };
            let name = || file.name.clone();
            let (state, fault) = match judge(file, event, &bytes, keys) {
                // A key of an old copy of the vault, say.
                Judgement::State(SealedState::Open) if file.state == SealedState::Erased => {
                    (SealedState::Open, Some(Fault::ErasedButOpens { name: name() }))
                }
                Judgement::State(SealedState::Lost) => {
                    (SealedState::Lost, Some(Fault::SealedLost { name: name() }))
                }
                Judgement::State(state) => (state, None),
                Judgement::Tampered(detail) => {
                    (SealedState::Tampered, Some(Fault::SealedTampered { name: name(), detail }))
                }
                Judgement::KeyDamaged => {
                    (SealedState::Sealed, Some(Fault::SealedKeyDamaged { name: name() }))
                }
            };
            file.state = state;
            if file.state == SealedState::Open {
                opened.insert(file.manifest);
            }
            if let Some(fault) = fault {
                self.add(Finding { seq: Some(file.seq), cid: Some(file.cid), fault });
            }
        }
        self.sealed_states = SealedCounts::of(files.iter().map(|file| file.state));
        self.sealed_files = files;
        self.opened = opened.into_iter().collect();
        Ok(())
    }
}

/// What came of opening a file.
enum Judgement {
    State(SealedState),
    Tampered(String),
    /// There is a key for it that cannot be read.
    KeyDamaged,
}

fn judge(file: &SealedFile, event: EventId, bytes: &[u8], keys: &dyn ContentKeys) -> Judgement {
    let kid = match key_id(bytes) {
        Ok(kid) => kid,
        Err(error) => return Judgement::Tampered(error.to_string()),
    };
    let key = match keys.find(&kid) {
        Found::Key(key) => key,
        // A key that is still there opens it, whatever an event says; one that is gone does not.
        Found::Gone | Found::Damaged if file.state == SealedState::Erased => {
            return Judgement::State(SealedState::Erased);
        }
        Found::Gone => return Judgement::State(SealedState::Lost),
        Found::NotHere => return Judgement::State(file.state),
        Found::Damaged => return Judgement::KeyDamaged,
    };
    let commitment = file.commitment.as_deref().unwrap_or_default();
    match open(bytes, &key, event, &file.name, commitment) {
        Ok(_) => Judgement::State(SealedState::Open),
        Err(error) => Judgement::Tampered(error.to_string()),
    }
}
