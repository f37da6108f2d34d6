//! The list of all rules, and those of greffe's own. `docs/lint.md` has a heading for each; a test holds both together.

use std::sync::{Mutex, PoisonError};

use super::Level;
use super::squawk_rules::{DROPS, LOCKS, OTHERS};
use super::statement_rules::{MYSQL, SQLITE};

/// One rule.
#[derive(Debug, PartialEq, Eq)]
pub struct Rule {
    /// What settings, waivers and reports call it: a family, a slash, a name.
    pub id: &'static str,
    /// Its level unless settings say otherwise.
    pub level: Level,
    pub scope: Scope,
    /// What is wrong where it finds something, in one sentence.
    pub what: &'static str,
    /// What to do then.
    pub help: &'static str,
    /// Why it is a rule: a standard, or the document that says what happens.
    pub source: &'static str,
    /// Where its page is; empty: a heading of `docs/lint.md`.
    pub at: &'static str,
}

/// What a rule is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// One script: scripts that are older than the rules can be left out.
    Script,
    /// The folder: names and order. Whoever adds a script makes it true or false for all.
    Folder,
    /// One script, by a rule that no script waives.
    Binding,
    /// Waivers: none of these is waived itself.
    Waiver,
}

impl Rule {
    /// Where its page is: its own, or the heading of `docs/lint.md`, as code hosts turn it into an anchor.
    #[must_use]
    pub fn page(&self) -> String {
        if !self.at.is_empty() {
            return self.at.to_owned();
        }
        format!("docs/lint.md#{}", self.id.replace('/', ""))
    }
}

/// All rules, family by family.
pub fn rules() -> impl Iterator<Item = &'static Rule> {
    OWN.into_iter().chain(&MYSQL).chain(&SQLITE).chain(&LOCKS).chain(&DROPS).chain(&OTHERS)
}

/// The rule of this name.
#[must_use]
pub fn named(id: &str) -> Option<&'static Rule> {
    rules().find(|rule| rule.id == id)
}

/// A rule that a document of the project brings. It stays for as long as the program, each once: a project has few.
#[must_use]
pub fn brought(rule: Brought<'_>) -> &'static Rule {
    static KNOWN: Mutex<Vec<&'static Rule>> = Mutex::new(Vec::new());
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let Brought { id, level, scope, what, help, source, at } = rule;
    let same = |known: &&&'static Rule| {
        (known.id, known.level, known.scope, known.what) == (id, level, scope, what)
            && (known.help, known.source, known.at) == (help, source, at)
    };
    if let Some(rule) = known.iter().find(same) {
        return rule;
    }
    let keep = |text: &str| -> &'static str { Box::leak(text.to_owned().into_boxed_str()) };
    let rule = Rule {
        id: keep(id),
        level,
        scope,
        what: keep(what),
        help: keep(help),
        source: keep(source),
        at: keep(at),
    };
    let rule: &'static Rule = Box::leak(Box::new(rule));
    known.push(rule);
    rule
}

/// A rule as a document has it; its members are those of [`Rule`].
#[derive(Clone, Copy, Debug)]
pub struct Brought<'a> {
    pub id: &'a str,
    pub level: Level,
    pub scope: Scope,
    pub what: &'a str,
    pub help: &'a str,
    pub source: &'a str,
    pub at: &'a str,
}

const PCI: &str = "PCI DSS 4.0.1, 6.5.1: reason for, and description of, the change";
const PCI_IMPACT: &str = "PCI DSS 4.0.1, 6.5.1: documentation of security impact";
const PCI_BACK: &str = "PCI DSS 4.0.1, 6.5.1: procedures to address failures and return to a secure state";
const FOLDERS: &str =
    "docs/databases.md: the naming rules of sqlx 0.9, and those of the tool whose folder it is";
const ORDER: &str = "docs/FORMAT.md §3: `dependsOn` of an event";
const WAIVERS: &str = "docs/lint.md, waivers: a rule, the last day, a reason";
const RUNS: &str = "docs/databases.md: what greffe runs, and what it refuses";

const fn own(
    id: &'static str,
    level: Level,
    scope: Scope,
    source: &'static str,
    [what, help]: [&'static str; 2],
) -> Rule {
    Rule { id, level, scope, what, help, source, at: "" }
}

macro_rules! own {
    ($($name:ident = ($id:literal, $level:ident, $scope:ident, $source:expr, $what:literal, $help:literal);)*) => {
        $(pub static $name: Rule = own($id, Level::$level, Scope::$scope, $source, [$what, $help]);)*
        /// The rules of greffe's own.
        static OWN: [&Rule; [$($id),*].len()] = [$(&$name),*];
    };
}

own! {
    PURPOSE_MISSING = ("greffe/purpose-missing", Warning, Script, PCI,
        "The script does not say why it exists.",
        "Write `-- purpose: …` in the comment at its top; in a revision of Alembic, its first text.");
    IMPACT_MISSING = ("greffe/impact-missing", Note, Script, PCI_IMPACT,
        "The script does not say what it does to those who use the database.",
        "Write `-- impact: …` in the comment at its top: locks, rewritten tables, data that are lost.");
    ROLLBACK_MISSING = ("greffe/rollback-missing", Note, Script, PCI_BACK,
        "There is a way down, and the script does not say what is lost on it.",
        "Write `-- rollback: …` in the comment at its top.");
    DOWN_MISSING = ("greffe/down-missing", Error, Script, PCI_BACK,
        "There is no way down, and no reason for that.",
        "Write the way down as the tool wants it, or say why there is none: `-- rollback: none, because …`.");
    DOWN_EMPTY = ("greffe/down-empty", Error, Script, PCI_BACK,
        "The way down does nothing, and no reason is given for that.",
        "Write what takes the migration back, or `-- rollback: none, because …` and no way down.");
    UP_FAILS = ("greffe/up-fails", Error, Script, RUNS,
        "The way up fails on an empty database to which all scripts before it were applied.",
        "Run it on a database of your own and mend the statement that is named.");
    DOWN_FAILS = ("greffe/down-fails", Error, Script, PCI_BACK,
        "The way down fails right after the way up.",
        "Run both on a database of your own and mend the statement that is named.");
    DOWN_DIFFERS = ("greffe/down-differs", Error, Script, PCI_BACK,
        "The way down does not lead back to the schema that there was before the way up.",
        "Undo in the way down all that the way up does, in the reverse order.");
    UP_AGAIN_DIFFERS = ("greffe/up-again-differs", Error, Script, PCI_BACK,
        "After a way up and down, the way up fails or makes another schema than at first.",
        "Look for what the way down leaves behind that no schema shows, such as rows, and for `IF NOT EXISTS`.");
    NOT_TRIED = ("greffe/not-tried", Error, Script, RUNS,
        "The way down could not be tried.",
        "Mend what is named, or run `greffe lint` with a server that has it: `--on URL`.");
    REFUSED = ("greffe/refused", Error, Script, RUNS,
        "The script holds what greffe does not run.",
        "Change the statement as the finding says; `greffe apply` would refuse it as well.");
    REACHES_OUTSIDE = ("greffe/reaches-outside", Note, Script, RUNS,
        "A statement reaches beyond the database that the script runs in: files, accounts, settings of the server.",
        "Keep such statements out of migrations: no replay can run them, and no archive shows what they did.");
    NOT_JUDGED = ("greffe/not-judged", Warning, Script, "docs/lint.md, bounds",
        "A part of the script is too large, too deep or not understood, and the rules about statements were not asked.",
        "Split the script, or mend the statement that is named.");
    DEPENDENCY_MISSING = ("greffe/dependency-missing", Error, Folder, ORDER,
        "The script stands on one that is not in the folder.",
        "Name a version of the folder in `-- depends-on: …`, or add the script that is missing.");
    DEPENDENCY_LATER = ("greffe/dependency-later", Error, Folder, ORDER,
        "The script stands on one that is applied after it.",
        "Give it a version behind that of the script that it stands on.");
    DEPENDENCY_CYCLE = ("greffe/dependency-cycle", Error, Folder, ORDER,
        "Scripts stand on one another in a circle, so that none of them can be the first.",
        "Take one of the dependencies away.");
    SEVERAL_HEADS = ("greffe/several-heads", Error, Folder, "Alembic, Working with Branches: `upgrade head` wants one head",
        "Several revisions are the last one.",
        "Run `alembic merge heads`, or `flask db merge heads`.");
    IGNORED_FILE = ("greffe/ignored-file", Error, Folder, FOLDERS,
        "The file looks like a script, and its name is none that is run.",
        "Name it as the others are, or move it out of the folder.");
    FILE_NAME = ("greffe/file-name", Error, Folder, FOLDERS,
        "The name of the script cannot be used.",
        "Name it `<VERSION>_<name>.sql`, with a number as the version, in plain characters.");
    VERSION_TWICE = ("greffe/version-twice", Error, Folder, FOLDERS,
        "Two scripts have one version.",
        "Give one of them another version.");
    DOWN_ALONE = ("greffe/down-alone", Error, Folder, FOLDERS,
        "There is a way down without its way up.",
        "Add the way up, or remove the file.");
    IDENTIFIER_LENGTH = ("greffe/identifier-length", Error, Folder, "Alembic: `version_num` is a VARCHAR(32)",
        "The identifier is longer than the tool's table takes.",
        "Give it a shorter one.");
    LINK = ("greffe/link", Error, Folder, FOLDERS,
        "The script is a link that is not followed.",
        "Put the file itself into the folder: what it leads to may change without the folder being looked at.");
    UNREADABLE = ("greffe/unreadable", Error, Folder, FOLDERS,
        "The file cannot be read, or is larger than a script may be.",
        "Give the right to read it, or split it; rows belong in a file that no migration is.");
    NOT_TEXT = ("greffe/not-text", Error, Script, FOLDERS,
        "The script is not UTF-8, or has a NUL, where databases stop reading.",
        "Save it as UTF-8: `iconv -f LATIN1 -t UTF-8 FILE`.");
    NOT_UNDERSTOOD = ("greffe/not-understood", Warning, Script, FOLDERS,
        "The file is not what its tool reads, or only running it would tell what it holds.",
        "Write it in the form that the finding names.");
    WAIVER_BROKEN = ("greffe/waiver-broken", Error, Waiver, WAIVERS,
        "A waiver lacks its rule, its day or its reason, or stands below the comment at the top, and waives nothing.",
        "Write `-- waiver: RULE YYYY-MM-DD REASON` there, such as `-- waiver: squawk/ban-drop-table 2027-06-30 never used`.");
    WAIVER_EXPIRED = ("greffe/waiver-expired", Warning, Waiver, WAIVERS,
        "The last day of a waiver has passed, and it waives nothing any more.",
        "Do what the rule asks for, remove the waiver, or give it another day and a reason for that.");
    WAIVER_UNKNOWN = ("greffe/waiver-unknown", Warning, Waiver, WAIVERS,
        "A waiver names a rule that there is not.",
        "Name a rule of `greffe lint --rules` or of `greffe scan`.");
    WAIVER_FOREIGN = ("greffe/waiver-foreign", Error, Waiver, WAIVERS,
        "A comment of another linter switches rules off without reason and day, and is not obeyed.",
        "Write a waiver in its place: `-- waiver: squawk/RULE YYYY-MM-DD REASON`.");
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The section of one rule, as the page has it.
    fn section(rule: &Rule) -> String {
        let source = match rule.source.split_once("https://") {
            Some((before, link)) => format!("{before}<https://{link}>"),
            None => rule.source.to_owned(),
        };
        format!(
            "### {}\n\n{} {}\n\nLevel: `{}`. Source: {source}.\n",
            rule.id, rule.what, rule.help, rule.level
        )
    }

    #[test]
    fn every_rule_has_its_section_on_the_page() {
        let page = include_str!("../../../docs/lint.md");
        let missing: Vec<String> = rules().map(section).filter(|section| !page.contains(section)).collect();
        assert!(missing.is_empty(), "docs/lint.md should have\n\n{}", missing.join("\n"));
        let headings: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("### ")).collect();
        let known: Vec<&str> = rules().map(|rule| rule.id).collect();
        assert_eq!(headings, known, "the headings of docs/lint.md, in their order");
    }

    #[test]
    fn rules_are_named_once_and_can_be_found() {
        let mut seen = BTreeSet::new();
        for rule in rules() {
            let (family, name) = rule.id.split_once('/').unwrap();
            assert!(["greffe", "mysql", "sqlite", "squawk"].contains(&family), "{}", rule.id);
            assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'), "{}", rule.id);
            // A waiver takes no longer one.
            assert!(rule.id.len() <= 64 && seen.insert(rule.page()), "{}", rule.id);
            assert_eq!(named(rule.id), Some(rule));
            for text in [rule.what, rule.help] {
                assert!(text.ends_with('.') && text.len() > 10, "{}: {text}", rule.id);
            }
        }
        assert_eq!(named("greffe/nothing"), None);
    }
}
