//! What `core2` 0.4 is with its feature `std`: two modules of the standard library. Every version of the crate
//! itself was withdrawn (RUSTSEC-2026-0105), and `ipfs-api-prelude` needs one by way of `multiaddr`.

pub use std::{error, io};
