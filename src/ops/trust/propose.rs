//! Makes a proposal for the next entry of a chain. Nothing is written, nothing is signed.

use super::{ChainPlace, Edits, TrustError, look};
use crate::chain::{AppendError, Proposal};
use crate::model::{Actor, Details, EventKind};
use crate::ops::gate::require_clean_draft;
use crate::ops::own_event::own_event;
use crate::ops::{OpsError, now};

/// Proposes `edits` of the trust document in force.
///
/// # Errors
/// [`TrustError`] where the edits cannot be meant, would leave nobody to sign, or hold what is never published; those of
/// the archive.
pub fn propose(place: &ChainPlace, actor: &Actor, edits: &Edits) -> Result<Proposal, TrustError> {
    let (reader, appender) = look(place)?;
    let in_force = appender.trust().ok_or(AppendError::Order(EventKind::Trust)).map_err(OpsError::from)?;
    let next = edits.follow(in_force, appender.size())?;
    let (newest, _) = reader.newest()?;
    let newest = reader.entry(&newest)?.statement.event.finished_at;
    let event = own_event(EventKind::Trust, actor, now().max(newest), Details::Other { schema: None });
    let proposal = Proposal::new(&appender, &next, event)?;
    let file = proposal.file();
    require_clean_draft(&proposal.event, &file.envelope.payload, file.document.as_bytes())?;
    Ok(proposal)
}
