//! The run lock: one run at a time on one database, also from several archives.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::database::DatabaseError;

const POLL: Duration = Duration::from_millis(20);

/// A held lock. The operating system gives it back when the process ends, however it ends; the file
/// stays, for removing it could remove the lock of another run.
pub struct RunLock {
    _file: File,
}

impl RunLock {
    /// Takes the lock of the database at `path`, asking again until `wait` is over.
    pub async fn take(path: &Path, wait: Duration) -> Result<Self, DatabaseError> {
        let lock = lock_path(path);
        let failed = |source| DatabaseError::Lock { lock: lock.clone(), source };
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&lock).map_err(failed)?;
        let begin = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self { _file: file }),
                Err(TryLockError::Error(source)) => return Err(failed(source)),
                Err(TryLockError::WouldBlock) if begin.elapsed() >= wait => {
                    return Err(DatabaseError::Locked { lock, waited: wait });
                }
                Err(TryLockError::WouldBlock) => tokio::time::sleep(POLL.min(wait)).await,
            }
        }
    }
}

/// `<database file>-greffe-lock`, in the manner of SQLite's own `-wal` and `-journal`.
fn lock_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-greffe-lock");
    name.into()
}
