//! Appends a proposal that enough root keys signed.

use serde::Serialize;

use super::{ChainPlace, TrustError, require_fit};
use crate::chain::{Block, Proposal, Tally};
use crate::crypto::{KeyId, Signer};
use crate::model::{Cid, KeyRole, TrustChange};
use crate::ops::chain::OpenChain;
use crate::ops::gate::require_clean;
use crate::ops::{OpsError, now};

/// By how many microseconds clocks may differ: what a verifier grants (FORMAT §9).
const TOLERANCE: i64 = 5_000_000;

/// What was appended.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Applied {
    /// Of the trust document that is in force now.
    pub version: u64,
    pub seq: u64,
    pub manifest: Cid,
    pub head: Cid,
    pub changes: Vec<TrustChange>,
    /// Root keys that signed.
    pub signed_by: Vec<KeyId>,
}

/// Appends it; `key` signs the checkpoint and has to be a signer under the new document.
///
/// # Errors
/// [`TrustError`] when the chain is not in the state that the proposal was made for, or too few keys signed; those of the
/// archive. Nothing was appended then.
pub fn apply(place: &ChainPlace, proposal: &Proposal, key: &dyn Signer) -> Result<Applied, TrustError> {
    let mut chain = OpenChain::open(&place.directory, &place.name, place.wait, None)?;
    let root = chain.reader.root();
    if let Some(expected) = place.chain
        && expected != root
    {
        return Err(OpsError::OtherChain { expected, found: root }.into());
    }
    require_fit(proposal, &chain.appender, root)?;
    let tallies = proposal.tallies();
    if tallies.iter().any(|tally| tally.missing() > 0) {
        return Err(TrustError::Unsigned(Box::new(tallies)));
    }
    let seq = proposal.event.seq;
    let keyid = key.public().id();
    if proposal.next.key_for(&keyid, KeyRole::Signer, seq).is_none() {
        return Err(OpsError::from(crate::chain::AppendError::SignsNoHead { keyid, seq }).into());
    }
    // No later event could follow one of the future.
    let (at, now) = (proposal.event.finished_at, now());
    if at.as_microseconds() > now.as_microseconds().saturating_add(TOLERANCE) {
        return Err(TrustError::Future { at, now });
    }
    let (envelope, file) = proposal.to_append()?;
    let mut blocks: Vec<Block> = Vec::new();
    let manifest = chain
        .appender
        .append_signed(&envelope, vec![file], &mut |block| blocks.push(block))
        .map_err(OpsError::from)?;
    require_clean(&manifest, &blocks)?;
    let head = chain.store(blocks, key)?;
    let signed_by = envelope.signatures.iter().map(|(id, _)| *id).collect();
    Ok(Applied {
        version: proposal.next.version,
        seq,
        manifest,
        head,
        changes: proposal.changes(),
        signed_by,
    })
}

/// Puts copies of a proposal that were signed apart from each other together.
///
/// # Errors
/// [`crate::chain::ProposalError::Different`].
pub fn merge(mut copies: Vec<Proposal>) -> Result<Option<Proposal>, TrustError> {
    let Some(mut first) = (!copies.is_empty()).then(|| copies.remove(0)) else { return Ok(None) };
    for copy in copies {
        first.merge(copy)?;
    }
    Ok(Some(first))
}

/// Who may still sign, each once.
#[must_use]
pub fn may_sign(tallies: &[Tally; 2]) -> Vec<KeyId> {
    let short = tallies.iter().filter(|tally| tally.missing() > 0);
    let mut keys: Vec<KeyId> = short.flat_map(|tally| tally.may_sign.iter().copied()).collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}
