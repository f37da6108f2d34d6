//! The record of processing activities (RGPD art. 30).

use super::facts::{Facts, TableFact};
use super::page::{Page, Pair, code, codes};
use crate::privacy::subject::{Class, RowAction};

pub fn write(facts: &Facts, page: &mut Page) {
    page.title(
        [
            "Record of processing activities: {} (RGPD art. 30)",
            "Registre des activités de traitement : {} (RGPD art. 30)",
        ],
        &[&facts.name],
    );
    page.text(
        [
            "Written by greffe from its settings, its map of people's data and its chain. What stands between `**[` and \
             `]**` is for you to fill in.",
            "Rédigé par greffe d'après ses réglages, sa carte des données des personnes et sa chaîne. Ce qui figure entre \
             `**[` et `]**` est à votre charge.",
        ],
        &[],
    );
    page.heading(["Controller (30.1.a)", "Responsable du traitement (30.1.a)"]);
    page.blank(["name and contact of the controller", "nom et coordonnées du responsable du traitement"]);
    page.blank([
        "joint controllers and representative, where there are any",
        "responsables conjoints et représentant, le cas échéant",
    ]);
    page.blank([
        "data protection officer, where there is one",
        "délégué à la protection des données, le cas échéant",
    ]);
    archive(facts, page);
    application(facts, page);
    page.heading(["Recipients (30.1.d)", "Destinataires (30.1.d)"]);
    replicas(facts, page);
    if let Some(chain) = &facts.chain {
        page.item(
            [
                "Sealed content was granted {} time(s) and opened {} time(s); each is an entry of the access chain.",
                "Du contenu scellé a été communiqué {} fois et ouvert {} fois ; chaque accès est une entrée de la chaîne \
                 des accès.",
            ],
            &[&chain.grants, &chain.openings],
        );
    }
    page.blank(["other recipients", "autres destinataires"]);
    page.heading(["Transfers to third countries (30.1.e)", "Transferts vers des pays tiers (30.1.e)"]);
    page.blank([
        "in which countries the replicas and the vault are, and the safeguards",
        "pays où se trouvent les répliques et le coffre, et garanties",
    ]);
    page.heading(["Time limits for erasure (30.1.f)", "Délais d'effacement (30.1.f)"]);
    limits(facts, page);
    page.heading(["Security (30.1.g, 32)", "Sécurité (30.1.g, 32)"]);
    security(page);
    page.blank(["organisational measures", "mesures organisationnelles"]);
}

fn archive(facts: &Facts, page: &mut Page) {
    page.heading(["Activity 1: archive of migrations", "Activité 1 : archive des migrations"]);
    page.item(
        [
            "What is done: each migration of the database {} is signed and kept in a chain that anybody can verify.",
            "Ce qui est fait : chaque migration de la base {} est signée et conservée dans une chaîne que chacun peut \
             vérifier.",
        ],
        &[&facts.database],
    );
    page.blank(["purposes (30.1.b) and legal basis (6.1)", "finalités (30.1.b) et base légale (6.1)"]);
    page.item(
        [
            "People (30.1.c): those who run migrations, each by a random pseudonym; who it stands for is in the vault alone.",
            "Personnes (30.1.c) : celles qui exécutent les migrations, chacune sous un pseudonyme aléatoire ; seul le \
             coffre sait qui il désigne.",
        ],
        &[],
    );
    page.item(publish_words(&facts.publish), &[&facts.publish]);
    let Some(chain) = &facts.chain else {
        page.item(["There is no archive yet.", "Il n'y a pas encore d'archive."], &[]);
        return;
    };
    page.item(
        ["The chain {} has {} entries from {} to {}.", "La chaîne {} (entrées : {}) va du {} au {}."],
        &[&chain.chain, &chain.entries, &chain.first, &chain.newest],
    );
    page.item(
        [
            "Files of migrations: {} sealed, {} of them erased; {} in clear.",
            "Fichiers de migrations — scellés : {}, dont effacés : {} ; en clair : {}.",
        ],
        &[&chain.sealed, &chain.erased, &chain.clear],
    );
    for (basis, count) in &chain.erasures {
        page.item(["Erasures on the basis {}: {}.", "Effacements sur la base {} : {}."], &[basis, count]);
    }
    let (roles, who) = (codes(&chain.roles), codes(chain.pseudonyms.keys()));
    let said = page.say(["Pseudonyms that acted:", "Pseudonymes intervenus :"], &[]);
    let of = page.say(["in the roles", "dans les rôles"], &[]);
    page.plain_item(&format!("{said} {who}, {of} {roles}"));
}

fn application(facts: &Facts, page: &mut Page) {
    page.heading([
        "Activity 2: people's data in the database",
        "Activité 2 : données des personnes dans la base",
    ]);
    page.blank([
        "purposes (30.1.b) and legal basis (6.1) of the application",
        "finalités (30.1.b) et base légale (6.1) de l'application",
    ]);
    page.blank(["categories of people (30.1.c)", "catégories de personnes (30.1.c)"]);
    people(facts, page);
}

/// The tables of the map.
pub fn people(facts: &Facts, page: &mut Page) {
    let Some(tables) = &facts.people else {
        page.item(
            [
                "There is no map of people's data, so nothing is known of them here.",
                "Il n'y a pas de carte des données des personnes : rien n'en est connu ici.",
            ],
            &[],
        );
        return;
    };
    page.header(&[
        ["table", "table de la base"],
        ["categories of data (30.1.c)", "catégories de données (30.1.c)"],
        ["on erasure", "en cas d'effacement"],
        ["legal ground of what is kept", "base légale de ce qui est conservé"],
    ]);
    for TableFact { table, classes, erase, bases } in tables {
        let classes: Vec<String> = classes.iter().map(|class| page.say(class_words(*class), &[])).collect();
        let erase = page.say(erase_words(*erase), &[]);
        page.row(&[code(table), classes.join(", "), erase, codes(bases)]);
    }
}

/// Where copies are.
pub fn replicas(facts: &Facts, page: &mut Page) {
    if facts.replicas.is_empty() {
        page.item(["No replica is set.", "Aucune réplique n'est configurée."], &[]);
    }
    for replica in &facts.replicas {
        page.item(
            match replica.public {
                Some(true) => ["Replica {} ({}): public.", "Réplique {} ({}) : publique."],
                Some(false) => ["Replica {} ({}): not public.", "Réplique {} ({}) : non publique."],
                None => [
                    "Replica {} ({}): whether it is public is not said.",
                    "Réplique {} ({}) : caractère public non précisé.",
                ],
            },
            &[&replica.name, &replica.url],
        );
    }
}

/// How long things are kept.
pub fn limits(facts: &Facts, page: &mut Page) {
    match &facts.retention {
        Some(kept) => page.item_words(
            [
                "Sealed content is kept for {} after its month; `greffe retention run` erases it then.",
                "Le contenu scellé est conservé {} après son mois ; `greffe retention run` l'efface ensuite.",
            ],
            &[*kept],
        ),
        None => {
            page.item(
                [
                    "No end is set for sealed content (`vault.retention`).",
                    "Aucune durée n'est fixée pour le contenu scellé (`vault.retention`).",
                ],
                &[],
            );
            page.blank(["why it is kept without an end", "motif d'une conservation sans terme"]);
        }
    }
    page.item_words(
        [
            "Backups of the vault are kept for {}; an erasure is effective when the last one with its key is gone.",
            "Les sauvegardes du coffre sont conservées {} ; un effacement prend effet quand la dernière qui détient sa clé \
             a disparu.",
        ],
        &[facts.backup_retention],
    );
    page.blank([
        "how long the database itself keeps its rows",
        "durée de conservation des lignes dans la base",
    ]);
}

/// What the program does by itself.
pub fn security(page: &mut Page) {
    page.item(
        [
            "Each sealed file is encrypted with ChaCha20/Poly1305 under a key of its own; what it holds is fixed by a \
             commitment with HMAC-SHA256.",
            "Chaque fichier scellé est chiffré par ChaCha20/Poly1305 sous une clé propre ; son contenu est fixé par un \
             engagement HMAC-SHA256.",
        ],
        &[],
    );
    page.item(
        [
            "The keys are in the vault, off IPFS, encrypted for the owner's age identity; to destroy them is to erase.",
            "Les clés sont dans le coffre, hors d'IPFS, chiffrées pour l'identité age du propriétaire ; les détruire, c'est \
             effacer.",
        ],
        &[],
    );
    page.item(
        [
            "Secrets and personal data in a migration stop it before it runs; all that is not sealed is scanned once more \
             before it is archived.",
            "Un secret ou une donnée personnelle arrête une migration avant son exécution ; tout ce qui n'est pas scellé \
             est examiné encore une fois avant l'archivage.",
        ],
        &[],
    );
    page.item(["Every entry is signed with Ed25519.", "Chaque entrée est signée par Ed25519."], &[]);
}

/// What a way of publishing means.
pub fn publish_words(publish: &str) -> Pair {
    match publish {
        "schema" => [
            "Published ({}): in clear, scripts that are schema only, without a finding; all others are sealed.",
            "Publication ({}) : en clair, les scripts qui ne sont que du schéma, sans rien de relevé ; tous les autres sont scellés.",
        ],
        "all" => [
            "Published ({}): in clear, scripts of all kinds; those with data or a finding are refused.",
            "Publication ({}) : en clair, les scripts de toute sorte ; ceux qui portent des données ou un élément relevé sont refusés.",
        ],
        _ => [
            "Published ({}): no script in clear; every file is sealed.",
            "Publication ({}) : aucun script en clair ; chaque fichier est scellé.",
        ],
    }
}

const fn class_words(class: Class) -> Pair {
    match class {
        Class::Identifier => ["identity", "identité"],
        Class::Contact => ["contact details", "coordonnées"],
        Class::Health => ["health (art. 9)", "santé (art. 9)"],
        Class::Sensitive => [
            "special categories or offences (art. 9, 10)",
            "catégories particulières ou infractions (art. 9, 10)",
        ],
        Class::Financial => ["money", "données financières"],
        Class::Behaviour => ["behaviour", "comportement"],
        Class::Content => ["own words and files", "propos et fichiers"],
        Class::Technical => ["keys and states", "clés et états"],
        Class::None => ["nothing personal", "rien de personnel"],
    }
}

const fn erase_words(action: RowAction) -> Pair {
    match action {
        RowAction::Delete => ["deleted", "supprimé"],
        RowAction::Anonymise => ["anonymised", "anonymisé"],
        RowAction::Flag => ["marked as deleted", "marqué comme supprimé"],
        RowAction::Keep => ["kept", "conservé"],
    }
}
