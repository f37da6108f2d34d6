//! What verification came to, as a person reads it.

use std::io::{self, Write};

use serde_json::Value;

use super::Shown;
use crate::chain::{Finding, Fresh, Freshness, SealedCounts, TimeBound, TimeInterval, TimeSource};
use crate::cli::output::Clean;
use crate::lang::{Language, Words};

pub fn show(shown: &Shown, out: &mut dyn Write) -> io::Result<()> {
    let report = &shown.report;
    let name = report.name.as_ref().map_or("unknown chain", |name| name.as_str());
    let verdict = if report.verified { "verified" } else { "NOT verified" };
    writeln!(out, "{verdict}: {name}, {} entries, from {}", report.entries, report.root)?;
    if let Some(chain) = report.chain {
        writeln!(out, "  chain       {chain}")?;
    }
    if let Some(since) = report.since_seq {
        writeln!(
            out,
            "  new         {} entries; those before were verified here before",
            report.entries - since
        )?;
    }
    if let Some(newest) = report.newest {
        writeln!(out, "  newest      {newest}")?;
    }
    show_time(&report.time, out)?;
    let established = &report.established;
    let intact = match report.since_seq {
        Some(_) => "every new byte and link holds, and goes on from what was verified here before",
        None => "every byte, link and step of the story holds",
    };
    for (word, holds, meaning) in [
        ("intact", established.intact, intact),
        ("signed", established.signed, "signatures meet the trust document"),
        ("anchored", established.anchored, "the chain is one that you trust; `--require CID` insists on it"),
        ("witnessed", established.witnessed, "other parties saw the same chain"),
        ("timestamped", established.timestamped, "a timestamp authority saw the head"),
        ("complete", established.complete, "every block was there"),
        ("replayed", established.replayed, "the scripts make the schema that was signed"),
        ("live", established.live, "the database has that schema now"),
    ] {
        writeln!(out, "  {word:<11} {:<3} {meaning}", if holds { "yes" } else { "no" })?;
    }
    for cosigned in &report.witnesses {
        let at = cosigned.not_after.map(|at| format!(" by {at}")).unwrap_or_default();
        writeln!(out, "  cosigned    by {}: it saw all entries{at}", Clean(&cosigned.witness))?;
    }
    if let Some(found) = &report.freshness {
        let word = match found.fresh {
            Fresh::Yes => "yes",
            Fresh::No | Fresh::Unknown => "no",
        };
        writeln!(out, "  {:<11} {word:<3} {}", "fresh", freshness(found))?;
    }
    if let Some(promotions) = &report.promotions {
        let away = match promotions.not_at_hand {
            0 => String::new(),
            away => format!(", {away} not: that chain is not at hand"),
        };
        writeln!(out, "  promoted    {} links to another chain followed{away}", promotions.followed)?;
    }
    if report.sealed > 0 {
        writeln!(out, "  sealed      {} files: {}", report.sealed, states(&report.sealed_states))?;
    }
    for source in shown.sources.iter().filter(|source| source.blocks > 0 || source.fault.is_some()) {
        let fault = source.fault.as_ref().map(|fault| format!(": {fault}")).unwrap_or_default();
        writeln!(out, "  from        {} ({} blocks){}", Clean(&source.name), source.blocks, Clean(&fault))?;
    }
    if !report.findings.is_empty() {
        writeln!(out, "{} finding(s):", report.findings.len())?;
    }
    let words = Words::of(shown.language);
    for finding in &report.findings {
        writeln!(out, "  {}", told(finding, &words))?;
    }
    if let Some(path) = &shown.fork_evidence {
        let path = path.display().to_string();
        writeln!(out, "both versions are signed by the chain's own keys; show it to others with")?;
        writeln!(out, "  greffe verify-fork {}", Clean(&path))?;
    }
    Ok(())
}

/// A finding in a language; in English as everywhere else, and so one whose code has no sentence there yet.
fn told(finding: &Finding, words: &Words) -> String {
    let english = || Clean(&finding.to_string()).to_string();
    if words.language() == Language::English {
        return english();
    }
    let Ok(Value::Object(members)) = serde_json::to_value(&finding.fault) else { return english() };
    let code = members.get("code").and_then(Value::as_str).unwrap_or_default().to_owned();
    let members = members.into_iter().map(|(name, value)| (name, cleaned(value))).collect();
    let Some(said) = words.finding(&code, &members) else { return english() };
    let cid = finding.cid.map(|cid| format!(" ({cid})")).unwrap_or_default();
    // In French a colon stands apart.
    let colon = if words.language() == Language::French { "\u{a0}:" } else { ":" };
    match finding.seq {
        Some(seq) => {
            let entry = words.tell("entry-number", [("seq", seq.to_string().into())]);
            format!("{entry}{colon} {said}{cid}")
        }
        None => format!("{said}{cid}"),
    }
}

/// The texts of a member without what steers a terminal. What the sentence itself has to keep directions apart stays.
fn cleaned(value: Value) -> Value {
    match value {
        Value::String(text) => Clean(&text).to_string().into(),
        Value::Array(items) => items.into_iter().map(cleaned).collect(),
        other => other,
    }
}

/// How old the newest word on a head is, in words.
fn freshness(freshness: &Freshness) -> String {
    let Some((word, age)) = freshness.newest.as_ref().zip(freshness.age_seconds) else {
        return "nobody vouched for this head at a time that has been".to_owned();
    };
    let age = match age {
        ..60 => "less than a minute".to_owned(),
        60..3600 => format!("{} minutes", age / 60),
        3600..172_800 => format!("{} hours", age / 3600),
        _ => format!("{} days", age / 86_400),
    };
    let whose = match &word.source {
        TimeSource::Signer => "its signers'".to_owned(),
        TimeSource::Authority(name) => format!("that of the timestamp authority {}", Clean(name)),
        TimeSource::Witness(name) => format!("that of the witness {}", Clean(name)),
    };
    format!("the newest word on this head is {whose}, {age} old")
}

/// What became of sealed files, in words.
fn states(counts: &SealedCounts) -> String {
    let all = [
        (counts.open, "opened"),
        (counts.sealed, "not opened"),
        (counts.erased, "erased"),
        (counts.lost, "lost"),
        (counts.tampered, "tampered with"),
        (counts.missing, "missing"),
    ];
    let some: Vec<String> =
        all.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")).collect();
    some.join(", ")
}

/// Between when this version of the chain was made, and whose word that is; nothing where its signers alone say it.
fn show_time(time: &TimeInterval, out: &mut dyn Write) -> io::Result<()> {
    let word = |TimeBound { at, source }: &TimeBound| match source {
        TimeSource::Signer => format!("{at} (its signers say)"),
        TimeSource::Authority(name) => format!("{at} (the timestamp authority {} says)", Clean(name)),
        TimeSource::Witness(name) => format!("{at} (the witness {} says)", Clean(name)),
    };
    match (&time.not_before, &time.not_after) {
        (Some(not_before), Some(not_after)) => {
            writeln!(out, "  made        not before {}", word(not_before))?;
            writeln!(out, "              not after {}", word(not_after))
        }
        _ => Ok(()),
    }
}
