//! The format, tested as data: archives and blocks made here and by another program.

mod independent;
mod memory;
mod own_archive;
mod vectors;
