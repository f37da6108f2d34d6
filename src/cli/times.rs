//! Times in words, with whose word they are.

use std::io::{self, Write};

use super::output::Clean;
use crate::chain::{TimeBound, TimeInterval, TimeSource};

/// A time, and who says it.
pub fn word(TimeBound { at, source }: &TimeBound) -> String {
    match source {
        TimeSource::Signer => format!("{at} (its signers say)"),
        TimeSource::Authority(name) => format!("{at} (the timestamp authority {} says)", Clean(name)),
        TimeSource::Witness(name) => format!("{at} (the witness {} says)", Clean(name)),
    }
}

/// Between when something was made; nothing where its signers alone say it.
///
/// # Errors
/// Those of `out`.
pub fn show_time(time: &TimeInterval, out: &mut dyn Write) -> io::Result<()> {
    match (&time.not_before, &time.not_after) {
        (Some(not_before), Some(not_after)) => {
            writeln!(out, "  made        not before {}", word(not_before))?;
            writeln!(out, "              not after {}", word(not_after))
        }
        _ => Ok(()),
    }
}
