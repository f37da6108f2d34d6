//! What a user may do, read from what the server itself lists. Every line has to be one that a replay may have; what
//! is not understood counts as too much.

use sqlx::mysql::MySqlConnection;
use sqlx::{AssertSqlSafe, Row as _};

use super::failure::failure;
use crate::database::DatabaseError;

/// Rights on the whole server with which nothing of others can be changed.
const HARMLESS_EVERYWHERE: [&str; 3] = ["USAGE", "PROCESS", "SHOW DATABASES"];
/// Rights on others' databases with which nothing in them can be changed.
const HARMLESS_ELSEWHERE: [&str; 3] = ["USAGE", "SELECT", "SHOW VIEW"];

const ROLES: &str = "has roles, or rights that are neither on the server nor on databases";
const SERVER: &str = "has privileges on every database of the server";
const OTHERS: &str = "may change other databases of the server";
const PASSES_ON: &str = "may grant its rights to others";

/// Fails for a user whose scripts could reach more than databases whose names begin with `prefix`.
///
/// # Errors
/// [`DatabaseError::TooPowerful`]; [`DatabaseError::Open`] when the server does not tell.
pub async fn require_modest(connection: &mut MySqlConnection, prefix: &str) -> Result<(), DatabaseError> {
    for sql in ["SHOW GRANTS FOR CURRENT_USER()", "SHOW GRANTS FOR PUBLIC"] {
        let lines = match sqlx::raw_sql(AssertSqlSafe(sql)).fetch_all(&mut *connection).await {
            Ok(lines) => lines,
            // Not every server has rights of everybody; what they are shows to everybody where it has.
            Err(sqlx::Error::Database(_)) if sql.ends_with("PUBLIC") => continue,
            Err(error) => return Err(DatabaseError::Open(failure(&error))),
        };
        for line in lines {
            let line: String = line.try_get(0).map_err(|error| DatabaseError::Open(failure(&error)))?;
            if let Some(may) = too_much(&line, prefix) {
                return Err(DatabaseError::TooPowerful { may });
            }
        }
    }
    Ok(())
}

/// What one line of `SHOW GRANTS` lets its user do too much.
fn too_much(line: &str, prefix: &str) -> Option<&'static str> {
    let Some((rights, place, account)) = parts(line) else { return Some(ROLES) };
    if account.contains("GRANT OPTION") {
        return Some(PASSES_ON);
    }
    let rights: Vec<&str> = rights.split(',').map(str::trim).collect();
    let all_are = |allowed: &[&str]| rights.iter().all(|right| allowed.contains(right));
    match place {
        Place::Server if all_are(&HARMLESS_EVERYWHERE) => None,
        Place::Server => Some(SERVER),
        Place::Database(pattern) if pattern.replace('\\', "").starts_with(prefix) => None,
        Place::Database(_) | Place::Table if all_are(&HARMLESS_ELSEWHERE) => None,
        Place::Database(_) | Place::Table => Some(OTHERS),
    }
}

/// Where rights are granted.
enum Place<'a> {
    Server,
    /// The pattern of its name, as it stands between backticks.
    Database(&'a str),
    Table,
}

/// Rights, place, and what follows `TO`. Rights on columns name these in parentheses, and are not understood.
fn parts(line: &str) -> Option<(&str, Place<'_>, &str)> {
    let (rights, rest) = line.strip_prefix("GRANT ")?.split_once(" ON ")?;
    if !rights.bytes().all(|byte| byte.is_ascii_uppercase() || b" ,_".contains(&byte)) {
        return None;
    }
    if let Some(account) = rest.strip_prefix("*.* TO ") {
        return Some((rights, Place::Server, account));
    }
    let (database, rest) = quoted(rest)?;
    let rest = rest.strip_prefix('.')?;
    if let Some(account) = rest.strip_prefix("* TO ") {
        return Some((rights, Place::Database(database), account));
    }
    let (_, account) = quoted(rest)?;
    Some((rights, Place::Table, account.strip_prefix(" TO ")?))
}

/// A name in backticks, and what follows. One with a backtick in it is not understood.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let (name, rest) = text.strip_prefix('`')?.split_once('`')?;
    (!rest.starts_with('`')).then_some((name, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_replay_needs_is_modest() {
        for line in [
            "GRANT USAGE ON *.* TO `replay`@`localhost` IDENTIFIED BY PASSWORD '*0123'",
            "GRANT PROCESS, SHOW DATABASES ON *.* TO `replay`@`%`",
            "GRANT ALL PRIVILEGES ON `greffe\\_replay\\_%`.* TO `replay`@`localhost`",
            "GRANT CREATE, DROP ON `greffe_replay_%`.* TO `replay`@`localhost`",
            "GRANT SELECT ON `app`.* TO `replay`@`localhost`",
            "GRANT SELECT, SHOW VIEW ON `app`.`t` TO `replay`@`localhost`",
        ] {
            assert_eq!(too_much(line, "greffe_replay_"), None, "{line}");
        }
        for (line, may) in [
            ("GRANT ALL PRIVILEGES ON *.* TO `root`@`localhost` WITH GRANT OPTION", PASSES_ON),
            ("GRANT CREATE ON *.* TO `replay`@`localhost`", SERVER),
            ("GRANT BINLOG_ADMIN,SYSTEM_USER ON *.* TO `replay`@`localhost`", SERVER),
            ("GRANT ALL PRIVILEGES ON `greffe\\_replay\\_%`.* TO `replay`@`%` WITH GRANT OPTION", PASSES_ON),
            ("GRANT ALL PRIVILEGES ON `greffe%`.* TO `replay`@`%`", OTHERS),
            ("GRANT ALL PRIVILEGES ON `%`.* TO `replay`@`%`", OTHERS),
            ("GRANT INSERT ON `app`.* TO `replay`@`%`", OTHERS),
            ("GRANT SELECT, DROP ON `app`.`t` TO `replay`@`%`", OTHERS),
            ("GRANT DROP ON `greffe\\_replay\\_a`.`t` TO `replay`@`%`", OTHERS),
            ("GRANT UPDATE (`a`) ON `app`.`t` TO `replay`@`%`", ROLES),
            ("GRANT EXECUTE ON PROCEDURE `app`.`p` TO `replay`@`%`", ROLES),
            ("GRANT PROXY ON ''@'%' TO 'root'@'localhost' WITH GRANT OPTION", ROLES),
            ("GRANT `adm` TO `replay`@`localhost`", ROLES),
            ("SET DEFAULT ROLE `adm` FOR `replay`@`localhost`", ROLES),
            ("GRANT ALL PRIVILEGES ON `a``b`.* TO `replay`@`%`", ROLES),
        ] {
            assert_eq!(too_much(line, "greffe_replay_"), Some(may), "{line}");
        }
    }
}
