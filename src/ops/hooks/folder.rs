//! Reads the folder of hooks: which file is asked when, and what is wrong with it.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::program::{Bounds, Programs};
use crate::crypto::Digest;
use crate::policy::hooks::language::LONGEST_SOURCE;
use crate::policy::hooks::{Filter, HookEvent, HookName, Kind};

/// The largest program, in bytes: its digest is taken.
const LARGEST: u64 = 256 << 20;

/// What the settings say of hooks.
#[derive(Clone, Debug)]
pub struct HookSettings {
    pub folder: PathBuf,
    /// Whether somebody named it: it has to be there then.
    pub is_named: bool,
    /// Whether hooks are asked where nothing is to be applied.
    pub on_empty: bool,
    pub environment: Option<String>,
    /// Sectors of the project, beside those of its migrations.
    pub sectors: Vec<String>,
    /// How long one program may take.
    pub time: Duration,
    /// Where programs find others: `PATH`.
    pub path: OsString,
    /// Who runs programs.
    pub programs: Arc<dyn Programs>,
}

/// A hook of the folder.
#[derive(Clone, Debug)]
pub struct Hook {
    pub name: HookName,
    /// Of a policy hook alone.
    pub source: Vec<u8>,
    pub sha256: Digest,
    pub filter: Filter,
}

/// All hooks of a folder, in the order in which they are asked.
#[derive(Clone, Debug, Default)]
pub struct Hooks {
    /// Absolute.
    pub folder: PathBuf,
    pub hooks: Vec<Hook>,
    /// Names of files and folders that are no hooks.
    pub set_aside: Vec<String>,
    pub environment: Option<String>,
    pub sectors: Vec<String>,
    pub on_empty: bool,
    /// Who runs programs, and within which bounds.
    pub(super) programs: Option<(Arc<dyn Programs>, Bounds)>,
}

/// A file that cannot be a hook, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrongHook {
    pub file: String,
    pub reason: String,
}

/// Why there are no hooks.
#[derive(Debug, thiserror::Error)]
pub enum HooksError {
    #[error("the folder of hooks {} cannot be read", folder.display())]
    Folder {
        folder: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{} in {} cannot be hooks: {}", many(.wrong.len()), folder.display(), listed(wrong))]
    Wrong { folder: PathBuf, wrong: Vec<WrongHook> },
}

fn many(count: usize) -> String {
    if count == 1 { "1 file".to_owned() } else { format!("{count} files") }
}

fn listed(wrong: &[WrongHook]) -> String {
    let each = wrong.iter().map(|wrong| match wrong.reason.contains(&wrong.file) {
        true => wrong.reason.clone(),
        false => format!("`{}` {}", wrong.file, wrong.reason),
    });
    each.collect::<Vec<_>>().join("; ")
}

impl Hooks {
    /// Reads the folder; without one there are no hooks.
    ///
    /// # Errors
    /// [`HooksError`]: a file that fits no event is not passed over, for whoever put it there means it to be asked.
    pub fn read(settings: &HookSettings) -> Result<Self, HooksError> {
        let bounds = Bounds { path: settings.path.clone(), time: settings.time };
        let mut hooks = Self {
            environment: settings.environment.clone(),
            sectors: settings.sectors.clone(),
            on_empty: settings.on_empty,
            programs: Some((Arc::clone(&settings.programs), bounds)),
            ..Self::default()
        };
        let failed = |source| HooksError::Folder { folder: settings.folder.clone(), source };
        hooks.folder = match settings.folder.canonicalize() {
            Err(error) if error.kind() == io::ErrorKind::NotFound && !settings.is_named => return Ok(hooks),
            folder => folder.map_err(failed)?,
        };
        let mut wrong = Vec::new();
        for entry in fs::read_dir(&hooks.folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name();
            let file = name.to_string_lossy().into_owned();
            match HookName::parse(&file) {
                // It could not be started by the name that it would be archived with.
                Ok(Some(_)) if name.to_str().is_none() => {
                    wrong.push(WrongHook { file, reason: "has a name that is not UTF-8".to_owned() });
                }
                Ok(None) => hooks.set_aside.push(file),
                Ok(Some(name)) => match read_one(name, &entry.path()) {
                    Ok(hook) => hooks.hooks.push(hook),
                    Err(reason) => wrong.push(WrongHook { file, reason }),
                },
                Err(error) => wrong.push(WrongHook { file, reason: error.to_string() }),
            }
        }
        hooks.hooks.sort_by(|a, b| a.name.cmp(&b.name));
        hooks.set_aside.sort();
        wrong.sort_by(|a, b| a.file.cmp(&b.file));
        match wrong.is_empty() {
            true => Ok(hooks),
            false => Err(HooksError::Wrong { folder: settings.folder.clone(), wrong }),
        }
    }

    /// Leaves those that are asked in a run with these sectors and this target.
    #[must_use]
    pub fn for_run(mut self, sectors: &[String], target: Option<&str>) -> Self {
        let environment = self.environment.clone();
        self.hooks.retain(|hook| hook.filter.lets(sectors, target, environment.as_deref()));
        self
    }

    /// Those that are for an environment while the settings name none: they are never asked.
    pub fn without_environment(&self) -> impl Iterator<Item = &Hook> {
        let is_named = self.environment.is_some();
        self.hooks.iter().filter(move |hook| !is_named && !hook.filter.environments.is_empty())
    }

    /// Those of an event, in their order.
    pub fn of(&self, event: HookEvent) -> impl Iterator<Item = &Hook> {
        self.hooks.iter().filter(move |hook| hook.name.event == event)
    }
}

fn read_one(name: HookName, path: &std::path::Path) -> Result<Hook, String> {
    let failed = |error: io::Error| format!("cannot be read: {error}");
    let metadata = fs::metadata(path).map_err(failed)?;
    if !metadata.is_file() {
        return Err("is no file; what is no hook gets a name that begins with `_`".to_owned());
    }
    if name.kind == Kind::Policy && metadata.len() > LONGEST_SOURCE as u64 || metadata.len() > LARGEST {
        return Err(format!("has {} bytes, which is too large", metadata.len()));
    }
    if name.kind == Kind::Program && metadata.permissions().mode() & 0o111 == 0 {
        return Err(format!("is a program that nobody may run: `chmod +x {}`", path.display()));
    }
    let bytes = fs::read(path).map_err(failed)?;
    let filter = Filter::parse(&bytes).map_err(|error| error.to_string())?;
    let sha256 = Digest::of(&bytes);
    let source = if name.kind == Kind::Policy { bytes } else { Vec::new() };
    Ok(Hook { name, source, sha256, filter })
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;

    use super::super::program::Ended;
    use super::*;

    /// Nobody who could run one.
    #[derive(Debug)]
    struct NoPrograms;

    impl Programs for NoPrograms {
        fn run(&self, _: &std::path::Path, _: &Digest, _: HookEvent, _: &[u8], _: &Bounds) -> Ended {
            Ended { verdicts: Vec::new(), output: Vec::new(), duration: Duration::ZERO }
        }
    }

    fn settings(folder: &std::path::Path) -> HookSettings {
        HookSettings {
            folder: folder.to_owned(),
            is_named: false,
            on_empty: false,
            environment: Some("Production".to_owned()),
            sectors: Vec::new(),
            time: Duration::from_secs(30),
            path: "/bin".into(),
            programs: Arc::new(NoPrograms),
        }
    }

    #[test]
    fn without_a_folder_there_are_no_hooks_unless_it_was_named() {
        let folder = tempfile::tempdir().unwrap();
        let mut settings = settings(&folder.path().join("hooks"));
        assert!(Hooks::read(&settings).unwrap().hooks.is_empty());
        settings.is_named = true;
        assert!(matches!(Hooks::read(&settings), Err(HooksError::Folder { .. })));
    }

    #[test]
    fn hooks_are_in_order_and_filtered() {
        let folder = tempfile::tempdir().unwrap();
        let write = |file: &str, text: &str, mode: u32| {
            fs::write(folder.path().join(file), text).unwrap();
            fs::set_permissions(folder.path().join(file), fs::Permissions::from_mode(mode)).unwrap();
        };
        write("finally.sh", "#!/bin/sh\n", 0o755);
        write("beforeMigrate__b.rhai", "// sector: santé\nallow()", 0o644);
        write("beforeMigrate__a.rhai", "// environment: staging\nallow()", 0o644);
        write("README.md", "", 0o644);
        let hooks = Hooks::read(&settings(folder.path())).unwrap();
        let files = |hooks: &Hooks| hooks.hooks.iter().map(|hook| hook.name.file.clone()).collect::<Vec<_>>();
        assert_eq!(files(&hooks), ["beforeMigrate__a.rhai", "beforeMigrate__b.rhai", "finally.sh"]);
        assert_eq!(hooks.set_aside, ["README.md"]);
        assert_eq!(
            files(&hooks.clone().for_run(&["SANTE".to_owned()], None)),
            ["beforeMigrate__b.rhai", "finally.sh"]
        );
        assert_eq!(files(&hooks.for_run(&[], None)), ["finally.sh"]);
    }

    #[test]
    fn all_that_is_wrong_is_told_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = |file: &str| folder.path().join(file);
        fs::write(path("beforMigrate.rhai"), "allow()").unwrap();
        fs::write(path("afterMigrate.sh"), "#!/bin/sh\n").unwrap();
        fs::create_dir(path("finally")).unwrap();
        fs::write(path("beforePlan.rhai"), vec![b' '; LONGEST_SOURCE + 1]).unwrap();
        fs::write(path("afterPlan.rhai"), "// sectro: sante\nallow()").unwrap();
        let odd = OsStr::from_bytes(b"finally__\xff.sh");
        fs::write(folder.path().join(odd), "#!/bin/sh\n").unwrap();
        let error = Hooks::read(&settings(folder.path())).unwrap_err().to_string();
        for said in [
            "6 files",
            "not UTF-8",
            "the nearest one is `beforeMigrate`",
            "chmod +x",
            "is no file",
            "too large",
            "sector",
        ] {
            assert!(error.contains(said), "{said}: {error}");
        }
    }
}
