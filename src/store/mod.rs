//! Where blocks and heads are kept: the growing archive on disk, and CAR files that come and go.
//!
//! A CAR file is the only truth; every index beside it holds hints that are checked against it. No rules
//! about manifests here: a block is bytes with a CID, and a head is the block that a chain's newest state has.

mod archive;
mod capture_file;
mod car_writer;
mod deliveries;
mod durable;
mod frame_map;
mod frames;
mod published;
mod reader;
mod recordings;
pub mod remote;
mod rotating;
mod seen;
mod spans;
mod witnessed;

pub use archive::{Archive, ArchiveError, Block, HeadFile, Rewritten, Torn};
pub use capture_file::CaptureFile;
pub use car_writer::{CarWriter, Existing, WriteError};
pub use deliveries::{Confirmed, Delivered, Deliveries};
pub use durable::{
    DraftDirectory, create as create_file, create_directory, replace as replace_file,
    replace_private as replace_private_file,
};
pub use published::{RecordPlace, read_record, record_path};
pub use reader::{CarReader, Checked, Damage, Next, ReadError};
pub use recordings::Recordings;
pub use rotating::RotatingLines;
pub use seen::Seen;
pub use witnessed::{KnownTrust, Witnessed, WitnessedSize};
