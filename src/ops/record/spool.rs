//! What a hook of the tool wrote while it ran: one JSON object a line, one line a step.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use serde::Deserialize;

use super::steps::{Observed, Ran};
use crate::model::Timestamp;

/// What events call such a file.
pub const STEPS: &str = "steps";
/// Larger files are not read: 16 MiB, some eighty thousand steps.
const LIMIT: u64 = 16 << 20;
const LINE_LIMIT: usize = 64 << 10;
const HEADS: usize = 1000;

/// One line.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    id: String,
    at: Timestamp,
    step: Word,
    /// What it went up to, or down from.
    revisions: Vec<String>,
    /// Rows of the tool's table after it.
    heads: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Word {
    Up,
    Down,
    Stamp,
}

/// What was read of a file.
#[derive(Debug, Default)]
pub struct Spool {
    pub observed: Vec<Observed>,
    /// Numbers of lines, from 1, that are nothing of the kind.
    pub refused: Vec<usize>,
}

/// Reads the lines of a file; nothing where there is none.
///
/// # Errors
/// When it cannot be read, or is larger than 16 MiB.
pub fn read(path: &Path) -> io::Result<Spool> {
    let mut bytes = Vec::new();
    match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Spool::default()),
        file => file?.take(LIMIT + 1).read_to_end(&mut bytes)?,
    };
    if bytes.len() as u64 > LIMIT {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "more than 16 MiB"));
    }
    let mut spool = Spool::default();
    // What has no line's end is still being written.
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    bytes.truncate(whole);
    for (place, line) in bytes.split(|byte| *byte == b'\n').enumerate().filter(|(_, line)| !line.is_empty()) {
        match parse(line) {
            Some(line) => spool.observed.push(observed(line, place)),
            None => spool.refused.push(place + 1),
        }
    }
    Ok(spool)
}

fn parse(line: &[u8]) -> Option<Line> {
    let line: Line = (line.len() <= LINE_LIMIT).then(|| serde_json::from_slice(line).ok())??;
    let plain = |text: &String| !text.is_empty() && text.len() <= 200 && !text.chars().any(char::is_control);
    let is_id = plain(&line.id) && line.id.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    let few = line.heads.len() <= HEADS && line.revisions.len() <= HEADS;
    (is_id && few && line.heads.iter().chain(&line.revisions).all(plain)).then_some(line)
}

fn observed(line: Line, place: usize) -> Observed {
    let rows = |ids: Vec<String>| ids.into_iter().map(|id| vec![Some(id)]).collect::<Vec<_>>();
    let named = rows(line.revisions);
    let (before, after) = match line.step {
        Word::Up => (Vec::new(), named),
        Word::Down => (named, Vec::new()),
        Word::Stamp => (Vec::new(), Vec::new()),
    };
    Observed {
        entry: line.id,
        id: 0,
        at: line.at,
        group: place,
        rows: rows(line.heads),
        before,
        after,
        ran: if line.step == Word::Stamp { Ran::No } else { Ran::Yes },
        session: None,
        transaction: None,
        role: None,
    }
}

/// The lines after the last one that is told of, but for those that are not younger than `newest`.
#[must_use]
pub fn untold(spool: Spool, told: &dyn Fn(&str) -> bool, newest: Option<Timestamp>) -> Vec<Observed> {
    let after = spool.observed.iter().rposition(|line| told(&line.entry)).map_or(0, |place| place + 1);
    let younger = |line: &Observed| newest.is_none_or(|newest| line.at > newest);
    spool.observed.into_iter().skip(after).filter(younger).collect()
}
