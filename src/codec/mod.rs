//! Values ⇄ canonical bytes. Every reader refuses what a writer would not write; no policy here.

pub mod add_checkpoint;
pub mod asn1;
pub mod car;
pub mod certificate;
pub mod cms;
pub mod cosignature;
pub mod dag_cbor;
pub mod dsse;
pub mod fork;
pub mod ipns;
pub mod json;
pub mod links;
pub mod note;
pub mod plan;
pub mod policy;
pub mod proposal;
pub mod sealed;
pub mod sigstore;
pub mod ssh_agent;
pub mod statement;
pub mod tiles;
pub mod timestamp;
pub mod tlog_proof;
pub mod trust;
pub mod unixfs;
pub mod vkey;
