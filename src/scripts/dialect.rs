//! The SQL that a script is written in.

use crate::model::Engine;

/// Which database's rules say where a statement ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// SQLite 3.
    Sqlite,
    /// PostgreSQL 13 and later, with `standard_conforming_strings` on.
    Postgresql,
    /// MySQL 8 and MariaDB 10.6 and later, without `ANSI_QUOTES` and `NO_BACKSLASH_ESCAPES`.
    Mysql,
}

impl From<Engine> for Dialect {
    fn from(engine: Engine) -> Self {
        match engine {
            Engine::Sqlite => Self::Sqlite,
            Engine::Postgresql => Self::Postgresql,
            Engine::Mysql | Engine::Mariadb => Self::Mysql,
        }
    }
}
