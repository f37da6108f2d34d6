//! Reports on changes, for those who audit change management: what a verified chain tells, as a document. Data in,
//! bytes out: it reads no archive, asks no clock, and judges nothing that verification judges.
//!
//! | file | what it is |
//! |---|---|
//! | [`facts`] | all that a report says, in the form that `--format json` prints |
//! | [`mod@change`] | the sheet of one change |
//! | [`risk`] | how much a change can do, by fixed rules over the kinds of its statements |
//! | [`sample`] | which changes are drawn, so that anybody who has the seed draws the same |
//! | [`html`] | the same facts as one page for people: no script, nothing from elsewhere |
//!
//! The same facts make the same bytes: the date is one of them, and there is no other.

pub mod change;
pub mod facts;
pub mod html;
pub mod risk;
pub mod sample;

pub use change::*;
pub use facts::*;

/// What the document calls its own form.
pub const FORMAT: &str = "greffe-report/1";

/// The document as JSON, with a line end.
#[must_use]
pub fn json(report: &ChangeReport) -> String {
    let mut text = serde_json::to_string_pretty(report).unwrap_or_default();
    text.push('\n');
    text
}
