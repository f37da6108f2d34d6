use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use crate::cli::CommandResult;
use crate::cli::context::Context;
use crate::cli::output::Reply;
use crate::ops::export::{Exported, export};
use crate::store::Existing;

/// Write the head and every block that it needs to a CARv1 file
#[derive(Args)]
pub struct Export {
    /// The file to write
    #[arg(long, value_name = "FILE.car")]
    out: PathBuf,
    /// Replace the file if there is one
    #[arg(long)]
    force: bool,
}

#[derive(Serialize)]
struct Done {
    command: &'static str,
    file: PathBuf,
    #[serde(flatten)]
    exported: Exported,
}

pub fn run(context: &Context, arguments: &Export) -> CommandResult {
    let reader = context.reader()?;
    let existing = if arguments.force { Existing::Replace } else { Existing::Keep };
    let mut progress = context.progress();
    let exported =
        export(&reader, &arguments.out, existing, &mut |what, done, total| progress.show(what, done, total))?;
    drop(progress);
    Ok(Reply::new(Done { command: "export", file: arguments.out.clone(), exported }, |done, out| {
        let Exported { head, blocks, bytes } = &done.exported;
        writeln!(out, "wrote {}: {blocks} blocks, {bytes} bytes, head {head}", done.file.display())
    }))
}
