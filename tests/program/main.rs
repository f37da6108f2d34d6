//! The program as people and scripts meet it: the real binary, real databases, no terminal.

mod anywhere;
mod apply;
mod audit;
mod concurrency;
mod damage;
mod engines;
mod exchange;
mod faults;
mod guards;
mod hostile;
mod hostile_replay;
mod ipfs;
mod ipfs_ground;
mod issue;
mod keys;
#[cfg(feature = "bitswap")]
mod node;
mod output;
mod pins;
mod postgres_versions;
mod project;
mod publish;
mod quickstart;
mod repair;
mod replay;
mod replicas;
mod restored;
mod rollback;
mod secured;
mod serve;
mod server_faults;
mod servers;
mod servers_test;
mod settings;
mod status;
mod tools;
