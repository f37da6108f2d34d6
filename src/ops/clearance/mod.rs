//! What is asked between "it is known what would run" and "the first script runs": whether it is what was planned and
//! approved. The answer is archived as a `plan` event, and brought to replicas where the policy says so, before anything
//! runs; every event of the run names it.
//!
//! A plan is used once. What it was made for has to be there to the byte: the same scripts in the same order, the same
//! history, the same schema. Where one of them moved on, nothing of it runs.

mod error;
mod fit;
mod given;
mod used;

pub use error::{ClearanceError, Difference};
pub use fit::require_time;
pub use given::{Given, GivenPlan};

use fit::{require_as_strict, require_fit, require_same, require_state};
use used::used;

use super::hooks::Round;
use super::intended::{Intended, history_digest};
use super::planning::nonce;
use super::policy::asked::{Asked, Evidence};
use super::replicate::{Replicated, replicate};
use super::session::Session;
use super::{OpsError, Progress, Project, promotion};
use crate::chain::{JudgedApprovals, NewFile, judge_approvals};
use crate::codec::plan::{PLAN_FILE, encode_plan};
use crate::crypto::Digest;
use crate::database::Database;
use crate::model::{
    Cid, Details, Direction, EventKind, PlanDetails, PlanPolicy, Planned, PlannedTarget, Role, RunPlan,
    TrustDocument,
};

/// On how many cores another chain is verified.
const THREADS: usize = 2;

/// By how many microseconds the clocks of two machines may differ (FORMAT §9).
const TOLERANCE: i64 = 5_000_000;

/// Asks whether a run may begin, and archives the answer; afterwards every step of the session names the plan. `None`
/// where nothing is asked for and nothing was given.
///
/// # Errors
/// [`OpsError::Clearance`] before anything ran; those of archive, vault and replicas.
pub async fn clear(
    project: &Project,
    session: &mut Session,
    target: &mut Database,
    given: &Given,
    (intended, round): (&Intended<'_>, &mut Round),
    progress: &mut Progress<'_>,
) -> Result<Option<Cid>, OpsError> {
    if let (Some(policy), Direction::Up) = (&project.promotion, intended.direction) {
        let promoted = promotion::require(project, policy, session, &intended.migrations, THREADS).await?;
        session.promote(promoted);
    }
    let trust = session.trust()?;
    let asked = asked_for(project, &trust, intended.policy);
    if let Some(policy) = intended.policy {
        policy.require()?;
    }
    let is_brought = asked.replicated || given.plan.as_ref().is_some_and(|plan| plan.plan.policy.replicated);
    if is_brought && given.replicas.is_empty() && !intended.migrations.is_empty() {
        return Err(ClearanceError::NoReplicas.into());
    }
    let Some(plan) = &given.plan else {
        return match asked.approvals {
            0 => {
                let event = unplanned(session, asked, intended, round).await?;
                if let (true, Some(plan)) = (asked.replicated, event)
                    && let Err(error) = bring(project, session, given, progress).await
                {
                    // Nobody holds this plan: the next run makes its own.
                    session.append(EventKind::Attach, Details::attached_to(vec![plan]), Vec::new()).await?;
                    return Err(error);
                }
                Ok(event)
            }
            approvals => Err(ClearanceError::PlanNeeded { approvals }.into()),
        };
    };
    let seq = session.chain.appender.size();
    require_fit(project, session, plan, intended)?;
    plan.require_author(&trust, seq)?;
    let policy = plan.plan.policy;
    require_as_strict(policy, asked)?;
    require_state(target, &plan.plan, intended.history, project.fingerprint).await?;
    require_same(&plan.plan.migrations, &intended.migrations)?;
    let planned = plan.planned(policy);
    let chain = session.chain.reader.root();
    let JudgedApprovals { approvers, refused } =
        judge_approvals(&trust, seq, &chain, &planned, &given.approvals);
    let counted = u32::try_from(approvers.len()).unwrap_or(u32::MAX);
    if counted < policy.approvals {
        let needed = policy.approvals;
        return Err(ClearanceError::NotApproved { counted, needed, refused }.into());
    }
    // What is asked for and met; approvals beyond it prove nothing more.
    let evidence = intended.policy.map(|packs| packs.evidence(policy.approvals)).transpose()?;
    let event = match used(session, &trust, &planned)? {
        Some(event) => event,
        None => {
            // Looking took time.
            require_time(&plan.plan, session.clock.now())?;
            let files = files_of(plan, &given.approvals, intended.sealed)?;
            archive(session, planned, files, (round, evidence)).await?
        }
    };
    if policy.replicated {
        bring(project, session, given, progress).await?;
    }
    session.name_plan(event);
    Ok(Some(event))
}

/// A run that nobody had to plan has a `plan` event where hooks or policy packs judged it, and where replicas are to know of
/// it before: it tells what is to run, and what they were asked and answered.
async fn unplanned(
    session: &mut Session,
    asked: PlanPolicy,
    intended: &Intended<'_>,
    round: &mut Round,
) -> Result<Option<Cid>, OpsError> {
    let is_told = round.evidence_size() > 0 || intended.policy.is_some() || asked.replicated;
    if !is_told || intended.migrations.is_empty() {
        return Ok(None);
    }
    let evidence = intended.policy.map(|policy| policy.evidence(0)).transpose()?;
    let made_at = session.clock.now();
    let target = session.target();
    let plan = RunPlan {
        nonce: nonce(),
        chain: session.chain.reader.root(),
        target: PlannedTarget { name: target.name.clone(), engine: target.engine },
        direction: intended.direction,
        made_at,
        expires_at: made_at,
        author: session.actor().clone(),
        policy: PlanPolicy { replicated: asked.replicated, ..PlanPolicy::default() },
        history: history_digest(intended.history),
        schema: None,
        migrations: intended.migrations.clone(),
    };
    let bytes = encode_plan(&plan);
    let planned = Planned {
        digest: Digest::of(&bytes),
        direction: plan.direction,
        versions: plan.versions(),
        made_at,
        author: plan.author,
        author_keys: Vec::new(),
        approvals: 0,
        four_eyes: false,
        expires_at: None,
    };
    let file = NewFile { name: PLAN_FILE.parse()?, role: Role::Evidence, bytes, sealed: intended.sealed };
    let event = archive(session, planned, vec![file], (round, evidence)).await?;
    session.name_plan(event);
    Ok(Some(event))
}

/// Archives a plan with what hooks and policy packs said of it.
async fn archive(
    session: &mut Session,
    planned: Planned,
    mut files: Vec<NewFile>,
    (round, evidence): (&mut Round, Option<Evidence>),
) -> Result<Cid, OpsError> {
    let (hooks, asked) = round.take_evidence().into_parts()?;
    files.extend(asked);
    let policy = evidence.map(|Evidence { verdicts, files: judged }| {
        files.extend(judged);
        Box::new(verdicts)
    });
    let details = PlanDetails { planned, hooks, policy, commitments: Default::default() };
    session.append(EventKind::Plan, Details::Plan(Box::new(details)), files).await
}

/// What the settings, the trust document and policy packs ask for, the strictest of them. Who made a plan does not count
/// where a pack asks for approvals.
#[must_use]
pub fn asked_for(project: &Project, trust: &TrustDocument, policy: Option<&Asked>) -> PlanPolicy {
    let trusted = PlanPolicy { approvals: trust.thresholds.approver, ..PlanPolicy::default() };
    let approvals = policy.map_or(0, Asked::approvals);
    let packs = PlanPolicy { approvals, four_eyes: approvals > 0, replicated: false };
    project.approval.stricter(trusted).stricter(packs)
}

/// The plan as it is archived, sealed where a script of it is, and the approvals in clear: what they sign cannot be
/// guessed, and whoever audits counts them.
fn files_of(plan: &GivenPlan, approvals: &[Vec<u8>], sealed: bool) -> Result<Vec<NewFile>, ClearanceError> {
    let name = PLAN_FILE.parse()?;
    let mut files = vec![NewFile { name, role: Role::Evidence, bytes: plan.file.clone(), sealed }];
    for (nth, approval) in approvals.iter().enumerate() {
        let name = format!("approval-{}.json", nth + 1).parse()?;
        files.push(NewFile { name, role: Role::Approval, bytes: approval.clone(), sealed: false });
    }
    Ok(files)
}

async fn bring(
    project: &Project,
    session: &Session,
    given: &Given,
    progress: &mut Progress<'_>,
) -> Result<(), OpsError> {
    let needed = if given.required == 0 { given.replicas.len() } else { given.required };
    let reader = &session.chain.reader;
    let replicated: Replicated =
        replicate(reader, &project.name, &given.replicas, given.deadline, progress).await?;
    let current = replicated.current();
    if current < needed {
        return Err(ClearanceError::NotReplicated { current, needed }.into());
    }
    Ok(())
}
