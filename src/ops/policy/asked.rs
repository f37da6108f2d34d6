//! The packs of a project, asked about what is about to run.

use super::{Looked, Policy, day_of, newest_review};
use crate::chain::{NewFile, POLICY_FACTS, POLICY_FOLDER, POLICY_LIMIT};
use crate::model::{Direction, JudgedRule, MigrationName, PolicyPack, PolicyVerdicts, Role, Timestamp};
use crate::ops::plan::Problem;
use crate::ops::{ChainReader, OpsError, Project};
use crate::policy::packs::{Facts, ScriptFacts, Verdict, approvals_needed};
use crate::scripts::{Dialect, Header, Migration, Script};

/// Packs in force, and the scripts that they are asked about.
#[derive(Clone, Debug)]
pub struct Asked {
    policy: Policy,
    scripts: Vec<ScriptFacts>,
}

/// What an event tells of packs, and the files that it stands on.
#[derive(Debug)]
pub struct Evidence {
    pub verdicts: PolicyVerdicts,
    pub files: Vec<NewFile>,
}

impl Asked {
    /// Reads the packs of the settings and looks at scripts; `None` where no pack is in force.
    ///
    /// # Errors
    /// [`super::PolicyError`] and those of the archive.
    pub fn open(
        project: &Project,
        reader: Option<&ChainReader>,
        at: Timestamp,
        look: impl FnOnce(&Policy) -> Vec<ScriptFacts>,
    ) -> Result<Option<Self>, OpsError> {
        let Some(mut policy) = Policy::open(&project.policy, &day_of(at))? else { return Ok(None) };
        if let Some(reader) = reader {
            policy.note_review(|days| newest_review(reader, days))?;
        }
        let scripts = look(&policy);
        Ok(Some(Self { policy, scripts }))
    }

    fn facts(&self, approvals: Option<u32>) -> Facts {
        self.policy.facts(self.scripts.clone(), approvals)
    }

    /// From how many people an approval is asked for.
    #[must_use]
    pub fn approvals(&self) -> u32 {
        approvals_needed(&self.policy.in_force, &self.facts(None))
    }

    /// What stands in the way, whoever approves.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        problems(&self.policy.judge(&self.facts(None)))
    }

    /// Refuses what stands in the way, whoever approves.
    ///
    /// # Errors
    /// [`OpsError::Problems`].
    pub fn require(&self) -> Result<(), OpsError> {
        let problems = self.problems();
        if problems.is_empty() { Ok(()) } else { Err(OpsError::Problems(problems)) }
    }

    /// The verdicts once so many people have approved, with the packs and the facts as files in clear.
    ///
    /// # Errors
    /// [`OpsError::Problems`] where something stands in the way.
    pub fn evidence(&self, approvals: u32) -> Result<Evidence, OpsError> {
        let facts = self.facts(Some(approvals));
        let verdicts = self.policy.judge(&facts);
        let stopping = problems(&verdicts);
        if !stopping.is_empty() {
            return Err(OpsError::Problems(stopping));
        }
        let file = |name: String, bytes: Vec<u8>| {
            Ok::<_, OpsError>(NewFile { name: name.parse()?, role: Role::Evidence, bytes, sealed: false })
        };
        let packs = self.policy.library.with_bases(&facts.packs).map_err(super::PolicyError::from)?;
        let mut files = vec![file(POLICY_FACTS.to_owned(), facts.encode())?];
        for pack in &packs {
            files.push(file(format!("{POLICY_FOLDER}{}.toml", pack.name), pack.text.clone().into_bytes())?);
        }
        let size: usize = files.iter().map(|file| file.bytes.len()).sum();
        if size > POLICY_LIMIT {
            return Err(OpsError::PolicyTooLarge { size, limit: POLICY_LIMIT });
        }
        let told =
            |pack: &&crate::policy::packs::Pack| PolicyPack { name: pack.name.clone(), sha256: pack.digest };
        let rules = verdicts.into_iter().map(|verdict| JudgedRule {
            rule: verdict.rule,
            outcome: verdict.outcome.as_str().to_owned(),
            about: verdict.about,
        });
        let verdicts = PolicyVerdicts { packs: packs.iter().map(told).collect(), rules: rules.collect() };
        Ok(Evidence { verdicts, files })
    }
}

/// What a script that is to be applied does.
#[must_use]
pub fn to_apply(policy: &Policy, dialect: Dialect, migration: &Migration) -> ScriptFacts {
    policy.look(&Looked {
        version: &migration.version.to_string(),
        direction: Direction::Up,
        dialect,
        headers: &[&migration.header],
        text: migration.up.text().ok(),
        down: migration.down.as_ref().and_then(|down| down.text().ok()),
    })
}

/// What a way down does; `name` is what the archive has of the header of the way up, `header` what the folder has.
#[must_use]
pub fn to_roll_back(
    policy: &Policy,
    dialect: Dialect,
    (version, name): (&str, &MigrationName),
    script: &Script,
    header: Option<&Header>,
) -> ScriptFacts {
    let archived = Header { purpose: name.purpose.clone(), impact: name.impact.clone(), ..Header::default() };
    let own = script.text().map(Header::parse).unwrap_or_default();
    let headers: Vec<&Header> = [&archived, &own].into_iter().chain(header).collect();
    let text = script.text().ok();
    policy.look(&Looked { version, direction: Direction::Down, dialect, headers: &headers, text, down: None })
}

/// What stands in the way of a run.
fn problems(verdicts: &[Verdict]) -> Vec<Problem> {
    let stopping = verdicts.iter().filter(|verdict| verdict.stops());
    let problem = |verdict: &Verdict| Problem::Policy {
        rule: verdict.rule.clone(),
        version: verdict.about.clone(),
        outcome: verdict.outcome.as_str(),
        says: verdict.english().to_owned(),
    };
    stopping.map(problem).collect()
}
