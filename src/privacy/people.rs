//! Rows of people: days of birth that no column names, and accounts that stand in four columns.

use std::ops::Range;

use super::columns::trim;
use super::finding::Hit;
use super::meaning::year_of;
use super::reader::literals;
use crate::scripts::meaning::{Meaning, words};
use crate::scripts::word_list::WordList;

/// A year after which a day beside a name tells of an event rather than of a birth.
const BORN_BEFORE: u16 = 2021;

/// Whether a table is one of people, by the last word of its name that says what it holds.
pub(super) fn is_table(table: &[u8]) -> bool {
    const PEOPLE: WordList = WordList(
        "patient person personne user utilisateur usager eleve etudiant student pupil client customer employe \
        employee salarie agent membre member contact adherent assure enfant child children beneficiaire people citoyen \
        citizen staff teacher professeur enseignant parent responsable medecin doctor collaborateur locataire habitant mineur \
        majeur candidat stagiaire apprenti benevole conjoint titulaire resident proprietaire demandeur allocataire famille \
        personnel participant inscrit licencie joueur abonne",
    );
    const REST: [&str; 9] = ["tmp", "old", "new", "bak", "backup", "archive", "test", "copy", "import"];
    let last = table.rsplit(|byte| *byte == b'.').next().unwrap_or_default();
    let folded = words(trim(last));
    let parts: Vec<&str> = folded
        .split(' ')
        .filter(|word| {
            !word.is_empty() && !REST.contains(word) && !word.bytes().all(|byte| byte.is_ascii_digit())
        })
        .collect();
    if matches!(parts[..], ["user", "agents" | "agent"]) {
        return false;
    }
    parts.last().is_some_and(|last| {
        PEOPLE.has(last) || last.strip_suffix(['s', 'x']).is_some_and(|one| PEOPLE.has(one))
    })
}

/// Without names of columns: the first day beside a text that is written as a name, in a table of people.
pub(super) fn beside_names(text: &[u8], row: &[Range<usize>], hits: &mut Vec<Hit>) {
    let values: Vec<Range<usize>> = row.iter().flat_map(|value| literals(text, value.clone())).collect();
    if values.iter().any(|value| is_name(&text[value.clone()]))
        && let Some(day) = values.into_iter().find(|value| is_old_day(&text[value.clone()]))
    {
        hits.push(Hit::new("birth-date", day, 2));
    }
}

/// A column that is called `date` alone, beside one of a name.
pub(super) fn named_day(
    text: &[u8],
    names: &[Range<usize>],
    meanings: &[Option<Meaning>],
    row: &[Range<usize>],
    hits: &mut Vec<Hit>,
) {
    let named = meanings.iter().filter(|meaning| **meaning == Some(Meaning::Name)).count();
    if named < 2 || meanings.contains(&Some(Meaning::Birth)) {
        return;
    }
    for (name, value) in names.iter().zip(row) {
        if trim(&text[name.clone()]).eq_ignore_ascii_case(b"date")
            && let [day] = &literals(text, value.clone())[..]
            && is_old_day(&text[day.clone()])
        {
            hits.push(Hit::new("birth-date", day.clone(), 2));
        }
    }
}

fn is_name(value: &[u8]) -> bool {
    let shown = String::from_utf8_lossy(value);
    shown.len() > 2
        && shown.chars().next().is_some_and(char::is_uppercase)
        && shown.chars().all(|c| c.is_alphabetic() || matches!(c, ' ' | '-' | '\''))
}

/// A day without a time, of a year in which somebody may be born.
fn is_old_day(value: &[u8]) -> bool {
    let shown = String::from_utf8_lossy(value);
    shown.len() <= 20
        && !shown.contains(':')
        && Meaning::Birth.rule(value, true).is_some()
        && year_of(&shown).is_none_or(|year| year < BORN_BEFORE)
}

/// A French bank account in its four columns: bank, branch, number and key.
pub(super) fn account(text: &[u8], names: &[Range<usize>], row: &[Range<usize>], hits: &mut Vec<Hit>) {
    let place = |wanted: &[&str], but: &[&str]| {
        names.iter().zip(row).find_map(|(name, value)| {
            let folded = words(trim(&text[name.clone()]));
            let has = |words: &[&str]| folded.split(' ').any(|word| words.contains(&word));
            (has(wanted) && !has(but)).then(|| match &literals(text, value.clone())[..] {
                [literal] => literal.clone(),
                _ => value.clone(),
            })
        })
    };
    let (Some(bank), Some(branch), Some(number), Some(key)) = (
        place(&["banque"], &[]),
        place(&["guichet"], &[]),
        place(&["compte"], &["type"]),
        place(&["cle"], &[]),
    ) else {
        return;
    };
    if is_account([&text[bank], &text[branch], &text[number.clone()], &text[key]]) {
        hits.push(Hit::new("iban", number, 2));
    }
}

/// Whether the key holds: 97 less the remainder of 89, 15 and 3 times the parts.
fn is_account(parts: [&[u8]; 4]) -> bool {
    const FACTORS: [u64; 3] = [89, 15, 3];
    let numbers = parts.map(|part| {
        part.iter().try_fold(0_u64, |number, byte| {
            let digit = match byte.to_ascii_uppercase() {
                digit @ b'0'..=b'9' => digit - b'0',
                letter @ b'A'..=b'I' => letter - b'A' + 1,
                letter @ b'J'..=b'R' => letter - b'J' + 1,
                letter @ b'S'..=b'Z' => letter - b'S' + 2,
                _ => return None,
            };
            number.checked_mul(10)?.checked_add(u64::from(digit))
        })
    });
    let [Some(bank), Some(branch), Some(number), Some(key)] = numbers else { return false };
    let lengths = [5, 5, 11, 2];
    let fits = parts.iter().zip(lengths).all(|(part, length)| part.len() == length);
    let sum = FACTORS[0] * bank + FACTORS[1] * branch + FACTORS[2] * number;
    fits && key == 97 - sum % 97
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_of_people_are_told_by_their_last_word() {
        for name in [
            "patients",
            "\"public\".\"Élèves\"",
            "responsable",
            "dossier_patient",
            "clients_2024",
            "`pupils`",
        ] {
            assert!(is_table(name.as_bytes()), "{name}");
        }
        for name in ["clients_types", "member_levels", "contact_reason", "user_agents", "releases", ""] {
            assert!(!is_table(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn a_bank_account_is_known_by_its_key() {
        // The example that banks publish with the rule.
        assert!(is_account([b"20041", b"01005", b"0500013M026", b"06"]));
        assert!(
            !is_account([b"20041", b"01005", b"0500013M026", b"07"]) && !is_account([b"", b"", b"", b""])
        );
    }
}
