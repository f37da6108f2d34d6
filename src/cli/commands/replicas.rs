use std::io::{self, Write};

use clap::Args;
use serde::Serialize;

use super::replicate::some_replicas;
use crate::cli::context::{Context, block_on};
use crate::cli::output::{Clean, Reply};
use crate::cli::{CommandResult, Exit};
use crate::model::Cid;
use crate::ops::look::{Look, Looking, look, word};

/// Look at what each replica keeps: its head, whether it is pinned, which blocks are missing
///
/// Every block that the archive's head needs is fetched from each replica and hashed; nothing is believed. Replicas
/// are looked at at the same time, each for at most `replication.deadline`. Exits with 1 when one lacks something, else
/// with 3 when one could not be looked at.
#[derive(Args)]
pub struct Replicas {
    /// Bring missing blocks again and pin the head
    #[arg(long)]
    repair: bool,
}

#[derive(Serialize)]
struct Shown {
    command: &'static str,
    head: Cid,
    replicas: Vec<Look>,
}

pub fn run(context: &Context, arguments: &Replicas) -> CommandResult {
    let settings = context.settings()?;
    let replicas = some_replicas(&settings)?;
    let reader = context.reader()?;
    let mut progress = context.progress();
    let mut show_progress = |what: &str, done, total| progress.show(what, done, total);
    let looking = Looking { repair: arguments.repair, deadline: settings.replication_deadline };
    let looks = look(&reader, settings.name()?, &replicas, looking, &mut show_progress);
    let replicas = block_on(looks)??;
    drop(progress);
    let exit = match () {
        () if replicas.iter().any(Look::is_finding) => Exit::Findings,
        () if replicas.iter().all(Look::is_sound) => Exit::Done,
        () => Exit::Unfinished,
    };
    Ok(Reply::new(Shown { command: "replicas", head: reader.head(), replicas }, show).with_exit(exit))
}

fn show(shown: &Shown, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "head {}", shown.head)?;
    for look in &shown.replicas {
        let holding = look.holding.map_or("unknown", word);
        write!(out, "{holding:<8} {} ({})", look.name, Clean(&look.url))?;
        match look.missing {
            Some(missing) => write!(out, ", {missing} of {} blocks missing", look.blocks)?,
            None => write!(out, ", its {} blocks cannot be looked at", look.blocks)?,
        }
        if look.repaired > 0 {
            write!(out, ", {} brought again", look.repaired)?;
        }
        if let Some(failure) = &look.failure {
            write!(out, ": {}", Clean(failure))?;
        }
        writeln!(out)?;
    }
    Ok(())
}
