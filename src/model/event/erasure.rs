//! How far an erasure reached.

use serde::{Deserialize, Serialize};

use crate::model::{Pseudonym, Timestamp};

/// How far an erasure reaches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ErasureReach {
    /// The owner's own reference of the request; no name.
    pub request: String,
    /// When the last backup that may hold a key is gone.
    pub effective_at: Timestamp,
    /// What each place that may hold a copy of a block came to.
    pub places: Vec<ErasurePlace>,
    /// Pseudonyms of whom the vault forgot who they are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub forgotten: Vec<Pseudonym>,
    /// Why something that was asked for is not erased; nothing where all of it is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<Left>,
}

/// Why something that was to be erased is still there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", remote = "Self")]
pub enum Left {
    /// A hold forbids it.
    Held,
    /// It has to be kept for longer.
    Kept,
    /// The vault has no row for its key.
    NoKey,
    /// It was archived in clear.
    InClear,
    /// Other entries have a script of the same migration.
    Elsewhere,
    /// Somebody was granted its key, and the grant has not ended.
    Granted,
}

/// What became of the blocks at one place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ErasurePlace {
    /// The replica's name in the settings, or which entry of the access chain.
    pub place: String,
    pub outcome: PlaceOutcome,
}

/// What a place did with blocks that are to be erased. Without its key a block tells nothing either way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", remote = "Self")]
pub enum PlaceOutcome {
    Gone,
    StillServed,
    Unreachable,
    Unsupported,
    /// No place, but somebody who was given the key.
    Granted,
}

crate::model::text::as_word!(Left, PlaceOutcome);
