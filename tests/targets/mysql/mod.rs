//! What the adapter of MySQL and MariaDB does beyond the contract.

mod faults;
mod locks;
mod proxy;
mod schema;
mod scratch;
mod scripts;
mod sessions;
mod steps;
