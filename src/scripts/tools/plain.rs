//! Folders of plain SQL as scripts that greffe can run itself, each way taken as the tool takes it.
//!
//! What stands in a file and depends on something else (variables, substitutions, code) is refused, not guessed.

use std::ops::Range;

use super::{Catalog, Fault, Folder, FolderFile, Tool, ToolScript, catalog_of};
use crate::model::Direction;
use crate::scripts::{Dialect, Header, Migration, Script, TextError, Version, refusal, statements};

/// Tools whose folders can be run so.
pub const PLAIN: [&str; 7] =
    ["dbmate", "diesel", "flyway", "golang-migrate", "goose", "node-pg-migrate", "refinery"];

/// Why a folder of another tool cannot be run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlainError {
    #[error("greffe does not apply the scripts of {0}")]
    Tool(String),
    #[error(transparent)]
    Fault(#[from] Fault),
    #[error(transparent)]
    Text(#[from] TextError),
    #[error("`{file}` is no SQL, so only {tool} can run it")]
    NotSql { file: String, tool: &'static str },
    #[error("`{file}` has {what}, which only {tool} can fill in")]
    Substituted { file: String, what: &'static str, tool: &'static str },
    #[error("`{file}` is not what {tool} reads: {detail}")]
    Shape { file: String, tool: &'static str, detail: &'static str },
    #[error("`{file}` is run by {tool} at a time of its own, which greffe does not do")]
    Special { file: String, tool: &'static str },
}

/// What of a file runs, one way.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Part {
    range: Range<usize>,
    transaction: bool,
}

impl Part {
    const fn whole(text: &str) -> Self {
        Self { range: 0..text.len(), transaction: true }
    }
}

/// The script of one way in the bytes of a file; `None` where the file has no such way. `transaction`: what files
/// beside it say, `None` where they say nothing.
///
/// # Errors
/// Where it is not what the tool reads, or has what only the tool can fill in.
pub fn script(
    tool: &str,
    dialect: Dialect,
    file: &str,
    bytes: &[u8],
    direction: Direction,
    transaction: Option<bool>,
) -> Result<Option<Script>, PlainError> {
    let mut script = Script::new(file, bytes.to_vec());
    let text = script.text()?.to_owned();
    if !file.ends_with(".sql") {
        let tool = PLAIN.into_iter().find(|name| *name == tool).unwrap_or("the tool");
        return Err(PlainError::NotSql { file: file.to_owned(), tool });
    }
    let part = match tool {
        "dbmate" => dbmate(file, &text, direction)?,
        "goose" if bytes.starts_with(b"\xef\xbb\xbf") => {
            let detail = "a byte order mark stands before its first line";
            return Err(PlainError::Shape { file: file.to_owned(), tool: "goose", detail });
        }
        "goose" => goose(file, &text, direction)?,
        "node-pg-migrate" => node_pg_migrate(&text, direction),
        "golang-migrate" => Some(Part { transaction: !stands_alone(dialect, &text), ..Part::whole(&text) }),
        "flyway" => Some(Part { transaction: !stands_alone(dialect, &text), ..Part::whole(&text) }),
        "diesel" | "refinery" => Some(Part::whole(&text)),
        other => return Err(PlainError::Tool(other.to_owned())),
    };
    let Some(Part { range, transaction: own }) = part else { return Ok(None) };
    script.transaction = transaction.unwrap_or(own);
    // goose reads lines, and puts them together again without what Windows ends them with.
    let is_joined = tool == "goose" && text.contains("\r\n");
    if range != (0..text.len()) || is_joined {
        // Lines keep their numbers.
        let above = text.get(..range.start).unwrap_or_default().matches('\n').count();
        let part = "\n".repeat(above) + text.get(range).unwrap_or_default();
        script.part = Some(if is_joined { part.replace("\r\n", "\n") } else { part });
    }
    Ok(Some(script))
}

/// The scripts of a folder, in the tool's order.
///
/// # Errors
/// The first thing in it that greffe cannot run as the tool does.
pub fn migrations(tool: &dyn Tool, folder: &Folder, dialect: Dialect) -> Result<Vec<Migration>, PlainError> {
    if !PLAIN.contains(&tool.name()) {
        return Err(PlainError::Tool(tool.name().to_owned()));
    }
    let Catalog { scripts, faults } = catalog_of(tool, folder);
    if let Some(fault) = faults.into_iter().next() {
        return Err(fault.into());
    }
    if tool.name() == "flyway" {
        refuse_special(folder)?;
    }
    let read = |(place, found): (usize, &ToolScript)| migration(tool, folder, dialect, place, found);
    scripts.iter().enumerate().map(read).collect()
}

/// One script of a folder. `place`: its place in the tool's order.
///
/// # Errors
/// As [`migrations`].
pub fn migration(
    tool: &dyn Tool,
    folder: &Folder,
    dialect: Dialect,
    place: usize,
    found: &ToolScript,
) -> Result<Migration, PlainError> {
    let read = |file: &FolderFile, direction| {
        let beside = beside(tool.name(), folder, file)?;
        script(tool.name(), dialect, &file.path, &file.bytes, direction, beside)
    };
    let up = read(&found.up, Direction::Up)?.ok_or_else(|| PlainError::Shape {
        file: found.up.path.clone(),
        tool: PLAIN.into_iter().find(|name| *name == tool.name()).unwrap_or("the tool"),
        detail: "it has no way up",
    })?;
    let down = match (&found.down, has_both_ways(tool.name())) {
        (Some(file), _) => read(file, Direction::Down)?,
        (None, true) => read(&found.up, Direction::Down)?,
        (None, false) => None,
    };
    let header = Header::parse(up.text()?);
    let name = found.name.as_deref().unwrap_or_default().replace('_', " ");
    let number = match found.id.starts_with("R__") {
        // A script that can run again has no turn of its own.
        true => i64::MAX,
        false => i64::try_from(place).unwrap_or(i64::MAX - 1),
    };
    Ok(Migration { version: Version::of_tool(&found.id, number), name, up, down, header })
}

/// Whether a file of this tool holds both ways.
#[must_use]
pub fn has_both_ways(tool: &str) -> bool {
    matches!(tool, "dbmate" | "goose" | "node-pg-migrate")
}

/// Whether the script runs in a transaction, where another file says so.
fn beside(tool: &str, folder: &Folder, file: &FolderFile) -> Result<Option<bool>, PlainError> {
    match tool {
        "diesel" => {
            let path = file.path.rsplit_once('/').map(|(parent, _)| format!("{parent}/metadata.toml"));
            let Some(found) = path.and_then(|path| folder.file(&path)) else { return Ok(None) };
            let text = str::from_utf8(&found.bytes).unwrap_or_default();
            let table: toml::Table = text.parse().map_err(|_| PlainError::Shape {
                file: found.path.clone(),
                tool: "diesel",
                detail: "it is no TOML",
            })?;
            Ok(table.get("run_in_transaction").and_then(toml::Value::as_bool))
        }
        "flyway" => flyway_settings(folder, file),
        _ => Ok(None),
    }
}

/// What `V1__a.sql.conf` says. What stands in `${…}` is for Flyway to fill in, unless it is told to leave it alone.
fn flyway_settings(folder: &Folder, file: &FolderFile) -> Result<Option<bool>, PlainError> {
    let path = format!("{}.conf", file.path);
    let conf = folder.file(&path).map(|conf| String::from_utf8_lossy(&conf.bytes).into_owned());
    let (mut transaction, mut replaces) = (None, true);
    for line in conf.as_deref().unwrap_or_default().lines().map(str::trim) {
        if line.is_empty() || line.starts_with(['#', '!']) {
            continue;
        }
        let (name, value) = line.split_once(['=', ':']).unwrap_or((line, ""));
        match (name.trim(), value.trim()) {
            ("executeInTransaction", value) => transaction = Some(value != "false"),
            ("placeholderReplacement", value) => replaces = value != "false",
            _ => {
                let detail = "only `executeInTransaction` and `placeholderReplacement` are known";
                return Err(PlainError::Shape { file: path, tool: "flyway", detail });
            }
        }
    }
    if replaces && file.bytes.windows(2).any(|pair| pair == b"${") {
        let (file, what) = (file.path.clone(), "a substitution `${…}`");
        return Err(PlainError::Substituted { file, what, tool: "flyway" });
    }
    Ok(transaction)
}

/// Whether Flyway runs a file at a time of its own: a baseline script, or what is named as a callback is.
fn is_special(file: &FolderFile) -> bool {
    let stem = file.name().strip_suffix(".sql").unwrap_or_default();
    let word = stem.split("__").next().unwrap_or_default();
    let is_baseline = stem.contains("__")
        && word.strip_prefix('B').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    is_baseline || ["before", "after", "createSchema"].iter().any(|begin| word.starts_with(begin))
}

/// Baseline scripts and callbacks.
fn refuse_special(folder: &Folder) -> Result<(), PlainError> {
    match folder.files().find(|file| is_special(file)) {
        Some(file) => Err(PlainError::Special { file: file.path.clone(), tool: "flyway" }),
        None => Ok(()),
    }
}

/// Whether a script is one statement that the database runs only outside of a transaction, so that the tool, which
/// sends it by itself, can run it.
fn stands_alone(dialect: Dialect, text: &str) -> bool {
    dialect == Dialect::Postgresql
        && statements(dialect, text).len() == 1
        && refusal(dialect, text, true).is_some()
        && refusal(dialect, text, false).is_none()
}

/// Lines with the places where they begin.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.split_inclusive('\n').scan(0, |place, line| {
        let start = *place;
        *place += line.len();
        Some((start, line.trim_end_matches(['\n', '\r'])))
    })
}

/// `-- migrate:up` and `-- migrate:down`, each once, with options behind them.
fn dbmate(file: &str, text: &str, direction: Direction) -> Result<Option<Part>, PlainError> {
    let wrong = |detail| PlainError::Shape { file: file.to_owned(), tool: "dbmate", detail };
    let (mut up, mut down) = (None, None);
    for (start, line) in lines(text) {
        let Some(mark) = line.strip_prefix("--").map(str::trim_start) else {
            if up.is_none() && !line.trim().is_empty() {
                return Err(wrong("SQL stands before `-- migrate:up`"));
            }
            continue;
        };
        let way =
            [("migrate:up", &mut up), ("migrate:down", &mut down)].into_iter().find_map(|(word, way)| {
                let rest = mark.strip_prefix(word)?;
                (rest.is_empty() || rest.starts_with(char::is_whitespace)).then_some((way, rest))
            });
        let Some((way, options)) = way else { continue };
        if way.is_some() {
            return Err(wrong("it has one way twice"));
        }
        if options.split_whitespace().any(|option| option.starts_with("env:")) {
            let (file, what) = (file.to_owned(), "variables of the environment");
            return Err(PlainError::Substituted { file, what, tool: "dbmate" });
        }
        *way = Some((start, !options.split_whitespace().any(|option| option == "transaction:false")));
    }
    let ((up, up_alone), down) = match (up, down) {
        (None, _) => return Err(wrong("it has no line `-- migrate:up`")),
        (Some((up, _)), Some((down, _))) if down < up => {
            return Err(wrong("`-- migrate:down` stands before `-- migrate:up`"));
        }
        (Some(up), down) => (up, down),
    };
    let end = down.map_or(text.len(), |(start, _)| start);
    Ok(match direction {
        Direction::Up => Some(Part { range: up..end, transaction: up_alone }),
        Direction::Down => down.map(|(start, transaction)| Part { range: start..text.len(), transaction }),
    })
}

/// `-- +goose Up` and `-- +goose Down`.
fn goose(file: &str, text: &str, direction: Direction) -> Result<Option<Part>, PlainError> {
    let wrong = |detail| PlainError::Shape { file: file.to_owned(), tool: "goose", detail };
    let unended = || wrong("a statement has no `;` at the end of its last line");
    let (mut up, mut down, mut transaction) = (None, None, true);
    let (mut is_open, mut is_marked) = (false, false);
    for (start, line) in lines(text) {
        if !line.trim_start().starts_with("--") || !line.contains("+goose") {
            if !line.trim().is_empty() && !line.trim_start().starts_with("--") {
                if up.is_none() {
                    return Err(wrong("SQL stands before `-- +goose Up`"));
                }
                is_open = !is_marked && !ends_statement(line);
            }
            continue;
        }
        if line.starts_with([' ', '\t']) {
            return Err(wrong("white space stands before a mark of goose"));
        }
        let mark = line.replace("--", "").replacen("+goose", "", 1).trim().to_ascii_uppercase();
        match mark.as_str() {
            "UP" if up.is_none() => up = Some(start),
            "DOWN" if is_open => return Err(unended()),
            "UP" => return Err(wrong("it has `-- +goose Up` twice")),
            "DOWN" if up.is_some() && down.is_none() => down = Some(start),
            "DOWN" => return Err(wrong("`-- +goose Down` stands twice, or before `-- +goose Up`")),
            "NO TRANSACTION" => transaction = false,
            "STATEMENTBEGIN" => is_marked = true,
            "STATEMENTEND" => (is_marked, is_open) = (false, false),
            "ENVSUB OFF" => {}
            "ENVSUB ON" => {
                let (file, what) = (file.to_owned(), "variables of the environment");
                return Err(PlainError::Substituted { file, what, tool: "goose" });
            }
            _ => return Err(wrong("it has a mark that goose does not know")),
        }
    }
    let up = up.ok_or_else(|| wrong("it has no line `-- +goose Up`"))?;
    if is_open {
        return Err(unended());
    }
    let end = down.unwrap_or(text.len());
    Ok(match direction {
        Direction::Up => Some(Part { range: up..end, transaction }),
        // goose takes a way down without a statement as done.
        Direction::Down => down.map(|start| Part { range: start..text.len(), transaction }),
    })
}

/// Whether goose takes a statement to end with this line.
fn ends_statement(line: &str) -> bool {
    let words = line.split_whitespace().take_while(|word| !word.starts_with("--"));
    words.last().is_some_and(|word| word.ends_with(';'))
}

/// `-- Up Migration` and `-- Down Migration`, in any order; a file without them goes up as a whole.
fn node_pg_migrate(text: &str, direction: Direction) -> Option<Part> {
    let mark = |word: &str| {
        let is_mark = |line: &str| {
            let rest = line.trim_start().strip_prefix("--")?;
            let rest = rest.trim_start_matches(|c: char| c == '-' || c.is_whitespace());
            let (way, rest) = rest.split_once(char::is_whitespace)?;
            let begin = rest.trim_start().get(.."migration".len())?;
            (way.eq_ignore_ascii_case(word) && begin.eq_ignore_ascii_case("migration")).then_some(())
        };
        lines(text).find_map(|(start, line)| is_mark(line).map(|()| start))
    };
    let (up, down) = (mark("up"), mark("down"));
    let until =
        |start: usize, other: Option<usize>| other.filter(|other| *other > start).unwrap_or(text.len());
    let range = match (direction, up, down) {
        (Direction::Up, Some(up), down) => up..until(up, down),
        (Direction::Up, None, _) => 0..text.len(),
        (Direction::Down, up, down) => {
            let down = down?;
            down..until(down, up)
        }
    };
    Some(Part { range, transaction: true })
}

#[cfg(test)]
mod tests;
