//! The program as people and scripts meet it: the real binary, real databases, no terminal.

mod apply;
mod audit;
mod concurrency;
mod damage;
mod engines;
mod exchange;
mod faults;
mod guards;
mod hostile;
mod ipfs_ground;
mod issue;
mod keys;
mod output;
mod project;
mod quickstart;
mod repair;
mod replay;
mod restored;
mod rollback;
mod server_faults;
mod servers;
mod servers_test;
mod settings;
mod status;
mod tools;
