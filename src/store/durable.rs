//! Files that are either there in full or not at all, also after a crash.

use std::{
    fs::{self, DirBuilder, File},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use crate::crypto::fill_random;

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

    fn with_mode(path: &Path, mode: u32) -> io::Result<(Self, File)> {
        let mut random = [0; 8];
        fill_random(&mut random);
        let mut name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_owned();
        name.push(format!(".{:016x}.tmp", u64::from_le_bytes(random)));
        let temporary = path.with_file_name(name);
        let file = File::options().read(true).write(true).create_new(true).mode(mode).open(&temporary)?;
        Ok((Self { path: path.to_owned(), temporary, finished: false }, file))
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
pub(super) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let (draft, mut file) = Draft::create(path)?;
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
pub(super) fn create_directory(directory: &Path) -> io::Result<()> {
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
