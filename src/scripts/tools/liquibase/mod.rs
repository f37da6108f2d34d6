//! Liquibase: changesets in changelogs that include one another, and a table with a row for each.
//!
//! A changeset is known by its changelog's path, its own name and its author, here in Liquibase's own notation:
//! `path::id::author`. Its script is its part of the file, so that what is added to the file later does not change it;
//! one that does nothing but run a file of SQL has that file.
//!
//! | file | what it is |
//! |---|---|
//! | `changelog` | what one changelog says, whatever it is written in |
//! | `formatted`, `marked_up`, `values` | changelogs in SQL; in XML; in YAML and JSON |
//! | `xml` | as much of XML as they are written in |
//! | `walk` | the changesets of a folder, in the order in which changelogs include one another |
//! | `rows` | the rows of the table, by the names that changesets have here |
//! | `checksum` | Liquibase's checksums |

mod changelog;
mod checksum;
mod formatted;
mod marked_up;
mod rows;
mod values;
mod walk;
mod xml;

use super::command::{Calls, Valued};
use super::{Catalog, Entry, Folder, HistoryTable, Row, Tool, ToolScript};
use crate::crypto::Digest;

static TABLE: HistoryTable = HistoryTable {
    name: "databasechangelog",
    columns: &["id", "author", "filename", "dateexecuted", "exectype", "md5sum"],
    only: false,
    order: &["orderexecuted", "dateexecuted"],
};

/// How it is called.
const CALLS: Calls = Calls {
    programs: &[("liquibase", &[])],
    runs: &[
        "update",
        "update-count",
        "updateCount",
        "update-to-tag",
        "updateToTag",
        "update-testing-rollback",
        "updateTestingRollback",
        "update-one-changeset",
        "rollback",
        "rollback-count",
        "rollbackCount",
        "rollback-to-date",
        "rollbackToDate",
        "rollback-one-changeset",
        "rollback-one-update",
        "drop-all",
        "dropAll",
    ],
    stamps: &[
        "changelog-sync",
        "changelog-sync-to-tag",
        "clear-checksums",
        "mark-next-changeset-ran",
        "changelogSync",
        "changelogSyncToTag",
        "clearCheckSums",
        "markNextChangesetRan",
    ],
    flags: &[],
    valued: Valued::All,
    several: false,
};

/// Liquibase.
pub struct Liquibase;

impl Tool for Liquibase {
    fn name(&self) -> &'static str {
        "liquibase"
    }

    fn table(&self) -> &'static HistoryTable {
        &TABLE
    }

    fn owns(&self, folder: &Folder) -> bool {
        folder.files().any(changelog::is_changelog)
    }

    fn catalog(&self, folder: &Folder) -> Catalog {
        walk::catalog(folder)
    }

    fn entries(&self, catalog: &Catalog, rows: &[Row]) -> Vec<Entry> {
        rows::entries(catalog, rows)
    }

    fn calls(&self) -> &Calls {
        &CALLS
    }

    fn stopped_at(&self, output: &str) -> Option<String> {
        let said =
            |mark: &str| output.lines().rev().find_map(|line| line.split_once(mark).map(|(_, id)| id.trim()));
        let failed = said("Migration failed for changeset ").map(|id| id.strip_suffix(':').unwrap_or(id));
        let (path, rest) = failed.or_else(|| said("Running Changeset: "))?.split_once("::")?;
        let (id, author) = rest.rsplit_once("::")?;
        Some(identifier(path, id, author))
    }

    fn printed_version<'a>(&self, output: &'a str) -> Option<&'a str> {
        let line = output.lines().find(|line| line.starts_with("Starting Liquibase at "))?;
        line.split_once("(version ")?.1.split([' ', ')']).next()
    }

    fn reckoned(&self, script: &ToolScript, remembered: &str) -> Option<String> {
        let newest = script.checksum.as_ref()?;
        if remembered.starts_with("9:") {
            return Some(newest.value.clone());
        }
        let sql = formatted::of_part(&script.up.bytes).unwrap_or_else(|| formatted::whole(&script.up.bytes));
        checksum::of(&sql, remembered)
    }
}

/// What a changeset is called.
fn identifier(path: &str, id: &str, author: &str) -> String {
    format!("{path}::{}", called(id, author))
}

/// What a changeset is called wherever its changelog lies. It is published, so a mail address in it gives way to
/// `withheld-` and four hexadecimal digits of the SHA-256 of both parts, as JSON has a list of them: these tell two
/// authors of one name apart, and are too few to tell who it is.
fn called(id: &str, author: &str) -> String {
    let both = serde_json::json!([id, author]).to_string();
    let published = |part: &str| match has_mail(part) {
        true => format!("withheld-{}", Digest::of(both.as_bytes()).to_string().get(..4).unwrap_or_default()),
        false => part.to_owned(),
    };
    format!("{}::{}", published(id), published(author))
}

/// Whether a word has `@` between others, and a point behind it.
fn has_mail(text: &str) -> bool {
    text.split(char::is_whitespace).any(|word| {
        word.rsplit_once('@').is_some_and(|(person, host)| !person.is_empty() && host.contains('.'))
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Fault, FolderFile, State};
    use super::*;

    fn folder(files: &[(&str, &str)]) -> Folder {
        let file = |(path, text): &(&str, &str)| FolderFile {
            path: (*path).to_owned(),
            bytes: text.as_bytes().to_vec(),
        };
        Folder::of(files.iter().map(file).collect())
    }

    fn ids(catalog: &Catalog) -> Vec<&str> {
        catalog.scripts.iter().map(|script| script.id.as_str()).collect()
    }

    const ROOT: &str = "<?xml version='1.0'?>\n<databaseChangeLog xmlns='http://www.liquibase.org/xml/ns/dbchangelog'>\n\
        <property name='x' value='y'/>\n<changeSet id='1' author='dora'><comment>first\nof x</comment><createTable tableName='x1'/></changeSet>\n\
        <include file='m.sql' relativeToChangelogFile='true'/><include file='l/y.yaml'/>\n\
        <includeAll path='more' relativeToChangelogFile='true'/>\n\
        <changeSet id=' 2 ' author='d&amp;d'><sql>SELECT 'a  b'</sql><rollback><sqlFile path='back.sql' relativeToChangelogFile='true'/></rollback></changeSet>\n\
        <changeSet id='3' author='e' logicalFilePath='/other.xml'><sqlFile path='l/plain.sql'/></changeSet>\n</databaseChangeLog>\n";
    const YAML: &str = "databaseChangeLog:\n- changeSet:\n    id: 1\n    author: eve\n    changes:\n    - createTable: {tableName: y1}\n\
        # about the next one\n- changeSet:\n    id: 001\n    author: eve2\n    changes: [{sql: \"select ' é'\"}]\n\
        - changeSet: {id: yes, author: eve3, comment: third}\n- changeSet: {id: 1_000, author: eve3}\n- changeSet: {id: 1.10, author: eve3}\n\
        - include: {file: j.json, relativeToChangelogFile: true}\n";
    const JSON: &str = "{\"databaseChangeLog\": [ {\"changeSet\": {\"id\": \"1\", \"author\": \"jay\"}},\n {\"changeSet\": {\"id\": 2, \"author\": \"jay\"}} ]}\n";
    const FORMATTED: &str = "--liquibase formatted sql\n--changeset alice:1\nSELECT 1;\n";

    fn sample() -> Vec<(&'static str, &'static str)> {
        vec![
            ("l/x.xml", ROOT),
            ("l/m.sql", FORMATTED),
            ("l/y.yaml", YAML),
            ("l/j.json", JSON),
            ("l/plain.sql", "SELECT 1"),
            ("l/back.sql", "SELECT 2"),
            ("l/more/9.sql", "SELECT 3"),
            ("l/more/10.sql", FORMATTED),
            (
                "l/more/sub/1.sql",
                "--liquibase formatted sql logicalFilePath:hello\n--changeset z:s\nSELECT 1;",
            ),
            ("l/more/read.json", "{}"),
            ("compose.yaml", "services: {}"),
        ]
    }

    /// As Liquibase 4.33.0 puts them into its table.
    const SAMPLE_IDS: [&str; 14] = [
        "l/x.xml::1::dora",
        "l/m.sql::1::alice",
        "l/y.yaml::1::eve",
        "l/y.yaml::1::eve2",
        "l/y.yaml::true::eve3",
        "l/y.yaml::1000::eve3",
        "l/y.yaml::1.1::eve3",
        "l/j.json::1::jay",
        "l/j.json::2::jay",
        "l/more/10.sql::1::alice",
        "l/more/9.sql::raw::includeAll",
        "hello::s::z",
        "l/x.xml:: 2 ::d&d",
        "other.xml::3::e",
    ];

    #[test]
    fn changelogs_of_every_format_include_one_another() {
        let folder = folder(&sample());
        assert!(Liquibase.owns(&folder));
        let catalog = Liquibase.catalog(&folder);
        assert_eq!(ids(&catalog), SAMPLE_IDS);
        assert_eq!(catalog.faults, []);
        let part = |id: &str| String::from_utf8(catalog.script(id).unwrap().up.bytes.clone()).unwrap();
        assert_eq!(
            part("l/y.yaml::1::eve"),
            "changeSet:\n    id: 1\n    author: eve\n    changes:\n    - createTable: {tableName: y1}"
        );
        assert_eq!(
            part("l/y.yaml::1::eve2"),
            "changeSet:\n    id: 001\n    author: eve2\n    changes: [{sql: \"select ' é'\"}]"
        );
        assert_eq!(part("l/y.yaml::1.1::eve3"), "changeSet: {id: 1.10, author: eve3}");
        assert_eq!(part("l/j.json::2::jay"), "{\"changeSet\": {\"id\": 2, \"author\": \"jay\"}}");
        assert!(part("l/x.xml::1::dora").starts_with("<changeSet id='1'"));
        assert_eq!(catalog.scripts[0].purpose.as_deref(), Some("first"));
        let (other, back) =
            (catalog.script("other.xml::3::e").unwrap(), catalog.script("l/x.xml:: 2 ::d&d").unwrap());
        assert_eq!(
            (other.up.path.as_str(), back.down.as_ref().unwrap().path.as_str()),
            ("l/plain.sql", "l/back.sql")
        );
    }

    #[test]
    fn paths_may_begin_above_the_folder_or_below_it() {
        let row = |id: &str, kind: &str| {
            let parts: Vec<&str> = id.split("::").collect();
            [parts[1], parts[2], parts[0], "2026-01-01", kind, "9:x"]
                .map(|text| Some(text.to_owned()))
                .to_vec()
        };
        let below: Vec<(&str, &str)> =
            sample().into_iter().filter_map(|(path, text)| Some((path.strip_prefix("l/")?, text))).collect();
        let deep: Vec<(String, &str)> =
            sample().into_iter().map(|(path, text)| (format!("src/main/{path}"), text)).collect();
        let deep: Vec<(&str, &str)> = deep.iter().map(|(path, text)| (path.as_str(), *text)).collect();
        for files in [sample(), below, deep] {
            let catalog = Liquibase.catalog(&folder(&files));
            assert_eq!(catalog.faults, []);
            let mut rows: Vec<Row> = SAMPLE_IDS.iter().map(|id| row(id, "EXECUTED")).collect();
            rows.push(row("l/gone.sql::1::alice", "MARK_RAN"));
            let entries = Liquibase.entries(&catalog, &rows);
            let found: Vec<&str> = entries.iter().map(|entry| entry.id.as_str()).collect();
            assert_eq!(found[..14], ids(&catalog));
            let place = catalog.scripts[1].id.replace("m.sql", "gone.sql");
            assert_eq!((found[14], entries[14].state), (place.as_str(), State::Marked));
        }
    }

    #[test]
    fn what_is_wrong_is_said_and_hides_nothing_else() {
        let catalog = Liquibase.catalog(&folder(&[
            ("a.xml", "<databaseChangeLog><include file='b.yaml'/><include file='../../etc/passwd' relativeToChangelogFile='true'/></databaseChangeLog>"),
            ("b.yaml", "databaseChangeLog: [{changeSet: {id: 1, author: x}}, {include: {file: a.xml}}]"),
            ("c.sql", "--liquibase formatted sql\n--changeset x:1\nSELECT 1\n--changeset x:1\nSELECT 2\n"),
            ("d.xml", "<!DOCTYPE x><databaseChangeLog/>"),
            ("e.xml", "<databaseChangeLog>"),
            ("f.yaml", "databaseChangeLog: [\n}"),
            ("g.json", "{\"databaseChangeLog\": \n}"),
            ("h.json", "{\"databaseChangeLog\": [{\"changeSet\": {\"id\": \"${x}\", \"author\": \"y\"}}, {\"includeAll\": {\"path\": \"x\", \"filter\": \"com.x\"}}]}"),
        ]));
        assert_eq!(ids(&catalog), ["c.sql::1::x", "b.yaml::1::x"]);
        let faults: Vec<&Fault> = catalog.faults.iter().collect();
        let is = |wanted: fn(&Fault) -> bool| faults.iter().filter(|fault| wanted(fault)).count();
        assert_eq!(is(|fault| matches!(fault, Fault::Syntax { .. })), 3, "{faults:?}");
        assert_eq!(is(|fault| matches!(fault, Fault::DocumentType { .. })), 1);
        assert_eq!(is(|fault| matches!(fault, Fault::Duplicate { .. })), 1);
        assert_eq!(is(|fault| matches!(fault, Fault::Unresolved { .. })), 2);
        assert_eq!(is(|fault| matches!(fault, Fault::MissingFile { .. })), 1);
        assert_eq!(is(|fault| matches!(fault, Fault::Cycle(paths) if paths.len() == 2)), 1);
    }

    #[test]
    fn no_mail_address_is_part_of_an_identifier() {
        let sql = "--liquibase formatted sql\n--changeset eve.hall@ville.fr:1\nSELECT 1;\n--changeset bob@ville.fr:1\nSELECT 2;\n";
        let catalog = Liquibase.catalog(&folder(&[("a.sql", sql)]));
        let [eve, bob] = ids(&catalog)[..] else { panic!("{catalog:?}") };
        assert_eq!(catalog.faults, []);
        assert!([eve, bob].iter().all(|id| id.starts_with("a.sql::1::withheld-") && id.len() == 23), "{eve}");
        assert_ne!(eve, bob);
        // Rows are known by it, wherever their paths begin, and so is what the tool prints.
        let row = |author: &str| {
            ["1", author, "db/a.sql", "2026-01-01", "EXECUTED", "9:x"]
                .map(|text| Some(text.to_owned()))
                .to_vec()
        };
        let entries = Liquibase.entries(&catalog, &[row("eve.hall@ville.fr"), row("bob@ville.fr")]);
        assert_eq!(entries.iter().map(|entry| entry.id.as_str()).collect::<Vec<_>>(), [eve, bob]);
        let printed = "Running Changeset: db/a.sql::1::bob@ville.fr\n";
        let stopped = Liquibase.stopped_at(printed).unwrap();
        assert_eq!(catalog.script_called(&stopped).unwrap().id, bob);
        assert_eq!(called("1", "ann@host"), "1::ann@host");
        assert!(!called("1", "Ann Hall <ann@ville.fr>").contains("ann@"));
    }

    #[test]
    fn settings_name_the_changelog_that_all_begins_with() {
        let files = [
            ("liquibase.properties", "url: jdbc:x\nchangelog-file=db/b.sql\n"),
            ("a.sql", FORMATTED),
            ("b.sql", FORMATTED),
        ];
        assert_eq!(ids(&Liquibase.catalog(&folder(&files))), ["b.sql::1::alice"]);
        assert_eq!(ids(&Liquibase.catalog(&folder(&files[1..]))), ["a.sql::1::alice", "b.sql::1::alice"]);
    }

    #[test]
    fn it_says_where_it_stopped() {
        let output = "Running Changeset: l/a.sql::1::a\nRunning Changeset: l/a.sql::2::a b\n\nUnexpected error running Liquibase: \
                      Migration failed for changeset l/a.sql::2::a b:\n     Reason: x\n";
        assert_eq!(Liquibase.stopped_at(output).as_deref(), Some("l/a.sql::2::a b"));
        assert_eq!(Liquibase.stopped_at("Running Changeset: x::1::y\n").as_deref(), Some("x::1::y"));
    }
}
