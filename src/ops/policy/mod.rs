//! Asks the packs in force about scripts: what settings say becomes facts, and facts become verdicts.
//!
//! | file | what it is |
//! |---|---|
//! | [`asked`] | about what is about to run, for the event that tells of it |
//! | [`again`] | about what an archive says that they were asked |
//! | [`review`] | that somebody looked through the chain |

pub mod again;
pub mod asked;
pub mod review;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::path::PathBuf;
use std::sync::Arc;

use super::{ChainReader, OpsError};
use crate::model::{Details, Direction, Role, Timestamp};
use crate::policy::packs::facts::WaiverFacts;
use crate::policy::packs::library::RuleInForce;
use crate::policy::packs::members::nearest;
use crate::policy::packs::pack::Class;
use crate::policy::packs::{
    Attestation, Classes, Declared, Facts, InForce, Kind, Library, LibraryError, PACK_LIMIT, ScriptFacts,
    Verdict, Who, judge, look,
};
use crate::scripts::{Dialect, Header};

/// What settings say of policy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicyWanted {
    /// Packs that are always there, by name.
    pub names: BTreeSet<String>,
    /// Documents of the owner's own.
    pub files: Vec<PathBuf>,
    pub environment: Option<String>,
    /// Tables by class, in place of a pack's guess.
    pub tables: BTreeMap<String, Vec<String>>,
    /// Columns by what they hold instead of a value.
    pub columns: BTreeMap<String, Vec<String>>,
    pub declared: Declared,
    pub attestations: Vec<Attestation>,
}

/// Why nothing can be judged.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    #[error("the pack {} cannot be read", path.display())]
    Unreadable {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error(transparent)]
    Library(#[from] LibraryError),
    #[error("an attestation is about `{rule}`, which is no rule in force{}", near(.nearest.as_deref()))]
    UnknownRule { rule: String, nearest: Option<String> },
    #[error("an attestation is about `{0}`, which is decided by the tool and not by people")]
    NotAttested(String),
    #[error("settings name tables of `{class}`, which is no class of a pack in force{}", near(.nearest.as_deref()))]
    UnknownClass { class: String, nearest: Option<String> },
}

fn near(nearest: Option<&str>) -> String {
    nearest.map(|nearest| format!("; the nearest one is `{nearest}`")).unwrap_or_default()
}

/// The packs of a project, as they are in force on a day.
#[derive(Clone, Debug)]
pub struct Policy {
    pub library: Library,
    pub in_force: InForce,
    classes: Classes,
    /// All that is known before a script is looked at.
    known: Facts,
}

/// A script as packs look at it.
#[derive(Clone, Copy, Debug)]
pub struct Looked<'a> {
    pub version: &'a str,
    pub direction: Direction,
    pub dialect: Dialect,
    /// What the files of the script say of it.
    pub headers: &'a [&'a Header],
    /// What runs; `None` where nobody can read it.
    pub text: Option<&'a str>,
    /// What takes it back, which is archived with it.
    pub down: Option<&'a str>,
}

impl Policy {
    /// Reads the packs that settings name; `None` where they name none.
    ///
    /// # Errors
    /// [`PolicyError`].
    pub fn open(wanted: &PolicyWanted, day: &str) -> Result<Option<Self>, PolicyError> {
        if wanted.names.is_empty() && wanted.files.is_empty() {
            return Ok(None);
        }
        let mut library = Library::built_in()?;
        let mut names = wanted.names.clone();
        for path in &wanted.files {
            let bytes = read(path)?;
            names.insert(library.add(&path.display().to_string(), &bytes)?);
        }
        let in_force = library.in_force(&names, day)?;
        require_known(wanted, &in_force)?;
        let mut known = Facts::of_day(day);
        known.packs = names;
        known.environment.clone_from(&wanted.environment);
        known.declared = wanted.declared.clone();
        known.declared.classed = wanted.tables.keys().cloned().collect();
        known.attestations.clone_from(&wanted.attestations);
        Ok(Some(Self { classes: classes(wanted, &in_force), library, in_force, known }))
    }

    /// What a script does to what is classed.
    #[must_use]
    pub fn look(&self, looked: &Looked<'_>) -> ScriptFacts {
        let mut facts = ScriptFacts::of(looked.version, looked.direction);
        for header in looked.headers {
            let parts =
                [("purpose", &header.purpose), ("impact", &header.impact), ("rollback", &header.rollback)];
            let said = parts.into_iter().filter(|(_, text)| text.is_some());
            facts.says.extend(said.map(|(part, _)| part.to_owned()));
            let own = header.waivers.iter().filter(|waiver| self.in_force.rules.contains_key(&waiver.rule));
            let own =
                own.map(|waiver| WaiverFacts { rule: waiver.rule.clone(), until: waiver.until.clone() });
            facts.waivers.extend(own);
        }
        let Some(text) = looked.text else { return ScriptFacts { unread: true, ..facts } };
        let of_down = ScriptFacts::of(looked.version, Direction::Down);
        let down = looked.down.map(|text| look(looked.dialect, text, &self.classes, of_down).literals);
        facts.down_literals = down.into_iter().flatten().map(|(what, _)| what).collect();
        look(looked.dialect, text, &self.classes, facts)
    }

    /// All facts about these scripts.
    #[must_use]
    pub fn facts(&self, scripts: Vec<ScriptFacts>, approvals: Option<u32>) -> Facts {
        Facts { scripts, approvals, ..self.known.clone() }
    }

    /// What the packs say of facts.
    #[must_use]
    pub fn judge(&self, facts: &Facts) -> Vec<Verdict> {
        judge(&self.in_force, facts)
    }

    /// The rule of this id.
    #[must_use]
    pub fn rule(&self, id: &str) -> Option<&RuleInForce> {
        self.in_force.rules.get(id)
    }

    /// Looks for the newest review, where a rule asks for one in so many days.
    ///
    /// # Errors
    /// Those of the archive.
    pub fn note_review(
        &mut self,
        newest: impl FnOnce(u32) -> Result<Option<String>, OpsError>,
    ) -> Result<(), OpsError> {
        let rules = self.in_force.rules.values().map(|known| &known.rule.check);
        let days =
            rules.filter(|check| check.kind == Kind::DailyReview).filter_map(|check| check.number("days"));
        if let Some(days) = days.max() {
            self.known.declared.reviewed = newest(days)?;
        }
        Ok(())
    }
}

/// The same for who shares it.
pub type SharedPolicy = Arc<Policy>;

fn read(path: &PathBuf) -> Result<Vec<u8>, PolicyError> {
    let unreadable = |source| PolicyError::Unreadable { path: path.clone(), source };
    let refused = |kind, why: String| Err(unreadable(std::io::Error::new(kind, why)));
    // A pipe or a device would be read for ever.
    if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
        return refused(std::io::ErrorKind::InvalidInput, "it is no file".to_owned());
    }
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(unreadable)?;
    file.take(PACK_LIMIT as u64 + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() > PACK_LIMIT {
        let why = format!("it has more than {PACK_LIMIT} bytes");
        return refused(std::io::ErrorKind::FileTooLarge, why);
    }
    Ok(bytes)
}

/// Refuses what settings say of rules and classes that there are not.
fn require_known(wanted: &PolicyWanted, in_force: &InForce) -> Result<(), PolicyError> {
    for Attestation { rule, versions, .. } in &wanted.attestations {
        match in_force.rules.get(rule) {
            None => {
                let nearest = nearest(rule, in_force.rules.keys().map(String::as_str)).map(str::to_owned);
                return Err(PolicyError::UnknownRule { rule: rule.clone(), nearest });
            }
            // Of a script that no program reads, people say what the tool cannot.
            Some(known)
                if known.rule.decides() == Who::Tool
                    && (versions.is_empty() || !known.rule.check.kind.is_of_script()) =>
            {
                return Err(PolicyError::NotAttested(rule.clone()));
            }
            Some(_) => {}
        }
    }
    let known = &in_force.classes;
    match wanted.tables.keys().find(|class| !known.contains_key(*class)) {
        None => Ok(()),
        Some(class) => {
            let nearest = nearest(class, known.keys().map(String::as_str)).map(str::to_owned);
            Err(PolicyError::UnknownClass { class: class.clone(), nearest })
        }
    }
}

fn classes(wanted: &PolicyWanted, in_force: &InForce) -> Classes {
    let told = |(id, class): (&String, &Class)| {
        let tables = wanted.tables.get(id).unwrap_or(&class.tables).clone();
        Class { tables, ..class.clone() }
    };
    let told: Vec<Class> = in_force.classes.iter().map(told).collect();
    let rules = in_force.rules.values();
    let findings = rules.flat_map(|known| known.rule.check.words("findings").map(str::to_owned));
    Classes::new(&told, &wanted.columns, findings.collect())
}

/// The day of the newest review, where there is one that is hardly older than `days`.
///
/// # Errors
/// Those of the archive.
pub fn newest_review(reader: &ChainReader, days: u32) -> Result<Option<String>, OpsError> {
    let mut next = Some(reader.newest()?.0);
    let now = super::now().as_microseconds();
    let oldest = now - (i64::from(days) + 2) * 86_400_000_000;
    while let Some(cid) = next {
        let entry = reader.entry(&cid)?;
        next = entry.manifest.prev;
        let event = &entry.statement.event;
        if event.finished_at.as_microseconds() < oldest {
            return Ok(None);
        }
        let is_review = matches!(event.details, Details::Attach { .. })
            && entry
                .manifest
                .files
                .iter()
                .any(|file| file.role == Role::Evidence && file.name.as_str() == review::REVIEW_FILE);
        if is_review {
            return Ok(Some(day_of(event.finished_at)));
        }
    }
    Ok(None)
}

/// The day of an instant, in UTC.
#[must_use]
pub fn day_of(at: Timestamp) -> String {
    at.to_string().chars().take(10).collect()
}
