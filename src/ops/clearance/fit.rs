//! Whether a plan fits what is here: the place, the time, the policy, the state and the scripts.

use super::TOLERANCE;
use super::error::{ClearanceError, Difference};
use super::given::GivenPlan;
use crate::database::{Database, History, Target as _};
use crate::model::{Direction, PlanPolicy, PlannedMigration, RunPlan, Timestamp};
use crate::ops::intended::{Intended, history_digest};
use crate::ops::session::Session;
use crate::ops::{OpsError, Project};

/// Whether a plan is for this chain, this database, this direction and this time.
pub(super) fn require_fit(
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
    require_time(plan, session.clock.now())
}

/// Whether it holds at this time.
///
/// # Errors
/// [`ClearanceError::Expired`] and [`ClearanceError::FromTheFuture`].
pub fn require_time(plan: &RunPlan, now: Timestamp) -> Result<(), ClearanceError> {
    if plan.expires_at <= now {
        return Err(ClearanceError::Expired { at: plan.expires_at });
    }
    if plan.made_at.as_microseconds() > now.as_microseconds().saturating_add(TOLERANCE) {
        return Err(ClearanceError::FromTheFuture { at: plan.made_at });
    }
    Ok(())
}

/// Whether a plan asks for no less than is asked for here.
pub(super) fn require_as_strict(planned: PlanPolicy, asked: PlanPolicy) -> Result<(), ClearanceError> {
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

/// Whether history and schema are those that the plan was made for.
pub(super) async fn require_state(
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
pub(super) fn require_same(
    planned: &[PlannedMigration],
    found: &[PlannedMigration],
) -> Result<(), ClearanceError> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Cid, Codec, PlannedFile, Role};

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
        assert!(
            difference(&planned, std::slice::from_ref(&one))
                .contains("0002 is planned, and it is not pending")
        );
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
