//! The changesets of a folder, in the order in which its changelogs include one another.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::changelog::{self, ChangeSet, Changelog, IncludeAll, Item, Reference};
use super::{checksum, formatted, identifier};
use crate::scripts::tools::{Catalog, Checksum, Fault, Folder, FolderFile, ToolScript};

/// How deep changelogs may include one another.
const DEPTH_LIMIT: usize = 100;

/// The settings file of Liquibase's command line.
const SETTINGS: &str = "liquibase.properties";
/// What such a file calls the changelog that all begins with, without dashes and in small letters.
const ROOT: [&str; 2] = ["changelogfile", "liquibase.command.changelogfile"];

/// Reads all changelogs of a folder.
pub fn catalog(folder: &Folder) -> Catalog {
    let mut walk = Walk {
        folder,
        parsed: BTreeMap::new(),
        catalog: Catalog::default(),
        seen: BTreeSet::new(),
        open: Vec::new(),
        ids: HashMap::new(),
    };
    for file in folder.files() {
        match changelog::read(file) {
            Ok(Some(changelog)) => drop(walk.parsed.insert(file.path.as_str(), changelog)),
            Ok(None) => {}
            Err(fault) => walk.catalog.faults.push(fault),
        }
    }
    match walk.named() {
        Some(root) => walk.enter(root, None),
        None => {
            let included = walk.included();
            let (inner, outer): (Vec<&str>, Vec<&str>) =
                walk.parsed.keys().copied().partition(|path| included.contains(path));
            // What only files in a cycle include is behind no other file.
            for path in outer.into_iter().chain(inner) {
                if let Some(file) = folder.file(path) {
                    walk.enter(file, None);
                }
            }
        }
    }
    walk.catalog
}

struct Walk<'a> {
    folder: &'a Folder,
    parsed: BTreeMap<&'a str, Changelog>,
    catalog: Catalog,
    /// Files that were entered.
    seen: BTreeSet<&'a str>,
    /// Those that are not left yet.
    open: Vec<&'a str>,
    /// Where each changeset stands.
    ids: HashMap<String, &'a str>,
}

impl<'a> Walk<'a> {
    /// The changelog that the settings name.
    fn named(&self) -> Option<&'a FolderFile> {
        let settings = String::from_utf8_lossy(&self.folder.file(SETTINGS)?.bytes).into_owned();
        let mut pairs = settings.lines().filter_map(|line| line.split_once(['=', ':']));
        let (_, path) = pairs.find(|(key, _)| {
            let key = key.trim().replace('-', "").to_ascii_lowercase();
            ROOT.contains(&key.as_str())
        })?;
        let path = Reference { path: path.trim().to_owned(), relative: false };
        self.found("", &path)
    }

    /// Files that others include.
    fn included(&self) -> BTreeSet<&'a str> {
        let mut included = BTreeSet::new();
        for (from, changelog) in &self.parsed {
            for item in &changelog.items {
                match item {
                    Item::ChangeSet(_) => {}
                    Item::Include(include) => {
                        included.extend(self.found(from, &include.file).map(|file| file.path.as_str()));
                    }
                    Item::IncludeAll(all) => {
                        included
                            .extend(self.all(from, all).into_iter().flatten().map(|file| file.path.as_str()));
                    }
                }
            }
        }
        included
    }

    /// Adds what a file says, and what it includes.
    fn enter(&mut self, file: &'a FolderFile, logical: Option<&str>) {
        let path = file.path.as_str();
        if let Some(begin) = self.open.iter().position(|open| *open == path) {
            let cycle = self.open.iter().skip(begin).map(|path| (*path).to_owned()).collect();
            return self.catalog.faults.push(Fault::Cycle(cycle));
        }
        if !self.seen.insert(path) {
            return;
        }
        if self.open.len() == DEPTH_LIMIT {
            return self.catalog.faults.push(Fault::TooDeep { file: path.to_owned() });
        }
        let Some(changelog) = self.parsed.get(path).cloned() else { return self.add_whole(file) };
        self.catalog.faults.extend(changelog.faults);
        self.open.push(path);
        let known_by = changelog.logical.as_deref().or(logical).unwrap_or(path);
        for item in &changelog.items {
            match item {
                Item::ChangeSet(set) => self.add(file, known_by, set),
                Item::Include(include) => match self.found(path, &include.file) {
                    Some(file) => self.enter(file, include.logical.as_deref()),
                    None => self.missing(path, &include.file),
                },
                Item::IncludeAll(all) => match self.all(path, all) {
                    Some(files) => files.into_iter().for_each(|file| self.enter(file, None)),
                    None => self.missing(path, &all.folder),
                },
            }
        }
        self.open.pop();
    }

    fn missing(&mut self, file: &str, reference: &Reference) {
        let (file, named) = (file.to_owned(), reference.path.clone());
        self.catalog.faults.push(Fault::MissingFile { file, named });
    }

    /// A script that is no changelog is one changeset, where another file includes it.
    fn add_whole(&mut self, file: &'a FolderFile) {
        if file.name().ends_with(".sql") {
            let sql = Some(formatted::whole(&file.bytes));
            let (id, author) = ("raw".to_owned(), "includeAll".to_owned());
            let set = ChangeSet { id, author, bytes: file.bytes.clone(), sql, ..ChangeSet::default() };
            self.add(file, &file.path, &set);
        }
    }

    fn add(&mut self, file: &'a FolderFile, known_by: &str, set: &ChangeSet) {
        let known_by = set.logical.as_deref().unwrap_or(known_by);
        let id = identifier(&plain_path(known_by), &set.id, &set.author);
        if let Some(first) = self.ids.insert(id.clone(), &file.path) {
            let (first, second) = (first.to_owned(), file.path.clone());
            return self.catalog.faults.push(Fault::Duplicate { id, first, second });
        }
        let part = FolderFile { path: file.path.clone(), bytes: set.bytes.clone() };
        let script = self.outside(&file.path, set.script.as_ref());
        let down = self.outside(&file.path, set.back.as_ref());
        let checksum = set.sql.as_ref().and_then(|sql| checksum::of(sql, "9:"));
        self.catalog.scripts.push(ToolScript {
            id,
            name: None,
            purpose: set.comment.as_deref().and_then(|text| text.lines().next()).map(str::to_owned),
            stands_on: Vec::new(),
            up: script.unwrap_or(part),
            down,
            checksum: checksum.map(|value| Checksum { value, exact: false }),
        });
    }

    /// A copy of the file that a changeset names.
    fn outside(&mut self, from: &str, reference: Option<&Reference>) -> Option<FolderFile> {
        let reference = reference?;
        let found = self.found(from, reference).cloned();
        if found.is_none() {
            self.missing(from, reference);
        }
        found
    }

    /// The file that a changelog names. Paths begin at a folder that Liquibase is told, which may lie above or below this
    /// one: so as the path is, without its first parts, and below the folders of the changelog.
    fn found(&self, from: &str, reference: &Reference) -> Option<&'a FolderFile> {
        self.places(from, reference).iter().find_map(|path| self.folder.file(path))
    }

    /// The files of a folder that a changelog names, without itself; `None` where there are none.
    fn all(&self, from: &str, all: &IncludeAll) -> Option<Vec<&'a FolderFile>> {
        let ending = all.ending.as_deref().unwrap_or_default().to_ascii_lowercase();
        self.places(from, &all.folder).iter().find_map(|place| {
            let below = if place.is_empty() { String::new() } else { format!("{place}/") };
            let is_wanted = |file: &&FolderFile| {
                let Some(rest) = file.path.strip_prefix(&below) else { return false };
                let depth = rest.split('/').count();
                let name = file.name().to_ascii_lowercase();
                depth >= all.depth.0 && depth <= all.depth.1 && name.ends_with(&ending) && file.path != from
            };
            let files: Vec<&FolderFile> = self.folder.files().filter(is_wanted).collect();
            (!files.is_empty()).then_some(files)
        })
    }

    /// Where a path may be, the likeliest place first.
    fn places(&self, from: &str, reference: &Reference) -> Vec<String> {
        let folder = from.rsplit_once('/').map_or("", |(folder, _)| folder);
        if reference.relative {
            return joined(folder, &reference.path).into_iter().collect();
        }
        let Some(path) = joined("", &plain_path(&reference.path)) else { return Vec::new() };
        let mut places = vec![path.clone()];
        places.extend(path.match_indices('/').filter_map(|(at, _)| Some(path.get(at + 1..)?.to_owned())));
        let mut above = Some(folder).filter(|folder| !folder.is_empty());
        while let Some(folder) = above {
            places.push(format!("{folder}/{path}"));
            above = folder.rsplit_once('/').map(|(above, _)| above);
        }
        places
    }
}

/// A path as the table has it.
pub fn plain_path(path: &str) -> String {
    let path = path.replace('\\', "/");
    let path = path.strip_prefix("classpath:").unwrap_or(&path);
    path.trim_start_matches("./").trim_start_matches('/').to_owned()
}

/// A path below a folder; `None` where it leads out of all folders.
fn joined(folder: &str, path: &str) -> Option<String> {
    let path = path.replace('\\', "/");
    let mut parts: Vec<&str> = Vec::new();
    for part in folder.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}
