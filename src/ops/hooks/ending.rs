//! Tells hooks how a run of migrations ended, and archives what they said, once the record of the run is durable.

use super::evidence::Evidence;
use super::round::{Denied, Round};
use super::telling::came;
use crate::chain::HOOKS_LIMIT;
use crate::model::{Cid, Details, EventKind};
use crate::ops::apply::FailedScript;
use crate::ops::outbox::Archived;
use crate::ops::own_event::Pen;
use crate::ops::sealing::Sealing;
use crate::ops::session::Session;
use crate::ops::{OpenKey, OpsError, Project};
use crate::policy::hooks::context::Outcome;
use crate::policy::hooks::{HookEvent, What, When};

/// So many bytes of what hooks said are archived before more of them are told.
const ENOUGH: usize = HOOKS_LIMIT / 4;

/// Tells hooks of a run whose events are archived, and archives what they said as an `attach` event about them.
///
/// # Errors
/// Those of archive and vault: the run itself is archived then.
pub async fn end_run(
    round: &mut Round,
    session: &mut Session,
    (what, each): (What, What),
    archived: &[Archived],
    (failed, denied): (Option<&FailedScript>, Option<&Denied>),
) -> Result<(), OpsError> {
    if round.is_empty() {
        return Ok(());
    }
    let came = came(archived, failed, denied.is_some(), session.chain.reader.head());
    let about: Vec<Cid> = archived.iter().map(|done| done.manifest).chain(session.plan()).collect();
    let around = |what, when| HookEvent::Around(what, when);
    round.after(around(What::Archive, When::After), None, &came, session.clock.now());
    for done in archived {
        let when = if done.event == EventKind::Fail { When::AfterError } else { When::After };
        // The list of all would make what hooks of many migrations are told as long as the square of them.
        let own = Outcome { done: vec![done.version.clone()], ..came.clone() };
        round.after(around(each, when), Some(&done.version), &own, session.clock.now());
        if round.evidence_size() > ENOUGH {
            attach(session, about.clone(), round.take_evidence()).await?;
        }
    }
    round.end(what, &came, session.clock.now());
    attach(session, about, round.take_evidence()).await
}

/// Tells hooks of a run that one of them stopped before anything of it ran, and archives what they said where a plan is
/// archived that nothing comes of now. Gives what the run ends with: [`OpsError::Denied`], or that it cannot be archived.
pub async fn refuse(round: &mut Round, session: &mut Session, what: What, denied: Denied) -> OpsError {
    let head = session.chain.reader.head();
    round.end(what, &came(&[], None, true, head), session.clock.now());
    if let Some(plan) = session.plan()
        && let Err(error) = attach(session, vec![plan], round.take_evidence()).await
    {
        return error;
    }
    denied.into()
}

/// Archives what hooks said, as an event about entries; nothing where nobody said anything.
///
/// # Errors
/// Those of archive and vault.
async fn attach(session: &mut Session, about: Vec<Cid>, evidence: Evidence) -> Result<(), OpsError> {
    if evidence.is_empty() {
        return Ok(());
    }
    let (hooks, files) = evidence.into_parts()?;
    let details = Details::Attach { about, access: None, hooks, commitments: Default::default() };
    session.append(EventKind::Attach, details, files).await.map(drop)
}

/// The same where no run is under way; gives the new head.
///
/// # Errors
/// Those of key, archive and vault.
pub async fn attach_alone(
    project: &Project,
    about: Vec<Cid>,
    evidence: Evidence,
    open_key: OpenKey,
) -> Result<Option<Cid>, OpsError> {
    if evidence.is_empty() {
        return Ok(None);
    }
    let (hooks, files) = evidence.into_parts()?;
    let details = Details::Attach { about, access: None, hooks, commitments: Default::default() };
    let mut pen = Pen::open(project, open_key)?;
    let (_, _, head) = pen.append_files(EventKind::Attach, details, files, Sealing::new(project)).await?;
    Ok(Some(head))
}
