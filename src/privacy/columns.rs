//! Values in the place of a named column: `INSERT … (columns) VALUES …`, `INSERT … SELECT …`, and lines of `COPY`.

use std::ops::Range;

use super::calls::is_algorithm;
use super::expression::make_date;
use super::finding::Hit;
use super::pattern::{Pattern, pattern};
use super::people;
use super::reader::{Reader, literals};
use super::tables::Tables;
use super::tabular::rows;
use crate::scripts::meaning::Meaning;

static INSERT: Pattern = Pattern::new(|| {
    pattern(
        r"(?i-u)\b(?:insert|replace)\s+(?:or\s+[a-z]+\s+|ignore\s+|low_priority\s+|delayed\s+|high_priority\s+){0,2}(?:into\s+)?",
    )
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
        from = rows(text, all.end(), delimiter(options.as_bytes()), &meanings, b"\\.", hits);
    }
}

/// What stands between the fields of `COPY`.
fn delimiter(options: &[u8]) -> u8 {
    let options = String::from_utf8_lossy(options).to_lowercase();
    let named =
        options.find("delimiter").and_then(|at| options.get(at..)?.split('\'').nth(1)?.bytes().next());
    named.unwrap_or(if options.contains("csv") { b',' } else { b'\t' })
}

/// What the columns of a list are for.
pub(super) fn meanings_of(text: &[u8], columns: &[Range<usize>]) -> Vec<Option<Meaning>> {
    columns.iter().take(COLUMNS).map(|range| Meaning::of(trim(&text[range.clone()]))).collect()
}

/// What is known of the rows of a statement.
struct Rows<'a> {
    table: &'a [u8],
    meanings: Vec<Option<Meaning>>,
    names: Vec<Range<usize>>,
    /// Whether columns are named, here or where the table is created.
    named: bool,
}

/// Reads one statement behind its `INTO`; the place behind what was read.
fn insert(text: &[u8], start: usize, tables: &Tables, hits: &mut Vec<Hit>) -> usize {
    let mut reader = Reader { text, at: start };
    let table = reader.name();
    // Events of triggers, and `replace(…)`.
    if table.is_empty()
        || ["ON", "OR", "TO", "INTO", "VIEW", "FUNCTION"]
            .iter()
            .any(|word| table.eq_ignore_ascii_case(word.as_bytes()))
    {
        return reader.at;
    }
    if reader.takes("PARTITION") {
        reader.skip();
        if reader.peek() == Some(b'(') {
            reader.group();
        }
    }
    if reader.takes("AS") {
        reader.name();
    }
    // Without names of columns, those with which the table was created in the same text.
    let known = tables.meanings(table);
    let mut rows =
        Rows { table, named: known.is_some(), meanings: known.unwrap_or_default(), names: Vec::new() };
    reader.skip();
    let opens = reader.at;
    if reader.peek() == Some(b'(') {
        reader.at += 1;
        let query = reader.takes("SELECT") || reader.takes("WITH");
        reader.at = opens;
        if !query {
            rows.names = reader.group();
            rows.meanings = meanings_of(text, &rows.names);
            rows.named = true;
        }
    }
    if !reach_values(&mut reader, &rows, hits) {
        return reader.at;
    }
    loop {
        reader.skip();
        match reader.peek() {
            Some(b'(') => {
                let row = reader.group();
                rows.judge(text, &row, hits);
            }
            Some(b',') => reader.at += 1,
            // `VALUES ROW(…), ROW(…)`.
            Some(b'r' | b'R') if reader.takes("ROW") => {}
            _ => return reader.at,
        }
    }
}

/// Reads up to the rows behind `VALUES`; a query has one row, which is judged. Whether rows follow.
fn reach_values(reader: &mut Reader<'_>, rows: &Rows<'_>, hits: &mut Vec<Hit>) -> bool {
    const AHEAD: usize = 20_000;
    reader.skip();
    let (start, mut common) = (reader.at, false);
    loop {
        match reader.word() {
            word if word.eq_ignore_ascii_case(b"VALUES") => return true,
            // `OVERRIDING SYSTEM VALUE VALUES`, and MySQL's `VALUE (…)`.
            word if word.eq_ignore_ascii_case(b"VALUE") => {
                reader.skip();
                if reader.peek() == Some(b'(') {
                    return true;
                }
            }
            word if word.eq_ignore_ascii_case(b"SELECT") => {
                let mut row = reader.list();
                // In a query, a name stands in double quotes.
                let text = reader.text;
                row.iter_mut()
                    .filter(|value| text.get(value.start) == Some(&b'"'))
                    .for_each(|value| value.end = value.start);
                rows.judge(text, &row, hits);
                return false;
            }
            word if word.eq_ignore_ascii_case(b"WITH") => common = true,
            [] => match reader.peek() {
                Some(b'(') if common => {
                    reader.group();
                }
                Some(b',') if common => reader.at += 1,
                Some(b'(') if reader.at == start => reader.at += 1,
                _ => return false,
            },
            // `OUTPUT inserted.id`.
            _ if reader.at - start > AHEAD => return false,
            _ => {}
        }
    }
}

impl Rows<'_> {
    fn judge(&self, text: &[u8], row: &[Range<usize>], hits: &mut Vec<Hit>) {
        let values: Vec<Range<usize>> = row
            .iter()
            .map(|value| match &literals(text, value.clone())[..] {
                [literal] => literal.clone(),
                _ => value.start..value.start,
            })
            .collect();
        pairs(text, &values, hits);
        if !self.named {
            if people::is_table(self.table) {
                people::beside_names(text, row, hits);
            }
            return;
        }
        for (value, meaning) in row.iter().zip(&self.meanings) {
            if let Some(meaning) = meaning {
                value_of(text, value.clone(), *meaning, hits);
            }
        }
        people::named_day(text, &self.names, &self.meanings, row, hits);
        people::account(text, &self.names, row, hits);
    }
}

/// Fields of a row that hold a name and its value: `('smtp_password', '…')`.
pub(super) fn pairs(text: &[u8], row: &[Range<usize>], hits: &mut Vec<Hit>) {
    for pair in row.windows(2) {
        let (name, value) = (&text[pair[0].clone()], &text[pair[1].clone()]);
        let is_name = name.len() > 2
            && name.iter().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(byte))
            && !name[0].is_ascii_digit();
        if !is_name || value.is_empty() {
            continue;
        }
        let last = name.rsplit(|byte| *byte == b'.').next().unwrap_or_default();
        let Some(meaning) = Meaning::of(last) else { continue };
        let likely = match meaning {
            Meaning::Secret => is_typed(value),
            Meaning::Birth => value.iter().filter(|byte| byte.is_ascii_digit()).count() >= 6,
            _ => true,
        };
        if likely && let Some(rule) = meaning.rule(value, true) {
            hits.push(Hit::new(rule, pair[1].clone(), 2));
        }
    }
}

/// A secret rather than a label beside its name: without blanks, and not of letters alone.
fn is_typed(value: &[u8]) -> bool {
    let shown = String::from_utf8_lossy(value);
    let plain = |sign: char| sign.is_alphabetic() || matches!(sign, '_' | '-' | '/' | ':' | '!' | '?' | '.');
    !shown.contains(char::is_whitespace) && !shown.starts_with('/') && !shown.chars().all(plain)
}

/// The literals of an expression, or the expression itself where it has none.
pub(super) fn value_of(text: &[u8], value: Range<usize>, meaning: Meaning, hits: &mut Vec<Hit>) {
    if meaning == Meaning::Birth
        && text[value.clone()].get(..9).is_some_and(|name| name.eq_ignore_ascii_case(b"make_date"))
    {
        hits.extend(
            make_date(&text[..value.end], value.start + 9).map(|range| Hit::new("birth-date", range, 2)),
        );
        return;
    }
    let literals = literals(text, value.clone());
    let is_date_format = literals.len() > 1 && meaning == Meaning::Birth;
    for literal in literals.iter().take(if is_date_format { 1 } else { 3 }) {
        let shown = String::from_utf8_lossy(&text[literal.clone()]);
        if !is_algorithm(&shown)
            && let Some(rule) = meaning.rule(&text[literal.clone()], true)
        {
            hits.push(Hit::new(rule, literal.clone(), 2));
        }
    }
    if literals.is_empty() {
        let trimmed = trimmed(text, value);
        let judged = meaning.rule(&text[trimmed.clone()], false);
        let number = meaning == Meaning::Secret
            && trimmed.len() >= 3
            && text[trimmed.clone()].iter().all(u8::is_ascii_digit);
        if let Some(rule) = judged.or(number.then_some("secret-value")) {
            hits.push(Hit::new(rule, trimmed, 2));
        }
    }
}

pub(super) fn trim(name: &[u8]) -> &[u8] {
    let sign =
        |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'"' | b'`' | b'[' | b']' | b'\'' | b'\\');
    let start = name.iter().position(|byte| !sign(byte)).unwrap_or(name.len());
    let end = name.iter().rposition(|byte| !sign(byte)).map_or(start, |at| at + 1);
    &name[start..end]
}

pub(super) fn trimmed(text: &[u8], range: Range<usize>) -> Range<usize> {
    let inside = trim(&text[range.clone()]);
    let start = range.start
        + text[range].windows(inside.len().max(1)).position(|window| window == inside).unwrap_or(0);
    start..start + inside.len()
}

#[cfg(test)]
mod tests {
    use super::super::finding::found_by;
    use super::*;

    fn found(text: &str) -> Vec<(String, &str)> {
        found_by(find, text)
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
