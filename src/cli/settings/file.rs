//! Reads `greffe.toml`: which key stands on which line with what value. What values mean is not known here.

use std::{collections::BTreeSet, ops::Range, path::Path};

use toml::{
    Spanned,
    de::{DeArray, DeTable, DeValue},
};

use super::{
    authorities::{self, AUTHORITY_FIELDS},
    error::{Place, Problem, Reason, printable},
    keys::{Key, Kind, TABLES},
    lint::{self, LintSettings},
    nearest::{nearest_field, nearest_key},
    policy::{self, PolicySettings},
    replicas::{self, Field, Written},
    value::Given,
    watch::{self, WatchRead},
    witnesses,
};

/// A key of the file that is known, with a value of its type.
pub(super) struct Entry {
    pub(super) key: &'static Key,
    pub(super) given: Given,
    pub(super) place: Place,
}

/// What a file says, and all that is not allowed in it.
pub(super) struct Read {
    pub(super) entries: Vec<Entry>,
    pub(super) lists: Vec<Written>,
    pub(super) problems: Vec<Problem>,
    pub(super) lint: LintSettings,
    pub(super) policy: PolicySettings,
    pub(super) watch: Option<WatchRead>,
}

/// Reads the text of the file at `path`.
pub(super) fn read(path: &Path, text: &str) -> Read {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = Reader {
        path,
        text,
        lines: Lines::of(text),
        entries: Vec::new(),
        lists: Vec::new(),
        lint: LintSettings::default(),
        policy: PolicySettings::default(),
        watch: None,
        problems: Vec::new(),
    };
    let (document, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        reader.refuse_syntax(error);
    }
    let broken: BTreeSet<usize> = reader.problems.iter().map(|problem| line_of(&problem.place)).collect();
    reader.read_table("", document.get_ref());
    // What the parser made of a broken line is its guess; only the break itself is reported.
    let is_broken = |place: &Place| broken.contains(&line_of(place));
    reader.entries.retain(|entry| !is_broken(&entry.place));
    reader.problems.retain(|problem| {
        matches!(problem.reason, Reason::Syntax(_) | Reason::Duplicate) || !is_broken(&problem.place)
    });
    reader.problems.sort_by_key(|problem| line_of(&problem.place));
    let Reader { entries, lists, problems, lint, policy, watch, .. } = reader;
    Read { entries, lists, problems, lint, policy, watch }
}

fn line_of(place: &Place) -> usize {
    if let Place::File { line, .. } = place { *line } else { 0 }
}

struct Reader<'a> {
    path: &'a Path,
    text: &'a str,
    lines: Lines,
    entries: Vec<Entry>,
    lists: Vec<Written>,
    lint: LintSettings,
    policy: PolicySettings,
    watch: Option<WatchRead>,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    /// The parser's own display would repeat the line, which may hold a secret; its message does not.
    fn refuse_syntax(&mut self, error: &toml::de::Error) {
        let span = error.span().unwrap_or_default();
        let duplicate = error.message().starts_with("duplicate key");
        let key = self.text.get(span.clone()).filter(|_| duplicate).map(printable);
        let reason = if key.is_some() { Reason::Duplicate } else { Reason::Syntax(error.message().into()) };
        self.refuse(&span, key, reason);
    }

    fn read_table(&mut self, table: &str, values: &DeTable<'_>) {
        for (name, value) in values {
            let (span, name) = (name.span(), name.get_ref().as_ref());
            let inner = value.get_ref();
            match (Key::find(table, name), inner) {
                (Some(key), value) => self.read_value(key, &span, value),
                (None, value) if table.is_empty() && name == replicas::TABLE => {
                    self.read_list(replicas::TABLE, &replicas::FIELDS, &span, value)
                }
                (None, value) if table.is_empty() && name == witnesses::TABLE => {
                    self.read_list(witnesses::TABLE, &witnesses::FIELDS, &span, value)
                }
                (None, value) if table.is_empty() && name == authorities::TABLE => {
                    self.read_list(authorities::TABLE, &AUTHORITY_FIELDS, &span, value)
                }
                (None, DeValue::Table(inner)) if table.is_empty() && name == lint::TABLE => {
                    for (span, key, reason) in self.lint.read(inner) {
                        self.refuse(&span, Some(key), reason);
                    }
                }
                (None, DeValue::Table(inner)) if table.is_empty() && name == policy::TABLE => {
                    let folder = self.path.parent().unwrap_or(Path::new(""));
                    let (settings, refused) = PolicySettings::read(inner, span, folder);
                    self.policy = settings;
                    for (span, key, reason) in refused {
                        self.refuse(&span, Some(key), reason);
                    }
                }
                (None, DeValue::Table(inner)) if table.is_empty() && name == watch::TABLE => {
                    let folder = self.path.parent().unwrap_or(Path::new(""));
                    let (read, refused) = WatchRead::read(inner, span, folder);
                    self.watch = Some(read);
                    for (span, key, reason) in refused {
                        self.refuse(&span, Some(key), reason);
                    }
                }
                (None, DeValue::Table(inner)) if is_table(table, name) => self.read_table(name, inner),
                (None, _) if is_table(table, name) || table.is_empty() && OWN_TABLES.contains(&name) => {
                    self.refuse(&span, Some(name.to_owned()), Reason::NotTable(name.to_owned()));
                }
                (None, value) => {
                    let nearest = nearest_key(table, name, value.is_table());
                    let reason = Reason::UnknownKey { table: table.to_owned(), nearest };
                    self.refuse(&span, Some(printable(name)), reason);
                }
            }
        }
    }

    fn read_list(
        &mut self,
        table: &'static str,
        fields: &'static [Field],
        span: &Range<usize>,
        value: &DeValue<'_>,
    ) {
        let tables = value.as_array().into_iter().flatten();
        let tables: Option<Vec<_>> =
            tables.map(|item| Some((item.span(), item.get_ref().as_table()?))).collect();
        let (Some(tables), true) = (tables, value.is_array()) else {
            return self.refuse(span, Some(table.to_owned()), Reason::NotList(table));
        };
        for (span, values) in tables {
            let place = self.place(&span, Some(table.to_owned()));
            let mut written = Written { table, place, values: Vec::new() };
            for (name, value) in values {
                let (span, name) = (name.span(), name.get_ref().as_ref());
                let Some(field) = fields.iter().find(|field| field.name == name) else {
                    let nearest = nearest_field(table, fields, name);
                    let reason = Reason::UnknownKey { table: table.to_owned(), nearest };
                    self.refuse(&span, Some(printable(name)), reason);
                    continue;
                };
                let key = Some(format!("{table}.{name}"));
                match given(field.kind, value.get_ref()) {
                    Ok(given) => written.values.push((field.id, given, self.place(&span, key))),
                    Err(found) => self.refuse(&span, key, Reason::WrongType { kind: field.kind, found }),
                }
            }
            self.lists.push(written);
        }
    }

    fn read_value(&mut self, key: &'static Key, span: &Range<usize>, value: &DeValue<'_>) {
        match given(key.kind, value) {
            Ok(given) => {
                let place = self.place(span, Some(key.path()));
                self.entries.push(Entry { key, given, place });
            }
            Err(found) => {
                self.refuse(span, Some(key.path()), Reason::WrongType { kind: key.kind, found });
            }
        }
    }

    fn refuse(&mut self, span: &Range<usize>, key: Option<String>, reason: Reason) {
        let place = self.place(span, key);
        self.problems.push(Problem { place, reason });
    }

    fn place(&self, span: &Range<usize>, key: Option<String>) -> Place {
        Place::File { path: self.path.to_owned(), line: self.lines.line_at(span.start), key }
    }
}

/// Tables whose keys are not those of the list of all keys.
pub(super) const OWN_TABLES: [&str; 3] = [lint::TABLE, policy::TABLE, watch::TABLE];

fn is_table(table: &str, name: &str) -> bool {
    table.is_empty() && TABLES.contains(&name)
}

/// The value in the shape of its kind, or the name of the type it has instead.
fn given(kind: Kind, value: &DeValue<'_>) -> Result<Given, &'static str> {
    match (kind, value) {
        (Kind::Boolean, DeValue::Boolean(value)) => Ok(Given::Boolean(*value)),
        (Kind::Anchors | Kind::Origins | Kind::KeySources, DeValue::Array(values)) => given_list(values),
        (Kind::Count, DeValue::Integer(value)) => Ok(Given::Text(value.as_str().into())),
        (Kind::Boolean | Kind::Anchors | Kind::Origins | Kind::KeySources | Kind::Count, other) => {
            Err(other.type_str())
        }
        (_, DeValue::String(text)) => Ok(Given::Text(text.as_ref().into())),
        (_, other) => Err(other.type_str()),
    }
}

fn given_list(values: &DeArray<'_>) -> Result<Given, &'static str> {
    let text = |value: &Spanned<DeValue<'_>>| value.get_ref().as_str().map(Into::into);
    let texts: Option<Vec<_>> = values.iter().map(text).collect();
    texts.map(Given::List).ok_or("list of other things than strings")
}

/// Where the lines of a text begin.
struct Lines(Vec<usize>);

impl Lines {
    fn of(text: &str) -> Self {
        Self(std::iter::once(0).chain(text.match_indices('\n').map(|(end, _)| end + 1)).collect())
    }

    /// The line of a byte, counted from 1.
    fn line_at(&self, offset: usize) -> usize {
        self.0.partition_point(|start| *start <= offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str) -> Vec<String> {
        read(Path::new("greffe.toml"), text).problems.iter().map(ToString::to_string).collect()
    }

    fn keys(text: &str) -> Vec<String> {
        let Read { entries, problems, .. } = read(Path::new("greffe.toml"), text);
        assert_eq!(problems, []);
        entries.iter().map(|entry| format!("{}:{}", entry.key.path(), line_of(&entry.place))).collect()
    }

    #[test]
    fn all_ways_to_write_a_table_are_read() {
        assert_eq!(keys("[database]\nurl = 'x:y'"), ["database.url:2"]);
        assert_eq!(keys("database.url = 'x:y'"), ["database.url:1"]);
        assert_eq!(keys("\ndatabase = { url = 'x:y' }"), ["database.url:2"]);
        assert_eq!(
            keys("\u{feff}name = 'a'\r\n\r\n[verify]\r\ntrust = [\r\n]\r\n"),
            ["name:1", "verify.trust:4"]
        );
        assert_eq!(keys(""), [""; 0]);
        assert_eq!(keys("\u{feff}"), [""; 0]);
        assert_eq!(keys("# only a remark"), [""; 0]);
    }

    #[test]
    fn unknown_keys_are_named_with_table_line_and_the_nearest_valid_one() {
        let text = "nmae = 'a'\n[database]\nurl = 'x:y'\nforeign_keys = true\n[databse]\n[apply]\nxyzzy = 1\n\
                    lock-wait.x = 1\n";
        assert_eq!(
            problems(text),
            [
                "greffe.toml:1: `nmae` is not a key of greffe.toml; the nearest valid one is `name`",
                "greffe.toml:4: `foreign_keys` is not a key of `[database]`; the nearest valid one is `database.foreign-keys`",
                "greffe.toml:5: `databse` is not a key of greffe.toml; the nearest valid one is `[database]`",
                "greffe.toml:7: `xyzzy` is not a key of `[apply]`",
                "greffe.toml:8: `apply.lock-wait` is of type table: write a string in quotes, a whole number followed by \
                 `ms`, `s`, `m` or `h`, at most `24h`, for instance `30s`",
            ]
        );
    }

    #[test]
    fn wrong_types_say_what_to_write() {
        assert_eq!(
            problems("name = 1\ndatabase = 'x'\n[apply]\nfingerprint = 'yes'\n[verify]\ntrust = [1]"),
            [
                "greffe.toml:1: `name` is of type integer: write a string in quotes, 1 to 64 of the characters a-z, 0-9, \
                 `-`, `_` and `.`, beginning with a letter or digit",
                "greffe.toml:2: `database` is a table: write its keys below `[database]`",
                "greffe.toml:4: `apply.fingerprint` is of type string: write `true` or `false`",
                "greffe.toml:6: `verify.trust` is of type list of other things than strings: write a list in brackets of \
                 strings that are key ids (64 lower-case hexadecimal digits) or CIDs of manifests or heads (`bafyrei…`)",
            ]
        );
        assert_eq!(
            problems("[[database]]\n"),
            ["greffe.toml:1: `database` is a table: write its keys below `[database]`"]
        );
    }

    #[test]
    fn broken_toml_is_reported_with_the_rest_and_without_the_text() {
        let text = "name = 'a'\nname = 'b'\nmigrations = hunter2\nurl = 'hunter2\nxyzzy = 1\n";
        let found = problems(text);
        assert!(found[0].starts_with("greffe.toml:2: `name` is given twice"), "{found:#?}");
        assert!(found[1].starts_with("greffe.toml:3: this is not TOML: "), "{found:#?}");
        assert!(found[2].starts_with("greffe.toml:4: this is not TOML: "), "{found:#?}");
        assert!(found[3].starts_with("greffe.toml:5: `xyzzy` is not a key"), "{found:#?}");
        assert!(!found.concat().contains("hunter2"), "{found:#?}");
    }

    #[test]
    fn a_key_pasted_into_the_file_is_not_repeated() {
        for text in [
            "source = \"-----BEGIN PRIVATE KEY-----\nhunter2AQ\nhunter2A=\nhunter2A==\nh/hunter2\n-----END\"\n",
            "hunter2AQ\nhunter2A=\nhunter2A==\n",
            "[key]\nsource = hunter2\npassphrase = hunter2 hunter2\npassphrase hunter2\n",
            "[key]\nsource = '''hunter2\nhunter2",
            "[key]\nsource = \"\\hunter2\"",
            "[hunter2\n",
        ] {
            let found = problems(text);
            assert!(!found.is_empty() && !found.concat().contains("hunter2"), "{found:#?}");
        }
        let Read { entries, .. } = read(Path::new("greffe.toml"), "[apply]\nlock-wait = 5s\n");
        assert_eq!(entries.len(), 0);
    }

    #[test]
    fn no_input_makes_it_panic() {
        for text in [
            "[".repeat(100_000),
            format!("a = {}", "[".repeat(100_000)),
            format!("a{} = 1", ".a".repeat(100_000)),
            format!("{} = 1", "a".repeat(100_000)),
            "name = \"\\u0000\"".to_owned(),
            "\0".to_owned(),
            (0..10_000).map(|number| format!("k{number:x}=1\n")).collect(),
            "x=\n".repeat(50_000),
            "= = =".to_owned(),
            "name".to_owned(),
            "name = '''".to_owned(),
        ] {
            let _ = problems(&text);
        }
    }
}
