//! What verification came to, as a person reads it.

use std::io::{self, Write};

use super::Shown;
use crate::chain::{Established, Fresh, Freshness, Report, SealedCounts, TimeSource};
use crate::cli::output::Clean;
use crate::cli::telling::{line, promise, show_findings, show_time, show_witnesses, text, verdict};
use crate::lang::Words;

pub fn show(shown: &Shown, out: &mut dyn Write) -> io::Result<()> {
    let (report, words) = (&shown.report, Words::of(shown.language));
    let words = &words;
    show_summary(out, words, report)?;
    show_established(out, words, &report.established, report.since_seq.is_some())?;
    show_witnesses(out, words, ["verify-cosigned", "verify-cosigned-at"], &report.witnesses)?;
    if let Some(found) = &report.freshness {
        let word = words.say(if found.fresh == Fresh::Yes { "verify-yes" } else { "verify-no" });
        line(out, &words.say("term-fresh"), &format!("{word:<3} {}", freshness(found, words)))?;
    }
    if let Some(promotions) = &report.promotions {
        let count = ("count", Words::figure(promotions.followed));
        let said = match promotions.not_at_hand {
            0 => words.tell("verify-promoted", [count]),
            away => words.tell("verify-promoted-away", [count, ("away", Words::figure(away))]),
        };
        line(out, &words.say("term-promoted"), &said)?;
    }
    if report.sealed > 0 {
        let states = ("states", states(&report.sealed_states, words).into());
        let said = words.tell("verify-sealed", [("count", Words::figure(report.sealed)), states]);
        line(out, &words.say("term-sealed"), &said)?;
    }
    show_sources(out, words, shown)?;
    show_findings(out, words, &report.findings)?;
    if let Some(path) = &shown.fork_evidence {
        let path = path.display().to_string();
        writeln!(out, "{}", words.say("verify-fork"))?;
        writeln!(out, "  greffe verify-fork {}", Clean(&path))?;
    }
    Ok(())
}

/// Which chain it is, how long, and when it was made.
fn show_summary(out: &mut dyn Write, words: &Words, report: &Report) -> io::Result<()> {
    let unknown = || words.say("verify-unknown-chain");
    let name = report.name.as_ref().map_or_else(unknown, ToString::to_string);
    let values = [
        ("verdict", verdict(words, report.verified)),
        ("name", name.into()),
        ("entries", Words::figure(report.entries)),
        ("root", report.root.to_string().into()),
    ];
    writeln!(out, "{}", words.tell("verify-summary", values))?;
    if let Some(chain) = report.chain {
        line(out, &words.say("term-chain"), &chain.to_string())?;
    }
    if let Some(since) = report.since_seq {
        let entries = ("entries", Words::figure(report.entries - since));
        line(out, &words.say("term-new"), &words.tell("verify-new", [entries]))?;
    }
    if let Some(newest) = report.newest {
        line(out, &words.say("term-newest"), &newest.to_string())?;
    }
    show_time(out, words, &report.time)
}

/// Each promise by itself; `continued`: a part of the chain was verified before.
fn show_established(
    out: &mut dyn Write,
    words: &Words,
    established: &Established,
    continued: bool,
) -> io::Result<()> {
    let intact = if continued { "verify-intact-new" } else { "verify-intact" };
    [
        ("term-intact", established.intact, intact),
        ("term-signed", established.signed, "verify-signed"),
        ("term-anchored", established.anchored, "verify-anchored"),
        ("term-witnessed", established.witnessed, "verify-witnessed"),
        ("term-timestamped", established.timestamped, "verify-timestamped"),
        ("term-complete", established.complete, "verify-complete"),
        ("term-replayed", established.replayed, "verify-replayed"),
        ("term-live", established.live, "verify-live"),
    ]
    .into_iter()
    .try_for_each(|one| promise(out, words, one))
}

/// Where blocks came from, and what kept others from it.
fn show_sources(out: &mut dyn Write, words: &Words, shown: &Shown) -> io::Result<()> {
    for source in shown.sources.iter().filter(|source| source.blocks > 0 || source.fault.is_some()) {
        let values = [("name", text(&source.name)), ("blocks", Words::figure(source.blocks))];
        let said = match &source.fault {
            None => words.tell("verify-from", values),
            Some(fault) => {
                let [name, blocks] = values;
                words.tell("verify-from-fault", [name, blocks, ("fault", text(fault))])
            }
        };
        line(out, &words.say("term-from"), &said)?;
    }
    Ok(())
}

/// How old the newest word on a head is, in words.
fn freshness(freshness: &Freshness, words: &Words) -> String {
    let Some((word, age)) = freshness.newest.as_ref().zip(freshness.age_seconds) else {
        return words.say("fresh-nobody");
    };
    let count = |id: &str, count| words.tell(id, [("count", Words::figure(count))]);
    let age = match age {
        ..60 => words.say("age-now"),
        60..3600 => count("age-minutes", age / 60),
        3600..172_800 => count("age-hours", age / 3600),
        _ => count("age-days", age / 86_400),
    };
    let age = ("age", age.into());
    match &word.source {
        TimeSource::Signer => words.tell("fresh-signers", [age]),
        TimeSource::Authority(name) => words.tell("fresh-authority", [("name", text(name)), age]),
        TimeSource::Witness(name) => words.tell("fresh-witness", [("name", text(name)), age]),
    }
}

/// What became of sealed files, in words.
fn states(counts: &SealedCounts, words: &Words) -> String {
    let all = [
        (counts.open, "sealed-open"),
        (counts.sealed, "sealed-sealed"),
        (counts.erased, "sealed-erased"),
        (counts.lost, "sealed-lost"),
        (counts.tampered, "sealed-tampered"),
        (counts.missing, "sealed-missing"),
    ];
    let some = all.into_iter().filter(|(count, _)| *count > 0);
    let some: Vec<String> =
        some.map(|(count, id)| words.tell(id, [("count", Words::figure(count))])).collect();
    some.join(", ")
}
