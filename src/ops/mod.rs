//! Use cases, one a file: the only place where scripts, databases, stores and chains meet. No command
//! line, no printing, no environment; keys, waits and clocks are handed in.

pub mod absent;
pub mod access;
mod allowance;
pub mod apply;
pub mod audit;
mod chain;
mod checking;
pub mod clearance;
pub mod compact;
pub mod corroborate;
pub mod delta;
pub mod erase;
mod error;
mod event;
pub mod evidence;
pub mod export;
pub mod fetch;
mod gate;
pub mod gdpr;
pub mod gossip;
pub mod grant;
pub mod guard;
pub mod heads;
pub mod hooks;
pub mod import;
pub mod init;
mod intended;
pub mod kept;
pub mod key;
mod kin;
pub mod lint;
pub mod log;
pub mod look;
pub mod mirror;
mod notes;
mod outbox;
mod own_event;
mod plan;
pub mod planning;
pub mod policy;
pub mod promotion;
pub mod publish;
pub mod record;
pub mod repair;
pub mod replay;
pub mod replicate;
pub mod report;
pub mod restore_vault;
pub mod restored;
pub mod rollback;
pub mod scan;
pub mod sealed;
mod sealing;
pub mod served;
mod session;
pub mod show;
pub mod source;
pub mod standings;
pub mod status;
pub mod subject;
pub mod timestamp;
pub mod tokens;
mod told;
pub mod trust;
pub mod verify;
pub mod witness;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub use chain::ChainReader;
pub use error::OpsError;
pub use outbox::Archived;
pub use plan::{Pending, Problem, Wanted};
pub use promotion::PromotionPolicy;
pub use sealed::{OpenOwner, OwnerUnavailable};
pub use sealing::VaultPlace;

use crate::crypto::Signer;
use crate::model::{Actor, ChainName, Cid, PlanPolicy, Timestamp};
use crate::privacy::Publish;
use crate::scripts::Dialect;

/// Where a project keeps its things.
#[derive(Clone, Debug)]
pub struct Project {
    pub name: ChainName,
    /// CID of manifest 0, where the settings name it: no other chain is continued.
    pub chain: Option<Cid>,
    /// Folder of scripts.
    pub migrations: PathBuf,
    /// The tool whose folder it is and whose history is kept, where greffe applies for one.
    pub tool: Option<kept::KeptTool>,
    /// What its scripts are written in.
    pub dialect: Dialect,
    /// How events call the database.
    pub database_name: String,
    /// Whether the schema's fingerprint is taken around each script.
    pub fingerprint: bool,
    /// Folder of the archive.
    pub archive: PathBuf,
    pub actor: Actor,
    /// Commit, job and pipeline of the build that runs this program; `None` outside of one.
    pub ci: Option<serde_json::Map<String, serde_json::Value>>,
    /// How long to wait for another run.
    pub lock_wait: Duration,
    /// Which scripts are archived in clear.
    pub publish: Publish,
    /// What has to be there before scripts run.
    pub approval: PlanPolicy,
    /// Where scripts have to have run before, where that is asked for.
    pub promotion: Option<PromotionPolicy>,
    /// Where the keys of the others are.
    pub vault: VaultPlace,
    /// Which packs of rules hold.
    pub policy: policy::PolicyWanted,
    pub owner: OpenOwner,
    /// Where hooks are, and how they are asked.
    pub hooks: hooks::HookSettings,
}

/// Opens the signing key; called once, and only when something has to be signed.
pub type OpenKey = Box<dyn FnOnce() -> Result<Arc<dyn Signer>, KeyUnavailable> + Send>;

/// Why there is no signing key.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct KeyUnavailable {
    pub message: String,
    /// What mends it.
    pub hint: String,
}

/// Progress of long work: what, how much is done, out of how much if that is known.
pub type Progress<'a> = dyn FnMut(&str, u64, Option<u64>) + 'a;

/// The day in UTC, as `2026-11-22`.
#[must_use]
pub fn today() -> String {
    now().to_string().chars().take(10).collect()
}

/// The time, by the clock of this machine.
#[must_use]
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros())
        .ok()
        .and_then(Timestamp::from_microseconds)
        .unwrap_or_else(|| Timestamp::from_microseconds(0).expect("1970 is a year that can be written"))
}
