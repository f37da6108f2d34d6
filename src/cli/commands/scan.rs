mod sarif;

use std::io::{self, Read as _, Write};
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde::Serialize;

use crate::cli::context::Context;
use crate::cli::error::CliError;
use crate::cli::output::{Clean, Reply};
use crate::cli::{CommandResult, Exit};
use crate::ops::scan::{FILE_LIMIT, Report, ScanError, Source, scan};
use crate::privacy::{RuleError, Rules, Severity};
use crate::scripts::Dialect;

/// The largest file of rules, in bytes.
const RULES_LIMIT: u64 = 4 * 1024 * 1024;

/// Find personal data and secrets in scripts, and say where they stand, never what they are
///
/// Looks through files and folders, all of the migrations where none is named, and needs no settings. Each SQL file
/// gets the class of what it holds: S0 schema only, S1 code or texts of unknown meaning, S2 data or credentials.
/// Exits with 1 when something is found, and with 3 when nothing is and something could not be read.
#[derive(Args)]
pub struct Scan {
    /// Files and folders; `-` is standard input [default: migrations]
    paths: Vec<PathBuf>,
    /// Print SARIF 2.1.0, as code hosts read it
    #[arg(long, conflicts_with = "json")]
    sarif: bool,
    /// Further rules and allowlists, in the format of gitleaks
    #[arg(long, value_name = "FILE")]
    rules: Option<PathBuf>,
    /// What the scripts are written in; without it, whatever of the three knows most of the statements
    #[arg(long, value_name = "DIALECT")]
    dialect: Option<Written>,
}

/// What scripts are written in.
#[derive(Clone, Copy, ValueEnum)]
pub enum Written {
    Sqlite,
    Postgresql,
    /// Also MariaDB
    Mysql,
}

impl From<Written> for Dialect {
    fn from(written: Written) -> Self {
        match written {
            Written::Sqlite => Self::Sqlite,
            Written::Postgresql => Self::Postgresql,
            Written::Mysql => Self::Mysql,
        }
    }
}

#[derive(Serialize)]
struct Shown {
    command: &'static str,
    /// How many.
    findings: usize,
    #[serde(flatten)]
    report: Report,
}

pub fn run(context: &Context, arguments: &Scan) -> CommandResult {
    if arguments.sarif && context.json {
        return Err(CliError::usage("`--sarif` and `--json` are two forms of one answer")
            .hint("leave one of them out, also the variable GREFFE_JSON"));
    }
    let rules = arguments.rules.as_ref().map_or(Ok(Rules::default()), |path| read_rules(path))?;
    let report = scan(sources(arguments)?, arguments.dialect.map(Dialect::from), &rules)?;
    let exit = match (report.findings(), report.gaps()) {
        (0, 0) => Exit::Done,
        (0, _) => Exit::Unfinished,
        _ => Exit::Findings,
    };
    let reply = if arguments.sarif {
        Reply::raw(sarif::sarif(&report, &rules).into_bytes())
    } else {
        Reply::new(Shown { command: "scan", findings: report.findings(), report }, show)
    };
    Ok(reply.with_exit(exit))
}

fn sources(arguments: &Scan) -> Result<Vec<Source>, CliError> {
    if arguments.paths.is_empty() {
        return Ok(vec![Source::Path(PathBuf::from("migrations"))]);
    }
    let mut read = false;
    let mut sources = Vec::new();
    for path in &arguments.paths {
        if path.as_os_str() != "-" {
            sources.push(Source::Path(path.clone()));
        } else if !std::mem::replace(&mut read, true) {
            sources.push(Source::Bytes("-".to_owned(), standard_input()?));
        }
    }
    Ok(sources)
}

fn standard_input() -> Result<Vec<u8>, CliError> {
    let mut bytes = Vec::new();
    let read = io::stdin().lock().take(FILE_LIMIT + 1).read_to_end(&mut bytes);
    match read {
        Ok(length) if length as u64 > FILE_LIMIT => {
            Err(CliError::usage(format!("standard input has more than {FILE_LIMIT} bytes"))
                .hint("give it in parts: `split`, then `greffe scan FOLDER`"))
        }
        Ok(_) => Ok(bytes),
        Err(error) => Err(CliError::new(Exit::Unfinished, format!("cannot read standard input: {error}"))),
    }
}

fn read_rules(path: &std::path::Path) -> Result<Rules, CliError> {
    let failed = |error: io::Error| {
        CliError::usage(format!("cannot read the rules `{}`: {error}", path.display()))
            .hint("name a file with `--rules FILE`")
    };
    let mut text = String::new();
    // A pipe would be waited for.
    if !std::fs::metadata(path).map_err(failed)?.is_file() {
        return Err(CliError::usage(format!("the rules `{}` are no file", path.display()))
            .hint("name a file with `--rules FILE`"));
    }
    let file = std::fs::File::open(path).map_err(failed)?;
    let length = file.take(RULES_LIMIT + 1).read_to_string(&mut text).map_err(failed)?;
    if length as u64 > RULES_LIMIT {
        return Err(CliError::usage(format!(
            "the rules `{}` have more than {RULES_LIMIT} bytes",
            path.display()
        ))
        .hint("leave out what is not asked for"));
    }
    Rules::parse(&text).map_err(|error: RuleError| {
        CliError::usage(format!("the rules `{}` cannot be used: {error}", path.display()))
            .hint("see docs/privacy.md for what a rule may hold")
    })
}

impl From<ScanError> for CliError {
    fn from(error: ScanError) -> Self {
        let (exit, hint) = match &error {
            ScanError::Missing { .. } => (Exit::Usage, "name files or folders: `greffe scan PATH…`"),
            ScanError::TooMany => (Exit::Usage, "scan its folders one by one"),
        };
        Self::new(exit, error.to_string()).hint(hint)
    }
}

fn show(shown: &Shown, out: &mut dyn Write) -> io::Result<()> {
    for file in &shown.report.files {
        for finding in &file.findings {
            let severity = match finding.severity {
                Severity::Secret => "secret",
                Severity::Personal => "personal",
            };
            let (line, column, length) = (finding.line, finding.column, finding.length);
            let (name, rule) = (Clean(&file.file).to_string(), Clean(&finding.rule).to_string());
            writeln!(out, "{name}:{line}:{column}: {severity} {rule} ({length} characters)")?;
        }
    }
    for skipped in &shown.report.skipped {
        writeln!(out, "{}: not read: {}", Clean(&skipped.file), skipped.reason)?;
    }
    let files = shown.report.files.len();
    let classes: Vec<String> = ["S0", "S1", "S2"]
        .into_iter()
        .map(|class| {
            let of_class = |file: &&crate::ops::scan::Scanned| {
                file.class.is_some_and(|found| found.to_string() == class)
            };
            format!("{} {class}", shown.report.files.iter().filter(of_class).count())
        })
        .collect();
    writeln!(out, "{} finding(s) in {files} file(s); {}", shown.findings, classes.join(", "))
}
