//! Formatted SQL: comments of a script say where each changeset begins.

use std::borrow::Cow;

use super::changelog::{ChangeSet, Changelog, Item, is_plain};
use crate::scripts::tools::{Fault, FolderFile};

/// The SQL of a changeset, as its checksum is made of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Formatted {
    pub text: String,
    pub end_delimiter: Option<String>,
    pub split_statements: bool,
    pub strip_comments: bool,
}

/// Whether a script says that it is formatted.
pub fn is_formatted(bytes: &[u8]) -> bool {
    first_line(bytes).is_some()
}

/// Reads a script that says that it is formatted.
pub fn read(file: &FolderFile) -> Changelog {
    let bytes = without_mark(&file.bytes);
    let mut changelog = Changelog::default();
    let header = first_line(bytes).unwrap_or_default();
    changelog.logical = attribute(&header, "logicalFilePath");
    let mut begun: Option<(usize, Begun)> = None;
    let mut end = |begun: Option<(usize, Begun)>, to: usize| {
        let Some((from, begun)) = begun else { return };
        let part = bytes.get(from..to).unwrap_or_default().trim_ascii_end();
        if is_plain(&begun.id) && is_plain(&begun.author) {
            changelog.items.push(Item::ChangeSet(Box::new(begun.ended(part))));
        } else {
            changelog.faults.push(Fault::Unresolved { file: file.path.clone(), what: "id" });
        }
    };
    let mut from = 0;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        if let Some(next) = Begun::of(&String::from_utf8_lossy(line)) {
            end(begun.take(), from);
            begun = Some((from, next));
        }
        from += line.len();
    }
    end(begun, from);
    changelog
}

/// The SQL of a script that is not formatted, which is a changeset as a whole.
pub fn whole(bytes: &[u8]) -> Formatted {
    let text = String::from_utf8_lossy(without_mark(bytes)).into_owned();
    Formatted { text, end_delimiter: None, split_statements: false, strip_comments: false }
}

/// The SQL of one changeset, from its part of the file.
pub fn of_part(part: &[u8]) -> Option<Formatted> {
    let text = String::from_utf8_lossy(part);
    let (first, _) = text.split_once('\n').unwrap_or((&text, ""));
    Begun::of(first)?.ended(part).sql
}

/// The line that begins a changeset.
struct Begun {
    id: String,
    author: String,
    rest: String,
}

impl Begun {
    fn of(line: &str) -> Option<Self> {
        let rest = word(directive(line)?, "changeset").filter(|rest| rest.starts_with([' ', '\t']))?;
        let (author, rest) = match rest.trim_start().strip_prefix('"') {
            Some(quoted) => quoted
                .split_once('"')
                .and_then(|(name, rest)| Some((name, rest.trim_start().strip_prefix(':')?)))?,
            None => rest.split_once(':')?,
        };
        let rest = rest.trim_start();
        let (id, rest) = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => rest.split_at(rest.find(char::is_whitespace).unwrap_or(rest.len())),
        };
        let (id, author) = (id.to_owned(), author.trim().to_owned());
        (!id.is_empty() && !author.is_empty()).then(|| Self { id, author, rest: rest.to_owned() })
    }

    fn ended(self, part: &[u8]) -> ChangeSet {
        let text = String::from_utf8_lossy(part);
        let (sql, comment) = body(&text);
        let is_on =
            |name: &str| attribute(&self.rest, name).is_none_or(|value| value.eq_ignore_ascii_case("true"));
        let sql = Formatted {
            text: sql,
            end_delimiter: attribute(&self.rest, "endDelimiter"),
            split_statements: is_on("splitStatements"),
            strip_comments: is_on("stripComments"),
        };
        ChangeSet {
            logical: attribute(&self.rest, "logicalFilePath"),
            id: self.id,
            author: self.author,
            comment,
            bytes: part.to_vec(),
            sql: Some(sql),
            script: None,
            back: None,
        }
    }
}

/// What of a changeset is run, without what only speaks to Liquibase; and its comment.
fn body(part: &str) -> (String, Option<String>) {
    let (mut sql, mut comment) = (String::new(), None);
    let (mut ignored, mut ignoring, mut going_back) = (0_u32, false, false);
    for line in part.lines().skip(1) {
        let said = directive(line).unwrap_or_default();
        if going_back {
            going_back = !line.contains("*/");
        } else if let Some(how) = word(said, "ignoreLines:") {
            match how.trim() {
                "start" => ignoring = true,
                "end" => ignoring = false,
                count => ignored = count.parse().unwrap_or_default(),
            }
        } else if ignoring || ignored > 0 {
            ignored = ignored.saturating_sub(1);
        } else if begins_a_way_back(line) {
            going_back = !line.contains("*/");
        } else if let Some(text) =
            word(said, "comment").filter(|text| text.is_empty() || text.starts_with([' ', ':']))
        {
            let text = text.strip_prefix(':').unwrap_or(text).trim();
            comment = comment.or_else(|| Some(text.to_owned()).filter(|text| !text.is_empty()));
        } else if !SILENT.iter().any(|silent| word(said, silent).is_some()) {
            sql.push_str(line);
            sql.push('\n');
        }
    }
    (sql, comment)
}

/// Comments that Liquibase reads, and does not run.
const SILENT: [&str; 5] = ["rollback ", "precondition", "validCheckSum", "property ", "liquibase formatted"];

fn begins_a_way_back(line: &str) -> bool {
    let inside = line.trim_start().strip_prefix("/*").map(str::trim_start);
    let said = inside.and_then(|inside| word(inside, "liquibase")).map(str::trim_start);
    said.is_some_and(|said| word(said, "rollback").is_some())
}

/// What a line says behind the dashes of a comment.
fn directive(line: &str) -> Option<&str> {
    line.trim_start().strip_prefix("--").map(str::trim_start)
}

/// What stands behind a word, in large or small letters.
fn word<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let begin = text.get(..word.len())?;
    begin.eq_ignore_ascii_case(word).then(|| text.get(word.len()..)).flatten()
}

/// The value of `name:value`.
fn attribute(line: &str, name: &str) -> Option<String> {
    let mut words = line.split_whitespace();
    let value = words.find_map(|said| word(said, name)?.strip_prefix(':'))?;
    Some(value.trim_matches('"').to_owned()).filter(|value| !value.is_empty())
}

fn first_line(bytes: &[u8]) -> Option<Cow<'_, str>> {
    let mut lines = without_mark(bytes).split(|byte| *byte == b'\n').take(100);
    let line = String::from_utf8_lossy(lines.find(|line| !line.trim_ascii().is_empty())?);
    let said = directive(&line).and_then(|said| word(said, "liquibase")).map(str::trim_start);
    let said = said.and_then(|said| word(said, "formatted")).map(str::trim_start);
    said.and_then(|said| word(said, "sql")).is_some().then_some(line)
}

fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)
}

#[cfg(test)]
mod tests {
    use super::super::checksum;
    use super::*;

    const FILE: &str = concat!(
        "-- liquibase  formatted SQL logicalFilePath:db/x.sql\n\n",
        "--changeset alice:1\nCREATE TABLE a1(id int);\n--rollback DROP TABLE a1;\n\n",
        "--changeset alice:2 splitStatements:false stripComments:false endDelimiter:/\n--comment second one\n",
        "-- a plain comment\nCREATE TABLE a2(id int); /* block */\nINSERT INTO a2 VALUES (1);\n--rollback DROP TABLE a2;\n\n",
        "--changeset \"Bob Smith\":\"three x\" runOnChange:true\n--preconditions onFail:MARK_RAN\n",
        "--precondition-sql-check expectedResult:0 SELECT 0\n-- plain\nCREATE TABLE a3(id int);\n",
        "/* liquibase rollback\nDROP TABLE a3;\n*/\n\n",
        "--changeset carol:4 logicalFilePath:logical/x.sql\nCREATE TABLE a4(id int, -- trailing\n  t text default 'a -- b  c');\n",
        "--property name:foo value:bar\n--ChangeSet carol:7\nINSERT INTO a2 VALUES (7);  -- bar\n--ignoreLines:start\ngarbage\n",
        "--ignoreLines:end\n--ignoreLines:1\nmore garbage\nINSERT INTO a2 VALUES (8)\n--changeset ${who}:8\nSELECT 8\n",
    );

    /// What Liquibase 4.33.0 and 4.20.0 write into their tables.
    const SUMS: [(&str, &str, &str, &str); 5] = [
        ("1", "alice", "9:dfce0013934c6dc62a9a256c47851ba2", "8:212b1de25ed32bf219c07418c04d5103"),
        ("2", "alice", "9:d329698c4f2886e7246d0c8058a31243", "8:c259d325acbebc58692094506d5e3c26"),
        ("three x", "Bob Smith", "9:2fc1002338a95e46261dcc9391a25bc8", "8:7cb33a419158da4ced66ead68d9b914a"),
        ("4", "carol", "9:565efbd411650ac4f9a68f443f285052", "8:85b6199ba4d3cb2a899f95907df5cc2f"),
        ("7", "carol", "9:b84de0c9c2b49bfdc3e12c89ef2005ed", "8:41395e5c6cb05e45bf0fcfb6fb6e6350"),
    ];

    #[test]
    fn changesets_are_read_and_their_checksums_are_liquibases() {
        let bytes = FILE.replace('\n', "\r\n").into_bytes();
        for bytes in [FILE.as_bytes().to_vec(), bytes] {
            let changelog = read(&FolderFile { path: "x.sql".to_owned(), bytes });
            assert_eq!(changelog.logical.as_deref(), Some("db/x.sql"));
            assert_eq!(changelog.faults.len(), 1);
            assert_eq!(changelog.items.len(), SUMS.len());
            for (item, (id, author, nine, eight)) in changelog.items.iter().zip(SUMS) {
                let Item::ChangeSet(set) = item else { panic!("{item:?}") };
                assert_eq!((set.id.as_str(), set.author.as_str()), (id, author));
                let sql = of_part(&set.bytes).unwrap();
                assert_eq!(set.sql.as_ref(), Some(&sql));
                assert_eq!(checksum::of(&sql, nine).as_deref(), Some(nine), "{id}");
                assert_eq!(checksum::of(&sql, eight).as_deref(), Some(eight), "{id}");
            }
        }
    }

    #[test]
    fn a_changeset_is_its_part_of_the_file() {
        let file = FolderFile { path: "x.sql".to_owned(), bytes: FILE.as_bytes().to_vec() };
        let Item::ChangeSet(first) = &read(&file).items[0] else { panic!() };
        let part = "--changeset alice:1\nCREATE TABLE a1(id int);\n--rollback DROP TABLE a1;";
        assert_eq!(first.bytes, part.as_bytes());
        let Item::ChangeSet(second) = &read(&file).items[1] else { panic!() };
        assert_eq!(second.comment.as_deref(), Some("second one"));
    }

    #[test]
    fn whole_scripts_have_checksums_too() {
        let sql = whole(b"CREATE TABLE z9(id int);\n");
        for sum in ["9:632151b3cdec7adb8524a5cf7f3cee55", "8:a6b9286f88d8e7784ede401956c1235b"] {
            assert_eq!(checksum::of(&sql, sum).as_deref(), Some(sum));
        }
    }
}
