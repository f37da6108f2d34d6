//! Records that somebody looked through the chain, as rules about a daily review ask for.

use serde::Serialize;

use super::day_of;
use crate::chain::NewFile;
use crate::model::{Cid, Details, EventKind, Role};
use crate::ops::own_event::Pen;
use crate::ops::{OpenKey, OpsError, Project, now};

/// The file of a review.
pub const REVIEW_FILE: &str = "policy-review.json";

/// What a review says. Who reviewed is the actor of its event.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Review {
    /// The first member of the document.
    pub greffe: &'static str,
    pub day: String,
    /// The newest entry that was looked at.
    pub entry: u64,
    /// Its manifest.
    pub manifest: Cid,
    /// How many findings verification had, where the whole chain was verified.
    pub findings: usize,
    /// Where more of it is written down.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
}

/// A review that was recorded.
#[derive(Clone, Debug, Serialize)]
pub struct Reviewed {
    pub review: Review,
    /// The entry that says so.
    pub seq: u64,
    pub head: Cid,
}

/// Records a review of all entries so far.
///
/// # Errors
/// Those of archive and key; [`OpsError::Unpublishable`] where `reference` says something of a person.
pub fn review(
    project: &Project,
    findings: usize,
    reference: Option<String>,
    open_key: OpenKey,
) -> Result<Reviewed, OpsError> {
    let mut pen = Pen::open(project, open_key)?;
    let (manifest, newest) = pen.chain.reader.newest()?;
    let review = Review {
        greffe: "policy-review/1",
        day: day_of(now()),
        entry: newest.seq,
        manifest,
        findings,
        reference,
    };
    let mut bytes = serde_json::to_vec_pretty(&review).unwrap_or_default();
    bytes.push(b'\n');
    let file = NewFile { name: REVIEW_FILE.parse()?, role: Role::Evidence, bytes, sealed: false };
    let (seq, _, head) =
        pen.append_with(EventKind::Attach, Details::attached_to(vec![manifest]), vec![file])?;
    Ok(Reviewed { review, seq, head })
}
