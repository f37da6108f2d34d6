//! Splits SQLite's SQL into statements, names their kind, and finds those that begin or end a transaction.

use super::lexer::{Lexer, Token, TokenKind};
use crate::scripts::refusal::Reason;
use crate::scripts::statement::{Control, MainVerb, OTHER, Statement, main_kind, upper};

/// The statements of a script in their order.
///
/// A semicolon ends a statement, except in the body of a `CREATE TRIGGER`: there only the one after the closing
/// `END` does, as in `sqlite3_complete`.
pub fn statements(sql: &str) -> Vec<Statement> {
    Statements::new(sql).collect()
}

/// Where the first statement stands that would end the transaction around a script, or begin one inside it.
pub fn refusal(sql: &str, transaction: bool) -> Option<(usize, Reason)> {
    if !transaction {
        return None;
    }
    Statements::new(sql)
        .find_map(|statement| Some((statement.range.start, Reason::TransactionControl(statement.control?))))
}

struct Statements<'a> {
    lexer: Lexer<'a>,
}

impl<'a> Statements<'a> {
    fn new(sql: &'a str) -> Self {
        Self { lexer: Lexer::new(sql) }
    }

    fn first_token(&mut self) -> Option<Token<'a>> {
        loop {
            self.lexer.begin_statement();
            let token = self.lexer.next()?;
            if token.kind != TokenKind::Semicolon {
                return Some(token);
            }
        }
    }
}

impl Iterator for Statements<'_> {
    type Item = Statement;

    fn next(&mut self) -> Option<Statement> {
        let Token { kind, range } = self.first_token()?;
        let mut reading = Reading::default();
        reading.take(kind);
        let mut end = range.end;
        for token in self.lexer.by_ref() {
            end = token.range.end;
            if reading.take(token.kind) {
                break;
            }
        }
        Some(Statement {
            range: range.start..end,
            kind: reading.kind().to_owned(),
            control: reading.control(),
        })
    }
}

/// The longest run of leading words that decides anything: `EXPLAIN QUERY PLAN CREATE TEMP TRIGGER`.
const HEAD_LENGTH: usize = 6;

/// What has to be remembered of a statement while its tokens go by.
#[derive(Default)]
struct Reading {
    /// The first tokens: words in upper case, an empty text for anything else.
    head: Vec<String>,
    main_verb: MainVerb,
    /// Whether the word `TO` occurs.
    to: bool,
    body: Body,
}

/// Where in a trigger the next token stands.
#[derive(Default, PartialEq)]
enum Body {
    /// Not in the body: no trigger, or before its `BEGIN`.
    #[default]
    Outside,
    /// Inside a statement of the body.
    Inside,
    /// At the first token of a statement of the body. Only here does `END` close it: elsewhere it ends a `CASE`
    /// or is the name of a column.
    Start,
    /// Behind the closing `END`.
    Closed,
}

impl Reading {
    /// Takes the next token; true when it ends the statement.
    fn take(&mut self, token: TokenKind<'_>) -> bool {
        if token == TokenKind::Semicolon {
            return self.take_semicolon();
        }
        let word = match token {
            TokenKind::Word(word) => word,
            _ => "",
        };
        self.main_verb.take(match token {
            TokenKind::Open => "(",
            TokenKind::Close => ")",
            _ => word,
        });
        self.take_body(word);
        self.to |= word.eq_ignore_ascii_case("TO");
        if self.head.len() < HEAD_LENGTH {
            // A driver that is given this statement alone trims what is behind its only word.
            let word = if self.head.is_empty() { word.trim_end() } else { word };
            self.head.push(upper(word));
        }
        false
    }

    fn take_semicolon(&mut self) -> bool {
        if matches!(self.body, Body::Inside | Body::Start) {
            self.body = Body::Start;
            return false;
        }
        true
    }

    fn take_body(&mut self, word: &str) {
        match self.body {
            Body::Outside if word.eq_ignore_ascii_case("BEGIN") && self.is_trigger() => {
                self.body = Body::Inside
            }
            Body::Start if word.eq_ignore_ascii_case("END") => self.body = Body::Closed,
            Body::Start => self.body = Body::Inside,
            Body::Outside | Body::Inside | Body::Closed => {}
        }
    }

    fn words(&self) -> Vec<&str> {
        self.head.iter().map(String::as_str).collect()
    }

    fn is_trigger(&self) -> bool {
        let words = self.words();
        let explained = match words.as_slice() {
            ["EXPLAIN", "QUERY", "PLAN", rest @ ..] | ["EXPLAIN", rest @ ..] => rest,
            rest => rest,
        };
        kind(explained) == "CREATE TRIGGER"
    }

    fn kind(&self) -> &'static str {
        match self.words().as_slice() {
            ["WITH", ..] => self.main_verb.verb().map_or(OTHER, verb_kind),
            ["ROLLBACK", ..] if self.to => "ROLLBACK TO",
            words => kind(words),
        }
    }

    fn control(&self) -> Option<Control> {
        match self.head.first()?.as_str() {
            "BEGIN" => Some(Control::Begin),
            "COMMIT" | "END" => Some(Control::Commit),
            "ROLLBACK" if !self.to => Some(Control::Rollback),
            _ => None,
        }
    }
}

fn kind(words: &[&str]) -> &'static str {
    match words {
        ["CREATE", "TEMP" | "TEMPORARY", rest @ ..] | ["CREATE", rest @ ..] => create_kind(rest),
        ["ALTER", "TABLE", ..] => "ALTER TABLE",
        ["DROP", "TABLE", ..] => "DROP TABLE",
        ["DROP", "INDEX", ..] => "DROP INDEX",
        ["DROP", "VIEW", ..] => "DROP VIEW",
        ["DROP", "TRIGGER", ..] => "DROP TRIGGER",
        ["BEGIN", ..] => "BEGIN",
        ["COMMIT" | "END", ..] => "COMMIT",
        ["ROLLBACK", ..] => "ROLLBACK",
        ["SAVEPOINT", ..] => "SAVEPOINT",
        ["RELEASE", ..] => "RELEASE",
        ["PRAGMA", ..] => "PRAGMA",
        ["VACUUM", ..] => "VACUUM",
        ["ANALYZE", ..] => "ANALYZE",
        ["REINDEX", ..] => "REINDEX",
        ["ATTACH", ..] => "ATTACH",
        ["DETACH", ..] => "DETACH",
        ["EXPLAIN", ..] => "EXPLAIN",
        [verb, ..] => verb_kind(verb),
        [] => OTHER,
    }
}

fn create_kind(words: &[&str]) -> &'static str {
    match words {
        ["TABLE", ..] => "CREATE TABLE",
        ["INDEX", ..] | ["UNIQUE", "INDEX", ..] => "CREATE INDEX",
        ["VIEW", ..] => "CREATE VIEW",
        ["TRIGGER", ..] => "CREATE TRIGGER",
        ["VIRTUAL", "TABLE", ..] => "CREATE VIRTUAL TABLE",
        _ => OTHER,
    }
}

/// SQLite knows `REPLACE` as a verb, and neither `TABLE` nor `MERGE`.
fn verb_kind(verb: &str) -> &'static str {
    match verb {
        "REPLACE" => "INSERT",
        "TABLE" | "MERGE" => OTHER,
        verb => main_kind(verb),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::scripts::{Dialect, Refusal};

    fn transaction_control(sql: &str) -> Option<(usize, Control)> {
        assert_eq!(crate::scripts::refusal(Dialect::Sqlite, sql, false), None);
        match crate::scripts::refusal(Dialect::Sqlite, sql, true)? {
            Refusal { line, reason: Reason::TransactionControl(control) } => Some((line, control)),
            other => panic!("{other}"),
        }
    }

    fn texts(sql: &str) -> Vec<&str> {
        statements(sql).into_iter().map(|statement| &sql[statement.range]).collect()
    }

    fn kind_of(sql: &str) -> String {
        let all = statements(sql);
        assert_eq!(all.len(), 1, "{sql}");
        all[0].kind.clone()
    }

    #[test]
    fn semicolons_end_statements_and_empty_ones_are_not_listed() {
        assert_eq!(texts("SELECT 1; SELECT 2"), ["SELECT 1;", "SELECT 2"]);
        assert_eq!(texts(" -- a;\n;;/* ; */ SELECT 1 /* b */ ; ; -- c"), ["SELECT 1 /* b */ ;"]);
        assert_eq!(texts("SELECT 1 -- end\n"), ["SELECT 1"]);
        assert_eq!(texts("a;\r\nb;\r\n"), ["a;", "b;"]);
        for empty in ["", " \t\r\n\u{c}", ";", "-- a", "/* a", "\u{feff}", "\u{a0}"] {
            assert_eq!(texts(empty), [""; 0]);
        }
    }

    #[test]
    fn semicolons_in_literals_and_names_end_nothing() {
        assert_eq!(
            texts("SELECT ';', \";\", `;`, [;], x'00;'; b"),
            ["SELECT ';', \";\", `;`, [;], x'00;';", "b"]
        );
        assert_eq!(texts("SELECT 'it''s;'; 'a; COMMIT;"), ["SELECT 'it''s;';", "'a; COMMIT;"]);
        assert_eq!(
            texts("INSERT INTO \"🦀;\" VALUES ('🦀;'); é"),
            ["INSERT INTO \"🦀;\" VALUES ('🦀;');", "é"]
        );
    }

    #[test]
    fn a_trigger_ends_behind_its_closing_end() {
        for trigger in [
            "CREATE TRIGGER a AFTER INSERT ON b BEGIN SELECT 1; SELECT 2; END;",
            "create temp trigger if not exists a after insert on b begin select 1; end ;",
            "CREATE TEMPORARY TRIGGER a AFTER INSERT ON b BEGIN SELECT 1; /* ; */ END -- ;\n;",
            "CREATE TRIGGER a AFTER UPDATE ON b WHEN CASE WHEN 1 THEN 0 END BEGIN SELECT 1; END;",
            "CREATE TRIGGER a AFTER UPDATE ON b BEGIN UPDATE c SET d = CASE d WHEN 1 THEN CASE 2 WHEN 2 THEN 3 END \
             ELSE 4 END; SELECT CASE WHEN 1 THEN 2 END; END;",
            "CREATE TRIGGER a AFTER INSERT ON b BEGIN SELECT end, begin FROM c; SELECT 'END;'; END;",
            "CREATE TRIGGER begin AFTER UPDATE ON b WHEN CASE WHEN 1 THEN begin END BEGIN SELECT 1; END;",
            "EXPLAIN QUERY PLAN CREATE TEMP TRIGGER a AFTER INSERT ON b BEGIN SELECT 1; END;",
            "EXPLAIN CREATE TRIGGER a AFTER INSERT ON b BEGIN SELECT 1; END;",
        ] {
            let sql = format!("{trigger} COMMIT;");
            assert_eq!(texts(&sql), [trigger, "COMMIT;"]);
            assert_eq!(transaction_control(trigger), None);
        }
    }

    #[test]
    fn only_a_trigger_has_a_body() {
        assert_eq!(texts("CREATE TABLE trigger (begin); END;"), ["CREATE TABLE trigger (begin);", "END;"]);
        assert_eq!(texts("CREATE \"TRIGGER\" a BEGIN; b"), ["CREATE \"TRIGGER\" a BEGIN;", "b"]);
        assert_eq!(texts("DROP TRIGGER begin; b"), ["DROP TRIGGER begin;", "b"]);
        assert_eq!(texts("CREATE TRIGGER a; COMMIT;"), ["CREATE TRIGGER a;", "COMMIT;"]);
    }

    #[test]
    fn kinds_are_named_by_their_leading_words() {
        for (sql, kind) in [
            ("create table a (b)", "CREATE TABLE"),
            ("CREATE TEMP TABLE IF NOT EXISTS a (b)", "CREATE TABLE"),
            ("CREATE/**/UNIQUE -- a\r\nINDEX a ON b (c)", "CREATE INDEX"),
            ("CREATE INDEX a ON b (c)", "CREATE INDEX"),
            ("CREATE TEMPORARY VIEW a AS SELECT 1", "CREATE VIEW"),
            ("CREATE TRIGGER a AFTER INSERT ON b BEGIN SELECT 1; END", "CREATE TRIGGER"),
            ("CREATE VIRTUAL TABLE a USING fts5(b)", "CREATE VIRTUAL TABLE"),
            ("CREATE a", "OTHER"),
            ("CREATE", "OTHER"),
            ("ALTER TABLE a RENAME TO b", "ALTER TABLE"),
            ("DROP TABLE IF EXISTS a", "DROP TABLE"),
            ("DROP INDEX a", "DROP INDEX"),
            ("DROP VIEW a", "DROP VIEW"),
            ("DROP TRIGGER a", "DROP TRIGGER"),
            ("INSERT OR ROLLBACK INTO a VALUES (1)", "INSERT"),
            ("REPLACE INTO a VALUES (1)", "INSERT"),
            ("UPDATE a SET b = 1", "UPDATE"),
            ("DELETE FROM a", "DELETE"),
            ("SELECT(1)", "SELECT"),
            ("VALUES (1)", "VALUES"),
            ("PRAGMA foreign_keys = OFF", "PRAGMA"),
            ("begin immediate", "BEGIN"),
            ("COMMIT", "COMMIT"),
            ("END TRANSACTION", "COMMIT"),
            ("ROLLBACK", "ROLLBACK"),
            ("ROLLBACK TO a", "ROLLBACK TO"),
            ("SAVEPOINT a", "SAVEPOINT"),
            ("RELEASE a", "RELEASE"),
            ("VACUUM", "VACUUM"),
            ("ANALYZE", "ANALYZE"),
            ("REINDEX a", "REINDEX"),
            ("ATTACH 'a' AS b", "ATTACH"),
            ("DETACH b", "DETACH"),
            ("EXPLAIN DELETE FROM a", "EXPLAIN"),
            ("\u{feff}DELETE FROM a", "DELETE"),
            ("secret_name", "OTHER"),
            ("\"SELECT\" 1", "OTHER"),
            ("'DELETE'", "OTHER"),
            ("SELECT_ 1", "OTHER"),
            ("1 SELECT", "OTHER"),
            ("(SELECT 1)", "OTHER"),
        ] {
            assert_eq!(kind_of(sql), kind, "{sql}");
        }
    }

    #[test]
    fn a_with_is_named_by_its_main_verb() {
        for (sql, kind) in [
            ("WITH a AS (SELECT 1) SELECT * FROM a", "SELECT"),
            (
                "WITH RECURSIVE a(b) AS (SELECT 1), c AS NOT MATERIALIZED (SELECT (2)) INSERT INTO d SELECT 1",
                "INSERT",
            ),
            ("WITH a AS (DELETE) REPLACE INTO b SELECT 1", "INSERT"),
            ("WITH a AS (SELECT ')') UPDATE b SET c = (SELECT 1) WHERE d", "UPDATE"),
            ("WITH a AS (SELECT 1)DELETE FROM b", "DELETE"),
            ("WITH a AS (SELECT 1) VALUES (1)", "VALUES"),
            ("WITH replace (b) AS (SELECT 1) SELECT 1", "SELECT"),
            ("WITH \"update\" AS (SELECT 1) SELECT 1", "SELECT"),
            ("WITH a AS (SELECT 1) secret", "OTHER"),
            ("WITH a AS (SELECT 1", "OTHER"),
            ("WITH", "OTHER"),
        ] {
            assert_eq!(kind_of(sql), kind, "{sql}");
        }
    }

    #[test]
    fn transaction_control_is_found_with_its_line() {
        for (sql, found) in [
            ("BEGIN;", (1, Control::Begin)),
            ("SELECT 1;\nbegin exclusive transaction;\nCOMMIT;", (2, Control::Begin)),
            ("SELECT\r\n1;\r\n\r\n  COMMIT", (4, Control::Commit)),
            ("-- a\n/* b\n */ END;", (3, Control::Commit)),
            ("END TRANSACTION", (1, Control::Commit)),
            ("ROLLBACK", (1, Control::Rollback)),
            ("ROLLBACK TRANSACTION a", (1, Control::Rollback)),
            ("ROLLBACK TRANSACTION \"TO\"", (1, Control::Rollback)),
            ("ROLLBACK TRANSACTION to\u{a0};", (1, Control::Rollback)),
            ("\u{feff}COMMIT", (1, Control::Commit)),
            ("SELECT 1;\u{feff}COMMIT", (1, Control::Commit)),
            ("SELECT '🦀';/**/;COMMIT/* a */;", (1, Control::Commit)),
        ] {
            assert_eq!(transaction_control(sql), Some(found), "{sql:?}");
        }
    }

    #[test]
    fn what_only_looks_like_transaction_control_is_none() {
        for sql in [
            "SAVEPOINT a; RELEASE a; RELEASE SAVEPOINT a;",
            "ROLLBACK TO a; ROLLBACK TRANSACTION TO SAVEPOINT a; rollback transaction b to a",
            "INSERT OR ROLLBACK INTO a VALUES ('x; COMMIT;')",
            "-- BEGIN;\n/* COMMIT; */ SELECT \"; END;\", [;ROLLBACK;], `;BEGIN`",
            "SELECT 'BEGIN; COMMIT;",
            "SELECT CASE WHEN 1 THEN 2 END; SELECT begin FROM a",
            "CREATE TABLE begin (commit_at, rollback_at)",
            "\"BEGIN\"; 'COMMIT'; BEGINNING; end_; commit$",
            "EXPLAIN COMMIT",
        ] {
            assert_eq!(transaction_control(sql), None, "{sql:?}");
        }
    }

    #[test]
    fn nothing_hides_transaction_control_from_us_that_sqlite_or_its_driver_would_run() {
        for sql in [
            "SELECT $a('); COMMIT; --')",
            "SELECT 'it''s'; COMMIT; --'",
            "SELECT '\\'; COMMIT; --'",
            "SELECT 1 -- '\n; COMMIT; -- '",
            "SELECT [a'] FROM b; COMMIT; --'",
            "SELECT /* /* */ 1; COMMIT; -- */",
            "CREATE TRIGGER a AFTER INSERT ON b BEGIN SELECT CASE 1 WHEN 1 THEN 1 END, begin; END; COMMIT;",
            "SELECT 1; \u{b}COMMIT",
            "\u{a0}COMMIT",
            "COMMIT\u{a0}",
            "SELECT 1; /* a */ \u{2003}/* b */\u{a0}COMMIT\u{a0}-- a",
        ] {
            assert_eq!(
                transaction_control(sql),
                Some((1 + sql.matches('\n').count(), Control::Commit)),
                "{sql:?}"
            );
        }
    }

    const PIECES: &str = "(CREATE |TEMP |TRIGGER |TABLE |BEGIN |END|CASE |WITH |AS|SELECT |;|;|'|\"|`|\\[|\\]|--|/\\*|\\*/\
        |\n|\r\n| |\\(|\\)|\\$a\\(|:|x'|1\\.|🦀|é|\u{feff}|\u{a0}|\u{b}){0,30}";

    fn holds_ranges(sql: &str) -> Result<(), TestCaseError> {
        let mut end = 0;
        for Statement { range, kind, .. } in statements(sql) {
            prop_assert!(end <= range.start && range.start < range.end && range.end <= sql.len());
            prop_assert!(sql.is_char_boundary(range.start) && sql.is_char_boundary(range.end));
            prop_assert!(kind.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b' '));
            prop_assert!(is_blank(&sql[end..range.start]), "{:?}", &sql[end..range.start]);
            end = range.end;
        }
        prop_assert!(is_blank(&sql[end..]), "{:?}", &sql[end..]);
        Ok(())
    }

    /// Whether a text is white space, comments and stray semicolons; written apart from the lexer.
    fn is_blank(text: &str) -> bool {
        let rest = text.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}' || c == ';');
        if let Some(comment) = rest.strip_prefix("--") {
            return comment.split_once('\n').is_none_or(|(_, below)| is_blank(below));
        }
        if let Some(comment) = rest.strip_prefix("/*") {
            return comment.split_once("*/").is_none_or(|(_, behind)| is_blank(behind));
        }
        rest.is_empty()
    }

    proptest! {
        #[test]
        fn ranges_hold_everything_but_white_space_and_comments(sql in PIECES) {
            holds_ranges(&sql)?;
        }

        #[test]
        fn any_string_is_split(sql in any::<String>()) {
            holds_ranges(&sql)?;
            transaction_control(&sql);
        }

        #[test]
        fn scripts_put_together_split_into_the_same_statements(parts in prop::collection::vec(0..5usize, 0..8)) {
            let all = [
                "SELECT 'a;';", "COMMIT;", "-- c ;\nUPDATE a SET b = 1;", "DELETE FROM \"x;\";",
                "CREATE TRIGGER a AFTER INSERT ON b BEGIN SELECT 1; END;",
            ];
            let sql: String = parts.iter().map(|&part| all[part]).collect();
            let kinds: Vec<_> = statements(&sql).into_iter().map(|statement| statement.kind).collect();
            let expected: Vec<_> = parts.iter().map(|&part| kind_of(all[part])).collect();
            prop_assert_eq!(kinds, expected);
        }
    }
}
