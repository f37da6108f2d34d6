//! Migration scripts as they lie in a folder: which there are, what they say about themselves, what they would do.
//!
//! | file | what it is |
//! |---|---|
//! | [`difference`] | compares a script on disk with its archived copy |
//!
//! Nothing here connects to a database or runs a script, and nothing here writes.

pub mod difference;

pub use difference::{Difference, difference, line_feed_form};

const BYTE_ORDER_MARK: &str = "\u{feff}";
