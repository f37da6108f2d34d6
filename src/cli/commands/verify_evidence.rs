use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::verify::parse_anchors;
use crate::chain::{EvidenceReport, Finding, FindingKind, ToldOfKey};
use crate::cli::context::{Context, verify_options};
use crate::cli::error::CliError;
use crate::cli::memory::MemoryArguments;
use crate::cli::output::{Clean, Reply};
use crate::cli::policies::read_policy;
use crate::cli::times::show_time;
use crate::cli::{CommandResult, Exit};
use crate::crypto::KeyId;
use crate::model::RevocationReason;
use crate::ops::evidence::{verify_directory, version_of};

/// Verify the evidence of one entry, offline and without the rest of its chain
///
/// Reads a directory that `greffe evidence` wrote and believes nothing in it. Says what is established by it and what is
/// not; cosignatures are judged by the policy of its newest trust document, timestamps by that document's authorities.
/// Exits with 0 when nothing is wrong, with 1 when something is found, with 5 when it is of another version of a chain that
/// was verified here before.
#[derive(Args)]
pub struct VerifyEvidence {
    /// The directory
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// It must be of this chain, root key or head, or it is a finding
    #[arg(long, value_name = "ANCHOR")]
    require: Vec<String>,
    /// A file with what the verifier asks of witnesses, beside the trust document (C2SP tlog-policy)
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    #[command(flatten)]
    memory: MemoryArguments,
}

#[derive(Serialize)]
struct Shown {
    command: &'static str,
    #[serde(flatten)]
    report: EvidenceReport,
}

pub fn run(context: &Context, arguments: &VerifyEvidence) -> CommandResult {
    let settings = context.settings()?;
    let mut options = verify_options(&settings, &parse_anchors(&arguments.require)?);
    arguments.memory.recall(context, &mut options)?;
    options.policy = arguments.policy.as_deref().map(read_policy).transpose()?;
    if !arguments.directory.is_dir() {
        return Err(CliError::usage(format!("{} is not a directory", arguments.directory.display()))
            .hint("give the directory that `greffe evidence ENTRY --out DIR` wrote"));
    }
    let report = verify_directory(&arguments.directory, &options)?;
    let exit = exit_of(&report);
    Ok(Reply::new(Shown { command: "verify-evidence", report }, show).with_exit(exit))
}

fn exit_of(report: &EvidenceReport) -> Exit {
    let is_other = |finding: &Finding| finding.fault.kind() == FindingKind::Continuity;
    match report.verified {
        true => Exit::Done,
        false if report.findings.iter().any(is_other) => Exit::Discontinuous,
        false => Exit::Findings,
    }
}

fn show(shown: &Shown, out: &mut dyn Write) -> io::Result<()> {
    let report = &shown.report;
    let verdict = if report.verified { "verified" } else { "NOT verified" };
    let name = report.name.as_ref().map_or("unknown chain", |name| name.as_str());
    match &report.event {
        Some(event) => {
            let of = version_of(event).map(|version| format!(" of version {}", Clean(version)));
            let (seq, kind, at) = (event.seq, event.event, event.finished_at);
            writeln!(out, "{verdict}: {name}, entry {seq}, {kind}{}, {at}", of.unwrap_or_default())?;
        }
        None => writeln!(out, "{verdict}: {name}, an entry that cannot be read")?,
    }
    writeln!(out, "  chain       {}", report.chain)?;
    writeln!(out, "  entry       {}", report.manifest)?;
    for key in &report.signed_by {
        writeln!(out, "  key         {key}{}", told(report, key))?;
    }
    let checkpoint = &report.checkpoint;
    writeln!(out, "  checkpoint  {} entries, root {}", checkpoint.size, checkpoint.root)?;
    for key in &checkpoint.signed_by {
        writeln!(out, "  signed by   {key}")?;
    }
    if let Some(head) = report.head {
        writeln!(out, "  head        {head}")?;
    }
    show_time(&report.time, out)?;
    let established = &report.established;
    for (word, holds, meaning) in [
        ("intact", established.intact, "every block, the statement and the bundle are those of the entry"),
        (
            "included",
            established.included,
            "it stands in the tree of the checkpoint, as do the trust documents",
        ),
        ("signed", established.signed, "entry and checkpoint are signed as the trust documents ask for"),
        ("anchored", established.anchored, "the chain, a root key or the head is one that you trust"),
        ("witnessed", established.witnessed, "other parties saw no other tree of this size"),
        ("timestamped", established.timestamped, "a timestamp authority saw the checkpoint"),
    ] {
        writeln!(out, "  {word:<11} {:<3} {meaning}", if holds { "yes" } else { "no" })?;
    }
    for cosigned in &report.witnesses {
        let at = cosigned.not_after.map(|at| format!(" by {at}")).unwrap_or_default();
        writeln!(out, "  cosigned    by {}: it saw the checkpoint{at}", Clean(&cosigned.witness))?;
    }
    for cid in &report.withheld {
        writeln!(out, "  withheld    sealed file {cid}")?;
    }
    writeln!(out, "not established by this evidence:")?;
    for what in &report.not_established {
        writeln!(out, "  {what}")?;
    }
    if !report.findings.is_empty() {
        writeln!(out, "{} finding(s):", report.findings.len())?;
    }
    for finding in &report.findings {
        writeln!(out, "  {}", Clean(&finding.to_string()))?;
    }
    Ok(())
}

/// What the newest trust document that is shown says of a key that signed the entry.
fn told(report: &EvidenceReport, key: &KeyId) -> String {
    let seq = report.event.as_ref().map_or(0, |event| event.seq);
    let told = report.revoked.iter().filter(|told| told.keyid == *key);
    let words = told.map(|ToldOfKey { since, reason, .. }| {
        let reason = match reason {
            RevocationReason::Compromised => "stolen",
            RevocationReason::Retired => "retired",
        };
        let standing = if *since > seq { "; this entry is before that" } else { "" };
        format!(", told {reason} since entry {since}{standing}")
    });
    words.collect()
}
