//! Values ⇄ canonical bytes. Every reader refuses what a writer would not write; no policy here.

pub mod car;
pub mod dag_cbor;
pub mod dsse;
pub mod ipns;
pub mod json;
pub mod links;
pub mod note;
pub mod sealed;
pub mod statement;
pub mod tiles;
pub mod trust;
pub mod unixfs;
