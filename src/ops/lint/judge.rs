//! Asks the rules about each script of a folder that was read, on all cores.

use std::thread::{Builder, available_parallelism, scope};

use super::folder::{Read, Unit};
use super::{LintError, Wanted};
use crate::model::Direction;
use crate::ops::plan::{Problem, refused_script};
use crate::privacy::built_in;
use crate::scripts::lint::document::{
    Documented, WayDown, ids, is_empty, judge as judge_document, judge_foreign_waivers,
    judge_misplaced_waivers, judge_waivers,
};
use crate::scripts::lint::graph::{Node, judge as judge_graph};
use crate::scripts::lint::rules::{REACHES_OUTSIDE, REFUSED};
use crate::scripts::lint::squawk::{STACK, Squawk};
use crate::scripts::lint::statements::judge as judge_statements;
use crate::scripts::lint::{Finding, Level, Lines};
use crate::scripts::{Dialect, Header, Script, reaches_outside};

/// More threads are not worth it.
const MOST_THREADS: usize = 8;
/// Fewer scripts are not worth a thread.
const LEAST_SHARE: usize = 32;

/// All findings of the rules that ask no database.
///
/// # Errors
/// [`LintError::NoThread`].
pub fn judge(read: &Read, wanted: &Wanted) -> Result<Vec<Finding>, LintError> {
    let nodes: Vec<Node> = read.units.iter().map(node).collect();
    let mut findings = judge_graph(&nodes, |name| plain_number(name, read.tool));
    let scanned: Vec<String> = built_in().into_iter().map(|rule| rule.id.to_string()).collect();
    let headers = read.units.iter().flat_map(headers);
    let strays = read.strays.iter().map(|(file, header)| (file.clone(), header.clone()));
    for (file, header) in headers.chain(strays) {
        let of_pack = |name: &str| wanted.policy.as_ref().is_some_and(|policy| policy.rule(name).is_some());
        let is_rule = |name: &str| scanned.iter().any(|rule| rule == name) || of_pack(name);
        findings.extend(judge_waivers(&file, &header, &wanted.today, is_rule, nearest_rule));
    }
    let asked = |rule| wanted.levels.of(rule) != Level::Off;
    let squawk = (read.dialect == Dialect::Postgresql).then(|| Squawk::asking(asked));
    findings.extend(judge_all(&read.units, read.dialect, squawk.as_ref())?);
    Ok(findings)
}

fn node(unit: &Unit) -> Node {
    let stands_on = unit.header.as_ref().map(|header| header.depends_on.clone()).unwrap_or_default();
    Node { id: unit.id.clone(), file: unit.file.clone(), stands_on }
}

/// A version as others know it: `7` and `007` are one in greffe's own folders.
fn plain_number(name: &str, tool: Option<&str>) -> String {
    match (tool, name.parse::<i64>()) {
        (None, Ok(number)) => number.to_string(),
        _ => name.to_owned(),
    }
}

/// What the files of a script say of themselves, each with its file.
fn headers(unit: &Unit) -> Vec<(String, Header)> {
    let mut headers: Vec<(String, Header)> =
        unit.header.iter().map(|header| (unit.file.clone(), header.clone())).collect();
    let down = unit.down.as_ref().filter(|_| unit.down_file != unit.file);
    let down = down.and_then(|down| down.text().ok()).map(Header::parse);
    headers.extend(down.map(|down| (unit.down_file.clone(), down)));
    headers
}

/// The rule nearest to a name that is none.
#[must_use]
pub fn nearest_rule(name: &str) -> Option<String> {
    let near = |id: &&str| {
        let short = id.split_once('/').map_or(*id, |(_, name)| name);
        strsim::osa_distance(name, id).min(strsim::osa_distance(name, short))
    };
    let found = ids().min_by_key(near)?;
    (name.len() <= 64 && near(&found) * 3 <= found.len()).then(|| found.to_owned())
}

/// Judges the scripts one by one, shared among threads whose stacks are large enough for what squawk reads.
fn judge_all(units: &[Unit], dialect: Dialect, squawk: Option<&Squawk>) -> Result<Vec<Finding>, LintError> {
    let threads = available_parallelism().map_or(1, usize::from).min(MOST_THREADS);
    let share = units.len().div_ceil(threads).max(LEAST_SHARE);
    let judge_share = |share: &[Unit]| -> Vec<Finding> {
        share.iter().flat_map(|unit| judge_unit(unit, dialect, squawk)).collect()
    };
    scope(|scope| {
        let spawn = |share| Builder::new().stack_size(STACK).spawn_scoped(scope, move || judge_share(share));
        let judging: Vec<_> = units.chunks(share).map(spawn).collect();
        let mut findings = Vec::new();
        for judged in judging {
            let judged = judged.map_err(LintError::NoThread)?.join();
            // What stopped a thread stops whoever waits for it.
            findings.extend(judged.unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        Ok(findings)
    })
}

fn judge_unit(unit: &Unit, dialect: Dialect, squawk: Option<&Squawk>) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(header) = &unit.header {
        let way_down = unit.way_down.unwrap_or_else(|| way_down(unit, dialect));
        let (file, down_file) = (unit.file.as_str(), unit.down_file.as_str());
        findings.extend(judge_document(&Documented { file, down_file, header, way_down }));
    }
    let ways = [(Direction::Up, &unit.file, &unit.up), (Direction::Down, &unit.down_file, &unit.down)];
    for (direction, file, script) in ways {
        let Some((script, text)) = script.as_ref().and_then(|script| Some((script, script.text().ok()?)))
        else {
            continue;
        };
        findings.extend(judge_foreign_waivers(file, text));
        let own = (*file != unit.file).then(|| Header::parse(text));
        if let Some(header) = own.as_ref().or(unit.header.as_ref()) {
            findings.extend(judge_misplaced_waivers(dialect, (file, text), header));
        }
        findings.extend(match squawk {
            Some(squawk) => squawk.judge((file, text), direction, script.transaction),
            None => judge_statements(dialect, (file, text), direction, script.transaction),
        });
        if unit.runs {
            findings.extend(judge_run(unit, dialect, file, script, text));
        }
    }
    findings
}

/// What keeps a script from being run here, or anywhere else a second time.
fn judge_run(unit: &Unit, dialect: Dialect, file: &str, script: &Script, text: &str) -> Vec<Finding> {
    let refused = refused_script(dialect, &unit.id, script).map(|problem| {
        let line = match problem {
            Problem::TransactionControl { line, .. } | Problem::RefusedStatement { line, .. } => line,
            _ => 1,
        };
        Finding::of_file(&REFUSED, file, problem.to_string()).at((line, 1))
    });
    let outside = reaches_outside(dialect, text, None).map(|line| {
        let message = "this reaches beyond the database that the script runs in";
        Finding::of_file(&REACHES_OUTSIDE, file, message).at((line, 1))
    });
    refused.into_iter().chain(outside).collect()
}

/// The way down, by its text.
fn way_down(unit: &Unit, dialect: Dialect) -> WayDown {
    let Some(down) = &unit.down else { return WayDown::Missing };
    let Ok(text) = down.text() else { return WayDown::NotAsked };
    if !is_empty(dialect, text) {
        return WayDown::Does;
    }
    // Of a file that holds both ways, the place where this one begins.
    let start = text.len() - text.trim_start_matches(['\n', '\r']).len();
    WayDown::Empty(Lines::of(text).place(start).0)
}
