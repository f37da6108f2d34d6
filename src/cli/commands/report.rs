use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::verify::{parse_anchors, source, threads};
use crate::cli::context::{Context, replicas, verify_options};
use crate::cli::error::CliError;
use crate::cli::language::{language, parse_language};
use crate::cli::output::{Reply, harmless};
use crate::cli::settings::Settings;
use crate::cli::sources::parse_cid;
use crate::cli::telling::{text, verdict};
use crate::cli::{CommandResult, Exit};
use crate::crypto::Digest;
use crate::lang::{Language, Words};
use crate::model::{ChainName, Cid, Timestamp};
use crate::ops::ChainReader;
use crate::ops::replicate::known;
use crate::ops::report::{Asked, gather};
use crate::ops::source::Source;
use crate::report::{ChangeReport, CopyOfChain, Scope, html, json};

/// Write a report on changes, for those who audit change management
///
/// Verifies the chain and tells every change of a period, a release or a range of entries: what, why, effect, risk, who made,
/// approved and ran it, when and by whose clock, tests, rules and waivers, the way back, the outcome, and how to look
/// again. The population has no gap in its numbers, or says which. The page loads nothing and holds no script; the same
/// head and date make the same bytes. Exits with 1 when verification finds something or an entry is missing.
#[derive(Args)]
pub struct Report {
    /// CID of a head or manifest, a CARv1 file, or the name of a chain; without it, the project's archive
    #[arg(value_name = "CID|FILE.car|CHAIN")]
    target: Option<String>,
    /// The first day, or time, of the period, UTC: `2026-01-01`
    #[arg(long, value_name = "DAY|TIME", value_parser = parse_begin)]
    from: Option<Timestamp>,
    /// The last day, or time, of the period; it belongs to it
    #[arg(long, value_name = "DAY|TIME", value_parser = parse_end)]
    until: Option<Timestamp>,
    /// Entries whose build says this commit, tag, job or pipeline, or whose migration has this version
    #[arg(long, value_name = "NAME", value_parser = parse_shown, conflicts_with_all = ["from", "until", "since_seq", "until_seq"])]
    release: Option<String>,
    /// The first entry, by number
    #[arg(long, value_name = "SEQ", conflicts_with_all = ["from", "until"])]
    since_seq: Option<u64>,
    /// The last entry, by number
    #[arg(long, value_name = "SEQ", conflicts_with_all = ["from", "until"])]
    until_seq: Option<u64>,
    /// Draw so many changes, and write sheets for these alone
    #[arg(long, value_name = "N")]
    sample: Option<u64>,
    /// What the sample is drawn by [default: the CID that is reported on]
    #[arg(long, value_name = "TEXT", value_parser = parse_shown, requires = "sample")]
    seed: Option<String>,
    /// Its form [default: html, or json with `--json`]
    #[arg(long, value_name = "FORM")]
    format: Option<Form>,
    /// The language of the page: `en`, `fr` or `ar` [default: what GREFFE_LANG or LANG says, else English]
    #[arg(long, value_name = "LANGUAGE", value_parser = parse_language)]
    lang: Option<Language>,
    /// The date of the report [default: the time of the newest entry]
    #[arg(long, value_name = "DAY|TIME", value_parser = parse_begin)]
    date: Option<Timestamp>,
    /// Add which copies there are, as this machine knows them
    #[arg(long)]
    replicas: bool,
    /// The archive must be of this chain or root key, or it is a finding
    #[arg(long, value_name = "ANCHOR")]
    require: Vec<String>,
    /// The file to write; it must not be there yet
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
enum Form {
    /// A page for people
    Html,
    /// The same facts for programs
    Json,
}

/// What was written.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    command: &'static str,
    file: PathBuf,
    form: Form,
    language: Language,
    bytes: usize,
    sha256: Digest,
    verified: bool,
    complete: bool,
    first: Option<u64>,
    last: Option<u64>,
    entries: u64,
    changes: u64,
    sheets: usize,
}

pub fn run(context: &Context, arguments: &Report) -> CommandResult {
    let settings = context.settings()?;
    let scope = scope(arguments)?;
    if let Some(out) = &arguments.out {
        require_new(out)?;
    }
    let required = parse_anchors(&arguments.require)?;
    let (mut source, reader) = open(context, &settings, arguments.target.as_deref())?;
    let mut progress = context.progress();
    let mut show = |what: &str, done, total| progress.show(what, done, total);
    let verified = source.verify(verify_options(&settings, &required), threads(None), &mut show)?;
    let copies = match (arguments.replicas, reader) {
        (true, Some(reader)) => Some(copies(&settings, &reader, verified.root)?),
        (true, None) => {
            return Err(CliError::usage("what is known of copies stands beside the project's archive")
                .hint("leave out the CID or file, or leave out `--replicas`"));
        }
        (false, _) => None,
    };
    let asked = Asked {
        arguments: again(arguments, &scope),
        scope,
        sample: arguments.sample.map(|size| (size, arguments.seed.clone())),
        date: arguments.date,
        replicas: copies,
    };
    let report = gather(&mut source, &verified, asked, &mut show)?;
    drop(progress);
    let exit =
        if report.verification.verified && report.population.complete { Exit::Done } else { Exit::Findings };
    let form = arguments.format.unwrap_or(if context.json { Form::Json } else { Form::Html });
    let language = language(arguments.lang, &context.environment);
    let bytes = match form {
        Form::Html => html::page(&report, language).into_bytes(),
        Form::Json => harmless(&json(&report)).into_owned().into_bytes(),
    };
    let Some(out) = &arguments.out else {
        let reply = match (form, context.json) {
            (Form::Json, true) => Reply::new(report, |_, _| Ok(())),
            _ => Reply::raw(bytes),
        };
        return Ok(reply.with_exit(exit));
    };
    write(out, &bytes)?;
    let written = written(&report, out, form, language, &bytes);
    Ok(Reply::new(written, show_written).with_exit(exit))
}

/// The chain that is reported on, and its archive where it is the project's own.
fn open(
    context: &Context,
    settings: &Settings,
    target: Option<&str>,
) -> Result<(Source, Option<ChainReader>), CliError> {
    let Some(target) = target else {
        let (reader, other) = (context.reader()?, context.reader()?);
        let head = reader.head();
        return Ok((Source::archive(reader, head), Some(other)));
    };
    let is_elsewhere = parse_cid(target).is_some() || Path::new(target).exists() || target.ends_with(".car");
    match target.parse::<ChainName>() {
        Ok(name) if !is_elsewhere => {
            let reader = ChainReader::open(&settings.archive_directory, &name)?;
            reader.require_end()?;
            let head = reader.head();
            Ok((Source::archive(reader, head), None))
        }
        _ => Ok((source(settings, target)?, None)),
    }
}

fn scope(arguments: &Report) -> Result<Scope, CliError> {
    let Report { from, until, release, since_seq, until_seq, .. } = arguments;
    if let (Some(first), Some(last)) = (from, until)
        && last < first
    {
        return Err(CliError::usage("`--until` is before `--from`")
            .hint("give the first day with `--from`, the last one with `--until`"));
    }
    if let (Some(first), Some(last)) = (since_seq, until_seq)
        && last < first
    {
        return Err(CliError::usage(format!("`--until-seq {last}` is before `--since-seq {first}`"))
            .hint("give the first entry with `--since-seq`, the last one with `--until-seq`"));
    }
    Ok(match (release, from, until, since_seq, until_seq) {
        (Some(release), ..) => Scope::Release { release: release.clone() },
        (None, None, None, None, None) => Scope::Whole,
        (None, None, None, first, last) => Scope::Entries { first: *first, last: *last },
        (None, from, until, ..) => Scope::Period { from: *from, until: *until },
    })
}

/// The flags that make the same report again, beside chain, date, form and language.
fn again(arguments: &Report, scope: &Scope) -> Vec<String> {
    let mut words = Vec::new();
    let mut add = |flag: &str, value: Option<String>| match value {
        // A value that begins as a flag does has to stand with its own.
        Some(value) if value.starts_with('-') => words.push(format!("{flag}={value}")),
        Some(value) => words.extend([flag.to_owned(), value]),
        None => {}
    };
    match scope {
        Scope::Whole => {}
        Scope::Period { from, until } => {
            add("--from", from.map(|at| at.to_string()));
            add("--until", until.map(|at| at.to_string()));
        }
        Scope::Release { release } => add("--release", Some(release.clone())),
        Scope::Entries { first, last } => {
            add("--since-seq", first.map(|seq| seq.to_string()));
            add("--until-seq", last.map(|seq| seq.to_string()));
        }
    }
    add("--sample", arguments.sample.map(|size| size.to_string()));
    add("--seed", arguments.seed.clone());
    arguments.require.iter().for_each(|anchor| add("--require", Some(anchor.clone())));
    words
}

/// How much of the chain each replica was given.
fn copies(settings: &Settings, reader: &ChainReader, root: Cid) -> Result<Vec<CopyOfChain>, CliError> {
    let held = |head: Cid| {
        let manifest = crate::codec::dag_cbor::decode_head(&reader.block("head", &head).ok()?).ok()?.manifest;
        Some(reader.manifest(&manifest).ok()?.seq + 1)
    };
    let all = held(root);
    let states = known(reader, settings.name()?, &replicas(settings)?)?.replicas;
    let copy = |state: crate::ops::replicate::ReplicaState| CopyOfChain {
        name: state.name,
        entries: state.head.and_then(|head| if head == root { all } else { held(head) }),
        at: state.at,
        failure: state.failure,
    };
    Ok(states.into_iter().map(copy).collect())
}

/// Reads a text that the page shows as it is, so that what makes it again can be copied from there.
fn parse_shown(text: &str) -> Result<String, String> {
    match html::escape::clean(text) == text {
        true => Ok(text.to_owned()),
        false => Err("give one line of at most 600 characters, without signs of control".to_owned()),
    }
}

/// Reads a day, which is its first moment, or a time.
fn parse_begin(text: &str) -> Result<Timestamp, String> {
    parse_time(text, "T00:00:00.000000Z")
}

/// Reads a day, which is its last moment, or a time.
fn parse_end(text: &str) -> Result<Timestamp, String> {
    parse_time(text, "T23:59:59.999999Z")
}

fn parse_time(text: &str, of_day: &str) -> Result<Timestamp, String> {
    let whole = if text.len() == 10 { format!("{text}{of_day}") } else { text.to_owned() };
    // A time may be told to the second.
    let whole = match whole.strip_suffix('Z') {
        Some(rest) if rest.len() == 19 => format!("{rest}.000000Z"),
        _ => whole,
    };
    whole.parse().map_err(|_| "write a day as 2026-01-31, or a time as 2026-01-31T12:00:00Z".to_owned())
}

fn require_new(out: &Path) -> Result<(), CliError> {
    if out.symlink_metadata().is_err() {
        return Ok(());
    }
    Err(CliError::usage(format!("{} already exists", out.display()))
        .hint("choose another name for `--out`; a report is never written over"))
}

fn write(out: &Path, bytes: &[u8]) -> Result<(), CliError> {
    let failed = |error: io::Error| {
        CliError::new(Exit::Unfinished, format!("{} cannot be written: {error}", out.display()))
            .hint("choose another place with `--out FILE`")
    };
    let mut file = OpenOptions::new().write(true).create_new(true).open(out).map_err(failed)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(failed)
}

fn written(report: &ChangeReport, out: &Path, form: Form, language: Language, bytes: &[u8]) -> Written {
    let population = &report.population;
    Written {
        command: "report",
        file: out.to_owned(),
        form,
        language,
        bytes: bytes.len(),
        sha256: Digest::of(bytes),
        verified: report.verification.verified,
        complete: population.complete,
        first: population.first,
        last: population.last,
        entries: population.in_scope,
        changes: population.changes,
        sheets: report.changes.len(),
    }
}

fn show_written(written: &Written, out: &mut dyn Write) -> io::Result<()> {
    let words = Words::of(written.language);
    let values = [
        ("file", text(&written.file.display().to_string())),
        ("bytes", Words::figure(written.bytes as u64)),
        ("digest", written.sha256.to_string().into()),
    ];
    writeln!(out, "{}", words.tell("written-file", values))?;
    let complete = words.say(if written.complete { "written-complete" } else { "written-missing" });
    let number = |seq: u64| seq.to_string().into();
    let range = match (written.first, written.last) {
        (Some(first), Some(last)) => {
            words.tell("written-range", [("first", number(first)), ("last", number(last))])
        }
        _ => words.say("written-none"),
    };
    let values = [
        ("verdict", verdict(&words, written.verified)),
        ("complete", complete.into()),
        ("range", range.into()),
        ("entries", Words::figure(written.entries)),
        ("changes", Words::figure(written.changes)),
        ("sheets", Words::figure(written.sheets as u64)),
    ];
    writeln!(out, "{}", words.tell("written-summary", values))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_the_page_again_can_be_copied_from_it() {
        assert_eq!(parse_shown("audit 2026-17; it's Ωmega").as_deref(), Ok("audit 2026-17; it's Ωmega"));
        for bad in ["a\nb", "a\u{1b}[2J", "\u{202e}a", &"x".repeat(601)] {
            assert!(parse_shown(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_day_is_the_whole_day_and_a_time_is_itself() {
        assert_eq!(parse_begin("2026-01-31").unwrap().to_string(), "2026-01-31T00:00:00.000000Z");
        assert_eq!(parse_end("2026-01-31").unwrap().to_string(), "2026-01-31T23:59:59.999999Z");
        for time in ["2026-01-31T12:00:00Z", "2026-01-31T12:00:00.000000Z"] {
            assert_eq!(parse_end(time).unwrap().to_string(), "2026-01-31T12:00:00.000000Z");
        }
        for bad in ["2026-02-30", "yesterday", "", "2026-1-1", "2026-01-31 12:00", "99999999999999999999"] {
            assert!(parse_begin(bad).is_err(), "{bad}");
        }
    }
}
