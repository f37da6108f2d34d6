//! What to do where nothing runs, because it is not what was planned and approved.

use crate::chain::ApprovalFault;
use crate::cli::Exit;
use crate::ops::clearance::{ClearanceError, Difference};

/// What the process ends with.
pub const fn exit(error: &ClearanceError) -> Exit {
    match error {
        ClearanceError::Unreadable(_)
        | ClearanceError::OtherDirection { .. }
        | ClearanceError::TooLarge { .. }
        | ClearanceError::NoReplicas
        | ClearanceError::Name(_) => Exit::Usage,
        ClearanceError::NotReplicated { .. } => Exit::Unfinished,
        _ => Exit::Findings,
    }
}

/// Values that differ, and why approvals do not count.
pub fn details(error: &ClearanceError) -> Vec<String> {
    match error {
        ClearanceError::NotApproved { refused, .. } => refused.iter().map(ToString::to_string).collect(),
        ClearanceError::SchemaMoved { planned, found } => {
            vec![format!("planned: {planned}"), format!("found:   {found}")]
        }
        _ => Vec::new(),
    }
}

/// The command that mends it.
pub fn hint(error: &ClearanceError) -> &'static str {
    const AGAIN: &str = "make a new plan with `greffe plan --out FILE`, and have it approved";
    match error {
        ClearanceError::PlanNeeded { .. } => {
            "run `greffe plan --out plan.json`, have it approved with `greffe approve plan.json --out FILE`, and pass \
             `--plan plan.json --approval FILE`"
        }
        ClearanceError::Unreadable(_) => "give a file that `greffe plan` wrote",
        ClearanceError::OtherChain { .. } | ClearanceError::OtherTarget { .. } => {
            "name the project that it is for with `--config PATH`, or make a plan for this one"
        }
        ClearanceError::OtherDirection { planned: "apply" } => "run `greffe apply --plan FILE`",
        ClearanceError::OtherDirection { .. } => "run `greffe rollback --plan FILE`",
        ClearanceError::FromTheFuture { .. } => "set the clocks of both machines",
        ClearanceError::BadSignature { .. } => "do not use it; ask who sent it for a new one",
        ClearanceError::UnknownAuthor { .. } => {
            "make the plan with a key that `greffe trust show` lists, whatever its role"
        }
        ClearanceError::NotApproved { refused, .. }
            if refused.iter().any(|fault| matches!(fault, ApprovalFault::OtherPlan { .. })) =>
        {
            "have this very file approved: another plan, also of the same migrations, is another file"
        }
        ClearanceError::NotApproved { .. } => {
            "have it approved by more people: `greffe approve PLAN --out FILE --key SOURCE`, and pass each `--approval FILE`"
        }
        ClearanceError::UsedBefore { .. } => {
            "run `greffe log` to see what it came to; a plan is carried out once"
        }
        ClearanceError::Outlived { .. } => {
            "give it up with `greffe plan --abandon SEQ`, make a new plan with `greffe plan --out FILE`, and have it approved"
        }
        ClearanceError::TooLarge { .. } => {
            "plan fewer migrations at a time: `greffe plan --out FILE --to VERSION`"
        }
        ClearanceError::NotReplicated { .. } => {
            "mend the replicas (`greffe replicas`) and run it again: nothing was run, and a plan that was given still holds"
        }
        ClearanceError::NoReplicas => {
            "add a `[[replica]]` to greffe.toml (docs/settings.md), or set `approval.replicated = false` where a plan may \
             stay here"
        }
        ClearanceError::Differs(Difference::Bytes { .. } | Difference::Files { .. }) => {
            "bring the folder to what was planned, or make a new plan with `greffe plan --out FILE` and have it approved"
        }
        ClearanceError::SchemaMoved { .. } => {
            "run `greffe status` to see what changed outside the archive; then make a new plan and have it approved"
        }
        _ => AGAIN,
    }
}
