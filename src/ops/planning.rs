//! Makes a plan of what is pending, or of what a rollback would run; and approves one.

use std::sync::Arc;
use std::time::Duration;

use super::access::record_opening;
use super::clearance::{ClearanceError, GivenPlan, asked_for, require_time};
use super::intended::{history_digest, to_apply, to_roll_back};
use super::kept::{Scripts, View};
use super::own_event::Pen;
use super::plan::Problem;
use super::policy::asked::{Asked, to_apply as policy_of};
use super::rollback::{Extent, Undo, ways_down};
use super::session::require_same_chain;
use super::witness::trust_of;
use super::{ChainReader, OpenKey, OpsError, Project, Wanted, now};
use crate::codec::dsse::{Envelope, LOG_LIMIT};
use crate::codec::plan::{encode_approval, encode_plan};
use crate::crypto::{KeyId, Signer, fill_random};
use crate::database::{Database, Target as _};
use crate::model::{
    Actor, Approval, Cid, Details, Direction, EventKind, PlannedMigration, PlannedSchema, PlannedTarget,
    RunPlan, Timestamp,
};

/// What a plan is to be of.
pub enum Of<'a> {
    /// What is pending.
    Pending(&'a Wanted),
    /// What a rollback would run.
    Rollback(&'a Extent),
}

/// Makes a plan: looks at folder, archive and database, and changes nothing. Gives it and its file, which
/// `open_key` signed. Where a way down is sealed and not in the folder, it is opened, and the access chain tells of that.
///
/// # Errors
/// [`OpsError::Problems`] where a run would be refused, [`OpsError::NothingToPlan`]; those of database, archive and key.
pub async fn make(
    project: &Project,
    target: &mut Database,
    of: Of<'_>,
    validity: Duration,
    open_key: OpenKey,
) -> Result<(RunPlan, Vec<u8>), OpsError> {
    let reader = ChainReader::open(&project.archive, &project.name)?;
    reader.require_end()?;
    require_same_chain(project, reader.root())?;
    let (_, trust) = trust_of(&reader, &project.name)?;
    let rows = target.history().await?;
    let view = View::look(project, Some(&mut *target), Scripts::read(project)?, &rows).await?;
    let (found, open_key) = match of {
        Of::Pending(wanted) => (pending(project, &reader, &view, wanted)?, open_key),
        Of::Rollback(extent) => rollback(project, &reader, &view, extent, open_key).await?,
    };
    let (direction, migrations, packs) = found;
    if let Some(packs) = &packs {
        packs.require()?;
    }
    if migrations.is_empty() {
        return Err(OpsError::NothingToPlan);
    }
    let made_at = now();
    let plan = RunPlan {
        nonce: nonce(),
        chain: reader.root(),
        target: PlannedTarget { name: project.database_name.clone(), engine: target.identity().engine },
        direction,
        made_at,
        expires_at: after(made_at, validity),
        author: project.actor.clone(),
        policy: asked_for(project, &trust, packs.as_ref()),
        history: history_digest(&view.history),
        schema: schema(project, target).await?,
        migrations,
    };
    let key = open_key()?;
    let file = signed(encode_plan(&plan), &*key)?.1;
    // What nobody could use is not handed out.
    if file.len() > LOG_LIMIT {
        return Err(ClearanceError::TooLarge { bytes: file.len() }.into());
    }
    GivenPlan::read(file.clone())?.require_author(&trust, u64::MAX)?;
    Ok((plan, file))
}

/// Where it leads, what would run, and the policy packs that are asked about it.
type Found = (Direction, Vec<PlannedMigration>, Option<Asked>);

fn pending(project: &Project, reader: &ChainReader, view: &View, wanted: &Wanted) -> Result<Found, OpsError> {
    let plan = super::apply::plan_of(project, view, wanted);
    let stopping: Vec<Problem> = plan.problems.into_iter().filter(Problem::stops).collect();
    if !stopping.is_empty() {
        return Err(OpsError::Problems(stopping));
    }
    let scripts = || plan.pending.iter().map(|pending| &pending.migration);
    let packs = Asked::open(project, Some(reader), now(), |policy| {
        scripts().map(|migration| policy_of(policy, project.dialect, migration)).collect()
    })?;
    Ok((Direction::Up, scripts().map(to_apply).collect(), packs))
}

/// The same for a rollback; and what opens the key from here on. That sealed ways down were opened is recorded before anybody is
/// asked about them.
async fn rollback(
    project: &Project,
    reader: &ChainReader,
    view: &View,
    extent: &Extent,
    mut open_key: OpenKey,
) -> Result<(Found, OpenKey), OpsError> {
    let ways = match ways_down(project, reader, view, extent, None) {
        // Only what nobody else has is read from its sealed copy.
        Err(OpsError::SealedHere { .. }) => {
            let keyring = project.keyring(&reader.root()).await?;
            ways_down(project, reader, view, extent, Some(&keyring))?
        }
        ways => ways?,
    };
    let opened: Vec<Cid> = ways.iter().filter_map(Undo::opened).collect();
    if !opened.is_empty() {
        let key = open_key()?;
        let same = Arc::clone(&key);
        open_key = Box::new(move || Ok(same));
        record_opening(project, Box::new(move || Ok(key)), reader.root(), opened, "plan").await?;
    }
    let packs = Asked::open(project, Some(reader), now(), |policy| {
        ways.iter().map(|way| way.asked(policy, project.dialect, &view.folder)).collect()
    })?;
    let migrations = ways.iter().map(|way| to_roll_back(way.version(), way.script())).collect();
    Ok(((Direction::Down, migrations, packs), open_key))
}

async fn schema(project: &Project, target: &mut Database) -> Result<Option<PlannedSchema>, OpsError> {
    if !project.fingerprint {
        return Ok(None);
    }
    let (algorithm, digest) = target.fingerprint().await?;
    Ok(Some(PlannedSchema { algorithm: algorithm.to_owned(), fingerprint: digest.to_prefixed() }))
}

/// Approves a plan: gives the file of the approval, and the keys that signed it.
///
/// # Errors
/// [`OpsError::Clearance`] where the plan has expired, or is not made yet by this machine's clock, so that the approval would
/// count nowhere; those of the key.
pub fn approve(
    plan: &GivenPlan,
    approver: &Actor,
    open_key: OpenKey,
) -> Result<(Vec<KeyId>, Vec<u8>), OpsError> {
    let at = now();
    require_time(&plan.plan, at)?;
    let chain = plan.plan.chain;
    let approval = Approval { plan: plan.digest(), chain, approver: approver.clone(), at };
    signed(encode_approval(&approval), &*open_key()?)
}

/// Records that a plan is given up: nothing more runs by it, and no audit asks for its outcome. Gives the new entry's
/// number and the new head.
///
/// # Errors
/// [`OpsError::NotAPlan`]; those of archive and key.
pub fn abandon(project: &Project, seq: u64, open_key: OpenKey) -> Result<(u64, Cid), OpsError> {
    let mut pen = Pen::open(project, open_key)?;
    let plan = pen.chain.reader.manifest_at(seq)?;
    if pen.chain.reader.entry(&plan)?.statement.event.event != EventKind::Plan {
        return Err(OpsError::NotAPlan(seq));
    }
    let (seq, _, head) = pen.append(EventKind::Attach, Details::attached_to(vec![plan]))?;
    Ok((seq, head))
}

fn signed(payload: Vec<u8>, key: &dyn Signer) -> Result<(Vec<KeyId>, Vec<u8>), OpsError> {
    let envelope = Envelope::sign(payload, &[key]).map_err(crate::chain::AppendError::Sign)?;
    let keys = envelope.signatures.iter().map(|(keyid, _)| *keyid).collect();
    let mut file = envelope.encode();
    file.push(b'\n');
    Ok((keys, file))
}

/// What keeps the digest of a plan from being guessed.
pub(super) fn nonce() -> String {
    let mut random = [0; 16];
    fill_random(&mut random);
    data_encoding::HEXLOWER.encode(&random)
}

fn after(begin: Timestamp, validity: Duration) -> Timestamp {
    let validity = i64::try_from(validity.as_micros()).unwrap_or(i64::MAX);
    Timestamp::from_microseconds(begin.as_microseconds().saturating_add(validity)).unwrap_or(begin)
}
