//! Reads a folder of scripts as whoever applies them does, and tells what is wrong with it as a folder.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::{LintError, Wanted, faults};
use crate::scripts::lint::document::WayDown;
use crate::scripts::lint::rules::{DOWN_ALONE, IGNORED_FILE, NOT_TEXT};
use crate::scripts::lint::{Finding, likely_dialect};
use crate::scripts::tools::alembic::{Downgrade, Told, told};
use crate::scripts::tools::plain::{PLAIN, has_both_ways, migration};
use crate::scripts::tools::{
    Catalog, Folder, FolderFile, Left, Tool, ToolScript, catalog_of, is_flyway_callback, is_wanted, owners,
    tool_named,
};
use crate::scripts::{Dialect, Header, Migration, Script, Version, Waiver, read_folder_with_faults};

/// Tools whose scripts may have a way down that is a file or a part of one; the others go back by themselves or not
/// at all.
const GOES_DOWN: [&str; 7] =
    ["alembic", "dbmate", "diesel", "flyway", "golang-migrate", "goose", "node-pg-migrate"];

/// A script with what rules look at.
#[derive(Clone, Debug)]
pub struct Unit {
    /// Its version, as whoever applies it calls it.
    pub id: String,
    /// The file of the way up, as it is shown.
    pub file: String,
    /// The file of the way down; that of the way up where it holds both, or there is none.
    pub down_file: String,
    /// What it says of itself; `None` where its language is not read.
    pub header: Option<Header>,
    pub up: Option<Script>,
    pub down: Option<Script>,
    /// What is known of the way down without its text.
    pub way_down: Option<WayDown>,
    /// Whether greffe can run it: it is plain SQL, whole.
    pub runs: bool,
    number: Option<Version>,
}

impl Unit {
    /// Whether this is the script that somebody calls so.
    #[must_use]
    pub fn is(&self, version: &str) -> bool {
        self.number.as_ref().map_or(self.id == version, |number| number.is(version))
    }

    fn of(root: &Path, migration: Migration) -> Self {
        let file = shown(root, &migration.up.file_name);
        let down_file = migration.down.as_ref().map_or(file.clone(), |down| shown(root, &down.file_name));
        Self {
            id: migration.version.to_string(),
            file,
            down_file,
            header: Some(migration.header),
            up: Some(migration.up),
            down: migration.down,
            way_down: None,
            runs: true,
            number: Some(migration.version),
        }
    }
}

/// What a folder holds.
pub struct Read {
    pub tool: Option<&'static str>,
    pub dialect: Dialect,
    pub units: Vec<Unit>,
    pub findings: Vec<Finding>,
    /// Waivers by file.
    pub waivers: BTreeMap<String, Vec<Waiver>>,
    /// Headers of files that are no scripts, and that something was found in.
    pub strays: Vec<(String, Header)>,
}

/// A file of a folder as it is shown.
pub fn shown(root: &Path, file: &str) -> String {
    match root.to_str() {
        Some("." | "") => file.to_owned(),
        _ => root.join(file).display().to_string(),
    }
}

/// Reads the folder at `root`.
///
/// # Errors
/// When the folder itself cannot be read, or nobody can tell whose it is.
pub fn read(root: &Path, wanted: &Wanted) -> Result<Read, LintError> {
    let in_any_case = |name: &str| is_wanted(&name.to_lowercase());
    let (all, left) = Folder::read_with_faults(root, in_any_case)?;
    let (folder, odd) = all.split(is_wanted);
    let tool = tool_of(root, &folder, wanted)?;
    let mut read = match tool {
        None => read_own(root, &folder, &odd, &left, wanted)?,
        Some(tool) => read_tool(root, tool, &folder, &odd, &left, wanted),
    };
    let mut waivers: BTreeMap<String, Vec<Waiver>> = BTreeMap::new();
    let mut add = |file: &str, header: &Header| {
        waivers.entry(file.to_owned()).or_default().extend(header.waivers.iter().cloned());
    };
    for unit in &read.units {
        let own_file = unit.down.as_ref().filter(|_| unit.down_file != unit.file);
        let down = own_file.and_then(|down| down.text().ok()).map(Header::parse);
        for header in unit.header.iter().chain(&down) {
            BTreeSet::from([&unit.file, &unit.down_file]).into_iter().for_each(|file| add(file, header));
        }
    }
    let scripts: BTreeSet<&String> =
        read.units.iter().flat_map(|unit| [&unit.file, &unit.down_file]).collect();
    let found: BTreeSet<&String> = read.findings.iter().map(|finding| &finding.file).collect();
    for file in folder.files().chain(odd.files()) {
        let name = shown(root, &file.path);
        if found.contains(&name) && !scripts.contains(&name) {
            let header = Header::parse(&String::from_utf8_lossy(&file.bytes));
            add(&name, &header);
            read.strays.push((name, header));
        }
    }
    read.waivers = waivers;
    Ok(read)
}

/// The tool whose folder it is; `None` for greffe's own, whose names are those of sqlx.
fn tool_of(root: &Path, folder: &Folder, wanted: &Wanted) -> Result<Option<&'static dyn Tool>, LintError> {
    let is_own = |tool: &dyn Tool| tool.name() == "sqlx";
    if let Some(name) = &wanted.tool {
        let tool = tool_named(name).ok_or_else(|| LintError::UnknownTool(name.clone()))?;
        return Ok(Some(tool).filter(|tool| !is_own(*tool)));
    }
    let owners = owners(folder);
    match owners.as_slice() {
        [] => Ok(None),
        owners if owners.iter().any(|tool| is_own(*tool)) => Ok(None),
        [tool] => Ok(Some(*tool)),
        several => {
            let names = several.iter().map(|tool| tool.name()).collect();
            Err(LintError::SeveralTools { path: root.to_owned(), names })
        }
    }
}

fn read_own(
    root: &Path,
    folder: &Folder,
    odd: &Folder,
    left: &[Left],
    wanted: &Wanted,
) -> Result<Read, LintError> {
    let (migrations, faults) = read_folder_with_faults(root)?;
    let mut findings: Vec<Finding> = faults.iter().map(|fault| faults::of_folder(root, fault)).collect();
    let files = migrations.iter().flat_map(Migration::files).map(|script| script.file_name.clone());
    let known: BTreeSet<String> = files.chain(faults.iter().flat_map(faults::names_in)).collect();
    let read = folder.files().chain(odd.files()).map(|file| &file.path);
    for path in read.chain(left.iter().map(|left| &left.path)).filter(|path| !known.contains(*path)) {
        if is_sql(path) {
            let why = if path.contains('/') {
                "it lies in a folder below, which is not looked into"
            } else if !root.join(path).is_file() {
                "it is no file"
            } else {
                "its name is not `<VERSION>_<name>.sql`"
            };
            let message = format!("this is not run: {why}");
            findings.push(Finding::of_file(&IGNORED_FILE, shown(root, path), message));
        }
    }
    let texts = migrations.iter().filter_map(|migration| migration.up.text().ok());
    let dialect = wanted.dialect.unwrap_or_else(|| likely_dialect(texts));
    let units = migrations.into_iter().map(|migration| Unit::of(root, migration)).collect();
    Ok(Read { tool: None, dialect, units, findings, waivers: BTreeMap::new(), strays: Vec::new() })
}

fn is_sql(path: &str) -> bool {
    path.len() > 4 && path.get(path.len() - 4..).is_some_and(|end| end.eq_ignore_ascii_case(".sql"))
}

fn read_tool(
    root: &Path,
    tool: &'static dyn Tool,
    folder: &Folder,
    odd: &Folder,
    left: &[Left],
    wanted: &Wanted,
) -> Read {
    let catalog = catalog_of(tool, folder);
    let mut findings = faults::of_catalog(root, &catalog);
    findings.extend(left.iter().map(|left| faults::of_left(root, left)));
    findings.extend(unclaimed(root, tool, folder, odd, &catalog));
    let sql = catalog.scripts.iter().filter(|script| is_sql(&script.up.path));
    let texts = sql.filter_map(|script| str::from_utf8(&script.up.bytes).ok());
    let dialect = wanted.dialect.unwrap_or_else(|| likely_dialect(texts));
    let revisions = match tool.name() {
        "alembic" => {
            let files: Vec<&[u8]> = catalog.scripts.iter().map(|script| script.up.bytes.as_slice()).collect();
            told(&files)
        }
        _ => Vec::new(),
    };
    let mut units = Vec::with_capacity(catalog.scripts.len());
    for (place, script) in catalog.scripts.iter().enumerate() {
        units.push(match revisions.get(place) {
            Some(told) => of_revision(root, script, told),
            None => of_script(root, (tool, folder, dialect), (place, script), &mut findings),
        });
    }
    let tool = Some(tool.name());
    Read { tool, dialect, units, findings, waivers: BTreeMap::new(), strays: Vec::new() }
}

fn of_revision(root: &Path, script: &ToolScript, told: &Told) -> Unit {
    let mut header = told.docstring.as_deref().map(Header::of_text).unwrap_or_default();
    header.purpose = header.purpose.or_else(|| script.purpose.clone());
    let file = shown(root, &script.up.path);
    let way_down = match told.downgrade {
        Downgrade::Missing => WayDown::Missing,
        Downgrade::Empty(line) => WayDown::Empty(line),
        Downgrade::Refuses => WayDown::Refused,
        Downgrade::Does => WayDown::Does,
    };
    Unit {
        id: script.id.clone(),
        down_file: file.clone(),
        file,
        header: Some(header),
        up: None,
        down: None,
        way_down: Some(way_down),
        runs: false,
        number: None,
    }
}

fn of_script(
    root: &Path,
    (tool, folder, dialect): (&'static dyn Tool, &Folder, Dialect),
    (place, script): (usize, &ToolScript),
    findings: &mut Vec<Finding>,
) -> Unit {
    let name = tool.name();
    let file = shown(root, &script.up.path);
    // A script that can run again is taken back by another run of it.
    let again = script.id.starts_with("R__") || script.up.name().starts_with('B') && name == "flyway";
    let not_asked = (again || !GOES_DOWN.contains(&name)).then_some(WayDown::NotAsked);
    let down_file = script.down.as_ref().map_or(file.clone(), |down| shown(root, &down.path));
    let mut unit = Unit {
        id: script.id.clone(),
        file: file.clone(),
        down_file,
        header: None,
        up: None,
        down: None,
        way_down: not_asked,
        runs: false,
        number: None,
    };
    if !is_sql(&script.up.path) {
        return Unit { way_down: Some(WayDown::NotAsked), ..unit };
    }
    let whole = Header::parse(&String::from_utf8_lossy(&script.up.bytes));
    if PLAIN.contains(&name) {
        match migration(tool, folder, dialect, place, script) {
            Ok(found) => {
                unit.header = Some(found.header);
                (unit.up, unit.down, unit.runs) = (Some(found.up), found.down, true);
                unit.number = Some(found.version);
            }
            Err(error) => {
                findings.extend(faults::of_plain(&file, &error));
                unit.way_down = Some(WayDown::NotAsked);
            }
        }
        // What stands above the marks of a file with both ways is about both.
        let header = unit.header.get_or_insert_with(Header::default);
        if has_both_ways(name) && *header == Header::default() {
            *header = whole;
        }
        return unit;
    }
    let up = Script::new(script.up.path.clone(), script.up.bytes.clone());
    match up.text() {
        Ok(_) => unit.up = Some(up),
        Err(error) => findings.push(Finding::of_file(&NOT_TEXT, file, error.to_string())),
    }
    unit.header = Some(whole);
    unit
}

/// Files of SQL that lie among the scripts of a tool and that it does not run.
fn unclaimed(root: &Path, tool: &dyn Tool, folder: &Folder, odd: &Folder, catalog: &Catalog) -> Vec<Finding> {
    let name = tool.name();
    if !PLAIN.contains(&name) && name != "atlas" {
        return Vec::new();
    }
    let files = catalog.scripts.iter().flat_map(|script| [Some(&script.up), script.down.as_ref()]);
    let claimed: BTreeSet<&str> = files.flatten().map(|file| file.path.as_str()).collect();
    let parent = |path: &str| path.rsplit_once('/').map_or(String::new(), |(parent, _)| parent.to_owned());
    let parents: BTreeSet<String> = claimed.iter().map(|path| parent(path)).collect();
    // One of two with the same version is told as such.
    let twice: BTreeSet<String> =
        faults::of_catalog(root, catalog).into_iter().map(|finding| finding.file).collect();
    let others = folder.files().chain(odd.files()).filter(|file| {
        is_sql(&file.path)
            && !claimed.contains(file.path.as_str())
            && parents.contains(&parent(&file.path))
            && !twice.contains(&shown(root, &file.path))
            && !is_beside(name, file)
    });
    let finding = |file: &FolderFile| {
        let shown = shown(root, &file.path);
        if is_down(name, file) {
            return Finding::of_file(&DOWN_ALONE, shown, "there is no way up of its version");
        }
        Finding::of_file(
            &IGNORED_FILE,
            shown,
            format!("{name} does not run this: it is not named as its scripts are"),
        )
    };
    others.map(finding).collect()
}

/// What lies among scripts and is none.
fn is_beside(tool: &str, file: &FolderFile) -> bool {
    matches!(file.name(), "schema.sql" | "structure.sql")
        || tool == "flyway" && is_flyway_callback(file.name())
}

fn is_down(tool: &str, file: &FolderFile) -> bool {
    match tool {
        "flyway" => {
            file.name().strip_prefix('U').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
        }
        "diesel" => file.name() == "down.sql",
        _ => file.name().contains(".down."),
    }
}
