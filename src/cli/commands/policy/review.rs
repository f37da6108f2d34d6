//! `greffe policy review`.

use clap::Args;
use serde::Serialize;

use crate::cli::commands::threads;
use crate::cli::context::{Context, key, project, verify_options};
use crate::cli::output::{Clean, Reply};
use crate::cli::{CommandResult, Exit};
use crate::ops::policy::review::{Reviewed, review};
use crate::ops::verify::verify_archive;

/// Record a review of the chain
///
/// Verifies the archive first: how many findings there were stands in the review. Who reviewed is told by pseudonym and
/// role. Exits with 1 where something was found.
#[derive(Args)]
pub struct Review {
    /// Where more of it is written down; it is archived in clear
    #[arg(long, value_name = "TEXT")]
    reference: Option<String>,
}

#[derive(Serialize)]
struct Done {
    command: &'static str,
    #[serde(flatten)]
    reviewed: Reviewed,
}

pub fn run(context: &Context, arguments: &Review) -> CommandResult {
    let settings = context.settings()?;
    let reader = context.reader()?;
    let mut progress = context.progress();
    let report = verify_archive(
        &reader,
        reader.head(),
        verify_options(&settings, &[]),
        threads(None),
        &mut |what, done, total| progress.show(what, done, total),
    )?;
    let findings = report.findings.len();
    let reviewed = review(&project(&settings)?, findings, arguments.reference.clone(), key(&settings))?;
    let exit = if findings == 0 { Exit::Done } else { Exit::Findings };
    let done = Done { command: "policy review", reviewed };
    let reply = Reply::new(done, |Done { reviewed, .. }, out| {
        let review = &reviewed.review;
        writeln!(
            out,
            "reviewed entries 0 to {} on {}: {} finding(s)",
            review.entry, review.day, review.findings
        )?;
        if let Some(reference) = &review.reference {
            writeln!(out, "reference {}", Clean(reference))?;
        }
        writeln!(out, "recorded as entry {}\nhead {}", reviewed.seq, reviewed.head)
    });
    Ok(reply.with_exit(exit))
}
