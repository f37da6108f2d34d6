use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::{next_step, place, write_proposal};
use crate::chain::{Proposal, Tally};
use crate::cli::CommandResult;
use crate::cli::context::{Context, actor};
use crate::cli::error::CliError;
use crate::cli::output::Reply;
use crate::cli::settings::read_text;
use crate::codec::proposal::encode_proposal;
use crate::crypto::parse_public_key;
use crate::model::{KeyRole, RevocationReason, TrustChange};
use crate::ops::OpsError;
use crate::ops::trust::propose::propose;
use crate::ops::trust::{Edits, NewKey, Revoke};
use crate::store::create_file;

/// Propose other keys, roles or thresholds: writes a file, and changes nothing
///
/// The file is for the next entry of this chain and fits nowhere else. Root keys sign it with `greffe trust sign`, and
/// `greffe trust apply` appends it. A key is named by its keyid or at least the first eight digits of it.
#[derive(Args)]
pub struct Propose {
    /// The file to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Add the public key in this file: PEM, OpenSSH, or what `greffe key show` prints
    #[arg(long, value_name = "FILE", requires = "role")]
    add_key: Vec<PathBuf>,
    /// What the added keys may do
    #[arg(long, value_name = "ROLES", value_delimiter = ',', requires = "add_key")]
    role: Vec<Role>,
    /// What the added keys are for: a role or a workload, no person [default: their roles]
    #[arg(long, value_name = "TEXT", requires = "add_key")]
    label: Option<String>,
    /// Give a key other roles
    #[arg(long, value_name = "KEYID=ROLES", value_parser = parse_roles)]
    roles: Vec<(String, Vec<KeyRole>)>,
    /// Retire a key: what it signed before keeps its standing
    #[arg(long, value_name = "KEYID")]
    retire: Vec<String>,
    /// Revoke a key that is stolen
    #[arg(long, value_name = "KEYID", requires = "since")]
    revoke: Vec<String>,
    /// Why it is revoked
    #[arg(long, value_name = "REASON", requires = "revoke", default_value = "compromised")]
    reason: Reason,
    /// The first entry that does not count any more when a revoked key signed it
    #[arg(long, value_name = "SEQ", requires = "revoke")]
    since: Option<u64>,
    /// How many keys of a role must sign
    #[arg(long, value_name = "ROLE=N", value_parser = parse_threshold)]
    threshold: Vec<(KeyRole, u32)>,
    /// The policy for witnesses (C2SP tlog-policy) in this file
    #[arg(long, value_name = "FILE", conflicts_with = "remove_policy")]
    policy: Option<PathBuf>,
    /// Ask for no witnesses any more
    #[arg(long)]
    remove_policy: bool,
    /// Trust the timestamp authority whose root certificate is in this file
    #[arg(long, value_name = "PEM")]
    authority: Vec<PathBuf>,
    /// Trust a timestamp authority no more
    #[arg(long, value_name = "SHA256")]
    remove_authority: Vec<String>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Role {
    Root,
    Signer,
    Approver,
}

#[derive(Clone, Copy, ValueEnum)]
enum Reason {
    Compromised,
    Retired,
}

#[derive(Serialize)]
struct Done {
    command: &'static str,
    file: PathBuf,
    version: u64,
    seq: u64,
    changes: Vec<TrustChange>,
    tallies: [Tally; 2],
    #[serde(skip)]
    proposal: Proposal,
}

pub fn run(context: &Context, arguments: &Propose) -> CommandResult {
    let settings = context.settings()?;
    let edits = edits(arguments)?;
    let proposal = propose(&place(&settings)?, &actor(&settings)?, &edits)?;
    let file = arguments.out.clone();
    create_file(&file, &encode_proposal(proposal.file()), 0o644).map_err(|source| match source.kind() {
        std::io::ErrorKind::AlreadyExists => OpsError::Exists(file.clone()),
        _ => OpsError::File { path: file.clone(), done: "written", source },
    })?;
    let done = Done {
        command: "trust propose",
        version: proposal.next.version,
        seq: proposal.event.seq,
        changes: proposal.changes(),
        tallies: proposal.tallies(),
        file,
        proposal,
    };
    Ok(Reply::new(done, |done, out| {
        write_proposal(&done.proposal, out)?;
        writeln!(out, "wrote    {}", done.file.display())?;
        writeln!(out, "next     {}", next_step(&done.file, &done.tallies))
    }))
}

fn edits(arguments: &Propose) -> Result<Edits, CliError> {
    let roles: Vec<KeyRole> = arguments.role.iter().map(|role| (*role).into()).collect();
    let label = arguments
        .label
        .clone()
        .unwrap_or_else(|| roles.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and "));
    let key = |path: &PathBuf| {
        let public = parse_public_key(&text(path)?);
        let public = public.map_err(|error| {
            CliError::usage(format!("{} holds no key to add: {error}", path.display()))
                .hint("give the public key: `greffe key show > FILE`, or `openssl pkey -pubout`")
        })?;
        Ok::<_, CliError>(NewKey { public, roles: roles.clone(), label: label.clone() })
    };
    let retired = arguments.retire.iter().map(|key| Revoke {
        key: key.clone(),
        reason: RevocationReason::Retired,
        since: None,
    });
    let reason = match arguments.reason {
        Reason::Compromised => RevocationReason::Compromised,
        Reason::Retired => RevocationReason::Retired,
    };
    let revoked =
        arguments.revoke.iter().map(|key| Revoke { key: key.clone(), reason, since: arguments.since });
    let policy = arguments.policy.as_ref().map(|path| text(path)).transpose()?;
    Ok(Edits {
        add: arguments.add_key.iter().map(key).collect::<Result<_, _>>()?,
        roles: arguments.roles.clone(),
        revoke: retired.chain(revoked).collect(),
        thresholds: arguments.threshold.clone(),
        policy: if arguments.remove_policy { Some(String::new()) } else { policy },
        add_authorities: arguments.authority.iter().map(|path| text(path)).collect::<Result<_, _>>()?,
        remove_authorities: arguments.remove_authority.clone(),
    })
}

fn text(path: &Path) -> Result<String, CliError> {
    let text = read_text(path).map_err(|error| {
        CliError::usage(format!("the file {} {error}", path.display())).hint("name a file that is there")
    })?;
    Ok(text.expose().to_owned())
}

impl From<Role> for KeyRole {
    fn from(role: Role) -> Self {
        match role {
            Role::Root => Self::Root,
            Role::Signer => Self::Signer,
            Role::Approver => Self::Approver,
        }
    }
}

fn parse_role(text: &str) -> Result<KeyRole, String> {
    Role::from_str(text, false).map(KeyRole::from).map_err(|_| "write root, signer or approver".to_owned())
}

/// `KEYID=root,signer`.
fn parse_roles(text: &str) -> Result<(String, Vec<KeyRole>), String> {
    let (key, roles) = text.split_once('=').ok_or("write KEYID=root,signer")?;
    Ok((key.to_owned(), roles.split(',').map(parse_role).collect::<Result<_, _>>()?))
}

/// `root=2`.
fn parse_threshold(text: &str) -> Result<(KeyRole, u32), String> {
    let (role, number) = text.split_once('=').ok_or("write ROLE=N, such as root=2")?;
    Ok((parse_role(role)?, number.parse().map_err(|_| "write a number of keys")?))
}
