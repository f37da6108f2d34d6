//! The list of erasures, which is done again after a restore from a backup. It has keys of people, so each entry is an
//! age message of its own: to add one takes the recipient alone, to read them takes the identity.
//!
//! An entry says the digest of all that stands before it: what was removed or changed in the middle is found, what was
//! cut off at the end is not. An entry that a crash tore is passed over; nothing was erased for it.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use age::x25519::{Identity, Recipient};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::mark::Marks;
use crate::crypto::Digest;
use crate::model::{Pseudonym, Timestamp};

/// The largest list, in bytes.
const LIST_LIMIT: u64 = 256 << 20;
const BEGIN: &[u8] = b"-----BEGIN AGE ENCRYPTED FILE-----";
const END: &[u8] = b"-----END AGE ENCRYPTED FILE-----";

/// One erasure, as it is sealed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Erasure {
    pub version: u8,
    pub request: String,
    pub basis: String,
    pub at: Timestamp,
    /// Stands for the person in the receipt.
    pub pseudonym: Pseudonym,
    /// SHA-256 of the map that held.
    pub map: String,
    /// How settings call the database.
    pub database: String,
    /// Table and column of the key.
    pub person: String,
    pub key: String,
    /// Whether it was done again after a restore; then it only tells how the person's row is since.
    pub again: bool,
    /// By what the person is known again: a key may be given to someone else later.
    pub marks: Marks,
}

/// What a list holds.
pub struct Entries {
    /// The oldest first.
    pub erasures: Vec<Erasure>,
    /// What is wrong with others, or with what stands before them.
    pub faults: Vec<ListError>,
}

/// Why the list cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    #[error(
        "the key of the list of erasures is neither an age identity (AGE-SECRET-KEY-1…) nor a recipient (age1…)"
    )]
    Key,
    #[error("the list of erasures can be added to with this key, and not read: it is a recipient")]
    RecipientOnly,
    #[error("{} cannot be {done}", path.display())]
    File {
        path: PathBuf,
        done: &'static str,
        #[source]
        source: std::io::Error,
    },
    #[error("there is no list of erasures {}", .0.display())]
    Missing(PathBuf),
    #[error("the list of erasures {} has no entry", .0.display())]
    Empty(PathBuf),
    #[error("{} has more than {LIST_LIMIT} bytes", .0.display())]
    TooLarge(PathBuf),
    #[error("entry {number} of {} cannot be opened: it is of another key, or damaged", path.display())]
    Sealed { path: PathBuf, number: usize },
    #[error("entry {number} of {} is not what greffe writes", path.display())]
    Malformed { path: PathBuf, number: usize },
    #[error("what stands before entry {number} of {} was changed", path.display())]
    Changed { path: PathBuf, number: usize },
    #[error("an entry cannot be sealed")]
    Encrypt,
}

/// Where erasures are noted.
///
/// Contract: an entry is durable when `append` returns, and no entry is ever lost or changed by another.
pub trait ErasureList {
    /// Adds an entry.
    ///
    /// # Errors
    /// [`ListError`]; then nothing was added.
    fn append(&mut self, erasure: &Erasure) -> Result<(), ListError>;

    /// All entries; one that cannot be read keeps no other from it.
    ///
    /// # Errors
    /// [`ListError`] when there is no list, or nothing of it can be read.
    fn read(&self) -> Result<Entries, ListError>;
}

/// A list in a file.
pub struct FileList {
    path: PathBuf,
    recipient: Recipient,
    identities: Vec<Identity>,
}

impl FileList {
    /// A list at `path`, with the text of age identities, or of a recipient; lines that begin with `#` are remarks.
    /// Entries are added for the first, and read with all.
    ///
    /// # Errors
    /// [`ListError::Key`].
    pub fn new(path: &Path, key: &str) -> Result<Self, ListError> {
        let lines = key.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let (mut first, mut identities) = (None, Vec::new());
        for line in lines {
            let recipient = match line.parse::<Identity>() {
                Ok(identity) => {
                    let recipient = identity.to_public();
                    identities.push(identity);
                    recipient
                }
                Err(_) => line.parse::<Recipient>().map_err(|_| ListError::Key)?,
            };
            first = first.or(Some(recipient));
        }
        let recipient = first.ok_or(ListError::Key)?;
        Ok(Self { path: path.to_owned(), recipient, identities })
    }

    fn failed(&self, done: &'static str) -> impl Fn(std::io::Error) -> ListError {
        let path = self.path.clone();
        move |source| ListError::File { path: path.clone(), done, source }
    }

    fn bytes(&self, file: &mut File) -> Result<Vec<u8>, ListError> {
        let mut bytes = Vec::new();
        file.take(LIST_LIMIT + 1).read_to_end(&mut bytes).map_err(self.failed("read"))?;
        if bytes.len() as u64 > LIST_LIMIT {
            return Err(ListError::TooLarge(self.path.clone()));
        }
        Ok(bytes)
    }
}

/// What one message holds.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    /// Digest of all bytes before it.
    before: String,
    erasure: Erasure,
}

impl ErasureList for FileList {
    fn append(&mut self, erasure: &Erasure) -> Result<(), ListError> {
        let failed = self.failed("written");
        let is_new = !self.path.exists();
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(false).mode(0o600).open(&self.path);
        let mut file = file.map_err(&failed)?;
        // Another run may add one at the same time. The lock ends with the file.
        file.lock().map_err(&failed)?;
        let mut before = self.bytes(&mut file)?;
        let mut added = Vec::new();
        if before.last().is_some_and(|last| *last != b'\n') {
            added.push(b'\n');
            before.push(b'\n');
        }
        let entry = Entry { before: Digest::of(&before).to_string(), erasure: erasure.clone() };
        let text = Zeroizing::new(serde_json::to_vec(&entry).map_err(|_| ListError::Encrypt)?);
        let sealed = age::encrypt_and_armor(&self.recipient, &text).map_err(|_| ListError::Encrypt)?;
        added.extend_from_slice(sealed.as_bytes());
        file.seek(SeekFrom::End(0)).map_err(&failed)?;
        file.write_all(&added).and_then(|()| file.sync_all()).map_err(&failed)?;
        if is_new {
            let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
            let folder = File::open(folder.unwrap_or(Path::new("."))).map_err(&failed)?;
            folder.sync_all().map_err(&failed)?;
        }
        Ok(())
    }

    fn read(&self) -> Result<Entries, ListError> {
        if self.identities.is_empty() {
            return Err(ListError::RecipientOnly);
        }
        let mut file = match File::open(&self.path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(ListError::Missing(self.path.clone()));
            }
            file => file.map_err(self.failed("read"))?,
        };
        let bytes = self.bytes(&mut file)?;
        let mut hasher = crate::crypto::Hasher::default();
        let mut hashed = 0;
        let mut entries = Entries { erasures: Vec::new(), faults: Vec::new() };
        for (range, number) in messages(&bytes).into_iter().zip(1..) {
            let path = || self.path.clone();
            hasher.update(&bytes[hashed..range.start]);
            hashed = range.start;
            let message = &bytes[range];
            let opened = self.identities.iter().find_map(|identity| age::decrypt(identity, message).ok());
            let Some(text) = opened.map(Zeroizing::new) else {
                entries.faults.push(ListError::Sealed { path: path(), number });
                continue;
            };
            let entry = serde_json::from_slice(&text).ok().filter(|entry: &Entry| entry.erasure.version == 1);
            let Some(Entry { before, erasure }) = entry else {
                entries.faults.push(ListError::Malformed { path: path(), number });
                continue;
            };
            if before != hasher.clone().finish().to_string() {
                entries.faults.push(ListError::Changed { path: path(), number });
            }
            entries.erasures.push(erasure);
        }
        if entries.erasures.is_empty() && entries.faults.is_empty() {
            return Err(ListError::Empty(self.path.clone()));
        }
        Ok(entries)
    }
}

/// Where whole messages stand. One that is torn ends where the next begins, or nowhere.
fn messages(bytes: &[u8]) -> Vec<std::ops::Range<usize>> {
    let mut found = Vec::new();
    let (mut begun, mut at) = (None, 0);
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        let end = at + line.len();
        match line.trim_ascii_end() {
            BEGIN => begun = Some(at),
            END => found.extend(begun.take().map(|start| start..end)),
            _ => {}
        }
        at = end;
    }
    found
}

/// A new identity, and its recipient.
#[must_use]
pub fn new_identity() -> (Zeroizing<String>, String) {
    use age::secrecy::ExposeSecret as _;
    let identity = Identity::generate();
    let recipient = identity.to_public().to_string();
    (Zeroizing::new(identity.to_string().expose_secret().to_owned()), recipient)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn erasure(key: &str) -> Erasure {
        Erasure {
            version: 1,
            request: "R-1".to_owned(),
            basis: "art17.1.a".to_owned(),
            at: Timestamp::from_microseconds(0).unwrap(),
            pseudonym: Pseudonym::generate(),
            map: String::new(),
            database: "app".to_owned(),
            person: "client.id".to_owned(),
            key: key.to_owned(),
            again: false,
            marks: Marks::default(),
        }
    }

    fn keys(list: &FileList) -> Vec<String> {
        list.read().unwrap().erasures.into_iter().map(|erasure| erasure.key).collect()
    }

    #[test]
    fn entries_are_added_with_the_recipient_and_read_with_the_identity() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("list.age");
        let (identity, recipient) = new_identity();
        let mut adder = FileList::new(&path, &format!("# ours\n{recipient}\n")).unwrap();
        let reader = FileList::new(&path, &identity).unwrap();
        assert!(matches!(reader.read(), Err(ListError::Missing(_))));
        adder.append(&erasure("unseen-1")).unwrap();
        adder.append(&erasure("unseen-2")).unwrap();
        assert_eq!(keys(&reader), ["unseen-1", "unseen-2"]);
        assert!(matches!(adder.read(), Err(ListError::RecipientOnly)));
        let bytes = std::fs::read(&path).unwrap();
        assert!(!bytes.windows(6).any(|part| part == b"unseen"));
        let (other, _) = new_identity();
        // A new key reads the entries that were added for it, and an old one beside it the others.
        let mut other = other.to_string();
        let mut later = FileList::new(&path, &other).unwrap();
        later.append(&erasure("unseen-3")).unwrap();
        let entries = later.read().unwrap();
        assert_eq!(entries.erasures.len(), 1);
        assert!(matches!(
            entries.faults[..],
            [ListError::Sealed { number: 1, .. }, ListError::Sealed { .. }]
        ));
        other.push_str(&format!("\n{}\n", identity.as_str()));
        let both = FileList::new(&path, &other).unwrap();
        assert_eq!(keys(&both), ["unseen-1", "unseen-2", "unseen-3"]);
        assert!(both.read().unwrap().faults.is_empty());
        assert!(matches!(FileList::new(&path, "geheim"), Err(ListError::Key)));
    }

    #[test]
    fn a_torn_entry_is_passed_over_and_a_removed_one_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("list.age");
        let (identity, _) = new_identity();
        let mut list = FileList::new(&path, &identity).unwrap();
        list.append(&erasure("1")).unwrap();
        let first = std::fs::read(&path).unwrap().len();
        list.append(&erasure("2")).unwrap();
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() - 40]).unwrap();
        assert_eq!(keys(&list), ["1"]);
        list.append(&erasure("3")).unwrap();
        assert_eq!(keys(&list), ["1", "3"]);
        std::fs::write(&path, &whole[first..]).unwrap();
        assert!(matches!(list.read().unwrap().faults[..], [ListError::Changed { number: 1, .. }]));
        assert_eq!(keys(&list), ["2"]);
    }
}
