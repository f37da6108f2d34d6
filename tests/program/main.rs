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
mod issue;
mod keys;
mod output;
mod postgres_versions;
mod project;
mod quickstart;
mod repair;
mod replay;
mod replicas;
mod restored;
mod rollback;
mod server_faults;
mod servers;
mod servers_test;
mod settings;
mod status;
mod tools;
