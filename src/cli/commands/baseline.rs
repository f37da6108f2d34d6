use std::io::{self, Write};

use clap::Args;
use serde::Serialize;

use super::record::Source;
use crate::cli::CommandResult;
use crate::cli::context::{Context, block_on, key, project};
use crate::cli::error::CliError;
use crate::cli::output::Reply;
use crate::model::Cid;
use crate::ops::record::archive::adopt;
use crate::ops::{Archived, now};

/// Adopt a database that another tool has migrated so far
///
/// Archives one `baseline` event for each migration that the tool lists as applied, with its script and what the tool
/// itself says of it: found, not witnessed. From then on, run the tool under `greffe record`.
#[derive(Args)]
pub struct Baseline {}

#[derive(Serialize)]
struct Adopted {
    command: &'static str,
    archived: Vec<Archived>,
    head: Option<Cid>,
}

pub fn run(context: &Context, _: &Baseline) -> CommandResult {
    let settings = context.settings()?;
    let source = Source::of(&settings)?;
    let look = source.look(&settings)?.ok_or_else(|| CliError::usage("there is no database to adopt"))?;
    if look.entries.is_empty() {
        let text = format!("{} lists no migration as applied", source.tool.name());
        return Err(CliError::usage(text).hint("run the tool under `greffe record -- COMMAND`"));
    }
    let project = project(&settings)?;
    let mut progress = context.progress();
    let mut show_progress = |what: &str, done, total| progress.show(what, done, total);
    let (tool, catalog) = (source.tool.name(), &source.catalog);
    let adopted =
        block_on(adopt(&project, tool, catalog, &look, now(), key(&settings), &mut show_progress))??;
    drop(progress);
    let shown = Adopted { command: "baseline", archived: adopted.archived, head: adopted.head };
    Ok(Reply::new(shown, show))
}

fn show(adopted: &Adopted, out: &mut dyn Write) -> io::Result<()> {
    for archived in &adopted.archived {
        super::apply::show_archived(archived, out)?;
    }
    match adopted.head {
        Some(head) => writeln!(out, "head {head}"),
        None => Ok(()),
    }
}
