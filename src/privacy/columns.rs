//! Values in the place of a named column: `INSERT … (columns) VALUES …`, `INSERT … SELECT …`, and lines of `COPY`.

use std::ops::Range;

use super::finding::Hit;
use super::meaning::{Meaning, quoted};
use super::pattern::{Pattern, pattern};
use super::reader::Reader;
use super::tables::Tables;

static INSERT: Pattern = Pattern::new(|| {
    pattern(r"(?i-u)\b(?:insert|replace)\s+(?:or\s+[a-z]+\s+|ignore\s+|low_priority\s+|delayed\s+)?into\s+")
});
static COPY: Pattern = Pattern::new(|| {
    pattern(
        r"(?i-u)\bcopy\s+([^\s(;]{1,200})\s*(?:\(([^()]{1,8000})\))?\s*from\s+stdin([^;\n]{0,400});[^\n]{0,200}\n",
    )
});
/// Columns of a statement that are looked at.
const COLUMNS: usize = 512;

pub(super) fn find(text: &[u8], hits: &mut Vec<Hit>) {
    let tables = Tables::read(text);
    let mut from = 0;
    while let Some(found) = INSERT.find_at(text, from) {
        from = insert(text, found.end(), &tables, hits).max(found.end());
    }
    let mut from = 0;
    while let Some(found) = COPY.captures_at(text, from) {
        let (Some(all), Some(table), Some(options)) = (found.get(0), found.get(1), found.get(3)) else {
            break;
        };
        let meanings = match found.get(2) {
            Some(columns) => columns
                .as_bytes()
                .split(|byte| *byte == b',')
                .take(COLUMNS)
                .map(|name| Meaning::of(trim(name)))
                .collect(),
            None => tables.meanings(table.as_bytes()).unwrap_or_default(),
        };
        from = copy(text, all.end(), &meanings, options.as_bytes(), hits);
    }
}

/// Reads one statement behind its `INTO`; the place behind what was read.
fn insert(text: &[u8], start: usize, tables: &Tables, hits: &mut Vec<Hit>) -> usize {
    let mut reader = Reader { text, at: start };
    let table = reader.name();
    // Without names of columns, those with which the table was created in the same text.
    let known = tables.meanings(table);
    let mut named = known.is_some();
    let mut meanings = known.unwrap_or_default();
    reader.skip();
    if reader.peek() == Some(b'(') {
        let columns = reader.group();
        meanings =
            columns.iter().take(COLUMNS).map(|range| Meaning::of(trim(&text[range.clone()]))).collect();
        named = true;
    }
    let people = is_about_people(table);
    loop {
        match reader.word() {
            word if word.eq_ignore_ascii_case(b"VALUES") || word.eq_ignore_ascii_case(b"VALUE") => break,
            word if word.eq_ignore_ascii_case(b"SELECT") => {
                let row = reader.list();
                judge(text, &row, &meanings, named, people, hits);
                return reader.at;
            }
            // `OVERRIDING SYSTEM VALUE`, `OUTPUT inserted.id`.
            word if word.is_empty() || reader.at - start > 20_000 => return reader.at,
            _ => {}
        }
    }
    loop {
        reader.skip();
        match reader.peek() {
            Some(b'(') => {
                let row = reader.group();
                judge(text, &row, &meanings, named, people, hits);
            }
            Some(b',') => reader.at += 1,
            _ => return reader.at,
        }
    }
}

fn judge(
    text: &[u8],
    row: &[Range<usize>],
    meanings: &[Option<Meaning>],
    named: bool,
    people: bool,
    hits: &mut Vec<Hit>,
) {
    named_secrets(text, row, hits);
    if !named {
        if people {
            beside_names(text, row, hits);
        }
        return;
    }
    for (value, meaning) in row.iter().zip(meanings) {
        if let Some(meaning) = meaning {
            value_of(text, value.clone(), *meaning, hits);
        }
    }
}

/// A row that holds a name and its value: `('smtp_password', '…')`.
fn named_secrets(text: &[u8], row: &[Range<usize>], hits: &mut Vec<Hit>) {
    for pair in row.windows(2) {
        let (names, values) = (literals(text, pair[0].clone()), literals(text, pair[1].clone()));
        let ([name], [value]) = (&names[..], &values[..]) else { continue };
        let is_mixed = text[value.clone()].iter().any(|byte| !byte.is_ascii_alphabetic() && *byte != b'_');
        if is_mixed
            && Meaning::of(&text[name.clone()]) == Some(Meaning::Secret)
            && let Some(rule) = Meaning::Secret.rule(&text[value.clone()], true)
        {
            hits.push(Hit::new(rule, value.clone(), 2));
        }
    }
}

/// The literals of an expression, or the expression itself where it has none.
fn value_of(text: &[u8], value: Range<usize>, meaning: Meaning, hits: &mut Vec<Hit>) {
    let literals = literals(text, value.clone());
    let is_date_format = literals.len() > 1 && meaning == Meaning::Birth;
    for literal in literals.iter().take(if is_date_format { 1 } else { 3 }) {
        if let Some(rule) = meaning.rule(&text[literal.clone()], true) {
            hits.push(Hit::new(rule, literal.clone(), 2));
        }
    }
    if literals.is_empty() {
        let trimmed = trimmed(text, value);
        if let Some(rule) = meaning.rule(&text[trimmed.clone()], false) {
            hits.push(Hit::new(rule, trimmed, 2));
        }
    }
}

/// Without names of columns: a day beside a text that is written as a name, in a table of people.
fn beside_names(text: &[u8], row: &[Range<usize>], hits: &mut Vec<Hit>) {
    let values: Vec<Range<usize>> = row.iter().flat_map(|value| literals(text, value.clone())).collect();
    let is_name = |value: &Range<usize>| {
        let shown = String::from_utf8_lossy(&text[value.clone()]).into_owned();
        shown.len() > 2
            && shown.chars().next().is_some_and(char::is_uppercase)
            && shown.chars().all(|c| c.is_alphabetic() || matches!(c, ' ' | '-' | '\''))
    };
    if values.iter().any(is_name) {
        for value in values {
            if let Some(rule) = Meaning::Birth.rule(&text[value.clone()], true) {
                hits.push(Hit::new(rule, value, 2));
            }
        }
    }
}

fn is_about_people(table: &[u8]) -> bool {
    const PEOPLE: &[&str] = &[
        "patient",
        "person",
        "user",
        "utilisateur",
        "usager",
        "eleve",
        "élève",
        "etudiant",
        "étudiant",
        "student",
        "client",
        "customer",
        "employe",
        "salarie",
        "agent",
        "membre",
        "member",
        "contact",
        "adherent",
        "adhérent",
        "assure",
        "enfant",
        "child",
        "beneficiaire",
        "people",
        "citoyen",
        "citizen",
        "staff",
        "teacher",
        "personne",
    ];
    let table = String::from_utf8_lossy(table).to_lowercase();
    PEOPLE.iter().any(|word| table.contains(word))
}

/// Lines behind `COPY … FROM STDIN;` up to `\.`.
fn copy(
    text: &[u8],
    start: usize,
    meanings: &[Option<Meaning>],
    options: &[u8],
    hits: &mut Vec<Hit>,
) -> usize {
    let options = String::from_utf8_lossy(options).to_lowercase();
    let delimiter = match options
        .find("delimiter")
        .and_then(|at| options.get(at..)?.split('\'').nth(1)?.bytes().next())
    {
        Some(sign) => sign,
        None if options.contains("csv") => b',',
        None => b'\t',
    };
    let mut at = start;
    while at < text.len() {
        let end = text[at..].iter().position(|byte| *byte == b'\n').map_or(text.len(), |length| at + length);
        let line = &text[at..end];
        if line.starts_with(b"\\.") {
            return end;
        }
        let mut field = at;
        for (value, meaning) in line.split(|byte| *byte == delimiter).zip(meanings) {
            let range = trimmed(text, field..field + value.len());
            if let Some(meaning) = meaning
                && let Some(rule) = meaning.rule(&text[range.clone()], true)
                && !text[range.clone()].starts_with(b"\\N")
            {
                hits.push(Hit::new(rule, range, 2));
            }
            field += value.len() + 1;
        }
        at = end + 1;
    }
    text.len()
}

/// What stands between the quotes of an expression.
fn literals(text: &[u8], value: Range<usize>) -> Vec<Range<usize>> {
    let (mut found, mut at) = (Vec::new(), value.start);
    while at < value.end {
        if matches!(text[at], b'\'' | b'"')
            && let Some((range, behind)) = quoted(text, at, usize::MAX)
        {
            found.push(range);
            at = behind;
        } else if matches!(text[at], b'\'' | b'"') {
            break;
        } else {
            at += 1;
        }
    }
    found
}

pub(super) fn trim(name: &[u8]) -> &[u8] {
    let sign =
        |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'"' | b'`' | b'[' | b']' | b'\'' | b'\\');
    let start = name.iter().position(|byte| !sign(byte)).unwrap_or(name.len());
    let end = name.iter().rposition(|byte| !sign(byte)).map_or(start, |at| at + 1);
    &name[start..end]
}

fn trimmed(text: &[u8], range: Range<usize>) -> Range<usize> {
    let inside = trim(&text[range.clone()]);
    let start = range.start
        + text[range].windows(inside.len().max(1)).position(|window| window == inside).unwrap_or(0);
    start..start + inside.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(String, &str)> {
        let mut hits = Vec::new();
        find(text.as_bytes(), &mut hits);
        hits.into_iter().map(|hit| (hit.rule.into_owned(), &text[hit.range])).collect()
    }

    #[test]
    fn columns_give_values_their_meaning() {
        let text = "INSERT INTO patients (id, nom, date_naissance, tel, cvv)\nVALUES\n  (1, 'L''Hôte, (Guy)', '1984-03-12', '0478123456', 123), -- ')'\n  (2, 'B', to_date('12/03/84', 'DD/MM/YY'), NULL, '9');";
        let expected = [
            ("birth-date", "1984-03-12"),
            ("phone", "0478123456"),
            ("card-cvv", "123"),
            ("birth-date", "12/03/84"),
        ];
        assert_eq!(found(text), expected.map(|(rule, value)| (rule.to_owned(), value)));
    }

    #[test]
    fn lines_of_copy_and_selected_texts_have_columns_too() {
        let text = "COPY public.u (id, api_key, tel) FROM stdin;\n1\tk7Qz81mm\t\\N\n\\.\nINSERT INTO u (a, secret) SELECT 1, 'k7Qz81mm' FROM v;";
        assert_eq!(
            found(text),
            [("secret-value".to_owned(), "k7Qz81mm"), ("secret-value".to_owned(), "k7Qz81mm")]
        );
    }

    #[test]
    fn a_day_beside_a_name_in_a_table_of_people_is_a_birth() {
        assert_eq!(found("INSERT INTO eleves VALUES (1, 'Martin', '2011-05-04')").len(), 1);
        assert_eq!(found("INSERT INTO releases VALUES (1, 'Martin', '2011-05-04')"), []);
    }

    #[test]
    fn columns_that_a_table_was_created_with_are_known() {
        let text = "CREATE TABLE IF NOT EXISTS \"p\".\"u\" (id int, prix numeric(3, 2), CVV char(3), PRIMARY KEY (id));\nINSERT INTO p.u VALUES (1, 2.5, '482');\nCOPY u FROM stdin;\n2\t1.5\t377\n\\.\n";
        assert_eq!(found(text), [("card-cvv".to_owned(), "482"), ("card-cvv".to_owned(), "377")]);
    }

    #[test]
    fn texts_in_texts_are_read() {
        assert_eq!(found("EXECUTE 'INSERT INTO u (pwd) VALUES (''k7Qz81mm'')';").len(), 1);
        assert_eq!(found("INSERT INTO u (pwd) VALUES ('{{ pwd }}'), ($1), ('"), []);
    }
}
