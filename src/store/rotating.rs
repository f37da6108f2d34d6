//! A file of lines that is put aside when it is full, and of which only so many are kept.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// Lines, the newest at the end of `path`; older ones in `path.1`, still older ones in `path.2`, and so on.
#[derive(Debug)]
pub struct RotatingLines {
    path: PathBuf,
    file: File,
    size: u64,
    /// Bytes of one file.
    limit: u64,
    /// Files beside the newest.
    kept: usize,
}

impl RotatingLines {
    /// Opens the file, or makes one that its owner alone may read.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn open(path: &Path, limit: u64, kept: usize) -> io::Result<Self> {
        let file = open(path)?;
        let size = file.metadata()?.len();
        Ok(Self { path: path.to_owned(), file, size, limit, kept })
    }

    /// Where the newest lines are.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends whole lines, all of them to one file.
    ///
    /// # Errors
    /// Those of the file system; the next lines are tried all the same.
    pub fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        if self.size > 0 && self.size.saturating_add(lines.len() as u64) > self.limit {
            self.put_aside()?;
        }
        self.file.write_all(lines)?;
        self.size += lines.len() as u64;
        Ok(())
    }

    fn put_aside(&mut self) -> io::Result<()> {
        for number in (1..self.kept).rev() {
            let older = self.numbered(number);
            if older.exists() {
                fs::rename(&older, self.numbered(number + 1))?;
            }
        }
        match self.kept {
            0 => fs::remove_file(&self.path)?,
            _ => fs::rename(&self.path, self.numbered(1))?,
        }
        self.file = open(&self.path)?;
        self.size = 0;
        Ok(())
    }

    fn numbered(&self, number: usize) -> PathBuf {
        let mut name = self.path.as_os_str().to_owned();
        name.push(format!(".{number}"));
        name.into()
    }
}

fn open(path: &Path) -> io::Result<File> {
    File::options().append(true).create(true).mode(0o600).open(path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn full_files_are_put_aside_and_only_so_many_stay() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut lines = RotatingLines::open(&path, 20, 2).unwrap();
        for number in 0..10 {
            lines.append(format!("line {number}..\n").as_bytes()).unwrap();
        }
        let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
        assert_eq!(
            (read("log"), read("log.1"), read("log.2")),
            (
                "line 8..\nline 9..\n".to_owned(),
                "line 6..\nline 7..\n".to_owned(),
                "line 4..\nline 5..\n".to_owned()
            )
        );
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn it_goes_on_where_it_was_and_takes_a_line_that_is_too_long() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        RotatingLines::open(&path, 20, 1).unwrap().append(b"before\n").unwrap();
        let mut lines = RotatingLines::open(&path, 20, 1).unwrap();
        lines.append(b"after\n").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"before\nafter\n");
        lines.append(&[b'x'; 100]).unwrap();
        assert_eq!(fs::read(&path).unwrap().len(), 100);
        lines.append(b"next\n").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"next\n");
    }
}
