use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::audit::recorded;
use super::replay::replay_staging;
use crate::cli::context::{Context, block_on, key, look_at_database, open_database, project};
use crate::cli::error::{CliError, problem_hint};
use crate::cli::hooks::{look_at_hooks, show_hooks};
use crate::cli::output::{Clean, Reply, remark};
use crate::cli::plans::given;
use crate::cli::{CommandResult, Exit};
use crate::database::Target as _;
use crate::model::EventKind;
use crate::ops::apply::{FailedScript, Outcome, Preview, Reading, apply, preview};
use crate::ops::{Archived, OpsError, Problem, Project, Wanted, today};
use crate::scripts::Version;

/// Apply pending migrations, sign and archive what happened
///
/// Each script runs in one transaction with its row of the history. After the last one, every event is
/// signed and archived. Events that an interrupted run left behind are archived first.
#[derive(Args)]
pub struct Apply {
    /// The last version to apply
    #[arg(long, value_name = "VERSION")]
    to: Option<String>,
    /// Say what would run, and run nothing
    #[arg(long)]
    dry_run: bool,
    /// Run exactly what this plan says, or nothing
    #[arg(long, value_name = "FILE", conflicts_with_all = ["to", "dry_run"])]
    plan: Option<PathBuf>,
    /// An approval of the plan; as often as there are approvals
    #[arg(long, value_name = "FILE", requires = "plan")]
    approval: Vec<PathBuf>,
}

impl Apply {
    /// Whether nothing is to be run.
    pub const fn dry_run(&self) -> bool {
        self.dry_run
    }
}

#[derive(Serialize)]
struct DryRun {
    command: &'static str,
    #[serde(rename = "dryRun")]
    dry_run: bool,
    #[serde(flatten)]
    preview: Preview,
}

#[derive(Serialize)]
struct Done {
    command: &'static str,
    #[serde(flatten)]
    outcome: Outcome,
}

pub fn run(context: &Context, arguments: &Apply) -> CommandResult {
    let settings = context.settings()?;
    recorded::refuse(&settings, "apply them")?;
    let mut project = project(&settings)?;
    let wanted = Wanted {
        to: wanted_version(&project, arguments.to.as_deref())?,
        allow_out_of_order: settings.allow_out_of_order,
        today: today(),
        publish: settings.publish,
    };
    if arguments.dry_run {
        let preview = block_on(async {
            let mut database = look_at_database(&settings).await?;
            Ok::<_, CliError>(preview(&project, database.as_mut(), &wanted).await?)
        })??;
        let findings = preview.problems.iter().any(Problem::stops);
        let reply = Reply::new(DryRun { command: "apply", dry_run: true, preview }, show_preview);
        return Ok(reply.with_exit(if findings { Exit::Findings } else { Exit::Done }));
    }
    let given = given(&settings, arguments.plan.as_deref(), &arguments.approval)?;
    // What is wrong with hooks is told before a database is made.
    look_at_hooks(&project.hooks, context.quiet)?;
    let mut progress = context.progress();
    replay_staging(&settings, &mut project, &mut |what, done, total| progress.show(what, done, total))?;
    let folder = Reading::begin(&project);
    let outcome = block_on(async {
        let mut database = open_database(&settings).await?;
        let result = apply(
            &project,
            folder,
            &mut database,
            &wanted,
            &given,
            key(&settings),
            &mut |what, done, total| {
                progress.show(what, done, total);
            },
        )
        .await;
        database.close().await;
        Ok::<_, CliError>(result?)
    })??;
    drop(progress);
    let exit = tell(context, &outcome);
    Ok(Reply::new(Done { command: "apply", outcome }, show_outcome).with_exit(exit))
}

/// The version that `--to` names.
pub fn wanted_version(project: &Project, to: Option<&str>) -> Result<Option<Version>, CliError> {
    let parse = |text: &str| {
        if project.tool.is_some() {
            return Ok(Version::of_tool(text, 0));
        }
        text.parse::<Version>()
            .map_err(|error| CliError::usage(error.to_string()).hint("run `greffe status`"))
    };
    to.map(parse).transpose()
}

/// Remarks on what a run met, and what the process ends with.
pub fn tell(context: &Context, outcome: &Outcome) -> Exit {
    if !context.quiet {
        notes(&outcome.notes);
    }
    if outcome.torn_bytes > 0 {
        remark(&format!(
            "note: {} bytes of an interrupted write were cut off the archive",
            outcome.torn_bytes
        ));
    }
    match (&outcome.failed, &outcome.denied) {
        (Some(failed), _) => {
            remark(&failure_text(failed));
            Exit::Unfinished
        }
        (None, Some(denied)) => {
            remark(&format!(
                "error: {denied}\nhint: what came before it is archived; mend what it speaks of, or the hook, and run the \
                 command again"
            ));
            Exit::Findings
        }
        (None, None) => Exit::Done,
    }
}

/// Remarks on problems that did not stop the run.
fn notes(problems: &[Problem]) {
    for problem in problems {
        remark(&format!("note: {problem}\nhint: {}", problem_hint(problem)));
    }
}

/// What to say of a script that failed.
fn failure_text(failed: &FailedScript) -> String {
    let hint = if failed.partial {
        problem_hint(&Problem::HalfApplied { version: failed.version.clone(), failed: true, statement: None })
    } else if failed.is_noted {
        format!(
            "nothing of it was kept but the tool's note that it failed: run `greffe repair {} --rolled-back`, mend the \
             script and run the command again",
            failed.version
        )
    } else {
        "nothing of it was kept; mend the script and run the command again".to_owned()
    };
    let left: String = failed.leftovers.iter().map(|left| format!("\n  left behind: {left}")).collect();
    format!(
        "error: script `{}` failed in statement {} ({})\n  {}{left}\nhint: {hint}",
        failed.file, failed.statement, failed.kind, failed.failure
    )
}

fn show_preview(shown: &DryRun, out: &mut dyn Write) -> io::Result<()> {
    for problem in &shown.preview.problems {
        writeln!(out, "problem: {}", Clean(&problem.to_string()))?;
    }
    if shown.preview.pending.is_empty() {
        return writeln!(out, "nothing to apply");
    }
    for pending in &shown.preview.pending {
        let kinds: Vec<String> = pending
            .statements
            .iter()
            .map(|run| if run.count == 1 { run.kind.clone() } else { format!("{} ×{}", run.kind, run.count) })
            .collect();
        let bare = if pending.transaction { "" } else { " (no transaction)" };
        writeln!(out, "would apply {}{bare}: {}", Clean(&pending.file), kinds.join(", "))?;
    }
    Ok(())
}

fn show_outcome(shown: &Done, out: &mut dyn Write) -> io::Result<()> {
    let outcome = &shown.outcome;
    show_hooks(&outcome.hooks, true, out)?;
    for archived in &outcome.recovered {
        write!(out, "recovered: ")?;
        show_archived(archived, out)?;
    }
    for archived in &outcome.archived {
        show_archived(archived, out)?;
    }
    if outcome.recovered.is_empty() && outcome.archived.is_empty() {
        writeln!(out, "nothing to apply")?;
    }
    show_hooks(&outcome.hooks, false, out)?;
    writeln!(out, "head {}", outcome.head)
}

/// One line for an event that was archived.
pub fn show_archived(archived: &Archived, out: &mut dyn Write) -> io::Result<()> {
    let what = match archived.version.as_str() {
        "" if archived.event == EventKind::Fail => "a run that failed",
        "" => "the database",
        version => version,
    };
    writeln!(out, "{} {} as entry {}", past(archived), Clean(what), archived.seq)
}

fn past(archived: &Archived) -> &'static str {
    match archived.event {
        EventKind::Apply => "applied",
        EventKind::Rollback => "rolled back",
        EventKind::Fail if archived.version.is_empty() => "archived",
        EventKind::Fail => "failed",
        EventKind::Repair => "repaired",
        EventKind::Drift => "recorded the drift of",
        EventKind::Baseline => "adopted",
        EventKind::Stamp => "recorded the stamp of",
        _ => "archived",
    }
}

/// Errors of use cases become errors of the command line.
impl From<crate::database::DatabaseError> for CliError {
    fn from(error: crate::database::DatabaseError) -> Self {
        OpsError::from(error).into()
    }
}
