//! greffe

pub mod codec;
pub mod crypto;
pub mod model;
pub mod store;
