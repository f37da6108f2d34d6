//! Nodes and services elsewhere that keep blocks: how they are reached, how long is waited for them, and what a
//! replica is.
//!
//! Nothing that comes from there is believed: a block is hashed before it is used, and a pin counts once the
//! blocks below it were read back. Services that give no blocks back are believed, and told apart. No bytes from
//! there are read without a bound in size and time. Secrets go into request headers and nowhere else.

mod authority;
#[cfg(feature = "bitswap")]
pub mod bitswap;
mod cluster;
mod copy;
mod endpoint;
mod error;
mod gateway;
mod hosts;
mod http;
mod kubo;
mod origin;
mod patience;
mod pieces;
mod pinning;
mod promise;
mod replica;
mod router;
mod source;
mod witness;

pub use authority::{AuthorityUrl, TimestampService};
pub use cluster::Cluster;
pub use copy::Copy;
pub use endpoint::{Authorization, Endpoint, EndpointError, is_loopback, parse_web_url};
pub use error::RemoteError;
pub use gateway::{CarStream, Gateway};
pub use http::{Answer, Http};
pub use kubo::Kubo;
pub use origin::Origin;
pub use patience::Patience;
pub use pinning::{Origins, Pinning};
pub use replica::{
    AnyReplica, Delivery, Holding, NamedReplica, Remedy, Replica, ReplicaError, ReplicaUrl, Turn,
};
pub use router::{Names, Router};
pub use source::{NamedSource, SourceUrl};
pub use witness::{Answered, Witness};
