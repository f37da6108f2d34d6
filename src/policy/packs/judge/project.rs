//! What a rule says of the project: what settings declare and people attest.

use super::{Found, attested, broken, kept, nothing, pair};
use crate::policy::packs::Kind;
use crate::policy::packs::check::lies_in;
use crate::policy::packs::facts::{Facts, days_between};
use crate::policy::packs::library::InForce;
use crate::policy::packs::pack::Rule;

/// What a rule says of the project.
pub(super) fn of_project(rule: &Rule, in_force: &InForce, facts: &Facts) -> Found {
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
