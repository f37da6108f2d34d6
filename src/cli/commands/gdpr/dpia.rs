//! The beginning of an impact assessment (RGPD art. 35): what is set, and the questions that only people can answer.

use super::facts::Facts;
use super::page::{Page, Pair};
use super::register::{limits, people, publish_words, replicas, security};

pub fn write(facts: &Facts, page: &mut Page) {
    page.title(
        ["Impact assessment: {} (RGPD art. 35)", "Analyse d'impact : {} (RGPD art. 35)"],
        &[&facts.name],
    );
    page.text(
        [
            "A skeleton with the settings as they are. It assesses nothing: what stands between `**[` and `]**` is for you \
             to fill in.",
            "Une trame avec les réglages tels qu'ils sont. Elle n'apprécie rien : ce qui figure entre `**[` et `]**` est à \
             votre charge.",
        ],
        &[],
    );
    match &facts.dpia {
        Some(reference) => page.item(["Reference: {}.", "Référence : {}."], &[reference]),
        None => page.blank([
            "reference, which becomes `privacy.dpia` in the settings",
            "référence, à reporter dans `privacy.dpia` des réglages",
        ]),
    }
    page.blank(["author and date", "auteur et date"]);
    description(facts, page);
    page.heading(["2. Necessity and proportionality (35.7.b)", "2. Nécessité et proportionnalité (35.7.b)"]);
    page.blank([
        "legal basis (6.1, 9.2), and why less would not do",
        "base légale (6.1, 9.2), et pourquoi moins ne suffirait pas",
    ]);
    page.item(
        [
            "Minimisation (5.1.c, 25): nothing is published unless a setting says so; people stand in the chain by \
             pseudonym.",
            "Minimisation (5.1.c, 25) : rien n'est publié sans qu'un réglage le dise ; les personnes figurent dans la chaîne \
             sous pseudonyme.",
        ],
        &[],
    );
    page.item(
        [
            "Access and portability (15, 20): `greffe subject export`. Erasure (17): `greffe subject erase`, `greffe erase`.",
            "Accès et portabilité (15, 20) : `greffe subject export`. Effacement (17) : `greffe subject erase`, \
             `greffe erase`.",
        ],
        &[],
    );
    limits(facts, page);
    page.blank(["how people are informed (12 to 14)", "information des personnes (12 à 14)"]);
    risks(facts, page);
    page.heading(["4. Measures (35.7.d)", "4. Mesures (35.7.d)"]);
    security(page);
    page.blank(["further measures, and the risk that remains", "autres mesures, et risque résiduel"]);
    page.heading(["5. Opinions and decision", "5. Avis et décision"]);
    page.blank([
        "opinion of the data protection officer (35.2)",
        "avis du délégué à la protection des données (35.2)",
    ]);
    page.blank(["views of the people concerned (35.9)", "avis des personnes concernées (35.9)"]);
    page.blank([
        "decision, and whether the authority is consulted (36)",
        "décision, et consultation éventuelle de l'autorité (36)",
    ]);
}

fn description(facts: &Facts, page: &mut Page) {
    page.heading(["1. Description (35.7.a)", "1. Description du traitement (35.7.a)"]);
    page.blank(["nature, scope, context and purposes", "nature, portée, contexte et finalités"]);
    page.item(
        [
            "greffe applies migrations to the database {}, and keeps what happened in a signed chain.",
            "greffe applique des migrations à la base {} et conserve ce qui s'est passé dans une chaîne signée.",
        ],
        &[&facts.database],
    );
    page.item(publish_words(&facts.publish), &[&facts.publish]);
    page.item(["Vault: {}.", "Coffre : {}."], &[&facts.vault]);
    replicas(facts, page);
    if let Some(chain) = &facts.chain {
        page.item(
            [
                "So far: {} entries, {} files sealed, {} of them erased, {} in clear.",
                "À ce jour — entrées : {} ; fichiers scellés : {}, dont effacés : {} ; en clair : {}.",
            ],
            &[&chain.entries, &chain.sealed, &chain.erased, &chain.clear],
        );
    }
    people(facts, page);
}

fn risks(facts: &Facts, page: &mut Page) {
    page.heading(["3. Risks for people (35.7.c)", "3. Risques pour les personnes (35.7.c)"]);
    page.text(
        [
            "The facts are those of the settings; likelihood and severity are yours to judge.",
            "Les faits sont ceux des réglages ; vraisemblance et gravité sont à votre appréciation.",
        ],
        &[],
    );
    page.header(&[
        ["risk", "risque"],
        ["what is set", "ce qui est configuré"],
        ["likelihood", "vraisemblance"],
        ["severity", "gravité"],
    ]);
    let public = facts.public_replicas();
    let clear = match facts.is_sealed() {
        true => page.say(["nothing is published in clear", "rien n'est publié en clair"], &[]),
        false => page.say(["published in clear: {}", "publié en clair : {}"], &[&facts.publish]),
    };
    risk(
        page,
        ["a script that is published tells of somebody", "un script publié parle de quelqu'un"],
        clear,
    );
    let copies = match public.is_empty() {
        true => page.say(["no public replica is set", "aucune réplique publique n'est configurée"], &[]),
        false => page.say(["public replicas: {}", "répliques publiques : {}"], &[&public.join(", ")]),
    };
    risk(page, ["what was copied cannot be recalled", "ce qui a été copié ne peut être repris"], copies);
    let vault = page.say(["the vault is {}", "le coffre est {}"], &[&facts.vault]);
    risk(
        page,
        ["vault and owner's key are stolen together", "coffre et clé du propriétaire sont volés ensemble"],
        vault,
    );
    let backups = page.say_words(
        ["backups are kept for {}", "les sauvegardes sont conservées {}"],
        &[facts.backup_retention],
    );
    risk(
        page,
        ["a backup brings back what was erased", "une sauvegarde ramène ce qui a été effacé"],
        backups,
    );
    let kept = match &facts.retention {
        Some(kept) => {
            page.say_words(["sealed content is kept for {}", "le contenu scellé est conservé {}"], &[*kept])
        }
        None => page.say(["no end is set", "aucune échéance n'est fixée"], &[]),
    };
    risk(
        page,
        [
            "content is kept for longer than it is needed",
            "du contenu est conservé plus longtemps que nécessaire",
        ],
        kept,
    );
}

fn risk(page: &mut Page, name: Pair, set: String) {
    let name = page.say(name, &[]);
    let likelihood = page.field(["low to high, and why", "de faible à forte, et pourquoi"]);
    let severity = page.field(["low to high, for whom", "de faible à forte, et pour qui"]);
    page.row(&[name, set, likelihood, severity]);
}
