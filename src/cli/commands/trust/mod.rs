mod apply;
mod propose;
mod show;
mod sign;

use std::io::{self, Read as _, Write};
use std::path::Path;

use clap::{Args, Subcommand};

use crate::chain::{Proposal, ProposalError, Tally};
use crate::cli::context::Context;
use crate::cli::error::CliError;
use crate::cli::output::Clean;
use crate::cli::settings::Settings;
use crate::cli::{CommandResult, Exit};
use crate::codec::proposal::{PROPOSAL_LIMIT, decode_proposal};
use crate::crypto::{Digest, KeyId};
use crate::model::{KeyRole, Revocation, RevocationReason, Thresholds, TrustChange, TrustDocument};
use crate::ops::OpsError;
use crate::ops::trust::apply::{may_sign, merge};
use crate::ops::trust::{ChainPlace, TrustError};

/// Show and change which keys a chain trusts
///
/// Keys change in three steps: `propose` writes a file, root keys `sign` it apart from each other, `apply` appends it to
/// the chain. docs/trust.md says who does what, and what to do when a key is lost or stolen.
#[derive(Args)]
pub struct Trust {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    Show(show::Show),
    Propose(Box<propose::Propose>),
    Sign(sign::Sign),
    Apply(apply::Apply),
}

impl Trust {
    /// Whether it appends to the chain.
    pub fn archives(&self) -> bool {
        matches!(self.action, Action::Apply(_))
    }
}

pub fn run(context: &Context, arguments: &Trust) -> CommandResult {
    match &arguments.action {
        Action::Show(arguments) => show::run(context, arguments),
        Action::Propose(arguments) => propose::run(context, arguments),
        Action::Sign(arguments) => sign::run(context, arguments),
        Action::Apply(arguments) => apply::run(context, arguments),
    }
}

/// The chain that the settings name.
fn place(settings: &Settings) -> Result<ChainPlace, CliError> {
    Ok(ChainPlace {
        directory: settings.archive_directory.clone(),
        name: settings.name()?.clone(),
        chain: settings.chain,
        wait: settings.lock_wait,
    })
}

/// Reads copies of one proposal and puts their signatures together.
fn read(paths: &[std::path::PathBuf]) -> Result<Proposal, CliError> {
    let copies = paths.iter().map(|path| read_one(path)).collect::<Result<Vec<_>, _>>()?;
    merge(copies)?.ok_or_else(|| CliError::usage("no proposal is named"))
}

fn read_one(path: &Path) -> Result<Proposal, CliError> {
    let failed = |source| OpsError::File { path: path.to_owned(), done: "read", source };
    let file = std::fs::File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(PROPOSAL_LIMIT as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
    let proposal = decode_proposal(&bytes).map_err(ProposalError::from).and_then(Proposal::read);
    proposal.map_err(|error| {
        let mut shown = CliError::from(TrustError::from(error));
        shown.message = format!("{}: {}", path.display(), shown.message);
        shown
    })
}

/// What would change and what is missing, in plain words.
fn write_proposal(proposal: &Proposal, out: &mut dyn Write) -> io::Result<()> {
    let event = &proposal.event;
    let chain = event.chain.map(|chain| chain.to_string()).unwrap_or_default();
    writeln!(out, "chain    {} ({chain})", proposal.next.name)?;
    writeln!(out, "place    entry {}, proposed at {}", event.seq, event.finished_at)?;
    writeln!(
        out,
        "version  {} of the trust document, after {}",
        proposal.next.version, proposal.in_force.version
    )?;
    write_changes(&proposal.changes(), "change   ", out)?;
    write_outcome(&proposal.next, event.seq, out)?;
    for tally in &proposal.tallies() {
        let Tally { version, needed, signed, .. } = tally;
        writeln!(out, "signed   {} of {needed} root key(s) that version {version} asks for", signed.len())?;
    }
    Ok(())
}

/// All that would be trusted: who signs answers for the whole document, whatever the file says was there before.
fn write_outcome(next: &TrustDocument, seq: u64, out: &mut dyn Write) -> io::Result<()> {
    for (id, key) in &next.keys {
        let counts = |role: &&KeyRole| next.key_for(id, **role, seq).is_some();
        let roles: Vec<String> = key.roles.iter().filter(counts).map(ToString::to_string).collect();
        let roles = if roles.is_empty() { "counts no more".to_owned() } else { roles.join(", ") };
        writeln!(out, "after it key {id} ({}): {roles}", Clean(&key.label))?;
    }
    for Revocation { key, since, reason } in &next.revoked {
        let reason = match reason {
            RevocationReason::Retired => "retired",
            RevocationReason::Compromised => "compromised",
        };
        writeln!(out, "after it key {key} is revoked since entry {since}: {reason}")?;
    }
    let Thresholds { root, signer, approver } = next.thresholds;
    writeln!(out, "after it thresholds root {root}, signer {signer}, approver {approver}")?;
    if signer > 1 {
        writeln!(
            out,
            "after it {signer} keys sign each entry: runs need them as `key.source` and `key.also`"
        )?;
    }
    match next.policy.trim() {
        "" => writeln!(out, "after it no witness is asked for")?,
        policy => {
            for line in policy.lines() {
                writeln!(out, "after it policy {}", Clean(line))?;
            }
        }
    }
    for authority in &next.authorities {
        writeln!(out, "after it timestamp authority sha256:{}", Digest::of(authority.as_bytes()))?;
    }
    Ok(())
}

fn write_changes(changes: &[TrustChange], before: &str, out: &mut dyn Write) -> io::Result<()> {
    for change in changes {
        writeln!(out, "{before}{}", Clean(&change.to_string().replace('\n', " ")))?;
    }
    Ok(())
}

/// What to do next with a proposal in this file.
fn next_step(path: &Path, tallies: &[Tally; 2]) -> String {
    let path = path.display();
    let missing = may_sign(tallies);
    if tallies.iter().all(|tally| tally.missing() == 0) {
        return format!("run `greffe trust apply {path}`");
    }
    let keys: Vec<String> = missing.iter().map(KeyId::to_string).collect();
    format!("run `greffe trust sign {path} --key SOURCE` with one of the keys {}", keys.join(", "))
}

impl From<TrustError> for CliError {
    fn from(error: TrustError) -> Self {
        let error = match error {
            TrustError::Ops(error) => return (*error).into(),
            other => other,
        };
        let (exit, hint) = match &error {
            TrustError::OtherChain { .. } => {
                (Exit::Findings, "name the archive that it is for with `--archive PATH` and `--name NAME`")
            }
            TrustError::Moved { .. } => {
                (Exit::Usage, "propose it again with `greffe trust propose`, and have it signed again")
            }
            TrustError::InForceDiffers | TrustError::OtherBranch => (
                Exit::Findings,
                "keep the file as evidence, and compare `greffe head` with that of who proposed it",
            ),
            TrustError::Unsigned(tallies) => {
                let mut shown = Self::usage(error.to_string());
                let keys: Vec<String> = may_sign(tallies).iter().map(KeyId::to_string).collect();
                shown.causes.push(format!("may sign: {}", keys.join(", ")));
                return shown.hint("have it signed with `greffe trust sign FILE --key SOURCE`");
            }
            TrustError::UnknownKey(_) | TrustError::Ambiguous(_) => {
                (Exit::Usage, "name it by its keyid, which `greffe trust show` prints")
            }
            TrustError::Proposal(error) => proposal_hint(error),
            _ => (Exit::Usage, "run `greffe trust show` to see what is in force"),
        };
        Self::new(exit, error.to_string()).hint(hint)
    }
}

fn proposal_hint(error: &ProposalError) -> (Exit, &'static str) {
    match error {
        ProposalError::NotRoot(_) => {
            (Exit::Usage, "name a root key with `--key SOURCE`; `greffe trust show` prints which there are")
        }
        ProposalError::Stranded { .. } => {
            (Exit::Usage, "add a key with `--add-key FILE` in the same proposal, or lower the threshold")
        }
        ProposalError::File(_)
        | ProposalError::Document { .. }
        | ProposalError::Statement(_)
        | ProposalError::Version { .. } => (Exit::Usage, "give a file that `greffe trust propose` wrote"),
        ProposalError::Different => (Exit::Usage, "give copies of one file, or one proposal alone"),
        ProposalError::Sign(_) => (Exit::Unfinished, "look whether the key is at hand, and run it again"),
        _ => (Exit::Findings, "do not sign it; ask who sent it for a new one"),
    }
}
