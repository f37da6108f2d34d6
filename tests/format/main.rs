//! The format, tested as data: archives and blocks made here and by another program.

mod approvals;
mod arrows;
mod attacks;
mod bits;
mod chains;
mod evidence;
mod forks;
mod graphs;
mod independent;
mod memory;
mod moved;
mod openings;
mod own_archive;
mod policy;
mod privacy;
mod properties;
mod standing;
mod timestamps;
mod two_keys;
mod vectors;
mod witnesses;
