//! What a file asks of witnesses (C2SP tlog-policy).

use std::path::Path;

use super::error::CliError;
use super::output::Clean;
use crate::codec::policy::{POLICY_LIMIT, Policy};

/// Reads a policy.
///
/// # Errors
/// When the file cannot be read, is too large, or is no policy.
pub fn read_policy(path: &Path) -> Result<Policy, CliError> {
    let shown = path.display().to_string();
    let failed = |error: String| {
        CliError::usage(format!("{}: {error}", Clean(&shown)))
            .hint("write it as C2SP tlog-policy has it; docs/witness.md has an example")
    };
    let size = std::fs::metadata(path).map_err(|error| failed(error.to_string()))?.len();
    if size > POLICY_LIMIT as u64 {
        return Err(failed(format!("it has more than {POLICY_LIMIT} bytes")));
    }
    let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
    Policy::parse(&text).map_err(|error| failed(error.to_string()))
}
