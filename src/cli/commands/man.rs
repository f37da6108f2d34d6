use std::path::PathBuf;

use clap::{Args, CommandFactory as _};
use serde::Serialize;

use super::Arguments;
use crate::cli::CommandResult;
use crate::cli::Exit;
use crate::cli::error::CliError;
use crate::cli::output::Reply;

/// Print the manual page, or write all of them to a folder
#[derive(Args)]
pub struct Man {
    /// Write a page for every command to this folder
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
}

#[derive(Serialize)]
struct Done {
    command: &'static str,
    folder: PathBuf,
}

pub fn run(arguments: &Man) -> CommandResult {
    let failed = |error: std::io::Error| {
        CliError::new(Exit::Unfinished, format!("the manual cannot be written: {error}"))
    };
    let command = Arguments::command();
    if let Some(folder) = &arguments.out {
        std::fs::create_dir_all(folder).map_err(failed)?;
        clap_mangen::generate_to(command, folder).map_err(failed)?;
        let done = Done { command: "man", folder: folder.clone() };
        return Ok(Reply::new(done, |done, out| {
            writeln!(out, "wrote the manual to {}", done.folder.display())
        }));
    }
    let mut page = Vec::new();
    clap_mangen::Man::new(command).render(&mut page).map_err(failed)?;
    Ok(Reply::raw(page))
}
