//! The files below a folder, read within bounds. It does not follow links and leaves out what is hidden.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

/// The largest file that is read: 8 MiB.
const FILE_LIMIT: u64 = 8 << 20;
/// How many files are read at most.
const COUNT_LIMIT: usize = 100_000;
/// How deep folders may lie in one another.
const DEPTH_LIMIT: usize = 8;

/// Folders that packages and caches lie in: nobody's migrations.
const FOREIGN: [&str; 5] = ["node_modules", "__pycache__", "venv", "target", "vendor"];

/// Why a folder cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    #[error("folder `{}` does not exist", .0.display())]
    Missing(PathBuf),
    #[error("cannot read `{}`", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("`{}` is larger than the {} MiB that a script may have", path.display(), FILE_LIMIT >> 20)]
    TooLarge { path: PathBuf },
    #[error("`{}` has more than {COUNT_LIMIT} files", .0.display())]
    TooMany(PathBuf),
}

/// A file or folder that was not read.
#[derive(Debug)]
pub struct Left {
    /// As [`FolderFile::path`].
    pub path: String,
    /// `None` for a link, which is not followed.
    pub why: Option<FolderError>,
}

/// One file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FolderFile {
    /// Below the folder, with `/` between its parts.
    pub path: String,
    pub bytes: Vec<u8>,
}

impl FolderFile {
    /// The last part of its path.
    #[must_use]
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// Its name without what follows the last point.
    #[must_use]
    pub fn stem(&self) -> &str {
        self.name().rsplit_once('.').map_or(self.name(), |(stem, _)| stem)
    }
}

/// The files below a folder, sorted by their paths.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Folder {
    files: Vec<FolderFile>,
}

impl Folder {
    /// Reads the files below `root` whose names `wanted` takes.
    ///
    /// # Errors
    /// [`FolderError`].
    pub fn read(root: &Path, wanted: impl Fn(&str) -> bool) -> Result<Self, FolderError> {
        let (folder, left) = Self::read_with_faults(root, wanted)?;
        match left.into_iter().find_map(|left| left.why) {
            Some(error) => Err(error),
            None => Ok(folder),
        }
    }

    /// The same, where what cannot be read keeps no other file from being read; it is told in the order of paths.
    ///
    /// # Errors
    /// When `root` itself cannot be read, or has too many files.
    pub fn read_with_faults(
        root: &Path,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<(Self, Vec<Left>), FolderError> {
        if !root.is_dir() {
            return Err(FolderError::Missing(root.to_owned()));
        }
        let (mut paths, mut left, mut files) = (Vec::new(), Vec::new(), Vec::new());
        list(root, "", 0, &wanted, (&mut paths, &mut left))?;
        paths.sort();
        for path in paths {
            match read_file(&root.join(&path)) {
                Ok(bytes) => files.push(FolderFile { path, bytes }),
                Err(error) => left.push(Left { path, why: Some(error) }),
            }
        }
        left.sort_by(|a, b| a.path.cmp(&b.path));
        Ok((Self { files }, left))
    }

    /// What a test or a caller has in memory.
    #[must_use]
    pub fn of(mut files: Vec<FolderFile>) -> Self {
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Self { files }
    }

    /// The files whose names `is_first` takes, and the others.
    #[must_use]
    pub fn split(self, is_first: impl Fn(&str) -> bool) -> (Self, Self) {
        let (first, others) = self.files.into_iter().partition(|file| is_first(file.name()));
        (Self { files: first }, Self { files: others })
    }

    /// All files.
    pub fn files(&self) -> impl Iterator<Item = &FolderFile> {
        self.files.iter()
    }

    /// The file at `path`.
    #[must_use]
    pub fn file(&self, path: &str) -> Option<&FolderFile> {
        let place = self.files.binary_search_by(|file| file.path.as_str().cmp(path)).ok()?;
        self.files.get(place)
    }
}

fn list(
    root: &Path,
    below: &str,
    depth: usize,
    wanted: &impl Fn(&str) -> bool,
    (paths, left): (&mut Vec<String>, &mut Vec<Left>),
) -> Result<(), FolderError> {
    let folder = root.join(below);
    let unreadable = |source| FolderError::Unreadable { path: folder.clone(), source };
    let entries = match fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(source) if below.is_empty() => return Err(unreadable(source)),
        Err(source) => {
            left.push(Left { path: below.to_owned(), why: Some(unreadable(source)) });
            return Ok(());
        }
    };
    for entry in entries {
        let entry = entry.map_err(unreadable)?;
        let kind = entry.file_type().map_err(unreadable)?;
        let name = entry.file_name();
        // What is not UTF-8 cannot be archived under its name, and no tool here makes such names.
        let Some(name) = name.to_str().filter(|name| !name.starts_with('.')) else { continue };
        let path = if below.is_empty() { name.to_owned() } else { format!("{below}/{name}") };
        if kind.is_dir() && depth < DEPTH_LIMIT && !FOREIGN.contains(&name) {
            list(root, &path, depth + 1, wanted, (&mut *paths, &mut *left))?;
        } else if kind.is_file() && wanted(name) {
            if paths.len() == COUNT_LIMIT {
                return Err(FolderError::TooMany(root.to_owned()));
            }
            paths.push(path);
        } else if kind.is_symlink() && wanted(name) {
            left.push(Left { path, why: None });
        }
    }
    Ok(())
}

fn read_file(path: &Path) -> Result<Vec<u8>, FolderError> {
    let unreadable = |source| FolderError::Unreadable { path: path.to_owned(), source };
    let file = File::open(path).map_err(unreadable)?;
    let length = file.metadata().map_err(unreadable)?.len().min(FILE_LIMIT);
    // Room for one byte more: a file that is as long as it says is read at once.
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or_default() + 1);
    file.take(FILE_LIMIT + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > FILE_LIMIT {
        return Err(FolderError::TooLarge { path: path.to_owned() });
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_files_links_and_packages_are_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        for path in ["b.sql", "a/c.sql", ".git/d.sql", "node_modules/e.sql", "f.txt", ".g.sql"] {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "SELECT 1").unwrap();
        }
        std::os::unix::fs::symlink("/etc/passwd", root.join("h.sql")).unwrap();
        std::os::unix::fs::symlink("/etc", root.join("i")).unwrap();
        let read = Folder::read(root, |name| name.ends_with(".sql")).unwrap();
        let paths: Vec<&str> = read.files().map(|file| file.path.as_str()).collect();
        assert_eq!(paths, ["a/c.sql", "b.sql"]);
        assert_eq!(read.file("a/c.sql").map(FolderFile::stem), Some("c"));
        assert!(matches!(Folder::read(&root.join("none"), |_| true), Err(FolderError::Missing(_))));
        let large = File::create(root.join("large.sql")).unwrap();
        large.set_len(FILE_LIMIT + 1).unwrap();
        assert!(matches!(Folder::read(root, |_| true), Err(FolderError::TooLarge { .. })));
    }
}
