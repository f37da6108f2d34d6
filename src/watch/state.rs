//! The small file in which [`Told`] lies between rounds, replaced whole each time. One program at a time has it.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use super::Told;
use crate::model::Cid;
use crate::store::replace_private_file;

/// A larger file is not ours: 1000 alerts a channel are smaller.
const LIMIT: u64 = 64 << 20;

/// Why there is no memory.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    #[error("{} cannot be used: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("{} is not what `greffe watch` wrote: {detail}", path.display())]
    Damaged { path: PathBuf, detail: String },
    #[error("{} is of the chain {found}, and {expected} is watched", path.display())]
    OtherChain { path: PathBuf, found: Cid, expected: Cid },
    #[error("another `greffe watch` uses {}", path.display())]
    InUse { path: PathBuf },
}

/// The file, and what is in it.
pub struct State {
    path: PathBuf,
    pub told: Told,
    /// Held as long as this program runs.
    _lock: File,
}

impl State {
    /// Reads it; one that is not there yet begins empty.
    ///
    /// # Errors
    /// [`StateError`]. A memory that is quietly emptied would alert again of everything, or of nothing.
    pub fn open(path: &Path, chain: Option<Cid>) -> Result<Self, StateError> {
        let failed = |source| StateError::File { path: path.to_owned(), source };
        let lock = lock(path)?;
        let mut told = match fs::metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Told::default(),
            Err(error) => return Err(failed(error)),
            Ok(metadata) if metadata.len() > LIMIT => {
                return Err(StateError::Damaged {
                    path: path.to_owned(),
                    detail: "it is too large".to_owned(),
                });
            }
            Ok(_) => {
                let text = fs::read(path).map_err(failed)?;
                let damaged = |error: serde_json::Error| StateError::Damaged {
                    path: path.to_owned(),
                    detail: error.to_string(),
                };
                serde_json::from_slice(&text).map_err(damaged)?
            }
        };
        match (told.chain, chain) {
            (Some(found), Some(expected)) if found != expected => {
                return Err(StateError::OtherChain { path: path.to_owned(), found, expected });
            }
            (None, chain) => told.chain = chain,
            _ => {}
        }
        Ok(Self { path: path.to_owned(), told, _lock: lock })
    }

    /// Keeps what is in it, durably.
    ///
    /// # Errors
    /// [`StateError::File`].
    pub fn keep(&self) -> Result<(), StateError> {
        let failed = |source| StateError::File { path: self.path.clone(), source };
        let text = serde_json::to_vec(&self.told).map_err(|error| failed(io::Error::other(error)))?;
        replace_private_file(&self.path, &text).map_err(failed)
    }
}

/// The lock lies beside the file, which is replaced.
fn lock(path: &Path) -> Result<File, StateError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let failed = |source| StateError::File { path: path.to_owned(), source };
    let file = File::options().create(true).truncate(false).write(true).open(&name).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StateError::InUse { path: path.to_owned() }),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Codec;

    #[test]
    fn it_is_kept_belongs_to_one_chain_and_to_one_program() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("watch.json");
        let chain = |text: &[u8]| Some(Cid::of(Codec::DagCbor, text));
        let mut state = State::open(&path, chain(b"a")).unwrap();
        state.told.judged = Some(7);
        state.keep().unwrap();
        assert!(matches!(State::open(&path, chain(b"a")), Err(StateError::InUse { .. })));
        drop(state);
        assert_eq!(State::open(&path, chain(b"a")).unwrap().told.judged, Some(7));
        assert!(matches!(State::open(&path, chain(b"b")), Err(StateError::OtherChain { .. })));
        fs::write(&path, "{").unwrap();
        assert!(matches!(State::open(&path, None), Err(StateError::Damaged { .. })));
    }
}
