//! What replicas were given: `<name>.replicas`, JSON beside the archive. Losing it costs time: a replica whose
//! head is not known is given everything once more.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use serde::{Deserialize, Serialize};

use super::durable;
use crate::model::{ChainName, Cid, Timestamp};

/// Larger files are not ours: 16 MiB, room for two hundred replicas that were out of reach for a long time.
const LIMIT: u64 = 16 << 20;

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

/// The replicas of one chain, by name.
#[derive(Debug)]
pub struct Deliveries {
    path: PathBuf,
    /// As this process knows them.
    replicas: BTreeMap<String, Delivered>,
}

impl Deliveries {
    /// Reads them; none when there is no file, or one that is not ours.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub fn read(directory: &Path, name: &ChainName) -> io::Result<Self> {
        let path = directory.join(format!("{name}.replicas"));
        Ok(Self { replicas: read(&path)?, path })
    }

    /// What is known of the replica `name` at `url`.
    #[must_use]
    pub fn of(&self, name: &str, url: &str) -> Delivered {
        match self.replicas.get(name) {
            Some(delivered) if delivered.url == url => delivered.clone(),
            _ => Delivered { url: url.to_owned(), ..Delivered::default() },
        }
    }

    /// Notes what is known now, for the replicas that there still are. What another process noted since stays.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn write(&mut self, replicas: BTreeMap<String, Delivered>) -> io::Result<()> {
        if replicas == self.replicas {
            return Ok(());
        }
        let lock = fs::File::create(self.path.with_extension("replicas.lock"))?;
        lock.lock()?;
        let there = read(&self.path)?;
        let merged = |(name, ours): (&String, &Delivered)| {
            let theirs = there.get(name).filter(|theirs| theirs.url == ours.url);
            let before = self.replicas.get(name).filter(|before| before.url == ours.url);
            let merged = theirs.map_or_else(|| ours.clone(), |theirs| merge(before, ours, theirs));
            (name.clone(), merged)
        };
        let merged: BTreeMap<String, Delivered> = replicas.iter().map(merged).collect();
        if merged != there {
            let text = serde_json::to_vec_pretty(&merged).map_err(io::Error::other)?;
            durable::replace(&self.path, &text)?;
        }
        self.replicas = replicas;
        Ok(())
    }
}

fn read(path: &Path) -> io::Result<BTreeMap<String, Delivered>> {
    let text = match fs::metadata(path) {
        Ok(metadata) if metadata.len() <= LIMIT => fs::read(path)?,
        Ok(_) => Vec::new(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error),
    };
    Ok(serde_json::from_slice(&text).unwrap_or_default())
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

    #[test]
    fn what_was_written_is_read_and_what_is_not_ours_counts_as_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let name: ChainName = "demo".parse().unwrap();
        let mut deliveries = Deliveries::read(directory.path(), &name).unwrap();
        let head = Some(Cid::of(Codec::DagCbor, b"head"));
        let delivered = Delivered { url: "kubo:http://127.0.0.1:1".into(), head, ..Delivered::default() };
        deliveries.write([("a".to_owned(), delivered.clone())].into()).unwrap();
        let again = Deliveries::read(directory.path(), &name).unwrap();
        assert_eq!(again.of("a", &delivered.url), delivered);
        assert_eq!(again.of("a", "kubo:http://127.0.0.1:2").head, None);
        for text in [&b"{"[..], b"[]", b"{\"a\":{\"url\":1}}", &vec![b' '; 17 << 20]] {
            fs::write(directory.path().join("demo.replicas"), text).unwrap();
            let broken = Deliveries::read(directory.path(), &name).unwrap();
            assert_eq!(broken.of("a", &delivered.url).head, None);
        }
    }

    #[test]
    fn what_two_processes_note_is_kept() {
        let directory = tempfile::tempdir().unwrap();
        let name: ChainName = "demo".parse().unwrap();
        let read = || Deliveries::read(directory.path(), &name).unwrap();
        let head = |text: &str| Cid::of(Codec::DagCbor, text.as_bytes());
        let note = |last: &str, begun: &[&str]| Delivered {
            url: "kubo:http://127.0.0.1:1".into(),
            head: Some(head(last)),
            begun: begun.iter().map(|begun| head(begun)).collect(),
            ..Delivered::default()
        };
        let notes = |note: &Delivered| BTreeMap::from([("a".to_owned(), note.clone())]);
        let kept = || read().of("a", &note("1", &[]).url);
        read().write(notes(&note("1", &[]))).unwrap();
        // Each begins, then the first is done, and then the second.
        let [mut first, mut second] = [read(), read()];
        first.write(notes(&note("1", &["2"]))).unwrap();
        second.write(notes(&note("1", &["3"]))).unwrap();
        assert_eq!(kept(), note("1", &["3", "2"]));
        first.write(notes(&note("2", &[]))).unwrap();
        assert_eq!(kept(), note("2", &["3"]));
        second.write(notes(&note("3", &[]))).unwrap();
        assert_eq!(kept(), note("3", &["2"]));
        // One that fails takes nothing back.
        let [mut first, mut second] = [read(), read()];
        first.write(notes(&note("4", &[]))).unwrap();
        let failed = Delivered { failure: Some("away".into()), ..note("3", &["2", "5"]) };
        second.write(notes(&failed)).unwrap();
        assert_eq!(kept(), Delivered { failure: Some("away".into()), ..note("4", &["2", "5"]) });
    }
}
