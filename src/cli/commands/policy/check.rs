//! `greffe policy check`.

use std::collections::BTreeSet;
use std::io::{self, Write};

use clap::{Args, ValueEnum};
use serde::Serialize;

use crate::cli::commands::gdpr::Language;
use crate::cli::context::Context;
use crate::cli::error::CliError;
use crate::cli::output::{Clean, Reply};
use crate::cli::policy;
use crate::cli::settings::Settings;
use crate::cli::{CommandResult, Exit};
use crate::database::Database;
use crate::ops::lint::{Checked, Wanted, check_packs};
use crate::ops::policy::SharedPolicy;
use crate::ops::today;
use crate::policy::packs::library::{Disagreement, Weakened};
use crate::policy::packs::{Level, Outcome, Verdict};

/// What the packs in force say
#[derive(Args)]
pub struct Check {
    /// The mildest finding that ends with 1 [default: warn]
    #[arg(long, value_name = "LEVEL")]
    fail_on: Option<FailOn>,
    /// Only what is broken or has to be attested
    #[arg(long)]
    findings: bool,
    /// The language of rules [default: what GREFFE_LANG or LANG says, else English]
    #[arg(long, value_name = "LANGUAGE")]
    lang: Option<Language>,
}

#[derive(Clone, Copy, ValueEnum)]
enum FailOn {
    Deny,
    Warn,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    command: &'static str,
    language: Language,
    day: String,
    packs: BTreeSet<String>,
    scripts: usize,
    unjudged: Vec<Unjudged>,
    verdicts: Vec<Told>,
    disagreements: Vec<Disagreement>,
    weakened: Vec<Weakened>,
}

/// A file among the scripts that no pack was asked about.
#[derive(Serialize)]
struct Unjudged {
    file: String,
    message: String,
}

#[derive(Serialize)]
struct Told {
    #[serde(flatten)]
    verdict: Verdict,
    /// What the rule asks for, in the language of the report.
    asks: String,
    /// How it is kept.
    keep: String,
    source: String,
    page: String,
}

pub fn run(context: &Context, arguments: &Check) -> CommandResult {
    let settings = context.settings()?;
    let language = arguments.lang.unwrap_or_else(|| Language::of(&context.environment));
    let Some(Checked { policy, facts, verdicts, unjudged }) = checked(context, &settings)? else {
        return Err(CliError::usage("no policy pack is in force here")
            .hint("name the sector in greffe.toml: `sectors = [\"santé\"]` below `[policy]`"));
    };
    let mildest = match arguments.fail_on {
        Some(FailOn::Deny) => Level::Deny,
        Some(FailOn::Warn) | None => Level::Warn,
    };
    let is_found = |verdict: &Verdict| verdict.outcome.is_finding() && verdict.level >= mildest;
    let fails = !unjudged.is_empty() || verdicts.iter().any(is_found);
    let unjudged = unjudged.into_iter().map(|one| Unjudged { file: one.file, message: one.message });
    let told = |verdict: Verdict| {
        let rule = policy.rule(&verdict.rule).map(|known| &known.rule)?;
        let text = |texts: &crate::policy::packs::pack::Texts| {
            texts.get(language.code()).or_else(|| texts.get("en")).cloned().unwrap_or_default()
        };
        let (asks, keep) = (text(&rule.says), text(&rule.keep));
        Some(Told { asks, keep, source: rule.source.clone(), page: rule.page(), verdict })
    };
    let wanted = |verdict: &Verdict| !arguments.findings || verdict.outcome.is_finding();
    let shown = Shown {
        command: "policy check",
        language,
        day: facts.day.clone(),
        packs: facts.packs.clone(),
        scripts: facts.scripts.len(),
        unjudged: unjudged.collect(),
        verdicts: verdicts.into_iter().filter(wanted).filter_map(told).collect(),
        disagreements: policy.in_force.disagreements.clone(),
        weakened: policy.in_force.weakened.clone(),
    };
    let exit = if fails { Exit::Findings } else { Exit::Done };
    Ok(Reply::new(shown, show).with_exit(exit))
}

/// Asks the packs in force, by what is there: a build server has neither database nor archive.
fn checked(context: &Context, settings: &Settings) -> Result<Option<Checked>, CliError> {
    let day = today();
    let Some(policy) = policy::open(context, settings, &day)? else { return Ok(None) };
    let engine = settings.database_url().ok().and_then(|url| Database::engine(url.expose()));
    let wanted = Wanted {
        paths: vec![settings.migrations.clone()],
        home: Some(settings.migrations.clone()),
        tool: settings.tool.clone(),
        dialect: engine.map(Into::into),
        since: settings.lint.since.clone(),
        today: day,
        policy: Some(SharedPolicy::new(policy)),
        ..Wanted::default()
    };
    Ok(check_packs(&wanted)?)
}

/// What stands around verdicts, in a language.
struct Words {
    scripts: &'static str,
    unjudged: &'static str,
    hint: &'static str,
    disagree: &'static str,
    stricter: &'static str,
    weaker: &'static str,
    outcomes: [(Outcome, &'static str); 7],
}

const ENGLISH: Words = Words {
    scripts: "script(s)",
    unjudged: "not judged",
    hint: "hint",
    disagree: "packs disagree on",
    stricter: "the stricter holds",
    weaker: "is weaker, until",
    outcomes: [
        (Outcome::Broken, "broken"),
        (Outcome::AttestationRequired, "attestation required"),
        (Outcome::Pending, "pending"),
        (Outcome::Waived, "waived"),
        (Outcome::Attested, "attested"),
        (Outcome::Kept, "kept"),
        (Outcome::NotApplicable, "not applicable"),
    ],
};

const FRENCH: Words = Words {
    scripts: "script(s)",
    unjudged: "non jugé",
    hint: "conseil",
    disagree: "les paquets se contredisent sur",
    stricter: "le plus strict vaut",
    weaker: "est affaiblie, jusqu'au",
    outcomes: [
        (Outcome::Broken, "enfreinte"),
        (Outcome::AttestationRequired, "attestation requise"),
        (Outcome::Pending, "en attente"),
        (Outcome::Waived, "dérogation"),
        (Outcome::Attested, "attestée"),
        (Outcome::Kept, "respectée"),
        (Outcome::NotApplicable, "sans objet"),
    ],
};

fn show(shown: &Shown, out: &mut dyn Write) -> io::Result<()> {
    let words = if shown.language == Language::French { &FRENCH } else { &ENGLISH };
    let packs: Vec<&str> = shown.packs.iter().map(String::as_str).collect();
    writeln!(out, "{}: {}; {} {}", shown.day, packs.join(", "), shown.scripts, words.scripts)?;
    for Unjudged { file, message } in &shown.unjudged {
        writeln!(out, "\n{} {}: {}", words.unjudged, Clean(file), Clean(message))?;
    }
    shown.verdicts.iter().try_for_each(|told| show_verdict(told, shown.language, words, out))?;
    for one in &shown.disagreements {
        let said: Vec<String> = one.said.iter().map(|(pack, value)| format!("{pack}: {value}")).collect();
        let (rule, member, said, holds) = (Clean(&one.rule), &one.member, said.join("; "), Clean(&one.holds));
        writeln!(
            out,
            "\n{} {rule} `{member}` ({}): {}: {holds}",
            words.disagree,
            Clean(&said),
            words.stricter
        )?;
    }
    for weak in &shown.weakened {
        let (pack, rule, until) = (Clean(&weak.pack), Clean(&weak.rule), Clean(&weak.until));
        writeln!(out, "\n{rule} {} {until} ({pack}): {}", words.weaker, Clean(&weak.reason))?;
    }
    let count = |outcome| shown.verdicts.iter().filter(|told| told.verdict.outcome == outcome).count();
    let counts = words.outcomes.iter().map(|(outcome, word)| format!("{word}: {}", count(*outcome)));
    writeln!(out, "\n{}", counts.collect::<Vec<_>>().join(", "))
}

fn show_verdict(told: &Told, language: Language, words: &Words, out: &mut dyn Write) -> io::Result<()> {
    let verdict = &told.verdict;
    let outcome = words.outcomes.iter().find(|(outcome, _)| *outcome == verdict.outcome);
    let outcome = outcome.map_or(verdict.outcome.as_str(), |(_, word)| word);
    let about = verdict.about.as_ref().map(|version| format!(" {version}")).unwrap_or_default();
    let (level, rule) = (verdict.level, Clean(&verdict.rule));
    writeln!(out, "\n{outcome} {rule}{} ({level}): {}", Clean(&about), Clean(&told.asks))?;
    let says = verdict.says.get(language.code()).map_or(verdict.english(), String::as_str);
    writeln!(out, "  {}", Clean(says))?;
    if verdict.outcome.is_finding() || verdict.outcome == Outcome::Pending {
        writeln!(out, "  {}: {} ({})", words.hint, Clean(&told.keep), Clean(&told.page))?;
    }
    Ok(())
}
