//! Migration tools of others: what their folders hold, and what the rows of their history tables mean.
//!
//! Each tool is one file behind [`Tool`]. A tool is a reader of bytes and rows: it runs nothing of the team's, asks no
//! database, and never writes. What cannot be known it leaves out, and says so as a [`Fault`].
//!
//! | file | what it is |
//! |---|---|
//! | [`mod@alembic`] | revisions in Python, and what they say of themselves |
//! | `fault` | what is wrong with a folder |
//! | [`folder`] | the files below a folder, read within bounds |
//! | [`distribution`] | how a tool reaches a machine, and so where its version stands |
//! | [`graph`] | scripts and what each of them stands on: order, heads, closure |
//! | [`history`] | tables that tools keep, and what a row of one says |
//! | `liquibase` | a tool whose files include one another, in four formats |
//! | `listed` | tools whose table is a list of names |
//! | [`command`] | what a command line asks of a tool |
//! | `files` | scripts whose names begin with a version |
//! | [`plain`] | folders of plain SQL as scripts that greffe can run itself |
//! | `python` | the values that a Python file gives its names, without running it |

pub mod alembic;
mod atlas;
pub mod command;
mod dbmate;
mod diesel;
pub mod distribution;
mod django;
mod drizzle;
mod fault;
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

pub use command::Calls;
pub use distribution::Distribution;
pub use fault::Fault;
pub use folder::{Folder, FolderFile, Left};
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

    /// How it is called.
    fn calls(&self) -> &Calls {
        &Calls::NONE
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

    /// The scripts of which a run says that it noted them as applied and did not run them, by their identifiers.
    fn stamped(&self, _output: &str) -> Vec<String> {
        Vec::new()
    }

    /// What has to be done for the tool to go on where its table says that a script failed, as the end of a sentence that
    /// begins with a look at the database; `None` where the tool goes on by itself.
    fn mending(&self, _id: &str) -> Option<String> {
        None
    }

    /// The checksum of a script as it is, by the rule that made `remembered`; `None` where nobody can tell.
    fn reckoned(&self, script: &ToolScript, _remembered: &str) -> Option<String> {
        script.checksum.as_ref().map(|checksum| checksum.value.clone())
    }

    /// The commands that print the SQL of all that happened between two states of the history, as far as the tool has
    /// such: made from the command that ran it, so that it is asked in the same surroundings. They change nothing, and no
    /// identifier of a table becomes an option of one.
    fn rendering(
        &self,
        _command: &[String],
        _catalog: &Catalog,
        _before: &[Entry],
        _after: &[Entry],
    ) -> Vec<Rendering> {
        Vec::new()
    }

    /// Its version, as far as it stands in what a run of it printed.
    fn printed_version<'a>(&self, _output: &'a str) -> Option<&'a str> {
        None
    }

    /// What a command for several scripts printed, by script.
    fn rendered(&self, _sql: &str) -> Vec<(String, String)> {
        Vec::new()
    }
}

/// A command that prints the SQL that a tool ran.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendering {
    pub command: Vec<String>,
    /// Whose SQL it prints; `None` where what it prints says so itself, as [`Tool::rendered`] reads it.
    pub script: Option<String>,
}

/// Whether an identifier can be a word of a command: no option, and no more than one word.
fn is_plain_word(id: &str) -> bool {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    !id.is_empty() && id.len() <= 255 && !id.starts_with('-') && id.chars().all(plain)
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

/// Whether Flyway runs a file of this name at an event of its own, such as `beforeMigrate.sql`.
#[must_use]
pub fn is_flyway_callback(name: &str) -> bool {
    flyway::is_callback(name)
}

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

/// How many bytes a text of a script may have that goes into its event.
const TEXT_LIMIT: usize = 1000;

/// What a folder of a tool holds, without what is too long to be told of.
#[must_use]
pub fn catalog_of(tool: &dyn Tool, folder: &Folder) -> Catalog {
    let Catalog { scripts, faults } = tool.catalog(folder);
    let mut catalog = Catalog { scripts: Vec::with_capacity(scripts.len()), faults };
    for mut script in scripts {
        let file = script.up.path.clone();
        let mut is_short = |what: &'static str, text: &str| {
            let length = text.len();
            if length > TEXT_LIMIT {
                let (file, limit) = (file.clone(), TEXT_LIMIT);
                catalog.faults.push(Fault::LongText { file, what, length, limit });
            }
            length <= TEXT_LIMIT
        };
        script.name = script.name.filter(|name| is_short("name", name));
        script.purpose = script.purpose.filter(|purpose| is_short("description", purpose));
        script.stands_on.retain(|id| is_short("dependency", id));
        if is_short("identifier", &script.id) {
            catalog.scripts.push(script);
        }
    }
    for fault in &mut catalog.faults {
        fault.shorten();
    }
    catalog
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

impl ToolScript {
    /// A script that stands on none and has no way back.
    #[must_use]
    pub fn new(id: String, name: Option<String>, up: FolderFile, checksum: Option<Checksum>) -> Self {
        Self { id, name, purpose: None, stands_on: Vec::new(), up, down: None, checksum }
    }
}

/// What a tool remembers of a script's bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checksum {
    /// As the tool's table has it.
    pub value: String,
    /// Whether no other bytes are known to have it.
    pub exact: bool,
}
