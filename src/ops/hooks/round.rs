//! The hooks of one run: who is asked when, what they said, and whether the run may go on.
//!
//! ```text
//! judge()      policy hooks of all that is about to happen, before any of it does
//! before()     programs, right before it; a no stops it
//! after()      both kinds, once the record is durable: a no is a note, for nothing can be undone
//! ```

use std::path::PathBuf;

use serde::Serialize;

use super::evidence::{Asked, Evidence};
use super::folder::{Hook, HookSettings, Hooks};
use super::judging::{PATIENCE, Question, ask};
use super::telling::Beginning;
use crate::crypto::Digest;
use crate::model::Timestamp;
use crate::ops::clearance::{Given, GivenPlan};
use crate::ops::intended::Intended;
use crate::ops::session::Session;
use crate::ops::{OpsError, Project};
use crate::policy::hooks::context::{Migration, Moment, Outcome as Came};
use crate::policy::hooks::{Context, HookEvent, Kind, Outcome, Verdict, What, When, folded};

/// What one hook said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Told {
    pub event: HookEvent,
    /// The file.
    pub hook: String,
    pub kind: Kind,
    /// The version that it was asked about; `None` for the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    #[serde(flatten)]
    pub verdict: Verdict,
    /// Microseconds.
    pub duration_us: u64,
}

impl Told {
    /// Whether it stops what has not begun.
    #[must_use]
    pub fn stops(&self) -> bool {
        self.event.is_before() && self.verdict.outcome == Outcome::Deny
    }
}

/// A hook said no, before something began.
#[derive(Debug, thiserror::Error)]
#[error("{}", said(told))]
pub struct Denied {
    /// All that was said so far; at least one of them stops.
    pub told: Vec<Told>,
    pub folder: PathBuf,
}

fn said(told: &[Told]) -> String {
    let Some(first) = told.iter().find(|told| told.stops()) else { return "a hook said no".to_owned() };
    let rule = first.verdict.rule.as_deref().unwrap_or_default();
    let about = first.about.as_ref().map(|version| format!(" about {version}")).unwrap_or_default();
    let text = first.verdict.text.as_deref().filter(|text| !text.is_empty());
    let text = text.map(|text| format!(": {text}")).unwrap_or_default();
    format!("the hook `{}` said no{about} by its rule `{rule}`{text}", first.hook)
}

/// The hooks of one run.
pub struct Round {
    hooks: Hooks,
    context: Option<Context>,
    pub(super) asked: Vec<Asked>,
    evidence: Evidence,
    /// Whether they were told that it is over.
    ended: bool,
}

impl Round {
    /// Reads the folder of hooks.
    ///
    /// # Errors
    /// [`OpsError::Hooks`].
    pub fn open(settings: &HookSettings) -> Result<Self, OpsError> {
        let hooks = Hooks::read(settings)?;
        Ok(Self { hooks, context: None, asked: Vec::new(), evidence: Evidence::default(), ended: false })
    }

    /// Whether nobody is asked at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.hooks.hooks.is_empty()
    }

    /// Whether hooks are asked where there is nothing to do.
    #[must_use]
    pub fn on_empty(&self) -> bool {
        self.hooks.on_empty && !self.is_empty()
    }

    /// Whether a program may print something that is to be archived of this run.
    #[must_use]
    pub fn has_programs(&self) -> bool {
        self.context.is_some() && self.hooks.hooks.iter().any(|hook| hook.name.kind == Kind::Program)
    }

    /// The same for a run of migrations; `migrations` is only asked for what it is where somebody is told.
    pub fn begin_run(
        &mut self,
        project: &Project,
        session: &Session,
        (given, intended): (&Given, &Intended<'_>),
        migrations: impl FnOnce() -> Vec<Migration>,
    ) {
        if self.is_empty() {
            return;
        }
        let beginning = Beginning {
            project: project.name.as_str(),
            chain: session.chain.reader.root(),
            run: session.run_id(),
            at: session.clock.now(),
            target: session.target(),
            direction: intended.direction,
            history: intended.history,
            migrations: migrations(),
            plan: given.plan.as_ref().map(GivenPlan::digest),
        };
        self.begin(beginning.context());
    }

    /// Says what the run is; from here on, hooks are asked. Those stay that are for it.
    pub fn begin(&mut self, mut context: Context) {
        let own = self.hooks.sectors.iter().chain(&context.sectors).map(|sector| folded(sector));
        let mut sectors: Vec<String> = Vec::new();
        for sector in own.filter(|sector| !sector.is_empty()) {
            if !sectors.contains(&sector) {
                sectors.push(sector);
            }
        }
        context.environment.clone_from(&self.hooks.environment);
        context.sectors = sectors;
        let target = context.target.as_ref().map(|target| target.name.clone());
        let hooks = std::mem::take(&mut self.hooks);
        self.hooks = hooks.for_run(&context.sectors, target.as_deref());
        self.context = Some(context);
    }

    /// Asks policy hooks about all of these events, each before it happens.
    ///
    /// # Errors
    /// [`Denied`].
    pub fn judge(&mut self, whats: &[What]) -> Result<(), Denied> {
        let Some(context) = self.context.clone() else { return Ok(()) };
        let first = self.asked.len();
        for what in whats {
            let event = HookEvent::Around(*what, When::Before);
            let about =
                |migration| (context.at_event(event, Some(migration)), Some(migration.version.clone()));
            let contexts: Vec<(Context, Option<String>)> = match what.is_each() {
                true => context.migrations.iter().map(about).collect(),
                false => vec![(context.at_event(event, None), None)],
            };
            self.ask_policies(event, &contexts);
        }
        self.require(first)
    }

    /// Asks the programs that are for what is about to happen, or happens to a migration.
    ///
    /// # Errors
    /// [`Denied`].
    pub fn before(&mut self, what: What, version: Option<&str>) -> Result<(), Denied> {
        let event = HookEvent::Around(what, When::Before);
        let first = self.asked.len();
        if let Some(context) = self.context_at(event, version, None) {
            self.run_programs(event, &context, version);
        }
        self.require(first)
    }

    /// Tells hooks of both kinds how something ended.
    pub fn after(&mut self, event: HookEvent, version: Option<&str>, came: &Came, now: Timestamp) {
        let Some(context) = self.context_at(event, version, Some((came, now))) else { return };
        self.ask_policies(event, &[(context.clone(), version.map(str::to_owned))]);
        self.run_programs(event, &context, version);
    }

    /// Tells hooks how the whole of it ended, once: `what`, and that it is over.
    pub fn end(&mut self, what: What, came: &Came, now: Timestamp) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        let when = if came.result == "succeeded" { When::After } else { When::AfterError };
        self.after(HookEvent::Around(what, when), None, came, now);
        self.after(HookEvent::Finally, None, came, now);
    }

    /// What was said so far, in its order.
    #[must_use]
    pub fn told(&self) -> Vec<Told> {
        self.asked.iter().map(|asked| asked.told.clone()).collect()
    }

    /// What of it is to be archived, and was not given before.
    pub fn take_evidence(&mut self) -> Evidence {
        std::mem::take(&mut self.evidence)
    }

    /// About how many bytes that is.
    #[must_use]
    pub fn evidence_size(&self) -> usize {
        self.evidence.size()
    }

    /// What ends in an error goes on as one, with what hooks said of it.
    pub fn failed(&mut self, what: What, error: OpsError, now: Timestamp) -> OpsError {
        let result = if matches!(error, OpsError::Denied(_)) { "denied" } else { "failed" };
        self.end(what, &Came { result, done: Vec::new(), archived: 0, head: None, error: None }, now);
        let folder = self.hooks.folder.clone();
        match error {
            OpsError::Denied(_) => OpsError::Denied(Box::new(Denied { told: self.told(), folder })),
            error if self.asked.is_empty() => error,
            error => OpsError::WithHooks { error: Box::new(error), told: self.told() },
        }
    }

    fn context_at(
        &self,
        event: HookEvent,
        version: Option<&str>,
        ended: Option<(&Came, Timestamp)>,
    ) -> Option<Context> {
        // Nothing is made up for nobody.
        self.hooks.of(event).next()?;
        let context = self.context.as_ref()?;
        let is_it = |migration: &&Migration| Some(migration.version.as_str()) == version;
        let mut context = context.at_event(event, context.migrations.iter().find(is_it));
        if let Some((came, now)) = ended {
            context.outcome = Some(came.clone());
            context.at = Moment::of(now);
        }
        Some(context)
    }

    fn ask_policies(&mut self, event: HookEvent, contexts: &[(Context, Option<String>)]) {
        let hooks: Vec<Hook> =
            self.hooks.of(event).filter(|hook| hook.name.kind == Kind::Policy).cloned().collect();
        if hooks.is_empty() {
            return;
        }
        let inputs: Vec<Vec<u8>> = contexts.iter().map(|(context, _)| context.to_bytes()).collect();
        let mut questions = Vec::new();
        for hook in &hooks {
            let inputs = inputs.iter().map(Vec::as_slice).collect();
            questions.push(Question { event, source: &hook.source, inputs });
        }
        for (hook, answers) in hooks.iter().zip(ask(&questions, PATIENCE)) {
            self.evidence.keep_source(hook);
            for (answer, (_, about)) in answers.into_iter().zip(contexts) {
                self.note(hook, about.as_deref(), answer.input, answer.verdicts, answer.duration);
            }
        }
        inputs.iter().for_each(|input| self.evidence.keep_input(event, input));
    }

    fn run_programs(&mut self, event: HookEvent, context: &Context, version: Option<&str>) {
        let hooks: Vec<Hook> =
            self.hooks.of(event).filter(|hook| hook.name.kind == Kind::Program).cloned().collect();
        let Some((programs, bounds)) = self.hooks.programs.clone() else { return };
        let input = context.to_bytes();
        for hook in hooks {
            let path = self.hooks.folder.join(&hook.name.file);
            let ended = programs.run(&path, &hook.sha256, event, &input, &bounds);
            self.evidence.keep_output(&hook, version, &ended.output);
            let stops = ended.verdicts.iter().any(|verdict| verdict.outcome == Outcome::Deny);
            self.note(&hook, version, Digest::of(&input), ended.verdicts, ended.duration);
            // What was refused once is not asked again; after it happened, everybody hears of it.
            if stops && event.is_before() {
                return;
            }
        }
    }

    fn note(
        &mut self,
        hook: &Hook,
        about: Option<&str>,
        input: Digest,
        verdicts: Vec<Verdict>,
        duration: std::time::Duration,
    ) {
        let first = self.evidence.hooks.len();
        for verdict in verdicts {
            let told = Told {
                event: hook.name.event,
                hook: hook.name.file.clone(),
                kind: hook.name.kind,
                about: about.map(str::to_owned),
                verdict,
                duration_us: u64::try_from(duration.as_micros()).unwrap_or(u64::MAX),
            };
            let asked = Asked { told, sha256: hook.sha256, input };
            let said = asked.to_model();
            // Texts are not archived: what differs in nothing else is told once.
            let is_told = self.evidence.hooks[first..]
                .iter()
                .any(|told| (&told.outcome, &told.rule) == (&said.outcome, &said.rule));
            if !is_told {
                self.evidence.hooks.push(said);
            }
            self.asked.push(asked);
        }
    }

    /// `first`: the first answer that counts.
    fn require(&self, first: usize) -> Result<(), Denied> {
        match self.asked.iter().skip(first).any(|asked| asked.told.stops()) {
            true => Err(Denied { told: self.told(), folder: self.hooks.folder.clone() }),
            false => Ok(()),
        }
    }
}
