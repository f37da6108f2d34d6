//! What every target keeps to, and what is each one's own; on real databases.

// A binary that takes these in uses but a part of them.
#[allow(dead_code, unused_imports)]
#[path = "../program/servers/mod.rs"]
mod servers;
#[allow(dead_code)]
#[path = "../program/tools.rs"]
mod tools;

mod adapter;
mod contract;
mod mysql;
mod postgres;
mod postgres_fingerprint;
mod postgres_told;
mod postgres_versions;
mod steps;
