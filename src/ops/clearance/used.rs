//! Whether a plan was used: it is carried out once, and goes on only where nothing ran by it yet.

use super::TOLERANCE;
use super::error::ClearanceError;
use crate::chain::judge_approvals;
use crate::model::{Cid, Details, Planned, Role, TrustDocument};
use crate::ops::OpsError;
use crate::ops::session::Session;

/// The `plan` event that this plan has already, where nothing ran by it yet: a run was cut short in between. What ran by it
/// is told by that event, so the approvals that it has must still count.
///
/// # Errors
/// [`ClearanceError::UsedBefore`] and [`ClearanceError::Outlived`]; those of the archive.
pub(super) fn used(
    session: &Session,
    trust: &TrustDocument,
    planned: &Planned,
) -> Result<Option<Cid>, OpsError> {
    let reader = &session.chain.reader;
    let (mut cid, mut manifest) = reader.newest()?;
    let mut outcomes: Vec<(Cid, u64)> = Vec::new();
    let oldest = planned.made_at.as_microseconds().saturating_sub(TOLERANCE);
    loop {
        let event = reader.entry(&cid)?.statement.event;
        match &event.details {
            Details::Plan(details) if details.planned.digest == planned.digest => {
                if let Some((_, seq)) = outcomes.iter().find(|(plan, _)| *plan == cid) {
                    return Err(ClearanceError::UsedBefore { seq: *seq }.into());
                }
                require_approved(session, trust, planned, (&cid, manifest.seq))?;
                return Ok(Some(cid));
            }
            Details::Attach { about, hooks, .. } if hooks.is_empty() && manifest.files.is_empty() => {
                outcomes.extend(about.iter().map(|plan| (*plan, manifest.seq)));
            }
            Details::Migration(details) => outcomes.extend(details.plan.map(|plan| (plan, manifest.seq))),
            _ => {}
        }
        let Some(previous) = manifest.prev.filter(|_| event.finished_at.as_microseconds() >= oldest) else {
            return Ok(None);
        };
        cid = previous;
        manifest = reader.manifest(&cid)?;
    }
}

/// Whether the approvals that were archived with a plan still count: a key of theirs may be revoked since.
fn require_approved(
    session: &Session,
    trust: &TrustDocument,
    planned: &Planned,
    (cid, seq): (&Cid, u64),
) -> Result<(), OpsError> {
    let reader = &session.chain.reader;
    let entry = reader.entry(cid)?;
    let approvals = entry.manifest.files.iter().filter(|file| file.role == Role::Approval);
    let approvals: Vec<Vec<u8>> =
        approvals.map(|file| reader.file(&file.cid)).collect::<Result<_, OpsError>>()?;
    let now = session.chain.appender.size();
    let counted = judge_approvals(trust, now, &reader.root(), planned, &approvals).count();
    let needed = planned.approvals;
    if counted < needed {
        return Err(ClearanceError::Outlived { seq, counted, needed }.into());
    }
    Ok(())
}
