//! What a rule says of a script.

use std::collections::BTreeMap;

use super::{Found, Outcome, attested, broken, broken_at, classes_of, found, kept, pair};
use crate::policy::packs::Kind;
use crate::policy::packs::facts::{Attestation, Facts, MadeColumn, ScriptFacts};
use crate::policy::packs::pack::Rule;

/// What a rule says of a script; `None` where the script does nothing that it is about.
pub(super) fn of_script(rule: &Rule, script: &ScriptFacts, facts: &Facts) -> Option<Found> {
    let check = &rule.check;
    let is_asked = |class: &str| check.words("classes").any(|word| word == class);
    if script.unread {
        let about = |one: &&Attestation| one.versions.contains(&script.version);
        let why = pair("no program reads this script", "aucun programme ne lit ce script");
        return Some(attested(rule, facts, about, why));
    }
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
        Kind::LiteralsForbidden => Some(of_literals(rule, script)),
        Kind::ColumnsDeclared => of_declared(rule, script),
        _ => None,
    }
}

fn of_literals(rule: &Rule, script: &ScriptFacts) -> Found {
    let class = first(rule, &script.literals, "classes");
    if let Some((what, line)) = class.or_else(|| first(rule, &script.literals, "findings")) {
        let says = pair(format!("a value of `{what}` is in it"), format!("une valeur de `{what}` y figure"));
        return broken_at(line, says);
    }
    let mut asked = rule.check.words("classes").chain(rule.check.words("findings"));
    match asked.find(|what| script.down_literals.contains(*what)) {
        None => kept(pair("no such value is in it", "aucune valeur de ce genre n'y figure")),
        Some(what) => broken(pair(
            format!("a value of `{what}` is in its way down"),
            format!("une valeur de `{what}` figure dans son retour en arrière"),
        )),
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
