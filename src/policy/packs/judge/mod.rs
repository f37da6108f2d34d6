//! Verdicts: what each rule in force says of facts. The same packs and the same facts give the same verdicts.

mod project;
mod script;

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use self::project::of_project;
use self::script::of_script;
use super::check::LANGUAGES;
use super::facts::{Attestation, Facts, ScriptFacts};
use super::library::{InForce, RuleInForce};
use super::pack::{Level, Rule, Texts};
use super::sector::folded;
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
    /// What was found, by language; no name of a table or column.
    pub says: Texts,
}

impl Verdict {
    /// What was found, in English.
    #[must_use]
    pub fn english(&self) -> &str {
        self.says.get("en").map(String::as_str).unwrap_or_default()
    }

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
    says: Says,
}

/// The same in English and in French.
type Says = [String; 2];

fn pair(english: impl Into<String>, french: impl Into<String>) -> Says {
    [english.into(), french.into()]
}

const fn found(outcome: Outcome, says: Says) -> Found {
    Found { outcome, line: None, says }
}

const fn kept(says: Says) -> Found {
    found(Outcome::Kept, says)
}

const fn broken(says: Says) -> Found {
    found(Outcome::Broken, says)
}

const fn broken_at(line: usize, says: Says) -> Found {
    Found { outcome: Outcome::Broken, line: Some(line), says }
}

/// How many people have to approve before anything runs.
#[must_use]
pub fn approvals_needed(in_force: &InForce, facts: &Facts) -> u32 {
    if facts.scripts.is_empty() {
        return 0;
    }
    let classes: BTreeSet<String> =
        facts.scripts.iter().flat_map(|script| script.changes.keys().cloned()).collect();
    let rules = in_force.rules.values().map(|rule| &rule.rule).filter(|rule| is_asked(rule, facts));
    let approvals = rules.filter(|rule| rule.check.kind == Kind::Approvals && rule.level == Level::Deny);
    approvals
        .filter(|rule| rule.check.holds_for(&classes))
        .filter_map(|rule| rule.check.number("count"))
        .max()
        .unwrap_or(0)
}

/// All verdicts, by rule and then in the order of scripts.
#[must_use]
pub fn judge(in_force: &InForce, facts: &Facts) -> Vec<Verdict> {
    judge_each(in_force, facts).collect()
}

/// The same, one after the other: packs and facts of others may come to more verdicts than there is memory for.
pub fn judge_each<'a>(in_force: &'a InForce, facts: &'a Facts) -> impl Iterator<Item = Verdict> + 'a {
    let asked = in_force.rules.values().filter(|known| is_asked(&known.rule, facts));
    asked.flat_map(move |known| {
        let is_of_script = known.rule.check.kind.is_of_script();
        let project = (!is_of_script).then(|| verdict(known, None, of_project(&known.rule, in_force, facts)));
        let scripts = facts.scripts.iter().filter(move |_| is_of_script);
        let mut scripts = scripts.filter_map(move |script| of_one(known, script, facts)).peekable();
        let none =
            (is_of_script && scripts.peek().is_none()).then(|| verdict(known, None, nothing(unconcerned())));
        project.into_iter().chain(none).chain(scripts)
    })
}

fn verdict(known: &RuleInForce, about: Option<&ScriptFacts>, found: Found) -> Verdict {
    let RuleInForce { rule, packs, .. } = known;
    Verdict {
        rule: rule.id.clone(),
        packs: packs.clone(),
        level: rule.level,
        decides: rule.decides(),
        outcome: found.outcome,
        about: about.map(|script| script.version.clone()),
        line: found.line,
        says: LANGUAGES.map(str::to_owned).into_iter().zip(found.says).collect(),
    }
}

fn unconcerned() -> Says {
    pair("no script is concerned", "aucun script n'est concerné")
}

/// What a rule says of one script; `None` where it is not about it.
fn of_one(known: &RuleInForce, script: &ScriptFacts, facts: &Facts) -> Option<Verdict> {
    let found = of_script(&known.rule, script, facts)?;
    Some(verdict(known, Some(script), waived(&known.rule, script, facts, found)))
}

/// Whether a rule is asked at all: not where it is allowed, nor in another environment than its own.
fn is_asked(rule: &Rule, facts: &Facts) -> bool {
    let is_here = |here: &String| rule.environments.iter().any(|one| folded(one) == folded(here));
    let elsewhere =
        !rule.environments.is_empty() && facts.environment.as_ref().is_some_and(|here| !is_here(here));
    rule.level != Level::Allow && !elsewhere
}

/// All classes that a script does something to.
fn classes_of(script: &ScriptFacts) -> BTreeSet<String> {
    script.changes.keys().cloned().collect()
}

/// What is broken is waived where the rule may be, by the script's own header.
fn waived(rule: &Rule, script: &ScriptFacts, facts: &Facts, found: Found) -> Found {
    let waiver = script.waivers.iter().find(|waiver| waiver.rule == rule.id && facts.day <= waiver.until);
    let Some(waiver) = waiver.filter(|_| found.outcome.is_finding()) else { return found };
    let [english, french] = &found.says;
    if rule.waivable && found.outcome == Outcome::Broken {
        let until = &waiver.until;
        let says = pair(
            format!("{english}; waived until {until}"),
            format!("{french} ; dérogation jusqu'au {until}"),
        );
        return Found { outcome: Outcome::Waived, says, ..found };
    }
    let says = pair(
        format!("{english}; no script waives this rule"),
        format!("{french} ; aucun script ne déroge à cette règle"),
    );
    Found { says, ..found }
}

const fn nothing(says: Says) -> Found {
    found(Outcome::NotApplicable, says)
}

/// What attestations say: the one that holds for longest, else that one is required.
fn attested(rule: &Rule, facts: &Facts, about: impl Fn(&&Attestation) -> bool, why: Says) -> Found {
    let own: Vec<&Attestation> =
        facts.attestations.iter().filter(|one| one.rule == rule.id).filter(about).collect();
    let days = rule.check.number("days");
    let holding = own.iter().filter(|one| one.holds(&facts.day, days)).max_by_key(|one| &one.until);
    let [english, french] = why;
    if let Some(Attestation { on, by, until, reference, .. }) = holding {
        return found(
            Outcome::Attested,
            pair(
                format!("{english}; attested on {on} by {by} until {until} ({reference})"),
                format!("{french} ; attesté le {on} par {by} jusqu'au {until} ({reference})"),
            ),
        );
    }
    let (english, french) =
        (format!("{english}: somebody has to attest it"), format!("{french} : quelqu'un doit l'attester"));
    let says = match own.iter().map(|one| &one.until).filter(|until| **until < facts.day).max() {
        None => pair(english, french),
        Some(over) => pair(
            format!("{english}; the attestation ended on {over}"),
            format!("{french} ; l'attestation a pris fin le {over}"),
        ),
    };
    found(Outcome::AttestationRequired, says)
}
