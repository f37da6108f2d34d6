//! Brings keys back from a backup of the vault; what the chain says to be erased stays erased.

use std::collections::{BTreeSet, HashSet};

use serde::Serialize;

use super::chain::OpenChain;
use super::session::require_same_chain;
use super::{ChainReader, OpsError, Project, now};
use crate::model::{Details, Pseudonym, Timestamp};
use crate::vault::{OwnerKey, Restored, Vault, Wanted};

const DAY: i64 = 86_400_000_000;

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    #[serde(flatten)]
    pub restored: Restored,
    /// Files that the chain says to be erased.
    pub erased: usize,
    /// Pseudonyms that it says to be forgotten.
    pub forgotten: usize,
}

/// Adds to the vault what a backup, which is not older than `kept` days, has of the project's chain. Nobody erases
/// meanwhile.
///
/// # Errors
/// Those of the archive, the backup and the vault; nothing was written then.
pub async fn restore_vault(
    project: &Project,
    vault: &mut Vault,
    backup: &[u8],
    owner: &dyn OwnerKey,
    kept: u32,
) -> Result<Outcome, OpsError> {
    // An erasure in between would say what this brings back to be erased.
    let chain = OpenChain::open(&project.archive, &project.name, project.lock_wait, None)?;
    require_same_chain(project, chain.reader.root())?;
    let told = Told::read(&chain.reader)?;
    let now = now();
    let oldest = now.as_microseconds().saturating_sub(i64::from(kept) * DAY);
    let wanted = Wanted {
        chain: &chain.reader.root(),
        erased: &told.erased,
        forgotten: &told.forgotten,
        oldest: Timestamp::from_microseconds(oldest).unwrap_or(now),
        now,
    };
    let restored = vault.restore(backup, owner, &wanted).await?;
    Ok(Outcome { restored, erased: told.erased.len(), forgotten: told.forgotten.len() })
}

/// What the chain says to be gone.
#[derive(Default)]
struct Told {
    erased: HashSet<String>,
    forgotten: BTreeSet<Pseudonym>,
}

impl Told {
    fn read(reader: &ChainReader) -> Result<Self, OpsError> {
        let mut told = Self::default();
        let mut next = Some(reader.newest()?.0);
        while let Some(cid) = next {
            let entry = reader.entry(&cid)?;
            next = entry.manifest.prev;
            if let Details::Erase { erased, reach, .. } = entry.statement.event.details {
                told.erased.extend(erased.iter().map(ToString::to_string));
                told.forgotten.extend(reach.into_iter().flat_map(|reach| reach.forgotten));
            }
        }
        Ok(told)
    }
}
