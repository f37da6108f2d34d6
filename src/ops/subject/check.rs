//! Holds the map against the live schema, and against the schema that pending migrations make.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{MapFile, SubjectError};
use crate::database::{Database, History, HistoryRow, Scratch, Statement, Step, StepOutcome, Target as _};
use crate::model::{Actor, EventId, EventKind, Pseudonym, Run, Target};
use crate::ops::event::{migration_name, record};
use crate::ops::now;
use crate::ops::plan::refused_script;
use crate::privacy::subject::{Finding, coverage, coverage::triggers};
use crate::scripts::{Dialect, Migration, reaches_outside, statements};

/// What a check found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Checked {
    /// Whether there was a database to look at.
    pub live: bool,
    /// Versions that are not applied yet and were tried.
    pub pending: Vec<String>,
    pub findings: Vec<Placed>,
    /// Triggers on declared tables, in the database and after the pending migrations.
    pub triggers: BTreeMap<String, Vec<String>>,
}

/// What is there now.
#[derive(Clone, Debug, Default)]
pub struct Live {
    pub findings: Vec<Finding>,
    pub triggers: BTreeMap<String, Vec<String>>,
}

/// A finding, and the migration after which it is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Placed {
    /// `None` where it is in the database as it is.
    pub migration: Option<String>,
    #[serde(flatten)]
    pub finding: Finding,
}

/// Looks at the live schema alone.
///
/// # Errors
/// Those of the database.
pub async fn live(database: &mut Database, file: &MapFile) -> Result<Live, SubjectError> {
    let relations = database.relations().await?;
    Ok(Live { findings: coverage(&file.map, &relations), triggers: triggers(&file.map, &relations) })
}

/// Migrations of a folder that are applied, and those that are not, each in order.
#[must_use]
pub fn split(folder: Vec<Migration>, rows: &[HistoryRow]) -> (Vec<Migration>, Vec<Migration>) {
    let history = History::of(rows);
    folder.into_iter().partition(|migration| history.applied.contains_key(&migration.version.to_string()))
}

/// Makes the schema from nothing by the scripts of the folder, the applied ones first, and looks after each pending
/// one. `live`: what is found in the database as it is, where there is one. What pending migrations mend counts no
/// more.
///
/// # Errors
/// [`SubjectError::Migration`]; those of the database.
pub async fn pending(
    scratch: &mut Scratch,
    file: &MapFile,
    dialect: Dialect,
    (applied, pending): (&[Migration], &[Migration]),
    live: Option<Live>,
) -> Result<Checked, SubjectError> {
    let role = scratch.role();
    scratch.database.prepare().await?;
    for migration in applied {
        let made = run(&mut scratch.database, dialect, migration, role.as_deref()).await;
        made.map_err(no_base)?;
    }
    let mut found = coverage(&file.map, &scratch.database.relations().await?);
    let before = found.clone();
    let mut placed: Vec<Placed> = Vec::new();
    let mut fired = BTreeMap::new();
    for migration in pending {
        let made = run(&mut scratch.database, dialect, migration, role.as_deref()).await;
        // What nobody's script made is missing here, and there in the database.
        made.map_err(|error| if live.is_some() { no_base(error) } else { error })?;
        let relations = scratch.database.relations().await?;
        found = coverage(&file.map, &relations);
        fired = triggers(&file.map, &relations);
        placed.retain(|placed| found.contains(&placed.finding));
        for finding in &found {
            let is_known = before.contains(finding) || placed.iter().any(|placed| placed.finding == *finding);
            if !is_known {
                let migration = Some(migration.version.to_string());
                placed.push(Placed { migration, finding: finding.clone() });
            }
        }
    }
    let is_live = live.is_some();
    let mended = |finding: &Finding| before.contains(finding) && !found.contains(finding);
    let live = live.unwrap_or_else(|| Live { findings: before.clone(), triggers: BTreeMap::new() });
    for (table, names) in live.triggers {
        let fired = fired.entry(table).or_default();
        fired.extend(names);
        fired.sort();
        fired.dedup();
    }
    let mut findings: Vec<Placed> = live
        .findings
        .into_iter()
        .filter(|finding| !mended(finding))
        .map(|finding| Placed { migration: None, finding })
        .collect();
    let known: BTreeSet<String> = findings.iter().map(|placed| placed.finding.to_string()).collect();
    findings.extend(placed.into_iter().filter(|placed| !known.contains(&placed.finding.to_string())));
    let pending = pending.iter().map(|migration| migration.version.to_string()).collect();
    Ok(Checked { live: is_live, pending, findings, triggers: fired })
}

fn no_base(error: SubjectError) -> SubjectError {
    match error {
        SubjectError::Migration { version, detail } => SubjectError::NoBase { version, detail },
        error => error,
    }
}

async fn run(
    database: &mut Database,
    dialect: Dialect,
    migration: &Migration,
    own_role: Option<&str>,
) -> Result<(), SubjectError> {
    let version = migration.version.to_string();
    let stopped = |detail: String| SubjectError::Migration { version: version.clone(), detail };
    let sql = migration.up.text().map_err(|error| stopped(error.to_string()))?;
    if let Some(line) = reaches_outside(dialect, sql, own_role) {
        return Err(stopped(format!("it reaches outside of its database, in line {line}")));
    }
    if let Some(problem) = refused_script(dialect, &version, &migration.up) {
        return Err(stopped(problem.to_string()));
    }
    let identity = database.identity();
    let target = Target { name: "scratch".to_owned(), engine: identity.engine, version: identity.version };
    let actor = Actor { pseudonym: Pseudonym::generate(), role: "check".to_owned() };
    let name = migration_name(migration);
    let found = statements(dialect, sql).into_iter();
    let step = Step {
        id: EventId::generate(now()),
        event: EventKind::Apply,
        record: record(
            &actor,
            &target,
            Run { id: EventId::generate(now()), ci: None },
            Some(name.clone()),
            false,
        ),
        migration: name,
        sql: sql.to_owned(),
        statements: found
            .map(|statement| Statement { range: statement.range, kind: statement.kind })
            .collect(),
        transaction: migration.up.transaction,
        up: None,
        down: None,
        tool: crate::database::ToolWrites::default(),
    };
    match database.run(&step, None, &now).await? {
        StepOutcome::Done => Ok(()),
        StepOutcome::Failed { failure, statement, .. } => {
            Err(stopped(format!("statement {statement} fails: {failure}")))
        }
    }
}
