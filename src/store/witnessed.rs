//! What witnesses cosigned last: `<name>.witnesses`, JSON beside the archive. Losing it costs a request: a witness says
//! itself which size it has.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use serde::{Deserialize, Serialize};

use super::durable;
use crate::model::{ChainName, Cid, Timestamp};

/// Larger files are not ours.
const LIMIT: u64 = 1 << 20;
/// Witnesses, with those that are not asked any more.
const MOST: usize = 300;

/// The checkpoint that a witness cosigned last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WitnessedSize {
    pub size: u64,
    /// When that was, by this machine's clock.
    pub at: Timestamp,
}

/// Which manifest brought the trust document that is in force at an entry: a walk back to it ends here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnownTrust {
    pub seq: u64,
    pub manifest: Cid,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Notes {
    trust: Option<KnownTrust>,
    /// By their verifier keys.
    witnesses: BTreeMap<String, WitnessedSize>,
}

/// The witnesses of one chain.
#[derive(Debug)]
pub struct Witnessed {
    path: PathBuf,
    notes: Notes,
}

impl Witnessed {
    /// Reads them; none when there is no file, or one that is not ours.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub fn read(directory: &Path, name: &ChainName) -> io::Result<Self> {
        let path = directory.join(format!("{name}.witnesses"));
        Ok(Self { notes: read(&path)?, path })
    }

    /// What the witness with this key cosigned last, as far as is known.
    #[must_use]
    pub fn of(&self, vkey: &str) -> Option<WitnessedSize> {
        self.notes.witnesses.get(vkey).copied()
    }

    /// Where the trust document was that was in force when something was noted last.
    #[must_use]
    pub const fn trust(&self) -> Option<KnownTrust> {
        self.notes.trust
    }

    /// Notes what witnesses said last. What another process noted of others stays.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn note(
        &mut self,
        trust: KnownTrust,
        said: impl IntoIterator<Item = (String, WitnessedSize)>,
    ) -> io::Result<()> {
        let lock = fs::File::create(self.path.with_extension("witnesses.lock"))?;
        lock.lock()?;
        let mut notes = read(&self.path)?;
        if notes.trust.is_none_or(|known| known.seq < trust.seq) {
            notes.trust = Some(trust);
        }
        let sizes = &mut notes.witnesses;
        sizes.extend(said);
        while sizes.len() > MOST {
            let oldest = sizes.iter().min_by_key(|(_, size)| size.at).map(|(vkey, _)| vkey.clone());
            oldest.and_then(|vkey| sizes.remove(&vkey));
        }
        if notes != self.notes {
            let text = serde_json::to_vec_pretty(&notes).map_err(io::Error::other)?;
            durable::replace(&self.path, &text)?;
            self.notes = notes;
        }
        Ok(())
    }
}

fn read(path: &Path) -> io::Result<Notes> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.len() <= LIMIT => {
            Ok(serde_json::from_slice(&fs::read(path)?).unwrap_or_default())
        }
        Ok(_) => Ok(Notes::default()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Notes::default()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Codec;

    #[test]
    fn what_was_noted_stays_and_a_damaged_file_is_no_obstacle() {
        let folder = tempfile::tempdir().unwrap();
        let name: ChainName = "demo".parse().unwrap();
        let read = || Witnessed::read(folder.path(), &name).unwrap();
        let at = |size| WitnessedSize { size, at: Timestamp::from_microseconds(5_000_000).unwrap() };
        let trust = |seq: u64| KnownTrust { seq, manifest: Cid::of(Codec::DagCbor, &seq.to_be_bytes()) };
        let (mut first, mut second) = (read(), read());
        first.note(trust(7), [("a".to_owned(), at(3))]).unwrap();
        second.note(trust(5), [("b".to_owned(), at(4))]).unwrap();
        assert_eq!(read().trust(), Some(trust(7)));
        assert_eq!((read().of("a"), read().of("b"), read().of("c")), (Some(at(3)), Some(at(4)), None));
        first.note(trust(9), (0..400).map(|n| (n.to_string(), at(n)))).unwrap();
        assert_eq!(read().notes.witnesses.len(), MOST);
        fs::write(folder.path().join("demo.witnesses"), "{").unwrap();
        assert_eq!(read().of("a"), None);
        read().note(trust(1), [("a".to_owned(), at(9))]).unwrap();
        assert_eq!(read().of("a"), Some(at(9)));
    }
}
