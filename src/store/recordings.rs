//! Runs of other tools that are not archived yet: `<name>.runs/<id>/`, beside the archive. One folder a run: `run.json`
//! and what the tool printed, for nobody else to read.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::model::{ChainName, EventId};

const RUN: &str = "run.json";
const OUTPUT: &str = "output";
const HELD: &str = "held";
/// Larger notes are not ours: 64 MiB, room for histories of a hundred thousand scripts.
const RUN_LIMIT: u64 = 64 << 20;
/// As much of an output is read back.
const OUTPUT_LIMIT: u64 = 64 << 20;

/// The runs beside one archive.
#[derive(Clone, Debug)]
pub struct Recordings {
    folder: PathBuf,
}

impl Recordings {
    /// Those of the chain `name` in `directory`; nothing is created.
    #[must_use]
    pub fn of(directory: &Path, name: &ChainName) -> Self {
        Self { folder: directory.join(format!("{name}.runs")) }
    }

    /// Where a run is noted.
    #[must_use]
    pub fn place(&self, id: EventId) -> PathBuf {
        self.folder.join(id.to_string())
    }

    /// The runs that are noted, oldest first.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn all(&self) -> io::Result<Vec<EventId>> {
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut found = Vec::new();
        for entry in entries {
            found.extend(entry?.file_name().to_str().and_then(|name| name.parse::<EventId>().ok()));
        }
        // Their first bits are the time.
        found.sort_by_key(ToString::to_string);
        Ok(found)
    }

    /// Notes a run; durable when this returns. A note of before is replaced as a whole.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn note(&self, id: EventId, run: &[u8]) -> io::Result<()> {
        let place = self.place(id);
        DirBuilder::new().recursive(true).mode(0o700).create(&place)?;
        super::durable::replace(&place.join(RUN), run)
    }

    /// Holds a run while it goes on; whoever resumes runs leaves it alone until the file is closed.
    ///
    /// # Errors
    /// When the file cannot be made, or another holds it.
    pub fn hold(&self, id: EventId) -> io::Result<File> {
        let path = self.place(id).join(HELD);
        let file = File::options().create(true).append(true).mode(0o600).open(path)?;
        file.try_lock()?;
        Ok(file)
    }

    /// The file that what the tool prints goes to.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn output(&self, id: EventId) -> io::Result<File> {
        File::options().create(true).append(true).mode(0o600).open(self.place(id).join(OUTPUT))
    }

    /// A note, and what the tool printed.
    ///
    /// # Errors
    /// When they cannot be read, or are larger than what is ever written.
    pub fn read(&self, id: EventId) -> io::Result<(Vec<u8>, Vec<u8>)> {
        let place = self.place(id);
        let run = read_file(&place.join(RUN), RUN_LIMIT)?;
        let output = match read_file(&place.join(OUTPUT), OUTPUT_LIMIT) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            output => output?,
        };
        Ok((run, output))
    }

    /// Forgets a run.
    ///
    /// # Errors
    /// When its files cannot be removed.
    pub fn forget(&self, id: EventId) -> io::Result<()> {
        match fs::remove_dir_all(self.place(id)) {
            // Nor is one there that could not be noted.
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                Ok(())
            }
            removed => removed,
        }
    }
}

fn read_file(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "larger than anything that is written here"));
    }
    Ok(bytes)
}
