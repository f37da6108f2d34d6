//! Compares the archive, a tool's folder and the tool's history with one another. Reads only.

use std::collections::BTreeMap;

use serde::Serialize;

use super::look::Look;
use crate::codec::sealed::ContentKeys;
use crate::crypto::Digest;
use crate::database::HistoryRow;
use crate::model::Cid;
use crate::ops::kept::{history_of, nth_run};
use crate::ops::told::{ArchivedScript, Told};
use crate::ops::{ChainReader, OpsError, Project};
use crate::scripts::tools::{AGAIN, Catalog, Entry, Fault, FolderFile, State};
use crate::scripts::{Dialect, Difference, difference, explained_difference};

/// What was compared, and what differs.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ToolAudit {
    pub name: String,
    pub tool: &'static str,
    pub head: Cid,
    pub entries: u64,
    /// The table that was read; `None` where the tool never ran.
    pub table: Option<String>,
    /// Scripts of the folder that are not applied, in the order of the graph.
    pub pending: Vec<String>,
    /// Events of greffe's own runs that the next one will archive first.
    pub unarchived: usize,
    /// Sealed files for which there is no key here.
    pub not_compared: usize,
    /// Sealed files that were opened for it.
    #[serde(skip)]
    pub opened: Vec<Cid>,
    #[serde(skip)]
    pub chain: Cid,
    pub findings: Vec<ToolFinding>,
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(tag = "finding", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum ToolFinding {
    #[error("`{file}` of {version} is not what was archived as entry {seq}")]
    Edited {
        version: String,
        file: String,
        seq: u64,
        archived: Digest,
        on_disk: Digest,
        difference: Difference,
    },
    #[error("no file is the script of {version}, which is applied since entry {seq}")]
    Missing { version: String, seq: u64 },
    #[error("{version} is applied, as entry {seq} says, and the tool's table does not have it")]
    NotInHistory { version: String, seq: u64 },
    #[error("{version} stands in the tool's table, and no entry tells of it")]
    NotInArchive { version: String },
    #[error("{version} failed or was not finished, as the tool's table says")]
    HalfApplied { version: String },
    #[error(
        "{version} was cut short outside a transaction, as greffe's own table says: it is neither applied nor not"
    )]
    CutShort { version: String },
    #[error("the tool's table remembers {remembered} of {version}, and its file has {reckoned}")]
    Checksum { version: String, remembered: String, reckoned: String },
    #[error(
        "the tool's table remembers {remembered} of {version}, and remembered {archived} when it was archived"
    )]
    Rewritten { version: String, archived: String, remembered: String },
    #[error("{version} was applied before {before}, on which it stands")]
    Reordered { version: String, before: String, seq: u64 },
    #[error("the schema is not the one that the newest entry left")]
    Drifted { expected: Digest, found: Digest },
    #[error("{detail}")]
    Folder { detail: String },
}

impl ToolFinding {
    fn of_fault(fault: &Fault) -> Self {
        Self::Folder { detail: fault.to_string() }
    }
}

/// Compares. `rows`: those of greffe's own table, where it applies in the tool's place.
///
/// # Errors
/// Those of the archive.
pub async fn audit_tool(
    project: &Project,
    tool: &'static str,
    catalog: &Catalog,
    look: &Look,
    rows: &[HistoryRow],
) -> Result<ToolAudit, OpsError> {
    let reader = ChainReader::open(&project.archive, &project.name)?;
    reader.require_end()?;
    let chain = reader.root();
    crate::ops::session::require_same_chain(project, chain)?;
    let keyring = project.keyring_at_hand(&chain).await?;
    let keys = keyring.as_ref().map(|keyring| keyring as &dyn ContentKeys);
    let told = Told::read(&reader, keys)?;
    let history: BTreeMap<&str, &Entry> =
        look.entries.iter().map(|entry| (entry.id.as_str(), entry)).collect();
    let mut findings: Vec<ToolFinding> = catalog.faults.iter().map(ToolFinding::of_fault).collect();
    findings.extend(scripts(project.dialect, &reader, keys, &told, catalog)?);
    let waiting: Vec<&HistoryRow> = rows.iter().filter(|row| row.archived.is_none()).collect();
    // What waits to be archived is ahead of the archive, and the next run brings it there.
    let is_waiting = |finding: &ToolFinding| match finding {
        ToolFinding::NotInHistory { version, .. } | ToolFinding::NotInArchive { version } => {
            waiting.iter().any(|row| row.version == *version)
        }
        ToolFinding::Drifted { .. } => !waiting.is_empty(),
        _ => false,
    };
    let cut_short = history_of(&told, rows).half_applied.into_keys();
    findings.extend(cut_short.map(|version| ToolFinding::CutShort { version }));
    findings.extend(histories(&told, catalog, &history));
    findings.extend(order(&told, catalog));
    findings.extend(drift(&told, look));
    findings.retain(|finding| !is_waiting(finding));
    let applied = |id: &str| history.get(id).is_some_and(|entry| entry.state == State::Applied);
    let pending = catalog.scripts.iter().map(|script| &script.id).filter(|id| !applied(id)).cloned();
    Ok(ToolAudit {
        name: project.name.to_string(),
        tool,
        head: reader.head(),
        entries: told.entries.len() as u64,
        table: look.table.clone(),
        pending: pending.collect(),
        unarchived: waiting.len(),
        not_compared: told.unopened(),
        opened: told.opened(),
        chain,
        findings,
    })
}

/// What was archived, against the files.
fn scripts(
    dialect: Dialect,
    reader: &ChainReader,
    keys: Option<&dyn ContentKeys>,
    told: &Told,
    catalog: &Catalog,
) -> Result<Vec<ToolFinding>, OpsError> {
    let mut findings = Vec::new();
    for (version, standing) in told.applied.iter().filter(|(version, _)| !ran_again(told, version)) {
        let seq = standing.seq;
        let Some(script) = catalog.script(version) else {
            // A row without a script was archived as such.
            let missing =
                standing.up.is_some().then(|| ToolFinding::Missing { version: version.clone(), seq });
            findings.extend(missing);
            continue;
        };
        let pairs = [(&standing.up, Some(&script.up)), (&standing.down, script.down.as_ref())];
        for (archived, file) in pairs {
            let (Some(archived), Some(file)) = (archived, file) else { continue };
            let Some((raw, difference)) = compared(dialect, reader, keys, archived, file)? else { continue };
            findings.push(ToolFinding::Edited {
                version: version.clone(),
                file: file.path.clone(),
                seq,
                archived: raw,
                on_disk: Digest::of(&file.bytes),
                difference,
            });
        }
    }
    Ok(findings)
}

/// Whether a script that can run again did so after this run: its file is that of the last one.
fn ran_again(told: &Told, run: &str) -> bool {
    let id = run.split_once(AGAIN).map_or(run, |(id, _)| id);
    let next = nth_run(id, run).map(|nth| format!("{id}{AGAIN}{}", nth + 1));
    next.is_some_and(|next| told.applied.contains_key(&next))
}

/// How a file differs from its archived copy; `None` where it does not, or nobody can tell.
fn compared(
    dialect: Dialect,
    reader: &ChainReader,
    keys: Option<&dyn ContentKeys>,
    archived: &ArchivedScript,
    file: &FolderFile,
) -> Result<Option<(Digest, Difference)>, OpsError> {
    let Some(raw) = archived.raw.filter(|raw| *raw != Digest::of(&file.bytes)) else { return Ok(None) };
    let Some(bytes) = archived.bytes(reader, keys)? else { return Ok(None) };
    let is_sql = file.name().ends_with(".sql");
    let difference = match is_sql {
        true => explained_difference(dialect, &bytes, &file.bytes),
        false => difference(&bytes, &file.bytes),
    };
    Ok((difference != Difference::Cosmetic).then_some((raw, difference)))
}

/// What was archived, and the files, against the tool's table.
fn histories(told: &Told, catalog: &Catalog, history: &BTreeMap<&str, &Entry>) -> Vec<ToolFinding> {
    let mut findings = Vec::new();
    for (version, standing) in &told.applied {
        if !history.contains_key(version.as_str()) {
            findings.push(ToolFinding::NotInHistory { version: version.clone(), seq: standing.seq });
        }
    }
    for (id, entry) in history {
        let version = (*id).to_owned();
        if entry.state == State::Failed {
            findings.push(ToolFinding::HalfApplied { version });
            continue;
        }
        let standing = told.applied.get(*id);
        if standing.is_none() {
            findings.push(ToolFinding::NotInArchive { version: version.clone() });
        }
        let Some(remembered) = &entry.checksum else { continue };
        let archived = standing.and_then(|standing| standing.checksum.as_ref());
        if let Some(archived) = archived.filter(|archived| *archived != remembered) {
            let (archived, remembered) = (archived.clone(), remembered.clone());
            findings.push(ToolFinding::Rewritten { version: version.clone(), archived, remembered });
        }
        let script = catalog.script(id).filter(|_| !ran_again(told, id));
        let reckoned = script.and_then(|script| script.checksum.as_ref());
        if let Some(reckoned) = reckoned.filter(|reckoned| reckoned.value != *remembered) {
            let (remembered, reckoned) = (remembered.clone(), reckoned.value.clone());
            findings.push(ToolFinding::Checksum { version, remembered, reckoned });
        }
    }
    findings
}

/// Scripts that count as applied since an earlier entry than one that they stand on.
fn order(told: &Told, catalog: &Catalog) -> Vec<ToolFinding> {
    let mut findings = Vec::new();
    for (version, standing) in &told.applied {
        let Some(script) = catalog.script(version) else { continue };
        let late = script
            .stands_on
            .iter()
            .find(|parent| told.applied.get(*parent).is_some_and(|parent| parent.seq > standing.seq));
        if let Some(before) = late {
            let (version, before, seq) = (version.clone(), before.clone(), standing.seq);
            findings.push(ToolFinding::Reordered { version, before, seq });
        }
    }
    findings
}

fn drift(told: &Told, look: &Look) -> Option<ToolFinding> {
    let (algorithm, expected) = told.schema.as_ref()?;
    let schema = look.schema.as_ref().filter(|schema| schema.algorithm == *algorithm)?;
    let found = schema.after.filter(|found| found != expected)?;
    Some(ToolFinding::Drifted { expected: *expected, found })
}
