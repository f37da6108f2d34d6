//! The examples of `tests/examples`: each README is followed to the letter on PostgreSQL, and what it says comes true.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::pages::Shell;
use crate::project::{Project, copy_folder};
use crate::servers::{Database, Postgres};

const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/examples");
const NAMES: [&str; 3] = ["education", "health", "shop"];

fn source(name: &str) -> PathBuf {
    Path::new(EXAMPLES).join(name)
}

fn page(name: &str) -> String {
    fs::read_to_string(source(name).join("README.md")).unwrap()
}

/// A copy of an example whose README was followed, and its database.
struct Followed {
    project: Project,
    database: Database,
}

impl Followed {
    fn to_the_end(name: &str) -> Self {
        let database = Postgres::shared().database(name);
        let mut project = Project::empty();
        let replayer = database.replayer();
        // A newcomer has nothing of what other tests have set.
        project.variables = [("DATABASE_URL", database.url()), ("SCRATCH_URL", database.url_as(&replayer))]
            .map(|(name, value)| (name.to_owned(), value))
            .to_vec();
        project.secrets.extend([replayer.password, database.user().password.clone()]);
        copy_folder(source(name), project.folder());
        let followed = Self { project, database };
        Shell::of(&followed.project).follow(name, &page(name));
        followed
    }

    /// Fails unless the chain verifies and is replayed, also where nothing but its file is.
    fn holds(&self) {
        self.project.verify();
        let replayed = self.project.json(&["replay", &self.project.head(), "--on", "env:SCRATCH_URL"]);
        assert_eq!((&replayed["holds"], &replayed["uncompared"]), (&json!(true), &json!(0)), "{replayed:#}");
        self.project.ok(["export", "--out", "whole.car"]);
        let elsewhere = Project::empty();
        elsewhere.write("whole.car", self.project.read("whole.car"));
        assert_eq!(elsewhere.json(&["verify", "whole.car"])["verified"], true);
    }

    /// The event of the newest plan.
    fn newest_plan(&self) -> Value {
        let plan = self.project.log().into_iter().rfind(|entry| entry["event"] == "plan").unwrap();
        self.project.json(&["show", &plan["seq"].to_string()])["event"].clone()
    }

    /// The outcome of a rule in the newest plan, and the version that it is about.
    fn archived(&self, rule: &str) -> (Value, Value) {
        let plan = self.newest_plan();
        let said = plan["policy"]["rules"].as_array().unwrap().iter().find(|one| one["rule"] == rule);
        let said = said.unwrap_or_else(|| panic!("{rule} is not in {plan:#}"));
        (said["outcome"].clone(), said["about"].clone())
    }

    /// A further script that a hook's policy says no to, by `rule`.
    fn denied(&self, name: &str, sql: &str, rule: &str) {
        let head = self.project.head();
        self.project.script(name, sql);
        self.project.ends(1, ["apply"]).says(&[rule]);
        assert_eq!(self.project.head(), head);
    }
}

#[test]
fn records_of_patients_are_dropped_once_it_is_attested_and_approved() {
    let health = Followed::to_the_end("health");
    let closed = "20260202090000";
    let applied = ["20260105090000", "20260112090000", "20260119090000"].map(|v| format!("apply {v}"));
    let story = health.project.story();
    let story: Vec<&str> =
        story.iter().map(String::as_str).filter(|line| !["attach", "plan"].contains(line)).collect();
    assert_eq!(
        story,
        [
            "genesis",
            &applied[0],
            &applied[1],
            &applied[2],
            "rollback 20260119090000",
            &applied[2],
            "trust",
            &format!("apply {closed}")
        ]
    );
    assert_eq!(health.archived("sante-retention"), (json!("attested"), json!(closed)));
    assert_eq!(health.archived("sante-approvals").0, "kept");
    let hook = &health.newest_plan()["hooks"][0];
    assert_eq!((&hook["outcome"], &hook["rule"]), (&json!("warn"), &json!("tables-are-lost")));
    // The counts and the accesses outlive the records.
    let counts = "SELECT sum(patients), min(patients) FROM counted_stay";
    assert_eq!(health.database.sql(counts), "58|8");
    assert_eq!(health.database.sql("SELECT count(*) FROM record_access"), "1");
    assert_eq!(health.database.sql("SELECT to_regclass('patient') IS NULL"), "t");
    let told = fs::read_to_string(health.project.path("migrations.log")).unwrap();
    let told: Vec<Value> = told.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(told.len(), 4);
    assert!(told.iter().all(|line| line["event"] == "afterMigrate" && line["sectors"] == json!(["sante"])));
    health.holds();
    health.denied("20260301090000_one_way.sql", "-- sector: santé\nSELECT 1;\n", "way-down");
}

#[test]
fn grades_are_changed_for_a_reason_that_two_people_approved() {
    let education = Followed::to_the_end("education");
    let story = education.project.story();
    let ends = ["apply 20260209090000", "plan", "rollback 20260209090000", "attach"];
    assert_eq!(story[story.len() - 4..], ends, "{story:?}");
    assert_eq!(education.archived("education-grades-approvals").0, "kept");
    // Taken back, and nothing of it forgotten.
    let points = "SELECT DISTINCT points FROM grade ORDER BY 1";
    assert_eq!(education.database.sql(points), "11.00\n13.00");
    assert_eq!(education.database.sql("SELECT count(*) FROM change_of_points"), "4");
    let languages = "SELECT language, count(*) FROM transcript GROUP BY 1 ORDER BY 1";
    assert_eq!(education.database.sql(languages), "en|4\nfr|4");
    education.holds();
    let more = "-- sector: éducation\nCREATE TABLE more (id bigint PRIMARY KEY);\n";
    education.denied("20260301090000_more.sql", more, "one-decision-at-a-time");
}

#[test]
fn the_code_of_a_card_is_stored_by_nobodys_leave() {
    let shop = Followed::to_the_end("shop");
    let story = shop.project.story();
    assert!(story.contains(&"rollback 20260126090000".to_owned()), "{story:?}");
    let first = shop.project.json(&["show", "1"])["event"]["policy"]["rules"].clone();
    let tokenised =
        json!({"rule": "ecommerce-cards-tokenised", "outcome": "kept", "about": "20260112090000"});
    assert!(first.as_array().unwrap().contains(&tokenised), "{first:#}");
    assert_eq!(shop.archived("ecommerce-no-card-codes"), (json!("kept"), json!("20260202090000")));
    assert_eq!(shop.archived("ecommerce-change-approval").0, "kept");
    let columns =
        "SELECT column_name FROM information_schema.columns WHERE table_name = 'payment' ORDER BY 1";
    assert_eq!(shop.database.sql(columns), "card_number\ncents\ncode_matched\nid\norder_id\npaid_at");
    shop.holds();
    let both =
        "-- sector: e-commerce\nCREATE TABLE more (id bigint PRIMARY KEY);\nINSERT INTO more VALUES (1);\n";
    shop.denied("20260301090000_more.sql", both, "tables-and-rows-apart");
}

#[test]
fn examples_are_whole_and_what_their_pages_name_is_there() {
    let readme = include_str!("../../README.md");
    let mut found: Vec<String> = fs::read_dir(EXAMPLES)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    found.sort();
    assert_eq!(found, NAMES);
    for name in NAMES {
        assert!(readme.contains(&format!("](tests/examples/{name}/README.md)")), "README.md names no {name}");
        let page = page(name);
        let files = page.split("It takes greffe").next().unwrap();
        for row in files.lines().filter(|line| line.starts_with("| `")) {
            for path in row.split('|').nth(1).unwrap().split('`').skip(1).step_by(2) {
                assert!(source(name).join(path).exists(), "{name}: there is no {path}");
            }
        }
        for entry in fs::read_dir(source(name).join("migrations")).unwrap() {
            let path = entry.unwrap().path();
            let file = path.to_str().unwrap();
            let Some(stem) = file.strip_suffix(".up.sql") else { continue };
            assert!(Path::new(&format!("{stem}.down.sql")).exists(), "{file} has no way down");
            let text = fs::read_to_string(&path).unwrap();
            for keys in
                [["purpose", "but"], ["impact", "impact"], ["rollback", "retour"], ["sector", "secteur"]]
            {
                let says = |key: &&str| text.lines().any(|line| line.starts_with(&format!("-- {key}")));
                assert!(keys.iter().any(says), "{file} says nothing of {keys:?}");
            }
        }
    }
}
