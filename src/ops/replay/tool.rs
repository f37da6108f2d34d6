//! What ran for another tool, or by it, once more: by that tool's rules, and with its table.

use super::Reason;
use crate::database::{Schema, Target};
use crate::model::{Details, Direction, Event, MigrationDetails, Role};
use crate::ops::OpsError;
use crate::ops::chain::Entry;
use crate::ops::event::executor;
use crate::ops::kept::{KeptTool, table_named};
use crate::ops::sealed::Plain;
use crate::scripts::tools::plain::{PLAIN, script};
use crate::scripts::{Dialect, Script};

/// What a replay has come to.
pub struct Place {
    pub schema: Schema,
    pub has_tool_table: bool,
}

impl Place {
    /// Makes the tool's table before the first script that ran for or by it. `by_tool`: the tool itself makes it in the
    /// run whose first event this is, else it was there before the event.
    pub async fn make_table<T: Target>(
        &mut self,
        entry: &Entry,
        by_tool: bool,
        target: &mut T,
    ) -> Result<(), OpsError> {
        let is_greffe = entry.statement.event.executor.name == executor().name;
        if !self.has_tool_table && by_tool != is_greffe && make_tool_table(entry, target).await? {
            self.has_tool_table = true;
            self.schema = target.schema().await?;
        }
        Ok(())
    }
}

/// The tool by whose rules a script ran, where those are not greffe's.
fn tool_of<'a>(event: &'a Event, details: &'a MigrationDetails) -> Option<&'a str> {
    let kept = details.tool.as_ref().and_then(|tool| tool.name.as_deref());
    kept.or_else(|| PLAIN.into_iter().find(|name| *name == event.executor.name))
}

/// What of a file ran.
pub fn script_of(
    event: &Event,
    details: &MigrationDetails,
    role: Role,
    plain: Plain,
) -> Result<Script, Reason> {
    let name = plain.name.to_string();
    let (Some(tool), true, Some(target)) = (tool_of(event, details), role != Role::Rendered, &event.target)
    else {
        return Ok(Script::new(name, plain.bytes));
    };
    let direction = if role == Role::Down { Direction::Down } else { Direction::Up };
    let transaction = details.tool.as_ref().and_then(|tool| tool.transaction);
    let found = script(tool, Dialect::from(target.engine), &name, &plain.bytes, direction, transaction);
    found.map_err(|error| Reason::NotText { detail: error.to_string() })?.ok_or(Reason::NoScript)
}

/// Makes the table of the tool for which, or by which, an event's script ran.
async fn make_tool_table<T: Target>(entry: &Entry, target: &mut T) -> Result<bool, OpsError> {
    let event = &entry.statement.event;
    let Details::Migration(details) = &event.details else { return Ok(false) };
    let Some(name) = tool_of(event, details) else { return Ok(false) };
    let table = details.tool.as_ref().and_then(|tool| tool.table.as_deref());
    // A tool that nobody knows is told of where its script is to run.
    let Ok(kept) = KeptTool::named(name, table_named(table)) else { return Ok(false) };
    target.make_tool_table(&kept.for_replay(target.identity().engine).create()).await?;
    Ok(true)
}
