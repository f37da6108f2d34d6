//! The looks: what other commands do, asked for its results. Nothing sealed is opened, nothing is changed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::guarded;
use crate::chain::{Freshness, Recall};
use crate::cli::commands::audit::recorded;
use crate::cli::commands::erase::kept;
use crate::cli::commands::verify::{goes_on, keep_standing, threads};
use crate::cli::commands::witness::after::witnesses;
use crate::cli::context::{
    Context, block_on, look_at_database, project, replicas, vault_place, verify_options,
};
use crate::cli::error::CliError;
use crate::cli::memory::MemoryArguments;
use crate::cli::settings::Settings;
use crate::cli::sources::SourceArguments;
use crate::database::Target as _;
use crate::model::{AccessKind, Cid, Details, EventKind, Timestamp};
use crate::ops::access::access_name;
use crate::ops::audit::audit;
use crate::ops::erase::months_due;
use crate::ops::gossip::{Asking, Says, Voice, gossip, replica_voices};
use crate::ops::log::log;
use crate::ops::look::{Look, Looking, look};
use crate::ops::replicate::{KnownStates, answering, known};
use crate::ops::sealed::{OpenOwner, OwnerUnavailable};
use crate::ops::standings::Standings;
use crate::ops::verify::verify_archive;
use crate::ops::{ChainReader, KeyUnavailable, OpsError, Project, Wanted, now, today};
use crate::scripts::read_folder;
use crate::store::ArchiveError;
use crate::store::remote::NamedReplica;
use crate::watch::rules::{self, Copies, Judging, Ran};
use crate::watch::{Code, Facts, Finding, Found, GuardMemory, LookName};

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;
/// At the first look entries of this time are judged, in microseconds.
const FIRST: i64 = DAY;
/// Migrations that one is compared with.
const BEFORE: usize = 20;
/// Entries that one look judges; of more than these the oldest are left out.
const MOST: usize = 5000;
/// How often every block of every replica is fetched, where the head stays the same.
const DEEP: Duration = Duration::from_secs(3600);

/// Looks at one thing after the other.
pub struct Looker {
    context: Context,
    settings: Settings,
    memory: MemoryArguments,
    sources: SourceArguments,
    /// What the last look at every block of the replicas found.
    deep: Mutex<Option<Deep>>,
}

struct Deep {
    head: Cid,
    at: Instant,
    findings: Vec<Finding>,
}

impl Looker {
    pub fn new(
        context: &Context,
        settings: &Settings,
        memory: &MemoryArguments,
        sources: &SourceArguments,
    ) -> Self {
        Self {
            context: context.clone(),
            settings: settings.clone(),
            memory: memory.clone(),
            sources: sources.clone(),
            deep: Mutex::new(None),
        }
    }

    /// Looks. `judged`: entries before this one were judged; `guard`: how far the guard's notes were read.
    ///
    /// # Errors
    /// Why it could not look.
    pub fn look(&self, name: LookName, judged: Option<u64>, guard: &GuardMemory) -> Result<Found, CliError> {
        match name {
            LookName::Chain => self.chain(judged),
            LookName::Database => self.database(),
            LookName::Replicas => self.replicas(),
            LookName::Keeping => self.keeping(),
            LookName::Guard => guarded::look(&self.settings, guard),
        }
    }

    fn reader(&self) -> Result<ChainReader, CliError> {
        Ok(ChainReader::open(&self.settings.archive_directory, self.settings.name()?)?)
    }

    fn tolerance(&self) -> i64 {
        verify_options(&self.settings, &[]).tolerance
    }

    fn chain(&self, judged: Option<u64>) -> Result<Found, CliError> {
        let reader = self.reader()?;
        match reader.require_end() {
            Err(error @ OpsError::HeadLost { .. }) => {
                let findings = vec![rules::cut_back(&error.to_string())];
                return Ok(Found { findings, facts: Facts { verified: Some(false), ..Facts::default() } });
            }
            end => end?,
        }
        let report = self.verify(&reader)?;
        let (at, tolerance) = (now(), self.tolerance());
        let age = self.settings.watch.max_age;
        let freshness =
            Freshness::of(report.vouched.clone(), at, age.map_or(u64::MAX, |age| age.as_secs()), tolerance);
        let mut findings = rules::of_report(&report);
        findings.extend(rules::clocks(&report.vouched, at, tolerance));
        findings.extend(age.and_then(|_| rules::stale(&freshness)));
        let (ran, from) = entries(&reader, judged, at)?;
        findings.extend(rules::of_entries(&ran, &Judging { from, windows: &self.settings.watch.windows }));
        let newest = ran.iter().rev().find(|ran| ran.kind == EventKind::Apply);
        let facts = Facts {
            entries: Some(report.entries),
            verified: Some(report.verified),
            newest: report.newest,
            head_age: freshness.age_seconds,
            duration: newest.map(Ran::duration),
            judged: Some(reader.newest()?.1.seq + 1),
            ..Facts::default()
        };
        Ok(Found { findings, facts })
    }

    /// As `verify --incremental` does: what is new, and all of it where what is new does not fit.
    fn verify(&self, reader: &ChainReader) -> Result<crate::chain::Report, CliError> {
        let (context, memory) = (&self.context, &self.memory);
        let mut options = verify_options(&self.settings, &[]);
        memory.recall(context, &mut options)?;
        let standings = memory.standings(context);
        options.recall = standings.as_ref().map(Standings::recall);
        let verify =
            |options| verify_archive(reader, reader.head(), options, threads(None), &mut |_, _, _| ());
        let mut report = verify(options.clone())?;
        if let Some(standings) = &standings
            && !block_on(goes_on(standings, &report))?
        {
            options.recall = options.recall.map(Recall::to_compare);
            report = verify(options)?;
        }
        memory.remember(context, report.memory.as_ref());
        if let Some(standings) = &standings {
            keep_standing(context, standings, &report)?;
        }
        memory.keep_fork(context, &report);
        Ok(report)
    }

    fn database(&self) -> Result<Found, CliError> {
        let settings = &self.settings;
        if settings.database_url.is_none() {
            return Ok(Found::default());
        }
        let project = Project { owner: nobody(), ..project(settings)? };
        if let (Some(tool), false) = (recorded::tool(settings)?, settings.tool_apply) {
            let audit = recorded::compare(settings, &tool, &project)?.audit;
            let waiting = recorded::waiting_runs(settings)?;
            let unarchived = Some((audit.uncollected + audit.unarchived + waiting) as u64);
            let facts = Facts { pending: Some(audit.pending.len() as u64), unarchived, ..Facts::default() };
            return Ok(Found { findings: rules::of_tool_audit(&audit, waiting), facts });
        }
        let allow_out_of_order = settings.allow_out_of_order;
        let wanted = Wanted { to: None, allow_out_of_order, today: today(), publish: settings.publish };
        let (audit, rows) = block_on(async {
            let mut database = look_at_database(settings).await?;
            let audit = audit(&project, database.as_mut(), &wanted).await?;
            let rows = match &mut database {
                Some(database) => database.history_with_damage().await.map_err(OpsError::from)?.0,
                None => Vec::new(),
            };
            if let Some(database) = database {
                database.close().await;
            }
            Ok::<_, CliError>((audit, rows))
        })??;
        let mut findings = rules::of_audit(&audit);
        findings.extend(rules::unarchived(&rows, now()));
        // Before the first migration there need not be one.
        if !audit.database && audit.entries.is_some_and(|entries| entries > 1) {
            findings
                .push(Finding::new(Code::Unreachable, "live database").with("reason", "it does not exist"));
        }
        let folder = read_folder(&project.migrations).map_err(OpsError::from)?;
        findings.extend(rules::waivers(&folder, &audit.pending, &self.edge()));
        let facts = Facts {
            pending: Some(audit.pending.len() as u64),
            unarchived: Some(audit.unarchived as u64),
            ..Facts::default()
        };
        Ok(Found { findings, facts })
    }

    /// What ends before this day comes due.
    fn edge(&self) -> String {
        day_in(now(), self.settings.watch.due.in_days())
    }

    fn replicas(&self) -> Result<Found, CliError> {
        let settings = &self.settings;
        let (reader, name, replicas) = (self.reader()?, settings.name()?, replicas(settings)?);
        let mut findings = Vec::new();
        let mut facts = Facts::default();
        if !replicas.is_empty() {
            let KnownStates { replicas: states, .. } = known(&reader, name, &replicas)?;
            let directory = &settings.archive_directory;
            let deadline = settings.replication_deadline.min(settings.watch.time_limit);
            let answers = block_on(answering(directory, name, &replicas, replicas.len(), deadline))?;
            let silent = answers.into_iter().filter_map(|(name, failure)| Some((name, failure?)));
            let silent: BTreeMap<String, String> = silent.collect();
            let (at, newest) = (now(), reader.entry(&reader.newest()?.0)?.statement.event.finished_at);
            let required = settings.replication_required;
            let copies = Copies { states: &states, silent: &silent, required, newest, now: at };
            findings.extend(rules::of_copies(&copies));
            facts.target = Some(copies.target() as u64);
            let keeps = states.iter().map(|state| (state.name.clone(), copies.keeps(state)));
            let keeps: BTreeMap<String, bool> = keeps.collect();
            findings.extend(self.deep(&reader, &replicas, &keeps)?);
            facts.replicas = Some(keeps);
        }
        findings.extend(self.gossip(&reader, &replicas)?);
        Ok(Found { findings, facts })
    }

    /// Every block of replicas that have the head; once in a while, and when the head is another one.
    fn deep(
        &self,
        reader: &ChainReader,
        replicas: &[NamedReplica],
        keeps: &BTreeMap<String, bool>,
    ) -> Result<Vec<Finding>, CliError> {
        let mut deep = self.deep.lock().unwrap_or_else(PoisonError::into_inner);
        let known = deep.as_ref().filter(|deep| deep.head == reader.head() && deep.at.elapsed() < DEEP);
        if let Some(known) = known {
            return Ok(known.findings.clone());
        }
        let looking = Looking { repair: false, deadline: self.settings.replication_deadline };
        let looks = block_on(look(reader, self.settings.name()?, replicas, looking, &mut |_, _, _| ()))??;
        // One that is owed the head lacks it, and that is told already.
        let keeps = |look: &Look| keeps.get(&look.name).is_some_and(|keeps| *keeps);
        let looks: Vec<Look> = looks.into_iter().filter(keeps).collect();
        let findings = rules::of_looks(&looks);
        *deep = Some(Deep { head: reader.head(), at: Instant::now(), findings: findings.clone() });
        Ok(findings)
    }

    /// What replicas, witnesses and the services of `--from` show.
    fn gossip(&self, reader: &ChainReader, replicas: &[NamedReplica]) -> Result<Vec<Finding>, CliError> {
        let (settings, name) = (&self.settings, self.settings.name()?);
        let mut voices = replica_voices(reader, name, replicas)?;
        for witness in witnesses(settings, reader)? {
            let name = format!("witness {}", witness.name);
            voices.push(Voice { name, says: Says::Witness(Box::new(witness)) });
        }
        for (name, http) in self.sources.gateways()? {
            voices.push(Voice { name, says: Says::Log(Box::new(http)) });
        }
        if voices.is_empty() {
            return Ok(Vec::new());
        }
        let (sources, names) = (self.sources.open(settings)?, self.sources.names(settings)?);
        let deadline = settings.replication_deadline.min(settings.watch.time_limit);
        let asking = Asking { reader, name, sources: &sources, names: &names, deadline };
        match block_on(gossip(&asking, &voices))? {
            Ok(gossip) => {
                for fork in &gossip.forks {
                    if let Some(evidence) = &fork.evidence {
                        self.memory.keep(&self.context, &gossip.chain, evidence);
                    }
                }
                Ok(rules::of_gossip(&gossip))
            }
            // What is wrong with the archive itself is told by the look at the chain.
            Err(OpsError::Incomparable { .. }) => Ok(Vec::new()),
            Err(error) => Err(error.into()),
        }
    }

    fn keeping(&self) -> Result<Found, CliError> {
        let settings = &self.settings;
        let at = now();
        let (count, burst) = rules::accesses(&self.openings(at)?, at, settings.watch.accesses);
        let mut findings: Vec<Finding> = burst.into_iter().collect();
        findings.extend(rules::attestations(&settings.policy.attestations, &self.edge()));
        if settings.vault_retention.is_some() {
            let then = later(at, settings.watch.due.in_days());
            let place = vault_place(settings)?;
            let months = block_on(months_due(&place, &self.reader()?.root(), kept(settings), then))??;
            findings.extend(rules::erasures(&months));
        }
        Ok(Found { findings, facts: Facts { accesses: Some(count), ..Facts::default() } })
    }

    /// When sealed content was opened lately, newest first.
    fn openings(&self, at: Timestamp) -> Result<Vec<Timestamp>, CliError> {
        let name = access_name(self.settings.name()?)?;
        let reader = match ChainReader::open(&self.settings.archive_directory, &name) {
            Err(OpsError::Archive(ArchiveError::NotFound { .. })) => return Ok(Vec::new()),
            reader => reader?,
        };
        let (mut times, edge) = (Vec::new(), at.as_microseconds().saturating_sub(DAY));
        log(&reader, Some(MOST as u64), &mut |entry| {
            let at = entry.event.finished_at;
            let opens = |details: &Details| matches!(details, Details::Attach { access: Some(access), .. } if access.kind == AccessKind::Open);
            times.extend(opens(&entry.event.details).then_some(at));
            at.as_microseconds() > edge
        })?;
        Ok(times)
    }
}

/// Entries that were not judged, with those that they are compared with, oldest first; and the first that was not.
fn entries(reader: &ChainReader, judged: Option<u64>, at: Timestamp) -> Result<(Vec<Ran>, u64), CliError> {
    let edge = at.as_microseconds().saturating_sub(FIRST);
    let (mut ran, mut from, mut before) = (Vec::new(), judged.unwrap_or(u64::MAX), 0);
    log(reader, Some(MOST as u64), &mut |entry| {
        let run = Ran::of(&entry.event);
        if judged.is_none() && run.finished_at.as_microseconds() >= edge {
            from = run.seq;
        }
        before += usize::from(run.seq < from && run.kind == EventKind::Apply);
        ran.push(run);
        before < BEFORE
    })?;
    ran.reverse();
    Ok((ran, from))
}

/// An owner of no key: what is sealed stays closed.
pub fn nobody() -> OpenOwner {
    let absent = || KeyUnavailable { message: "a watch opens nothing".to_owned(), hint: String::new() };
    OpenOwner(Arc::new(move || Err(OwnerUnavailable::Absent(absent()))))
}

fn later(at: Timestamp, days: u32) -> Timestamp {
    let later = at.as_microseconds().saturating_add(i64::from(days) * DAY);
    Timestamp::from_microseconds(later).unwrap_or(at)
}

/// The day in UTC, so many days later.
fn day_in(at: Timestamp, days: u32) -> String {
    later(at, days).to_string().chars().take(10).collect()
}
