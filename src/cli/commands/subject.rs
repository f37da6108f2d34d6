mod erasing;
mod shown;
mod signed;

use std::io::{self, Read as _};
use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand, ValueEnum};
use zeroize::Zeroizing;

use self::shown::{CheckShown, FoundShown, KeyShown};
use crate::cli::context::{Context, block_on, look_at_database, scratch};
use crate::cli::error::CliError;
use crate::cli::output::{Reply, remark};
use crate::cli::settings::{Secret, Settings};
use crate::cli::{CommandResult, Exit};
use crate::database::{Database, Target as _};
use crate::ops::subject::check::{self, Checked, Live, Placed};
use crate::ops::subject::export::{Format, export};
use crate::ops::subject::list::new_identity;
use crate::ops::subject::{MapFile, Place, SubjectError, find, place_of};
use crate::ops::{OpsError, now};
use crate::scripts::{Dialect, read_folder};
use crate::store::create_file;

/// Find, copy and erase a person's data in the application's database, by a map of it
///
/// The map says of each table how its rows lead to a person, and of each column what it is and what becomes of it.
/// Whatever it does not declare stops every command here. No output has a value of a row, but the copy itself.
#[derive(Args)]
pub struct Subject {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Hold the map against the database and every pending migration; exits with 1 on findings
    Check(Check),
    /// Count a person's rows
    Find(Person),
    /// Write a copy of a person's data
    Export(Export),
    /// Erase a person's data, or do the erasures of the list again after a restore from a backup
    Erase(Erase),
    /// Verify a receipt of an erasure and print it
    Receipt(ReceiptFile),
    /// Make the key of the list of erasures
    NewKey(NewKey),
}

#[derive(Args)]
struct Check {
    /// Where to try pending migrations: a server's URL (or `env:NAME`, `file:PATH`); in memory for SQLite
    #[arg(long, value_name = "URL")]
    on: Option<Secret>,
}

#[derive(Args)]
struct Person {
    /// The person's key; `-` reads it from standard input, for other users can see arguments
    #[arg(id = "person", value_name = "KEY", allow_negative_numbers = true)]
    key: Secret,
}

#[derive(Args)]
struct Export {
    #[command(flatten)]
    person: Person,
    /// One object in a file, or a folder with a table for each table
    #[arg(long, value_name = "FORMAT", default_value = "json")]
    format: Written,
    /// The file or folder to make
    #[arg(long, value_name = "PATH")]
    out: PathBuf,
}

#[derive(Clone, Copy, ValueEnum)]
enum Written {
    Json,
    Csv,
}

#[derive(Args)]
#[command(group(ArgGroup::new("mode").required(true).args(["dry_run", "apply", "replay"])))]
struct Erase {
    /// The person's key; `-` reads it from standard input, for other users can see arguments
    #[arg(
        id = "person",
        value_name = "KEY",
        allow_negative_numbers = true,
        required_unless_present = "replay",
        conflicts_with = "replay"
    )]
    key: Option<Secret>,
    /// Reference of the person's request, which names nobody; with `--replay` only this one is done again
    #[arg(long, value_name = "REF", required_unless_present = "replay")]
    request: Option<String>,
    /// Legal basis of the erasure, such as `art17.1.a`
    #[arg(long, value_name = "BASIS", required_unless_present = "replay", conflicts_with = "replay")]
    basis: Option<String>,
    /// Print what would be done, with row counts
    #[arg(long)]
    dry_run: bool,
    /// Do it, in one transaction
    #[arg(long)]
    apply: bool,
    /// Do the erasures of the list again, in a database that was restored from a backup
    #[arg(long)]
    replay: bool,
    /// With `--apply`: refuse when the plan is another one than `--dry-run` printed
    #[arg(long, value_name = "DIGEST", requires = "apply")]
    plan: Option<String>,
    /// With `--replay --request REF`: also where the person's own row is another one than the one that was erased
    #[arg(long, requires = "replay", requires = "request")]
    also_different: bool,
    /// The receipt to write [default: receipt-REF.json]
    #[arg(long, value_name = "FILE", conflicts_with = "replay")]
    receipt: Option<PathBuf>,
}

#[derive(Args)]
struct ReceiptFile {
    /// The receipt
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// A public key that may have signed it, in base64 as `greffe key show` prints it; otherwise those of the chain
    #[arg(long, value_name = "BASE64")]
    public: Vec<String>,
}

#[derive(Args)]
struct NewKey {
    /// The file to write, of mode 0600
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

pub fn run(context: &Context, arguments: &Subject) -> CommandResult {
    match &arguments.action {
        Action::Check(check) => run_check(context, check),
        Action::Find(person) => run_find(context, person),
        Action::Export(export) => run_export(context, export),
        Action::Erase(erase) if erase.replay => erasing::run_replay(context, erase),
        Action::Erase(erase) => erasing::run_erase(context, erase),
        Action::Receipt(receipt) => signed::run(context, receipt),
        Action::NewKey(new) => run_new_key(new),
    }
}

fn run_check(context: &Context, arguments: &Check) -> CommandResult {
    let settings = context.settings()?;
    let file = MapFile::read(&settings.subject_map)?;
    let url = settings.database_url()?;
    let engine = Database::engine(url.expose());
    let engine = engine.ok_or_else(|| CliError::usage("the settings name a database of no known engine"))?;
    let folder = read_folder(&settings.migrations).map_err(OpsError::from)?;
    let checked = block_on(async {
        let (mut live, mut rows) = (None, Vec::new());
        if let Some(mut database) = look_at_database(&settings).await? {
            rows = database.history().await.map_err(SubjectError::from)?;
            live = Some(check::live(&mut database, &file).await?);
            database.close().await;
        }
        let (applied, pending) = check::split(folder, &rows);
        if pending.is_empty() {
            let is_live = live.is_some();
            let placed = |finding| Placed { migration: None, finding };
            let Live { findings, triggers } = live.unwrap_or_default();
            let findings = findings.into_iter().map(placed).collect();
            return Ok(Checked { live: is_live, pending: Vec::new(), findings, triggers });
        }
        if Dialect::from(engine) != Dialect::Sqlite && arguments.on.is_none() {
            return Err(SubjectError::NoScratch.into());
        }
        let mut scratch = scratch(&settings, engine, arguments.on.as_ref()).await?;
        let tried = check::pending(&mut scratch, &file, engine.into(), (&applied, &pending), live).await;
        scratch.take_notes().iter().for_each(|note| remark(&format!("note: {note}")));
        scratch.remove().await.map_err(SubjectError::from)?;
        Ok::<_, CliError>(tried?)
    })??;
    let exit = if checked.findings.is_empty() { Exit::Done } else { Exit::Findings };
    Ok(Reply::new(CheckShown::new(checked, &file), CheckShown::text).with_exit(exit))
}

/// The key, from standard input where it says so.
fn key_of(given: &Secret) -> Result<Zeroizing<String>, CliError> {
    const KEY_LIMIT: u64 = 64 << 10;
    if given.expose() != "-" {
        return Ok(Zeroizing::new(given.expose().to_owned()));
    }
    let mut text = Zeroizing::new(String::new());
    let read = io::stdin().lock().take(KEY_LIMIT + 1).read_to_string(&mut text);
    let length = read.map_err(|error| {
        CliError::usage(format!("no key can be read from standard input: {}", error.kind()))
    })?;
    if length as u64 > KEY_LIMIT {
        return Err(CliError::usage(format!("the key on standard input has more than {KEY_LIMIT} bytes")));
    }
    let line = text.strip_suffix('\n').unwrap_or(&text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    if line.is_empty() {
        return Err(CliError::usage("there is no key on standard input")
            .hint("write `printf '%s' KEY | greffe subject find -`"));
    }
    Ok(Zeroizing::new(line.to_owned()))
}

/// The database, to read.
async fn look(settings: &Settings) -> Result<(Database, Place), CliError> {
    let database = look_at_database(settings).await?;
    let database = database.ok_or_else(|| {
        CliError::new(Exit::Unfinished, "there is no database")
            .hint("run `greffe apply`, or name another one with `--database URL`")
    })?;
    let place = place_of(&database, settings.database_name()?);
    Ok((database, place))
}

fn run_find(context: &Context, arguments: &Person) -> CommandResult {
    let settings = context.settings()?;
    let file = MapFile::read(&settings.subject_map)?;
    let key = key_of(&arguments.key)?;
    let found = block_on(async {
        let (mut database, place) = look(&settings).await?;
        let found = find(&mut database, &file, &place, &key).await;
        database.close().await;
        Ok::<_, CliError>(found?)
    })??;
    let shown = FoundShown { command: "subject find", out: None, tables: found.lines };
    Ok(Reply::new(shown, FoundShown::text))
}

fn run_export(context: &Context, arguments: &Export) -> CommandResult {
    let settings = context.settings()?;
    let file = MapFile::read(&settings.subject_map)?;
    let key = key_of(&arguments.person.key)?;
    let format = match arguments.format {
        Written::Json => Format::Json,
        Written::Csv => Format::Csv,
    };
    let exported = block_on(async {
        let (mut database, place) = look(&settings).await?;
        let written = export(&mut database, &file, &key, (&arguments.out, format), (&place, now())).await;
        database.close().await;
        Ok::<_, CliError>(written?)
    })??;
    let shown = FoundShown { command: "subject export", out: Some(exported.out), tables: exported.tables };
    Ok(Reply::new(shown, FoundShown::text))
}

fn run_new_key(arguments: &NewKey) -> CommandResult {
    let (identity, recipient) = new_identity();
    let text = Zeroizing::new(format!("# public key: {recipient}\n{}\n", identity.as_str()));
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::AlreadyExists => SubjectError::Exists(arguments.out.clone()),
        _ => SubjectError::File { path: arguments.out.clone(), done: "written", source },
    };
    create_file(&arguments.out, text.as_bytes(), 0o600).map_err(failed)?;
    let shown = KeyShown { command: "subject new-key", recipient, file: arguments.out.clone() };
    Ok(Reply::new(shown, KeyShown::text))
}

impl From<SubjectError> for CliError {
    fn from(error: SubjectError) -> Self {
        shown::error(error)
    }
}
