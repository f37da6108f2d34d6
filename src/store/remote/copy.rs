//! A replica in the file system: another archive, or a CAR file.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::yield_now;

use super::{Delivery, Holding, RemoteError, Replica, ReplicaError};
use crate::model::{ChainName, Cid};
use crate::store::{Archive, ArchiveError, Block, CarReader, CarWriter, Existing, WriteError, durable};

/// How long another writer of the archive is waited for.
const LOCK_WAIT: Duration = Duration::from_secs(10);
/// What the name of a CAR file that cannot be read ends with when a repair puts it aside.
const UNREADABLE: &str = ".unreadable";
/// After so many blocks, whoever waits for this may end it.
const BREATH: u64 = 64;

/// A replica in the file system.
pub struct Copy {
    place: Place,
    /// What was opened to read, as long as it stays what it was.
    opened: Mutex<Opened>,
}

#[derive(Clone)]
enum Place {
    /// A folder; its archive has the chain's name.
    Archive(PathBuf),
    Car(PathBuf),
}

#[derive(Default)]
struct Opened {
    archives: Vec<Archive>,
    car: Option<(CarReader, Version)>,
    /// Blocks that were read.
    read: u64,
}

/// Another one, when a file was replaced or written to.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Version {
    file: (u64, u64),
    length: u64,
    modified: (i64, i64),
}

impl Version {
    fn of(file: &Metadata) -> Self {
        Self {
            file: (file.dev(), file.ino()),
            length: file.len(),
            modified: (file.mtime(), file.mtime_nsec()),
        }
    }
}

impl Opened {
    /// Opens the archives of a folder that are not open as they are now. Those that cannot be opened have nothing.
    fn reopen(&mut self, folder: &Path) {
        self.archives.retain(|archive| archive.is_current().unwrap_or(false));
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let name = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse().ok());
            let (true, Some(name)) = (path.extension().is_some_and(|extension| extension == "car"), name)
            else {
                continue;
            };
            if !self.archives.iter().any(|archive| archive.path() == path) {
                self.archives.extend(Archive::open_read(folder, &name));
            }
        }
    }

    /// The bytes of a block, hashed, in one of the archives that are open and as they were.
    fn find(&self, cid: &Cid) -> Option<Vec<u8>> {
        let mut current = self.archives.iter().filter(|archive| archive.is_current().unwrap_or(false));
        current.find_map(|archive| archive.get(cid).ok().flatten())
    }

    /// The CAR file at `path`, opened anew when it is another one by now; `None` when it cannot be read.
    fn car(&mut self, path: &Path) -> Option<&mut CarReader> {
        let version = Version::of(&path.metadata().ok()?);
        if self.car.as_ref().is_none_or(|(_, opened)| *opened != version) {
            self.car = CarReader::open(path).ok().map(|reader| (reader, version));
        }
        self.car.as_mut().map(|(reader, _)| reader)
    }
}

impl Copy {
    const fn new(place: Place) -> Self {
        Self { place, opened: Mutex::new(Opened { archives: Vec::new(), car: None, read: 0 }) }
    }

    /// The archive of the chain's name in `folder`, which is made when it is not there.
    #[must_use]
    pub const fn archive(folder: PathBuf) -> Self {
        Self::new(Place::Archive(folder))
    }

    /// The CARv1 file at `path`, replaced with each head.
    #[must_use]
    pub const fn car(path: PathBuf) -> Self {
        Self::new(Place::Car(path))
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
    /// [`ReplicaError::Archive`], and [`ReplicaError::Damaged`].
    pub fn own_head(&self, name: &ChainName, root: &Cid) -> Result<Option<Cid>, ReplicaError> {
        match &self.place {
            Place::Archive(folder) => match Archive::open_read(folder, name) {
                Ok(archive) => Ok((archive.root() == *root).then(|| archive.head())),
                Err(ArchiveError::NotFound { .. }) => Ok(None),
                Err(error) => Err(judged(error)),
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

    /// Whether the next head can be brought, as far as can be seen beforehand. `given`: it was given one. A disk that
    /// does not answer holds up a thread of its own and nothing else.
    ///
    /// # Errors
    /// Why it cannot.
    pub async fn is_ready(&self, name: &ChainName, given: bool) -> Result<(), ReplicaError> {
        let (copy, name) = (Self::new(self.place.clone()), name.clone());
        let (tell, told) = oneshot::channel();
        std::thread::spawn(move || {
            // Whoever asked may have gone.
            let _ = tell.send(copy.require_ready(&name, given));
        });
        told.await.unwrap_or_else(|_| Err(RemoteError::Unsupported("it cannot be looked at").into()))
    }

    fn require_ready(&self, name: &ChainName, given: bool) -> Result<(), ReplicaError> {
        self.require_place()?;
        let gone = self.is_gone(name);
        if given && gone {
            return Err(ReplicaError::Gone);
        }
        match &self.place {
            // It is made in its place, or with the folder.
            Place::Archive(folder) if gone => match folder.is_dir() {
                true => Ok(Archive::probe(folder, name)?),
                false => probe(folder),
            },
            Place::Archive(folder) => {
                Archive::open_write(folder, name, LOCK_WAIT).map_err(judged)?;
                Ok(Archive::probe(folder, name)?)
            }
            Place::Car(path) => {
                if !gone && CarReader::open(path).is_err() {
                    return Err(unreadable(path));
                }
                probe(path)
            }
        }
    }

    /// Refuses a disk that is not mounted, which is not written beside, and what is of another kind.
    fn require_place(&self) -> Result<(), ReplicaError> {
        let (Place::Archive(path) | Place::Car(path)) = &self.place;
        let above = path.parent().filter(|above| !above.as_os_str().is_empty());
        let above = above.unwrap_or(Path::new("."));
        let known = above.is_dir() && (!path.exists() || path.is_dir() == self.is_archive());
        if known {
            return Ok(());
        }
        Err(RemoteError::Unreachable(format!("{} cannot be written there", path.display())).into())
    }

    /// Makes room for a CAR file. What has its name and cannot be read may be all that is left of a chain: a repair keeps
    /// it under another name, and nobody else touches it.
    fn make_room(path: &Path, repairs: bool) -> Result<(), ReplicaError> {
        if path.symlink_metadata().is_err() || CarReader::open(path).is_ok() {
            return Ok(());
        }
        if !repairs {
            return Err(unreadable(path));
        }
        // One that was kept before stays as well.
        let free = durable::free_name(path, UNREADABLE);
        std::fs::rename(path, &free)
            .map_err(|source| WriteError::Io { path: path.to_owned(), source })
            .map_err(ReplicaError::from)
    }

    const fn is_archive(&self) -> bool {
        matches!(self.place, Place::Archive(_))
    }

    fn opened(&self) -> MutexGuard<'_, Opened> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn write_car(path: &Path, delivery: &Delivery<'_>) -> Result<(), ReplicaError> {
        Self::make_room(path, delivery.repairs)?;
        let mut writer = CarWriter::create(path, &delivery.head, Existing::Replace)?;
        let others = delivery.blocks.split_last().map_or(&[][..], |(_, others)| others);
        for (number, cid) in (1..).zip(std::iter::once(&delivery.head).chain(others)) {
            writer.put(cid, &(delivery.read)(cid)?)?;
            breathe(number).await;
        }
        // Writing takes its time, and another process may have written a newer one meanwhile.
        let found = CarReader::open(path).ok().map(|reader| reader.root());
        require_judged(path, delivery, found)?;
        writer.finish()?;
        Ok(())
    }

    fn write_archive(folder: &Path, delivery: &Delivery<'_>) -> Result<(), ReplicaError> {
        let read = |cid: &Cid| Ok::<Block, ArchiveError>((*cid, (delivery.read)(cid)?));
        let replace = || {
            let (blocks, Delivery { name, root, head, .. }) = (delivery.whole.iter().map(read), delivery);
            Archive::replace_from(folder, name, *root, *head, blocks, LOCK_WAIT).map(drop)
        };
        match Archive::open_write(folder, delivery.name, LOCK_WAIT) {
            Ok(archive) if archive.root() != delivery.root => {
                Err(RemoteError::Unsupported("it has the archive of another chain").into())
            }
            Ok(mut archive) => {
                // It was waited for, and whoever had it may have moved it.
                require_judged(archive.path(), delivery, Some(archive.head()))?;
                // What is added does not take the place of a block with other bytes.
                let damaged = |cid: &Cid| archive.get(cid).is_err_and(|error| error.is_damage());
                if delivery.repairs && delivery.blocks.iter().any(damaged) {
                    drop(archive);
                    return Ok(replace()?);
                }
                let lacking = delivery.blocks.iter().map(read).collect::<Result<Vec<_>, _>>()?;
                Ok(archive.append(&lacking, delivery.head)?)
            }
            Err(ArchiveError::NotFound { .. }) if delivery.judged.is_some() => Err(ReplicaError::Gone),
            Err(ArchiveError::NotFound { .. }) => {
                let (blocks, Delivery { name, root, head, .. }) =
                    (delivery.blocks.iter().map(read), delivery);
                Archive::create_from(folder, name, *root, *head, blocks)?;
                Ok(())
            }
            Err(error) if error.is_damage() && delivery.repairs => Ok(replace()?),
            Err(error) => Err(judged(error)),
        }
    }
}

/// Lets whoever waits for this end it now and then: files are read and written at once.
async fn breathe(number: u64) {
    if number.is_multiple_of(BREATH) {
        yield_now().await;
    }
}

fn require_judged(path: &Path, delivery: &Delivery<'_>, found: Option<Cid>) -> Result<(), ReplicaError> {
    if found == delivery.judged {
        return Ok(());
    }
    let expected = delivery.judged.unwrap_or(delivery.head);
    Err(ArchiveError::HeadMoved { path: path.to_owned(), expected, found }.into())
}

fn judged(error: ArchiveError) -> ReplicaError {
    if error.is_damage() { ReplicaError::Damaged(error) } else { error.into() }
}

fn unreadable(path: &Path) -> ReplicaError {
    let mut kept = path.as_os_str().to_owned();
    kept.push(UNREADABLE);
    ReplicaError::Unreadable { path: path.to_owned(), kept: kept.into() }
}

fn probe(path: &Path) -> Result<(), ReplicaError> {
    let failed = |source| WriteError::Io { path: path.to_owned(), source };
    durable::probe(path).map_err(failed).map_err(ReplicaError::from)
}

impl Replica for Copy {
    async fn deliver(&self, delivery: &Delivery<'_>) -> Result<(), ReplicaError> {
        self.require_place()?;
        match &self.place {
            Place::Car(path) => Self::write_car(path, delivery).await?,
            Place::Archive(folder) => Self::write_archive(folder, delivery)?,
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
                let mut opened = self.opened();
                opened.reopen(folder);
                opened.archives.iter().any(|archive| archive.head() == *head)
            }
            Place::Car(path) => self.opened().car(path).is_some_and(|reader| reader.root() == *head),
        };
        match pinned {
            true => Ok(Holding::Pinned),
            false if self.get(head).await?.is_some() => Ok(Holding::Unpinned),
            false => Ok(Holding::Absent),
        }
    }

    async fn get(&self, cid: &Cid) -> Result<Option<Vec<u8>>, ReplicaError> {
        let (number, found) = {
            let mut opened = self.opened();
            opened.read += 1;
            let found = match &self.place {
                Place::Archive(folder) => Ok(opened.find(cid).or_else(|| {
                    // It may have come since.
                    opened.reopen(folder);
                    opened.find(cid)
                })),
                Place::Car(path) => match opened.car(path).map(|reader| reader.get_verified(cid)) {
                    None => Ok(None),
                    Some(Ok(found)) => Ok(found.map(<[u8]>::to_vec)),
                    Some(Err(error)) => Err(RemoteError::Malformed(error.to_string()).into()),
                },
            };
            (opened.read, found)
        };
        breathe(number).await;
        found
    }

    async fn answers(&self) -> Result<(), ReplicaError> {
        self.require_place()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::model::Codec;

    /// So many small blocks.
    fn blocks(count: u32) -> Vec<Block> {
        let block = |number: u32| number.to_be_bytes().repeat(30);
        (0..count).map(|number| (Cid::of(Codec::Raw, &block(number)), block(number))).collect()
    }

    async fn deliver(copy: &Copy, blocks: &[Block], judged: Option<Cid>) -> Result<(), ReplicaError> {
        let name: ChainName = "demo".parse().unwrap();
        let cids: Vec<Cid> = blocks.iter().map(|(cid, _)| *cid).collect();
        let bytes: std::collections::HashMap<Cid, Vec<u8>> = blocks.iter().cloned().collect();
        let (root, head) = (cids[0], *cids.last().unwrap());
        let delivery = Delivery {
            name: &name,
            root,
            head,
            previous: None,
            begun: &[],
            judged,
            repairs: false,
            resumes: false,
            confirmed: &Cell::new(0),
            blocks: &cids,
            whole: &[],
            size: &|cid| bytes[cid].len(),
            read: &|cid| Ok(bytes[cid].clone()),
        };
        copy.deliver(&delivery).await
    }

    fn block_on<T>(work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(work)
    }

    #[test]
    fn a_car_costs_what_it_has() {
        let folder = tempfile::tempdir().unwrap();
        let copy = Copy::car(folder.path().join("a.car"));
        let blocks = blocks(40_000);
        let begin = std::time::Instant::now();
        block_on(async {
            deliver(&copy, &blocks, None).await.unwrap();
            for (cid, bytes) in &blocks {
                assert_eq!(copy.get(cid).await.unwrap().as_ref(), Some(bytes));
            }
        });
        // Opened anew for each block, it would be read for hours.
        assert!(begin.elapsed() < Duration::from_secs(30), "{:?}", begin.elapsed());
    }

    #[test]
    fn time_ends_a_delivery_and_leaves_what_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let copy = Copy::car(folder.path().join("a.car"));
        let blocks = blocks(40_000);
        block_on(async {
            deliver(&copy, &blocks[..10], None).await.unwrap();
            let before = std::fs::read(folder.path().join("a.car")).unwrap();
            let work = deliver(&copy, &blocks, Some(blocks[9].0));
            assert!(tokio::time::timeout(Duration::from_millis(1), work).await.is_err());
            assert_eq!(std::fs::read(folder.path().join("a.car")).unwrap(), before);
            assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        });
    }

    #[test]
    fn a_car_that_another_wrote_meanwhile_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let copy = Copy::car(folder.path().join("a.car"));
        let blocks = blocks(30);
        block_on(async {
            deliver(&copy, &blocks[..10], None).await.unwrap();
            deliver(&copy, &blocks[..20], Some(blocks[9].0)).await.unwrap();
            let refused = deliver(&copy, &blocks[..15], Some(blocks[9].0)).await.unwrap_err();
            assert!(matches!(refused, ReplicaError::Archive(ArchiveError::HeadMoved { .. })), "{refused}");
            assert_eq!(copy.holding(&blocks[19].0).await.unwrap(), Holding::Pinned);
            assert!(copy.get(&blocks[25].0).await.unwrap().is_none());
            deliver(&copy, &blocks, Some(blocks[19].0)).await.unwrap();
            assert!(copy.get(&blocks[25].0).await.unwrap().is_some(), "it is another file by now");
        });
    }
}
