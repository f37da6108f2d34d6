//! Verdicts: what each rule in force says of facts. The same packs and the same facts give the same verdicts.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use super::check::{LANGUAGES, lies_in};
use super::facts::{Attestation, Facts, ScriptFacts, days_between};
use super::library::InForce;
use super::pack::{Level, Rule};
use super::{Kind, Who};

/// What became of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It is about nothing here.
    NotApplicable,
    Kept,
    /// It is decided when the script is applied.
    Pending,
    /// It is broken, and the script says why and until when.
    Waived,
    /// Somebody said so, which no program can tell.
    Attested,
    /// Somebody has to say so, which no program can tell.
    AttestationRequired,
    Broken,
}

impl Outcome {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotApplicable => "not-applicable",
            Self::Kept => "kept",
            Self::Pending => "pending",
            Self::Waived => "waived",
            Self::Attested => "attested",
            Self::AttestationRequired => "attestation-required",
            Self::Broken => "broken",
        }
    }

    /// Whether something is left to do.
    #[must_use]
    pub const fn is_finding(self) -> bool {
        matches!(self, Self::AttestationRequired | Self::Broken)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// What a rule says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Verdict {
    pub rule: String,
    /// The packs that have it.
    pub packs: BTreeSet<String>,
    pub level: Level,
    pub decides: Who,
    pub outcome: Outcome,
    /// The version that it is about; `None` for the project.
    pub about: Option<String>,
    /// The line of the script, from 1.
    pub line: Option<usize>,
    /// What was found, in English; no name of a table or column.
    pub says: String,
}

impl Verdict {
    /// Whether nothing may be applied.
    #[must_use]
    pub fn stops(&self) -> bool {
        self.level == Level::Deny && self.outcome.is_finding()
    }
}

/// A judgement before waivers: what came out, where, and why.
struct Found {
    outcome: Outcome,
    line: Option<usize>,
    says: String,
}

fn found(outcome: Outcome, says: impl Into<String>) -> Found {
    Found { outcome, line: None, says: says.into() }
}

fn broken_at(line: usize, says: impl Into<String>) -> Found {
    Found { outcome: Outcome::Broken, line: Some(line), says: says.into() }
}

/// How many people have to approve.
#[must_use]
pub fn approvals_needed(in_force: &InForce, facts: &Facts) -> u32 {
    let rules = in_force.rules.values().map(|rule| &rule.rule).filter(|rule| is_asked(rule, facts));
    let approvals = rules.filter(|rule| rule.check.kind == Kind::Approvals);
    let asks = |rule: &&Rule| facts.scripts.iter().any(|script| rule.check.holds_for(&classes_of(script)));
    approvals.filter(asks).filter_map(|rule| rule.check.number("count")).max().unwrap_or(0)
}

/// All verdicts, by rule and then in the order of scripts.
#[must_use]
pub fn judge(in_force: &InForce, facts: &Facts) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    for known in in_force.rules.values().filter(|known| is_asked(&known.rule, facts)) {
        let rule = &known.rule;
        let verdict = |about: Option<&ScriptFacts>, found: Found| Verdict {
            rule: rule.id.clone(),
            packs: known.packs.clone(),
            level: rule.level,
            decides: rule.decides(),
            outcome: found.outcome,
            about: about.map(|script| script.version.clone()),
            line: found.line,
            says: found.says,
        };
        if !rule.check.kind.is_of_script() {
            verdicts.push(verdict(None, of_project(rule, in_force, facts)));
            continue;
        }
        let about = facts.scripts.iter().filter_map(|script| Some((script, of_script(rule, script, facts)?)));
        let about: Vec<Verdict> =
            about.map(|(script, found)| verdict(Some(script), waived(rule, script, facts, found))).collect();
        if about.is_empty() {
            verdicts.push(verdict(None, found(Outcome::NotApplicable, "no script is concerned")));
        }
        verdicts.extend(about);
    }
    verdicts
}

/// Whether a rule is asked at all: not where it is allowed, nor in another environment than its own.
fn is_asked(rule: &Rule, facts: &Facts) -> bool {
    let here = facts.environment.as_ref();
    let elsewhere = here.is_some_and(|here| !rule.environments.is_empty() && !rule.environments.contains(here));
    rule.level != Level::Allow && !elsewhere
}

/// All classes that a script does something to.
fn classes_of(script: &ScriptFacts) -> BTreeSet<String> {
    script.changes.keys().cloned().collect()
}

/// What is broken is waived where the rule may be, by the script's own header.
fn waived(rule: &Rule, script: &ScriptFacts, facts: &Facts, found: Found) -> Found {
    let waiver = script.waivers.iter().find(|waiver| waiver.rule == rule.id && facts.day <= waiver.until);
    match waiver {
        Some(waiver) if rule.waivable && found.outcome == Outcome::Broken => {
            let says = format!("{}; waived until {}", found.says, waiver.until);
            Found { outcome: Outcome::Waived, says, ..found }
        }
        Some(_) if found.outcome.is_finding() => {
            Found { says: format!("{}; no script waives this rule", found.says), ..found }
        }
        _ => found,
    }
}

/// What a rule says of a script; `None` where the script does nothing that it is about.
fn of_script(rule: &Rule, script: &ScriptFacts, facts: &Facts) -> Option<Found> {
    let check = &rule.check;
    let first = |noted: &BTreeMap<String, usize>, words: &str| {
        check.words(words).find_map(|word| Some((word.to_owned(), *noted.get(word)?)))
    };
    match check.kind {
        Kind::LossAttested => {
            let (class, line) = first(&script.loses, "classes")?;
            let about = |one: &&Attestation| one.versions.contains(&script.version);
            let found = attested(rule, facts, about, &format!("a table of the class `{class}` loses rows"));
            Some(Found { line: Some(line), ..found })
        }
        Kind::Approvals => {
            let needed = check.number("count").unwrap_or(1);
            check.holds_for(&classes_of(script)).then(|| of_approvals(needed, facts.approvals))
        }
        Kind::ReasonRequired => check.holds_for(&classes_of(script)).then(|| {
            let missing: Vec<&str> = check.words("parts").filter(|part| !script.says.contains(*part)).collect();
            match missing.as_slice() {
                [] => found(Outcome::Kept, "the header says what is asked for"),
                missing => broken_at(1, format!("the header has no `{}`", missing.join("`, no `"))),
            }
        }),
        Kind::ColumnsForbidden => {
            let forbidden = |class: &str| check.words("classes").any(|word| word == class);
            let made = script.makes.iter().find(|made| forbidden(&made.class));
            Some(made.map_or_else(
                || found(Outcome::Kept, "no such column is made"),
                |made| broken_at(made.line, format!("a column of the class `{}` is made", made.class)),
            ))
        }
        Kind::LiteralsForbidden => {
            let value = first(&script.literals, "classes").map(|(class, line)| (format!("the class `{class}`"), line));
            let value = value.or_else(|| first(&script.literals, "findings").map(|(rule, line)| (format!("`{rule}`"), line)));
            Some(value.map_or_else(
                || found(Outcome::Kept, "no such value is in it"),
                |(what, line)| broken_at(line, format!("a value of {what} is in it")),
            ))
        }
        Kind::ColumnsDeclared => {
            let asked = |class: &str| check.words("classes").any(|word| word == class);
            let made: Vec<_> = script.makes.iter().filter(|made| asked(&made.class)).collect();
            let bare = made.iter().find(|made| !check.words("as").any(|word| made.declared.contains(word)));
            match (made.is_empty(), bare) {
                (true, _) => None,
                (false, None) => Some(found(Outcome::Kept, "each such column is declared")),
                (false, Some(bare)) => {
                    let ways: Vec<&str> = check.words("as").collect();
                    let says =
                        format!("a column of the class `{}` is not declared {}", bare.class, ways.join(" or "));
                    Some(broken_at(bare.line, says))
                }
            }
        }
        _ => None,
    }
}

fn of_approvals(needed: u32, given: Option<u32>) -> Found {
    match given {
        None => found(Outcome::Pending, format!("{needed} approval(s) are asked for when it is applied")),
        Some(given) if given >= needed => found(Outcome::Kept, format!("{given} of {needed} approval(s) were given")),
        Some(given) => found(Outcome::Broken, format!("{given} of {needed} approval(s) were given")),
    }
}

/// What a rule says of the project.
fn of_project(rule: &Rule, in_force: &InForce, facts: &Facts) -> Found {
    let (check, declared) = (&rule.check, &facts.declared);
    let number = |name: &str| check.number(name).unwrap_or_default();
    match check.kind {
        Kind::TablesClassed => {
            let missing: Vec<&str> = check.words("classes").filter(|class| !declared.classed.contains(*class)).collect();
            match missing.as_slice() {
                [] => found(Outcome::Kept, "settings name the tables"),
                missing => found(
                    Outcome::Broken,
                    format!("settings do not say which tables are `{}`: they are guessed by their names", missing.join("`, `")),
                ),
            }
        }
        Kind::ReplicasDeclared => {
            let lies = |region: &String| check.words("regions").any(|allowed| lies_in(region, allowed));
            let outside = declared.replicas.iter().find(|replica| !replica.region.as_ref().is_some_and(lies));
            match outside {
                _ if declared.replicas.is_empty() => found(Outcome::NotApplicable, "there is no replica"),
                None => found(Outcome::Kept, "each replica is declared where it may lie"),
                Some(replica) => {
                    let region = replica.region.as_deref().unwrap_or("no region");
                    found(Outcome::Broken, format!("a replica of the kind `{}` is declared in {region}", replica.kind))
                }
            }
        }
        Kind::NoPublicSwarm => {
            let open = declared.replicas.iter().find(|replica| replica.public != Some(false));
            match open {
                None => found(Outcome::Kept, "no replica is public"),
                Some(replica) => {
                    let says = if replica.public.is_none() { "not said to be private" } else { "public" };
                    found(Outcome::Broken, format!("a replica of the kind `{}` is {says}", replica.kind))
                }
            }
        }
        Kind::AccessChainKept => of_months("the access chain", declared.access_months, number("months")),
        Kind::LogKept => of_months("the log", declared.log_months, number("months")),
        Kind::ClockOffset => {
            let bound = number("milliseconds");
            match declared.clock_offset {
                None => found(Outcome::Broken, "settings do not say by how much the clock may be wrong"),
                Some(offset) if offset <= bound => {
                    found(Outcome::Kept, format!("the clock is declared right to {offset} ms"))
                }
                Some(offset) => found(Outcome::Broken, format!("the clock may be wrong by {offset} ms, and {bound} are allowed")),
            }
        }
        Kind::DailyReview => of_review(declared.reviewed.as_deref(), &facts.day, number("days")),
        Kind::Languages => {
            let asked: Vec<&str> = check.words("languages").collect();
            let has = |rule: &Rule, language: &str| rule.says.contains_key(language) && rule.keep.contains_key(language);
            let silent = in_force.rules.values().map(|known| &known.rule).find(|rule| !asked.iter().all(|language| has(rule, language)));
            match silent {
                _ if asked.iter().any(|language| !LANGUAGES.contains(language)) => {
                    found(Outcome::Broken, "reports are not written in each of these languages")
                }
                None => found(Outcome::Kept, format!("all rules are told in {}", asked.join(", "))),
                Some(rule) => found(Outcome::Broken, format!("`{}` is not told in each of {}", rule.id, asked.join(", "))),
            }
        }
        _ => attested(rule, facts, |one| one.versions.is_empty(), "no program can tell"),
    }
}

fn of_months(what: &str, kept: Option<u32>, needed: u32) -> Found {
    match kept {
        None => found(Outcome::Broken, format!("settings do not say for how long {what} is kept")),
        Some(kept) if kept >= needed => found(Outcome::Kept, format!("{what} is declared kept for {kept} months")),
        Some(kept) => found(Outcome::Broken, format!("{what} is kept for {kept} months, and {needed} are asked for")),
    }
}

fn of_review(reviewed: Option<&str>, day: &str, days: u32) -> Found {
    let Some(reviewed) = reviewed else { return found(Outcome::Broken, "the chain has no review") };
    match days_between(reviewed, day) {
        Some(passed) if (0..=i64::from(days)).contains(&passed) => {
            found(Outcome::Kept, format!("the newest review is of {reviewed}"))
        }
        _ => found(Outcome::Broken, format!("the newest review is of {reviewed}, and {days} day(s) may pass")),
    }
}

/// What attestations say: the one that holds for longest, else that one is required.
fn attested(rule: &Rule, facts: &Facts, about: impl Fn(&&Attestation) -> bool, why: &str) -> Found {
    let own: Vec<&Attestation> = facts.attestations.iter().filter(|one| one.rule == rule.id).filter(about).collect();
    let days = rule.check.number("days");
    let holding = own.iter().filter(|one| one.holds(&facts.day, days)).max_by_key(|one| &one.until);
    if let Some(one) = holding {
        let says = format!("{why}; attested on {} by {} until {} ({})", one.on, one.by, one.until, one.reference);
        return found(Outcome::Attested, says);
    }
    let over = own.iter().map(|one| &one.until).filter(|until| **until < facts.day).max();
    let old = over.map(|until| format!("; the attestation ended on {until}")).unwrap_or_default();
    found(Outcome::AttestationRequired, format!("{why}: somebody has to attest it{old}"))
}
