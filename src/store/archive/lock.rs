//! One writer at a time: a lock of the operating system on a file that stays where it is.
//!
//! The system releases it when its holder ends, however that happens; nobody removes another's lock, and the
//! file itself says nothing.

use std::{
    fs::{File, TryLockError},
    io,
    path::Path,
    thread,
    time::{Duration, Instant},
};

const POLL: Duration = Duration::from_millis(20);

/// Held until it is dropped.
pub(super) struct Lock {
    file: File,
}

impl Lock {
    /// The same lock once more; it is held until both are dropped.
    pub(super) fn share(&self) -> io::Result<Self> {
        Ok(Self { file: self.file.try_clone()? })
    }

    /// Takes the lock, or `None` when another holder did not let go within `wait`.
    pub(super) fn take(path: &Path, wait: Duration) -> io::Result<Option<Self>> {
        let file = File::options().read(true).write(true).create(true).truncate(false).open(path)?;
        let begun = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Some(Self { file })),
                Err(TryLockError::Error(error)) => return Err(error),
                Err(TryLockError::WouldBlock) => {}
            }
            let Some(left) = wait.checked_sub(begun.elapsed()).filter(|left| !left.is_zero()) else {
                return Ok(None);
            };
            thread::sleep(left.min(POLL));
        }
    }
}
