//! Migration tools of others: what their folders hold, and what the rows of their history tables mean.
//!
//! Each tool is one file behind [`Tool`]. A tool is a reader of bytes and rows: it runs nothing of the team's, asks no
//! database, and never writes. What cannot be known it leaves out, and says so as a [`Fault`].
//!
//! | file | what it is |
//! |---|---|
//! | [`folder`] | the files below a folder, read within bounds |
//! | [`graph`] | scripts and what each of them stands on: order, heads, closure |
//! | [`history`] | tables that tools keep, and what a row of one says |
//! | `liquibase` | a tool whose files include one another, in four formats |
//! | `listed` | tools whose table is a list of names |
//! | `files` | scripts whose names begin with a version |
//! | [`plain`] | folders of plain SQL as scripts that greffe can run itself |
//! | `python` | the values that a Python file gives its names, without running it |

mod alembic;
mod atlas;
mod dbmate;
mod diesel;
mod django;
mod drizzle;
mod files;
mod flyway;
pub mod folder;
mod golang_migrate;
mod goose;
pub mod graph;
pub mod history;
mod knex;
mod liquibase;
mod listed;
mod node_pg_migrate;
pub mod plain;
mod prisma;
mod python;
mod rails;
mod refinery;
mod seaorm;
mod sequelize;
mod sqlx_cli;
mod typeorm;
mod yoyo;

use std::fmt;

pub use folder::{Folder, FolderFile};
pub use graph::Graph;
pub use history::{Entry, HistoryTable, Row, State};

/// One migration tool.
///
/// Contract:
/// - [`Tool::catalog`] never fails: what cannot be read is a [`Fault`] of the catalog, and hides no other script.
/// - The same folder always gives the same catalog, and the same rows the same entries.
/// - [`Tool::entries`] keeps rows that no script belongs to.
pub trait Tool: Sync {
    /// What settings call it, and events as their executor.
    fn name(&self) -> &'static str;

    /// The table in which it keeps what it applied.
    fn table(&self) -> &HistoryTable;

    /// Whether the folder is laid out as this tool wants it.
    fn owns(&self, folder: &Folder) -> bool;

    /// Whether the folder may be this tool's, though its files are more likely another's.
    fn may_own(&self, folder: &Folder) -> bool {
        self.owns(folder)
    }

    /// The scripts of a folder, each after those that it stands on.
    fn catalog(&self, folder: &Folder) -> Catalog;

    /// What the rows of its table say, one entry for each script that they speak of.
    fn entries(&self, catalog: &Catalog, rows: &[Row]) -> Vec<Entry>;

    /// Whether a command writes the history and runs no script.
    fn stamps(&self, _command: &[String]) -> bool {
        false
    }

    /// What later entries mean to who knows the earlier ones.
    fn since(&self, _before: &[Entry], after: &[Entry]) -> Vec<Entry> {
        after.to_vec()
    }

    /// Whether it writes the history on the connection that runs the script, and in its transaction where there is one:
    /// then a transaction with nothing but history ran no script.
    fn is_in_one_transaction(&self) -> bool {
        false
    }

    /// The script that a run had come to, as far as what it printed tells: as the tool calls it, its identifier or its
    /// file. Whether it failed there is for the history to say.
    fn stopped_at(&self, _output: &str) -> Option<String> {
        None
    }

    /// The checksum of a script as it is, by the rule that made `remembered`; `None` where nobody can tell.
    fn reckoned(&self, script: &ToolScript, _remembered: &str) -> Option<String> {
        script.checksum.as_ref().map(|checksum| checksum.value.clone())
    }

    /// The command that prints the SQL of all that happened between two states of the history, as far as the tool has
    /// one: made from the command that ran it, so that it is asked in the same surroundings.
    fn rendering(
        &self,
        _command: &[String],
        _catalog: &Catalog,
        _before: &[Entry],
        _after: &[Entry],
    ) -> Option<Vec<String>> {
        None
    }

    /// What such a command printed, by script.
    fn rendered(&self, _sql: &str) -> Vec<(String, String)> {
        Vec::new()
    }
}

/// All tools, in the order in which a folder is offered to them.
pub static TOOLS: [&'static dyn Tool; 20] = [
    &alembic::Alembic,
    &django::Django,
    &yoyo::Yoyo,
    &dbmate::DBMATE,
    &goose::Goose,
    &flyway::Flyway,
    &liquibase::Liquibase,
    &refinery::Refinery,
    &diesel::DIESEL,
    &prisma::Prisma,
    &atlas::Atlas,
    &drizzle::Drizzle,
    &golang_migrate::GolangMigrate,
    &sqlx_cli::Sqlx,
    &seaorm::SEAORM,
    &rails::RAILS,
    &typeorm::TYPEORM,
    &knex::KNEX,
    &sequelize::SEQUELIZE,
    &node_pg_migrate::NODE_PG_MIGRATE,
];

/// What Flyway's table remembers of a script with these bytes.
#[must_use]
pub fn flyway_checksum(bytes: &[u8]) -> String {
    flyway::checksum(bytes).to_string()
}

/// The tool that settings call `name`.
#[must_use]
pub fn tool_named(name: &str) -> Option<&'static dyn Tool> {
    TOOLS.into_iter().find(|tool| tool.name() == name)
}

/// The tools that a folder is laid out for; more than one where its files do not tell.
#[must_use]
pub fn owners(folder: &Folder) -> Vec<&'static dyn Tool> {
    TOOLS.into_iter().filter(|tool| tool.owns(folder)).collect()
}

/// All tools that a folder may belong to, the unlikely ones too.
#[must_use]
pub fn possible_owners(folder: &Folder) -> Vec<&'static dyn Tool> {
    TOOLS.into_iter().filter(|tool| tool.may_own(folder)).collect()
}

/// Whether a file of this name may be a script or belong to what says which scripts there are.
#[must_use]
pub fn is_wanted(name: &str) -> bool {
    let end = name.rsplit_once('.').map_or("", |(_, end)| end);
    ENDS.contains(&end)
}

/// How the names of such files end.
const ENDS: [&str; 21] = [
    "cjs",
    "conf",
    "cts",
    "go",
    "ini",
    "js",
    "json",
    "mako",
    "mjs",
    "mts",
    "properties",
    "py",
    "rb",
    "rs",
    "sql",
    "sum",
    "toml",
    "ts",
    "xml",
    "yaml",
    "yml",
];

/// What a tool's folder holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalog {
    /// Each after those that it stands on.
    pub scripts: Vec<ToolScript>,
    pub faults: Vec<Fault>,
}

impl Catalog {
    /// The script that the tool's table calls `id`; of one that can run again, whichever run it is.
    #[must_use]
    pub fn script(&self, id: &str) -> Option<&ToolScript> {
        let named = |id: &str| self.scripts.iter().find(|script| script.id == id);
        named(id).or_else(|| named(id.rsplit_once(AGAIN)?.0))
    }

    /// The script that a tool's words are about: by its identifier, also where paths begin at another folder, by its
    /// file, or by the folder that it fills.
    #[must_use]
    pub fn script_called(&self, name: &str) -> Option<&ToolScript> {
        let ends =
            |long: &str, short: &str| long.strip_suffix(short).is_some_and(|begin| begin.ends_with('/'));
        let fits = |script: &&ToolScript| {
            let folder = script.up.path.rsplit('/').nth(1);
            ends(&script.id, name)
                || ends(name, &script.id)
                || [script.up.name(), script.up.stem()].contains(&name)
                || folder == Some(name)
        };
        self.script(name).or_else(|| self.scripts.iter().find(fits))
    }

    /// Whether `id` is a run of a script that ran once more later, as one of `ids` says.
    #[must_use]
    pub fn is_superseded<'a>(&self, id: &str, mut ids: impl Iterator<Item = &'a str>) -> bool {
        let Some(script) = self.script(id) else { return false };
        let run = |id: &str| match id.strip_prefix(script.id.as_str())?.strip_prefix(AGAIN) {
            Some(run) => run.parse::<u32>().ok(),
            None => (id == script.id).then_some(1),
        };
        let of_it = |other: &str| self.script(other).is_some_and(|other| other.id == script.id);
        run(id).is_some_and(|run_of_id| ids.any(|other| run(other) > Some(run_of_id) && of_it(other)))
    }
}

/// What stands between a script that can run again and the number of its run, from the second one on.
pub const AGAIN: char = '#';

/// One script of a tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolScript {
    /// What the tool's table calls it.
    pub id: String,
    /// What its file calls it.
    pub name: Option<String>,
    /// What it says of itself, in one line.
    pub purpose: Option<String>,
    /// Scripts that have to be applied before it.
    pub stands_on: Vec<String>,
    pub up: FolderFile,
    /// Where the way back is a file of its own.
    pub down: Option<FolderFile>,
    /// As the tool reckons it of the file as it is.
    pub checksum: Option<Checksum>,
}

/// What a tool remembers of a script's bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checksum {
    /// As the tool's table has it.
    pub value: String,
    /// Whether no other bytes are known to have it.
    pub exact: bool,
}

/// What is wrong with a folder. Texts of files are not repeated, but for names and identifiers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("`{file}` cannot be read as {language}: line {line}")]
    Syntax { file: String, language: &'static str, line: usize },
    #[error("`{file}` does not say its {what} as a plain value, and is not run to find out")]
    Unresolved { file: String, what: &'static str },
    #[error("`{first}` and `{second}` are both called `{id}`")]
    Duplicate { id: String, first: String, second: String },
    #[error("`{id}` stands on `{missing}`, and no file is called so")]
    MissingParent { id: String, missing: String },
    #[error("`{file}` names `{named}`, and no file of the folder is there")]
    MissingFile { file: String, named: String },
    #[error("`{file}` declares a document type, and is not read")]
    DocumentType { file: String },
    #[error("`{file}` is nested too deeply or has too many parts, and is not read")]
    TooDeep { file: String },
    #[error("these stand on one another: {}", Ids(.0))]
    Cycle(Vec<String>),
    #[error("nothing stands on any of these, and a database can follow only one: {}", Ids(.0))]
    SeveralHeads(Vec<String>),
    #[error("`{id}` has {length} characters, and the table takes {limit}")]
    LongIdentifier { id: String, length: usize, limit: usize },
}

struct Ids<'a>(&'a [String]);

impl fmt::Display for Ids<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, id) in self.0.iter().enumerate() {
            write!(f, "{}`{id}`", if place == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}
