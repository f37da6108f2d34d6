//! What is remembered of a guard's notes between two looks, so that each is told of once.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::database::guard::GuardCursor;

/// How far its notes have been read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GuardMemory {
    /// The installation; `None`: there was none.
    pub guard: Option<String>,
    /// Where to go on; `None`: from the first note.
    pub cursor: Option<GuardCursor>,
    /// Notes behind the cursor that are done with.
    pub done: BTreeSet<i64>,
    /// Changes that could not be noted, as far as they were told of.
    pub missed: u64,
    /// The ten minutes in which a change was told of last, counted from 1970.
    pub span: i64,
    /// Changes that were told of in it.
    pub told: u64,
}
