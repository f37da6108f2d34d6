//! What is asked between "it is known what would run" and "the first script runs": whether it is what was planned and
//! approved. The answer is archived as a `plan` event, and brought to replicas where the policy says so, before anything
//! runs; every event of the run names it.
//!
//! A plan is used once. What it was made for has to be there to the byte: the same scripts in the same order, the same
//! history, the same schema. Where one of them moved on, nothing of it runs.

use std::time::Duration;

use serde::Serialize;

use super::hooks::Round;
use super::intended::{Intended, history_digest};
use super::planning::nonce;
use super::policy::asked::{Asked, Evidence};
use super::replicate::{Replicated, replicate};
use super::session::Session;
use super::{OpsError, Progress, Project, promotion};
use crate::chain::{ApprovalFault, JudgedApprovals, NewFile, judge_approvals};
use crate::codec::dsse::Envelope;
use crate::codec::plan::{PLAN_FILE, PlanFileError, decode_plan, encode_plan};
use crate::crypto::{Digest, KeyId};
use crate::database::{Database, History, Target as _};
use crate::model::{
    Cid, Details, Direction, EventKind, NameError, PlanDetails, PlanPolicy, Planned, PlannedMigration,
    PlannedTarget, Role, RunPlan, Timestamp, TrustDocument,
};
use crate::store::remote::NamedReplica;

/// On how many cores another chain is verified.
const THREADS: usize = 2;

/// By how many microseconds the clocks of two machines may differ (FORMAT §9).
const TOLERANCE: i64 = 5_000_000;

/// Why nothing runs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClearanceError {
    #[error("what runs here has to be planned, and approved by {approvals} people")]
    PlanNeeded { approvals: u32 },
    #[error("the plan cannot be read: {0}")]
    Unreadable(#[from] PlanFileError),
    #[error("the plan is for the chain {planned}, and this one is {here}")]
    OtherChain { planned: Cid, here: Cid },
    #[error("the plan is for {planned}, and this is {here}")]
    OtherTarget { planned: String, here: String },
    #[error("the plan is to {planned} migrations, and this command does not")]
    OtherDirection { planned: &'static str },
    #[error("the plan expired at {at}")]
    Expired { at: Timestamp },
    #[error("the plan is dated {at}, which has not come yet by this machine's clock")]
    FromTheFuture { at: Timestamp },
    #[error("the signature by key {keyid} is not over the plan")]
    BadSignature { keyid: KeyId },
    #[error(
        "key {keyid}, which signed the plan, does not count here: it is not in the trust document, or is revoked"
    )]
    UnknownAuthor { keyid: KeyId },
    #[error("the plan asks for less than is asked for here: {what}")]
    Weaker { what: &'static str },
    #[error("migrations were applied, rolled back or repaired since the plan was made")]
    HistoryMoved,
    #[error("the schema is not the one that the plan was made for")]
    SchemaMoved { planned: String, found: String },
    #[error("what would run is not what was planned: {0}")]
    Differs(Difference),
    #[error("{counted} of {needed} approvals count")]
    NotApproved { counted: u32, needed: u32, refused: Vec<ApprovalFault> },
    #[error("the plan was carried out or given up before, as entry {seq} tells")]
    UsedBefore { seq: u64 },
    #[error("the plan is archived and {} of the replicas that must have it before anything runs", missing(*current, *needed))]
    NotReplicated { current: usize, needed: usize },
    #[error(transparent)]
    Name(#[from] NameError),
}

fn missing(current: usize, needed: usize) -> String {
    format!("at {current} of {needed}")
}

/// How a run differs from its plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Difference {
    #[error("{planned} is planned at place {place}, and {found} would run there")]
    Order { place: usize, planned: String, found: String },
    #[error("{version} is planned, and it is not pending")]
    Missing { version: String },
    #[error("`{file}` of {version} has other bytes: it was {planned}, and is {found}")]
    Bytes { version: String, file: String, planned: Cid, found: Cid },
    #[error("the files of {version} are other ones, or have other names")]
    Files { version: String },
    #[error("{version} would run {}", if *transaction { "in a transaction, and was planned without one" } else { "without a transaction, and was planned in one" })]
    Transaction { version: String, transaction: bool },
}

/// What a run was given to keep to.
#[derive(Default)]
pub struct Given {
    pub plan: Option<GivenPlan>,
    /// The files of approvals.
    pub approvals: Vec<Vec<u8>>,
    /// Where a plan is brought to before anything runs, where that is asked for.
    pub replicas: Vec<NamedReplica>,
    /// How many of them must have it; `0`: all.
    pub required: usize,
    /// How long to wait for each.
    pub deadline: Duration,
}

/// The file of a plan, read.
pub struct GivenPlan {
    file: Vec<u8>,
    pub plan: RunPlan,
    envelope: Envelope,
}

impl GivenPlan {
    /// Reads a plan; what it is worth is judged when it is used.
    ///
    /// # Errors
    /// [`ClearanceError::Unreadable`].
    pub fn read(file: Vec<u8>) -> Result<Self, ClearanceError> {
        let (plan, envelope) = decode_plan(&file)?;
        Ok(Self { file, plan, envelope })
    }

    /// SHA-256 of the file, which approvals are about.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(&self.file)
    }

    /// What of it is public.
    #[must_use]
    pub fn planned(&self, policy: PlanPolicy) -> Planned {
        Planned {
            digest: self.digest(),
            direction: self.plan.direction,
            versions: self.plan.versions(),
            made_at: self.plan.made_at,
            author: self.plan.author.clone(),
            author_keys: self.envelope.signatures.iter().map(|(keyid, _)| *keyid).collect(),
            approvals: policy.approvals,
            four_eyes: policy.four_eyes,
            expires_at: Some(self.plan.expires_at),
        }
    }

    /// Whether it was signed by keys of this trust document that count at entry `seq`.
    ///
    /// # Errors
    /// [`ClearanceError::BadSignature`] and [`ClearanceError::UnknownAuthor`].
    pub fn require_author(&self, trust: &TrustDocument, seq: u64) -> Result<(), ClearanceError> {
        let message = self.envelope.message();
        for (keyid, signature) in &self.envelope.signatures {
            let keyid = *keyid;
            let counts = |known: &KeyId| {
                !trust.revoked.iter().any(|revoked| revoked.key == *known && revoked.since <= seq)
            };
            let key = trust.keys.get(&keyid).filter(|_| counts(&keyid));
            let key = key.ok_or(ClearanceError::UnknownAuthor { keyid })?;
            if !key.public.verify(&message, signature) {
                return Err(ClearanceError::BadSignature { keyid });
            }
        }
        Ok(())
    }
}

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
        session.promote(promotion::require(project, policy, &intended.migrations, THREADS).await?);
    }
    let trust = session.trust()?;
    let asked = asked_for(project, &trust, intended.policy);
    if let Some(policy) = intended.policy {
        policy.require()?;
    }
    let Some(plan) = &given.plan else {
        return match asked.approvals {
            0 => unplanned(session, intended, round).await,
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
    let evidence = intended.policy.map(|policy| policy.evidence(counted)).transpose()?;
    let event = match used(session, &planned)? {
        Some(event) => event,
        None => {
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

/// A run that nobody had to plan has a `plan` event where hooks or policy packs judged it: it tells what they were asked and
/// answered.
async fn unplanned(
    session: &mut Session,
    intended: &Intended<'_>,
    round: &mut Round,
) -> Result<Option<Cid>, OpsError> {
    let is_judged = round.evidence_size() > 0 || intended.policy.is_some();
    if !is_judged || intended.migrations.is_empty() {
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
        policy: PlanPolicy::default(),
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

fn require_fit(
    project: &Project,
    session: &Session,
    GivenPlan { plan, .. }: &GivenPlan,
    intended: &Intended<'_>,
) -> Result<(), ClearanceError> {
    let here = session.chain.reader.root();
    if plan.chain != here {
        return Err(ClearanceError::OtherChain { planned: plan.chain, here });
    }
    let engine = session.target().engine;
    if plan.target.name != project.database_name || plan.target.engine != engine {
        return Err(ClearanceError::OtherTarget {
            planned: format!("{} ({:?})", plan.target.name, plan.target.engine),
            here: format!("{} ({engine:?})", project.database_name),
        });
    }
    if plan.direction != intended.direction {
        let planned = if plan.direction == Direction::Up { "apply" } else { "roll back" };
        return Err(ClearanceError::OtherDirection { planned });
    }
    let now = session.clock.now();
    if plan.expires_at <= now {
        return Err(ClearanceError::Expired { at: plan.expires_at });
    }
    if plan.made_at.as_microseconds() > now.as_microseconds().saturating_add(TOLERANCE) {
        return Err(ClearanceError::FromTheFuture { at: plan.made_at });
    }
    Ok(())
}

fn require_as_strict(planned: PlanPolicy, asked: PlanPolicy) -> Result<(), ClearanceError> {
    let what = if planned.approvals < asked.approvals {
        "fewer approvals"
    } else if asked.four_eyes && !planned.four_eyes {
        "its author may approve it"
    } else if asked.replicated && !planned.replicated {
        "it need not be replicated before it runs"
    } else {
        return Ok(());
    };
    Err(ClearanceError::Weaker { what })
}

async fn require_state(
    target: &mut Database,
    plan: &RunPlan,
    history: &History,
    fingerprint: bool,
) -> Result<(), OpsError> {
    if history_digest(history) != plan.history {
        return Err(ClearanceError::HistoryMoved.into());
    }
    let Some(planned) = plan.schema.as_ref().filter(|_| fingerprint) else { return Ok(()) };
    let (algorithm, digest) = target.fingerprint().await?;
    let found = digest.to_prefixed();
    if planned.algorithm != algorithm || planned.fingerprint != found {
        let planned = planned.fingerprint.clone();
        return Err(ClearanceError::SchemaMoved { planned, found }.into());
    }
    Ok(())
}

/// Whether what would run is exactly what was planned.
fn require_same(planned: &[PlannedMigration], found: &[PlannedMigration]) -> Result<(), ClearanceError> {
    for (place, planned) in planned.iter().enumerate() {
        let version = planned.version.clone();
        let difference = match found.get(place) {
            None => Difference::Missing { version },
            Some(found) if found.version != version => {
                Difference::Order { place: place + 1, planned: version, found: found.version.clone() }
            }
            Some(found) if found == planned => continue,
            Some(found) => difference_of(planned, found),
        };
        return Err(ClearanceError::Differs(difference));
    }
    match found.get(planned.len()) {
        None => Ok(()),
        Some(more) => Err(ClearanceError::Differs(Difference::Order {
            place: planned.len() + 1,
            planned: "nothing".to_owned(),
            found: more.version.clone(),
        })),
    }
}

fn difference_of(planned: &PlannedMigration, found: &PlannedMigration) -> Difference {
    let version = planned.version.clone();
    for (before, now) in planned.files.iter().zip(&found.files) {
        if (&before.role, &before.name) == (&now.role, &now.name) && before.cid != now.cid {
            return Difference::Bytes {
                version,
                file: now.name.clone(),
                planned: before.cid,
                found: now.cid,
            };
        }
    }
    if planned.files != found.files {
        return Difference::Files { version };
    }
    Difference::Transaction { version, transaction: found.transaction }
}

/// The `plan` event that this plan has already, where nothing ran by it yet: a run was cut short in between.
fn used(session: &Session, planned: &Planned) -> Result<Option<Cid>, OpsError> {
    let reader = &session.chain.reader;
    let (mut cid, mut manifest) = reader.newest()?;
    let mut outcomes: Vec<(Cid, u64)> = Vec::new();
    let oldest = planned.made_at.as_microseconds().saturating_sub(TOLERANCE);
    loop {
        let event = reader.entry(&cid)?.statement.event;
        match &event.details {
            Details::Plan(details) if details.planned.digest == planned.digest => {
                return match outcomes.iter().find(|(plan, _)| *plan == cid) {
                    Some((_, seq)) => Err(ClearanceError::UsedBefore { seq: *seq }.into()),
                    None => Ok(Some(cid)),
                };
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
    if current < needed || needed == 0 {
        return Err(ClearanceError::NotReplicated { current, needed: needed.max(1) }.into());
    }
    Ok(())
}

/// What is said of a plan that was judged.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClearedBy {
    pub plan: Cid,
    pub approvers: u32,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Codec, PlannedFile};

    fn migration(version: &str, bytes: &[u8]) -> PlannedMigration {
        let name = format!("{version}_a.up.sql");
        let file =
            PlannedFile { role: Role::Up, name, cid: Cid::of(Codec::Raw, bytes), size: bytes.len() as u64 };
        PlannedMigration { version: version.to_owned(), transaction: true, files: vec![file] }
    }

    fn difference(planned: &[PlannedMigration], found: &[PlannedMigration]) -> String {
        require_same(planned, found).unwrap_err().to_string()
    }

    #[test]
    fn what_runs_is_what_was_planned_or_nothing_is() {
        let [one, two, three] = [migration("0001", b"1"), migration("0002", b"2"), migration("0003", b"3")];
        let planned = [one.clone(), two.clone()];
        assert_eq!(require_same(&planned, &planned), Ok(()));
        assert!(
            difference(&planned, &[two.clone(), one.clone()])
                .contains("0001 is planned at place 1, and 0002")
        );
        assert!(difference(&planned, &[one.clone()]).contains("0002 is planned, and it is not pending"));
        assert!(
            difference(&planned, &[one.clone(), two.clone(), three])
                .contains("nothing is planned at place 3")
        );
        assert!(
            difference(&planned, &[one.clone(), migration("0002", b"other")])
                .contains("`0002_a.up.sql` of 0002 has")
        );
        let bare = PlannedMigration { transaction: false, ..two.clone() };
        assert!(difference(&planned, &[one.clone(), bare]).contains("without a transaction"));
        let more = PlannedMigration { files: [two.files.clone(), two.files].concat(), ..one.clone() };
        assert!(
            difference(&[one], &[PlannedMigration { version: "0001".to_owned(), ..more }])
                .contains("files of 0001")
        );
    }

    #[test]
    fn a_plan_may_ask_for_more_and_not_for_less() {
        let asked = PlanPolicy { approvals: 1, four_eyes: true, replicated: false };
        assert_eq!(
            require_as_strict(PlanPolicy { approvals: 2, four_eyes: true, replicated: true }, asked),
            Ok(())
        );
        for weaker in [PlanPolicy { approvals: 0, ..asked }, PlanPolicy { four_eyes: false, ..asked }] {
            assert!(matches!(require_as_strict(weaker, asked), Err(ClearanceError::Weaker { .. })));
        }
    }
}
