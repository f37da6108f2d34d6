//! What a run is about to do, as plans and approvals speak of it.

use sha2::{Digest as _, Sha256};

use super::policy::asked::Asked;
use crate::codec::unixfs::build_file;
use crate::crypto::Digest;
use crate::database::History;
use crate::model::{Direction, FileDigests, PlannedFile, PlannedMigration, Role};
use crate::scripts::{Migration, Script};

/// What is about to run.
pub struct Intended<'a> {
    pub direction: Direction,
    /// In their order.
    pub migrations: Vec<PlannedMigration>,
    /// What is applied before.
    pub history: &'a History,
    /// Whether a script of it is to be sealed.
    pub sealed: bool,
    /// The policy packs that are asked about it, where some are in force.
    pub policy: Option<&'a Asked>,
}

/// A migration that is to be applied.
#[must_use]
pub fn to_apply(migration: &Migration) -> PlannedMigration {
    // A file that holds both ways is one file.
    let down = migration.down.as_ref().filter(|down| down.file_name != migration.up.file_name);
    let files =
        [Some(planned_file(Role::Up, &migration.up)), down.map(|down| planned_file(Role::Down, down))];
    PlannedMigration {
        version: migration.version.to_string(),
        transaction: migration.up.transaction,
        files: files.into_iter().flatten().collect(),
    }
}

/// A way down that is to run.
#[must_use]
pub fn to_roll_back(version: &str, script: &Script) -> PlannedMigration {
    PlannedMigration {
        version: version.to_owned(),
        transaction: script.transaction,
        files: vec![planned_file(Role::Down, script)],
    }
}

fn planned_file(role: Role, script: &Script) -> PlannedFile {
    PlannedFile {
        role,
        name: script.file_name.clone(),
        cid: build_file(&script.bytes, &mut |_| ()),
        size: script.bytes.len() as u64,
    }
}

/// SHA-256 over what is applied and what is cut short: a line for each version, in the order of their bytes, with the
/// digest of its script.
#[must_use]
pub fn history_digest(history: &History) -> Digest {
    let mut hasher = Sha256::new();
    let mut line = |word: &str, version: &str, up: Option<&FileDigests>| {
        let digest = up.map_or_else(|| "-".to_owned(), |up| up.raw.to_string());
        hasher.update(format!("{word} {digest} {version}\n"));
    };
    for (version, applied) in &history.applied {
        line("applied", version, applied.up.as_ref());
    }
    for (version, row) in &history.half_applied {
        line("half", version, row.up.as_ref());
    }
    Digest(hasher.finalize().into())
}
