//! Names what a MySQL or MariaDB statement is by its leading tokens.

use super::body::Definition;
use super::lexer::TokenKind;
use crate::scripts::statement::{Control, OTHER, main_kind, upper};

/// The leading tokens: bare words in upper case, signs as themselves, an empty text for anything else.
pub(super) fn words<'a>(tokens: impl Iterator<Item = TokenKind<'a>>) -> Vec<String> {
    tokens
        .map(|token| match token {
            TokenKind::Word(word) => upper(word),
            TokenKind::Equals => "=".to_owned(),
            TokenKind::At => "@".to_owned(),
            TokenKind::Dot => ".".to_owned(),
            TokenKind::Colon => ":".to_owned(),
            TokenKind::Open => "(".to_owned(),
            TokenKind::Close => ")".to_owned(),
            _ => String::new(),
        })
        .collect()
}

/// One of a fixed set of texts. `main_verb`: that of a `WITH`.
pub(super) fn kind(words: &[&str], main_verb: Option<&str>) -> String {
    match words {
        [verb @ ("CREATE" | "ALTER" | "DROP"), rest @ ..] => {
            object(rest).map_or(OTHER.to_owned(), |object| format!("{verb} {object}"))
        }
        _ => simple_kind(words, main_verb).to_owned(),
    }
}

/// What is defined with a body, if it is.
pub(super) fn definition(words: &[&str]) -> Option<Definition> {
    match words {
        ["CREATE", rest @ ..] => match object(rest)? {
            "PROCEDURE" | "FUNCTION" => Some(Definition::Routine),
            "TRIGGER" => Some(Definition::Trigger),
            "EVENT" => Some(Definition::Event),
            _ => None,
        },
        ["ALTER", rest @ ..] => (object(rest)? == "EVENT").then_some(Definition::Event),
        _ => None,
    }
}

/// What a `CREATE`, `ALTER` or `DROP` is about, behind replacement, definer and the like.
pub(super) fn object(words: &[&str]) -> Option<&'static str> {
    let mut words = words;
    loop {
        words = match words {
            ["DEFINER", "=", rest @ ..] => behind_account(rest),
            ["ALGORITHM", "=", _, rest @ ..] => rest,
            ["SQL", "SECURITY", _, rest @ ..] => rest,
            ["UNDO", rest @ ..] if !rest.is_empty() => rest,
            [
                "OR" | "REPLACE" | "TEMPORARY" | "UNIQUE" | "FULLTEXT" | "SPATIAL" | "VECTOR" | "ONLINE"
                | "OFFLINE" | "IGNORE" | "AGGREGATE",
                rest @ ..,
            ] => rest,
            _ => break,
        };
    }
    Some(match words {
        ["DATABASE" | "SCHEMA", ..] => "DATABASE",
        ["EVENT", ..] => "EVENT",
        ["FUNCTION", ..] => "FUNCTION",
        ["INDEX", ..] => "INDEX",
        ["LOGFILE", ..] => "LOGFILE GROUP",
        ["PACKAGE", ..] => "PACKAGE",
        ["PREPARE", ..] => "PREPARE",
        ["PROCEDURE", ..] => "PROCEDURE",
        ["RESOURCE", ..] => "RESOURCE GROUP",
        ["ROLE", ..] => "ROLE",
        ["SEQUENCE", ..] => "SEQUENCE",
        ["SERVER", ..] => "SERVER",
        ["TABLE", ..] => "TABLE",
        ["TABLESPACE", ..] => "TABLESPACE",
        ["TRIGGER", ..] => "TRIGGER",
        ["USER", ..] => "USER",
        ["VIEW", ..] => "VIEW",
        _ => return None,
    })
}

/// The words behind `root@localhost`, `CURRENT_USER()` or an account in quotes.
fn behind_account<'a, 'b>(words: &'a [&'b str]) -> &'a [&'b str] {
    let mut words = match words {
        [_, "@", _, rest @ ..] | [_, "(", ")", rest @ ..] | [_, rest @ ..] => rest,
        [] => return words,
    };
    while let [".", _, rest @ ..] = words {
        words = rest;
    }
    words
}

fn simple_kind(words: &[&str], main_verb: Option<&str>) -> &'static str {
    match words {
        ["WITH", ..] => main_verb.map_or(OTHER, main_kind),
        ["BEGIN", ..] | ["START", "TRANSACTION", ..] => "BEGIN",
        ["COMMIT", ..] => "COMMIT",
        ["ROLLBACK", "TO", ..] | ["ROLLBACK", "WORK", "TO", ..] => "ROLLBACK TO",
        ["ROLLBACK", ..] => "ROLLBACK",
        ["LOAD", "DATA", ..] => "LOAD DATA",
        ["LOAD", "XML", ..] => "LOAD XML",
        ["LOCK", "TABLE" | "TABLES", ..] => "LOCK TABLES",
        ["UNLOCK", "TABLE" | "TABLES", ..] => "UNLOCK TABLES",
        ["RENAME", "TABLE" | "TABLES", ..] => "RENAME TABLE",
        ["DESC" | "DESCRIBE" | "EXPLAIN", ..] => "EXPLAIN",
        [verb, ..] => [
            "ANALYZE",
            "CALL",
            "CHECK",
            "CHECKSUM",
            "DEALLOCATE",
            "DO",
            "EXECUTE",
            "FLUSH",
            "GRANT",
            "HANDLER",
            "INSTALL",
            "KILL",
            "OPTIMIZE",
            "PREPARE",
            "RELEASE",
            "RENAME",
            "REPAIR",
            "REPLACE",
            "RESET",
            "REVOKE",
            "SAVEPOINT",
            "SET",
            "SHOW",
            "SIGNAL",
            "TRUNCATE",
            "UNINSTALL",
            "USE",
            "XA",
        ]
        .into_iter()
        .find(|known| known == verb)
        .unwrap_or_else(|| main_kind(verb)),
        [] => OTHER,
    }
}

/// What the statement does to the transaction around it, as far as its first words tell.
pub(super) fn control(words: &[&str]) -> Option<Control> {
    match simple_kind(words, None) {
        "BEGIN" => Some(Control::Begin),
        "COMMIT" => Some(Control::Commit),
        "ROLLBACK" => Some(Control::Rollback),
        "XA" => Some(Control::TwoPhase),
        _ => None,
    }
}
