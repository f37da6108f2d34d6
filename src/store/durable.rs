//! Files that are either there in full or not at all, also after a crash.

use std::{
    fs::{self, DirBuilder, File},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

use crate::crypto::fill_random;

/// What the name of a draft ends with.
const DRAFT: &str = ".tmp";
/// A draft whose lock nobody holds is left when it was not written to for so long; locks may not reach another machine.
const LEFT: Duration = Duration::from_secs(60);

/// A file under another name until it is finished; dropped before, it is removed.
pub(super) struct Draft {
    path: PathBuf,
    temporary: PathBuf,
    finished: bool,
}

impl Draft {
    /// Creates the file under a temporary name in the directory of `path`.
    pub(super) fn create(path: &Path) -> io::Result<(Self, File)> {
        Self::with_mode(path, 0o666)
    }

    /// Drafts of the same file that nobody writes any more are removed first. Whoever has the file open holds its lock.
    fn with_mode(path: &Path, mode: u32) -> io::Result<(Self, File)> {
        let of = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        sweep(path, LEFT);
        loop {
            let mut random = [0; 8];
            fill_random(&mut random);
            let mut name = of.to_owned();
            name.push(format!(".{:016x}{DRAFT}", u64::from_le_bytes(random)));
            let temporary = path.with_file_name(name);
            let file = File::options().read(true).write(true).create_new(true).mode(mode).open(&temporary)?;
            // Where there are no locks, nobody takes a draft for one that was left.
            let _ = file.lock();
            // Another process may have come between.
            if file.metadata()?.nlink() > 0 {
                return Ok((Self { path: path.to_owned(), temporary, finished: false }, file));
            }
        }
    }

    /// Makes the bytes durable and gives the file its name, in place of what had it. The name is durable once
    /// the directory is.
    pub(super) fn finish(self, file: &File) -> io::Result<()> {
        file.sync_all()?;
        self.rename()
    }

    /// Makes the bytes durable and gives the file its name, unless something has it.
    fn finish_new(self, file: &File) -> io::Result<()> {
        file.sync_all()?;
        match fs::hard_link(&self.temporary, &self.path) {
            // Not every file system has links; there, only what is made at this moment could be replaced.
            Err(error)
                if error.kind() != io::ErrorKind::AlreadyExists && self.path.symlink_metadata().is_err() =>
            {
                self.rename()
            }
            linked => linked,
        }
    }

    fn rename(mut self) -> io::Result<()> {
        fs::rename(&self.temporary, &self.path)?;
        self.finished = true;
        Ok(())
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.finished {
            // Nobody can be told; a draft that stays behind is never read.
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

/// A directory under another name until it is finished; dropped before, it is removed with all that is in it.
pub struct DraftDirectory {
    path: PathBuf,
    temporary: PathBuf,
    finished: bool,
}

impl DraftDirectory {
    /// Creates a directory under a temporary name beside `path`.
    ///
    /// # Errors
    /// `AlreadyExists` when something has the name.
    pub fn create(path: &Path) -> io::Result<Self> {
        refuse_existing(path)?;
        let mut name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_owned();
        let mut random = [0; 8];
        fill_random(&mut random);
        name.push(format!(".{:016x}{DRAFT}", u64::from_le_bytes(random)));
        let temporary = path.with_file_name(name);
        DirBuilder::new().mode(0o755).create(&temporary)?;
        Ok(Self { path: path.to_owned(), temporary, finished: false })
    }

    /// Where it is until it is finished.
    #[must_use]
    pub fn temporary(&self) -> &Path {
        &self.temporary
    }

    /// Gives the directory its name, durably. What is in it has to be durable already.
    ///
    /// # Errors
    /// `AlreadyExists` rather than replacing what has the name.
    pub fn finish(mut self) -> io::Result<()> {
        File::open(&self.temporary)?.sync_all()?;
        // An empty directory that is made at this moment could be replaced; nothing else could.
        refuse_existing(&self.path)?;
        fs::rename(&self.temporary, &self.path)?;
        self.finished = true;
        sync_directory(&self.path)
    }
}

impl Drop for DraftDirectory {
    fn drop(&mut self) {
        if !self.finished {
            // Nobody can be told; its name says what it is.
            let _ = fs::remove_dir_all(&self.temporary);
        }
    }
}

fn refuse_existing(path: &Path) -> io::Result<()> {
    match path.symlink_metadata() {
        Ok(_) => Err(io::ErrorKind::AlreadyExists.into()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Removes drafts of the file at `path` that a process which was ended has left: no lock, and not written to for so
/// long.
fn sweep(path: &Path, longest: Duration) {
    let Some(of) = path.file_name().and_then(|name| name.to_str()) else { return };
    for entry in fs::read_dir(directory_of(path)).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let random = name
            .to_str()
            .and_then(|name| name.strip_prefix(of)?.strip_prefix('.')?.strip_suffix(DRAFT))
            .filter(|random| random.len() == 16 && random.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let modified = entry.metadata().and_then(|file| file.modified()).ok();
        let age = modified.and_then(|modified| modified.elapsed().ok()).unwrap_or_default();
        if random.is_none() || age < longest {
            continue;
        }
        if let Ok(file) = File::options().read(true).write(true).open(entry.path())
            && file.try_lock().is_ok()
        {
            // What cannot be removed is looked at again the next time.
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Whether a file could be written at `path`: one beside it is made and removed.
pub(super) fn probe(path: &Path) -> io::Result<()> {
    Draft::create(path).map(drop)
}

/// A name that nothing has, for what is at `path` to be kept under: `suffix` after it, and a number when that is taken.
pub(super) fn free_name(path: &Path, suffix: &str) -> PathBuf {
    let mut number = 1;
    loop {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        if number > 1 {
            name.push(format!("-{number}"));
        }
        let free = PathBuf::from(name);
        if free.symlink_metadata().is_err() {
            return free;
        }
        number += 1;
    }
}

/// Makes a file of this mode that is not there yet, durably. A draft that a crash leaves behind has that mode, too.
///
/// # Errors
/// `AlreadyExists` rather than replacing what has the name.
pub fn create(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let (draft, mut file) = Draft::with_mode(path, mode)?;
    file.write_all(bytes)?;
    draft.finish_new(&file)?;
    sync_directory(path)
}

/// Puts bytes in place of a file's, durably.
///
/// # Errors
/// Those of the file system; the old bytes are there then.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    put(path, bytes, 0o666)
}

/// The same for a file that its owner alone may read and write.
///
/// # Errors
/// As [`replace`].
pub fn replace_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    put(path, bytes, 0o600)
}

fn put(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let (draft, mut file) = Draft::with_mode(path, mode)?;
    file.write_all(bytes)?;
    draft.finish(&file)?;
    sync_directory(path)
}

/// Puts bytes in place of a file's that are as many, in one write and without waiting for the disk: a program that
/// is killed leaves the old bytes or the new ones, and so does a power failure where the disk writes whole sectors.
/// Who reads at the same moment may see parts of both. A file that is missing, of another length or not to be
/// written is replaced instead, durably.
pub(super) fn overwrite(path: &Path, bytes: &[u8]) -> io::Result<()> {
    match File::options().write(true).open(path) {
        Ok(file) if file.metadata()?.len() == bytes.len() as u64 => file.write_all_at(bytes, 0),
        _ => replace(path, bytes),
    }
}

/// Removes a file that may not be there, durably.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Ok(()) => sync_directory(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Makes the names in the directory of `path` durable.
pub(super) fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(directory_of(path))?.sync_all()
}

/// Creates a directory and those above it, readable by all, durably.
pub fn create_directory(directory: &Path) -> io::Result<()> {
    if directory.is_dir() {
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(0o755).create(directory)?;
    sync_directory(directory)
}

fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn drafts_that_were_left_go_and_those_that_are_written_stay() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.car");
        let (draft, _file) = Draft::create(&path).unwrap();
        let left = directory.path().join("a.car.0123456789abcdef.tmp");
        let others = [
            "a.car.0123456789abcde.tmp",
            "a.car.0123456789abcdeg.tmp",
            "b.car.0123456789abcdef.tmp",
            "a.car",
        ];
        for other in others {
            fs::write(directory.path().join(other), "").unwrap();
        }
        fs::write(&left, "").unwrap();
        sweep(&path, LEFT);
        assert!(left.exists());
        sweep(&path, Duration::ZERO);
        assert!(!left.exists() && draft.temporary.exists());
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), others.len() + 1);
        fs::write(&left, "").unwrap();
        File::options()
            .write(true)
            .open(&left)
            .unwrap()
            .set_modified(std::time::SystemTime::UNIX_EPOCH)
            .unwrap();
        replace(&path, b"new").unwrap();
        assert!(!left.exists());
    }

    #[test]
    fn a_directory_is_there_whole_or_not_at_all() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        let draft = DraftDirectory::create(&path).unwrap();
        fs::write(draft.temporary().join("b"), "x").unwrap();
        drop(draft);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
        let draft = DraftDirectory::create(&path).unwrap();
        fs::write(draft.temporary().join("b"), "x").unwrap();
        draft.finish().unwrap();
        assert_eq!(fs::read(path.join("b")).unwrap(), b"x");
        let again = DraftDirectory::create(&path).err().unwrap();
        assert_eq!(again.kind(), io::ErrorKind::AlreadyExists);
        let late = directory.path().join("late");
        let draft = DraftDirectory::create(&late).unwrap();
        fs::write(&late, "mine").unwrap();
        assert_eq!(draft.finish().unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&late).unwrap(), b"mine");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2);
    }

    #[test]
    fn what_is_kept_gets_a_name_that_nothing_has() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.car");
        for expected in ["a.car.old", "a.car.old-2", "a.car.old-3"] {
            let free = free_name(&path, ".old");
            assert_eq!(free, directory.path().join(expected));
            fs::write(free, "").unwrap();
        }
    }

    #[test]
    fn a_draft_that_is_not_finished_leaves_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        fs::write(&path, "old").unwrap();
        let (draft, mut file) = Draft::create(&path).unwrap();
        file.write_all(b"new").unwrap();
        drop(draft);
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
        replace(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        for bytes in [&b"yes"[..], b"longer", b"newer"] {
            overwrite(&path, bytes).unwrap();
            assert_eq!(fs::read(&path).unwrap(), bytes);
        }
        let again = create(&path, b"other", 0o600).unwrap_err();
        assert_eq!(again.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).unwrap(), b"newer");
        remove(&path).unwrap();
        remove(&path).unwrap();
        create(&path, b"private", 0o600).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        remove(&path).unwrap();
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }
}
