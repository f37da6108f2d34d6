//! Verdicts: what each rule in force says of facts. The same packs and the same facts give the same verdicts.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use super::check::{LANGUAGES, lies_in};
use super::facts::{Attestation, Facts, MadeColumn, ScriptFacts, days_between};
use super::library::InForce;
use super::pack::{Level, Rule, Texts};
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
            says: LANGUAGES.map(str::to_owned).into_iter().zip(found.says).collect(),
        };
        if !rule.check.kind.is_of_script() {
            verdicts.push(verdict(None, of_project(rule, in_force, facts)));
            continue;
        }
        let about = facts.scripts.iter().filter_map(|script| Some((script, of_script(rule, script, facts)?)));
        let about: Vec<Verdict> =
            about.map(|(script, found)| verdict(Some(script), waived(rule, script, facts, found))).collect();
        if about.is_empty() {
            verdicts
                .push(verdict(None, nothing(pair("no script is concerned", "aucun script n'est concerné"))));
        }
        verdicts.extend(about);
    }
    verdicts
}

/// Whether a rule is asked at all: not where it is allowed, nor in another environment than its own.
fn is_asked(rule: &Rule, facts: &Facts) -> bool {
    let here = facts.environment.as_ref();
    let elsewhere =
        here.is_some_and(|here| !rule.environments.is_empty() && !rule.environments.contains(here));
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

/// What a rule says of a script; `None` where the script does nothing that it is about.
fn of_script(rule: &Rule, script: &ScriptFacts, facts: &Facts) -> Option<Found> {
    let check = &rule.check;
    let is_asked = |class: &str| check.words("classes").any(|word| word == class);
    match check.kind {
        Kind::LossAttested => {
            let (class, line) = first(rule, &script.loses, "classes")?;
            let about = |one: &&Attestation| one.versions.contains(&script.version);
            let why = pair(
                format!("a table of the class `{class}` loses rows"),
                format!("une table de la classe `{class}` perd des lignes"),
            );
            Some(Found { line: Some(line), ..attested(rule, facts, about, why) })
        }
        Kind::Approvals => {
            let needed = check.number("count").unwrap_or(1);
            check.holds_for(&classes_of(script)).then(|| of_approvals(needed, facts.approvals))
        }
        Kind::ReasonRequired => check.holds_for(&classes_of(script)).then(|| of_reason(rule, script)),
        Kind::ColumnsForbidden => Some(match script.makes.iter().find(|made| is_asked(&made.class)) {
            None => kept(pair("no such column is made", "aucune colonne de ce genre n'est créée")),
            Some(MadeColumn { class, line, .. }) => broken_at(
                *line,
                pair(
                    format!("a column of the class `{class}` is made"),
                    format!("une colonne de la classe `{class}` est créée"),
                ),
            ),
        }),
        Kind::LiteralsForbidden => {
            let class = first(rule, &script.literals, "classes");
            Some(match class.or_else(|| first(rule, &script.literals, "findings")) {
                None => kept(pair("no such value is in it", "aucune valeur de ce genre n'y figure")),
                Some((what, line)) => broken_at(
                    line,
                    pair(format!("a value of `{what}` is in it"), format!("une valeur de `{what}` y figure")),
                ),
            })
        }
        Kind::ColumnsDeclared => of_declared(rule, script),
        _ => None,
    }
}

/// The first word of a parameter that was noted, with its line.
fn first(rule: &Rule, noted: &BTreeMap<String, usize>, parameter: &str) -> Option<(String, usize)> {
    rule.check.words(parameter).find_map(|word| Some((word.to_owned(), *noted.get(word)?)))
}

fn of_reason(rule: &Rule, script: &ScriptFacts) -> Found {
    let missing: Vec<&str> = rule.check.words("parts").filter(|part| !script.says.contains(*part)).collect();
    if missing.is_empty() {
        return kept(pair("the header says what is asked for", "l'en-tête dit ce qui est demandé"));
    }
    let missing = missing.join("`, `");
    broken_at(1, pair(format!("the header lacks `{missing}`"), format!("il manque à l'en-tête `{missing}`")))
}

fn of_declared(rule: &Rule, script: &ScriptFacts) -> Option<Found> {
    let is_asked = |made: &&MadeColumn| rule.check.words("classes").any(|word| word == made.class);
    let made: Vec<&MadeColumn> = script.makes.iter().filter(is_asked).collect();
    if made.is_empty() {
        return None;
    }
    let bare = made.iter().find(|made| !rule.check.words("as").any(|word| made.declared.contains(word)));
    let Some(MadeColumn { class, line, .. }) = bare else {
        return Some(kept(pair("each such column is declared", "chaque colonne de ce genre est déclarée")));
    };
    let ways: Vec<&str> = rule.check.words("as").collect();
    let english = format!("a column of the class `{class}` is not declared {}", ways.join(" or "));
    let french = format!("une colonne de la classe `{class}` n'est pas déclarée {}", ways.join(" ou "));
    Some(broken_at(*line, pair(english, french)))
}

fn of_approvals(needed: u32, given: Option<u32>) -> Found {
    let Some(given) = given else {
        let english = format!("{needed} approval(s) are asked for when it is applied");
        return found(
            Outcome::Pending,
            pair(english, format!("{needed} approbation(s) demandée(s) à l'application")),
        );
    };
    let says = pair(
        format!("{given} of {needed} approval(s) were given"),
        format!("{given} approbation(s) sur {needed} données"),
    );
    if given >= needed { kept(says) } else { broken(says) }
}

/// What a rule says of the project.
fn of_project(rule: &Rule, in_force: &InForce, facts: &Facts) -> Found {
    let (check, declared) = (&rule.check, &facts.declared);
    let number = |name: &str| check.number(name).unwrap_or_default();
    match check.kind {
        Kind::TablesClassed => of_classed(rule, facts),
        Kind::ReplicasDeclared => of_regions(rule, facts),
        Kind::NoPublicSwarm => of_public(facts),
        Kind::AccessChainKept => {
            of_months(["the access chain", "la chaîne des accès"], declared.access_months, number("months"))
        }
        Kind::LogKept => of_months(["the log", "le journal"], declared.log_months, number("months")),
        Kind::ClockOffset => of_clock(declared.clock_offset, number("milliseconds")),
        Kind::DailyReview => of_review(declared.reviewed.as_deref(), &facts.day, number("days")),
        Kind::Languages => of_languages(rule, in_force),
        _ => {
            let why = pair("no program can tell", "aucun programme ne peut le dire");
            attested(rule, facts, |one| one.versions.is_empty(), why)
        }
    }
}

fn of_classed(rule: &Rule, facts: &Facts) -> Found {
    let known = &facts.declared.classed;
    let missing: Vec<&str> = rule.check.words("classes").filter(|class| !known.contains(*class)).collect();
    if missing.is_empty() {
        return kept(pair("settings name the tables", "les réglages nomment les tables"));
    }
    let missing = missing.join("`, `");
    broken(pair(
        format!("settings do not say which tables are `{missing}`: they are guessed by their names"),
        format!(
            "les réglages ne disent pas quelles tables sont `{missing}` : elles sont devinées par leur nom"
        ),
    ))
}

fn of_regions(rule: &Rule, facts: &Facts) -> Found {
    let replicas = &facts.declared.replicas;
    if replicas.is_empty() {
        return nothing(pair("there is no replica", "il n'y a pas de réplique"));
    }
    let lies = |region: &String| rule.check.words("regions").any(|allowed| lies_in(region, allowed));
    let Some(outside) = replicas.iter().find(|replica| !replica.region.as_ref().is_some_and(lies)) else {
        return kept(pair(
            "each replica is declared where it may lie",
            "chaque réplique est déclarée là où elle peut être",
        ));
    };
    let kind = &outside.kind;
    broken(match &outside.region {
        Some(region) => pair(
            format!("a replica of the kind `{kind}` is declared in {region}"),
            format!("une réplique du genre `{kind}` est déclarée en {region}"),
        ),
        None => pair(
            format!("a replica of the kind `{kind}` is declared nowhere"),
            format!("une réplique du genre `{kind}` n'est déclarée nulle part"),
        ),
    })
}

fn of_public(facts: &Facts) -> Found {
    let Some(open) = facts.declared.replicas.iter().find(|replica| replica.public != Some(false)) else {
        return kept(pair("no replica is public", "aucune réplique n'est publique"));
    };
    let kind = &open.kind;
    broken(match open.public {
        None => pair(
            format!("a replica of the kind `{kind}` is not said to be private"),
            format!("une réplique du genre `{kind}` n'est pas dite privée"),
        ),
        Some(_) => pair(
            format!("a replica of the kind `{kind}` is public"),
            format!("une réplique du genre `{kind}` est publique"),
        ),
    })
}

fn of_clock(offset: Option<u32>, bound: u32) -> Found {
    let Some(offset) = offset else {
        return broken(pair(
            "settings do not say by how much the clock may be wrong",
            "les réglages ne disent pas de combien l'horloge peut se tromper",
        ));
    };
    let says = pair(
        format!("the clock may be wrong by {offset} ms, and {bound} are allowed"),
        format!("l'horloge peut se tromper de {offset} ms, et {bound} sont permises"),
    );
    if offset <= bound { kept(says) } else { broken(says) }
}

fn of_languages(rule: &Rule, in_force: &InForce) -> Found {
    let asked: Vec<&str> = rule.check.words("languages").collect();
    let is_told = |rule: &Rule| {
        asked.iter().all(|language| rule.says.contains_key(*language) && rule.keep.contains_key(*language))
    };
    let languages = asked.join(", ");
    match in_force.rules.values().map(|known| &known.rule).find(|rule| !is_told(rule)) {
        None => kept(pair(
            format!("all rules are told in {languages}"),
            format!("toutes les règles sont écrites en {languages}"),
        )),
        Some(silent) => broken(pair(
            format!("`{}` is not told in each of {languages}", silent.id),
            format!("`{}` n'est pas écrite dans chacune des langues {languages}", silent.id),
        )),
    }
}

fn of_months([english, french]: [&str; 2], kept_for: Option<u32>, needed: u32) -> Found {
    let Some(months) = kept_for else {
        return broken(pair(
            format!("settings do not say for how long {english} is kept"),
            format!("les réglages ne disent pas combien de temps {french} est gardé(e)"),
        ));
    };
    let says = pair(
        format!("{english} is declared kept for {months} months, and {needed} are asked for"),
        format!("{french} : {months} mois déclarés, {needed} demandés"),
    );
    if months >= needed { kept(says) } else { broken(says) }
}

fn of_review(reviewed: Option<&str>, day: &str, days: u32) -> Found {
    let Some(reviewed) = reviewed else {
        let french = format!("la chaîne n'a pas de revue des {days} derniers jours");
        return broken(pair(format!("the chain has no review of the last {days} day(s)"), french));
    };
    let says = pair(
        format!("the newest review is of {reviewed}, and {days} day(s) may pass"),
        format!("la dernière revue est du {reviewed}, et {days} jour(s) peuvent passer"),
    );
    let in_time = days_between(reviewed, day).is_some_and(|passed| (0..=i64::from(days)).contains(&passed));
    if in_time { kept(says) } else { broken(says) }
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
