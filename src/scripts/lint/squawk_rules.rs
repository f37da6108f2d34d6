//! The rules of squawk, the linter that is asked about PostgreSQL: which of them are asked, and how bad each is. What a
//! rule looks at is squawk's; its name behind the slash is squawk's own.
//!
//! Errors are what stops readers or writers of a table while it is copied or looked through, or loses what nobody can
//! bring back. What is a matter of taste, or greffe's own to see to, is off.

use super::Level;
use super::rules::{Rule, Scope};

macro_rules! squawk {
    ($(#[$comment:meta])* $list:ident[$length:literal] = $(($name:literal, $level:ident, $what:literal, $help:literal);)*) => {
        $(#[$comment])*
        pub static $list: [Rule; $length] = [$(Rule {
            id: concat!("squawk/", $name),
            level: Level::$level,
            scope: Scope::Script,
            what: $what,
            help: $help,
            source: concat!("https://squawkhq.com/docs/", $name),
            at: "",
        }),*];
    };
}

squawk! {
    /// What locks a table for long, copies it, or fails on rows that are there; asked about both ways.
    LOCKS[21] =
    ("require-concurrent-index-creation", Error,
        "An index is made while nobody can write to its table.",
        "Write `CREATE INDEX CONCURRENTLY`, in a script of its own that begins with `-- no-transaction`.");
    ("require-concurrent-index-deletion", Warning,
        "An index is dropped while nobody can use its table.",
        "Write `DROP INDEX CONCURRENTLY`, in a script of its own that begins with `-- no-transaction`.");
    ("require-concurrent-reindex", Error,
        "An index is built anew while nobody can write to its table.",
        "Write `REINDEX … CONCURRENTLY`, in a script of its own that begins with `-- no-transaction`.");
    ("require-concurrent-partition-detach", Warning,
        "A partition is detached while nobody can use the table that it belongs to.",
        "Write `DETACH PARTITION … CONCURRENTLY`, in a script of its own that begins with `-- no-transaction`.");
    ("ban-concurrent-index-creation-in-transaction", Error,
        "An index is made concurrently, which does not go with the transaction that the script runs in.",
        "Begin the script with `-- no-transaction`, and let it hold nothing else.");
    ("constraint-missing-not-valid", Error,
        "A constraint is added and all rows are looked through, while nobody can write to the table.",
        "Add it `NOT VALID`, and `VALIDATE CONSTRAINT` in a later script.");
    ("adding-foreign-key-constraint", Error,
        "A foreign key is added and all rows are looked through, while nobody can write to either table.",
        "Add it `NOT VALID`, and `VALIDATE CONSTRAINT` in a later script.");
    ("disallowed-unique-constraint", Error,
        "A unique constraint is added, and its index is made while nobody can use the table.",
        "Make the index with `CREATE UNIQUE INDEX CONCURRENTLY`, then `ADD CONSTRAINT … UNIQUE USING INDEX`.");
    ("adding-serial-primary-key-field", Error,
        "A primary key is added, and its index is made while nobody can use the table.",
        "Make a unique index concurrently, then `ADD CONSTRAINT … PRIMARY KEY USING INDEX`.");
    ("adding-field-with-default", Error,
        "A column is added whose default differs from row to row, so that the table is written anew.",
        "Add the column without it, set the default, and fill the rows in parts.");
    ("adding-not-nullable-field", Error,
        "A column is made to take no NULL, and all rows are looked through while nobody can use the table.",
        "Add a `CHECK (… IS NOT NULL) NOT VALID`, validate it in a later script, then set `NOT NULL`.");
    ("adding-required-field", Error,
        "A column is added that takes no NULL and has no default, which fails where the table has rows.",
        "Give it a `DEFAULT`, or add it without `NOT NULL` and fill it first.");
    ("changing-column-type", Error,
        "The type of a column changes: the table may be written anew while nobody can use it.",
        "Add a column of the new type, fill it, and change over in a later release.");
    ("ban-alter-domain-with-add-constraint", Error,
        "A constraint is added to a domain: all tables that use it are locked and looked through.",
        "Write constraints at tables and columns.");
    ("ban-create-domain-with-constraint", Warning,
        "A domain with a constraint is made, which cannot be changed later without locks.",
        "Write constraints at tables and columns.");
    ("ban-truncate-cascade", Error,
        "`TRUNCATE … CASCADE` also empties the tables that refer to the one that is named.",
        "Name each table that is to be emptied.");
    ("ban-duplicate-column-assignments", Error,
        "A statement gives one column two values, which PostgreSQL refuses.",
        "Give the column one value.");
    ("identifier-too-long", Warning,
        "A name has more than 63 bytes, and PostgreSQL cuts it off without a word.",
        "Write a shorter name.");
    ("ban-new-write-restriction", Off,
        "A constraint, trigger or rule restricts what programs that run may write.",
        "Let the programs keep to it before.");
    ("ban-disable-trigger", Off,
        "Which triggers fire is changed, and what one kept true may not be kept any more.",
        "Make it as it was in the same script.");
    ("ban-replica-identity", Off,
        "What subscribers of a replication are told is changed.",
        "Tell those who subscribe.");
}

squawk! {
    /// What takes away what programs that run may use; asked about the way up alone.
    DROPS[26] =
    ("ban-drop-table", Error, "A table is dropped with all its rows.",
        "Take it out of use in a release before, keep a copy, and waive this rule with the reason.");
    ("ban-drop-column", Error, "A column is dropped with its values.",
        "Take it out of use in a release before, keep a copy, and waive this rule with the reason.");
    ("ban-drop-database", Error, "A database is dropped.",
        "Do that by hand, after a backup.");
    ("ban-drop-schema", Error, "A schema is dropped.",
        "Take what is in it out of use before, and waive this rule with the reason.");
    ("ban-drop-sequence", Error, "A sequence is dropped, and with it the numbers that were given.",
        "Take it out of use before, and waive this rule with the reason.");
    ("ban-drop-extension", Error, "An extension is dropped with its types and functions.",
        "Look for columns of its types before, and waive this rule with the reason.");
    ("ban-drop-type", Warning, "A type is dropped that programs may name.",
        "Take it out of use in a release before.");
    ("ban-drop-domain", Warning, "A domain is dropped that programs may name.",
        "Take it out of use in a release before.");
    ("ban-drop-view", Warning, "A view is dropped that programs may read.",
        "Take it out of use in a release before.");
    ("ban-drop-function", Warning, "A function or procedure is dropped that programs may call.",
        "Take it out of use in a release before.");
    ("ban-drop-constraint", Warning, "A constraint is dropped, and rows may come in that it kept out.",
        "Say in `purpose:` what keeps them out from now on.");
    ("ban-drop-not-null", Warning, "A column may be NULL from now on, which programs may not expect.",
        "Let programs expect it in a release before.");
    ("ban-drop-default", Warning, "A default is dropped, and programs that leave the column out fail.",
        "Let programs give the value in a release before.");
    ("ban-drop-generated-expression", Warning, "A column is not reckoned any more.",
        "Let programs give the value in a release before.");
    ("ban-alter-identity", Warning, "What numbers rows is changed, and programs that add rows may fail.",
        "Let programs fit in a release before.");
    ("renaming-table", Warning, "A table is renamed: programs that run do not find it.",
        "Add a view of the new name, and rename in a later release.");
    ("renaming-column", Warning, "A column is renamed: programs that run do not find it.",
        "Add the new column, let programs write both, and drop the old one in a later release.");
    ("renaming-object", Warning, "Something is renamed that programs may name.",
        "Make it anew under the new name, and drop the old one in a later release.");
    ("ban-set-schema", Warning, "Something is moved to another schema, where programs may not look for it.",
        "Make it anew there, and drop the old one in a later release.");
    ("ban-drop-trigger", Off, "A trigger is dropped, and what it kept true is not kept any more.",
        "Say in `purpose:` what keeps it true from now on.");
    ("ban-drop-index", Off, "An index is dropped that queries may need.",
        "Look at `pg_stat_user_indexes` before.");
    ("ban-drop-policy", Off, "A policy of row security is dropped, and more or fewer rows are seen.",
        "Say in `impact:` who sees what from now on.");
    ("ban-revoke", Off, "Rights are taken from a role.",
        "Look whether programs need them.");
    ("ban-detach-inheritance", Off, "A table stops to be a part of another one.",
        "Look for queries that read it there.");
    ("ban-alter-generated-expression", Off, "What a column is reckoned from is changed.",
        "Say in `impact:` what programs read from now on.");
    ("ban-alter-sequence-values", Off, "The numbers that a sequence gives are changed.",
        "Look for numbers that are taken.");
}

squawk! {
    /// Matters of taste, and what greffe itself sees to; asked about the way up alone, where settings want them.
    OTHERS[28] =
    ("prefer-robust-stmts", Off, "A statement fails when it runs a second time.",
        "Write `IF EXISTS` or `IF NOT EXISTS`. In greffe's transaction nothing is left half done, and these words hide drift.");
    ("prefer-text-field", Off, "A text has a length that only a lock on the table can change.",
        "Write `text` with a `CHECK`.");
    ("prefer-timestamptz", Off, "A time has no time zone.",
        "Write `timestamptz`.");
    ("prefer-bigint-over-int", Off, "An `integer` ends at 2,147,483,647.",
        "Write `bigint`.");
    ("prefer-bigint-over-smallint", Off, "A `smallint` ends at 32,767.",
        "Write `bigint`.");
    ("prefer-identity", Off, "A `serial` brings a sequence with rights of its own.",
        "Write `GENERATED ALWAYS AS IDENTITY`.");
    ("ban-char-field", Off, "A `char(n)` is filled up with spaces.",
        "Write `text` or `varchar`.");
    ("require-lock-timeout", Off, "A statement may wait for a lock without end, and all others behind it.",
        "Set `database.lock-timeout` in greffe.toml, which holds for all scripts, or `SET lock_timeout` in the script.");
    ("require-statement-timeout", Off, "A statement may run without end.",
        "Set `database.statement-timeout` in greffe.toml, which holds for all scripts, or `SET statement_timeout`.");
    ("require-enum-value-ordering", Off, "A value of an enumeration is added without its place.",
        "Write `BEFORE` or `AFTER`.");
    ("require-table-schema", Off, "A table is named without its schema, and the search path decides.",
        "Write `schema.table`.");
    ("transaction-nesting", Off, "A script begins or ends a transaction in one.",
        "Leave transactions to greffe, which refuses such scripts.");
    ("ban-uncommitted-transaction", Off, "A script begins a transaction and does not end it.",
        "Leave transactions to greffe, which refuses such scripts.");
    ("ban-set-default", Off, "A default is changed, and programs that leave the column out write another value.",
        "Say in `impact:` which value is written from now on.");
    ("ban-replace-view-function", Off, "A view or function is replaced, and programs read something else.",
        "Say in `impact:` what changes.");
    ("ban-add-column", Off, "A column is added, and `SELECT *` gives one more.",
        "Name columns in programs.");
    ("ban-add-enum-value", Off, "A value of an enumeration is added that programs may not know.",
        "Let programs know it in a release before.");
    ("ban-add-composite-attribute", Off, "A type gets one more part.",
        "Let programs expect it in a release before.");
    ("ban-create-policy", Off, "A policy of row security is made, and more or fewer rows are seen.",
        "Say in `impact:` who sees what from now on.");
    ("ban-alter-policy-condition", Off, "A policy of row security shows other rows.",
        "Say in `impact:` who sees what from now on.");
    ("ban-alter-policy-roles", Off, "A policy of row security is for other roles.",
        "Say in `impact:` who sees what from now on.");
    ("ban-alter-row-level-security", Off, "Row security of a table is switched.",
        "Say in `impact:` who sees what from now on.");
    ("ban-alter-function-options", Off, "How a function runs is changed.",
        "Say in `impact:` what changes.");
    ("ban-alter-view-options", Off, "How a view reads its tables is changed.",
        "Say in `impact:` what changes.");
    ("ban-alter-role-options", Off, "What a role may do is changed.",
        "Keep roles out of migrations: they belong to the whole server.");
    ("ban-alter-database-options", Off, "Settings of the database are changed.",
        "Say in `impact:` what changes.");
    ("ban-alter-system-options", Off, "Settings of the whole server are changed.",
        "Keep them out of migrations.");
    ("ban-alter-extension", Off, "An extension is brought to another version.",
        "Say in `impact:` what changes.");
}
