//! Which files of a folder are revisions: where Alembic's own settings say they lie, else below folders `versions`.

use super::super::{Folder, FolderFile};

/// Where revisions lie, as the settings beside them say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places {
    /// Folders below the one that is read; empty where the settings name none.
    folders: Vec<String>,
    /// Whether folders below those count, too; `None` where the settings do not say.
    recursive: Option<bool>,
}

/// How a file lies to the folders of revisions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lies {
    /// In one of them: a revision.
    Within,
    /// Below one of them. Programs such as Neutron's add such folders themselves, so it is a revision where others
    /// stand on it, or it on them.
    Below,
}

impl Places {
    /// Those that `alembic.ini` or `pyproject.toml` of a folder name.
    #[must_use]
    pub fn of(folder: &Folder) -> Self {
        let mut places = Self::default();
        let (mut inside, mut key) = (false, String::new());
        let settings = [("alembic.ini", "[alembic]"), ("pyproject.toml", "[tool.alembic]")];
        let found = settings
            .iter()
            .find_map(|(name, section)| Some((folder.file(name)?, *section)))
            .map(|(file, section)| (String::from_utf8_lossy(&file.bytes).into_owned(), section));
        let Some((text, section)) = found else { return places };
        for line in text.lines() {
            let line = line.split(" #").next().unwrap_or_default();
            let word = line.trim();
            if word.starts_with('[') && !line.starts_with([' ', '\t']) {
                inside = word == section;
                continue;
            }
            if !inside || word.is_empty() || word.starts_with(['#', ';']) {
                continue;
            }
            let value = match line.split_once('=') {
                Some((name, value)) if !line.starts_with([' ', '\t']) => {
                    name.trim().clone_into(&mut key);
                    value
                }
                // What is set in is the rest of a value.
                _ => line,
            };
            places.read(&key, value);
        }
        places
    }

    fn read(&mut self, key: &str, value: &str) {
        match key {
            "version_locations" => {
                let words = value.split([' ', '\t', ',', ';', ':', '"', '\'', '[', ']']);
                let folders = words.map(|word| {
                    let below = word.trim().trim_start_matches("%(here)s").trim_start_matches("./");
                    below.trim_matches('/').to_owned()
                });
                self.folders.extend(folders.filter(|folder| !folder.is_empty()));
            }
            "recursive_version_locations" => {
                let word = value.trim().trim_matches(['"', '\'']).to_ascii_lowercase();
                self.recursive = Some(matches!(word.as_str(), "true" | "yes" | "on" | "1"));
            }
            _ => {}
        }
    }

    /// How a file lies; `None` for one that is no revision, whatever it holds.
    #[must_use]
    pub fn lies(&self, file: &FolderFile) -> Option<Lies> {
        let name = file.name();
        // What Alembic itself leaves out: packages, and files that editors keep.
        if !name.ends_with(".py") || name.starts_with("__init__") || name.starts_with(".#") {
            return None;
        }
        let below = match self.folders.is_empty() {
            true => below_versions(&file.path)?,
            false => {
                let within = |folder: &String| file.path.strip_prefix(folder.as_str())?.strip_prefix('/');
                self.folders.iter().filter_map(within).min_by_key(|below| below.len())?
            }
        };
        match (below.contains('/'), self.recursive) {
            (false, _) | (true, Some(true)) => Some(Lies::Within),
            (true, None) => Some(Lies::Below),
            (true, Some(false)) => None,
        }
    }
}

/// What follows the first folder `versions` in a path.
fn below_versions(path: &str) -> Option<&str> {
    path.strip_prefix("versions/").or_else(|| path.split_once("/versions/").map(|parts| parts.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(name: &str, text: &str) -> Places {
        Places::of(&Folder::of(vec![FolderFile { path: name.to_owned(), bytes: text.as_bytes().to_vec() }]))
    }

    fn lies(places: &Places, path: &str) -> Option<Lies> {
        places.lies(&FolderFile { path: path.to_owned(), bytes: Vec::new() })
    }

    #[test]
    fn revisions_lie_where_the_settings_say() {
        let none = Places::default();
        assert_eq!(lies(&none, "versions/a.py"), Some(Lies::Within));
        assert_eq!(lies(&none, "shop/alembic/versions/a.py"), Some(Lies::Within));
        assert_eq!(lies(&none, "versions/2026/expand/a.py"), Some(Lies::Below));
        for other in ["versions/__init__.py", "versions/.#a.py", "versions/a.txt", "env.py"] {
            assert_eq!(lies(&none, other), None, "{other}");
        }
        let ini = "[alembic]\nscript_location = alembic\nversion_locations = %(here)s/one\n    %(here)s/two/revs ; x\n\
                   # version_locations = no\nrecursive_version_locations = false\n[logging]\nversion_locations = three\n";
        let named = places("alembic.ini", ini);
        assert_eq!(lies(&named, "one/a.py"), Some(Lies::Within));
        assert_eq!(lies(&named, "two/revs/a.py"), Some(Lies::Within));
        for other in ["versions/a.py", "one/b/a.py", "three/a.py", "onerous/a.py"] {
            assert_eq!(lies(&named, other), None, "{other}");
        }
        let toml = "[tool.alembic]\nversion_locations = [\n  \"%(here)s/a\",\n  \"%(here)s/b\"\n]\nrecursive_version_locations = true\n";
        let named = places("pyproject.toml", toml);
        assert_eq!(lies(&named, "b/deep/a.py"), Some(Lies::Within));
        assert_eq!(places("alembic.ini", "\u{0}[alembic\nversion_locations"), Places::default());
    }
}
