//! The class that a kind of statement begins with, before its tokens are looked at.

/// What a kind of statement is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Base {
    /// Describes a schema; labels are part of it.
    Schema,
    /// Describes a schema with a text for people.
    Prose,
    /// Steers a transaction; any literal is unknown.
    Plain,
    /// Sets something by its name, see [`super::settings`].
    Setting,
    /// Holds a query; any literal is unknown.
    Query,
    /// Holds a body: code, and data where it changes rows by literals; schema without any text that means something.
    Code,
    /// Cannot be judged by its form.
    Unknown,
    /// Carries data or credentials.
    Data,
}

/// By the texts that [`crate::scripts::Statement::kind`] has. What is not named here is unknown.
pub(super) fn base(kind: &str) -> Base {
    match kind {
        "INSERT" | "UPDATE" | "DELETE" | "MERGE" | "REPLACE" | "VALUES" | "COPY" | "LOAD DATA"
        | "LOAD XML" | "RENAME USER" | "REASSIGN OWNED" => Base::Data,
        "COMMENT" => Base::Prose,
        "SET" | "PRAGMA" => Base::Setting,
        "BEGIN"
        | "COMMIT"
        | "ROLLBACK"
        | "ROLLBACK TO"
        | "SAVEPOINT"
        | "RELEASE"
        | "RESET"
        | "TRUNCATE"
        | "ANALYZE"
        | "VACUUM"
        | "REINDEX"
        | "CLUSTER"
        | "LOCK"
        | "LOCK TABLES"
        | "UNLOCK TABLES"
        | "RENAME TABLE"
        | "REFRESH MATERIALIZED VIEW"
        | "DISCARD"
        | "OPTIMIZE"
        | "CHECK"
        | "CHECKSUM"
        | "USE"
        | "CHECKPOINT"
        | "DETACH" => Base::Plain,
        _ => kind.split_once(' ').map_or(Base::Unknown, |(verb, object)| of_object(verb, object)),
    }
}

fn of_object(verb: &str, object: &str) -> Base {
    if !matches!(verb, "CREATE" | "ALTER" | "DROP") {
        return Base::Unknown;
    }
    match object {
        // Also their removal names who has an account; options of foreign tables hold what opens them.
        "ROLE" | "USER" | "GROUP" | "USER MAPPING" | "SUBSCRIPTION" | "SERVER" | "OWNED" => Base::Data,
        "FOREIGN TABLE" if verb != "DROP" => Base::Data,
        "FUNCTION" | "PROCEDURE" | "ROUTINE" | "TRIGGER" | "EVENT" | "RULE" | "PACKAGE" if verb != "DROP" => {
            Base::Code
        }
        "VIEW" | "MATERIALIZED VIEW" if verb != "DROP" => Base::Query,
        "TABLE" | "INDEX" | "TYPE" | "DOMAIN" | "SCHEMA" | "SEQUENCE" | "EXTENSION" | "VIEW"
        | "MATERIALIZED VIEW" | "COLLATION" | "CAST" | "OPERATOR" | "OPERATOR CLASS" | "OPERATOR FAMILY"
        | "PUBLICATION" | "STATISTICS" | "TEXT SEARCH" | "CONVERSION" | "AGGREGATE" | "ACCESS METHOD"
        | "TRANSFORM" | "FUNCTION" | "PROCEDURE" | "ROUTINE" | "TRIGGER" | "EVENT" | "RULE" | "PACKAGE"
        | "EVENT TRIGGER" | "VIRTUAL TABLE" | "DATABASE" | "POLICY" => Base::Schema,
        _ => Base::Unknown,
    }
}
