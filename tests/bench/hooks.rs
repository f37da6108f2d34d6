//! How long policy hooks take: one that is read and asked once, one that is asked about each of 1,000 migrations, and a whole
//! run of `apply` with such a hook, beside one without.

mod measure;

use std::path::Path;
use std::time::Duration;

use greffe::crypto::{PrivateKey, encode_pem};
use greffe::ops::hooks::judging::{PATIENCE, Question, ask};
use greffe::policy::hooks::Context;
use measure::{alternate, at_most, figure, greffe, headline, milliseconds, timed, timed_process};

const ROUNDS: usize = 5;
const MIGRATIONS: usize = 1_000;

/// As a project would write it: it looks at each kind of statement of each migration, and says what it found.
const POLICY: &str = r#"
// sector: santé
fn is_risky(kind) { kind in ["DROP TABLE", "TRUNCATE", "DELETE", "UPDATE"] }
fn beforeMigrate(context, sector) {
    let found = [];
    for migration in context.migrations {
        for kind in migration.kinds {
            if is_risky(kind) { found.push(deny("records-are-kept", `${sector}: ${migration.version} has ${kind}`)); }
        }
        if !migration.documented.purpose { found.push(warn("say-why", migration.version)); }
    }
    if context.at.weekday == "friday" { found.push(warn("friday", "late")); }
    found
}
"#;
const EACH: &str = r#"
fn beforeEachMigrate(context) {
    for kind in context.migration.kinds { if kind == "TRUNCATE" { return deny("records-are-kept", context.migration.version); } }
    if context.migration.transaction { allow() } else { warn("bare", context.migration.version) }
}
"#;

fn main() {
    let mut context = Context::example("beforeMigrate".parse().expect("an event"));
    context.migrations = (0..20).flat_map(|_| context.migrations.clone()).take(20).collect();
    let run = context.to_bytes();
    let each = Context::example("beforeEachMigrate".parse().expect("an event")).to_bytes();
    let mut once = || timed(|| answered("beforeMigrate", POLICY, vec![&run]));
    let mut thousand = || timed(|| answered("beforeEachMigrate", EACH, vec![&each; MIGRATIONS]));
    let [once, thousand] = alternate(ROUNDS, [&mut once, &mut thousand]);
    headline("policy hooks, with the thread that asks them");
    figure("read and asked once, about a run of 20 migrations", &milliseconds(&once));
    figure("asked 1,000 times about one migration each", &milliseconds(&thousand));
    at_most("one hook, about a run", once.median() * 1e3, 1.0, " ms");
    at_most("one hook, about each migration", thousand.median() * 1e3 / MIGRATIONS as f64, 1.0, " ms");
    runs();
}

fn answered(event: &str, source: &str, inputs: Vec<&[u8]>) {
    let wanted = inputs.len();
    let question = Question { event: event.parse().expect("an event"), source: source.as_bytes(), inputs };
    let answers = ask(&[question], PATIENCE).remove(0);
    assert_eq!(answers.len(), wanted);
    assert!(answers.iter().all(|answer| !answer.verdicts.iter().any(|verdict| verdict.is_broken())));
}

/// Whole runs of the program.
fn runs() {
    let mut plain = || apply(false);
    let mut hooked = || apply(true);
    let [plain, hooked] = alternate(3, [&mut plain, &mut hooked]);
    headline("apply of 1,000 migrations to SQLite, whole processes");
    figure("without hooks", &milliseconds(&plain));
    figure("with a policy that is asked about each", &milliseconds(&hooked));
    let cost = (hooked.median() - plain.median()) * 1e3 / MIGRATIONS as f64;
    at_most("a policy about each migration, judged and archived", cost, 1.0, " ms");
}

fn apply(with_hooks: bool) -> Duration {
    let folder = tempfile::tempdir().expect("a folder for temporary files");
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("a file");
    for name in ["migrations", "hooks"] {
        std::fs::create_dir(folder.path().join(name)).expect("an empty folder");
    }
    for number in 1..=MIGRATIONS {
        write(&format!("migrations/{number}_t.sql"), &format!("CREATE TABLE t{number} (id INTEGER);\n"));
    }
    if with_hooks {
        write("hooks/beforeEachMigrate.rhai", EACH);
    }
    program(folder.path(), &["init", "--name", "demo", "--database", "sqlite:app.db"]);
    program(folder.path(), &["apply", "--fingerprint", "false"])
}

/// How long it takes.
fn program(folder: &Path, arguments: &[&str]) -> Duration {
    let mut command = greffe();
    command.current_dir(folder).args(arguments).arg("--quiet");
    let key = encode_pem(&PrivateKey::from_seed(&[7; 32])).to_string();
    command.env("GREFFE_PUBLISH", "schema").env("GREFFE_KEY", key);
    timed_process(&mut command)
}
