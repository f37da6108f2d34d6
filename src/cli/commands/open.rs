use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::verify::{source, threads};
use crate::chain::{Report, SealedState};
use crate::cli::context::{Context, open_owner, verify_options};
use crate::cli::error::CliError;
use crate::cli::opening::{read_file, record_opened};
use crate::cli::output::{Clean, Reply, remark};
use crate::cli::settings::Settings;
use crate::cli::{CommandResult, Exit};
use crate::model::Cid;
use crate::ops::OpsError;
use crate::ops::grant::{GRANT_LIMIT, Grant, open_grant};
use crate::ops::replay::may_run;
use crate::ops::sealed::SealedPlace;
use crate::vault::{AgeOwner, IDENTITY_LIMIT};

/// Read sealed files with a grant, and check them against what the log commits to
///
/// Verifies the chain first, then opens what the grant has keys for. With `--out`, what was opened is written below that
/// folder, in a folder for each entry. Exits with 1 when a file is not what was sealed.
#[derive(Args)]
pub struct Open {
    /// The file that `greffe grant` wrote
    #[arg(value_name = "GRANT")]
    grant: PathBuf,
    /// CID of a head or manifest in the archive, or a CARv1 file
    #[arg(value_name = "CID|FILE.car")]
    target: String,
    /// Your age identity [default: that of the vault's owner in the settings]
    #[arg(long, value_name = "FILE")]
    identity: Option<PathBuf>,
    /// Where to write what is opened; a folder that is not there yet
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
}

#[derive(Serialize)]
struct Done {
    command: &'static str,
    root: Cid,
    purpose: String,
    files: Vec<Opened>,
    /// Head of the access chain; null where there is none here.
    access: Option<Cid>,
}

#[derive(Serialize)]
struct Opened {
    seq: u64,
    file: String,
    state: SealedState,
    /// The name that it had before it was sealed.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<usize>,
}

pub fn run(context: &Context, arguments: &Open) -> CommandResult {
    let settings = context.settings()?;
    let grant = read_grant(&settings, arguments)?;
    let mut options = verify_options(&settings, &[]);
    options.sealed_files = true;
    let mut source = source(&settings, &arguments.target)?;
    let mut report = source.verify(options, threads(None), &mut |_, _, _| ())?;
    if report.chain != Some(grant.chain) {
        return Err(CliError::new(Exit::Findings, "the grant is of another chain than this one".to_owned())
            .hint("give the CID or the file that you were sent with it"));
    }
    if !may_run(&report) {
        return Err(CliError::new(
            Exit::Findings,
            "the chain is not intact, so nothing of it is opened".to_owned(),
        )
        .hint("run `greffe verify` to see what is wrong"));
    }
    let purpose = grant.purpose.clone();
    source.use_keys(Box::new(grant));
    source.open_sealed(&mut report)?;
    if let Some(out) = &arguments.out {
        make_folder(out)?;
    }
    let access = match settings.file {
        Some(_) => record_opened(&settings, &report, &purpose).inspect_err(|_| unmake(arguments))?,
        None => None,
    };
    if access.is_none() && !context.quiet {
        remark("note: this opening is in no access chain: there is no project here");
    }
    let mut files = Vec::new();
    for file in &report.sealed_files {
        let (mut name, mut bytes) = (None, None);
        if let (SealedState::Open, Some(event)) = (file.state, file.event) {
            let place = SealedPlace {
                event,
                name: file.name.clone(),
                commitment: file.commitment.clone().unwrap_or_default(),
            };
            let plain = source.opened(&file.cid, &place)?;
            if let (Some(plain), Some(out)) = (&plain, &arguments.out) {
                write(&out.join(file.seq.to_string()), plain.name.as_str(), &plain.bytes)?;
            }
            name = plain.as_ref().map(|plain| plain.name.to_string());
            bytes = plain.map(|plain| plain.bytes.len());
        }
        if file.state != SealedState::Sealed {
            files.push(Opened { seq: file.seq, file: file.name.to_string(), state: file.state, name, bytes });
        }
    }
    let exit = if tampered(&report) { Exit::Findings } else { Exit::Done };
    let done = Done { command: "open", root: report.root, purpose, files, access };
    Ok(Reply::new(done, show).with_exit(exit))
}

fn tampered(report: &Report) -> bool {
    report.sealed_files.iter().any(|file| file.state == SealedState::Tampered)
}

fn read_grant(settings: &Settings, arguments: &Open) -> Result<Grant, CliError> {
    let identity = match &arguments.identity {
        None => open_owner(settings)?,
        Some(path) => {
            let text = zeroize::Zeroizing::new(read_file(path, IDENTITY_LIMIT)?);
            let passphrase = settings.vault_passphrase()?;
            let passphrase = passphrase.as_ref().map(|secret| secret.expose());
            AgeOwner::parse(&text, passphrase)
                .map_err(|error| OpsError::from(crate::vault::VaultError::from(error)))?
        }
    };
    let bytes = read_file(&arguments.grant, GRANT_LIMIT)?;
    Ok(open_grant(&bytes, &identity)?)
}

/// A folder of one's own: in one that exists, somebody else may have put links.
fn make_folder(path: &Path) -> Result<(), CliError> {
    use std::os::unix::fs::DirBuilderExt as _;

    let made = std::fs::DirBuilder::new().mode(0o700).create(path);
    made.map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => OpsError::Exists(path.to_owned()).into(),
        _ => OpsError::File { path: path.to_owned(), done: "made", source }.into(),
    })
}

/// Nothing was opened, so the folder is empty.
fn unmake(arguments: &Open) {
    if let Some(out) = &arguments.out {
        std::fs::remove_dir(out).ok();
    }
}

/// Writes a file below a folder. Names come from manifests, whose names cannot leave a folder.
fn write(folder: &Path, name: &str, bytes: &[u8]) -> Result<(), CliError> {
    let path = folder.join(name);
    let made = path.parent().map_or(Ok(()), std::fs::create_dir_all);
    let written = made.and_then(|()| crate::store::create_file(&path, bytes, 0o600));
    written.map_err(|source| OpsError::File { path, done: "written", source }.into())
}

fn show(done: &Done, out: &mut dyn Write) -> io::Result<()> {
    for file in &done.files {
        let state = serde_json::to_value(file.state)?;
        let name = file.name.clone().unwrap_or_else(|| file.file.clone());
        let bytes = file.bytes.map(|bytes| format!(", {bytes} bytes")).unwrap_or_default();
        writeln!(
            out,
            "{:<8} entry {}: {}{bytes}",
            state.as_str().unwrap_or_default(),
            file.seq,
            Clean(&name)
        )?;
    }
    if done.files.is_empty() {
        writeln!(out, "the grant opens nothing here")?;
    }
    match done.access {
        Some(access) => writeln!(out, "access {access}"),
        None => Ok(()),
    }
}
