//! Splits MySQL's and MariaDB's SQL into statements.

use std::ops::Range;

use super::body::Body;
use super::kind;
use super::lexer::{Lexer, Token, TokenKind};
use super::refusal::Assignments;
use crate::scripts::refusal::Reason;
use crate::scripts::statement::{Control, MainVerb, Statement, is_one_of};

/// The statements of a script in their order.
///
/// A semicolon ends a statement, except in the body of a routine, a trigger or an event: there only the one behind
/// the last block does. The delimiter that a `DELIMITER` command names ends any statement.
pub fn statements(sql: &str) -> Vec<Statement> {
    let mut lexer = Lexer::new(sql);
    std::iter::from_fn(|| Reading::next(&mut lexer)).map(|reading| reading.statement()).collect()
}

/// The longest run of leading tokens that decides anything: up to `TRIGGER` behind a definer.
const HEAD_LENGTH: usize = 24;

/// The same for what follows on the bounds of an executable comment.
const SEGMENT_LENGTH: usize = 4;

/// The functions over locks by name; greffe's own is one of these locks.
const LOCK_FUNCTIONS: [&str; 3] = ["GET_LOCK", "RELEASE_LOCK", "RELEASE_ALL_LOCKS"];

/// What has to be remembered of a statement while its tokens go by.
pub(super) struct Reading<'a> {
    /// From the first token to the last one before semicolon or delimiter.
    pub(super) range: Range<usize>,
    /// The first tokens, those in executable comments among them.
    head: Vec<Token<'a>>,
    /// The first tokens behind each place where a server that skips executable comments would see a statement begin.
    pub(super) segments: Vec<Vec<Token<'a>>>,
    main_verb: MainVerb,
    body: Option<Body>,
    /// The executable comment in which the body was found to begin.
    body_in: Option<usize>,
    /// The two tokens before this one.
    before: [Option<TokenKind<'a>>; 2],
    pub(super) assignments: Assignments,
    /// A call of a function over locks.
    pub(super) lock: Option<(usize, &'static str)>,
    /// Where something in it cannot run as it stands.
    pub(super) fault: Option<(usize, Reason)>,
}

impl<'a> Reading<'a> {
    fn new(start: usize) -> Self {
        Self {
            range: start..start,
            head: Vec::new(),
            segments: Vec::new(),
            main_verb: MainVerb::default(),
            body: None,
            body_in: None,
            before: [None, None],
            assignments: Assignments::default(),
            lock: None,
            fault: None,
        }
    }

    /// Reads the next statement that is not empty.
    pub(super) fn next(lexer: &mut Lexer<'a>) -> Option<Self> {
        let mut reading: Option<Self> = None;
        loop {
            if reading.is_none() {
                lexer.obey_delimiter_commands();
            }
            let Some(token) = lexer.next() else { break };
            let is_empty = reading.as_ref().is_none_or(|reading| reading.head.is_empty());
            match token.kind {
                TokenKind::Semicolon | TokenKind::Delimiter if is_empty => reading = None,
                TokenKind::Delimiter => break,
                TokenKind::Semicolon => {
                    if reading.as_mut().is_none_or(|reading| reading.take_semicolon(&token, lexer)) {
                        break;
                    }
                }
                _ => reading.get_or_insert_with(|| Self::new(token.range.start)).take(token, lexer),
            }
        }
        let mut reading = reading.filter(|reading| !reading.head.is_empty())?;
        if reading.body.as_ref().is_some_and(Body::is_open) {
            lexer.set_fault(reading.range.start, Reason::Body);
        }
        if lexer.executable().is_some() {
            lexer.set_fault(reading.range.start, Reason::ExecutableComment);
        }
        reading.assignments.end();
        reading.fault = lexer.fault();
        Some(reading)
    }

    /// Takes a semicolon; true when it ends the statement. One inside of a body has to be in the same executable
    /// comment as the body's beginning: else a server that skips that comment would see the statement end.
    fn take_semicolon(&mut self, token: &Token<'a>, lexer: &mut Lexer<'a>) -> bool {
        let Some(body) = &mut self.body else { return true };
        if body.take_semicolon() {
            return true;
        }
        if lexer.executable() != self.body_in {
            lexer.set_fault(token.range.start, Reason::ExecutableComment);
        }
        self.range.end = token.range.end;
        self.before = [self.before[1], Some(token.kind)];
        false
    }

    fn take(&mut self, token: Token<'a>, lexer: &Lexer<'a>) {
        self.range.end = token.range.end;
        if token.kind == TokenKind::Executable {
            self.segments.push(Vec::new());
            return;
        }
        let kind = token.kind;
        self.take_body(kind, lexer);
        self.take_lock(kind, token.range.start);
        self.main_verb.take(main_word(kind));
        if self.begins_set(kind) {
            self.assignments.begin();
        } else {
            self.assignments.take(kind, self.before, self.main_verb.depth());
        }
        if let Some(segment) = self.segments.last_mut().filter(|segment| segment.len() < SEGMENT_LENGTH) {
            segment.push(token.clone());
        }
        // `SET STATEMENT … FOR` runs the statement behind it.
        if is(kind, "FOR")
            && matches!(self.words().as_slice(), [set, statement, ..] if set == "SET" && statement == "STATEMENT")
        {
            self.segments.push(Vec::new());
        }
        if self.head.len() < HEAD_LENGTH {
            self.head.push(token);
        }
        self.before = [self.before[1], Some(kind)];
    }

    fn begins_set(&self, kind: TokenKind<'_>) -> bool {
        let begins = self.head.is_empty() || self.segments.last().is_some_and(Vec::is_empty);
        begins && is(kind, "SET")
    }

    fn take_body(&mut self, kind: TokenKind<'a>, lexer: &Lexer<'a>) {
        let before = self.before[1];
        if let Some(body) = &mut self.body {
            let was_open = body.is_open();
            body.take(kind, before);
            if !was_open {
                self.body_in = lexer.executable();
            }
        } else if self.head.len() < HEAD_LENGTH && matches!(self.first_word(), Some("CREATE" | "ALTER")) {
            let words = kind::words(self.head.iter().map(|token| token.kind).chain([kind]));
            self.body = kind::definition(&borrowed(&words)).map(Body::new);
        }
    }

    fn first_word(&self) -> Option<&'static str> {
        match self.head.first()?.kind {
            TokenKind::Word(word) => {
                ["CREATE", "ALTER"].into_iter().find(|known| word.eq_ignore_ascii_case(known))
            }
            _ => None,
        }
    }

    fn take_lock(&mut self, kind: TokenKind<'a>, start: usize) {
        let Some(TokenKind::Word(name) | TokenKind::Name(name)) = self.before[1] else { return };
        if kind == TokenKind::Open && self.lock.is_none() {
            let found = LOCK_FUNCTIONS.into_iter().find(|known| name.eq_ignore_ascii_case(known));
            self.lock = found.map(|found| (start, found));
        }
    }

    /// The leading tokens as words.
    pub(super) fn words(&self) -> Vec<String> {
        kind::words(self.head.iter().map(|token| token.kind))
    }

    fn statement(&self) -> Statement {
        let words = self.words();
        let words = borrowed(&words);
        Statement {
            range: self.range.clone(),
            kind: kind::kind(&words, self.main_verb.verb()),
            control: kind::control(&words)
                .or_else(|| self.assignments.autocommit.then_some(Control::Autocommit)),
        }
    }
}

pub(super) fn borrowed(words: &[String]) -> Vec<&str> {
    words.iter().map(String::as_str).collect()
}

fn main_word(kind: TokenKind<'_>) -> &str {
    match kind {
        TokenKind::Word(word) => word,
        TokenKind::Open => "(",
        TokenKind::Close => ")",
        _ => "",
    }
}

fn is(kind: TokenKind<'_>, word: &str) -> bool {
    matches!(kind, TokenKind::Word(found) if is_one_of(found, &[word]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CORPUS: &str = include_str!("corpus.sql");

    fn texts(sql: &str) -> Vec<&str> {
        statements(sql).into_iter().map(|statement| &sql[statement.range]).collect()
    }

    /// The scripts of the corpus with the number of statements that MariaDB completed.
    fn corpus() -> impl Iterator<Item = (usize, &'static str)> {
        CORPUS.split("==== ").skip(1).map(|entry| {
            let (head, sql) = entry.split_once('\n').unwrap();
            (head.split(' ').next().unwrap().parse().unwrap(), sql)
        })
    }

    #[test]
    fn there_are_as_many_statements_as_mariadb_completes() {
        for (count, sql) in corpus() {
            assert_eq!(statements(sql).len(), count, "{sql}");
            assert_eq!(super::super::refusal(sql), None, "{sql}");
        }
    }

    #[test]
    fn a_range_holds_neither_semicolon_nor_delimiter() {
        assert_eq!(texts(" -- a;\n;/* ; */ SELECT 1 /* b */ ; ; # c"), ["SELECT 1"]);
        assert_eq!(texts("DELIMITER //\nSELECT 1 // SELECT 2; é//"), ["SELECT 1", "SELECT 2", "é"]);
        assert_eq!(texts("SELECT 1;\ndelimiter $$\r\nEND$$a$$"), ["SELECT 1", "END", "a"]);
        assert_eq!(texts("SELECT 1; /*!50003 SELECT 2 */; b"), ["SELECT 1", "/*!50003 SELECT 2 */", "b"]);
        assert_eq!(texts("SELECT a\nDELIMITER //"), ["SELECT a\nDELIMITER //"]);
        assert_eq!(texts("DELIMITER_ a; b"), ["DELIMITER_ a", "b"]);
        for empty in
            ["", " \t\r\n\u{c}", ";", "-- a", "--", "#", "/* a", "/*! */;", "DELIMITER //", "DELIMITER"]
        {
            assert_eq!(texts(empty), [""; 0]);
        }
    }

    #[test]
    fn a_semicolon_behind_the_body_ends_it_under_any_delimiter() {
        let sql = "DELIMITER //\nCREATE PROCEDURE p() BEGIN a; END; COMMIT; //";
        assert_eq!(texts(sql), ["CREATE PROCEDURE p() BEGIN a; END", "COMMIT"]);
        assert_eq!(texts("CREATE PROCEDURE p() SELECT 1; COMMIT").len(), 2);
        assert_eq!(texts("CREATE PROCEDURE p() set: BEGIN a; END set; COMMIT").len(), 2);
        assert_eq!(texts("CREATE FUNCTION f RETURNS STRING SONAME 'begin'; COMMIT").len(), 2);
        assert_eq!(texts("CREATE TABLE procedure (begin int); COMMIT").len(), 2);
        assert_eq!(texts("DROP PROCEDURE begin; COMMIT").len(), 2);
    }

    #[test]
    fn kinds_are_named_by_their_leading_words() {
        for (sql, kind) in [
            ("create table a (b int)", "CREATE TABLE"),
            ("CREATE OR REPLACE TEMPORARY TABLE a (b int)", "CREATE TABLE"),
            ("CREATE FULLTEXT INDEX a ON b (c)", "CREATE INDEX"),
            ("CREATE ALGORITHM=MERGE DEFINER=a@b.c SQL SECURITY DEFINER VIEW d AS SELECT 1", "CREATE VIEW"),
            ("CREATE DEFINER='a'@'%' TRIGGER b AFTER INSERT ON c FOR EACH ROW SET @d = 1", "CREATE TRIGGER"),
            ("CREATE DEFINER = event EVENT a ON SCHEDULE EVERY 1 DAY DO SELECT 1", "CREATE EVENT"),
            (
                "/*!50003 CREATE*/ /*!50020 DEFINER=`a`@`b`*/ /*!50003 PROCEDURE `c`() SELECT 1 */",
                "CREATE PROCEDURE",
            ),
            ("CREATE AGGREGATE FUNCTION a RETURNS REAL SONAME 'b'", "CREATE FUNCTION"),
            ("CREATE SCHEMA a", "CREATE DATABASE"),
            ("CREATE secret", "OTHER"),
            ("ALTER IGNORE TABLE a ADD b int", "ALTER TABLE"),
            ("DROP TEMPORARY TABLE a", "DROP TABLE"),
            ("DROP PREPARE a", "DROP PREPARE"),
            ("RENAME TABLE a TO b", "RENAME TABLE"),
            ("TRUNCATE a", "TRUNCATE"),
            ("REPLACE INTO a VALUES (1)", "REPLACE"),
            ("insert ignore into a values (1)", "INSERT"),
            ("WITH a AS (SELECT 1) DELETE FROM b", "DELETE"),
            ("LOAD DATA INFILE 'a' INTO TABLE b", "LOAD DATA"),
            ("LOCK TABLES a WRITE", "LOCK TABLES"),
            ("UNLOCK TABLES", "UNLOCK TABLES"),
            ("ROLLBACK WORK TO SAVEPOINT a", "ROLLBACK TO"),
            ("`CREATE` TABLE a", "OTHER"),
            ("secret_name", "OTHER"),
        ] {
            let all = statements(sql);
            assert_eq!((all.len(), all[0].kind.as_str()), (1, kind), "{sql}");
        }
    }

    #[test]
    fn control_is_told() {
        for (sql, control) in [
            ("BEGIN", Some(Control::Begin)),
            ("START TRANSACTION", Some(Control::Begin)),
            ("START SLAVE", None),
            ("COMMIT WORK", Some(Control::Commit)),
            ("rollback", Some(Control::Rollback)),
            ("ROLLBACK TO a", None),
            ("XA START 'a'", Some(Control::TwoPhase)),
            ("SET @a = 1, @@session.autocommit := 0", Some(Control::Autocommit)),
            ("SET @autocommit = 1", None),
            ("UPDATE t SET autocommit = 1", None),
        ] {
            assert_eq!(statements(sql)[0].control, control, "{sql}");
        }
    }

    const PIECES: &str = "(CREATE |PROCEDURE |TRIGGER |p\\(\\) |FOR |EACH ROW |BEGIN |END|CASE |IF |THEN |LOOP |UNTIL \
        |DECLARE |HANDLER |WITH |SELECT |SET |autocommit=|DELIMITER //|DELIMITER \\$\\$\n|//|\\$\\$|;|;|'|\"|`|\\\\|#|-- \
        |/\\*|/\\*!|/\\*M!5|\\*/|\n|\r\n| |\\(|\\)|@|,|🦀|é|\u{feff}|\u{a0}|\u{b}){0,30}";

    fn holds_ranges(sql: &str) -> Result<(), TestCaseError> {
        let mut end = 0;
        let mut gaps = Vec::new();
        for Statement { range, kind, .. } in statements(sql) {
            prop_assert!(end <= range.start && range.start < range.end && range.end <= sql.len());
            prop_assert!(sql.is_char_boundary(range.start) && sql.is_char_boundary(range.end));
            prop_assert!(kind.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b' '));
            gaps.push(end..range.start);
            end = range.end;
        }
        gaps.push(end..sql.len());
        let mut lexer = Lexer::new(sql);
        let mut at_start = true;
        loop {
            if at_start {
                lexer.obey_delimiter_commands();
            }
            let Some(Token { kind, range }) = lexer.next() else { break };
            let is_outside = gaps.iter().any(|gap| gap.start <= range.start && range.end <= gap.end);
            let is_end = matches!(kind, TokenKind::Semicolon | TokenKind::Delimiter);
            prop_assert!(!is_outside || is_end || kind == TokenKind::Executable);
            at_start = is_outside && is_end || at_start && kind == TokenKind::Executable;
        }
        Ok(())
    }

    proptest! {
        #[test]
        fn ranges_hold_all_tokens(sql in PIECES) {
            holds_ranges(&sql)?;
            super::super::refusal(&sql);
        }

        #[test]
        fn any_string_is_split(sql in any::<String>()) {
            holds_ranges(&sql)?;
            super::super::refusal(&sql);
        }

        #[test]
        fn scripts_put_together_split_into_the_same_statements(parts in prop::collection::vec(0..corpus().count(), 0..6)) {
            let all: Vec<_> = corpus().collect();
            let sql: String = parts.iter().map(|&part| format!("{}\n;\nDELIMITER ;\n", all[part].1)).collect();
            let expected: usize = parts.iter().map(|&part| all[part].0).sum();
            prop_assert_eq!(statements(&sql).len(), expected);
        }
    }
}
