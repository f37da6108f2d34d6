//! How the keys of a chain change: a proposal is made, signed apart from each other, and appended once enough root keys
//! signed it. Until then it is a file, and the chain knows nothing of it.

pub mod apply;
mod edit;
pub mod history;
pub mod propose;

use std::path::PathBuf;
use std::time::Duration;

pub use edit::{Edits, NewKey, Revoke};

use super::{ChainReader, OpsError};
use crate::chain::{Appender, Proposal, ProposalError, Tally};
use crate::codec::policy::PolicyError;
use crate::crypto::KeyId;
use crate::model::{ChainName, Cid, KeyRole, Timestamp};

/// Which chain.
#[derive(Clone, Debug)]
pub struct ChainPlace {
    /// Folder of the archive.
    pub directory: PathBuf,
    pub name: ChainName,
    /// CID of manifest 0, where it is known: no other chain is meant.
    pub chain: Option<Cid>,
    /// How long to wait for another run.
    pub wait: Duration,
}

/// Why the keys of a chain are not changed.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    #[error(transparent)]
    Ops(Box<OpsError>),
    #[error(transparent)]
    Proposal(Box<ProposalError>),
    #[error("the proposal is of the chain {proposed}, and this is the chain {found}")]
    OtherChain { proposed: String, found: Cid },
    #[error("the proposal is for entry {proposed}, and the chain went on: its next entry is {next}")]
    Moved { proposed: u64, next: u64 },
    #[error("the proposal shows another trust document as the one in force than the chain has")]
    InForceDiffers,
    #[error(
        "the entry that the proposal follows is another one in this chain: it was made for another version of it"
    )]
    OtherBranch,
    #[error("too few root keys signed: {}", missing(.0))]
    Unsigned(Box<[Tally; 2]>),
    #[error("{0:?} names no key of the trust document")]
    UnknownKey(String),
    #[error("{0:?} names several keys of the trust document")]
    Ambiguous(String),
    #[error("key {0} is in the trust document already")]
    Listed(KeyId),
    #[error("key {keyid} is revoked since entry {since} already")]
    Revoked { keyid: KeyId, since: u64 },
    #[error("a key without a role signs nothing, and one has a role once")]
    Roles,
    #[error("a {0} threshold of 0 would let anybody sign")]
    ZeroThreshold(KeyRole),
    #[error("the policy cannot be read: {0}")]
    Policy(Box<PolicyError>),
    #[error("{0}: not a certificate in PEM")]
    Authority(&'static str),
    #[error("no authority of the trust document has the SHA-256 {0}")]
    UnknownAuthority(String),
    #[error("the proposal says {at}, and this machine's clock {now}: what comes after it would be older")]
    Future { at: Timestamp, now: Timestamp },
    #[error("nothing would change")]
    NoChange,
}

impl From<OpsError> for TrustError {
    fn from(error: OpsError) -> Self {
        Self::Ops(Box::new(error))
    }
}

impl From<ProposalError> for TrustError {
    fn from(error: ProposalError) -> Self {
        Self::Proposal(Box::new(error))
    }
}

/// What is missing under which document.
fn missing(tallies: &[Tally; 2]) -> String {
    let short = tallies.iter().filter(|tally| tally.missing() > 0);
    let told = short.map(|tally| {
        format!("version {} needs {} and has {}", tally.version, tally.needed, tally.signed.len())
    });
    told.collect::<Vec<_>>().join(", ")
}

/// What a chain continues with, read and not locked.
///
/// # Errors
/// Those of the archive; [`OpsError::OtherChain`].
pub fn look(place: &ChainPlace) -> Result<(ChainReader, Appender), OpsError> {
    let reader = ChainReader::open(&place.directory, &place.name)?;
    reader.require_end()?;
    if let Some(expected) = place.chain
        && expected != reader.root()
    {
        return Err(OpsError::OtherChain { expected, found: reader.root() });
    }
    let get = &mut |cid: &Cid| reader.archive().get(cid).map_err(Box::new);
    let appender = Appender::restore(&reader.head(), None, get)?;
    Ok((reader, appender))
}

/// Refuses a proposal that was made for another chain, or for another state of this one.
///
/// # Errors
/// [`TrustError::OtherChain`], [`TrustError::Moved`], [`TrustError::OtherBranch`], [`TrustError::InForceDiffers`].
pub fn require_fit(proposal: &Proposal, appender: &Appender, chain: Cid) -> Result<(), TrustError> {
    let event = &proposal.event;
    if event.chain != Some(chain) {
        let proposed = event.chain.map_or_else(|| "null".to_owned(), |chain| chain.to_string());
        return Err(TrustError::OtherChain { proposed, found: chain });
    }
    if event.seq != appender.size() {
        return Err(TrustError::Moved { proposed: event.seq, next: appender.size() });
    }
    if event.prev != appender.newest() {
        return Err(TrustError::OtherBranch);
    }
    if appender.trust() != Some(&proposal.in_force) {
        return Err(TrustError::InForceDiffers);
    }
    Ok(())
}
