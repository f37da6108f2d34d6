mod shown;

use std::cell::RefCell;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use clap::{ArgGroup, Args, Subcommand, ValueEnum};
use zeroize::Zeroizing;

use self::shown::{AgainShown, CheckShown, EraseShown, FoundShown, KeyShown, ReceiptShown, ReplayShown};
use crate::cli::context::{Context, block_on, look_at_database, open_database, open_key, scratch};
use crate::cli::error::CliError;
use crate::cli::output::{Reply, remark};
use crate::cli::settings::{Secret, Settings};
use crate::cli::{CommandResult, Exit};
use crate::codec::trust::decode_trust;
use crate::crypto::{PrivateKey, PublicKey};
use crate::database::{Database, Target as _};
use crate::model::Role;
use crate::ops::subject::check::{self, Checked, Placed};
use crate::ops::subject::erase::{Order, Request, erase};
use crate::ops::subject::export::{Format, export};
use crate::ops::subject::list::{FileList, new_identity};
use crate::ops::subject::receipt::{Outcome, Receipt};
use crate::ops::subject::replay::{Again, Found, Replay, replay};
use crate::ops::subject::{MapFile, Place, SubjectError, find, free_name, place_of, write_new};
use crate::ops::{ChainReader, OpsError, now};
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
    /// With `--replay`: also where the person's own row is another one than the one that was erased
    #[arg(long, requires = "replay")]
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
        Action::Erase(erase) if erase.replay => run_replay(context, erase),
        Action::Erase(erase) => run_erase(context, erase),
        Action::Receipt(receipt) => run_receipt(context, receipt),
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
            let findings = live.unwrap_or_default().into_iter().map(placed).collect();
            return Ok(Checked { live: is_live, pending: Vec::new(), findings });
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
    let tables = block_on(async {
        let (mut database, _) = look(&settings).await?;
        let found = find(&mut database, &file, &key).await;
        database.close().await;
        Ok::<_, CliError>(found?)
    })??;
    Ok(Reply::new(FoundShown { command: "subject find", out: None, tables }, FoundShown::text))
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

/// The list of erasures of the settings.
fn list_of(settings: &Settings) -> Result<FileList, CliError> {
    let text = settings.erasure_key_text().map_err(|error| {
        CliError::usage(error.to_string()).hint(
            "run `greffe subject new-key --out greffe.erasures.key`, and set `privacy.erasure-key` to \
             `file:greffe.erasures.key`; keep a copy of it elsewhere",
        )
    })?;
    Ok(FileList::new(&settings.erasures, text.expose()).map_err(SubjectError::from)?)
}

/// The database, to change; nobody migrates it meanwhile.
async fn open(settings: &Settings) -> Result<(Database, Place), CliError> {
    // A file that is not there is not made.
    let (looked, place) = look(settings).await?;
    looked.close().await;
    let mut database = open_database(settings).await?;
    database.lock(settings.lock_wait).await.map_err(SubjectError::from)?;
    Ok((database, place))
}

fn run_erase(context: &Context, arguments: &Erase) -> CommandResult {
    let settings = context.settings()?;
    let file = MapFile::read(&settings.subject_map)?;
    let request = Request::new(
        arguments.request.as_deref().unwrap_or_default(),
        arguments.basis.as_deref().unwrap_or_default(),
    )?;
    let Some(given) = &arguments.key else { return Err(CliError::usage("no person is named")) };
    let key = key_of(given)?;
    request.require_without(&key)?;
    if arguments.dry_run {
        let tables = block_on(async {
            let (mut database, _) = look(&settings).await?;
            let found = find(&mut database, &file, &key).await;
            database.close().await;
            Ok::<_, CliError>(found?)
        })??;
        return Ok(Reply::new(EraseShown::planned(tables), EraseShown::text));
    }
    let signing = open_key(&settings).map_err(OpsError::from)?;
    let mut list = list_of(&settings)?;
    let path = match &arguments.receipt {
        Some(path) if path.exists() => return Err(SubjectError::Exists(path.clone()).into()),
        Some(path) => path.clone(),
        None => free_name(Path::new(&format!("receipt-{}.json", request.reference()))),
    };
    let receipt = block_on(async {
        let (mut database, place) = open(&settings).await?;
        let order =
            Order { file: &file, place: &place, request: &request, key: &key, again: false, clock: &now };
        let erased = erase(&mut database, &order, &mut list).await;
        database.close().await;
        Ok::<_, CliError>(erased?)
    })??;
    write_receipt(&path, &receipt, &file, &signing)?;
    let exit = if receipt.outcome == Outcome::Failed { Exit::Unfinished } else { Exit::Done };
    Ok(Reply::new(EraseShown::erased(receipt, path), EraseShown::text).with_exit(exit))
}

/// Writes a receipt. What was done is done, so that a receipt that cannot be written is printed.
fn write_receipt(
    path: &Path,
    receipt: &Receipt,
    file: &MapFile,
    signing: &PrivateKey,
) -> Result<(), CliError> {
    let bytes = receipt.sign((&file.name, file.digest), signing).map_err(SubjectError::from)?;
    write_new(path, &bytes).map_err(|error| {
        let mut shown = CliError::from(error);
        shown.causes.push(format!("the erasure is {}; its receipt is:", receipt.outcome.as_str()));
        shown.causes.push(String::from_utf8_lossy(&bytes).trim_end().to_owned());
        shown
    })
}

fn run_replay(context: &Context, arguments: &Erase) -> CommandResult {
    let settings = context.settings()?;
    let file = MapFile::read(&settings.subject_map)?;
    let signing = open_key(&settings).map_err(OpsError::from)?;
    let mut list = list_of(&settings)?;
    let shown = RefCell::new(ReplayShown::new());
    let trouble = RefCell::new(None);
    let mut told = |again: Again| {
        let mut written = None;
        if let Some(receipt) = &again.receipt {
            let path = free_name(Path::new(&format!("receipt-{}-again.json", again.request)));
            match write_receipt(&path, receipt, &file, &signing) {
                Ok(()) => written = Some(path),
                Err(error) => {
                    *trouble.borrow_mut() = Some(error);
                }
            }
        }
        shown.borrow_mut().erasures.push(AgainShown::new(again, written));
        Ok(())
    };
    let gone_through = block_on(async {
        let (mut database, place) = open(&settings).await?;
        let wanted = Replay {
            file: &file,
            place: &place,
            request: arguments.request.as_deref(),
            also_different: arguments.also_different,
            clock: &now,
        };
        let done = replay(&mut database, &wanted, &mut list, &mut told).await;
        database.close().await;
        Ok::<_, CliError>(done?)
    })?;
    gone_through?;
    if let Some(error) = trouble.into_inner() {
        return Err(error);
    }
    let shown = shown.into_inner();
    let has = |found: Found| shown.erasures.iter().any(|again| again.found == found);
    let exit = if has(Found::Failed) {
        Exit::Unfinished
    } else if has(Found::Differs) || has(Found::OtherKey) {
        Exit::Findings
    } else {
        Exit::Done
    };
    Ok(Reply::new(shown, ReplayShown::text).with_exit(exit))
}

fn run_receipt(context: &Context, arguments: &ReceiptFile) -> CommandResult {
    const RECEIPT_LIMIT: u64 = 2 << 20;
    let failed =
        |error: io::Error| CliError::usage(format!("{} cannot be read: {error}", arguments.file.display()));
    let mut bytes = Vec::new();
    let file = std::fs::File::open(&arguments.file).map_err(failed)?;
    file.take(RECEIPT_LIMIT).read_to_end(&mut bytes).map_err(failed)?;
    let keys = public_keys(context, &arguments.public)?;
    let (receipt, map, keyid) = Receipt::verify(&bytes, &keys).map_err(SubjectError::from)?;
    let shown = ReceiptShown { command: "subject receipt", verified: true, keyid, map, receipt };
    Ok(Reply::new(shown, ReceiptShown::text))
}

/// Keys that may have signed: those that are named, else those of the chain's first trust document and the signing key.
fn public_keys(context: &Context, named: &[String]) -> Result<Vec<PublicKey>, CliError> {
    let parse = |text: &String| {
        PublicKey::parse_base64(text).map_err(|error| {
            CliError::usage(format!("`--public` is no public key: {error}"))
                .hint("write what `greffe key show` prints")
        })
    };
    if !named.is_empty() {
        return named.iter().map(parse).collect();
    }
    let settings = context.settings()?;
    let of_chain = || -> Option<Vec<PublicKey>> {
        let reader = ChainReader::open(&settings.archive_directory, settings.name().ok()?).ok()?;
        let genesis = reader.manifest(&reader.manifest_at(0).ok()?).ok()?;
        let trust = genesis.files.iter().find(|file| file.role == Role::Trust)?;
        let trust = decode_trust(&reader.file(&trust.cid).ok()?).ok()?;
        Some(trust.keys.into_values().map(|key| key.public).collect())
    };
    let mut keys = of_chain().unwrap_or_default();
    keys.extend(open_key(&settings).ok().map(|key| *key.public()));
    if keys.is_empty() {
        return Err(CliError::usage("no public key is at hand").hint("name it with `--public BASE64`"));
    }
    Ok(keys)
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
