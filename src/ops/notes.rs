//! What is known of the replicas of an archive, noted beside it as soon as there is something to note.

use std::cell::RefCell;
use std::path::PathBuf;

use super::{ChainReader, OpsError};
use crate::model::{ChainName, Cid};
use crate::store::remote::NamedReplica;
use crate::store::{Delivered, Deliveries};

/// The notes, which several deliveries at the same time add to.
pub(super) struct Notes {
    deliveries: RefCell<Deliveries>,
    path: PathBuf,
}

impl Notes {
    /// Reads them.
    ///
    /// # Errors
    /// When they are there and cannot be read.
    pub(super) fn read(reader: &ChainReader, name: &ChainName) -> Result<Self, OpsError> {
        let directory = reader.archive().directory();
        let path = directory.join(format!("{name}.replicas"));
        match Deliveries::read(directory, name) {
            Ok(deliveries) => Ok(Self { deliveries: RefCell::new(deliveries), path }),
            Err(source) => Err(OpsError::File { path, done: "read or written", source }),
        }
    }

    pub(super) fn of(&self, replica: &NamedReplica) -> Delivered {
        self.deliveries.borrow().of(&replica.name, &replica.url.to_string())
    }

    /// See [`Deliveries::unreadable`].
    pub(super) fn unreadable(&self) -> Option<PathBuf> {
        self.deliveries.borrow().unreadable().map(ToOwned::to_owned)
    }

    /// Notes what is known of one replica.
    ///
    /// # Errors
    /// Those of the file system.
    pub(super) fn write(&self, replica: &NamedReplica, delivered: Delivered) -> Result<(), OpsError> {
        let written = self.deliveries.borrow_mut().note(&replica.name, delivered);
        written.map_err(|source| OpsError::File { path: self.path.clone(), done: "read or written", source })
    }

    /// Notes that a replica is about to be told to keep the head: whoever ends this program in the middle leaves a note
    /// of what may be pinned already.
    ///
    /// # Errors
    /// Those of the file system.
    pub(super) fn begin(
        &self,
        replica: &NamedReplica,
        before: &Delivered,
        head: Cid,
    ) -> Result<(), OpsError> {
        self.write(replica, super::replicate::begin(before.clone(), head))
    }
}
