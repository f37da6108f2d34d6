//! What the name of a file in the folder of hooks says: `<event>[__<name>].<extension>`.

use super::HookEvent;

/// Files and folders that begin with one of these are no hooks: what hooks need beside themselves.
const SET_ASIDE: [char; 2] = ['.', '_'];
/// Pages for people.
const PAGES: [&str; 2] = ["md", "txt"];
/// What editors and people end the name of a copy with, which would be asked beside the hook that it is a copy of.
const COPIES: [&str; 8] = ["bak", "old", "orig", "rej", "save", "swp", "tmp", "dpkg-old"];
/// What stands between the event and a name of one's own.
const SEPARATOR: &str = "__";
/// The longest name of a file, in bytes: with folder, event and version it still fits in an archive.
const LONGEST: usize = 128;

/// How a hook is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A script in Rhai, judged by greffe itself.
    Policy,
    /// A program that is started.
    Program,
}

/// A file of the folder that is a hook. In the order in which hooks are asked: by event, then by name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HookName {
    pub event: HookEvent,
    /// What stands behind the event, for people and for the order.
    pub name: Option<String>,
    /// The whole name of the file.
    pub file: String,
    pub kind: Kind,
}

/// Why a file of the folder cannot be a hook.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misnamed {
    #[error("`{file}` is for no event: `{event}` is none{}", near(nearest.as_deref()))]
    UnknownEvent { file: String, event: String, nearest: Option<String> },
    #[error("`{file}` has no name behind `__`")]
    NoName { file: String },
    #[error("`{file}` is SQL, and hooks are scripts in Rhai or programs")]
    Sql { file: String },
    #[error(
        "`{file}` is a copy of a hook by its name, and would be asked, too: move it away, or let its name begin with `_`"
    )]
    Copy { file: String },
    #[error("`{file}` is a policy hook by its name, which ends with `.rhai` in small letters")]
    Case { file: String },
    #[error("a name has at most {LONGEST} bytes, none of them a control character or a backslash: `{file}`")]
    Characters { file: String },
}

fn near(nearest: Option<&str>) -> String {
    nearest.map(|nearest| format!("; the nearest one is `{nearest}`")).unwrap_or_default()
}

impl HookName {
    /// Reads the name of a file; `None` for what is set aside.
    ///
    /// # Errors
    /// [`Misnamed`]: whoever put a file there means it to be asked.
    pub fn parse(file: &str) -> Result<Option<Self>, Misnamed> {
        let named = || file.chars().take(60).filter(|c| !c.is_control()).collect::<String>();
        let (stem, extension) = match file.rsplit_once('.') {
            Some((stem, extension)) if !stem.is_empty() => (stem, Some(extension)),
            _ => (file, None),
        };
        if file.starts_with(SET_ASIDE) || extension.is_some_and(|extension| PAGES.contains(&extension)) {
            return Ok(None);
        }
        if file.len() > LONGEST || file.chars().any(|c| c.is_control() || c == '\\') {
            return Err(Misnamed::Characters { file: named() });
        }
        let (event, name) = match stem.split_once(SEPARATOR) {
            Some((event, name)) => (event, Some(name)),
            None => (stem, None),
        };
        let event: HookEvent = event.parse().map_err(|_| Misnamed::UnknownEvent {
            file: named(),
            event: event.to_owned(),
            nearest: HookEvent::nearest(event),
        })?;
        if name.is_some_and(str::is_empty) {
            return Err(Misnamed::NoName { file: named() });
        }
        let lower = extension.map(str::to_lowercase);
        if file.ends_with('~') || lower.as_deref().is_some_and(|extension| COPIES.contains(&extension)) {
            return Err(Misnamed::Copy { file: named() });
        }
        if extension != Some("rhai") && lower.as_deref() == Some("rhai") {
            return Err(Misnamed::Case { file: named() });
        }
        if lower.as_deref() == Some("sql") {
            return Err(Misnamed::Sql { file: named() });
        }
        let kind = match extension {
            Some("rhai") => Kind::Policy,
            _ => Kind::Program,
        };
        Ok(Some(Self { event, name: name.map(str::to_owned), file: file.to_owned(), kind }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(file: &str) -> Result<Option<(String, Option<String>, Kind)>, String> {
        HookName::parse(file)
            .map(|found| found.map(|hook| (hook.event.to_string(), hook.name, hook.kind)))
            .map_err(|error| error.to_string())
    }

    fn hook(
        event: &str,
        name: Option<&str>,
        kind: Kind,
    ) -> Result<Option<(String, Option<String>, Kind)>, String> {
        Ok(Some((event.to_owned(), name.map(str::to_owned), kind)))
    }

    #[test]
    fn names_say_event_name_and_kind() {
        assert_eq!(parse("beforeMigrate.rhai"), hook("beforeMigrate", None, Kind::Policy));
        assert_eq!(
            parse("beforeMigrate__no friday.rhai"),
            hook("beforeMigrate", Some("no friday"), Kind::Policy)
        );
        assert_eq!(parse("afterErrorMigrate__a.b.sh"), hook("afterErrorMigrate", Some("a.b"), Kind::Program));
        assert_eq!(parse("finally"), hook("finally", None, Kind::Program));
        assert_eq!(parse("finally__tell__all.py"), hook("finally", Some("tell__all"), Kind::Program));
    }

    #[test]
    fn what_stands_beside_hooks_is_set_aside() {
        for file in [".gitkeep", ".beforeMigrate.sh", "_shared.rhai", "_lib", "README.md", "notes.txt"] {
            assert_eq!(parse(file), Ok(None), "{file}");
        }
    }

    #[test]
    fn a_misnamed_file_is_an_error_with_the_nearest_valid_name() {
        for (file, said) in [
            ("beforeMigrat.rhai", "`beforeMigrat` is none; the nearest one is `beforeMigrate`"),
            ("beforemigrate.sh", "`beforemigrate` is none; the nearest one is `beforeMigrate`"),
            ("before_migrate__a.sh", "`before_migrate` is none; the nearest one is `beforeMigrate`"),
            ("migrate.sh", "`migrate` is none"),
            ("beforeMigrate__.sh", "has no name behind `__`"),
            ("beforeMigrate.sql", "is SQL"),
            ("beforeMigrate.SQL", "is SQL"),
            ("beforeMigrate.sh~", "is a copy"),
            ("beforeMigrate~", "`beforeMigrate~` is none"),
            ("beforeMigrate__a.sh.bak", "is a copy"),
            ("beforeMigrate__a.rhai.orig", "is a copy"),
            ("beforeMigrate.RHAI", "in small letters"),
            ("lib", "`lib` is none"),
            ("", "`` is none"),
            ("a\u{1b}[31m", "control character"),
        ] {
            let error = parse(file).unwrap_err();
            assert!(error.contains(said), "{file}: {error}");
            assert!(!error.contains('\u{1b}'));
        }
        assert!(parse(&format!("beforeMigrate__{}.sh", "x".repeat(LONGEST))).is_err());
    }

    #[test]
    fn hooks_of_an_event_are_asked_by_name() {
        let parse = |file: &&str| HookName::parse(file).unwrap().unwrap();
        let files = [
            "finally.sh",
            "beforeMigrate__10.rhai",
            "beforeMigrate__2.sh",
            "afterMigrate.sh",
            "beforeMigrate.sh",
            "beforeMigrate.rhai",
            "beforePlan__z.rhai",
        ];
        let mut hooks: Vec<HookName> = files.iter().map(parse).collect();
        hooks.sort();
        let files: Vec<&str> = hooks.iter().map(|hook| hook.file.as_str()).collect();
        assert_eq!(
            files,
            [
                "beforePlan__z.rhai",
                "beforeMigrate.rhai",
                "beforeMigrate.sh",
                "beforeMigrate__10.rhai",
                "beforeMigrate__2.sh",
                "afterMigrate.sh",
                "finally.sh"
            ]
        );
    }
}
