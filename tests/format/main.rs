//! The format, tested as data: archives and blocks made here and by another program.

mod arrows;
mod bits;
mod chains;
mod graphs;
mod independent;
mod memory;
mod own_archive;
mod privacy;
mod properties;
mod two_keys;
mod vectors;
