//! Hooks around commands that run no migration, and what hooks said, as people read it.

use std::io::{self, Write};

use super::context::hook_settings;
use super::error::CliError;
use super::output::{Clean, remark};
use super::settings::Settings;
use super::{CommandResult, Exit};
use crate::database::Database;
use crate::ops::hooks::evidence::Evidence;
use crate::ops::hooks::folder::{HookSettings, Hooks};
use crate::ops::hooks::{Round, Told};
use crate::ops::{OpsError, now};
use crate::policy::hooks::context::{Outcome as Came, Target};
use crate::policy::hooks::{Context, HookEvent, Kind, Outcome, What};

/// The hooks around something that is no run of migrations.
pub struct Around {
    round: Round,
    what: What,
}

impl Around {
    /// Asks the hooks before it.
    pub fn begin(settings: &Settings, what: What) -> Result<Self, CliError> {
        let mut round = Round::open(&hook_settings(settings))?;
        let name = settings.name.as_ref().map(ToString::to_string).unwrap_or_default();
        let mut context = Context::new(HookEvent::Finally, &name, now());
        context.chain = settings.chain;
        context.target = target(settings);
        round.begin(context);
        match round.judge(&[what]).and_then(|()| round.before(what, None)) {
            Ok(()) => Ok(Self { round, what }),
            Err(denied) => Err(round.failed(what, OpsError::from(denied), now()).into()),
        }
    }

    /// Tells hooks how it ended, says what they said, and gives what of it may be archived.
    pub fn end(mut self, succeeded: bool) -> Evidence {
        let result = if succeeded { "succeeded" } else { "failed" };
        let came = Came { result, done: Vec::new(), archived: 0, head: None, error: None };
        self.round.end(self.what, &came, now());
        self.round.told().iter().filter_map(told_line).for_each(|line| remark(&format!("note: {line}")));
        self.round.take_evidence()
    }
}

/// Reads the folder of hooks before anything else happens, and says which of them nobody will ask.
pub fn look_at_hooks(settings: &HookSettings, quiet: bool) -> Result<(), CliError> {
    let hooks = Hooks::read(settings).map_err(OpsError::from)?;
    for hook in hooks.without_environment().filter(|_| !quiet) {
        remark(&format!(
            "note: the hook `{}` is for {}, and is not asked: `hooks.environment` says nothing",
            Clean(&hook.name.file),
            Clean(&hook.filter.environments.join(", "))
        ));
    }
    Ok(())
}

/// Runs what changes no archive between its hooks.
pub fn between_hooks(settings: &Settings, what: What, run: impl FnOnce() -> CommandResult) -> CommandResult {
    let around = Around::begin(settings, what)?;
    let reply = run();
    drop(around.end(reply.as_ref().is_ok_and(|reply| reply.exit == Exit::Done)));
    reply
}

fn target(settings: &Settings) -> Option<Target> {
    let engine = Database::engine(settings.database_url().ok()?.expose())?;
    Some(Target { name: settings.database_name().ok()?.to_owned(), engine, version: None })
}

/// What hooks said before something happened, or after it, a line each in the order in which they were asked. That a policy
/// lets each of many migrations pass is no news.
pub fn show_hooks(told: &[Told], before: bool, out: &mut dyn Write) -> io::Result<()> {
    let is_news = |told: &&Told| {
        told.event.is_before() == before
            && (told.verdict.outcome != Outcome::Allow || told.about.is_none() || told.kind == Kind::Program)
    };
    told.iter().filter(is_news).try_for_each(|told| writeln!(out, "{}", line(told)))
}

/// What a hook said, where it did not let everything pass.
pub fn told_line(told: &Told) -> Option<String> {
    (told.verdict.outcome != Outcome::Allow).then(|| line(told))
}

fn line(told: &Told) -> String {
    let about = told.about.as_ref().map(|version| format!(" ({version})")).unwrap_or_default();
    let rule = told.verdict.rule.as_ref().map(|rule| format!(" {rule}")).unwrap_or_default();
    let text = told.verdict.text.as_deref().filter(|text| !text.is_empty());
    let text = text.map(|text| format!(": {text}")).unwrap_or_default();
    let line = format!("hook {}{about}: {}{rule}{text}", told.hook, told.verdict.outcome.as_str());
    Clean(&line).to_string()
}
