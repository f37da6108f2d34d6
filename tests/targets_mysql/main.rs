//! The MySQL and MariaDB target against real servers.

mod contract;
mod faults;
mod locks;
mod proxy;
mod schema;
mod scratch;
#[path = "../program/servers/mod.rs"]
#[allow(dead_code, unused_imports, reason = "other tests use the rest")]
mod servers;
mod sessions;
mod steps;
#[path = "../program/tools.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod tools;
