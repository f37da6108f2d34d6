//! Asks a tool, after it ran, which SQL that was.

use std::time::{Duration, Instant};

use super::Source;
use crate::cli::wrapped;
use crate::ops::record::ToolRun;
use crate::ops::record::events::Rendered;

/// How long the tool may take to say which SQL it ran, all in all.
const RENDERING: Duration = Duration::from_secs(120);

/// The SQL that the tool says it ran, where it has a way to say so.
pub fn rendered(source: &Source, run: &ToolRun, command: &[String], secrets: &[String]) -> Rendered {
    let after = run.end.as_ref().and_then(|end| end.after.as_ref());
    let (Some(before), Some(after), false) = (&run.before, after, run.stamps == Some(true)) else {
        return Rendered::new();
    };
    let Source { tool, catalog, .. } = source;
    let begin = Instant::now();
    let mut rendered = Rendered::new();
    for asked in tool.rendering(command, catalog, &before.entries, &after.entries) {
        let left = RENDERING.saturating_sub(begin.elapsed());
        let answer = wrapped::answer(&asked.command, left, secrets).filter(|_| !left.is_zero());
        let Some(sql) = answer.and_then(|bytes| String::from_utf8(bytes).ok()) else { continue };
        match asked.script {
            Some(id) if !sql.trim().is_empty() => drop(rendered.insert(id, sql.into_bytes())),
            Some(_) => {}
            None => rendered.extend(tool.rendered(&sql).into_iter().map(|(id, sql)| (id, sql.into_bytes()))),
        }
    }
    rendered
}
