//! Another tool's folder that greffe applies itself, while it keeps that tool's history true.
//!
//! There are three who remember: the chain, the tool's table, and greffe's own table. Only the first two are asked what
//! is applied, and they have to say the same: what the chain tells, whoever ran it, and what the tool's table lists. A
//! difference stops every run, and `greffe audit` says what it is. So a team may run its tool in between (under `greffe
//! record`, which lets the chain tell of it) and go on with greffe, or leave greffe for good, and a database that the tool
//! migrated for years is adopted by `greffe baseline`.
//!
//! greffe's own table is the journal here, and no more: each script that greffe runs has a row in it from before it begins,
//! from which its event is archived, and which says after a crash what was cut short. It has no row for what the tool
//! ran. The tool's row is written in the transaction that ends greffe's own: with the script where that runs in one, right
//! after it else. Both say the same, then, or neither says anything.
//!
//! What ran is the part of a file that the tool takes for that way; archived is the whole file.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::Path;

use super::plan::Problem;
use super::record::look::{TableName, find_table};
use super::told::{ArchivedScript, Recorded, Told};
use super::{ChainReader, OpsError, Project};
use crate::database::{
    Applied, Database, History, HistoryRow, Keeper, Step, Target as _, ToolEntry, ToolHistory, ToolWrites,
};
use crate::model::{Direction, EventKind, FileDigests, Timestamp, ToolSays};
use crate::scripts::tools::plain::{PlainError, migrations};
use crate::scripts::tools::{AGAIN, Catalog, Entry, Folder, State, Tool, catalog_of, is_wanted, tool_named};
use crate::scripts::{Dialect, Migration, Version, read_folder};
use crate::store::ArchiveError;

/// A tool for which greffe applies.
#[derive(Clone)]
pub struct KeptTool {
    pub tool: &'static dyn Tool,
    keeper: Keeper,
    /// Its table, where the team named it.
    pub table: TableName,
}

impl fmt::Debug for KeptTool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("KeptTool").field(&self.keeper).field(&self.table).finish()
    }
}

impl KeptTool {
    /// The tool that settings call `name`.
    ///
    /// # Errors
    /// [`PlainError::Tool`] where greffe cannot do its work.
    pub fn named(name: &str, table: TableName) -> Result<Self, PlainError> {
        match (tool_named(name), Keeper::named(name)) {
            (Some(tool), Some(keeper)) => Ok(Self { tool, keeper, table }),
            _ => Err(PlainError::Tool(name.to_owned())),
        }
    }

    /// What settings call it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.tool.name()
    }

    /// Whether a script that was left out may be applied later: where the table has one row, it cannot say so.
    #[must_use]
    pub fn takes_any_order(&self) -> bool {
        self.keeper != Keeper::GolangMigrate
    }

    /// Makes the table where a replay has none yet.
    #[must_use]
    pub fn for_replay(&self, engine: crate::model::Engine) -> ToolHistory {
        let name = self.table.name.clone().unwrap_or_else(|| self.tool.table().name.to_owned());
        ToolHistory::new(self.keeper, engine, self.table.schema.clone(), name)
    }
}

/// A table as settings name it: `TABLE` or `SCHEMA.TABLE`.
#[must_use]
pub fn table_named(written: Option<&str>) -> TableName {
    match written.and_then(|written| written.split_once('.')) {
        Some((schema, name)) => TableName { name: Some(name.to_owned()), schema: Some(schema.to_owned()) },
        None => TableName { name: written.map(str::to_owned), schema: None },
    }
}

/// What a project's folder holds.
#[derive(Clone, Debug, Default)]
pub struct Scripts {
    pub migrations: Vec<Migration>,
    /// As another tool reads it.
    catalog: Option<Catalog>,
}

impl Scripts {
    /// Reads the folder as whose it is.
    ///
    /// # Errors
    /// Those of the folder.
    pub fn read(project: &Project) -> Result<Self, OpsError> {
        Self::read_from(&project.migrations, project.tool.as_ref(), project.dialect)
    }

    /// The same without a project.
    ///
    /// # Errors
    /// Those of the folder.
    pub fn read_from(path: &Path, tool: Option<&KeptTool>, dialect: Dialect) -> Result<Self, OpsError> {
        let Some(KeptTool { tool, .. }) = tool else {
            return Ok(Self { migrations: read_folder(path)?, catalog: None });
        };
        let folder = Folder::read(path, is_wanted).map_err(super::record::RecordError::from)?;
        let migrations = migrations(*tool, &folder, dialect)?;
        Ok(Self { migrations, catalog: Some(catalog_of(*tool, &folder)) })
    }
}

/// Folder and database, as far as they say what is applied.
#[derive(Debug)]
pub struct View {
    pub folder: Vec<Migration>,
    pub history: History,
    /// In what archive and tool differ.
    pub problems: Vec<Problem>,
    /// Where another tool's table is kept.
    pub tool: Option<ToolView>,
}

/// Another tool's table, and what there is to know of it.
#[derive(Debug)]
pub struct ToolView {
    history: ToolHistory,
    is_there: bool,
    catalog: Catalog,
    entries: BTreeMap<String, Entry>,
    says: ToolSays,
}

impl View {
    /// Looks; reads only. `target`: `None` where there is no database yet.
    ///
    /// # Errors
    /// Those of archive and database.
    pub async fn look(
        project: &Project,
        target: Option<&mut Database>,
        scripts: Scripts,
        rows: &[HistoryRow],
    ) -> Result<Self, OpsError> {
        let Scripts { migrations: folder, catalog } = scripts;
        let (Some(kept), Some(catalog)) = (&project.tool, catalog) else {
            let history = History::of(rows);
            return Ok(Self { folder, history, problems: Vec::new(), tool: None });
        };
        let told = told(project)?;
        let tool = match target {
            Some(target) => ToolView::look(kept, catalog, target).await?,
            None => ToolView::nothing(kept, catalog, project),
        };
        let history = history_of(&told, rows);
        let problems = tool.differences(&history);
        let mut view = Self { folder, history, problems, tool: Some(tool) };
        view.settle_repeatables();
        Ok(view)
    }

    /// Makes the tool's table where there is none.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn make_table(&self, target: &mut Database) -> Result<(), OpsError> {
        if let Some(tool) = self.tool.as_ref().filter(|tool| !tool.is_there) {
            target.make_tool_table(&tool.history.create()).await?;
        }
        Ok(())
    }

    /// Of a script that can run again only the last run counts: it is pending once its file is another one.
    fn settle_repeatables(&mut self) {
        let Some(tool) = &self.tool else { return };
        for migration in self.folder.iter_mut().filter(|migration| !migration.version.has_turn()) {
            let id = migration.version.as_str().to_owned();
            let mut runs: Vec<(u64, String)> = self
                .history
                .applied
                .keys()
                .filter_map(|run| Some((nth_run(&id, run)?, run.clone())))
                .collect();
            runs.sort();
            let Some((nth, last)) = runs.pop() else { continue };
            for (_, earlier) in runs {
                self.history.applied.remove(&earlier);
            }
            let reckoned = tool.catalog.script(&id).and_then(|script| script.checksum.as_ref());
            let remembered = tool.entries.get(&last).and_then(|entry| entry.checksum.as_ref());
            let is_same = reckoned.map(|reckoned| &reckoned.value) == remembered;
            let version = if is_same { last } else { format!("{id}{AGAIN}{}", nth + 1) };
            migration.version = Version::of_tool(&version, i64::MAX);
            if !is_same {
                self.history.applied.retain(|run, _| nth_run(&id, run).is_none());
            }
        }
    }
}

/// The number of a run of the script that can run again, from 1; `None` where `run` is none of it.
#[must_use]
pub fn nth_run(id: &str, run: &str) -> Option<u64> {
    match run.strip_prefix(id)? {
        "" => Some(1),
        again => again.strip_prefix(AGAIN)?.parse().ok(),
    }
}

/// What the chain tells; nothing without an archive.
fn told(project: &Project) -> Result<Told, OpsError> {
    match ChainReader::open(&project.archive, &project.name) {
        Ok(reader) => Told::read(&reader, None),
        Err(OpsError::Archive(ArchiveError::NotFound { .. })) => Ok(Told::default()),
        Err(error) => Err(error),
    }
}

/// The history as the chain tells it, and the rows that it does not tell of yet.
pub fn history_of(told: &Told, rows: &[HistoryRow]) -> History {
    let by_place: HashMap<u64, &HistoryRow> =
        rows.iter().filter_map(|row| Some((row.archived?.0, row))).collect();
    let digests = |script: &Option<ArchivedScript>| {
        let script = script.as_ref()?;
        let raw = script.raw?;
        Some(FileDigests { raw, lf: script.lf.unwrap_or(raw) })
    };
    let mut applied = BTreeMap::new();
    for (version, standing) in &told.applied {
        let Some(entry) = usize::try_from(standing.seq).ok().and_then(|place| told.entries.get(place)) else {
            continue;
        };
        // A row knows the digests of what is sealed in the archive.
        let row = by_place.get(&standing.seq);
        let up = row.map_or_else(|| digests(&standing.up), |row| row.up.clone());
        let down = row.map_or_else(|| digests(&standing.down), |row| row.down.clone());
        let standing = Applied {
            position: i64::try_from(standing.seq).unwrap_or(i64::MAX),
            up,
            down,
            name: entry.name.clone(),
            archived: Some((standing.seq, entry.manifest)),
            finished_at: Some(entry.finished_at),
        };
        applied.insert(version.clone(), standing);
    }
    let mut history = History::of_archive(applied, rows);
    history.half_applied.retain(|version, row| {
        let settles = |entry: &&Recorded| {
            let later = row.archived.is_some_and(|(seq, _)| entry.seq > seq);
            later && entry.version == *version && entry.event != EventKind::Fail
        };
        !told.entries.iter().rev().any(|entry| settles(&entry))
    });
    if history.unarchived == 0 {
        history.schema.clone_from(&told.schema);
    }
    history
}

impl ToolView {
    async fn look(kept: &KeptTool, catalog: Catalog, target: &mut Database) -> Result<Self, OpsError> {
        let engine = target.identity().engine;
        let shape = kept.tool.table();
        let Some(table) = find_table(kept.tool, target, &kept.table).await? else {
            let mut history = kept.for_replay(engine);
            if kept.table.schema.is_none() {
                history.set_schema(target.current_schema().await?);
            }
            return Ok(Self::of(kept, catalog, history, Vec::new(), false));
        };
        let rows = target.tool_rows(&table, shape.columns, shape.order).await?;
        let entries = kept.tool.entries(&catalog, &rows);
        Ok(Self::of(kept, catalog, ToolHistory::of(kept.keeper, engine, &table), entries, true))
    }

    fn nothing(kept: &KeptTool, catalog: Catalog, project: &Project) -> Self {
        let engine = match project.dialect {
            Dialect::Sqlite => crate::model::Engine::Sqlite,
            Dialect::Postgresql => crate::model::Engine::Postgresql,
            Dialect::Mysql => crate::model::Engine::Mysql,
        };
        Self::of(kept, catalog, kept.for_replay(engine), Vec::new(), false)
    }

    fn of(
        kept: &KeptTool,
        catalog: Catalog,
        history: ToolHistory,
        entries: Vec<Entry>,
        is_there: bool,
    ) -> Self {
        let entries = entries.into_iter().map(|entry| (entry.id.clone(), entry)).collect();
        let table = match (&kept.table.schema, &kept.table.name) {
            (Some(schema), Some(name)) => Some(format!("{schema}.{name}")),
            (_, name) => name.clone(),
        };
        let says = ToolSays { name: Some(kept.name().to_owned()), table, ..ToolSays::default() };
        Self { history, is_there, catalog, entries, says }
    }

    fn differences(&self, history: &History) -> Vec<Problem> {
        let table = self.history.shown();
        let is_applied = |id: &str| self.entries.get(id).is_some_and(|entry| entry.state.is_applied());
        let is_open = |version: &str| history.half_applied.contains_key(version);
        let mut problems = Vec::new();
        for version in history.applied.keys().filter(|version| !is_applied(version) && !is_open(version)) {
            let (version, table) = (version.clone(), table.clone());
            problems.push(Problem::ToolDiffers { version, table, archive: true });
        }
        for (id, entry) in self.entries.iter().filter(|(id, _)| !is_open(id)) {
            let (version, table) = (id.clone(), table.clone());
            match entry.state {
                State::Failed => problems.push(Problem::ToolFailed { version, table }),
                State::Applied | State::Marked if !history.applied.contains_key(id) => {
                    problems.push(Problem::ToolDiffers { version, table, archive: false });
                }
                State::Applied | State::Marked => {}
            }
        }
        problems
    }

    /// Lets a step that runs `file` keep the tool's table, and its event say so.
    pub fn keep(&self, step: &mut Step, direction: Direction, file: &str, bytes: &[u8], at: Timestamp) {
        let (writes, checksum) =
            self.writes(&step.migration.version, direction, (file, bytes), step.transaction, at);
        step.tool = writes;
        let transaction = (!step.transaction).then_some(false);
        step.record.tool = Some(Box::new(ToolSays { checksum, transaction, ..self.says.clone() }));
    }

    /// Statements that let the table say what a version counts as from here on, though nothing runs; none where it
    /// says so.
    pub fn declare(&self, version: &str, direction: Direction, at: Timestamp) -> Vec<String> {
        let state = self.entries.get(version).map(|entry| entry.state);
        let script = self.catalog.script(version);
        let (file, bytes) = match script {
            Some(script) => (script.up.path.as_str(), script.up.bytes.as_slice()),
            None => ("", &[][..]),
        };
        let (is_up, failed) = (direction == Direction::Up, state == Some(State::Failed));
        if (is_up && state.is_some_and(State::is_applied)) || (!is_up && state.is_none()) {
            return Vec::new();
        }
        let mut statements = if failed { self.history.forget_failed() } else { Vec::new() };
        // What failed has no other row to undo; a table of one row is written anew.
        if is_up || !failed || self.history.has_one_row() {
            statements.extend(self.writes(version, direction, (file, bytes), true, at).0.done);
        }
        crate::database::timed(&statements, 0)
    }

    /// Whether the table says that a version failed.
    pub fn has_failed(&self, version: &str) -> bool {
        self.entries.get(version).is_some_and(|entry| entry.state == State::Failed)
    }

    fn writes(
        &self,
        version: &str,
        direction: Direction,
        (file, bytes): (&str, &[u8]),
        transaction: bool,
        at: Timestamp,
    ) -> (ToolWrites, Option<String>) {
        let id = version.split_once(AGAIN).map_or(version, |(id, _)| id);
        let script = self.catalog.script(id);
        let place = self.catalog.scripts.iter().position(|script| script.id == id);
        let previous =
            place.and_then(|place| Some(self.catalog.scripts.get(place.checked_sub(1)?)?.id.as_str()));
        let checksum = match direction {
            Direction::Up => script.and_then(|script| script.checksum.as_ref()).map(|sum| sum.value.clone()),
            Direction::Down => {
                self.history.checksum_of_undo(|| crate::scripts::tools::flyway_checksum(bytes))
            }
        };
        let name = script.and_then(|script| script.name.as_deref()).unwrap_or_default();
        let checksum_text = checksum.as_deref();
        let entry = ToolEntry { id, name, file, checksum: checksum_text, previous, transaction };
        let writes = match direction {
            Direction::Up => self.history.applied(&entry, at),
            Direction::Down => self.history.undone(&entry),
        };
        (writes, checksum)
    }
}
