//! Asks whoever sits at the terminal.

use std::io::{self, IsTerminal as _, Write as _};

use super::error::CliError;

/// Asks `question`, which has to be answered with yes. `what` is left undone otherwise, such as "signed".
///
/// # Errors
/// Where the answer is another one, and where there is no terminal: `before` says what to do before `--yes` is passed.
pub fn ask(question: &str, what: &str, before: &str) -> Result<(), CliError> {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Err(CliError::usage(format!("nobody can be asked whether this is to be {what}"))
            .hint(format!("{before}, and pass `--yes`")));
    }
    write!(io::stderr(), "{question} [y/N] ").ok();
    let mut answer = String::new();
    io::stdin().read_line(&mut answer).ok();
    match answer.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => Err(CliError::usage(format!("not {what}"))),
    }
}
