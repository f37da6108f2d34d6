//! greffe

pub mod chain;
pub mod cli;
pub mod codec;
pub mod crypto;
pub mod database;
pub mod model;
pub mod ops;
pub mod scripts;
pub mod store;
