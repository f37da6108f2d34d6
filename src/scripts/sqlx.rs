//! Reads one folder of migrations by the naming rules of sqlx 0.9: `<VERSION>_<name>.sql`, or a pair
//! `<VERSION>_<name>.up.sql` and `<VERSION>_<name>.down.sql`. It does not look into subfolders.
//!
//! It refuses what sqlx would run by chance: two files of one kind and version, kinds mixed, a `down` alone, a link
//! that leads out of the folder. It ignores hidden files, at which sqlx stops.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::{Header, Migration, Script, TextError, Version, VersionError};

/// The largest script that is read: 64 MiB.
pub const SCRIPT_LIMIT: u64 = 64 * 1024 * 1024;

/// Why a folder of migrations cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// There is nothing at this path.
    #[error("migration folder `{}` does not exist", path.display())]
    Missing { path: PathBuf },
    /// There is something else at this path.
    #[error("`{}` is not a folder", path.display())]
    NotAFolder { path: PathBuf },
    /// The folder, or a file in it, cannot be read.
    #[error("cannot read `{}`", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    /// A file is named like a migration, but the name cannot be archived (FORMAT §2).
    #[error("name of script `{}` is not plain UTF-8, or has a backslash or a control character", path.display())]
    FileName { path: PathBuf },
    /// What stands before the first underscore is not an integer.
    #[error("script `{file_name}` does not start with a version")]
    Version { file_name: String, source: VersionError },
    /// A script takes back a migration that no `.up.sql` applies.
    #[error("script `{file_name}` has no `.up.sql` of version {version}")]
    DownWithoutUp { version: Version, file_name: String },
    /// A version has a script of its own and one of a pair.
    #[error("version {version} is both a single script, `{single}`, and reversible, `{up}`")]
    Mixed { version: Version, single: String, up: String },
    /// Two files claim one version.
    #[error("scripts `{first}` and `{second}` have the same version {version}")]
    Duplicate { version: Version, first: String, second: String },
    /// A script is larger than [`SCRIPT_LIMIT`]. Sizes are in bytes.
    #[error("script `{file_name}` has {size} bytes, more than the {limit} allowed")]
    TooLarge { file_name: String, size: u64, limit: u64 },
    /// A script is a link to a file that is not in the folder.
    #[error("script `{file_name}` is a link out of its folder, to `{}`", target.display())]
    LinkOutside { file_name: String, target: PathBuf },
    /// A script is not a text that can run.
    #[error(transparent)]
    Text(#[from] TextError),
}

/// Reads the migrations of a folder, in the order of their versions.
///
/// Files not named `<VERSION>_<name>.sql`, hidden files and subfolders are ignored. The first fault in the order of
/// file names is returned, so that the same folder always gives the same error.
pub fn read_folder(path: &Path) -> Result<Vec<Migration>, FolderError> {
    let (migrations, faults) = read_folder_with_faults(path)?;
    match faults.into_iter().next() {
        Some(fault) => Err(fault),
        None => Ok(migrations),
    }
}

/// The migrations of a folder that are sound, and all that is wrong with the others.
///
/// # Errors
/// When the folder itself cannot be read.
pub fn read_folder_with_faults(path: &Path) -> Result<(Vec<Migration>, Vec<FolderError>), FolderError> {
    let folder = open_folder(path)?;
    let (mut groups, mut faults, mut migrations) = (BTreeMap::<Version, Group>::new(), vec![], vec![]);
    for file in migration_files(&folder)? {
        let inserted = file.and_then(|file| groups.entry(file.version.clone()).or_default().insert(file));
        faults.extend(inserted.err());
    }
    for group in groups.into_values() {
        match group.migration() {
            Ok(migration) => migrations.extend(migration),
            Err(fault) => faults.push(fault),
        }
    }
    Ok((migrations, faults))
}

/// The folder's path without links.
fn open_folder(path: &Path) -> Result<PathBuf, FolderError> {
    let folder = path.canonicalize().map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => FolderError::Missing { path: path.to_owned() },
        _ => unreadable(path)(source),
    })?;
    if !folder.is_dir() {
        return Err(FolderError::NotAFolder { path: path.to_owned() });
    }
    Ok(folder)
}

fn migration_files(folder: &Path) -> Result<Vec<Result<MigrationFile, FolderError>>, FolderError> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable(folder))? {
        let entry = entry.map_err(unreadable(folder))?;
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        entries.push((entry.file_name(), is_file));
    }
    entries.sort();
    let mut files = Vec::new();
    for (name, is_file) in entries {
        // As sqlx does, so that a name in another encoding is refused and not overlooked.
        if is_migration_name(&name.to_string_lossy()) {
            files.extend(MigrationFile::read(folder, &folder.join(&name), is_file).transpose());
        }
    }
    Ok(files)
}

fn is_migration_name(name: &str) -> bool {
    !name.starts_with('.') && name.split_once('_').is_some_and(|(_, rest)| rest.ends_with(".sql"))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Single,
    Up,
    Down,
}

impl Kind {
    fn of(rest: &str) -> Self {
        [Self::Up, Self::Down].into_iter().find(|kind| rest.ends_with(kind.suffix())).unwrap_or(Self::Single)
    }

    fn suffix(self) -> &'static str {
        match self {
            Self::Single => ".sql",
            Self::Up => ".up.sql",
            Self::Down => ".down.sql",
        }
    }
}

/// What a file's name calls its migration.
#[must_use]
pub fn migration_name(file_name: &str) -> String {
    let rest = file_name.split_once('_').map_or("", |(_, rest)| rest);
    // `trim_end_matches` as in sqlx: `1_a.sql.sql` is called `a`.
    rest.trim_end_matches(Kind::of(rest).suffix()).replace('_', " ")
}

struct MigrationFile {
    version: Version,
    name: String,
    kind: Kind,
    script: Script,
}

impl MigrationFile {
    /// Reads one file; `None` when it is not a regular file. `is_file`: whether it is known to be one, and no link.
    fn read(folder: &Path, path: &Path, is_file: bool) -> Result<Option<Self>, FolderError> {
        let target = if is_file { path.to_owned() } else { path.canonicalize().map_err(unreadable(path))? };
        if !is_file && !target.metadata().map_err(unreadable(path))?.is_file() {
            return Ok(None);
        }
        let file_name = file_name(path)?;
        let (prefix, rest) = file_name.split_once('_').unwrap_or((&file_name, ""));
        let version = Version::parse(prefix)
            .map_err(|source| FolderError::Version { file_name: file_name.clone(), source })?;
        let kind = Kind::of(rest);
        let name = migration_name(&file_name);
        if !target.starts_with(folder) {
            return Err(FolderError::LinkOutside { file_name, target });
        }
        let script = Script::new(file_name.clone(), read_bytes(&target, &file_name)?);
        script.text()?;
        Ok(Some(Self { version, name, kind, script }))
    }
}

fn file_name(path: &Path) -> Result<String, FolderError> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    if name.is_empty() || name.contains(|c: char| c == '\\' || c.is_control()) {
        return Err(FolderError::FileName { path: path.to_owned() });
    }
    Ok(name.to_owned())
}

fn read_bytes(path: &Path, file_name: &str) -> Result<Vec<u8>, FolderError> {
    let too_large =
        |size| FolderError::TooLarge { file_name: file_name.to_owned(), size, limit: SCRIPT_LIMIT };
    let file = File::open(path).map_err(unreadable(path))?;
    let size = file.metadata().map_err(unreadable(path))?.len();
    if size > SCRIPT_LIMIT {
        return Err(too_large(size));
    }
    // One byte more than there should be, so that the first read sees the end.
    let mut bytes = Vec::with_capacity(size as usize + 1);
    // Bounded once more, for a file may grow while it is read.
    let read = file.take(SCRIPT_LIMIT + 1).read_to_end(&mut bytes).map_err(unreadable(path))?;
    if bytes.len() as u64 > SCRIPT_LIMIT {
        return Err(too_large(read as u64));
    }
    Ok(bytes)
}

fn unreadable(path: &Path) -> impl Fn(io::Error) -> FolderError {
    move |source| FolderError::Unreadable { path: path.to_owned(), source }
}

/// The files of one version.
#[derive(Default)]
struct Group {
    single: Option<MigrationFile>,
    up: Option<MigrationFile>,
    down: Option<MigrationFile>,
}

impl Group {
    fn insert(&mut self, file: MigrationFile) -> Result<(), FolderError> {
        for other in self.files() {
            // `1_a.up.sql` and `01_a.down.sql` are no pair: one of them is a mistake.
            if other.kind == file.kind || other.version.as_str() != file.version.as_str() {
                let (first, second) = (other.script.file_name.clone(), file.script.file_name);
                return Err(FolderError::Duplicate { version: file.version, first, second });
            }
        }
        let place = match file.kind {
            Kind::Single => &mut self.single,
            Kind::Up => &mut self.up,
            Kind::Down => &mut self.down,
        };
        *place = Some(file);
        Ok(())
    }

    fn files(&self) -> impl Iterator<Item = &MigrationFile> {
        [&self.single, &self.up, &self.down].into_iter().flatten()
    }

    /// The migration that the files make up; `None` when there is no file.
    fn migration(self) -> Result<Option<Migration>, FolderError> {
        let (up, down) = match (self.single, self.up, self.down) {
            (Some(single), Some(up), _) => return Err(mixed(single, up)),
            (Some(single), None, None) => (single, None),
            (None, Some(up), down) => (up, down),
            (_, None, Some(down)) => return Err(down_without_up(down)),
            (None, None, None) => return Ok(None),
        };
        let header = Header::parse(up.script.text()?);
        let down = down.map(|file| file.script);
        Ok(Some(Migration { version: up.version, name: up.name, up: up.script, down, header }))
    }
}

fn mixed(single: MigrationFile, up: MigrationFile) -> FolderError {
    let (single, version) = (single.script.file_name, single.version);
    FolderError::Mixed { version, single, up: up.script.file_name }
}

fn down_without_up(down: MigrationFile) -> FolderError {
    FolderError::DownWithoutUp { version: down.version, file_name: down.script.file_name }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    fn folder(files: &[(&str, &str)]) -> TempDir {
        let folder = TempDir::new().unwrap();
        for (name, text) in files {
            fs::write(folder.path().join(name), text).unwrap();
        }
        folder
    }

    fn read(files: &[&str]) -> Result<Vec<Migration>, FolderError> {
        let files: Vec<_> = files.iter().map(|&name| (name, "SELECT 1;")).collect();
        read_folder(folder(&files).path())
    }

    fn names(files: &[&str]) -> Vec<(String, String)> {
        let all = read(files).unwrap();
        all.into_iter().map(|migration| (migration.version.to_string(), migration.name)).collect()
    }

    fn message(files: &[&str]) -> String {
        read(files).unwrap_err().to_string()
    }

    #[test]
    fn migrations_are_read_in_the_order_of_their_numbers() {
        let folder = folder(&[
            ("10_add_grades.up.sql", "\u{feff}-- purpose: grades\r\nCREATE TABLE grade (id);"),
            ("10_add_grades.down.sql", "-- no-transaction\nDROP TABLE grade;"),
            ("9_start.sql", "-- no-transaction\n-- sector: education\nVACUUM;"),
        ]);
        let all = read_folder(folder.path()).unwrap();
        assert_eq!(all.len(), 2);
        assert_eq!((all[0].version.number(), all[0].name.as_str()), (9, "start"));
        assert!(!all[0].up.transaction && all[0].down.is_none());
        assert_eq!(all[0].header.sectors, ["education"]);
        assert_eq!((all[1].version.number(), all[1].name.as_str()), (10, "add grades"));
        assert!(all[1].up.transaction && all[1].up.bytes.starts_with(b"\xef\xbb\xbf"));
        assert_eq!(all[1].header.purpose.as_deref(), Some("grades"));
        let down = all[1].down.as_ref().unwrap();
        assert_eq!((down.file_name.as_str(), down.transaction), ("10_add_grades.down.sql", false));
    }

    #[test]
    fn names_follow_the_rules_of_sqlx() {
        for (file, version, name) in [
            ("0007_a_b__c.sql", "0007", "a b  c"),
            ("1_a.sql.sql", "1", "a"),
            ("1_.sql", "1", ""),
            ("1_up.sql", "1", "up"),
            ("1_a.down.up.sql", "1", "a.down"),
            ("-1_a.sql", "-1", "a"),
            ("+1_été 🦀.sql", "+1", "été 🦀"),
        ] {
            assert_eq!(names(&[file]), [(version.to_owned(), name.to_owned())]);
        }
    }

    #[test]
    fn other_files_are_ignored() {
        let folder = folder(&[
            ("README.md", ""),
            ("1.sql", ""),
            ("a.sql", ""),
            ("1_a.SQL", ""),
            ("1_a.sql.bak", ""),
            ("a_b.txt", ""),
            (".1_a.sql", ""),
            ("._1_a.sql", ""),
        ]);
        fs::create_dir(folder.path().join("1_a.sql")).unwrap();
        fs::create_dir(folder.path().join("old_ones.sql")).unwrap();
        fs::write(folder.path().join("1_a.sql/2_b.sql"), "").unwrap();
        assert_eq!(read_folder(folder.path()).unwrap(), []);
    }

    #[test]
    fn a_prefix_that_is_no_integer_is_refused() {
        for file in ["V1_a.sql", "_a.sql", "1.2_a.sql", "9223372036854775808_a.sql"] {
            assert!(
                matches!(read(&[file]), Err(FolderError::Version { file_name, .. }) if file_name == file)
            );
        }
    }

    #[test]
    fn one_version_belongs_to_one_migration() {
        assert_eq!(
            message(&["1_a.sql", "1_b.sql"]),
            "scripts `1_a.sql` and `1_b.sql` have the same version 1"
        );
        assert_eq!(
            message(&["01_a.sql", "1_a.sql"]),
            "scripts `01_a.sql` and `1_a.sql` have the same version 1"
        );
        for files in [
            ["1_a.up.sql", "1_b.up.sql"],
            ["1_a.down.sql", "1_b.down.sql"],
            ["01_a.up.sql", "1_a.down.sql"],
            ["01_a.up.sql", "1_a.sql"],
        ] {
            assert!(matches!(read(&files), Err(FolderError::Duplicate { .. })), "{files:?}");
        }
    }

    #[test]
    fn kinds_are_not_mixed_and_a_down_needs_its_up() {
        assert_eq!(
            message(&["1_a.sql", "1_a.up.sql", "1_a.down.sql"]),
            "version 1 is both a single script, `1_a.sql`, and reversible, `1_a.up.sql`"
        );
        assert_eq!(message(&["1_a.down.sql"]), "script `1_a.down.sql` has no `.up.sql` of version 1");
        assert!(matches!(read(&["1_a.sql", "1_a.down.sql"]), Err(FolderError::DownWithoutUp { .. })));
        assert_eq!(names(&["1_a.up.sql"]).len(), 1);
        assert_eq!(read(&["1_a.up.sql", "1_b.down.sql"]).unwrap()[0].name, "a");
    }

    #[test]
    fn a_folder_has_to_be_there() {
        let folder = folder(&[("file", "")]);
        let missing = read_folder(&folder.path().join("none"));
        assert!(matches!(missing, Err(FolderError::Missing { .. })));
        let file = read_folder(&folder.path().join("file"));
        assert!(matches!(file, Err(FolderError::NotAFolder { .. })));
        assert_eq!(read(&[]).unwrap(), []);
    }

    #[test]
    fn what_is_no_text_or_too_large_is_refused() {
        let folder = folder(&[]);
        let path = folder.path().join("1_a.sql");
        fs::write(&path, b"-- \xff").unwrap();
        let error = read_folder(folder.path()).unwrap_err();
        assert_eq!(error.to_string(), "script `1_a.sql` is not UTF-8: invalid byte at offset 3");
        File::create(&path).unwrap().set_len(SCRIPT_LIMIT + 1).unwrap();
        let error = read_folder(folder.path()).unwrap_err();
        assert!(
            matches!(error, FolderError::TooLarge { size, limit: SCRIPT_LIMIT, .. } if size == SCRIPT_LIMIT + 1)
        );
    }

    #[cfg(unix)]
    #[test]
    fn links_may_not_lead_out_of_the_folder() {
        use std::os::unix::fs::symlink;

        let outside = folder(&[("1_a.sql", "SELECT 1;")]);
        let inside = folder(&[("a", "SELECT 1;")]);
        symlink("a", inside.path().join("1_a.sql")).unwrap();
        assert_eq!(read_folder(inside.path()).unwrap().len(), 1);
        symlink(inside.path(), outside.path().join("linked")).unwrap();
        assert_eq!(read_folder(&outside.path().join("linked")).unwrap().len(), 1);
        symlink(outside.path().join("1_a.sql"), inside.path().join("2_b.sql")).unwrap();
        let error = read_folder(inside.path()).unwrap_err();
        assert!(matches!(error, FolderError::LinkOutside { file_name, .. } if file_name == "2_b.sql"));
    }

    #[cfg(unix)]
    #[test]
    fn a_link_to_nothing_is_an_error_and_not_overlooked() {
        let folder = folder(&[]);
        std::os::unix::fs::symlink("none", folder.path().join("1_a.sql")).unwrap();
        let error = read_folder(folder.path()).unwrap_err();
        assert!(matches!(error, FolderError::Unreadable { path, .. } if path.ends_with("1_a.sql")));
    }

    #[cfg(unix)]
    #[test]
    fn names_that_cannot_be_archived_are_refused() {
        use std::ffi::OsStr;
        use std::os::unix::ffi::OsStrExt;

        for name in [&b"1_\xff.sql"[..], b"1_a\\b.sql", b"1_a\nb.sql"] {
            let folder = folder(&[]);
            fs::write(folder.path().join(OsStr::from_bytes(name)), "").unwrap();
            let error = read_folder(folder.path()).unwrap_err();
            assert!(matches!(error, FolderError::FileName { .. }), "{name:?}");
        }
    }
}
