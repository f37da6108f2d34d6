//! Watches a chain and tells of what is not as it should be: what was looked at, which findings that makes by fixed
//! rules, which of them somebody was told of, metrics, and alerts.
//!
//! Nothing is verified here beside what `chain` and `ops` verify: rules read their results. Values and rules are pure;
//! the edges are [`alert`], which sends, [`State`], which keeps a small file, and [`serve`], which answers scrapers. No
//! alert and no metric holds a value of a row, the text of a script or who somebody is.
//!
//! ```text
//! looks (verify, audit, replicas, gossip, vault) ─► rules ─► Round ─► Told ─► alerts
//!                                                              └────► Metrics ─► scrapers
//! ```

pub mod alert;
mod finding;
mod guarded;
mod metrics;
mod round;
pub mod rules;
mod served;
mod state;
mod told;
mod window;

pub use finding::{Code, Finding, Severity};
pub use guarded::GuardMemory;
pub use metrics::{CONTENT_TYPE, Metrics};
pub use round::{Facts, Found, LookName, Looked, Round};
pub use served::{Board, serve};
pub use state::{State, StateError};
pub use told::{Alert, Happened, Open, Owed, Telling, Told};
pub use window::{Window, Windows};
