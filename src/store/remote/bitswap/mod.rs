//! Bitswap: blocks to and from peers that are named by their keys, over TCP.
//!
//! Messages and streams are this module's own: what a peer may send, how much of it and how long it may take is
//! decided before any of it is kept.

mod bounded;
mod handshakes;
mod network;
mod peer;
mod streams;
mod wire;

pub use network::{
    Admission, Behaviour, BehaviourEvent, Identity, NoSwarmKey, PeerAddress, PeerAddressError, make_swarm,
    parse_listen, socket_address,
};
pub use peer::Peer;
pub use streams::Accepted;
pub use wire::{Message, Reply, Want, encode_wants, read_body, read_length, read_message, write_message};
