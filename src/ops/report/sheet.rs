//! One change in full.

use std::collections::{BTreeSet, HashMap};

use super::super::OpsError;
use super::super::chain::{Entry, read_entry};
use super::super::source::Source;
use super::lines::{Chain, Line, told};
use super::plans::{Plan, Plans};
use super::scripts::{ClearScript, lint};
use crate::chain::Report;
use crate::model::{
    Cid, Details, Event, EventKind, FileEntry, MigrationDetails, Role, StatementRun, Timestamp,
};
use crate::report::risk::{Known, LintHit, Risk};
use crate::report::{
    Change, ChangeFile, FileState, People, Person, PlanEntry, Policy, Tests, Times, Told, Waived, WayBack,
};
use crate::scripts::{Dialect, Header};

/// What sheets are made of.
pub struct Sheets<'a> {
    pub chain: &'a Chain,
    pub plans: &'a Plans,
    pub report: &'a Report,
}

impl Sheets<'_> {
    /// The sheets of these entries, in their order.
    ///
    /// # Errors
    /// [`OpsError::NoThread`].
    pub fn all(&self, source: &mut Source, shown: &BTreeSet<u64>) -> Result<Vec<Change>, OpsError> {
        let wrong: BTreeSet<u64> = self.report.findings.iter().filter_map(|finding| finding.seq).collect();
        let (mut changes, mut scripts) = (Vec::new(), Vec::new());
        for line in shown.iter().filter_map(|seq| self.chain.line(*seq)) {
            let Ok(entry) = read_entry(&line.manifest, &mut source.reads()) else { continue };
            let own = clear_scripts(source, &entry);
            let header = own.iter().find(|script| script.role == Role::Up).and_then(ClearScript::header);
            changes.push(self.sheet(line, &entry, header, !wrong.contains(&line.seq)));
            scripts.extend(own);
        }
        let asked: BTreeSet<u64> = scripts.iter().map(|script| script.seq).collect();
        let mut hits: HashMap<u64, Vec<LintHit>> = HashMap::new();
        for (seq, hit) in lint(&scripts)? {
            hits.entry(seq).or_default().push(hit);
        }
        for change in &mut changes {
            let found = asked.contains(&change.seq).then(|| hits.remove(&change.seq).unwrap_or_default());
            let ran = self.chain.line(change.seq).is_some_and(Line::ran);
            change.risk = risk(change, ran, found);
        }
        Ok(changes)
    }

    /// How many rules were waived for a change.
    pub fn waivers(&self, source: &mut Source, line: &Line) -> u64 {
        let Ok(entry) = read_entry(&line.manifest, &mut source.reads()) else { return 0 };
        let own = clear_scripts(source, &entry);
        let header = own.iter().find(|script| script.role == Role::Up).and_then(ClearScript::header);
        let known = line.plan.as_ref().and_then(|plan| self.plans.get(plan));
        waivers(known, line.version.as_deref(), header.as_ref()).len() as u64
    }

    fn sheet(&self, line: &Line, entry: &Entry, header: Option<Header>, verified: bool) -> Change {
        let event = &entry.statement.event;
        let details = match &event.details {
            Details::Migration(details) => Some(details.as_ref()),
            _ => None,
        };
        let migration = event.migration();
        let files: Vec<ChangeFile> = entry.manifest.files.iter().map(|file| self.file(file)).collect();
        let up = files.iter().find(|file| file.role == Role::Up).map(|file| file.state);
        let withheld = |told: Told| match (told, up) {
            (Told::Sealed | Told::None, Some(FileState::Erased)) => Told::Erased,
            (told, _) => told,
        };
        let is_sealed = matches!(up, Some(FileState::Sealed | FileState::Erased));
        let text = |text: Option<&String>| withheld(told(text.map(String::as_str), is_sealed));
        let plan = details.and_then(|details| details.plan);
        let known = plan.as_ref().and_then(|plan| self.plans.get(plan));
        let rollback = header.as_ref().and_then(|header| header.rollback.as_ref());
        Change {
            seq: line.seq,
            manifest: line.manifest,
            id: event.id,
            event: event.event,
            evidence: details.map(|details| details.evidence),
            version: line.version.clone(),
            name: text(migration.and_then(|migration| migration.name.as_ref())),
            purpose: text(migration.and_then(|migration| migration.purpose.as_ref())),
            impact: text(migration.and_then(|migration| migration.impact.as_ref())),
            depends_on: migration.map(|migration| migration.depends_on.clone()).unwrap_or_default(),
            sectors: migration.map(|migration| migration.sectors.clone()).unwrap_or_default(),
            target: event.target.clone(),
            executor: event.executor.clone(),
            run: event.run.clone(),
            statements: details.map(|details| details.statements.clone()).unwrap_or_default(),
            // What the statements and the scripts come to, once all scripts were looked at.
            risk: Risk::of(&Known { statements: &[], lint: None, transaction: None, way_back: None }),
            people: people(event, plan, known),
            times: times(line, event),
            tests: Tests {
                promoted_from: details.and_then(|details| details.promoted_from),
                hooks: hooks(details, known, line.version.as_deref()),
            },
            policy: policy(known, line.version.as_deref()),
            waivers: waivers(known, line.version.as_deref(), header.as_ref()),
            way_back: WayBack {
                says: text(rollback),
                script: files.iter().any(|file| file.role == Role::Down),
                by: self.chain.taken_back.get(&line.manifest).copied(),
                reverts: details.and_then(|details| details.reverts),
            },
            outcome: line.outcome,
            error: details.and_then(|details| details.error.clone()),
            schema: line.schema.clone(),
            continuity: line.continuity,
            verified,
            signed_by: entry.signed_by.clone(),
            files,
        }
    }

    fn file(&self, file: &FileEntry) -> ChangeFile {
        let state = match file.sealed {
            false => FileState::Clear,
            true if self.chain.erased.contains(&file.cid) => FileState::Erased,
            true => FileState::Sealed,
        };
        ChangeFile { name: file.name.to_string(), role: file.role, cid: file.cid, size: file.size, state }
    }
}

/// The scripts of an entry that stand in clear. One that cannot be read is a finding of the verification.
fn clear_scripts(source: &mut Source, entry: &Entry) -> Vec<ClearScript> {
    let Some(target) = &entry.statement.event.target else { return Vec::new() };
    let dialect = Dialect::from(target.engine);
    let seq = entry.manifest.seq;
    let files = entry.manifest.files.iter();
    let files = files.filter(|file| !file.sealed && matches!(file.role, Role::Up | Role::Down));
    files
        .filter_map(|file| {
            let bytes = source.bytes(&file.cid).ok()?;
            ClearScript::of(seq, file.role, dialect, file.name.as_str(), bytes)
        })
        .collect()
}

/// The risk, once it is known what rules find.
fn risk(change: &Change, ran: bool, lint: Option<Vec<LintHit>>) -> Risk {
    let is_back = change.event == EventKind::Rollback || change.way_back.reverts.is_some();
    let statements: &[StatementRun] = &change.statements;
    Risk::of(&Known {
        statements,
        lint: lint.as_deref(),
        transaction: None,
        way_back: (ran && !is_back).then_some(change.way_back.script),
    })
}

fn person(actor: &crate::model::Actor) -> Person {
    Person { role: actor.role.clone(), pseudonym: actor.pseudonym }
}

fn people(event: &Event, plan: Option<Cid>, known: Option<&Plan>) -> People {
    let deployer = person(&event.actor);
    let author = known.map(|plan| person(&plan.details.planned.author));
    let approvers = known.map(|plan| plan.approvals.approvers.clone()).unwrap_or_default();
    let is_involved = |pseudonym| {
        pseudonym == deployer.pseudonym || author.as_ref().is_some_and(|author| author.pseudonym == pseudonym)
    };
    People {
        approved_by_another: approvers.iter().any(|one| !is_involved(one.actor.pseudonym)),
        deployed_by_author: author.as_ref().map(|author| author.pseudonym == deployer.pseudonym),
        author_keys: known.map(|plan| plan.details.planned.author_keys.clone()).unwrap_or_default(),
        refused: known
            .map(|plan| plan.approvals.refused.iter().map(ToString::to_string).collect())
            .unwrap_or_default(),
        approvals_needed: known.map(|plan| plan.needed),
        four_eyes: known.is_some_and(|plan| plan.details.planned.four_eyes),
        plan: plan.map(|manifest| PlanEntry {
            seq: known.map(|plan| plan.seq),
            manifest,
            digest: known.map(|plan| plan.details.planned.digest),
        }),
        author,
        approvers,
        deployer,
    }
}

fn times(line: &Line, event: &Event) -> Times {
    let (started_at, finished_at): (Timestamp, Timestamp) = (line.started_at, line.finished_at);
    Times {
        started_at,
        finished_at,
        duration_us: line.duration(),
        database_clock: event.database_clock.clone(),
    }
}

/// Hooks that judged the run before it began, and those of the script itself.
fn hooks(
    details: Option<&MigrationDetails>,
    plan: Option<&Plan>,
    version: Option<&str>,
) -> Vec<crate::model::Hook> {
    let before = plan.into_iter().flat_map(|plan| &plan.details.hooks);
    let before = before.filter(|hook| hook.about.is_none() || hook.about.as_deref() == version);
    before.chain(details.into_iter().flat_map(|details| &details.hooks)).cloned().collect()
}

fn policy(plan: Option<&Plan>, version: Option<&str>) -> Option<Policy> {
    let plan = plan?;
    let verdicts = plan.details.policy.as_ref()?;
    Some(Policy { packs: verdicts.packs.clone(), rules: plan.rules_of(version) })
}

/// Rules of packs that were waived, and what the script waives of `greffe lint` and the scanner; reasons as far as it is
/// in clear.
fn waivers(plan: Option<&Plan>, version: Option<&str>, header: Option<&Header>) -> Vec<Waived> {
    let mut waived = plan.map(|plan| plan.waivers_of(version)).unwrap_or_default();
    for said in header.map(|header| header.waivers.as_slice()).unwrap_or_default() {
        let reason = Told::Clear(said.reason.clone());
        match waived.iter_mut().find(|known| known.rule == said.rule) {
            Some(known) => known.reason = reason,
            None => waived.push(Waived { rule: said.rule.clone(), until: Some(said.until.clone()), reason }),
        }
    }
    waived
}
