//! Rules about statements of MySQL, MariaDB and SQLite, each with the page of the database's manual that says what happens.

use super::Level;
use super::rules::{Rule, Scope};

const ONLINE: &str = "MySQL and MariaDB, online DDL: https://dev.mysql.com/doc/refman/8.4/en/innodb-online-ddl-operations.html";
const ALTER: &str =
    "MariaDB: https://mariadb.com/docs/server/reference/sql-statements/data-definition/alter/alter-table";
const COMMITS: &str = "MySQL, statements that cause an implicit commit: https://dev.mysql.com/doc/refman/8.4/en/implicit-commit.html";
const DEFAULTS: &str =
    "MySQL, data type default values: https://dev.mysql.com/doc/refman/8.4/en/data-type-defaults.html";
const LITE: &str = "SQLite: https://www.sqlite.org/lang_altertable.html";
const LITE_DROP: &str = "SQLite: https://www.sqlite.org/lang_droptable.html";
const LITE_PRAGMA: &str = "SQLite: https://www.sqlite.org/pragma.html#pragma_foreign_keys";

const fn rule(id: &'static str, level: Level, source: &'static str, [what, help]: [&'static str; 2]) -> Rule {
    Rule { id, level, scope: Scope::Script, what, help, source, at: "" }
}

const GONE: &str =
    "Take it out of use in a release before, keep a copy, and waive this rule with the reason.";
const RENAMED: &str =
    "Add the new name, let programs write both, and take the old one away in a later release.";

/// Rules about MySQL and MariaDB.
pub static MYSQL: [Rule; 9] = [
    rule(
        "mysql/drop-table",
        Level::Error,
        COMMITS,
        ["A table is dropped with all its rows, and no rollback brings them back.", GONE],
    ),
    rule(
        "mysql/truncate",
        Level::Error,
        COMMITS,
        ["A table is emptied, and no rollback brings its rows back.", GONE],
    ),
    rule("mysql/drop-column", Level::Error, ALTER, ["A column is dropped with its values.", GONE]),
    rule(
        "mysql/add-not-null",
        Level::Error,
        DEFAULTS,
        [
            "A column is added that takes no NULL and has no default: rows that are there get a value that nobody chose, \
             and programs that do not know the column cannot add rows any more.",
            "Give it a `DEFAULT`, or add it as `NULL`, fill it, and change it in a later script.",
        ],
    ),
    rule(
        "mysql/table-copied",
        Level::Warning,
        ONLINE,
        [
            "The table may be copied row by row, and nobody can write to it meanwhile.",
            "Say which way is wanted, such as `ALGORITHM=INPLACE, LOCK=NONE` or `ALGORITHM=INSTANT`: the server then \
             refuses what it cannot do so. For large tables take a tool such as gh-ost.",
        ],
    ),
    rule(
        "mysql/index-stops-writers",
        Level::Warning,
        ONLINE,
        [
            "A FULLTEXT or SPATIAL index is made, and nobody can write to the table meanwhile.",
            "Make it at a time when nobody writes, and say so in `impact:`.",
        ],
    ),
    rule(
        "mysql/rename-table",
        Level::Warning,
        ALTER,
        ["A table is renamed: programs that run do not find it.", RENAMED],
    ),
    rule(
        "mysql/rename-column",
        Level::Warning,
        ALTER,
        ["A column is renamed: programs that run do not find it.", RENAMED],
    ),
    rule(
        "mysql/add-foreign-key",
        Level::Warning,
        ONLINE,
        [
            "A foreign key is added: the table is copied, and nobody can write to it meanwhile, unless `foreign_key_checks` is off.",
            "Add it at a time when nobody writes, and say so in `impact:`.",
        ],
    ),
];

/// Rules about SQLite.
pub static SQLITE: [Rule; 6] = [
    rule("sqlite/drop-table", Level::Error, LITE_DROP, ["A table is dropped with all its rows.", GONE]),
    rule(
        "sqlite/drop-column",
        Level::Error,
        LITE,
        ["A column is dropped with its values, and all rows are written anew.", GONE],
    ),
    rule(
        "sqlite/add-not-null",
        Level::Error,
        LITE,
        [
            "A column is added that takes no NULL and has no default, which fails where the table has rows.",
            "Give it a `DEFAULT` that is not NULL.",
        ],
    ),
    rule(
        "sqlite/rename-table",
        Level::Warning,
        LITE,
        ["A table is renamed: programs that run do not find it.", RENAMED],
    ),
    rule(
        "sqlite/rename-column",
        Level::Warning,
        LITE,
        ["A column is renamed: programs that run do not find it.", RENAMED],
    ),
    rule(
        "sqlite/foreign-keys-in-transaction",
        Level::Warning,
        LITE_PRAGMA,
        [
            "`PRAGMA foreign_keys` does nothing inside a transaction.",
            "Begin the file with `-- no-transaction`, or set `database.foreign-keys` to `false`.",
        ],
    ),
];
