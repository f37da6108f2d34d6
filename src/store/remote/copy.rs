//! A replica in the file system: another archive, or a CAR file.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Delivery, Holding, RemoteError, Replica, ReplicaError};
use crate::model::{ChainName, Cid};
use crate::store::{Archive, ArchiveError, Block, CarReader, CarWriter, Existing, WriteError};

/// How long another writer of the archive is waited for.
const LOCK_WAIT: Duration = Duration::from_secs(10);
/// What the name of a CAR file that cannot be read ends with when a repair puts it aside.
const UNREADABLE: &str = ".unreadable";

/// A replica in the file system.
pub struct Copy {
    place: Place,
}

enum Place {
    /// A folder; its archive has the chain's name.
    Archive(PathBuf),
    Car(PathBuf),
}

impl Copy {
    /// The archive of the chain's name in `folder`, which is made when it is not there.
    #[must_use]
    pub const fn archive(folder: PathBuf) -> Self {
        Self { place: Place::Archive(folder) }
    }

    /// The CARv1 file at `path`, replaced with each head.
    #[must_use]
    pub const fn car(path: PathBuf) -> Self {
        Self { place: Place::Car(path) }
    }

    /// Whether every delivery has to name all blocks.
    #[must_use]
    pub const fn takes_all(&self) -> bool {
        matches!(self.place, Place::Car(_))
    }

    /// The head that it names itself; `None` when there is nothing, or another chain's archive, which is not written
    /// to. A CAR file that cannot be read has none; it is not replaced either.
    ///
    /// # Errors
    /// [`ArchiveError`].
    pub fn own_head(&self, name: &ChainName, root: &Cid) -> Result<Option<Cid>, ArchiveError> {
        match &self.place {
            Place::Archive(folder) => match Archive::open_read(folder, name) {
                Ok(archive) => Ok((archive.root() == *root).then(|| archive.head())),
                Err(ArchiveError::NotFound { .. }) => Ok(None),
                Err(error) => Err(error),
            },
            Place::Car(path) => Ok(CarReader::open(path).ok().map(|reader| reader.root())),
        }
    }

    /// Whether there is no such archive or file. An empty mount point looks like a disk that was never written to.
    #[must_use]
    pub fn is_gone(&self, name: &ChainName) -> bool {
        match &self.place {
            Place::Archive(folder) => !folder.join(format!("{name}.car")).exists(),
            Place::Car(path) => !path.exists(),
        }
    }

    /// Makes room for a CAR file. What has its name and cannot be read may be all that is left of a chain: a repair keeps
    /// it under another name, and nobody else touches it.
    fn make_room(path: &Path, repairs: bool) -> Result<(), ReplicaError> {
        if path.symlink_metadata().is_err() || CarReader::open(path).is_ok() {
            return Ok(());
        }
        let mut kept = path.as_os_str().to_owned();
        kept.push(UNREADABLE);
        if !repairs {
            return Err(ReplicaError::Unreadable { path: path.to_owned(), kept: kept.into() });
        }
        // One that was kept before stays as well.
        let mut number = 1;
        let mut free = PathBuf::from(&kept);
        while free.symlink_metadata().is_ok() {
            number += 1;
            let mut next = kept.clone();
            next.push(format!("-{number}"));
            free = next.into();
        }
        std::fs::rename(path, &free)
            .map_err(|source| WriteError::Io { path: path.to_owned(), source })
            .map_err(ReplicaError::from)
    }

    const fn is_archive(&self) -> bool {
        matches!(self.place, Place::Archive(_))
    }

    /// The archives in the folder that have a block.
    fn holders(folder: &Path, cid: &Cid) -> Result<Vec<Archive>, ArchiveError> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let name = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse().ok());
            let (true, Some(name)) = (path.extension().is_some_and(|extension| extension == "car"), name)
            else {
                continue;
            };
            let archive = Archive::open_read(folder, &name)?;
            if archive.contains(cid)? {
                found.push(archive);
            }
        }
        Ok(found)
    }
}

impl Replica for Copy {
    async fn deliver(&self, delivery: &Delivery<'_>) -> Result<(), ReplicaError> {
        // A disk that is not mounted is not written beside.
        self.answers().await?;
        let read = |cid: &Cid| Ok::<Block, ArchiveError>((*cid, (delivery.read)(cid)?));
        match &self.place {
            Place::Car(path) => {
                Self::make_room(path, delivery.repairs)?;
                let mut writer = CarWriter::create(path, &delivery.head, Existing::Replace)?;
                for cid in std::iter::once(&delivery.head)
                    .chain(delivery.blocks.split_last().map_or(&[][..], |(_, rest)| rest))
                {
                    writer.put(cid, &(delivery.read)(cid)?)?;
                }
                writer.finish()?;
            }
            Place::Archive(folder) => match Archive::open_write(folder, delivery.name, LOCK_WAIT) {
                Ok(archive) if archive.root() != delivery.root => {
                    return Err(RemoteError::Unsupported("it has the archive of another chain").into());
                }
                Ok(mut archive) => {
                    let lacking = delivery.blocks.iter().map(read).collect::<Result<Vec<_>, _>>()?;
                    archive.append(&lacking, delivery.head)?;
                }
                Err(ArchiveError::NotFound { .. }) => {
                    let blocks = delivery.blocks.iter().map(read);
                    Archive::create_from(folder, delivery.name, delivery.root, delivery.head, blocks)?;
                }
                Err(error) => return Err(error.into()),
            },
        }
        for cid in delivery.blocks {
            if self.get(cid).await?.is_none() {
                return Err(RemoteError::Lost(*cid).into());
            }
        }
        Ok(())
    }

    async fn holding(&self, head: &Cid) -> Result<Holding, ReplicaError> {
        let pinned = match &self.place {
            Place::Archive(folder) => {
                Self::holders(folder, head)?.iter().any(|archive| archive.head() == *head)
            }
            Place::Car(path) if !path.exists() => false,
            Place::Car(path) => CarReader::open(path).is_ok_and(|reader| reader.root() == *head),
        };
        match pinned {
            true => Ok(Holding::Pinned),
            false if self.get(head).await?.is_some() => Ok(Holding::Unpinned),
            false => Ok(Holding::Absent),
        }
    }

    async fn get(&self, cid: &Cid) -> Result<Option<Vec<u8>>, ReplicaError> {
        match &self.place {
            Place::Archive(folder) => {
                for archive in Self::holders(folder, cid)? {
                    if let Ok(Some(bytes)) = archive.get(cid) {
                        return Ok(Some(bytes));
                    }
                }
                Ok(None)
            }
            Place::Car(path) => {
                let malformed = |error: crate::store::ReadError| RemoteError::Malformed(error.to_string());
                let Ok(mut reader) = CarReader::open(path) else { return Ok(None) };
                let found = reader.get_verified(cid).map_err(malformed)?;
                Ok(found.map(<[u8]>::to_vec))
            }
        }
    }

    async fn answers(&self) -> Result<(), ReplicaError> {
        let (Place::Archive(path) | Place::Car(path)) = &self.place;
        let above = path.parent().filter(|above| !above.as_os_str().is_empty());
        let above = above.unwrap_or(Path::new("."));
        let known = above.is_dir() && (!path.exists() || path.is_dir() == self.is_archive());
        if known {
            return Ok(());
        }
        Err(RemoteError::Unreachable(format!("{} cannot be written there", path.display())).into())
    }
}
