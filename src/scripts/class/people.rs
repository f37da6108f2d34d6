//! Whether two words of a text may be a person's name.

use crate::scripts::word_list::WordList;

/// A title and a capitalised word, or two words of which one is capitalised and the other too, or all capitals,
/// unless one of them is a word that labels are made of.
pub(super) fn has_name(text: &str) -> bool {
    let mut before: Option<&str> = None;
    for written in text.split([' ', '\t', '\n', '\u{a0}']).filter(|word| !word.is_empty()) {
        let word = written.trim_matches(|c: char| !c.is_alphanumeric());
        let begins = written.starts_with(word) || written.starts_with(['(', '"', '\'', '«']);
        if let Some(first) = before
            && begins
            && is_capitalised(word)
            && (is_title(first) || is_capitalised(first) && !(is_common(first) || is_common(word)))
        {
            return true;
        }
        let ends = written.ends_with(['.', ',', ':', ';', '!', '?', ')']) && !is_title(word);
        before = (!ends).then_some(word);
    }
    false
}

fn is_title(word: &str) -> bool {
    matches!(word, "M" | "MM" | "Mme" | "Mlle" | "Mr" | "Mrs" | "Ms" | "Dr" | "Pr" | "Monsieur" | "Madame")
}

/// `Camille` or `MOREAU`; neither `GMT` nor `iOS`.
fn is_capitalised(word: &str) -> bool {
    let mut signs = word.chars();
    let first = signs.next().is_some_and(char::is_uppercase);
    let (small, great) = (word.chars().any(char::is_lowercase), word.chars().count() > 4);
    let letters = word.chars().all(|sign| sign.is_alphabetic() || matches!(sign, '-' | '\'' | '’'));
    first && letters && (signs.next().is_some_and(char::is_lowercase) || !small && great)
}

/// Words that labels, titles and SQL are made of, and that nobody is called.
fn is_common(word: &str) -> bool {
    const WORDS: WordList = WordList(
        "in on of at to by for from with and or not no new old is are the this these that all any each if when \
        while where which who used stores holds contains whether number total last first next current default only open \
        closed done started progress pending active inactive unknown other none yes true false null key primary foreign \
        unique index table column view check type date time zone value values update insert delete select create drop alter \
        references unsigned integer bigint varchar boolean string text json object array list map hash token password secret \
        email address phone url user users account order orders product item status state code name id uuid see also note \
        warning required optional deprecated please must should may can will has have had was were been be it its \
        sur sous en dans par pour avec sans et ou le la les un une des du de au aux ce cette ces son sa ses qui que dont \
        place pays bas haut code civil jour mois année annee semaine date heure numéro numero nombre type état etat statut \
        nouveau nouvelle ancien ancienne premier première dernier dernière oui non aucun aucune autre autres tous toutes \
        liste table colonne valeur clé cle identifiant libellé libelle adresse ville commune département departement région \
        lundi mardi mercredi jeudi vendredi samedi dimanche janvier février mars avril mai juin juillet août septembre \
        octobre novembre décembre monday tuesday wednesday thursday friday saturday sunday january february march april \
        june july august september october november december north south east west nord sud est ouest united states \
        access control service server client database schema system data public private internal external high low medium \
        credit card carte bank visa mastercard paypal google github microsoft apple facebook amazon windows linux android \
        version level group role admin manager team project task issue request response error message event log file path \
        start end begin min max count sum average price amount quantity cours attente terminé annulé validé refusé payé \
        cash check shipping billing delivery home work office mobile standard premium gold silver basic free trial",
    );
    let word = word.to_lowercase();
    WORDS.has(&word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_from_titles() {
        for text in [
            "Jean Dupont",
            "MOREAU CAMILLE",
            "Camille MOREAU",
            "appeler DUPONT Jean",
            "patiente: M. Moreau, 12 rue",
            "Mme Diallo",
        ] {
            assert!(has_name(text), "{text}");
        }
        for text in [
            "In progress",
            "Not Started",
            "Sur Place",
            "Pays Bas",
            "Code Civil",
            "Used by the JSON API",
            "UTC ISO format",
            "Lundi, Mardi",
            "camille moreau",
        ] {
            assert!(!has_name(text), "{text}");
        }
    }
}
