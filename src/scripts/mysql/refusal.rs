//! Finds what greffe will not run on MySQL and MariaDB.

use super::kind;
use super::lexer::{Lexer, TokenKind};
use super::statement::{Reading, borrowed};
use crate::scripts::refusal::Reason;
use crate::scripts::statement::{Control, is_one_of};

/// The first such thing with its offset.
pub fn refusal(sql: &str) -> Option<(usize, Reason)> {
    let mut lexer = Lexer::new(sql);
    while let Some(reading) = Reading::next(&mut lexer) {
        let found = reason(&reading)
            .map(|reason| (reading.range.start, reason))
            .or_else(|| hidden(&reading))
            .or(reading.lock.map(|(start, function)| (start, Reason::RunLock(function))));
        // What the lexer met may stand above the statement, as a `DELIMITER` does.
        let first = found.into_iter().chain(reading.fault).min_by_key(|&(start, _)| start);
        if first.is_some() {
            return first;
        }
    }
    lexer.fault()
}

fn reason(reading: &Reading<'_>) -> Option<Reason> {
    let words = reading.words();
    let assignments = &reading.assignments;
    first_words(&borrowed(&words))
        .or_else(|| assignments.autocommit.then_some(Reason::OwnTransactions(Control::Autocommit)))
        .or_else(|| assignments.meaning.map(Reason::TextMeaning))
}

/// What begins behind the bounds of executable comments: there a statement begins for a server that skips them.
fn hidden(reading: &Reading<'_>) -> Option<(usize, Reason)> {
    reading.segments.iter().find_map(|segment| {
        let words = kind::words(segment.iter().map(|token| token.kind));
        Some((segment.first()?.range.start, first_words(&borrowed(&words))?))
    })
}

fn first_words(words: &[&str]) -> Option<Reason> {
    match words {
        ["BEGIN", "NOT", ..] | ["IF" | "CASE" | "LOOP" | "WHILE" | "REPEAT" | "FOR", ..] | [_, ":", ..] => {
            Some(Reason::Block)
        }
        ["LOAD", "DATA", rest @ ..] if is_local(rest) => Some(Reason::LocalFile("LOAD DATA LOCAL")),
        ["LOAD", "XML", rest @ ..] if is_local(rest) => Some(Reason::LocalFile("LOAD XML LOCAL")),
        [
            "SOURCE" | "SYSTEM" | "TEE" | "NOTEE" | "PAGER" | "NOPAGER" | "CONNECT" | "CHARSET" | "PROMPT",
            ..,
        ] => Some(Reason::ClientCommand("mysql")),
        ["CREATE", rest @ ..] if kind::object(rest) == Some("PACKAGE") => Some(Reason::Package),
        words => kind::control(words).map(Reason::OwnTransactions),
    }
}

fn is_local(words: &[&str]) -> bool {
    matches!(words, ["LOCAL", ..] | ["LOW_PRIORITY" | "CONCURRENT", "LOCAL", ..])
}

/// Modes under which quotes or backslashes mean something else.
const MODES: [&str; 2] = ["ANSI_QUOTES", "NO_BACKSLASH_ESCAPES"];

/// Names of several modes, these among them.
const MODE_SETS: [&str; 6] = ["ANSI", "DB2", "MAXDB", "MSSQL", "ORACLE", "POSTGRESQL"];

/// What a `SET` assigns.
#[derive(Debug, Default)]
pub(super) struct Assignments {
    /// Whether a `SET` was met.
    set: bool,
    pub(super) autocommit: bool,
    /// A setting that decides how a script reads, when it gets a value that it does not have anyway.
    pub(super) meaning: Option<&'static str>,
    /// A character set is named next.
    character_set: Option<&'static str>,
    sql_mode: bool,
}

impl Assignments {
    /// Takes a `SET` where a statement may begin.
    pub(super) fn begin(&mut self) {
        self.set = true;
    }

    /// Takes any other token. `before`: the two before it; `depth`: of parentheses.
    pub(super) fn take(&mut self, token: TokenKind<'_>, before: [Option<TokenKind<'_>>; 2], depth: usize) {
        if !self.set {
            return;
        }
        match token {
            TokenKind::Equals | TokenKind::Colon => self.take_target(before),
            TokenKind::Comma if depth == 0 => self.sql_mode = false,
            token => self.take_character_set(token),
        }
        match token {
            TokenKind::Word(word) => {
                self.take_word(word, before[1], depth);
                self.take_mode(word, self.sql_mode);
            }
            TokenKind::Literal(literal) => {
                literal.split(',').for_each(|mode| self.take_mode(mode.trim(), true));
            }
            _ => {}
        }
    }

    /// Ends the statement.
    pub(super) fn end(&mut self) {
        self.meaning = self.meaning.or(self.character_set.take());
    }

    fn take_target(&mut self, before: [Option<TokenKind<'_>>; 2]) {
        let [ahead, Some(TokenKind::Word(name) | TokenKind::Name(name))] = before else { return };
        if ahead == Some(TokenKind::At) {
            return;
        }
        self.autocommit |= name.eq_ignore_ascii_case("autocommit");
        self.sql_mode |= name.eq_ignore_ascii_case("sql_mode");
        self.character_set = ["character_set_client", "character_set_connection"]
            .into_iter()
            .find(|known| name.eq_ignore_ascii_case(known))
            .or(self.character_set);
    }

    fn take_character_set(&mut self, token: TokenKind<'_>) {
        let Some(setting) = self.character_set.take() else { return };
        let is_usual = match token {
            TokenKind::Word(name) | TokenKind::Name(name) | TokenKind::Literal(name) => {
                name.eq_ignore_ascii_case("utf8mb4")
            }
            _ => false,
        };
        self.meaning = self.meaning.or(Some(setting).filter(|_| !is_usual));
    }

    fn take_word(&mut self, word: &str, before: Option<TokenKind<'_>>, depth: usize) {
        let begins = match before {
            Some(TokenKind::Comma) => depth == 0,
            Some(TokenKind::Word(before)) => before.eq_ignore_ascii_case("SET"),
            _ => false,
        };
        let is_behind_character =
            matches!(before, Some(TokenKind::Word(before)) if is_one_of(before, &["CHARACTER", "CHAR"]));
        if begins && word.eq_ignore_ascii_case("NAMES") {
            self.character_set = Some("SET NAMES");
        } else if begins && word.eq_ignore_ascii_case("CHARSET")
            || is_behind_character && word.eq_ignore_ascii_case("SET")
        {
            self.character_set = Some("SET CHARACTER SET");
        }
    }

    /// A mode may also get into a variable first. A number stands for any modes.
    fn take_mode(&mut self, mode: &str, is_text: bool) {
        let is_number = mode.starts_with(|c: char| c.is_ascii_digit());
        let changes =
            is_text && is_one_of(mode, &MODES) || self.sql_mode && (is_number || is_one_of(mode, &MODE_SETS));
        if changes {
            self.meaning = self.meaning.or(Some("SET sql_mode"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scripts::refusal::Piece;

    fn found(sql: &str) -> Option<Reason> {
        refusal(sql).map(|(_, reason)| reason)
    }

    #[test]
    fn what_is_refused() {
        let control = Reason::OwnTransactions;
        for (sql, reason) in [
            ("SELECT 1;\nBEGIN", control(Control::Begin)),
            ("start transaction", control(Control::Begin)),
            ("COMMIT", control(Control::Commit)),
            ("ROLLBACK WORK", control(Control::Rollback)),
            ("XA END 'a'", control(Control::TwoPhase)),
            ("SET autocommit = 0", control(Control::Autocommit)),
            ("SET @a = 1, SESSION `autocommit` := 0", control(Control::Autocommit)),
            ("SET @@autocommit=0", control(Control::Autocommit)),
            ("SET @@session . autocommit=0", control(Control::Autocommit)),
            ("SET STATEMENT max_statement_time = 1 FOR COMMIT", control(Control::Commit)),
            ("/*!40000 COMMIT */", control(Control::Commit)),
            ("/*!99999 x */ COMMIT", control(Control::Commit)),
            ("/*!99999 CREATE TABLE a (x */ COMMIT /*!99999 ) */", control(Control::Commit)),
            ("/*M!100000 x */ /*!40000 SET autocommit */ = 0", control(Control::Autocommit)),
            ("SOURCE a.sql", Reason::ClientCommand("mysql")),
            ("\\. a.sql", Reason::ClientCommand("mysql")),
            ("SELECT 1\\g", Reason::ClientCommand("mysql")),
            ("load data local infile 'a' into table b", Reason::LocalFile("LOAD DATA LOCAL")),
            ("LOAD DATA LOW_PRIORITY LOCAL INFILE 'a' INTO TABLE b", Reason::LocalFile("LOAD DATA LOCAL")),
            ("LOAD XML LOCAL INFILE 'a' INTO TABLE b", Reason::LocalFile("LOAD XML LOCAL")),
            ("SET NAMES latin1", Reason::TextMeaning("SET NAMES")),
            ("/*!40101 SET NAMES utf8 */", Reason::TextMeaning("SET NAMES")),
            ("SET @a = f(1, 2), names 'gbk'", Reason::TextMeaning("SET NAMES")),
            ("SET NAMES", Reason::TextMeaning("SET NAMES")),
            ("SET CHARACTER SET gbk", Reason::TextMeaning("SET CHARACTER SET")),
            ("SET CHARSET DEFAULT", Reason::TextMeaning("SET CHARACTER SET")),
            ("SET character_set_client = gbk", Reason::TextMeaning("character_set_client")),
            ("SET @@character_set_connection = @a", Reason::TextMeaning("character_set_connection")),
            ("SET sql_mode = 'STRICT_TRANS_TABLES,ANSI_QUOTES'", Reason::TextMeaning("SET sql_mode")),
            ("SET SESSION sql_mode = no_backslash_escapes", Reason::TextMeaning("SET sql_mode")),
            ("SET sql_mode = CONCAT(@@sql_mode, ', ANSI_QUOTES')", Reason::TextMeaning("SET sql_mode")),
            ("SET @@sql_mode = 'ansi'", Reason::TextMeaning("SET sql_mode")),
            ("SET sql_mode = 4", Reason::TextMeaning("SET sql_mode")),
            ("SET @a = 'ANSI_QUOTES'", Reason::TextMeaning("SET sql_mode")),
            ("SELECT GET_LOCK('a', 1)", Reason::RunLock("GET_LOCK")),
            ("DO `release_lock` ('a')", Reason::RunLock("RELEASE_LOCK")),
            ("CREATE PROCEDURE p() BEGIN DO release_all_locks(); END", Reason::RunLock("RELEASE_ALL_LOCKS")),
            ("SELECT 'a\\'", Reason::Unterminated(Piece::Literal)),
            ("SELECT \"a", Reason::Unterminated(Piece::Literal)),
            ("SELECT `a", Reason::Unterminated(Piece::Name)),
            ("SELECT 1 /* a", Reason::Unterminated(Piece::Comment)),
            ("SELECT 1 /*! a", Reason::Unterminated(Piece::Comment)),
            ("/*! /*! a", Reason::Unterminated(Piece::Comment)),
            ("BEGIN NOT ATOMIC COMMIT; END", Reason::Block),
            ("IF 1 THEN COMMIT; END IF", Reason::Block),
            ("a: LOOP COMMIT; END LOOP", Reason::Block),
            ("CREATE OR REPLACE PACKAGE BODY a AS END", Reason::Package),
            ("CREATE PROCEDURE p() BEGIN SELECT 1;", Reason::Body),
            ("DELIMITER //\nCREATE PROCEDURE p() BEGIN SELECT 1; //", Reason::Body),
            ("DELIMITER\nSELECT 1", Reason::Delimiter),
            ("DELIMITER go\nSELECT 1", Reason::Delimiter),
            ("DELIMITER '\nSELECT 1", Reason::Delimiter),
            ("DELIMITER \\\\\nSELECT 1", Reason::Delimiter),
        ] {
            assert_eq!(found(sql), Some(reason), "{sql}");
        }
    }

    #[test]
    fn an_executable_comment_has_one_end_for_all_servers() {
        for sql in [
            "/*!99999 ' */ ; COMMIT; -- ' */",
            "/*!99999 `*/` */",
            "/*!99999 a -- */\n */; COMMIT",
            "/*!99999 a # */\n */",
            "/*!99999 a /* b */ c */",
            "/*!50003 a /*!50003 b */ */",
            "/*!99999 SELECT 1; COMMIT */",
            "/*!99999 CREATE PROCEDURE a() BEGIN */ SELECT 1; COMMIT; /*!99999 END */",
            "DELIMITER //\n/*!50003 SELECT 1 // */",
        ] {
            assert_eq!(found(sql), Some(Reason::ExecutableComment), "{sql}");
        }
    }

    #[test]
    fn what_only_looks_like_it_is_none() {
        for sql in [
            "SAVEPOINT a; ROLLBACK TO a; ROLLBACK WORK TO SAVEPOINT a; RELEASE SAVEPOINT a",
            "SELECT 'COMMIT;', \"; COMMIT\", `;COMMIT` -- ; COMMIT\n# ; COMMIT\n/* ; COMMIT */",
            "CREATE PROCEDURE p() BEGIN START TRANSACTION; COMMIT; SET autocommit = 0; END",
            "SELECT autocommit FROM t; UPDATE t SET autocommit = 1; SET @autocommit = 1; SELECT @@autocommit",
            "LOCK TABLES a WRITE; UNLOCK TABLES; LOAD DATA INFILE 'a' INTO TABLE local",
            "SET NAMES utf8mb4; SET NAMES 'utf8mb4' COLLATE utf8mb4_bin; /*!40101 SET character_set_client = utf8mb4 */",
            "SET @a = @@sql_mode, sql_mode = 'TRADITIONAL', foreign_key_checks = 0; SET sql_mode = @a",
            "SET sql_mode = REPLACE(@@sql_mode, 'ONLY_FULL_GROUP_BY', '')",
            "SELECT get_lock FROM release_lock; SELECT 'GET_LOCK(1)', \\N, IS_FREE_LOCK('a')",
            "CREATE TABLE t (source int, names int, delimiter int,\n  delimiter2 int)",
            "/*!40000 ALTER TABLE a DISABLE KEYS */; SELECT /*!40001 SQL_NO_CACHE */ * FROM a",
            "CREATE TABLE a (b INT) /*!50100 PARTITION BY HASH (b) */; INSERT INTO a VALUES (1)",
        ] {
            assert_eq!(found(sql), None, "{sql}");
        }
    }

    #[test]
    fn nothing_hides_transaction_control_that_the_server_would_run() {
        for sql in [
            "SELECT 1 -- '\n; COMMIT; -- '",
            "SELECT 1 # '\n; COMMIT; -- '",
            "SELECT 2 --1; COMMIT",
            "SELECT 'a\\\\'; COMMIT; -- '",
            "SELECT `\\`; COMMIT; -- `",
            "SELECT /* /* */ 1; COMMIT; -- */",
            "SELECT $$; COMMIT; -- $$",
            "SELECT E'\\''; COMMIT; -- '",
            "CREATE PROCEDURE p() BEGIN SELECT CASE 1 WHEN 1 THEN 2 END; END; COMMIT",
            "CREATE PROCEDURE p() SELECT begin; COMMIT",
            "CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW SET @x = IF(1, 2, 3); COMMIT; END IF",
            "DELIMITER //\nSELECT 1; COMMIT; //",
            "DELIMITER $$\nSELECT 1$$COMMIT$$",
        ] {
            assert_eq!(found(sql), Some(Reason::OwnTransactions(Control::Commit)), "{sql}");
        }
    }

    #[test]
    fn the_first_of_several_is_told() {
        assert_eq!(refusal("SELECT 1;\nCOMMIT; 'a").map(|(offset, _)| offset), Some(10));
        assert_eq!(refusal("SELECT 1,\n'a").map(|(offset, _)| offset), Some(10));
        assert_eq!(refusal("DELIMITER a\nCOMMIT").map(|(offset, _)| offset), Some(0));
    }
}
