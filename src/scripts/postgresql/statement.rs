//! Splits PostgreSQL's SQL into statements.

use std::ops::Range;

use super::kind;
use super::lexer::{Lexer, Token, TokenKind};
use crate::scripts::refusal::Reason;
use crate::scripts::statement::{MainVerb, Statement, is_one_of, upper};

/// The statements of a script in their order.
///
/// A semicolon ends a statement, except between parentheses, where it parts the actions of a rule, and in a body
/// from `BEGIN ATOMIC` to `END`.
pub fn statements(sql: &str) -> Vec<Statement> {
    let mut lexer = Lexer::new(sql);
    std::iter::from_fn(|| Reading::next(&mut lexer)).map(|reading| reading.statement()).collect()
}

/// The longest run of leading tokens that decides anything.
const HEAD_LENGTH: usize = 12;

/// What has to be remembered of a statement while its tokens go by.
pub(super) struct Reading<'a> {
    /// From the first token to the semicolon or the last token.
    pub(super) range: Range<usize>,
    /// The first tokens.
    head: Vec<Token<'a>>,
    main_verb: MainVerb,
    body: Body,
    /// The two tokens before this one.
    before: [Option<TokenKind<'a>>; 2],
    /// What only a look at all of the tokens finds.
    pub(super) traits: Traits,
    /// Where the lexer met something in it that is no SQL.
    pub(super) fault: Option<(usize, Reason)>,
}

/// What was met somewhere in a statement.
#[derive(Debug, Default)]
pub(super) struct Traits {
    /// `STDIN` or `STDOUT` behind `FROM`, outside of parentheses.
    pub(super) from_client: bool,
    /// The same behind `TO`.
    pub(super) to_client: bool,
    /// `DETACH PARTITION`.
    pub(super) detaches: bool,
    /// `CONCURRENTLY` is the last word.
    pub(super) concurrently_last: bool,
    /// `connect`, `create_slot` or `refresh` is declined.
    pub(super) declines: bool,
    /// A setting that decides what the text means, as a literal behind `set_config(`.
    pub(super) configures: Option<&'static str>,
}

/// Where in a SQL-standard body the next token stands.
#[derive(Debug, Default, PartialEq)]
enum Body {
    /// Not in the body: no routine, or before its `BEGIN ATOMIC`.
    #[default]
    Outside,
    /// Inside a statement of the body.
    Inside,
    /// At the first token of a statement of the body. Only here does `END` close it: elsewhere it ends a `CASE` or
    /// is the name of a column.
    Start,
    /// Behind the closing `END`.
    Closed,
}

impl<'a> Reading<'a> {
    /// Reads the next statement that is not empty.
    pub(super) fn next(lexer: &mut Lexer<'a>) -> Option<Self> {
        let first = lexer.find(|token| token.kind != TokenKind::Semicolon)?;
        let mut reading = Self {
            range: first.range.clone(),
            head: Vec::with_capacity(HEAD_LENGTH),
            main_verb: MainVerb::default(),
            body: Body::Outside,
            before: [None, None],
            traits: Traits::default(),
            fault: None,
        };
        let mut token = Some(first);
        while let Some(taken) = token {
            reading.range.end = taken.range.end;
            if reading.take(taken) {
                break;
            }
            token = lexer.next();
        }
        reading.fault = lexer.fault();
        Some(reading)
    }

    /// Takes the next token; true when it ends the statement.
    fn take(&mut self, token: Token<'a>) -> bool {
        let kind = token.kind;
        if kind == TokenKind::Semicolon && self.main_verb.depth() == 0 {
            if self.body == Body::Outside || self.body == Body::Closed {
                return true;
            }
            self.body = Body::Start;
            return false;
        }
        self.take_body(kind);
        self.take_traits(kind);
        self.main_verb.take(word(kind));
        if self.head.len() < HEAD_LENGTH {
            self.head.push(token);
        }
        self.before = [self.before[1], Some(kind)];
        false
    }

    fn take_body(&mut self, kind: TokenKind<'_>) {
        if self.main_verb.depth() > 0 {
            return;
        }
        match self.body {
            Body::Outside if is(kind, "ATOMIC") && self.is_behind("BEGIN") && self.is_routine() => {
                self.body = Body::Start;
            }
            Body::Start if is(kind, "END") => self.body = Body::Closed,
            Body::Start => self.body = Body::Inside,
            Body::Outside | Body::Inside | Body::Closed => {}
        }
    }

    fn take_traits(&mut self, kind: TokenKind<'_>) {
        let traits = &mut self.traits;
        if let TokenKind::Word(word) = kind {
            traits.concurrently_last = word.eq_ignore_ascii_case("CONCURRENTLY");
        }
        let [Some(second), Some(first)] = self.before else { return };
        match kind {
            TokenKind::Word(word) if is_one_of(word, &["STDIN", "STDOUT"]) && self.main_verb.depth() == 0 => {
                traits.from_client |= is(first, "FROM");
                traits.to_client |= is(first, "TO");
            }
            TokenKind::Word(word) if word.eq_ignore_ascii_case("PARTITION") => {
                traits.detaches |= is(first, "DETACH");
            }
            TokenKind::Literal(literal) if first == TokenKind::Open && is_set_config(second) => {
                traits.configures = traits.configures.or(text_setting(literal.trim_matches('\'')));
            }
            _ => {}
        }
        let option = first == TokenKind::Equals
            && ["CONNECT", "CREATE_SLOT", "REFRESH"].into_iter().any(|name| is(second, name));
        if let (true, TokenKind::Word(value) | TokenKind::Literal(value)) = (option, kind) {
            traits.declines |= is_one_of(value.trim_matches('\''), &["FALSE", "OFF"]);
        }
    }

    fn is_behind(&self, word: &str) -> bool {
        self.before[1].is_some_and(|before| is(before, word))
    }

    fn is_routine(&self) -> bool {
        matches!(self.kind().as_str(), "CREATE FUNCTION" | "CREATE PROCEDURE")
    }

    /// The leading tokens: bare words in upper case, parentheses, an empty text for anything else.
    pub(super) fn words(&self) -> Vec<String> {
        self.head.iter().map(|token| upper(word(token.kind))).collect()
    }

    /// The leading tokens themselves.
    pub(super) fn head(&self) -> &[Token<'a>] {
        &self.head
    }

    fn kind(&self) -> String {
        let words = self.words();
        kind::kind(&borrowed(&words), self.main_verb.verb())
    }

    fn statement(&self) -> Statement {
        let words = self.words();
        let words = borrowed(&words);
        Statement {
            range: self.range.clone(),
            kind: kind::kind(&words, self.main_verb.verb()),
            control: kind::control(&words),
        }
    }
}

pub(super) fn borrowed(words: &[String]) -> Vec<&str> {
    words.iter().map(String::as_str).collect()
}

/// The setting of that name, where it decides how a script reads.
pub(super) fn text_setting(name: &str) -> Option<&'static str> {
    ["standard_conforming_strings", "client_encoding"]
        .into_iter()
        .find(|known| name.eq_ignore_ascii_case(known))
}

fn word(kind: TokenKind<'_>) -> &str {
    match kind {
        TokenKind::Word(word) => word,
        TokenKind::Open => "(",
        TokenKind::Close => ")",
        _ => "",
    }
}

fn is(kind: TokenKind<'_>, word: &str) -> bool {
    matches!(kind, TokenKind::Word(found) if found.eq_ignore_ascii_case(word))
}

fn is_set_config(kind: TokenKind<'_>) -> bool {
    matches!(kind, TokenKind::Word(name) | TokenKind::Name(name) if name.eq_ignore_ascii_case("set_config"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::scripts::statement::Control;

    const CORPUS: &str = include_str!("corpus.sql");

    fn texts(sql: &str) -> Vec<&str> {
        statements(sql).into_iter().map(|statement| &sql[statement.range]).collect()
    }

    fn kind_of(sql: &str) -> String {
        let all = statements(sql);
        assert_eq!(all.len(), 1, "{sql}");
        all[0].kind.clone()
    }

    /// The scripts of the corpus with the number of statements that PostgreSQL completed.
    fn corpus() -> impl Iterator<Item = (usize, &'static str)> {
        CORPUS.split("==== ").skip(1).map(|entry| {
            let (head, sql) = entry.split_once('\n').unwrap();
            (head.split(' ').next().unwrap().parse().unwrap(), sql)
        })
    }

    #[test]
    fn there_are_as_many_statements_as_postgresql_completes() {
        for (count, sql) in corpus() {
            assert_eq!(statements(sql).len(), count, "{sql}");
            assert_eq!(super::super::refusal(sql, false), None, "{sql}");
        }
    }

    #[test]
    fn a_range_ends_with_its_semicolon() {
        assert_eq!(texts(" -- a;\n;/* ; */ SELECT 1 /* b */ ; ; -- c"), ["SELECT 1 /* b */ ;"]);
        assert_eq!(texts("SELECT 1; é -- end\n"), ["SELECT 1;", "é"]);
        for empty in ["", " \t\r\n\u{c}", ";", "-- a", "/* a", "/* /* */"] {
            assert_eq!(texts(empty), [""; 0]);
        }
    }

    #[test]
    fn only_a_routine_has_a_body() {
        assert_eq!(texts("BEGIN ATOMIC; a; END;").len(), 3);
        assert_eq!(texts("CREATE TABLE function (a); BEGIN ATOMIC; END").len(), 3);
        assert_eq!(texts("CREATE FUNCTION f(a begin atomic); COMMIT").len(), 2);
        assert_eq!(texts("CREATE FUNCTION f() BEGIN ATOMIC a; END; COMMIT").len(), 2);
        assert_eq!(texts("CREATE FUNCTION f() BEGIN; ATOMIC; END").len(), 3);
        assert_eq!(texts("CREATE FUNCTION f() \"BEGIN\" ATOMIC; END").len(), 2);
    }

    #[test]
    fn kinds_are_named_by_their_leading_words() {
        for (sql, kind) in [
            ("create table a (b)", "CREATE TABLE"),
            ("CREATE UNLOGGED TABLE IF NOT EXISTS a (b)", "CREATE TABLE"),
            ("CREATE GLOBAL TEMPORARY TABLE a (b)", "CREATE TABLE"),
            ("CREATE/**/UNIQUE -- a\r\nINDEX CONCURRENTLY a ON b (c)", "CREATE INDEX"),
            ("CREATE OR REPLACE TEMP RECURSIVE VIEW a AS SELECT 1", "CREATE VIEW"),
            ("CREATE MATERIALIZED VIEW a AS SELECT 1", "CREATE MATERIALIZED VIEW"),
            ("CREATE OR REPLACE FUNCTION a() RETURNS int AS $$ ; $$", "CREATE FUNCTION"),
            ("CREATE PROCEDURE a() AS $$ ; $$", "CREATE PROCEDURE"),
            ("CREATE CONSTRAINT TRIGGER a", "CREATE TRIGGER"),
            ("CREATE EVENT TRIGGER a", "CREATE EVENT TRIGGER"),
            ("CREATE TRUSTED LANGUAGE a", "CREATE LANGUAGE"),
            ("CREATE USER a", "CREATE ROLE"),
            ("CREATE USER MAPPING FOR a", "CREATE USER MAPPING"),
            ("CREATE secret", "OTHER"),
            ("CREATE", "OTHER"),
            ("ALTER TABLE a RENAME TO b", "ALTER TABLE"),
            ("ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO a", "ALTER DEFAULT PRIVILEGES"),
            ("DROP OPERATOR CLASS a", "DROP OPERATOR CLASS"),
            ("DROP OWNED BY a", "DROP OWNED"),
            ("\"CREATE\" TABLE a", "OTHER"),
            ("INSERT INTO a VALUES (1)", "INSERT"),
            ("MERGE INTO a USING b ON c WHEN MATCHED THEN DELETE", "MERGE"),
            ("TABLE a", "SELECT"),
            ("VALUES (1)", "VALUES"),
            ("(SELECT 1)", "OTHER"),
            (
                "WITH RECURSIVE a(b) AS (SELECT 1), c AS MATERIALIZED (SELECT (2)) UPDATE d SET e = 1",
                "UPDATE",
            ),
            ("WITH a AS (SELECT 1) secret", "OTHER"),
            ("TRUNCATE a", "TRUNCATE"),
            ("DO $$ $$", "DO"),
            ("REFRESH MATERIALIZED VIEW CONCURRENTLY a", "REFRESH MATERIALIZED VIEW"),
            ("ROLLBACK WORK TO SAVEPOINT a", "ROLLBACK TO"),
            ("secret_name", "OTHER"),
        ] {
            assert_eq!(kind_of(sql), kind, "{sql}");
        }
    }

    #[test]
    fn control_is_told() {
        for (sql, control) in [
            ("begin", Some(Control::Begin)),
            ("START TRANSACTION READ ONLY", Some(Control::Begin)),
            ("COMMIT AND CHAIN", Some(Control::Commit)),
            ("END", Some(Control::Commit)),
            ("ABORT", Some(Control::Rollback)),
            ("ROLLBACK TRANSACTION", Some(Control::Rollback)),
            ("PREPARE TRANSACTION 'a'", Some(Control::TwoPhase)),
            ("COMMIT PREPARED 'a'", Some(Control::TwoPhase)),
            ("ROLLBACK PREPARED 'a'", Some(Control::TwoPhase)),
            ("ROLLBACK TO a", None),
            ("ROLLBACK TRANSACTION TO a", None),
            ("SAVEPOINT a", None),
            ("PREPARE a AS SELECT 1", None),
            ("START", None),
        ] {
            assert_eq!(statements(sql)[0].control, control, "{sql}");
        }
    }

    const PIECES: &str = "(CREATE |FUNCTION |RULE |BEGIN |ATOMIC |END|CASE |WITH |SELECT |;|;|'|\"|E'|U&'|\\\\|--|/\\*|\\*/\
        |\n|\r\n| |\\(|\\)|\\$\\$|\\$a\\$|\\$1|1e|🦀|é|\u{feff}|\u{a0}|\u{b}){0,30}";

    fn holds_ranges(sql: &str) -> Result<(), TestCaseError> {
        let tokens: Vec<_> = Lexer::new(sql).map(|token| (token.kind, token.range)).collect();
        let mut end = 0;
        let mut outside = Vec::new();
        for Statement { range, kind, .. } in statements(sql) {
            prop_assert!(end <= range.start && range.start < range.end && range.end <= sql.len());
            prop_assert!(sql.is_char_boundary(range.start) && sql.is_char_boundary(range.end));
            prop_assert!(kind.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b' '));
            prop_assert_eq!(statements(&sql[range.clone()]).len(), 1);
            outside.push(end..range.start);
            end = range.end;
        }
        outside.push(end..sql.len());
        for (kind, range) in tokens {
            let is_outside = outside.iter().any(|gap| gap.start <= range.start && range.end <= gap.end);
            prop_assert!(!is_outside || kind == TokenKind::Semicolon);
        }
        Ok(())
    }

    proptest! {
        #[test]
        fn ranges_hold_all_tokens(sql in PIECES) {
            holds_ranges(&sql)?;
            super::super::refusal(&sql, true);
        }

        #[test]
        fn any_string_is_split(sql in any::<String>()) {
            holds_ranges(&sql)?;
            super::super::refusal(&sql, true);
        }

        #[test]
        fn scripts_put_together_split_into_the_same_statements(parts in prop::collection::vec(0..corpus().count(), 0..6)) {
            let all: Vec<_> = corpus().collect();
            let sql: String = parts.iter().map(|&part| format!("{};", all[part].1)).collect();
            let expected: usize = parts.iter().map(|&part| all[part].0).sum();
            prop_assert_eq!(statements(&sql).len(), expected);
        }
    }
}
