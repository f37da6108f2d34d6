use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::apply::wanted_version;
use super::audit::recorded;
use crate::cli::CommandResult;
use crate::cli::context::{Context, block_on, key, look_at_database, project, scratch};
use crate::cli::error::CliError;
use crate::cli::hooks::between_hooks;
use crate::cli::output::Reply;
use crate::cli::plans::{write_new, write_plan};
use crate::cli::settings::Settings;
use crate::crypto::Digest;
use crate::database::Target as _;
use crate::model::{Cid, Direction, Engine, PlanPolicy, RunPlan, Timestamp};
use crate::ops::planning::{Of, abandon, make};
use crate::ops::rollback::Extent;
use crate::ops::{OpsError, Wanted, today};
use crate::policy::hooks::What;

/// Write down what would run, as one signed file that others approve
///
/// The plan names each script by its CID, their order, the database, what is applied and what the schema is now, and how
/// many people have to approve. `greffe apply --plan FILE` runs exactly that, or nothing. The plan is signed with the
/// signing key; nothing is changed.
#[derive(Args)]
pub struct Plan {
    /// The file to write
    #[arg(long, value_name = "FILE", required_unless_present = "abandon")]
    out: Option<PathBuf>,
    /// The last version to apply
    #[arg(long, value_name = "VERSION", conflicts_with_all = ["rollback", "rollback_to"])]
    to: Option<String>,
    /// Plan to roll back so many migrations
    #[arg(long, value_name = "N", conflicts_with = "rollback_to")]
    rollback: Option<usize>,
    /// Plan to roll back all that were applied after this version, which stays
    #[arg(long, value_name = "VERSION")]
    rollback_to: Option<String>,
    /// Record that the plan of this entry is given up: nothing runs by it any more
    #[arg(long, value_name = "SEQ", conflicts_with_all = ["out", "to", "rollback", "rollback_to"])]
    abandon: Option<u64>,
}

impl Plan {
    /// Whether something is appended to the chain.
    pub const fn archives(&self) -> bool {
        self.abandon.is_some()
    }
}

#[derive(Serialize)]
struct Abandoned {
    command: &'static str,
    /// The plan's entry.
    plan: u64,
    /// The entry that says so.
    seq: u64,
    head: Cid,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Done {
    command: &'static str,
    file: PathBuf,
    /// Of the file; what approvals are about.
    sha256: Digest,
    versions: Vec<String>,
    policy: PlanPolicy,
    expires_at: Timestamp,
    #[serde(skip)]
    plan: RunPlan,
}

pub fn run(context: &Context, arguments: &Plan) -> CommandResult {
    let settings = context.settings()?;
    recorded::refuse(&settings, "plan them")?;
    if let Some(plan) = arguments.abandon {
        let project = project(&settings)?;
        let (seq, head) = abandon(&project, plan, key(&settings))?;
        let done = Abandoned { command: "plan", plan, seq, head };
        return Ok(Reply::new(done, |done, out| {
            writeln!(out, "gave up the plan of entry {} as entry {}", done.plan, done.seq)?;
            writeln!(out, "head {}", done.head)
        }));
    }
    let Some(file) = arguments.out.clone() else {
        return Err(CliError::usage("where the plan is to be written is not said").hint("pass `--out FILE`"));
    };
    between_hooks(&settings, What::Plan, || make_plan(&settings, arguments, file))
}

fn make_plan(settings: &Settings, arguments: &Plan, file: PathBuf) -> CommandResult {
    let project = project(settings)?;
    let wanted = Wanted {
        to: wanted_version(&project, arguments.to.as_deref())?,
        allow_out_of_order: settings.allow_out_of_order,
        today: today(),
        publish: settings.publish,
    };
    let extent = match (arguments.rollback, &arguments.rollback_to) {
        (Some(steps), _) => Some(Extent::Steps(steps)),
        (None, to) => to.clone().map(Extent::To),
    };
    let of = extent.as_ref().map_or(Of::Pending(&wanted), Of::Rollback);
    let (plan, bytes) = block_on(async {
        let validity = settings.approval_valid_for;
        let Some(mut database) = look_at_database(settings).await? else {
            // One that is not there yet is a file, and will be as empty as this one.
            let mut empty = scratch(settings, Engine::Sqlite, None).await?;
            let made = make(&project, &mut empty.database, of, validity, key(settings)).await;
            empty.remove().await.map_err(OpsError::from)?;
            return Ok(made?);
        };
        let made = make(&project, &mut database, of, validity, key(settings)).await;
        database.close().await;
        Ok::<_, CliError>(made?)
    })??;
    write_new(&file, &bytes)?;
    let done = Done {
        command: "plan",
        sha256: Digest::of(&bytes),
        versions: plan.versions(),
        policy: plan.policy,
        expires_at: plan.expires_at,
        file,
        plan,
    };
    Ok(Reply::new(done, show))
}

fn show(done: &Done, out: &mut dyn Write) -> io::Result<()> {
    write_plan(&done.plan, out)?;
    let file = done.file.display();
    writeln!(out, "wrote    {file} (sha256:{})", done.sha256)?;
    let rolls_back = done.plan.direction == Direction::Down;
    let command = if rolls_back { "rollback" } else { "apply" };
    match done.policy.approvals {
        0 => writeln!(out, "next     run `greffe {command} --plan {file}`"),
        _ => writeln!(
            out,
            "next     have it approved: `greffe approve {file} --out approval.json --key SOURCE`"
        ),
    }
}
