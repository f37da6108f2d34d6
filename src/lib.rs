//! greffe

pub mod cli;
pub mod codec;
pub mod crypto;
pub mod model;
