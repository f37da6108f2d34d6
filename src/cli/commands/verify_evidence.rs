use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::verify::parse_anchors;
use crate::chain::{EvidenceReport, Finding, FindingKind, NotEstablished, ToldOfKey};
use crate::cli::context::{Context, verify_options};
use crate::cli::error::CliError;
use crate::cli::language::{language, parse_language};
use crate::cli::memory::MemoryArguments;
use crate::cli::output::Reply;
use crate::cli::policies::read_policy;
use crate::cli::telling::{act, line, promise, show_findings, show_time, show_witnesses, text, verdict};
use crate::cli::{CommandResult, Exit};
use crate::crypto::KeyId;
use crate::lang::{Language, Words};
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
    /// The language of the text: `en` or `fr`, and `ar` for findings [default: what GREFFE_LANG or LANG says, else English]
    #[arg(long, value_name = "LANGUAGE", value_parser = parse_language)]
    lang: Option<Language>,
}

#[derive(Serialize)]
struct Shown {
    command: &'static str,
    #[serde(flatten)]
    report: EvidenceReport,
    /// What it is told in.
    #[serde(skip)]
    language: Language,
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
    let language = language(arguments.lang, &context.environment);
    Ok(Reply::new(Shown { command: "verify-evidence", report, language }, show).with_exit(exit))
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
    let (report, words) = (&shown.report, Words::of(shown.language));
    let words = &words;
    writeln!(out, "{}", summary(report, words))?;
    line(out, &words.say("term-chain"), &report.chain.to_string())?;
    line(out, &words.say("term-entry"), &report.manifest.to_string())?;
    for key in &report.signed_by {
        line(out, &words.say("term-key"), &told(report, key, words))?;
    }
    let checkpoint = &report.checkpoint;
    let values = [("entries", Words::figure(checkpoint.size)), ("root", checkpoint.root.to_string().into())];
    line(out, &words.say("term-checkpoint"), &words.tell("evidence-checkpoint", values))?;
    for key in &checkpoint.signed_by {
        line(out, &words.say("term-signed-by"), &key.to_string())?;
    }
    if let Some(head) = report.head {
        line(out, &words.say("term-head"), &head.to_string())?;
    }
    show_time(out, words, &report.time)?;
    let established = &report.established;
    for one in [
        ("term-intact", established.intact, "evidence-intact"),
        ("term-included", established.included, "evidence-included"),
        ("term-signed", established.signed, "evidence-signed"),
        ("term-anchored", established.anchored, "evidence-anchored"),
        ("term-witnessed", established.witnessed, "evidence-witnessed"),
        ("term-timestamped", established.timestamped, "evidence-timestamped"),
    ] {
        promise(out, words, one)?;
    }
    show_witnesses(out, words, ["evidence-cosigned", "evidence-cosigned-at"], &report.witnesses)?;
    for cid in &report.withheld {
        let said = words.tell("evidence-withheld", [("cid", cid.to_string().into())]);
        line(out, &words.say("term-withheld"), &said)?;
    }
    writeln!(out, "{}", words.say("evidence-open"))?;
    for what in &report.not_established {
        writeln!(out, "  {}", words.say(open(*what)))?;
    }
    show_findings(out, words, &report.findings)
}

/// Of which entry it is, and what verification came to.
fn summary(report: &EvidenceReport, words: &Words) -> String {
    let name = report.name.as_ref().map_or_else(|| words.say("verify-unknown-chain"), ToString::to_string);
    let (verdict, name) = (("verdict", verdict(words, report.verified)), ("name", name.into()));
    let Some(event) = &report.event else { return words.tell("evidence-unreadable", [verdict, name]) };
    let (seq, at) = (("seq", event.seq.to_string().into()), ("at", event.finished_at.to_string().into()));
    let kind = ("event", words.say(act(event.event)).into());
    match version_of(event) {
        None => words.tell("evidence-summary", [verdict, name, seq, kind, at]),
        Some(version) => {
            let version = ("version", text(version));
            words.tell("evidence-summary-version", [verdict, name, seq, kind, version, at])
        }
    }
}

/// The message of what stays open.
const fn open(what: NotEstablished) -> &'static str {
    match what {
        NotEstablished::Anchored => "open-anchored",
        NotEstablished::OtherTrust => "open-other-trust",
        NotEstablished::OtherEntries => "open-other-entries",
        NotEstablished::OneTree => "open-one-tree",
        NotEstablished::Time => "open-time",
        NotEstablished::Sealed => "open-sealed",
    }
}

/// A key that signed the entry, and what the newest trust document that is shown says of it.
fn told(report: &EvidenceReport, key: &KeyId, words: &Words) -> String {
    let seq = report.event.as_ref().map_or(0, |event| event.seq);
    let Some(ToldOfKey { since, reason, .. }) = report.revoked.iter().find(|told| told.keyid == *key) else {
        return key.to_string();
    };
    let id = match (reason, *since > seq) {
        (RevocationReason::Compromised, false) => "evidence-stolen",
        (RevocationReason::Compromised, true) => "evidence-stolen-after",
        (RevocationReason::Retired, false) => "evidence-retired",
        (RevocationReason::Retired, true) => "evidence-retired-after",
    };
    words.tell(id, [("key", key.to_string().into()), ("since", since.to_string().into())])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stays_open_is_said_as_everywhere_else() {
        let english = Words::of(Language::English);
        for what in [
            NotEstablished::Anchored,
            NotEstablished::OtherTrust,
            NotEstablished::OtherEntries,
            NotEstablished::OneTree,
            NotEstablished::Time,
            NotEstablished::Sealed,
        ] {
            assert_eq!(english.say(open(what)), what.to_string());
        }
    }
}
