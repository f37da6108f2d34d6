//! From what the server shows to the canonical text of an object.

use super::{Line, object};
use crate::database::ObjectName;

/// Kind and name of a line of `information_schema.TABLES`.
pub fn kind_and_name(line: &Line) -> Option<(&'static str, &str)> {
    let name = line.first()?.as_deref()?;
    let kind = match line.get(1)?.as_deref()? {
        "VIEW" => "view",
        "SEQUENCE" => "sequence",
        // Those of a session are no part of the database.
        "TEMPORARY" | "TEMPORARY SEQUENCE" | "SYSTEM VIEW" => return None,
        _ => "table",
    };
    Some((kind, name))
}

/// The text of what `SHOW CREATE` answers: a name, the statement, and for a view its character set and collation.
pub fn of_shown(kind: &str, line: &Line) -> String {
    let column = |index: usize| line.get(index).and_then(Option::as_deref).unwrap_or_default();
    match kind {
        "table" => of_table(column(1)),
        "view" => format!("{}\n{}\n{}", without_definer(column(1)), column(2), column(3)),
        _ => column(1).to_owned(),
    }
}

/// The statement without the counter and with a fixed order of indexes and constraints; that of columns counts.
fn of_table(sql: &str) -> String {
    let Some((body, options)) = sql.split_once("\n) ") else { return sql.to_owned() };
    let mut lines: Vec<&str> = body.split('\n').map(|line| line.strip_suffix(',').unwrap_or(line)).collect();
    // The first line names the table; columns begin with their name in quotes.
    let first = lines.iter().skip(1).position(|line| !line.starts_with("  `"));
    if let Some(first) = first {
        lines[first + 1..].sort_unstable();
    }
    format!("{}\n) {}", lines.join("\n"), without_counter(options))
}

/// `ENGINE=InnoDB AUTO_INCREMENT=7 …` without the second word; a tablespace may come first, in a comment.
fn without_counter(options: &str) -> String {
    const COUNTER: &str = " AUTO_INCREMENT=";
    let tablespace = if options.starts_with("/*") { options.find("*/").unwrap_or(0) } else { 0 };
    let engine = options[tablespace..].find("ENGINE=").map_or(0, |at| tablespace + at);
    let end = options[engine..].find(' ').map_or(options.len(), |at| engine + at);
    let (before, rest) = options.split_at(end);
    let rest = rest
        .strip_prefix(COUNTER)
        .map_or(rest, |rest| rest.trim_start_matches(|digit: char| digit.is_ascii_digit()));
    format!("{before}{rest}")
}

/// ``CREATE … DEFINER=`u`@`h` SQL SECURITY …`` without the second part.
fn without_definer(sql: &str) -> String {
    let Some((before, after)) = sql.split_once(" DEFINER=") else { return sql.to_owned() };
    // What is named so far behind has to be of the view's own text.
    if before.contains(['`', '\'']) {
        return sql.to_owned();
    }
    let after = quoted_name(after).unwrap_or(after);
    let after = after.strip_prefix('@').and_then(quoted_name).unwrap_or(after);
    format!("{before}{after}")
}

/// What follows a name in backquotes.
fn quoted_name(text: &str) -> Option<&str> {
    let mut rest = text.strip_prefix('`')?;
    loop {
        let (_, after) = rest.split_once('`')?;
        match after.strip_prefix('`') {
            Some(more) => rest = more,
            None => return Some(after),
        }
    }
}

/// Attributes and body: the name comes first, the body last. Nothing where a name or body cannot be read.
pub fn of_attributes(kind: &str, line: &Line, more: &[&Line]) -> Option<(ObjectName, String)> {
    let (body, attributes) = line.split_last()?;
    let name = attributes.first()?.as_deref()?;
    let values = (kind, attributes, more);
    let attributes = serde_json::to_string(&values).ok()?;
    Some((object(kind, name), format!("{attributes}\n{}", body.as_deref()?)))
}

/// The same for a routine, with its parameters; the first of a function's is what it returns.
pub fn of_routine(line: &Line, parameters: &[Line]) -> Option<(ObjectName, String)> {
    let (kind, rest) = line.split_first()?;
    let own = |parameter: &&Line| parameter.first() == Some(kind) && parameter.get(1) == rest.first();
    let parameters: Vec<&Line> = parameters.iter().filter(own).collect();
    of_attributes(&kind.as_deref()?.to_lowercase(), &rest.to_vec(), &parameters)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counter_goes_and_a_comment_that_looks_like_it_stays() {
        let sql = "CREATE TABLE `t` (\n  `a` int(11) NOT NULL AUTO_INCREMENT COMMENT ' AUTO_INCREMENT=7',\n  \
                   PRIMARY KEY (`a`),\n  KEY `z` (`a`),\n  KEY `b` (`a`)\n) ENGINE=InnoDB AUTO_INCREMENT=42 \
                   DEFAULT CHARSET=utf8mb4 COMMENT=' AUTO_INCREMENT=8'";
        assert_eq!(
            of_table(sql),
            "CREATE TABLE `t` (\n  `a` int(11) NOT NULL AUTO_INCREMENT COMMENT ' AUTO_INCREMENT=7'\n  \
             KEY `b` (`a`)\n  KEY `z` (`a`)\n  PRIMARY KEY (`a`)\n) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 \
             COMMENT=' AUTO_INCREMENT=8'"
        );
    }

    #[test]
    fn the_counter_goes_behind_a_tablespace() {
        let table = |counter: &str| {
            format!(
                "CREATE TABLE `t` (\n  `a` int\n) /*!50100 TABLESPACE ` AUTO_INCREMENT=1` */ ENGINE=InnoDB{counter} COMMENT='x'"
            )
        };
        assert_eq!(of_table(&table(" AUTO_INCREMENT=9")), table(""));
        assert_eq!(
            of_table("CREATE TABLE `t` (\n  `a` int\n) ENGINE=InnoDB"),
            "CREATE TABLE `t` (\n  `a` int\n) ENGINE=InnoDB"
        );
    }

    #[test]
    fn the_definer_goes_whatever_it_is_called() {
        let view = |definer: &str| {
            format!(
                "CREATE ALGORITHM=MERGE{definer} SQL SECURITY INVOKER VIEW `v` AS select ' DEFINER=`a`@`b`'"
            )
        };
        for definer in [" DEFINER=`root`@`localhost`", " DEFINER=`a``@``b`@`%`", " DEFINER=`role`", ""] {
            assert_eq!(without_definer(&view(definer)), view(""), "{definer}");
        }
    }
}
