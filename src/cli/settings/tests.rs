//! Whole loads: a file, an environment and flags in, settings or problems out.

use std::{fs, path::PathBuf, time::Duration};

use super::*;
use crate::model::{Cid, Codec};

/// A folder with a `greffe.toml`, an environment and flags.
pub(super) struct Case {
    folder: tempfile::TempDir,
    variables: Vec<(&'static str, String)>,
    flags: Overrides,
}

impl Case {
    pub(super) fn of(toml: impl AsRef<[u8]>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("greffe.toml"), toml).unwrap();
        Self { folder, variables: Vec::new(), flags: Overrides::default() }
    }

    fn set(mut self, name: &'static str, value: &str) -> Self {
        self.variables.push((name, value.to_owned()));
        self
    }

    fn flags(mut self, flags: Overrides) -> Self {
        self.flags = flags;
        self
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn load(&self) -> Result<Settings, SettingsError> {
        let environment = self.variables.iter().cloned().collect();
        Settings::load(Some(self.path("greffe.toml")), &environment, self.flags.clone())
    }

    /// The problems, the folder's name left out.
    fn problems(&self) -> Vec<String> {
        let folder = format!("{}/", self.folder.path().display());
        match self.load().unwrap_err() {
            SettingsError::Invalid(problems) => {
                problems.iter().map(|problem| problem.to_string().replace(&folder, "")).collect()
            }
            other => panic!("{other}"),
        }
    }

    fn refused(&self) -> String {
        self.load().unwrap_err().to_string()
    }
}

pub(super) fn block(bytes: &[u8]) -> Cid {
    Cid::of(Codec::DagCbor, bytes)
}

#[test]
fn flags_go_before_the_environment_and_that_before_the_file() {
    let toml = "name = 'file'\nmigrations = 'm'\n[database]\nname = 'file'\n[actor]\nrole = 'file'\n\
                [verify]\ntrust = []\n[apply]\nlock-wait = '1s'\nfingerprint = false";
    let key = "ab".repeat(32);
    let case = Case::of(toml)
        .set("GREFFE_DATABASE_NAME", "variable")
        .set("GREFFE_ACTOR_ROLE", "variable")
        .set("GREFFE_MIGRATIONS", "elsewhere")
        .set("GREFFE_VERIFY_TRUST", &format!("{key}, {}", block(b"x")))
        .set("GREFFE_FINGERPRINT", "true")
        .set("GREFFE_LOCK_WAIT", "")
        .set("HOME", "whatever")
        .flags(Overrides { actor_role: Some("flag".into()), ..Overrides::default() });
    let settings = case.load().unwrap();
    assert_eq!(settings.name().unwrap().as_str(), "file");
    assert_eq!(settings.database_name().unwrap(), "variable");
    assert_eq!(settings.actor_role, "flag");
    assert_eq!(settings.migrations, PathBuf::from("elsewhere"));
    assert_eq!(settings.archive_directory, case.path("archive"));
    assert_eq!(settings.trust.len(), 2);
    assert_eq!((settings.lock_wait, settings.fingerprint), (Duration::from_secs(1), true));
}

#[test]
fn every_variable_and_every_flag_is_read() {
    let pseudonym = "00112233445566778899aabbccddeeff";
    let cid = block(b"x").to_string();
    let text = |value: &str| Some(value.to_owned());
    let secret = |value: &str| Some(Secret::from(value));
    let flags = Overrides {
        name: text("b"),
        chain: text(&cid),
        migrations: Some("m".into()),
        database_url: secret("postgres://ann@host/db"),
        database_name: text("d"),
        foreign_keys: Some(false),
        lock_timeout: text("5s"),
        statement_timeout: text("1h"),
        archive_directory: Some("a".into()),
        key_source: secret("file:k"),
        key_also: Some(vec!["file:l".into(), "env:L".into()]),
        key_passphrase: secret("file:p"),
        actor_pseudonym: text(pseudonym),
        actor_role: text("r"),
        allow_out_of_order: Some(true),
        lock_wait: text("0s"),
        fingerprint: Some(false),
        trust: Some(vec![cid.clone()]),
        time_tolerance: text("1h"),
        replication_required: text("2"),
        replication_deadline: text("5s"),
        approval_required: text("2"),
        approval_four_eyes: Some(false),
        approval_replicated: Some(true),
        approval_valid_for: text("1h"),
        promotion_from: text(&cid),
        promotion_file: Some("s.car".into()),
        promotion_rolled_back: Some(true),
        promotion_replayed: Some(true),
        promotion_replay_on: secret("file:r"),
        publish_key: secret("file:i"),
        node_key: secret("file:n"),
        swarm_key: secret("file:s"),
        dpia: Some("D-1".into()),
        publish: text("schema"),
        vault_url: secret("postgres://dpo@host/vault"),
        vault_key: secret("file:o"),
        vault_passphrase: secret("file:q"),
        vault_retention: text("10y"),
        vault_backup_retention: text("7d"),
        vault_minimum: text("5y"),
        tool: text("alembic"),
        tool_table: text("t"),
        tool_apply: Some(true),
        hooks_folder: Some("h".into()),
        hooks_environment: text("production"),
        hooks_on_empty: Some(true),
        hooks_time_limit: text("5s"),
        subject_map: Some("y".into()),
        erasures: Some("e".into()),
        erasure_key: secret("file:l"),
    };
    let by_flags = Case::of("").flags(flags).load().unwrap();
    let by_variables = Case::of("")
        .set("GREFFE_NAME", "b")
        .set("GREFFE_TOOL", "alembic")
        .set("GREFFE_TOOL_TABLE", "t")
        .set("GREFFE_TOOL_APPLY", "true")
        .set("GREFFE_DPIA", "D-1")
        .set("GREFFE_HOOKS", "h")
        .set("GREFFE_HOOKS_ENVIRONMENT", "production")
        .set("GREFFE_HOOKS_ON_EMPTY", "true")
        .set("GREFFE_HOOKS_TIME_LIMIT", "5s")
        .set("GREFFE_CHAIN", &cid)
        .set("GREFFE_MIGRATIONS", "m")
        .set("GREFFE_DATABASE_URL", "postgres://ann@host/db")
        .set("GREFFE_DATABASE_NAME", "d")
        .set("GREFFE_FOREIGN_KEYS", "false")
        .set("GREFFE_LOCK_TIMEOUT", "5s")
        .set("GREFFE_STATEMENT_TIMEOUT", "1h")
        .set("GREFFE_ARCHIVE_DIRECTORY", "a")
        .set("GREFFE_KEY_SOURCE", "file:k")
        .set("GREFFE_KEY_ALSO", "file:l, env:L")
        .set("GREFFE_KEY_PASSPHRASE", "hunter3")
        .set("GREFFE_ACTOR_PSEUDONYM", pseudonym)
        .set("GREFFE_ACTOR_ROLE", "r")
        .set("GREFFE_ALLOW_OUT_OF_ORDER", "true")
        .set("GREFFE_LOCK_WAIT", "0s")
        .set("GREFFE_FINGERPRINT", "false")
        .set("GREFFE_VERIFY_TRUST", &cid)
        .set("GREFFE_PUBLISH", "schema")
        .set("GREFFE_VAULT_URL", "postgres://dpo@host/vault")
        .set("GREFFE_VAULT_KEY_SOURCE", "file:o")
        .set("GREFFE_VAULT_PASSPHRASE", "hunter3")
        .set("GREFFE_VAULT_RETENTION", "10y")
        .set("GREFFE_VAULT_BACKUP_RETENTION", "7d")
        .set("GREFFE_VAULT_MINIMUM", "5y")
        .set("GREFFE_TIME_TOLERANCE", "1h")
        .set("GREFFE_REPLICATION_REQUIRED", "2")
        .set("GREFFE_REPLICATION_DEADLINE", "5s")
        .set("GREFFE_APPROVAL_REQUIRED", "2")
        .set("GREFFE_APPROVAL_FOUR_EYES", "false")
        .set("GREFFE_APPROVAL_REPLICATED", "true")
        .set("GREFFE_APPROVAL_VALID_FOR", "1h")
        .set("GREFFE_PROMOTION_FROM", &cid)
        .set("GREFFE_PROMOTION_FILE", "s.car")
        .set("GREFFE_PROMOTION_ROLLED_BACK", "true")
        .set("GREFFE_PROMOTION_REPLAYED", "true")
        .set("GREFFE_PROMOTION_REPLAY_ON", "file:r")
        .set("GREFFE_PUBLISH_KEY", "file:i")
        .set("GREFFE_KEY_ALSO", "file:l, env:L")
        .set("GREFFE_NODE_KEY", "file:n")
        .set("GREFFE_NODE_SWARM_KEY", "file:s")
        .set("GREFFE_SUBJECT_MAP", "y")
        .set("GREFFE_ERASURES", "e")
        .set("GREFFE_ERASURE_KEY", "file:l")
        .load()
        .unwrap();
    // `Debug` shows every field and no secret: equal but for folder, passphrase and environment.
    let shown = |mut settings: Settings| {
        (settings.file, settings.environment) = (None, Environment::default());
        (settings.key_passphrase, settings.vault_passphrase) = (None, None);
        settings.watch.state = PathBuf::new();
        format!("{settings:?}")
    };
    assert_eq!(by_variables.passphrase().unwrap().unwrap().expose(), "hunter3");
    assert!(!format!("{by_variables:?}").contains("hunter"), "{by_variables:?}");
    assert!(format!("{by_flags:?}").contains("postgres://…@host/db"));
    assert_eq!(shown(by_flags), shown(by_variables));
}

#[test]
fn all_problems_of_all_layers_are_listed_also_of_replaced_values() {
    let toml = "name = 'No'\nchain = 'bafy'\n[database]\nnam = 'x'\nurl = 'hunter2'\n[key]\nsource = 'hunter2'\n\
                passphrase = 'hunter2'\n[apply]\nlock-wait = '5 minutes'\n[verify]\ntrust = ['x', 'y']\n";
    let case = Case::of(toml)
        .set("GREFFE_NAME", "good")
        .set("GREFFE_FOREIGN_KEYS", "1")
        .set("GREFFE_KEY_SOURCE", "hunter2")
        .set("GREFFE_LOCKWAIT", "5s")
        .flags(Overrides { database_url: Some("hunter2".into()), ..Overrides::default() });
    let found = case.problems();
    let places: Vec<&str> = found.iter().map(|problem| problem.split(" is ").next().unwrap()).collect();
    assert_eq!(
        places,
        [
            "greffe.toml:1: `name`",
            "greffe.toml:2: `chain`",
            "greffe.toml:4: `nam`",
            "greffe.toml:5: `database.url`",
            "greffe.toml:7: `key.source`",
            "greffe.toml:8: `key.passphrase`",
            "greffe.toml:10: `apply.lock-wait`",
            "greffe.toml:12: `verify.trust`",
            "environment: `GREFFE_FOREIGN_KEYS`",
            "environment: `GREFFE_KEY_SOURCE`",
            "command line: `--database`",
            "environment: `GREFFE_LOCKWAIT`",
        ]
    );
    assert!(found[4].contains("(not shown here): write `env:NAME`, `file:PATH`, or `agent:`"));
    assert!(found[5].ends_with("(not shown here): write `env:NAME` or `file:PATH`, never the secret itself"));
    assert!(found[6].contains("is \"5 minutes\": write a whole number followed by"));
    assert!(found[7].contains("is \"x\", \"y\": write key ids"));
    assert!(found[11].ends_with("the nearest valid one is `GREFFE_LOCK_WAIT`"));
    assert!(!found.concat().contains("hunter2"));
    assert!(!format!("{:?}", case.load()).contains("hunter2"));
}

#[test]
fn a_password_may_stand_neither_in_the_file_nor_on_the_command_line() {
    let url = "postgres://ann:hunter2@host/db";
    let case = Case::of(format!("[database]\nurl = '{url}'\n"));
    assert_eq!(
        case.problems(),
        ["greffe.toml:2: `database.url` holds a password, which must not stand in this file: \
          write `url = \"env:DATABASE_URL\"` and set that variable"]
    );
    let read = |case: &Case| case.load().unwrap().database_url().unwrap().expose().to_owned();
    let case = Case::of("[database]\nurl = 'env:DATABASE_URL'\n").set("DATABASE_URL", &format!("{url}\n"));
    assert_eq!(read(&case), url);
    let case = Case::of("[database]\nurl = 'file:url.txt'\n");
    fs::write(case.path("url.txt"), format!("\u{feff}{url}\r\nanother line\r\n")).unwrap();
    assert_eq!(read(&case), url);
    fs::write(case.path("url.txt"), "sqlite:app.db\n").unwrap();
    assert_eq!(read(&case), format!("sqlite:{}/app.db", case.folder.path().display()));
    assert_eq!(read(&Case::of("").set("GREFFE_DATABASE_URL", url)), url);
    let flag = Overrides { database_url: Some(url.into()), ..Overrides::default() };
    let problems = Case::of("").flags(flag).problems();
    assert!(problems[0].starts_with("command line: `--database` holds a password"), "{problems:?}");
}

#[test]
fn a_url_that_is_not_where_it_should_be_is_told_without_its_text() {
    let refused = |case: &Case| case.load().unwrap().database_url().unwrap_err().to_string();
    let case = Case::of("[database]\nurl = 'env:NOT_SET'\n");
    assert_eq!(refused(&case), "`database.url` is `env:NOT_SET`, but that variable is not set or empty");
    assert!(refused(&case.set("NOT_SET", "hunter2")).contains("is not a URL such as"));
    let case = Case::of("[database]\nurl = 'file:url'\n");
    assert!(refused(&case).ends_with("url`, but that file does not exist"));
    fs::write(case.path("url"), "\nsqlite:app.db").unwrap();
    assert!(refused(&case).ends_with("but that file is empty"));
    fs::write(case.path("url"), "hunter2").unwrap();
    assert!(!refused(&case).contains("hunter2"));
    assert!(matches!(
        Case::of("").load().unwrap().database_url(),
        Err(SettingsError::Missing(Key { id: Id::DatabaseUrl, .. }))
    ));
}

#[test]
fn the_key_is_found_in_its_order() {
    let toml = "[key]\nsource = 'file:k.pem'\n";
    let key = |case: &Case| {
        fs::write(case.path("k.pem"), "from the file\n").unwrap();
        case.load().unwrap().key_text().unwrap().expose().to_owned()
    };
    assert_eq!(key(&Case::of(toml)), "from the file");
    assert_eq!(key(&Case::of(toml).set("GREFFE_KEY", "from GREFFE_KEY")), "from GREFFE_KEY");
    let named = || Case::of(toml).set("GREFFE_KEY", "x").set("GREFFE_KEY_SOURCE", "env:GREFFE_OURS");
    assert_eq!(key(&named().set("GREFFE_OURS", "from a named one")), "from a named one");
    let flag = Overrides { key_source: Some("env:FLAG".into()), ..Overrides::default() };
    assert_eq!(key(&named().set("FLAG", "from a flag").flags(flag)), "from a flag");
    let missing = Case::of("").load().unwrap().key_text().unwrap_err();
    assert!(matches!(missing, SettingsError::Missing(Key { id: Id::KeySource, .. })));
}

#[test]
fn a_passphrase_may_be_absent_but_not_unreadable() {
    let passphrase = |case: &Case| {
        case.load().unwrap().passphrase().map(|found| found.map(|secret| secret.expose().to_owned()))
    };
    assert_eq!(passphrase(&Case::of("")).unwrap(), None);
    assert_eq!(passphrase(&Case::of("[key]\npassphrase = 'env:NOT_SET'")).unwrap(), None);
    let case = Case::of("[key]\npassphrase = 'file:p'");
    assert!(passphrase(&case).unwrap_err().to_string().ends_with("/p`, but that file does not exist"));
    fs::write(case.path("p"), " two words \r\n").unwrap();
    assert_eq!(passphrase(&case).unwrap().as_deref(), Some(" two words "));
    fs::write(case.path("p"), vec![b'x'; (1 << 20) + 1]).unwrap();
    assert!(passphrase(&case).unwrap_err().to_string().ends_with("that file is larger than 1 MiB"));
    assert_eq!(passphrase(&case.set("GREFFE_KEY_PASSPHRASE", "it")).unwrap().as_deref(), Some("it"));
}

#[test]
fn files_that_are_no_settings_are_refused() {
    let case = Case::of(b"name = 'a'\n# \xff");
    assert!(case.refused().ends_with("greffe.toml` is not UTF-8 text (line 2)"));
    fs::write(case.path("greffe.toml"), vec![b'#'; (1 << 20) + 1]).unwrap();
    assert!(case.refused().ends_with("greffe.toml` is larger than 1 MiB"));
    fs::remove_file(case.path("greffe.toml")).unwrap();
    assert!(case.refused().ends_with("greffe.toml` does not exist"));
    fs::create_dir(case.path("greffe.toml")).unwrap();
    assert!(case.refused().ends_with("greffe.toml` is a directory, not a file"));
}

#[test]
fn sound_files_of_every_shape_are_read() {
    for toml in ["", "\u{feff}", "\r\n", "# a remark", "[database]\n[key]"] {
        assert!(Case::of(toml).load().unwrap().name.is_none(), "{toml:?}");
    }
    let settings = Case::of("\u{feff}name = \"demo\"\r\n[database]\r\nname = \"d\"\r\n").load().unwrap();
    assert_eq!((settings.name().unwrap().as_str(), settings.database_name().unwrap()), ("demo", "d"));
    let problems = Case::of("name = 'a'\r\nmigrations = 'm'\r\nname = 'b'\r\n").problems();
    assert_eq!(problems, ["greffe.toml:3: `name` is given twice"]);
}

#[test]
fn the_file_is_the_named_one_then_that_of_the_variable_then_none() {
    let case = Case::of("name = 'file'");
    let path = case.path("greffe.toml");
    let load = |config: Option<&Path>, variable: &Path| {
        let environment = Environment::from_iter([("GREFFE_CONFIG", variable.as_os_str())]);
        Settings::load(config.map(Path::to_owned), &environment, Overrides::default())
    };
    assert_eq!(load(None, &path).unwrap().name().unwrap().as_str(), "file");
    assert_eq!(load(Some(&path), &case.path("other")).unwrap().file, Some(path));
    assert!(matches!(load(None, &case.path("other")), Err(SettingsError::File { .. })));
    // Tests run in the crate's own folder, which has no settings.
    let none = load(None, Path::new("")).unwrap();
    assert_eq!((none.file, none.migrations), (None, PathBuf::from("migrations")));
}

#[cfg(unix)]
#[test]
fn variables_that_are_not_unicode_are_paths_or_refused() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt as _};
    let bytes = OsStr::from_bytes(b"a\xff");
    let load =
        |name: &str| Settings::load(None, &Environment::from_iter([(name, bytes)]), Overrides::default());
    assert_eq!(load("GREFFE_MIGRATIONS").unwrap().migrations, PathBuf::from(bytes));
    assert!(load("GREFFE_NAME").unwrap_err().to_string().contains("is not Unicode text: write 1 to 64"));
    let error = load("GREFFE_KEY").unwrap().key_text().unwrap_err().to_string();
    assert_eq!(error, "`key.source` is `env:GREFFE_KEY`, but that variable does not hold Unicode text");
}
