//! What replicas were given: `<name>.replicas`, JSON beside the archive. Losing it costs time: a replica whose
//! head is not known is given everything once more.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::{fs, io};

use serde::{Deserialize, Serialize};

use super::durable;
use crate::model::{ChainName, Cid, Timestamp};

/// Larger files are not ours: 16 MiB, room for two hundred replicas that were out of reach for a long time.
const LIMIT: u64 = 16 << 20;

/// Replicas, with those that are not in use any more.
const MOST: usize = 200;
/// Characters of a failure.
const LONGEST_FAILURE: usize = 2000;
/// What the name of notes that cannot be read ends with when they are put aside.
const UNREADABLE: &str = ".unreadable";

/// What is known of one replica.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Delivered {
    /// Where it was; elsewhere, nothing of this holds.
    pub url: String,
    /// The head that it was given last.
    pub head: Option<Cid>,
    /// The newest manifest below that head, which tells where in the chain it is after the head itself was dropped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<Cid>,
    /// When that was.
    pub at: Option<Timestamp>,
    /// Why the newest delivery failed, if it did.
    pub failure: Option<String>,
    /// Heads that it was told to keep and did not have in time; newest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub begun: Vec<Cid>,
    /// How far the newest delivery came before it was cut off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed: Option<Confirmed>,
}

/// The blocks of a delivery that were read back from a replica that keeps the head.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Confirmed {
    pub head: Cid,
    /// So many, the first ones.
    pub blocks: u64,
    /// Of so many that it lacked.
    pub of: u64,
}

impl Delivered {
    /// The newest manifest below a head, as far as it is known.
    #[must_use]
    pub fn manifest_of(&self, head: &Cid) -> Option<Cid> {
        self.manifest.filter(|_| self.head == Some(*head))
    }
}

/// The replicas of one chain, by name. One that was elsewhere before has what is known of that place under its name and
/// that URL, a space between.
#[derive(Debug)]
pub struct Deliveries {
    path: PathBuf,
    /// As this process knows them.
    replicas: BTreeMap<String, Delivered>,
    /// Those that this process noted something of.
    noted: BTreeSet<String>,
    /// Notes that cannot be read.
    unreadable: Option<PathBuf>,
}

impl Deliveries {
    /// Reads them; none when there is no file, or one that is not ours.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub fn read(directory: &Path, name: &ChainName) -> io::Result<Self> {
        let path = directory.join(format!("{name}.replicas"));
        let found = read(&path)?;
        let mut aside = path.clone().into_os_string();
        aside.push(UNREADABLE);
        let unreadable = match &found {
            None => Some(path.clone()),
            Some(_) => Some(PathBuf::from(aside)).filter(|aside| aside.exists()),
        };
        Ok(Self { path, replicas: found.unwrap_or_default(), noted: BTreeSet::new(), unreadable })
    }

    /// Notes that are damaged, or that a newer program wrote: what they say is not known. They are put aside when
    /// something is noted, and stay there.
    #[must_use]
    pub fn unreadable(&self) -> Option<&Path> {
        self.unreadable.as_deref()
    }

    /// What is known of the replica `name` at `url`.
    #[must_use]
    pub fn of(&self, name: &str, url: &str) -> Delivered {
        let unknown = || Delivered { url: url.to_owned(), ..Delivered::default() };
        find(&self.replicas, name, url).cloned().unwrap_or_else(unknown)
    }

    /// Notes what is known now of one replica. What is known of others stays, also of those that the settings do not
    /// have any more, and what another process noted since.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn note(&mut self, name: &str, mut ours: Delivered) -> io::Result<()> {
        if let Some(failure) = &mut ours.failure
            && let Some((end, _)) = failure.char_indices().nth(LONGEST_FAILURE)
        {
            failure.truncate(end);
        }
        if self.replicas.get(name) == Some(&ours) {
            return Ok(());
        }
        let lock = fs::File::create(self.path.with_extension("replicas.lock"))?;
        lock.lock()?;
        let found = read(&self.path)?;
        if found.is_none() {
            let aside = durable::free_name(&self.path, UNREADABLE);
            fs::rename(&self.path, &aside)?;
            self.unreadable = Some(aside);
        }
        let there = found.unwrap_or_default();
        let before = find(&self.replicas, name, &ours.url);
        let mut notes = there.clone();
        let theirs = take(&mut notes, name, &ours.url);
        let merged = theirs.map_or_else(|| ours.clone(), |theirs| merge(before, &ours, &theirs));
        notes.insert(name.to_owned(), merged);
        self.noted.insert(name.to_owned());
        self.forget(&mut notes);
        if notes != there {
            let text = encode(&mut notes)?;
            durable::replace(&self.path, &text)?;
        }
        take(&mut self.replicas, name, &ours.url);
        self.replicas.insert(name.to_owned(), ours);
        Ok(())
    }

    /// Of replicas that are not in use any more, those that were given something longest ago go when there are too many.
    fn forget(&self, notes: &mut BTreeMap<String, Delivered>) {
        while notes.len() > MOST {
            let unused = notes.iter().filter(|(name, _)| !self.noted.contains(*name));
            let Some(oldest) = unused.min_by_key(|(_, delivered)| delivered.at).map(|(name, _)| name.clone())
            else {
                return;
            };
            notes.remove(&oldest);
        }
    }
}

/// The name under which a place is kept where the replica is not any more.
fn elsewhere(name: &str, url: &str) -> String {
    format!("{name} {url}")
}

fn find<'a>(notes: &'a BTreeMap<String, Delivered>, name: &str, url: &str) -> Option<&'a Delivered> {
    let here = notes.get(name).filter(|delivered| delivered.url == url);
    here.or_else(|| notes.get(&elsewhere(name, url)).filter(|delivered| delivered.url == url))
}

/// Takes what is known of the replica `name` at `url` out, and keeps what is known of it at another place.
fn take(notes: &mut BTreeMap<String, Delivered>, name: &str, url: &str) -> Option<Delivered> {
    let before = notes.remove(&elsewhere(name, url));
    match notes.remove(name) {
        Some(here) if here.url == url => Some(here),
        Some(other) => {
            notes.insert(elsewhere(name, &other.url), other);
            before
        }
        None => before,
    }
}

/// At most [`LIMIT`] bytes, since more would not be read again: of the heads that replicas were told to keep, the
/// oldest go.
fn encode(notes: &mut BTreeMap<String, Delivered>) -> io::Result<Vec<u8>> {
    loop {
        let text = serde_json::to_vec_pretty(notes).map_err(io::Error::other)?;
        if text.len() as u64 <= LIMIT {
            return Ok(text);
        }
        let most = notes.values_mut().map(|delivered| &mut delivered.begun).max_by_key(|begun| begun.len());
        let Some(begun) = most.filter(|begun| !begun.is_empty()) else {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "the notes of replicas are too long"));
        };
        begun.drain(..begun.len().div_ceil(2));
    }
}

/// `None` for a file that is not ours.
fn read(path: &Path) -> io::Result<Option<BTreeMap<String, Delivered>>> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.len() <= LIMIT => Ok(serde_json::from_slice(&fs::read(path)?).ok()),
        Ok(_) => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Some(BTreeMap::new())),
        Err(error) => Err(error),
    }
}

/// What is known when two processes knew the same `before`. Every head that either of them told the replica to keep
/// stays known, so that it is let go one day.
fn merge(before: Option<&Delivered>, ours: &Delivered, theirs: &Delivered) -> Delivered {
    let unknown = Delivered { url: ours.url.clone(), ..Delivered::default() };
    let before = before.unwrap_or(&unknown);
    if theirs == before {
        return ours.clone();
    }
    let mut merged = ours.clone();
    if ours.head == before.head && theirs.head != before.head {
        // It was given that head once more, after the other let it go.
        if ours.at != before.at {
            merged.begun.extend(ours.head.filter(|head| !ours.begun.contains(head)));
        }
        (merged.head, merged.manifest, merged.at) = (theirs.head, theirs.manifest, theirs.at);
    }
    let told = theirs.begun.iter().filter(|begun| !before.begun.contains(begun));
    for head in told.chain(theirs.head.iter().filter(|head| before.head != Some(**head))) {
        if merged.head != Some(*head) && !merged.begun.contains(head) {
            merged.begun.push(*head);
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Codec;

    fn note(url: &str, last: &str, begun: &[&str]) -> Delivered {
        let head = |text: &&str| Cid::of(Codec::DagCbor, text.as_bytes());
        Delivered {
            url: url.into(),
            head: Some(head(&last)),
            begun: begun.iter().map(head).collect(),
            ..Delivered::default()
        }
    }

    const URL: &str = "kubo:http://127.0.0.1:1";

    #[test]
    fn what_was_written_is_read_and_what_is_not_ours_is_put_aside() {
        let directory = tempfile::tempdir().unwrap();
        let name: ChainName = "demo".parse().unwrap();
        let read = || Deliveries::read(directory.path(), &name).unwrap();
        let delivered = note(URL, "head", &[]);
        read().note("a", delivered.clone()).unwrap();
        assert_eq!(read().of("a", URL), delivered);
        assert_eq!(read().unreadable(), None);
        assert_eq!(read().of("a", "kubo:http://127.0.0.1:2").head, None);
        let path = directory.path().join("demo.replicas");
        let newer =
            br#"{"a":{"url":"kubo:http://127.0.0.1:1","head":null,"at":null,"failure":null,"new":1}}"#;
        let texts = [&b"{"[..], b"[]", b"{\"a\":{\"url\":1}}", newer, &vec![b' '; 17 << 20]];
        for (number, text) in texts.iter().enumerate() {
            fs::write(&path, text).unwrap();
            let mut broken = read();
            assert_eq!((broken.of("a", URL).head, broken.unreadable()), (None, Some(&*path)));
            assert_eq!(fs::read(&path).unwrap(), *text, "reading changes nothing");
            broken.note("a", delivered.clone()).unwrap();
            assert_eq!(read().of("a", URL), delivered);
            let number = if number == 0 { String::new() } else { format!("-{}", number + 1) };
            let aside = directory.path().join(format!("demo.replicas.unreadable{number}"));
            assert_eq!(broken.unreadable(), Some(&*aside));
            assert_eq!(fs::read(aside).unwrap(), *text);
            assert!(read().unreadable().is_some(), "it is told as long as it is there");
        }
    }

    #[test]
    fn what_is_not_in_use_stays_known() {
        let directory = tempfile::tempdir().unwrap();
        let name: ChainName = "demo".parse().unwrap();
        let read = || Deliveries::read(directory.path(), &name).unwrap();
        let [here, there] = [note(URL, "1", &["2"]), note("kubo:http://127.0.0.1:2", "3", &[])];
        read().note("a", here.clone()).unwrap();
        read().note("b", there.clone()).unwrap();
        assert_eq!((read().of("a", URL), read().of("b", &there.url)), (here.clone(), there.clone()));
        // Elsewhere, and back.
        read().note("a", there.clone()).unwrap();
        assert_eq!((read().of("a", URL), read().of("a", &there.url)), (here.clone(), there.clone()));
        read().note("a", Delivered { failure: Some("away".into()), ..here.clone() }).unwrap();
        assert_eq!(read().of("a", URL).begun, here.begun);
        assert_eq!(read().of("a", &there.url), there);
        // Not for ever.
        let mut deliveries = read();
        for number in 0..2 * MOST {
            read().note(&format!("r{number}"), note(URL, "1", &[])).unwrap();
        }
        deliveries.note("a", here.clone()).unwrap();
        assert_eq!(read().of("a", URL), here);
        assert_eq!(read().replicas.len(), MOST);
    }

    #[test]
    fn no_more_is_written_than_is_read_again() {
        let directory = tempfile::tempdir().unwrap();
        let name: ChainName = "demo".parse().unwrap();
        let read = || Deliveries::read(directory.path(), &name).unwrap();
        read().note("good", note(URL, "1", &[])).unwrap();
        let long = Delivered { failure: Some("\u{1}".repeat(8 << 20)), ..note(URL, "1", &[]) };
        read().note("long", long).unwrap();
        assert_eq!(read().of("long", URL).failure.unwrap().len(), LONGEST_FAILURE);
        let begun: Vec<Cid> = (0..300_000_u32).map(|n| Cid::of(Codec::Raw, &n.to_le_bytes())).collect();
        let newest = *begun.last().unwrap();
        read().note("many", Delivered { begun, ..note(URL, "1", &[]) }).unwrap();
        assert_eq!(read().of("many", URL).begun.last(), Some(&newest));
        assert_eq!(read().of("good", URL), note(URL, "1", &[]));
    }

    #[test]
    fn what_two_processes_note_is_kept() {
        let directory = tempfile::tempdir().unwrap();
        let name: ChainName = "demo".parse().unwrap();
        let read = || Deliveries::read(directory.path(), &name).unwrap();
        let note = |last: &str, begun: &[&str]| note(URL, last, begun);
        let kept = || read().of("a", URL);
        read().note("a", note("1", &[])).unwrap();
        // Each begins, then the first is done, and then the second.
        let [mut first, mut second] = [read(), read()];
        first.note("a", note("1", &["2"])).unwrap();
        second.note("a", note("1", &["3"])).unwrap();
        assert_eq!(kept(), note("1", &["3", "2"]));
        first.note("a", note("2", &[])).unwrap();
        assert_eq!(kept(), note("2", &["3"]));
        second.note("a", note("3", &[])).unwrap();
        assert_eq!(kept(), note("3", &["2"]));
        // One that fails takes nothing back.
        let [mut first, mut second] = [read(), read()];
        first.note("a", note("4", &[])).unwrap();
        let failed = Delivered { failure: Some("away".into()), ..note("3", &["2", "5"]) };
        second.note("a", failed).unwrap();
        assert_eq!(kept(), Delivered { failure: Some("away".into()), ..note("4", &["2", "5"]) });
        // One that was given the head before once more, while another moved on from it.
        fs::remove_file(directory.path().join("demo.replicas")).unwrap();
        read().note("a", note("1", &[])).unwrap();
        let [mut first, mut second] = [read(), read()];
        first.note("a", note("2", &[])).unwrap();
        let again = Delivered { at: Some("2026-01-01T00:00:00.000000Z".parse().unwrap()), ..note("1", &[]) };
        second.note("a", again).unwrap();
        assert_eq!(kept(), note("2", &["1"]));
    }
}
