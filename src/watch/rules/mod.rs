//! The rules: from what others verified, compared or asked to findings. Pure, and each can be explained in a sentence.

mod compared;
mod copies;
mod entries;
mod guarded;
mod keeping;
mod verified;

pub use compared::{GRACE, of_audit, of_tool_audit, unarchived};
pub use copies::{Copies, of_copies, of_gossip, of_looks};
pub use entries::{Judging, Ran, of_entries};
pub use guarded::of_guard;
pub use keeping::{accesses, attestations, erasures, waivers};
pub use verified::{clocks, cut_back, of_report, stale};
