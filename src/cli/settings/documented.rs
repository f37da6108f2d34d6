//! Tests that hold together the key table, the rendered file, the documentation and the defaults in code.

use std::{path::Path, time::Duration};

use super::{
    Anchor, DatabaseSource, DefaultValue, KEYS, Key, KeySource, NewSettings, OTHER_VARIABLES, Retention,
    SecretSource,
    authorities::AUTHORITY_FIELDS,
    parse_retention, render_new,
    replicas::{self, Field},
    tests::{Case, block},
    witnesses,
};
use crate::privacy::Publish;

fn full() -> NewSettings {
    NewSettings {
        name: "demo".parse().unwrap(),
        chain: Some(block(b"genesis")),
        migrations: Some("db\\\"new\" 日本".into()),
        database_url: DatabaseSource::parse("sqlite:app \\\"é\".db?mode=rwc", Path::new("")),
        database_name: Some("app \"one\" \\ 🦀".into()),
        foreign_keys: Some(false),
        lock_timeout: Some(Duration::ZERO),
        statement_timeout: Some(Duration::from_secs(600)),
        archive_directory: Some("C:\\archive\\new".into()),
        key_source: KeySource::parse("file:keys\\greffe.key.pem", Path::new("")),
        key_also: Some(vec![
            KeySource::parse("file:second.pem", Path::new("")).unwrap(),
            KeySource::parse("env:THIRD", Path::new("")).unwrap(),
        ]),
        key_passphrase: SecretSource::parse("env:OURS", Path::new("")),
        actor_pseudonym: Some("00112233445566778899aabbccddeeff".parse().unwrap()),
        actor_role: Some("déployeur".into()),
        allow_out_of_order: Some(true),
        lock_wait: Some(Duration::from_millis(1_500)),
        fingerprint: Some(false),
        trust: Some(vec![Anchor::Block(block(b"other")), "ab".repeat(32).parse().unwrap()]),
        time_tolerance: Some(Duration::from_secs(120)),
        replication_required: Some(2),
        replication_deadline: Some(Duration::from_secs(5)),
        approval_required: Some(3),
        approval_four_eyes: Some(false),
        approval_replicated: Some(true),
        approval_valid_for: Some(Duration::from_secs(3600)),
        publish_key: SecretSource::parse("env:NAMED", Path::new("")),
        node_key: SecretSource::parse("env:KNOWN", Path::new("")),
        swarm_key: SecretSource::parse("env:SWARM", Path::new("")),
        publish: Some(Publish::Schema),
        vault_url: DatabaseSource::parse("postgres://dpo@host/vault", Path::new("")),
        vault_key: SecretSource::parse("env:OWNER", Path::new("")),
        vault_passphrase: SecretSource::parse("file:phrase", Path::new("")),
        vault_retention: parse_retention("10y"),
        vault_backup_retention: Some(Retention::days(7)),
        tool: Some("alembic".into()),
        tool_table: Some("app.alembic_version".into()),
    }
}

#[test]
fn a_rendered_file_loads_back_to_the_same_values() {
    let new = full();
    let case = Case::of(render_new(&new));
    let settings = case.load().unwrap();
    assert_eq!(settings.file, Some(case.path("greffe.toml")));
    assert_eq!(*settings.name().unwrap(), new.name);
    assert_eq!(settings.chain, new.chain);
    assert_eq!(settings.migrations, case.path("db\\\"new\" 日本"));
    let url = format!("sqlite:{}app \\\"é\".db?mode=rwc", case.path("").display());
    assert_eq!(settings.database_url().unwrap().expose(), url);
    assert_eq!(settings.database_name().unwrap(), "app \"one\" \\ 🦀");
    assert_eq!(settings.archive_directory, case.path("C:\\archive\\new"));
    assert_eq!(settings.key_source, KeySource::parse("file:keys\\greffe.key.pem", &case.path("")));
    let also = ["file:second.pem", "env:THIRD"].map(|text| KeySource::parse(text, &case.path("")).unwrap());
    assert_eq!(settings.key_also, also);
    assert_eq!(settings.key_passphrase, Some(SecretSource::Variable("OURS".into())));
    assert_eq!(settings.actor_pseudonym().unwrap(), new.actor_pseudonym.unwrap());
    assert_eq!(settings.actor_role, "déployeur");
    assert!(!settings.foreign_keys && settings.allow_out_of_order && !settings.fingerprint);
    assert_eq!(settings.lock_wait, Duration::from_millis(1_500));
    assert_eq!(
        (settings.lock_timeout, settings.statement_timeout),
        (new.lock_timeout, new.statement_timeout)
    );
    assert_eq!(settings.time_tolerance, Duration::from_secs(120));
    assert_eq!(settings.replication_required, 2);
    assert_eq!((settings.approval_required, settings.approval_four_eyes), (3, false));
    assert_eq!(
        (settings.approval_replicated, settings.approval_valid_for),
        (true, Duration::from_secs(3600))
    );
    assert_eq!(settings.publish_key, Some(SecretSource::Variable("NAMED".into())));
    assert_eq!(settings.node_key, Some(SecretSource::Variable("KNOWN".into())));
    assert_eq!(settings.swarm_key, Some(SecretSource::Variable("SWARM".into())));
    assert_eq!(settings.publish, Publish::Schema);
    assert_eq!(settings.vault_url().unwrap().expose(), "postgres://dpo@host/vault");
    assert_eq!(settings.vault_key, SecretSource::Variable("OWNER".into()));
    assert_eq!(settings.vault_passphrase, Some(SecretSource::File(case.path("phrase"))));
    assert_eq!(settings.vault_retention, new.vault_retention);
    assert_eq!(Some(settings.vault_backup_retention), new.vault_backup_retention);
    assert_eq!((settings.tool, settings.tool_table), (new.tool, new.tool_table));
    assert_eq!(settings.replication_deadline, Duration::from_secs(5));
    assert_eq!(Some(settings.trust), new.trust);
}

#[test]
fn a_rendered_file_shows_every_key_and_a_password_in_none() {
    let bare = render_new(&NewSettings::named("demo".parse().unwrap()));
    // With its remarks taken as settings, but for the example that is no whole CID.
    let uncommented: String = bare
        .lines()
        .map(|line| line.strip_prefix("# ").filter(|line| line.contains(" = ")).unwrap_or(line))
        .map(|line| line.replace("bafyrei…", &block(b"x").to_string()) + "\n")
        .collect();
    let document: toml::Table = toml::from_str(&uncommented).unwrap();
    let mut shown = Vec::new();
    for (name, value) in &document {
        match value.as_table() {
            Some(table) => shown.extend(table.keys().map(|key| format!("{name}.{key}"))),
            None => shown.push(name.clone()),
        }
    }
    let mut known: Vec<_> = KEYS.iter().map(Key::path).collect();
    known.sort_unstable();
    shown.sort_unstable();
    assert_eq!(shown, known);
    let all = Case::of(&uncommented).load().unwrap();
    let none = Case::of(&bare).load().unwrap();
    // Defaults in the table are those in the code.
    assert_eq!((all.foreign_keys, all.allow_out_of_order), (none.foreign_keys, none.allow_out_of_order));
    assert_eq!((all.fingerprint, all.lock_wait), (none.fingerprint, none.lock_wait));
    assert_eq!((all.time_tolerance, all.actor_role), (none.time_tolerance, none.actor_role));
    assert_eq!((all.trust, all.key_also), (none.trust, none.key_also));
    assert_eq!(all.replication_required, none.replication_required);
    assert_eq!(all.replication_deadline, none.replication_deadline);
    assert_eq!(
        (all.approval_required, all.approval_four_eyes),
        (none.approval_required, none.approval_four_eyes)
    );
    assert_eq!(
        (all.approval_replicated, all.approval_valid_for),
        (none.approval_replicated, none.approval_valid_for)
    );
    assert_eq!(all.promotion_rolled_back, none.promotion_rolled_back);
    assert_eq!(all.promotion_replayed, none.promotion_replayed);
    assert_eq!(all.publish, none.publish);
    let file_of = |source: &DatabaseSource| source.to_string().rsplit('/').next().map(str::to_owned);
    assert_eq!(file_of(&all.vault_url), file_of(&none.vault_url));
    assert_eq!(all.vault_backup_retention, none.vault_backup_retention);
    assert_eq!(all.migrations.file_name(), none.migrations.file_name());
    assert_eq!(all.archive_directory.file_name(), none.archive_directory.file_name());
    assert_eq!(all.hooks_folder.file_name(), none.hooks_folder.file_name());
    assert_eq!((all.hooks_on_empty, all.hooks_time_limit), (none.hooks_on_empty, none.hooks_time_limit));

    let database_url = DatabaseSource::parse("postgres://ann:hunter2@host/db", Path::new(""));
    let text = render_new(&NewSettings { database_url, ..full() });
    assert!(!text.contains("hunter2") && text.contains("\nurl = \"env:DATABASE_URL\"\n"));
}

#[test]
fn the_documentation_describes_exactly_the_keys_of_the_table() {
    let page = include_str!("../../../docs/settings.md");
    let rows_of = |heading: &str| {
        let table = page.split(heading).nth(1).unwrap().trim_start().lines();
        table.take_while(|line| line.starts_with('|')).skip(2).collect::<Vec<_>>()
    };
    let rows = rows_of("## Keys\n");
    let expected: Vec<String> = KEYS
        .iter()
        .map(|key| {
            let default = match key.default {
                DefaultValue::Value(value) => format!("`{value}`"),
                DefaultValue::Words { words, .. } => words.to_owned(),
            };
            let (path, kind) = (key.path(), key.kind.as_str());
            format!(
                "| `{path}` | {kind} | {default} | `{}` | `{}` | {} |",
                key.variable, key.flag, key.meaning
            )
        })
        .collect();
    assert_eq!(rows, expected, "the table should be\n{}\n", expected.join("\n"));
    let row = |field: &Field| {
        let (name, kind, default) = (field.name, field.kind.as_str(), field.default);
        format!("| `{name}` | {kind} | {default} | {} |", field.meaning)
    };
    for (heading, fields) in [
        ("The keys of a replica:\n", replicas::FIELDS.as_slice()),
        ("The keys of a witness:\n", &witnesses::FIELDS),
        ("The keys of an authority:\n", &AUTHORITY_FIELDS),
    ] {
        let expected: Vec<String> = fields.iter().map(row).collect();
        assert_eq!(rows_of(heading), expected, "the table should be\n{}\n", expected.join("\n"));
    }
    let others = rows_of("Variables that belong to no single key:\n");
    let others: Vec<&str> = others.iter().filter_map(|row| row.split('`').nth(1)).collect();
    assert_eq!(others, OTHER_VARIABLES);
    let example = page.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let settings = Case::of(example).load().unwrap();
    assert_eq!(settings.lock_wait, Duration::from_secs(120));
}
