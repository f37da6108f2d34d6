//! Errors as people read them: what, cause, and the command that mends it.

use std::error::Error;

mod clearance;
mod hints;
mod problem;

use self::hints::{archive_hint, hint};
pub use self::problem::{problem_details, problem_hint};
use super::Exit;
use super::hooks::told_line;
use super::settings::SettingsError;
use crate::model::{AccessFailure, Cid};
use crate::ops::access::failure_of;
use crate::ops::promotion::PromotionError;
use crate::ops::{OpsError, Problem};
use crate::server::ServeError;
use crate::vault::VaultError;

/// Findings that are shown with an error.
const FOUND: usize = 10;

/// An error that ends a command.
#[derive(Debug)]
pub struct CliError {
    pub exit: Exit,
    pub message: String,
    pub causes: Vec<String>,
    pub hint: Option<String>,
    /// For `--json`: problems as they are.
    problems: Vec<Problem>,
    /// Sealed content that was to be opened and was not.
    pub unopened: Option<Box<Unopened>>,
}

/// A try to open sealed content that failed.
#[derive(Debug)]
pub struct Unopened {
    pub failure: AccessFailure,
    /// Entries whose content it was, where that is known.
    pub about: Vec<Cid>,
}

impl CliError {
    /// An error without cause or hint.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        let (causes, hint, problems, unopened) = (Vec::new(), None, Vec::new(), None);
        Self { exit, message: message.into(), causes, hint, problems, unopened }
    }

    /// The same about the content of this entry, where it is about sealed content.
    #[must_use]
    pub fn of_entry(mut self, entry: Cid) -> Self {
        if let Some(unopened) = &mut self.unopened {
            unopened.about = vec![entry];
        }
        self
    }

    /// Wrong usage.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// With the command that mends it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    fn caused_by(mut self, error: &dyn Error) -> Self {
        let mut source = error.source();
        while let Some(cause) = source {
            self.causes.push(format!("because {cause}"));
            source = cause.source();
        }
        self
    }

    /// The object that `--json` prints.
    pub fn json(&self) -> serde_json::Value {
        let mut error = serde_json::json!({
            "message": self.message,
            "causes": self.causes,
            "hint": self.hint,
        });
        if !self.problems.is_empty() {
            error["problems"] = serde_json::to_value(&self.problems).unwrap_or_default();
        }
        serde_json::json!({ "error": error, "exit": self.exit.code() })
    }
}

impl From<SettingsError> for CliError {
    fn from(error: SettingsError) -> Self {
        let hint = match &error {
            SettingsError::Missing(_) => Some("run `greffe init`, or say it with the flag"),
            SettingsError::File { .. } => Some("name the settings file with `--config PATH`"),
            _ => None,
        };
        let mut shown = Self::usage(error.to_string());
        shown.hint = hint.map(str::to_owned);
        shown
    }
}

impl From<OpsError> for CliError {
    fn from(error: OpsError) -> Self {
        if let OpsError::Tool(error) = error {
            return (*error).into();
        }
        if let OpsError::Problems(problems) = error {
            return of_problems(problems);
        }
        if let OpsError::WithHooks { error, told } = error {
            let mut shown = Self::from(*error);
            shown.causes.extend(told.iter().filter_map(told_line));
            return shown;
        }
        let exit = match &error {
            OpsError::ImportFindings { .. }
            | OpsError::ImportFork { .. }
            | OpsError::ImportOtherChain { .. }
            | OpsError::HeadLost { .. }
            | OpsError::NameTaken { .. }
            | OpsError::UnnamedChain { .. }
            | OpsError::OtherChain { .. }
            | OpsError::SealedDiffers { .. }
            | OpsError::AccessLost { .. }
            | OpsError::EvidenceDamaged { .. }
            | OpsError::EvidenceFindings { .. }
            | OpsError::Tree { .. }
            | OpsError::HeadInconsistent { .. }
            | OpsError::Incomparable { .. }
            | OpsError::Unpublishable { .. }
            | OpsError::HistoryDiffers { .. }
            | OpsError::HistoryBehind { .. }
            | OpsError::ArchiveBehind { .. }
            | OpsError::WayDownDiffers { .. }
            | OpsError::Denied(_) => Exit::Findings,
            OpsError::Clearance(error) => clearance::exit(error),
            OpsError::Promotion(PromotionError::NotAtHand { .. }) => Exit::Unfinished,
            OpsError::Promotion(_) => Exit::Findings,
            OpsError::NoEntry(..)
            | OpsError::NotInArchive(_)
            | OpsError::NotApplied(_)
            | OpsError::UnknownVersion(_)
            | OpsError::CannotRepair { .. }
            | OpsError::NoWayDown { .. }
            | OpsError::TooManySteps { .. }
            | OpsError::Exists(_)
            | OpsError::ImportNoHead { .. }
            | OpsError::NotAHead(_)
            | OpsError::Folder(_)
            | OpsError::Plain(_)
            | OpsError::Policy(_)
            | OpsError::Basis { .. }
            | OpsError::Held { .. }
            | OpsError::TooYoung { .. }
            | OpsError::NoRetention
            | OpsError::NothingToPlan
            | OpsError::NotAPlan(_)
            | OpsError::Hooks(_)
            | OpsError::TooManyAnswers(_)
            | OpsError::NoAuthority
            | OpsError::Terms { .. }
            | OpsError::NothingSealed
            | OpsError::NoVersion(_)
            | OpsError::NoRelease(_)
            | OpsError::Grant { .. }
            | OpsError::Vault(
                VaultError::Missing(_)
                | VaultError::Exists(_)
                | VaultError::HoldExists(_)
                | VaultError::Url
                | VaultError::Owner(_),
            )
            | OpsError::Key(_)
            | OpsError::OwnerKey(_) => Exit::Usage,
            _ => Exit::Unfinished,
        };
        let hint = hint(&error);
        let mut shown = Self::new(exit, error.to_string()).caused_by(&error);
        shown.unopened = failure_of(&error).map(|failure| Box::new(Unopened { failure, about: Vec::new() }));
        if let OpsError::Clearance(error) = &error {
            shown.causes.extend(clearance::details(error));
        }
        if let OpsError::Denied(denied) = &error {
            shown.causes.extend(denied.told.iter().filter_map(told_line));
        }
        if let OpsError::OutOfReach { faults, found, .. } = error {
            shown.causes.extend(faults);
            let more = found.len().saturating_sub(FOUND);
            shown.causes.extend(found.iter().take(FOUND).map(|finding| format!("found before: {finding}")));
            shown.causes.extend((more > 0).then(|| format!("{more} more were found before")));
        }
        shown.hint = hint;
        shown
    }
}

impl From<ServeError> for CliError {
    fn from(error: ServeError) -> Self {
        let (exit, hint) = match &error {
            ServeError::Archive(cause) => (Exit::Unfinished, archive_hint(cause)),
            ServeError::EndLost { .. } => {
                (Exit::Findings, Some("bring the newest copy back with `greffe import FILE.car`".to_owned()))
            }
            ServeError::NoArchive { .. } => {
                (Exit::Unfinished, Some("name the folder with `--archive PATH`".to_owned()))
            }
            ServeError::Listen { .. } => {
                (Exit::Unfinished, Some("choose another address with `--listen ADDRESS:PORT`".to_owned()))
            }
            ServeError::Run(_) => (Exit::Unfinished, None),
        };
        let mut shown = Self::new(exit, error.to_string()).caused_by(&error);
        shown.hint = hint;
        shown
    }
}

fn of_problems(problems: Vec<Problem>) -> CliError {
    let [first, rest @ ..] = problems.as_slice() else {
        return CliError::new(Exit::Findings, "something stands in the way");
    };
    let mut error = CliError::new(Exit::Findings, first.to_string());
    error.causes.extend(problem_details(first));
    for problem in rest {
        error.causes.push(format!("also: {problem}"));
        error.causes.extend(problem_details(problem));
    }
    error.hint = Some(problem_hint(first));
    error.problems = problems;
    error
}
