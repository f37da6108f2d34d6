//! What a person's verifications have seen: a folder with a small JSON file for each chain, named after the CID of
//! its manifest 0. Losing it loses the memory of older heads, and nothing else.

use std::path::{Path, PathBuf};
use std::{fs, io};

use super::durable;
use crate::crypto::Digest;
use crate::model::{Cid, Remembered};

/// Larger files are not ours: a checkpoint with all its signatures has at most 1 MiB.
const LIMIT: u64 = 4 << 20;
/// Locked by whoever writes. No CID is called so.
const LOCK: &str = "lock";
/// Evidence of forks. No CID is called so, either.
const FORKS: &str = "forks";

/// The folder.
pub struct Seen {
    directory: PathBuf,
}

impl Seen {
    /// The memory in `directory`, which is made when something is to be remembered.
    #[must_use]
    pub const fn new(directory: PathBuf) -> Self {
        Self { directory }
    }

    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The newest head of every chain.
    ///
    /// # Errors
    /// When a file is there and cannot be read, or is not as it was written: a memory that is quietly empty would
    /// not find what it is for.
    pub fn all(&self) -> io::Result<Vec<Remembered>> {
        let entries = match fs::read_dir(&self.directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut found = Vec::new();
        for entry in entries {
            if let Some(chain) = entry?.file_name().to_str().and_then(|name| name.parse::<Cid>().ok()) {
                found.extend(self.of(&chain)?);
            }
        }
        Ok(found)
    }

    fn of(&self, chain: &Cid) -> io::Result<Option<Remembered>> {
        let path = self.directory.join(chain.to_string());
        let damaged = || io::Error::new(io::ErrorKind::InvalidData, format!("{} is damaged", path.display()));
        let text = match fs::metadata(&path) {
            Ok(metadata) if metadata.len() <= LIMIT => fs::read(&path)?,
            Ok(_) => return Err(damaged()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let found: Remembered = serde_json::from_slice(&text).map_err(|_| damaged())?;
        if found.chain == *chain { Ok(Some(found)) } else { Err(damaged()) }
    }

    /// Remembers a head, unless a newer one of its chain is remembered.
    ///
    /// # Errors
    /// Those of the file system, and of [`Self::all`].
    pub fn remember(&self, head: &Remembered) -> io::Result<()> {
        let is_known = || {
            Ok::<_, io::Error>(
                self.of(&head.chain)?.is_some_and(|known| known == *head || known.seq > head.seq),
            )
        };
        if is_known()? {
            return Ok(());
        }
        durable::create_directory(&self.directory)?;
        // Of two that remember at once, the second one sees what the first one wrote.
        let lock = fs::File::create(self.directory.join(LOCK))?;
        lock.lock()?;
        if is_known()? {
            return Ok(());
        }
        let mut text = serde_json::to_vec_pretty(head).map_err(io::Error::other)?;
        text.push(b'\n');
        durable::replace(&self.directory.join(head.chain.to_string()), &text)
    }

    /// Keeps evidence of a fork of `chain`, and says where. The same evidence is kept once.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn keep_fork(&self, chain: &Cid, evidence: &[u8]) -> io::Result<PathBuf> {
        let directory = self.directory.join(FORKS);
        durable::create_directory(&directory)?;
        let digest = Digest::of(evidence).to_string();
        let path = directory.join(format!("{chain}-{}.json", &digest[..16]));
        durable::replace(&path, evidence)?;
        Ok(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Codec;

    #[test]
    fn the_newest_head_stays_and_a_damaged_file_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let seen = Seen::new(directory.path().join("state/greffe/seen"));
        assert_eq!(seen.all().unwrap(), []);
        let cid = |text: &str| Cid::of(Codec::DagCbor, text.as_bytes());
        let head = |seq| Remembered {
            chain: cid("chain"),
            seq,
            manifest: cid("m"),
            head: cid("h"),
            checkpoint: Some("greffe/x\n".to_owned()),
        };
        for (given, kept) in [(3, 3), (2, 3), (7, 7)] {
            seen.remember(&head(given)).unwrap();
            assert_eq!(seen.all().unwrap(), [head(kept)]);
        }
        let path = seen.keep_fork(&cid("chain"), b"{}").unwrap();
        assert_eq!(seen.keep_fork(&cid("chain"), b"{}").unwrap(), path);
        assert_eq!(fs::read(path).unwrap(), b"{}");
        fs::write(seen.directory().join("notes.txt"), "mine").unwrap();
        assert_eq!(seen.all().unwrap().len(), 1);
        for text in [&b"{"[..], b"", &vec![b' '; (4 << 20) + 1]] {
            fs::write(seen.directory().join(cid("chain").to_string()), text).unwrap();
            assert!(seen.all().is_err());
            assert!(seen.remember(&head(9)).is_err());
        }
    }
}
