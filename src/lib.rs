//! greffe: a decentralized audit archive for database migrations.
//!
//! Data flows one way. `scripts` reads a folder; `database` runs a script and keeps, in the same
//! transaction, a row that tells of it; `ops` takes rows that are not archived yet to `chain`, which
//! makes signed manifests and a head of them; `store` keeps the blocks. Verification goes the other way:
//! `store` hands blocks to `chain`, which ends in a report.
//!
//! ```text
//! folder ─► scripts ─► ops ─► database          (run, record)
//!                       │
//!                       ├──► chain ─► store     (sign, archive)
//!                       │
//! report ◄── chain ◄── ops ◄── store            (verify)
//! client ◄── server ◄───────── store            (serve)
//! ```
//!
//! In reading order:
//!
//! - [`crypto`]: digests, keys, signatures
//! - [`model`]: what an archive is
//! - [`codec`]: values ⇄ canonical bytes
//! - [`chain`]: rules over manifests: append, tree, verify, findings
//! - [`scripts`]: migration folders, header comments, statements
//! - [`database`]: targets and their history
//! - [`store`]: blocks by CID, heads by compare-and-swap
//! - [`privacy`]: finds personal data and secrets
//! - [`policy`]: what has to hold before scripts run, as documents
//! - [`vault`]: content keys of sealed files, off IPFS
//! - [`lang`]: what people read, in their language
//! - [`report`]: reports on changes: data in, bytes out
//! - [`ops`]: one use case a file
//! - [`server`]: archives over HTTP, read only
//! - [`witness`]: cosigns checkpoints of other people's logs
//! - [`watch`]: what is watched, and who is told
//! - `node`: archives over Bitswap, read only; with the feature `bitswap`
//! - [`cli`]: the command line
//!
//! Invariants:
//!
//! - `crypto`, `model`, `codec` and `chain` have no file, no network, no clock, no environment and no
//!   `async fn`; the one thing that they take from outside is randomness for keys and identifiers.
//! - Tampering is never an `Err`: verification returns findings, all of them.
//! - Bytes are hashed before they are believed, and the bytes that were verified are the ones that are used.
//! - A database error's text is never kept: it may carry values of rows.
//! - `ops` knows neither command line nor environment, and prints nothing.
//! - `server` and `node` write no file, and no text of a client becomes the name of one.

#![forbid(unsafe_code)]

pub mod chain;
pub mod cli;
pub mod codec;
pub mod crypto;
pub mod database;
pub mod lang;
pub mod model;
#[cfg(feature = "bitswap")]
pub mod node;
pub mod ops;
pub mod policy;
pub mod privacy;
pub mod report;
pub mod scripts;
pub mod server;
pub mod store;
pub mod vault;
pub mod watch;
pub mod witness;
