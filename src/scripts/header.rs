//! What a script says about itself in the comment at its top. It reads; it does not judge what is missing.
//!
//! ```sql
//! -- purpose: grades for the winter term
//! --   and for the years before
//! -- impact: locks `student` for a second
//! -- rollback: drops the grades
//! -- depends-on: 20260101000001, 20260101000002
//! -- sector: education health
//! -- waiver: email 2027-06-30 addresses of our own offices
//! ```
//! The header is the first run of `--` lines, or one `/* … */` block, after a byte order mark, blank lines and a
//! `-- no-transaction` line, within the first 64 KiB. Keys are written in English or in French, in either case.

use super::BYTE_ORDER_MARK;
use crate::model::is_day;

/// The most bytes that one value keeps, so that a header always fits in a log.
const VALUE_LIMIT: usize = 4096;

/// How far into a script a header is looked for: dumps begin with comments of many megabytes.
const HEADER_LIMIT: usize = 64 * 1024;

/// How many columns further right than its key a line stands that continues a value.
const CONTINUATION_INDENT: usize = 2;

const TAB_COLUMNS: usize = 4;

/// The documented intent of a migration. Values hold no control characters but tabs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Header {
    /// Why the migration exists (`purpose`, `but`).
    pub purpose: Option<String>,
    /// What it does to those who use the database (`impact`).
    pub impact: Option<String>,
    /// How it is taken back (`rollback`, `retour`).
    pub rollback: Option<String>,
    /// Versions that have to be applied before (`depends-on`, `dépend-de`).
    pub depends_on: Vec<String>,
    /// Sectors whose rules apply (`sector`, `secteur`).
    pub sectors: Vec<String>,
    /// What stands in the script on purpose (`waiver`, `dérogation`), a line each.
    pub waivers: Vec<Waiver>,
    /// The lines, from 1, of waivers without a rule, a day or a reason: they waive nothing.
    pub broken_waivers: Vec<usize>,
}

/// Says why something that a rule finds stands in a script, and until when it may be applied so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiver {
    /// The rule's id, such as `email` or `squawk/ban-drop-table`.
    pub rule: String,
    /// The last day, as `2027-06-30`.
    pub until: String,
    pub reason: String,
    /// Where it stands, from 1.
    pub line: usize,
}

impl Waiver {
    /// Reads `RULE YYYY-MM-DD REASON`; `None` where one of the three is missing, or is none: a day that no calendar has,
    /// a reason without a word.
    fn parse(text: &str, line: usize) -> Option<Self> {
        let (rule, rest) = text.trim().split_once(char::is_whitespace)?;
        let (until, reason) = rest.trim_start().split_once(char::is_whitespace)?;
        let reason = reason.trim();
        let is_reason = reason.contains(char::is_alphanumeric);
        let sound = is_day(until) && is_reason && rule.len() <= 64;
        sound.then(|| Self {
            rule: printable(rule),
            until: until.to_owned(),
            reason: printable(reason),
            line,
        })
    }

    /// Whether it holds for what `rule` finds on `today`, a day such as `2026-11-22`.
    #[must_use]
    pub fn holds(&self, rule: &str, today: &str) -> bool {
        self.rule == rule && !self.is_over(today)
    }

    /// Whether its last day is before `today`.
    #[must_use]
    pub fn is_over(&self, today: &str) -> bool {
        self.until.as_str() < today
    }
}

impl Header {
    /// Reads the header of an `up` script. Never fails: what is not understood is ignored.
    ///
    /// When a key comes twice, lists grow and the first text wins. A value is cut at 4096 bytes, a list after the
    /// last item that fits.
    pub fn parse(sql: &str) -> Self {
        let (above, comment) = top_comment(sql);
        Self::of_lines(above, comment)
    }

    /// The same for a text that is a comment as a whole, such as the first text of a Python file.
    #[must_use]
    pub fn of_text(text: &str) -> Self {
        Self::of_lines(0, &text[..text.floor_char_boundary(HEADER_LIMIT)])
    }

    /// `above`: how many lines stand before the comment.
    fn of_lines(above: usize, comment: &str) -> Self {
        let mut header = Self::default();
        let mut open: Option<Entry> = None;
        for (number, text) in comment.lines().enumerate() {
            let line = Line::parse(text, above + number + 1);
            let Some(mut entry) = open.take() else {
                open = line.entry();
                continue;
            };
            if entry.continues_on(&line) {
                entry.value.push(' ');
                entry.value.push_str(line.content);
                open = Some(entry);
            } else {
                header.add(entry);
                open = line.entry();
            }
        }
        if let Some(entry) = open {
            header.add(entry);
        }
        header
    }

    fn add(&mut self, entry: Entry) {
        match entry.key {
            Key::Purpose => set_first(&mut self.purpose, &entry.value),
            Key::Impact => set_first(&mut self.impact, &entry.value),
            Key::Rollback => set_first(&mut self.rollback, &entry.value),
            Key::DependsOn => extend(&mut self.depends_on, &entry.value),
            Key::Sector => extend(&mut self.sectors, &entry.value),
            Key::Waiver => match Waiver::parse(&entry.value, entry.line) {
                Some(waiver) => self.waivers.push(waiver),
                None => self.broken_waivers.push(entry.line),
            },
        }
    }
}

/// Lines of a script that would be waivers in the comment at its top, wherever they stand: the number of each, from 1, and
/// the byte at which it begins.
pub fn waiver_lines(sql: &str) -> Vec<(usize, usize)> {
    if !["aiver", "AIVER", "rogation", "ROGATION"].iter().any(|part| sql.contains(part)) {
        return Vec::new();
    }
    let mut start = 0;
    let places = sql.split_inclusive('\n').zip(1..).map(|(line, number)| {
        start += line.len();
        (number, start - line.len(), line)
    });
    let is_waiver = |line: &str| {
        line.trim_start().starts_with("--")
            && Line::parse(line, 0).key_value().is_some_and(|(key, _)| matches!(key, Key::Waiver))
    };
    places.filter(|(.., line)| is_waiver(line)).map(|(number, start, _)| (number, start)).collect()
}

#[derive(Clone, Copy)]
enum Key {
    Purpose,
    Impact,
    Rollback,
    DependsOn,
    Sector,
    Waiver,
}

impl Key {
    fn parse(written: &str) -> Option<Self> {
        match written.trim().to_lowercase().as_str() {
            "purpose" | "but" => Some(Self::Purpose),
            "impact" => Some(Self::Impact),
            "rollback" | "retour" => Some(Self::Rollback),
            "depends-on" | "dépend-de" | "depend-de" => Some(Self::DependsOn),
            "sector" | "secteur" => Some(Self::Sector),
            "waiver" | "dérogation" | "derogation" => Some(Self::Waiver),
            _ => None,
        }
    }
}

/// A key with the value read so far.
struct Entry {
    key: Key,
    line: usize,
    column: usize,
    value: String,
}

impl Entry {
    fn continues_on(&self, line: &Line<'_>) -> bool {
        let indented = line.column >= self.column + CONTINUATION_INDENT;
        indented && !line.content.is_empty() && line.key_value().is_none()
    }
}

/// A line of the comment: its text without the comment's marks, and the column in which that text starts.
struct Line<'a> {
    number: usize,
    column: usize,
    content: &'a str,
}

impl<'a> Line<'a> {
    fn parse(line: &'a str, number: usize) -> Self {
        let marked = line.trim_start();
        let content = match marked.strip_prefix("/*") {
            Some(opened) => opened.trim_start_matches('*'),
            None if marked.starts_with("--") => marked.trim_start_matches('-'),
            None => marked.trim_start_matches('*'),
        };
        let content = content.trim_start();
        let before = &line[..line.len() - content.len()];
        let column = before.chars().map(|c| if c == '\t' { TAB_COLUMNS } else { 1 }).sum();
        Self { number, column, content: content.trim_end() }
    }

    fn key_value(&self) -> Option<(Key, &'a str)> {
        let (key, value) = self.content.split_once(':')?;
        Some((Key::parse(key)?, value))
    }

    fn entry(&self) -> Option<Entry> {
        let (key, value) = self.key_value()?;
        Some(Entry { key, line: self.number, column: self.column, value: value.to_owned() })
    }
}

/// How many lines stand above the header, and its lines from the start of the first one; without the end mark of a
/// block.
fn top_comment(sql: &str) -> (usize, &str) {
    let sql = &sql[..sql.floor_char_boundary(HEADER_LIMIT)];
    let mut text = skip_blank_lines(sql.strip_prefix(BYTE_ORDER_MARK).unwrap_or(sql));
    if text.starts_with("-- no-transaction") {
        text = skip_blank_lines(text.split_once('\n').map_or("", |(_, below)| below));
    }
    let above = sql[..sql.len() - text.len()].matches('\n').count();
    if let Some(opened) = text.trim_start().strip_prefix("/*") {
        let start = text.len() - opened.len();
        let end = opened.find("*/").map_or(text.len(), |length| start + length);
        return (above, &text[..end]);
    }
    let is_comment = |line: &&str| line.trim_start().starts_with("--");
    let length = text.split_inclusive('\n').take_while(is_comment).map(str::len).sum();
    (above, &text[..length])
}

fn skip_blank_lines(text: &str) -> &str {
    let is_blank = |line: &&str| line.trim().is_empty();
    let length: usize = text.split_inclusive('\n').take_while(is_blank).map(str::len).sum();
    &text[length..]
}

fn set_first(text: &mut Option<String>, value: &str) {
    let value = printable(value);
    let value = value.trim();
    if text.is_none() && !value.is_empty() {
        let end = value.floor_char_boundary(VALUE_LIMIT);
        *text = Some(value[..end].trim_end().to_owned());
    }
}

fn extend(list: &mut Vec<String>, value: &str) {
    let mut size: usize = list.iter().map(String::len).sum();
    for item in value.split(|c: char| c == ',' || c.is_whitespace()) {
        let item = printable(item);
        // Whole items only: half a version would name another migration.
        size += item.len();
        if size > VALUE_LIMIT {
            return;
        }
        if !item.is_empty() {
            list.push(item);
        }
    }
}

fn printable(value: &str) -> String {
    value.chars().filter(|&c| c == '\t' || !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn purpose(sql: &str) -> Option<String> {
        Header::parse(sql).purpose
    }

    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn a_full_header_is_read() {
        let header = Header::parse(
            "-- Grades, second step\n-- purpose: grades for the winter term\n--   and for the years before\n\
             -- impact: locks `student`: one second\n-- rollback: drops the grades\n\
             -- depends-on: 20260101000001,20260101000002\n-- sector: education  health\nCREATE TABLE grade (id);\n",
        );
        assert_eq!(header.purpose, some("grades for the winter term and for the years before"));
        assert_eq!(header.impact, some("locks `student`: one second"));
        assert_eq!(header.rollback, some("drops the grades"));
        assert_eq!(header.depends_on, ["20260101000001", "20260101000002"]);
        assert_eq!(header.sectors, ["education", "health"]);
    }

    #[test]
    fn keys_are_known_in_french_and_in_either_case() {
        let header = Header::parse(
            "-- BUT : ajouter les notes\n-- Impact\u{a0}: aucun\n-- retour: supprime la table\n\
             -- DÉPEND-DE: 1\n-- depend-de: 2\n-- Secteur: santé\n",
        );
        assert_eq!(header.purpose, some("ajouter les notes"));
        assert_eq!(header.impact, some("aucun"));
        assert_eq!(header.rollback, some("supprime la table"));
        assert_eq!(header.depends_on, ["1", "2"]);
        assert_eq!(header.sectors, ["santé"]);
    }

    #[test]
    fn the_header_is_the_first_run_of_comment_lines() {
        assert_eq!(purpose("\u{feff}\n  \r\n-- purpose: a"), some("a"));
        assert_eq!(purpose("-- no-transaction\n\n-- purpose: a"), some("a"));
        assert_eq!(purpose("\u{feff}-- no-transaction\n-- purpose: a"), some("a"));
        assert_eq!(purpose("  --purpose:a"), some("a"));
        assert_eq!(purpose("------\n-- purpose: a\n------\n"), some("a"));
        assert_eq!(purpose("-- other\n\n-- purpose: a"), None);
        assert_eq!(purpose("-- other\n/* purpose: a */"), None);
        assert_eq!(purpose("SELECT 1; -- purpose: a"), None);
        assert_eq!(purpose("SELECT 1;\n-- purpose: a"), None);
        assert_eq!(purpose("-- no-transaction"), None);
        assert_eq!(Header::parse(""), Header::default());
    }

    #[test]
    fn a_block_comment_is_a_header_too() {
        assert_eq!(purpose("/* purpose: a */ SELECT 1;"), some("a"));
        assert_eq!(purpose("/* purpose: a"), some("a"));
        assert_eq!(purpose("/*/ purpose: a */"), None);
        assert_eq!(purpose("/* a */ /* purpose: b */"), None);
        assert_eq!(purpose("/* a */\n-- purpose: b"), None);
        let starred = Header::parse("/**\n * Purpose: a\n *   b\n *\n *   c\n * impact: d\n **/\nSELECT 1;");
        assert_eq!((starred.purpose, starred.impact), (some("a b"), some("d")));
        let plain = Header::parse("/* purpose: a\n     b\n   c\n   impact: d\n*/");
        assert_eq!((plain.purpose, plain.impact), (some("a b"), some("d")));
    }

    #[test]
    fn a_value_continues_on_lines_indented_below_its_key() {
        assert_eq!(purpose("-- purpose: a\n--   b\n--     c\n--   d"), some("a b c d"));
        assert_eq!(purpose("-- purpose:\n--   a"), some("a"));
        assert_eq!(purpose("-- purpose: a\n--\tb"), some("a b"));
        assert_eq!(purpose("-- purpose: a\r\n--   b\r\n"), some("a b"));
        assert_eq!(purpose("-- purpose: a\n--   see: b"), some("a see: b"));
        assert_eq!(purpose("-- purpose: a\n--  b"), some("a"));
        assert_eq!(purpose("-- purpose: a\n-- b\n--   c"), some("a"));
        assert_eq!(purpose("-- purpose: a\n--\n--   b"), some("a"));
        let keyed = Header::parse("-- purpose: a\n--   impact: b\n-- author: c\n--   d");
        assert_eq!((keyed.purpose, keyed.impact), (some("a"), some("b")));
    }

    #[test]
    fn a_second_key_extends_a_list_and_leaves_a_text() {
        let header =
            Header::parse("-- purpose: a\n-- sector: x\n-- but: b\n--   c\n-- secteur: y,\n--   z\n");
        assert_eq!(header.purpose, some("a"));
        assert_eq!(header.sectors, ["x", "y", "z"]);
        assert_eq!(purpose("-- purpose:\n-- purpose: b"), some("b"));
    }

    #[test]
    fn waivers_say_where_they_stand_and_broken_ones_waive_nothing() {
        let header = Header::parse(
            "\u{feff}\n-- no-transaction\n\n-- purpose: a\n-- waiver: email 2027-06-30 our own\n--   offices\n\
             -- waiver: squawk/ban-drop-table 2027-06-30\n-- dérogation: greffe/down-missing\n-- waiver:\n",
        );
        assert_eq!(header.waivers.len(), 1);
        let waiver = &header.waivers[0];
        assert_eq!((waiver.line, waiver.reason.as_str()), (5, "our own offices"));
        assert_eq!(header.broken_waivers, [7, 8, 9]);
        assert!(waiver.holds("email", "2027-06-30") && !waiver.holds("email", "2027-07-01"));
        assert!(!waiver.holds("phone", "2027-06-30") && waiver.is_over("2028-01-01"));
    }

    #[test]
    fn a_waiver_wants_a_day_of_the_calendar_and_a_word() {
        let holds = |value: &str| Waiver::parse(value, 1).is_some();
        assert!(holds("email 2028-02-29 ours") && holds("email 2027-06-30 été"));
        for value in
            ["2999-99-99 ours", "2027-02-29 ours", "2027-06-30 -", "2027-06-30 …", "2027-06-30 \u{200b}"]
        {
            assert!(!holds(&format!("email {value}")), "{value}");
        }
    }

    #[test]
    fn lines_that_would_be_waivers_are_found_anywhere() {
        let sql = "-- purpose: a\n-- WAIVER: b\n\nSELECT 1;\n  -- dérogation : c\n-- no waiver here: d\nSELECT 'waiver: e';\n";
        assert_eq!(waiver_lines(sql), [(2, 14), (5, 38)]);
        assert_eq!(waiver_lines("-- purpose: a\n"), []);
    }

    #[test]
    fn a_text_is_a_header_as_a_whole() {
        let header =
            Header::of_text("add grades\n\nRevises: 12\nimpact: a lock\n\npurpose: grades\n  of winter\n");
        assert_eq!((header.impact, header.purpose), (some("a lock"), some("grades of winter")));
    }

    #[test]
    fn control_characters_are_dropped_and_values_are_capped() {
        assert_eq!(purpose("-- purpose: a\u{1b}[31m\tb\u{7}\u{9b}"), some("a[31m\tb"));
        assert_eq!(Header::parse("-- sector: a\u{8}b\u{0}").sectors, ["ab"]);
        let long = purpose(&format!("-- purpose: a{}", "é".repeat(4096))).unwrap();
        assert_eq!(long.len(), 4095);
        let list = Header::parse(&format!("-- sector: {}", "abcdefghi,".repeat(4096))).sectors;
        assert_eq!(list.len(), 4096 / 9);
        assert!(list.iter().all(|sector| sector == "abcdefghi"));
    }

    #[test]
    fn a_header_is_looked_for_at_the_top_only() {
        let far = format!("{}-- purpose: a\n", "-- é\n".repeat(HEADER_LIMIT / 6 + 1));
        assert_eq!(purpose(&far), None);
        let near = format!("{}-- purpose: a\n", "-- é\n".repeat(HEADER_LIMIT / 6 - 8));
        assert_eq!(purpose(&near), some("a"));
    }

    proptest! {
        #[test]
        fn any_text_has_a_header(sql in "(--|/\\*|\\*/|\\*| |\t|\n|purpose:|sector:|impact|é|🦀|\\PC){0,40}") {
            let header = Header::parse(&sql);
            for value in [&header.purpose, &header.impact, &header.rollback].into_iter().flatten() {
                prop_assert!(!value.is_empty() && value.len() <= VALUE_LIMIT);
                prop_assert!(!value.chars().any(|c| c.is_control() && c != '\t'));
            }
        }

        #[test]
        fn any_string_has_a_header(sql in any::<String>()) {
            Header::parse(&sql);
        }
    }
}
