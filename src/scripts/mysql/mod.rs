use crate::scripts::Reason;
use crate::scripts::Statement;
pub fn statements(_sql: &str) -> Vec<Statement> {
    Vec::new()
}
pub fn refusal(_sql: &str) -> Option<(usize, Reason)> {
    None
}
