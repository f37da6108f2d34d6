//! Finds what greffe will not run on PostgreSQL.

use super::kind;
use super::lexer::{Lexer, TokenKind};
use super::statement::{Reading, borrowed, text_setting};
use crate::scripts::refusal::Reason;
use crate::scripts::statement::is_one_of;

/// The first such thing with its offset.
pub fn refusal(sql: &str, transaction: bool) -> Option<(usize, Reason)> {
    let mut lexer = Lexer::new(sql);
    while let Some(reading) = Reading::next(&mut lexer) {
        if let Some(reason) = reason(&reading, transaction) {
            return Some((reading.range.start, reason));
        }
        if reading.fault.is_some() {
            return reading.fault;
        }
    }
    lexer.fault()
}

fn reason(reading: &Reading<'_>, transaction: bool) -> Option<Reason> {
    let words = reading.words();
    let words = borrowed(&words);
    kind::control(&words)
        .map(Reason::OwnTransactions)
        .or_else(|| copy(&words, reading))
        .or_else(|| session(&words))
        .or_else(|| setting(reading).or(reading.traits.configures).map(Reason::TextMeaning))
        .or_else(|| {
            outside_transaction(&words, reading).filter(|_| transaction).map(Reason::OutsideTransaction)
        })
}

fn copy(words: &[&str], reading: &Reading<'_>) -> Option<Reason> {
    match words {
        ["COPY", ..] if reading.traits.from_client => Some(Reason::CopyIn),
        ["COPY", ..] if reading.traits.to_client => Some(Reason::CopyOut),
        _ => None,
    }
}

fn session(words: &[&str]) -> Option<Reason> {
    match words {
        ["DISCARD", "ALL", ..] => Some(Reason::SessionReset("DISCARD ALL")),
        ["RESET", "ALL", ..] => Some(Reason::SessionReset("RESET ALL")),
        // What greffe prepared there is how it reads what the script did.
        ["DEALLOCATE", name] | ["DEALLOCATE", "PREPARE", name]
            if *name == "ALL" || name.starts_with("GREFFE_") =>
        {
            Some(Reason::SessionReset("DEALLOCATE"))
        }
        _ => None,
    }
}

/// A setting that decides what the text means, unless the value is the one that it has anyway.
fn setting(reading: &Reading<'_>) -> Option<&'static str> {
    let mut tokens = reading.head().iter().map(|token| token.kind);
    let resets = match tokens.next() {
        Some(TokenKind::Word(verb)) if verb.eq_ignore_ascii_case("SET") => false,
        Some(TokenKind::Word(verb)) if verb.eq_ignore_ascii_case("RESET") => true,
        _ => return None,
    };
    let mut name = tokens.next()?;
    if matches!(name, TokenKind::Word(word) if is_one_of(word, &["SESSION", "LOCAL"])) {
        name = tokens.next()?;
    }
    let (TokenKind::Word(name) | TokenKind::Name(name)) = name else { return None };
    let setting = if name.eq_ignore_ascii_case("NAMES") { Some("SET NAMES") } else { text_setting(name) }?;
    let value = tokens.find(|token| match token {
        TokenKind::Word(word) => !word.eq_ignore_ascii_case("TO"),
        token => *token != TokenKind::Equals,
    });
    let usual: &[&str] = match setting {
        "standard_conforming_strings" => &["on", "true", "yes"],
        _ => &["utf8", "utf-8", "unicode"],
    };
    let is_usual = match value {
        Some(TokenKind::Word(value) | TokenKind::Name(value)) => is_one_of(value, usual),
        Some(TokenKind::Literal(value)) => is_one_of(value.trim_matches('\''), usual),
        _ => false,
    };
    Some(setting).filter(|_| resets || !is_usual)
}

/// What PostgreSQL refuses to run inside a transaction, as far as the text tells.
fn outside_transaction(words: &[&str], reading: &Reading<'_>) -> Option<&'static str> {
    let traits = &reading.traits;
    Some(match words {
        ["CREATE", "INDEX", "CONCURRENTLY", ..] | ["CREATE", "UNIQUE", "INDEX", "CONCURRENTLY", ..] => {
            "CREATE INDEX CONCURRENTLY"
        }
        ["DROP", "INDEX", "CONCURRENTLY", ..] => "DROP INDEX CONCURRENTLY",
        ["REINDEX", rest @ ..] => return reindex(rest),
        ["VACUUM", ..] => "VACUUM",
        ["CLUSTER", rest @ ..] => match without_options(rest) {
            [] | ["VERBOSE"] => "CLUSTER without a table",
            _ => return None,
        },
        ["CREATE", "DATABASE", ..] => "CREATE DATABASE",
        ["DROP", "DATABASE", ..] => "DROP DATABASE",
        ["ALTER", "DATABASE", _, "SET", "TABLESPACE", ..] => "ALTER DATABASE … SET TABLESPACE",
        ["CREATE", "TABLESPACE", ..] => "CREATE TABLESPACE",
        ["DROP", "TABLESPACE", ..] => "DROP TABLESPACE",
        ["ALTER", "SYSTEM", ..] => "ALTER SYSTEM",
        ["CREATE", "SUBSCRIPTION", ..] if !traits.declines => "CREATE SUBSCRIPTION with a slot",
        ["DROP", "SUBSCRIPTION", ..] => "DROP SUBSCRIPTION",
        ["ALTER", "SUBSCRIPTION", _, "REFRESH", ..] => "ALTER SUBSCRIPTION … REFRESH PUBLICATION",
        ["ALTER", "SUBSCRIPTION", _, "SET" | "ADD" | "DROP", "PUBLICATION", ..] if !traits.declines => {
            "ALTER SUBSCRIPTION … PUBLICATION with a refresh"
        }
        ["ALTER", "TABLE", ..] if traits.detaches && traits.concurrently_last => {
            "DETACH PARTITION CONCURRENTLY"
        }
        _ => return None,
    })
}

fn reindex(words: &[&str]) -> Option<&'static str> {
    let target = without_options(words);
    let options = words.get(..words.len() - target.len()).unwrap_or_default();
    Some(match target {
        ["SYSTEM", ..] => "REINDEX SYSTEM",
        ["DATABASE", ..] => "REINDEX DATABASE",
        ["SCHEMA", ..] => "REINDEX SCHEMA",
        [_, "CONCURRENTLY", ..] => "REINDEX CONCURRENTLY",
        _ if options.contains(&"CONCURRENTLY") => "REINDEX CONCURRENTLY",
        _ => return None,
    })
}

/// The words behind options in parentheses.
fn without_options<'a, 'b>(words: &'a [&'b str]) -> &'a [&'b str] {
    let end = match words {
        ["(", ..] => words.iter().position(|&word| word == ")").map_or(words.len(), |close| close + 1),
        _ => 0,
    };
    words.get(end..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scripts::refusal::Piece;
    use crate::scripts::statement::Control;

    fn reasons(sql: &str) -> [Option<Reason>; 2] {
        [true, false].map(|transaction| refusal(sql, transaction).map(|(_, reason)| reason))
    }

    #[test]
    fn what_is_refused_in_every_script() {
        let setting = |name| Reason::TextMeaning(name);
        for (sql, reason) in [
            ("SELECT 1;\nBEGIN", Reason::OwnTransactions(Control::Begin)),
            ("commit;", Reason::OwnTransactions(Control::Commit)),
            ("ROLLBACK;", Reason::OwnTransactions(Control::Rollback)),
            ("PREPARE TRANSACTION 'a'", Reason::OwnTransactions(Control::TwoPhase)),
            ("COPY t FROM STDIN;\n1\t'\n\\.\n", Reason::CopyIn),
            ("copy t (a, \"b\") from stdin with (format csv)", Reason::CopyIn),
            ("COPY t FROM STDOUT", Reason::CopyIn),
            ("COPY (SELECT 1 FROM t) TO STDOUT", Reason::CopyOut),
            ("COPY t TO stdin", Reason::CopyOut),
            ("\\connect a", Reason::ClientCommand("psql")),
            ("SELECT 1 \\gexec", Reason::ClientCommand("psql")),
            ("SET standard_conforming_strings = off", setting("standard_conforming_strings")),
            ("SET LOCAL \"STANDARD_conforming_strings\" TO DEFAULT", setting("standard_conforming_strings")),
            ("RESET standard_conforming_strings", setting("standard_conforming_strings")),
            ("SET SESSION client_encoding TO 'LATIN1'", setting("client_encoding")),
            ("RESET client_encoding", setting("client_encoding")),
            ("set names 'sjis'", setting("SET NAMES")),
            ("SET NAMES", setting("SET NAMES")),
            ("SELECT pg_catalog.set_config('client_encoding', 'sjis', false)", setting("client_encoding")),
            ("DISCARD ALL", Reason::SessionReset("DISCARD ALL")),
            ("RESET ALL", Reason::SessionReset("RESET ALL")),
            ("deallocate prepare greffe_mark", Reason::SessionReset("DEALLOCATE")),
            ("DEALLOCATE ALL;", Reason::SessionReset("DEALLOCATE")),
            ("SELECT 'a", Reason::Unterminated(Piece::Literal)),
            ("SELECT 1 /* a", Reason::Unterminated(Piece::Comment)),
            ("/* a", Reason::Unterminated(Piece::Comment)),
            ("SELECT 1; $a$ $$", Reason::Unterminated(Piece::DollarQuote)),
            ("SELECT \"a", Reason::Unterminated(Piece::Name)),
        ] {
            assert_eq!(reasons(sql), [Some(reason); 2], "{sql}");
        }
    }

    #[test]
    fn what_runs_only_outside_a_transaction() {
        for sql in [
            "CREATE INDEX CONCURRENTLY a ON b (c)",
            "create unique index concurrently if not exists a on b (c)",
            "DROP INDEX CONCURRENTLY a",
            "REINDEX TABLE CONCURRENTLY a",
            "REINDEX (VERBOSE, CONCURRENTLY) INDEX a",
            "REINDEX (VERBOSE) INDEX CONCURRENTLY a",
            "REINDEX SYSTEM a",
            "REINDEX DATABASE a",
            "REINDEX (VERBOSE) SCHEMA a",
            "VACUUM",
            "VACUUM (FULL) a",
            "CLUSTER",
            "CLUSTER VERBOSE",
            "CLUSTER (VERBOSE)",
            "CREATE DATABASE a",
            "DROP DATABASE IF EXISTS a",
            "ALTER DATABASE a SET TABLESPACE b",
            "CREATE TABLESPACE a LOCATION 'b'",
            "DROP TABLESPACE a",
            "ALTER SYSTEM SET a = 1",
            "CREATE SUBSCRIPTION a CONNECTION 'b' PUBLICATION c",
            "CREATE SUBSCRIPTION a CONNECTION 'b' PUBLICATION c WITH (create_slot = true)",
            "DROP SUBSCRIPTION a",
            "ALTER SUBSCRIPTION a REFRESH PUBLICATION",
            "ALTER SUBSCRIPTION a SET PUBLICATION b",
            "ALTER TABLE IF EXISTS ONLY a.b DETACH PARTITION c.\"d\" CONCURRENTLY",
        ] {
            let [inside, outside] = reasons(sql);
            assert!(matches!(inside, Some(Reason::OutsideTransaction(_))), "{sql}");
            assert_eq!(outside, None, "{sql}");
        }
    }

    #[test]
    fn what_only_looks_like_it_is_none() {
        for sql in [
            "SAVEPOINT a; ROLLBACK TO a; RELEASE a",
            "SELECT 'COMMIT;', $$ COMMIT; $$, E'\\'; COMMIT;' -- ; COMMIT",
            "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; END",
            "CREATE PROCEDURE f() LANGUAGE plpgsql AS $$ BEGIN COMMIT; END $$",
            "\"COMMIT\"; SELECT 1 AS commit",
            "COPY t FROM '/a/b'; COPY t TO PROGRAM 'c'; COPY (SELECT 1 FROM stdin) TO 'd'",
            "SELECT stdin FROM stdin",
            "SELECT '\\', E'\\\\', $$\\$$, \"\\\"",
            "SET standard_conforming_strings = on; SET client_encoding = 'UTF8'; SET NAMES 'utf8'",
            "SET client_min_messages TO warning; RESET work_mem; DISCARD PLANS",
            "SELECT pg_catalog.set_config('search_path', '', false)",
            "LISTEN a; SET SESSION AUTHORIZATION a; SELECT pg_advisory_unlock_all()",
            "CREATE INDEX a ON b (concurrently_c); DROP INDEX a; REINDEX TABLE a; REINDEX (VERBOSE) INDEX a",
            "REFRESH MATERIALIZED VIEW CONCURRENTLY a",
            "CLUSTER a; CLUSTER VERBOSE a USING b; CLUSTER (VERBOSE) a",
            "ALTER TABLE a DETACH PARTITION b; ALTER TABLE a DETACH PARTITION b FINALIZE",
            "CREATE SUBSCRIPTION a CONNECTION 'b' PUBLICATION c WITH (connect = false)",
            "ALTER SUBSCRIPTION a SET PUBLICATION b WITH (refresh = 'off'); ALTER SUBSCRIPTION a DISABLE",
            "ALTER DATABASE a SET work_mem = 1; ALTER TYPE a ADD VALUE 'b'; VALUES (1)",
        ] {
            assert_eq!(reasons(sql), [None; 2], "{sql}");
        }
    }

    #[test]
    fn nothing_hides_transaction_control_that_postgresql_would_run() {
        for sql in [
            "SELECT '\\'; COMMIT; --'",
            "SELECT E'a'\n'\\''; COMMIT; --'",
            "SELECT U&'\\'; COMMIT; --'",
            "SELECT a$$; COMMIT; --$$",
            "SELECT 1e$$; COMMIT; --$$",
            "SELECT $1$; COMMIT; --$1$",
            "SELECT fooE'\\'; COMMIT; --'",
            "SELECT 1 -- '\r; COMMIT; -- '",
            "SELECT 1 -- $$\n; COMMIT; -- $$",
            "SELECT /* /* */ ' */ 1; COMMIT; -- '",
            "SELECT $a$ $A$ $a$; COMMIT; -- $A$",
            "CREATE TABLE function (begin atomic); COMMIT",
            "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE 1 WHEN 1 THEN 1 END; END; COMMIT",
        ] {
            assert_eq!(reasons(sql), [Some(Reason::OwnTransactions(Control::Commit)); 2], "{sql}");
        }
    }

    #[test]
    fn the_first_of_several_is_told() {
        assert_eq!(refusal("SELECT 1;\nCOMMIT; 'a", true).map(|(offset, _)| offset), Some(10));
        assert_eq!(refusal("SELECT 1,\n'a", true).map(|(offset, _)| offset), Some(10));
    }
}
