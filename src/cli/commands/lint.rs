mod junit;
mod sarif;

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::scan::Written;
use crate::cli::context::{Context, block_on, scratch};
use crate::cli::error::CliError;
use crate::cli::output::{Clean, CleanLine, Reply, remark};
use crate::cli::policy;
use crate::cli::settings::{DatabaseSource, Secret, Settings};
use crate::cli::{CommandResult, Exit};
use crate::database::Database;
use crate::model::Engine;
use crate::ops::lint::trial::{Tried, try_ways_down};
use crate::ops::lint::{LintError, Looked, Report, Wanted, lint, pack_rules};
use crate::ops::policy::SharedPolicy;
use crate::ops::{OpsError, today};
use crate::scripts::Dialect;
use crate::scripts::lint::{Level, Levels, Rule, rules};

/// Judge migration scripts by rules before anything runs
///
/// Asks whether scripts say why they exist and how they are taken back, whether what they stand on is there, whether
/// they are named so that they are run, and whether they lock, copy or drop tables that are in use. With a scratch
/// database each way down is tried: up, down, and up again has to lead to the same schemas. Works on greffe's own
/// folders and on those of other tools; docs/lint.md has a section for each rule. Exits with 1 on findings.
#[derive(Args)]
pub struct Lint {
    /// Folders of scripts, or files of such [default: the folder of migrations]
    paths: Vec<PathBuf>,
    /// Print SARIF 2.1.0, as code hosts read it
    #[arg(long, conflicts_with_all = ["json", "junit"])]
    sarif: bool,
    /// Print JUnit XML, as build servers read it
    #[arg(long, conflicts_with = "json")]
    junit: bool,
    /// The mildest finding that ends with 1 [default: error, or `lint.fail-on`]
    #[arg(long, value_name = "LEVEL")]
    fail_on: Option<FailOn>,
    /// The level of a rule, over greffe.toml: `RULE=LEVEL`; may be given more than once
    #[arg(long, value_name = "RULE=LEVEL")]
    level: Vec<String>,
    /// The first version whose script is asked about [default: all, or `lint.since`]
    #[arg(long, value_name = "VERSION")]
    since: Option<String>,
    /// What the scripts are written in [default: that of the database, else as they look]
    #[arg(long, value_name = "DIALECT")]
    dialect: Option<Written>,
    /// Try each way down; without `--on`, scripts of SQLite alone, in memory
    #[arg(long)]
    check_down: bool,
    /// Run no script
    #[arg(long, conflicts_with_all = ["check_down", "on"])]
    no_check_down: bool,
    /// The server where ways down are tried: its URL, `env:NAME` or `file:PATH`
    #[arg(long, value_name = "URL", allow_hyphen_values = true)]
    on: Option<Secret>,
    /// List all rules with their levels, and judge nothing
    #[arg(long, conflicts_with_all = ["sarif", "junit", "paths"])]
    rules: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum FailOn {
    Error,
    Warning,
    Note,
}

impl From<FailOn> for Level {
    fn from(level: FailOn) -> Self {
        match level {
            FailOn::Error => Self::Error,
            FailOn::Warning => Self::Warning,
            FailOn::Note => Self::Note,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    command: &'static str,
    fail_on: Level,
    #[serde(flatten)]
    report: Report,
}

pub fn run(context: &Context, arguments: &Lint) -> CommandResult {
    if context.json && (arguments.sarif || arguments.junit) {
        return Err(CliError::usage("`--sarif`, `--junit` and `--json` are forms of one answer")
            .hint("leave all but one of them out, also the variable GREFFE_JSON"));
    }
    let settings = context.settings()?;
    let levels = levels(&settings, &arguments.level)?;
    let policy = policy::open(context, &settings, &today())?.map(SharedPolicy::new);
    let of_packs = policy.as_ref().map(|policy| pack_rules(policy)).unwrap_or_default();
    if arguments.rules {
        return Ok(Reply::new(Listed::of(&levels, &of_packs), show_rules));
    }
    let fail_on = arguments.fail_on.map(Level::from).or(settings.lint.fail_on).unwrap_or(Level::Error);
    let wanted = Wanted { policy, ..wanted(&settings, arguments, levels) };
    let mut looked = lint(&wanted)?;
    if !context.quiet {
        looked.iter().for_each(|looked| tell(looked, arguments));
    }
    let tried = try_all(context, &settings, arguments, &mut looked)?;
    let report = Report::of(looked, &wanted, tried.count);
    let exit = match (report.fails_on(fail_on), tried.left) {
        (true, _) => Exit::Findings,
        (false, true) => Exit::Unfinished,
        (false, false) => Exit::Done,
    };
    let reply = if arguments.sarif {
        Reply::raw(sarif::sarif(&report, &wanted.levels, &of_packs).into_bytes())
    } else if arguments.junit {
        Reply::raw(junit::junit(&report, fail_on).into_bytes())
    } else {
        Reply::new(Shown { command: "lint", fail_on, report }, show)
    };
    Ok(reply.with_exit(exit))
}

/// The levels of the settings, and those of flags over them.
fn levels(settings: &Settings, flags: &[String]) -> Result<Levels, CliError> {
    let mut levels = settings.lint.levels.clone();
    for flag in flags {
        let (rule, level) = flag.split_once('=').unwrap_or((flag, ""));
        let level = Level::named(level).ok_or_else(|| {
            CliError::usage(format!("`--level {}` has no level", Clean(flag)))
                .hint("write `--level RULE=LEVEL`, with `off`, `note`, `warning` or `error`")
        })?;
        levels.set(rule, level).map_err(|error| {
            let hint = match crate::ops::lint::nearest_rule(rule) {
                Some(near) => format!("the nearest one is `{near}`; `greffe lint --rules` lists all"),
                None => "`greffe lint --rules` lists all".to_owned(),
            };
            CliError::usage(error.to_string()).hint(hint)
        })?;
    }
    Ok(levels)
}

fn wanted(settings: &Settings, arguments: &Lint, levels: Levels) -> Wanted {
    let paths = match arguments.paths.as_slice() {
        [] => vec![settings.migrations.clone()],
        paths => paths.to_vec(),
    };
    let dialect = arguments.dialect.map(Dialect::from).or_else(|| told_dialect(settings, arguments));
    Wanted {
        paths,
        home: Some(settings.migrations.clone()),
        tool: settings.tool.clone(),
        dialect,
        levels,
        since: arguments.since.clone().or_else(|| settings.lint.since.clone()),
        today: today(),
        policy: None,
        settings_file: settings
            .file
            .as_ref()
            .map_or("greffe.toml".to_owned(), |file| file.display().to_string()),
    }
}

/// What scripts are written in, by the URL of where they are tried or of the database that they are for. One that is not
/// at hand, as on a build server, tells nothing.
fn told_dialect(settings: &Settings, arguments: &Lint) -> Option<Dialect> {
    let engine = match &arguments.on {
        Some(on) => engine_of(settings, on),
        None => settings.database_url().ok().and_then(|url| Database::engine(url.expose())),
    };
    engine.map(Dialect::from)
}

fn engine_of(settings: &Settings, on: &Secret) -> Option<Engine> {
    let mut other = settings.clone();
    other.database_url = Some(DatabaseSource::parse(on.expose(), Path::new(""))?);
    Database::engine(other.database_url().ok()?.expose())
}

/// What a reader should know of a folder before the findings.
fn tell(looked: &Looked, arguments: &Lint) {
    let path = looked.path.display().to_string();
    if looked.units.is_empty() {
        remark(&format!("note: there is no script in {path}\nhint: name the folder: `greffe lint FOLDER`"));
    } else if !looked.is_told && arguments.dialect.is_none() {
        let dialect = name_of(looked.dialect);
        remark(&format!("note: {path} is read as {dialect}; say otherwise with `--dialect`"));
    }
    for file in looked.no_scripts() {
        remark(&format!("note: {file} is no script that is run, and was not judged"));
    }
}

const fn name_of(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite => "SQLite",
        Dialect::Postgresql => "PostgreSQL",
        Dialect::Mysql => "MySQL or MariaDB",
    }
}

/// What trials of all folders came to.
#[derive(Default)]
struct Trials {
    count: usize,
    /// Whether something that was made for them is still there.
    left: bool,
}

/// Tries the ways down of each folder where there is a database for that.
fn try_all(
    context: &Context,
    settings: &Settings,
    arguments: &Lint,
    looked: &mut [Looked],
) -> Result<Trials, CliError> {
    let mut trials = Trials::default();
    if arguments.no_check_down {
        return Ok(trials);
    }
    let mut progress = context.progress();
    for looked in looked {
        let runs = looked.units.iter().any(|unit| unit.runs && unit.down.is_some());
        let in_memory = looked.dialect == Dialect::Sqlite && looked.is_told;
        if !runs || arguments.on.is_none() && !in_memory {
            if runs && arguments.check_down {
                return Err(no_scratch(looked));
            }
            continue;
        }
        // What is no URL is refused where it is opened.
        let engine = arguments.on.as_ref().and_then(|on| engine_of(settings, on));
        let engine = engine.unwrap_or(match looked.dialect {
            Dialect::Sqlite => Engine::Sqlite,
            Dialect::Postgresql => Engine::Postgresql,
            Dialect::Mysql => Engine::Mysql,
        });
        if engine == Engine::Sqlite && arguments.on.is_some() {
            return Err(CliError::usage("scripts of SQLite are tried in memory")
                .hint("leave `--on` out: `greffe lint --check-down`"));
        }
        if Dialect::from(engine) != looked.dialect {
            return Err(other_engine(engine, looked));
        }
        let asked: Option<BTreeSet<String>> = looked.asked();
        let tried: Tried = block_on(try_ways_down(
            &looked.units,
            looked.dialect,
            asked.as_ref(),
            async || scratch(settings, engine, arguments.on.as_ref()).await,
            &mut |what, done, total| progress.show(what, done, total),
        ))??;
        trials.count += tried.count;
        trials.left |= !tried.left.is_empty();
        tried.notes.iter().for_each(|note| remark(&format!("note: {note}")));
        for left in tried.left {
            let error = CliError::from(OpsError::from(left));
            remark(&format!("note: what was made for the trial could not be removed: {}", error.message));
        }
        looked.add(tried.findings);
    }
    Ok(trials)
}

fn no_scratch(looked: &Looked) -> CliError {
    let dialect = name_of(looked.dialect);
    CliError::usage(format!("ways down of {dialect} are tried on a server, and none is named")).hint(
        "add `--on env:NAME`, with the URL of a server where a database can be made, or `--dialect sqlite`",
    )
}

fn other_engine(engine: Engine, looked: &Looked) -> CliError {
    let (on, scripts) = (name_of(engine.into()), name_of(looked.dialect));
    CliError::usage(format!("`--on` names a database of {on}, and the scripts are read as {scripts}"))
        .hint("leave `--dialect` out, or name a database that reads these scripts")
}

impl From<LintError> for CliError {
    fn from(error: LintError) -> Self {
        let hint = match &error {
            LintError::Missing(_) => "name folders or files: `greffe lint PATH…`",
            LintError::Folder(_) => "name a folder of scripts: `greffe lint FOLDER`",
            LintError::ToolFolder(_) => "name a folder that can be read: `greffe lint FOLDER`",
            LintError::UnknownTool(_) => "name one with `--tool NAME`, such as `alembic`",
            LintError::SeveralTools { .. } => "say whose it is: `--tool NAME`",
            LintError::UnknownVersion(_) => {
                "name a version of the folder with `--since`, or leave `lint.since` out"
            }
            LintError::NoThread(_) => "allow more memory or threads: `ulimit -v`, `ulimit -u`",
        };
        let exit = if matches!(error, LintError::NoThread(_)) { Exit::Unfinished } else { Exit::Usage };
        Self::new(exit, error.to_string()).hint(hint)
    }
}

/// All rules, as they are asked here.
#[derive(Serialize)]
struct Listed {
    command: &'static str,
    rules: Vec<ListedRule>,
}

#[derive(Serialize)]
struct ListedRule {
    id: &'static str,
    level: Level,
    what: &'static str,
    help: &'static str,
    source: &'static str,
    page: String,
}

impl Listed {
    fn of(levels: &Levels, of_packs: &[&'static Rule]) -> Self {
        let listed = |rule: &'static Rule| {
            let Rule { id, what, help, source, .. } = rule;
            ListedRule { id, level: levels.of(rule), what, help, source, page: rule.page() }
        };
        Self { command: "lint", rules: rules().chain(of_packs.iter().copied()).map(listed).collect() }
    }
}

fn show_rules(listed: &Listed, out: &mut dyn Write) -> io::Result<()> {
    listed.rules.iter().try_for_each(|rule| writeln!(out, "{:<8} {:<50} {}", rule.level, rule.id, rule.what))
}

fn show(shown: &Shown, out: &mut dyn Write) -> io::Result<()> {
    let report = &shown.report;
    let mut named: BTreeSet<&str> = BTreeSet::new();
    let mut helped: Vec<&Rule> = Vec::new();
    for told in report.findings.iter().filter(|told| told.waived.is_none()) {
        let finding = &told.finding;
        let (file, message) = (CleanLine(&finding.file), CleanLine(&finding.message));
        let (line, column, rule) = (finding.line, finding.column, finding.rule);
        writeln!(out, "{file}:{line}:{column}: {} {}: {message}", told.level, rule.id)?;
        if named.insert(rule.id) {
            helped.push(rule);
        }
    }
    for rule in helped {
        writeln!(out, "hint: {}: {} ({})", rule.id, rule.help, rule.page())?;
    }
    writeln!(
        out,
        "{} error(s), {} warning(s), {} note(s) in {} script(s); {} waived, {} way(s) down tried",
        report.errors, report.warnings, report.notes, report.scripts, report.waived, report.tried
    )
}
