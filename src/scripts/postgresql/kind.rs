//! Names what a PostgreSQL statement is by its leading words.

use crate::scripts::statement::{Control, OTHER, main_kind};

/// One of a fixed set of texts. `words`: the leading tokens, bare words in upper case; `main_verb`: that of a
/// `WITH`.
pub(super) fn kind(words: &[&str], main_verb: Option<&str>) -> String {
    let (verb, rest) = match words {
        ["CREATE", rest @ ..] => ("CREATE", without_modifiers(rest)),
        ["ALTER", rest @ ..] => ("ALTER", rest),
        ["DROP", rest @ ..] => ("DROP", rest),
        _ => return simple_kind(words, main_verb).to_owned(),
    };
    object(rest).map_or(OTHER.to_owned(), |object| format!("{verb} {object}"))
}

fn without_modifiers<'a, 'b>(mut words: &'a [&'b str]) -> &'a [&'b str] {
    while let [
        "OR" | "REPLACE" | "GLOBAL" | "LOCAL" | "TEMP" | "TEMPORARY" | "UNLOGGED" | "RECURSIVE" | "UNIQUE"
        | "CONSTRAINT" | "TRUSTED" | "PROCEDURAL" | "DEFAULT",
        rest @ ..,
    ] = words
    {
        words = rest;
    }
    words
}

fn object(words: &[&str]) -> Option<&'static str> {
    Some(match words {
        ["ACCESS", "METHOD", ..] => "ACCESS METHOD",
        ["AGGREGATE", ..] => "AGGREGATE",
        ["CAST", ..] => "CAST",
        ["COLLATION", ..] => "COLLATION",
        ["CONVERSION", ..] => "CONVERSION",
        ["DATABASE", ..] => "DATABASE",
        ["DEFAULT", "PRIVILEGES", ..] => "DEFAULT PRIVILEGES",
        ["DOMAIN", ..] => "DOMAIN",
        ["EVENT", "TRIGGER", ..] => "EVENT TRIGGER",
        ["EXTENSION", ..] => "EXTENSION",
        ["FOREIGN", "DATA", ..] => "FOREIGN DATA WRAPPER",
        ["FOREIGN", "TABLE", ..] => "FOREIGN TABLE",
        ["FUNCTION", ..] => "FUNCTION",
        ["INDEX", ..] => "INDEX",
        ["LANGUAGE", ..] => "LANGUAGE",
        ["MATERIALIZED", "VIEW", ..] => "MATERIALIZED VIEW",
        ["OPERATOR", "CLASS", ..] => "OPERATOR CLASS",
        ["OPERATOR", "FAMILY", ..] => "OPERATOR FAMILY",
        ["OPERATOR", ..] => "OPERATOR",
        ["OWNED", ..] => "OWNED",
        ["POLICY", ..] => "POLICY",
        ["PROCEDURE", ..] => "PROCEDURE",
        ["PUBLICATION", ..] => "PUBLICATION",
        ["USER", "MAPPING", ..] => "USER MAPPING",
        ["ROLE" | "USER" | "GROUP", ..] => "ROLE",
        ["ROUTINE", ..] => "ROUTINE",
        ["RULE", ..] => "RULE",
        ["SCHEMA", ..] => "SCHEMA",
        ["SEQUENCE", ..] => "SEQUENCE",
        ["SERVER", ..] => "SERVER",
        ["STATISTICS", ..] => "STATISTICS",
        ["SUBSCRIPTION", ..] => "SUBSCRIPTION",
        ["SYSTEM", ..] => "SYSTEM",
        ["TABLE", ..] => "TABLE",
        ["TABLESPACE", ..] => "TABLESPACE",
        ["TEXT", "SEARCH", ..] => "TEXT SEARCH",
        ["TRANSFORM", ..] => "TRANSFORM",
        ["TRIGGER", ..] => "TRIGGER",
        ["TYPE", ..] => "TYPE",
        ["VIEW", ..] => "VIEW",
        _ => return None,
    })
}

fn simple_kind(words: &[&str], main_verb: Option<&str>) -> &'static str {
    match words {
        ["WITH", ..] => main_verb.map_or(OTHER, main_kind),
        ["BEGIN", ..] | ["START", "TRANSACTION", ..] => "BEGIN",
        ["PREPARE", "TRANSACTION", ..] => "PREPARE TRANSACTION",
        ["COMMIT", "PREPARED", ..] => "COMMIT PREPARED",
        ["ROLLBACK", "PREPARED", ..] => "ROLLBACK PREPARED",
        ["COMMIT" | "END", ..] => "COMMIT",
        words if is_rollback_to(words) => "ROLLBACK TO",
        ["ROLLBACK" | "ABORT", ..] => "ROLLBACK",
        ["REFRESH", "MATERIALIZED", ..] => "REFRESH MATERIALIZED VIEW",
        ["REASSIGN", "OWNED", ..] => "REASSIGN OWNED",
        ["IMPORT", "FOREIGN", ..] => "IMPORT FOREIGN SCHEMA",
        ["SECURITY", "LABEL", ..] => "SECURITY LABEL",
        ["ANALYZE" | "ANALYSE", ..] => "ANALYZE",
        [verb, ..] => [
            "CALL",
            "CHECKPOINT",
            "CLOSE",
            "CLUSTER",
            "COMMENT",
            "COPY",
            "DEALLOCATE",
            "DECLARE",
            "DISCARD",
            "DO",
            "EXECUTE",
            "EXPLAIN",
            "FETCH",
            "GRANT",
            "LISTEN",
            "LOAD",
            "LOCK",
            "MOVE",
            "NOTIFY",
            "PREPARE",
            "REINDEX",
            "RELEASE",
            "RESET",
            "REVOKE",
            "SAVEPOINT",
            "SET",
            "SHOW",
            "TRUNCATE",
            "UNLISTEN",
            "VACUUM",
        ]
        .into_iter()
        .find(|known| known == verb)
        .unwrap_or_else(|| main_kind(verb)),
        [] => OTHER,
    }
}

/// What the statement does to the transaction around it.
pub(super) fn control(words: &[&str]) -> Option<Control> {
    match simple_kind(words, None) {
        "BEGIN" => Some(Control::Begin),
        "COMMIT" => Some(Control::Commit),
        "ROLLBACK" => Some(Control::Rollback),
        "PREPARE TRANSACTION" | "COMMIT PREPARED" | "ROLLBACK PREPARED" => Some(Control::TwoPhase),
        _ => None,
    }
}

fn is_rollback_to(words: &[&str]) -> bool {
    matches!(words, ["ROLLBACK", "TO", ..] | ["ROLLBACK", "WORK" | "TRANSACTION", "TO", ..])
}
