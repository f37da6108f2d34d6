use std::io::{self, Write};

use clap::{Args, Subcommand};
use serde::Serialize;

use crate::cli::context::{Context, hook_settings};
use crate::cli::output::{Clean, Reply};
use crate::cli::{CommandResult, Exit};
use crate::ops::OpsError;
use crate::ops::hooks::folder::{Hook, Hooks as Folder};
use crate::ops::hooks::judging::{PATIENCE, Question, ask};
use crate::policy::hooks::{Context as HookContext, Filter, HookEvent, Kind, Outcome, SCHEMA, Verdict};

/// Look at the hooks that are asked before and after what greffe does
#[derive(Args)]
pub struct Hooks {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// List all hooks in the order in which they are asked, with what they are for
    List {
        /// List the events instead that a hook may be for
        #[arg(long)]
        events: bool,
    },
    /// Try all hooks: names, filters, syntax, and the answers of policy hooks to an example
    ///
    /// Programs are not started. Exits with 1 where a policy hook gives no verdict.
    Check,
    /// Print the JSON Schema of the document that hooks are told
    Schema,
}

pub fn run(context: &Context, arguments: &Hooks) -> CommandResult {
    if matches!(arguments.what, What::Schema) {
        return Ok(Reply::raw(SCHEMA.as_bytes().to_vec()));
    }
    if let What::List { events: true } = arguments.what {
        let events = HookEvent::all().collect();
        return Ok(Reply::new(Events { command: "hooks", events }, show_events));
    }
    let folder = Folder::read(&hook_settings(&context.settings()?)).map_err(OpsError::from)?;
    match arguments.what {
        What::Check => Ok(check(&folder)),
        _ => Ok(Reply::new(listed(folder), show_list)),
    }
}

#[derive(Serialize)]
struct Events {
    command: &'static str,
    events: Vec<HookEvent>,
}

fn show_events(shown: &Events, out: &mut dyn Write) -> io::Result<()> {
    shown.events.iter().try_for_each(|event| writeln!(out, "{event}"))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    command: &'static str,
    folder: String,
    hooks: Vec<ListedHook>,
    /// Files that are no hooks.
    set_aside: Vec<String>,
}

#[derive(Serialize)]
struct ListedHook {
    event: HookEvent,
    file: String,
    kind: Kind,
    sha256: String,
    filter: Filter,
}

fn listed(folder: Folder) -> Listed {
    let of = |hook: Hook| ListedHook {
        event: hook.name.event,
        file: hook.name.file,
        kind: hook.name.kind,
        sha256: hook.sha256.to_string(),
        filter: hook.filter,
    };
    Listed {
        command: "hooks",
        folder: folder.folder.display().to_string(),
        hooks: folder.hooks.into_iter().map(of).collect(),
        set_aside: folder.set_aside,
    }
}

fn show_list(shown: &Listed, out: &mut dyn Write) -> io::Result<()> {
    for hook in &shown.hooks {
        let kind = if hook.kind == Kind::Policy { "policy" } else { "program" };
        let filters = [
            ("sector", &hook.filter.sectors),
            ("target", &hook.filter.targets),
            ("environment", &hook.filter.environments),
        ];
        let filters = filters.into_iter().filter(|(_, values)| !values.is_empty());
        let filters: String =
            filters.map(|(key, values)| format!("  {key}: {}", values.join(", "))).collect();
        writeln!(out, "{:<22} {kind:<8} {}{}", hook.event.to_string(), Clean(&hook.file), Clean(&filters))?;
    }
    if shown.hooks.is_empty() {
        writeln!(out, "no hooks")?;
    }
    Ok(())
}

#[derive(Serialize)]
struct Checked {
    command: &'static str,
    hooks: Vec<CheckedHook>,
}

#[derive(Serialize)]
struct CheckedHook {
    event: HookEvent,
    file: String,
    kind: Kind,
    /// What it says about the example; nothing of a program.
    verdicts: Vec<Verdict>,
}

/// Asks each policy hook about the example of its event.
fn check(folder: &Folder) -> Reply {
    let hooks: Vec<CheckedHook> = folder.hooks.iter().map(check_one).collect();
    let is_broken = hooks.iter().any(|hook| hook.verdicts.iter().any(Verdict::is_broken));
    let exit = if is_broken { Exit::Findings } else { Exit::Done };
    Reply::new(Checked { command: "hooks", hooks }, show_checked).with_exit(exit)
}

fn check_one(hook: &Hook) -> CheckedHook {
    let event = hook.name.event;
    let verdicts = match hook.name.kind {
        Kind::Program => Vec::new(),
        Kind::Policy => {
            let input = HookContext::example(event).to_bytes();
            let question = Question { event, source: &hook.source, inputs: vec![&input] };
            let answers = ask(&[question], PATIENCE).into_iter().flatten();
            answers.flat_map(|answer| answer.verdicts).collect()
        }
    };
    CheckedHook { event, file: hook.name.file.clone(), kind: hook.name.kind, verdicts }
}

fn show_checked(shown: &Checked, out: &mut dyn Write) -> io::Result<()> {
    for hook in &shown.hooks {
        let file = Clean(&hook.file);
        if hook.kind == Kind::Program {
            writeln!(out, "{file}: a program, not started")?;
        }
        for verdict in &hook.verdicts {
            let word = if verdict.is_broken() { "broken" } else { verdict.outcome.as_str() };
            let rule = verdict.rule.as_deref().filter(|_| !verdict.is_broken()).unwrap_or_default();
            let text = verdict.text.as_deref().unwrap_or_default();
            let said =
                [word, rule, text].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ");
            writeln!(out, "{file}: {}", Clean(&said))?;
        }
    }
    let broken = shown.hooks.iter().filter(|hook| hook.verdicts.iter().any(Verdict::is_broken)).count();
    let denied = shown.hooks.iter().flat_map(|hook| &hook.verdicts);
    let denied = denied.filter(|verdict| verdict.outcome == Outcome::Deny && !verdict.is_broken()).count();
    writeln!(out, "{} hook(s), {broken} broken; {denied} would deny the example", shown.hooks.len())
}
