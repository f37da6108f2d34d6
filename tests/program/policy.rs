//! Policy packs: what they stop, what is archived of them, and that whoever has a CID asks them again.

mod bad_input;

use std::fs;

use serde_json::{Value, json};

use crate::project::Project;
use crate::servers::{MariaDb, Postgres};

const HEADER: &str = "-- purpose: keeps it\n-- impact: one more table\n-- rollback: drops it\n";

fn add_settings(project: &Project, text: &str) {
    let settings = String::from_utf8(project.read("greffe.toml")).unwrap();
    project.write("greffe.toml", format!("{settings}\n{text}"));
}

/// A chain that is begun, of a project of some sectors.
fn of_sectors(sectors: &str, scripts: &[(&str, &str)]) -> Project {
    let project = Project::with(scripts);
    add_settings(&project, &format!("[policy]\nsectors = [{sectors}]\n"));
    project
}

fn with_header(project: &Project, name: &str, sql: &str) {
    project.script(name, format!("{HEADER}{sql}"));
}

/// `rule outcome` of the verdicts of `policy check`.
fn outcomes(project: &Project) -> Vec<String> {
    let object = project.run(["policy", "check", "--json"]).object();
    let told = |verdict: &Value| {
        let text = |key: &str| verdict[key].as_str().unwrap_or("-").to_owned();
        format!("{} {} {}", text("rule"), text("about"), text("outcome"))
    };
    object["verdicts"].as_array().unwrap().iter().map(told).collect()
}

fn attest(project: &Project, rule: &str, versions: &str) {
    let text = format!(
        "[[policy.attestation]]\nrule = '{rule}'\nby = 'dpo'\non = '2026-01-01'\nuntil = '2099-12-31'\nreference = 'R-1'\n\
         versions = [{versions}]\n"
    );
    add_settings(project, &text);
}

#[test]
fn a_broken_rule_stops_a_run_before_anything_ran() {
    let project = of_sectors("'e-commerce'", &[]);
    with_header(&project, "1_payment.up.sql", "CREATE TABLE payment (id INTEGER PRIMARY KEY, cvv TEXT);\n");
    project.script("1_payment.down.sql", "DROP TABLE payment;\n");
    let run = project.ends(1, ["apply"]);
    run.says(&["ecommerce-no-card-codes", "broken by migration 1", "greffe policy check"]);
    assert_eq!((project.tables().as_str(), project.story()), ("", vec!["genesis".to_owned()]));
    let problem = &project.run(["apply", "--json"]).object()["error"]["problems"][0];
    assert_eq!((&problem["code"], &problem["version"]), (&json!("policy"), &json!("1")), "{problem}");
    let dry = project.run(["apply", "--dry-run", "--json"]).object();
    assert_eq!(dry["problems"][0]["rule"], "ecommerce-no-card-codes", "{dry}");
    // A plan that nobody could use is not made.
    project.ends(1, ["plan", "--out", "plan.json"]).says(&["ecommerce-no-card-codes"]);
    with_header(&project, "1_payment.up.sql", "CREATE TABLE payment (id INTEGER PRIMARY KEY, token TEXT);\n");
    project.ok(["apply"]);
    assert_eq!(project.story(), ["genesis", "plan", "apply 1"]);
    project.verify();
}

#[test]
fn verdicts_are_archived_with_packs_and_facts_and_asked_again_from_a_cid() {
    let project = of_sectors("'Santé', 'éducation'", &[]);
    with_header(&project, "1_ward.up.sql", "CREATE TABLE ward (id INTEGER PRIMARY KEY);\n");
    project.ok(["apply"]);
    let plan = project.json(&["show", "1"]);
    let names: Vec<&str> =
        plan["files"].as_array().unwrap().iter().map(|file| file["name"].as_str().unwrap()).collect();
    for name in ["policy/facts.json", "policy/sante.toml", "policy/education.toml"] {
        assert!(names.contains(&name), "{names:?}");
    }
    let policy = &plan["event"]["policy"];
    assert_eq!(policy["packs"].as_array().unwrap().len(), 2, "{policy}");
    let rules = policy["rules"].as_array().unwrap();
    let said = |rule: &str| rules.iter().find(|one| one["rule"] == rule).unwrap()["outcome"].clone();
    assert_eq!(said("sante-hosting"), "attestation-required");
    assert_eq!(said("sante-no-public-swarm"), "kept");
    assert_eq!(said("sante-retention"), "not-applicable");
    assert_eq!(said("education-no-ine"), "kept");
    // Every migration names the plan.
    assert_eq!(project.json(&["show", "2"])["event"]["plan"], plan["manifest"]);
    // Another node has the CAR and no settings: it asks the archived packs about the archived facts.
    let elsewhere = Project::empty();
    elsewhere.write("demo.car", project.read("archive/demo.car"));
    assert_eq!(elsewhere.json(&["verify", "demo.car"])["verified"], true);
    let archive = project.read("archive/demo.car");
    let text = String::from_utf8_lossy(&archive);
    assert!(text.contains("policy-facts/1") && !text.contains("\"ward\""), "facts name a table");
}

#[test]
fn records_of_patients_are_dropped_with_an_attestation_of_that_version() {
    let project = of_sectors("'santé'", &[]);
    with_header(&project, "1_patient.up.sql", "CREATE TABLE patient (id INTEGER PRIMARY KEY);\n");
    project.script("1_patient.down.sql", "DROP TABLE patient;\n");
    project.ok(["apply"]);
    // The way down loses them as well.
    let run = project.unchanged(|| project.ends(1, ["rollback", "--steps", "1"]));
    run.says(&["sante-retention", "not attested by migration 1", "somebody has to attest"]);
    with_header(&project, "2_end.up.sql", "DROP TABLE patient;\n");
    attest(&project, "sante-retention", "'1'");
    project.ends(1, ["apply"]).says(&["sante-retention", "migration 2"]);
    attest(&project, "sante-retention", "'2'");
    // Attested, and now somebody has to approve.
    project.unchanged(|| project.ends(1, ["apply"])).says(&["approved by 1 people", "greffe plan"]);
    assert_eq!(project.json(&["plan", "--out", "plan.json"])["policy"]["approvals"], 1);
    let run = project.ends(1, ["apply", "--plan", "plan.json"]);
    run.says(&["0 of 1 approvals count"]);
    approve_by(&project, &["ada"]);
    project.ok(["plan", "--out", "again.json"]);
    approve(&project, "again.json", "ada", 1);
    project.ok(["apply", "--plan", "again.json", "--approval", "ada.json"]);
    assert_eq!(project.story().last().unwrap(), "apply 2");
    let newest = project.json(&["show", "4"]);
    let rules = newest["event"]["policy"]["rules"].as_array().unwrap().clone();
    let said = |rule: &str| rules.iter().find(|one| one["rule"] == rule).unwrap().clone();
    assert_eq!(
        said("sante-retention"),
        json!({ "rule": "sante-retention", "outcome": "attested", "about": "2" })
    );
    assert_eq!(said("sante-approvals")["outcome"], "kept");
    project.verify();
}

/// Lists new keys as approvers.
fn approve_by(project: &Project, names: &[&str]) {
    let mut propose: Vec<String> =
        ["trust", "propose", "--out", "approvers.json", "--role", "approver"].map(str::to_owned).to_vec();
    for name in names {
        project.ok(["key", "generate", "--plain", "--out", &format!("{name}.pem")]);
        let public = project.ok(["key", "show", "--key", &format!("file:{name}.pem")]).stdout;
        project.write(&format!("{name}.pub"), public);
        propose.extend(["--add-key".to_owned(), format!("{name}.pub")]);
    }
    project.ok(propose);
    project.ok(["trust", "sign", "approvers.json", "--yes"]);
    project.ok(["trust", "apply", "approvers.json"]);
}

fn approve(project: &Project, plan: &str, name: &str, number: u8) {
    let (key, out, who) =
        (format!("file:{name}.pem"), format!("{name}.json"), format!("{number:02x}").repeat(16));
    project.ok(["approve", plan, "--yes", "--out", &out, "--key", &key, "--actor-pseudonym", &who]);
}

#[test]
fn two_people_approve_what_changes_grades_on_servers() {
    for server in [Postgres::shared(), MariaDb::shared()] {
        let database = server.database("policy");
        let project = Project::empty();
        let project = {
            let mut project = project;
            project.variables.push(("DATABASE_URL".to_owned(), database.url()));
            project.ok(["init", "--name", "demo", "--database", "env:DATABASE_URL"]);
            project
        };
        with_header(&project, "1_grades.up.sql", "CREATE TABLE grades (id INT PRIMARY KEY, value INT);\n");
        project.ok(["apply"]);
        add_settings(&project, "[policy]\nsectors = ['éducation']\n");
        project.script("2_jury.up.sql", "UPDATE grades SET value = value + 1;\n");
        project.ends(1, ["apply"]).says(&["education-grades-reason", "migration 2"]);
        project.script(
            "2_jury.up.sql",
            "-- purpose: decided by the jury\nUPDATE grades SET value = value + 1;\n",
        );
        project.ends(1, ["apply"]).says(&["approved by 2 people"]);
        approve_by(&project, &["ada", "ben"]);
        project.ok(["plan", "--out", "plan.json"]);
        approve(&project, "plan.json", "ada", 1);
        let one = ["apply", "--plan", "plan.json", "--approval", "ada.json"];
        project.ends(1, one).says(&["1 of 2 approvals count"]);
        approve(&project, "plan.json", "ben", 2);
        project.ok([&one[..], &["--approval", "ben.json"]].concat());
        project.verify();
    }
}

#[test]
fn lint_tells_rules_of_packs_with_their_page_and_the_scripts_waivers() {
    let project = Project::empty();
    project.write("greffe.toml", "[policy]\nsectors = ['éducation']\n");
    let script = |waiver: &str| {
        let text = format!("{HEADER}{waiver}UPDATE bulletin SET avis = 'x';\n");
        project.script("1_a.up.sql", text);
        project.script("1_a.down.sql", "UPDATE bulletin SET avis = NULL;\n");
    };
    script("");
    let lint = ["lint", "--dialect", "sqlite", "--no-check-down"];
    let run = project.ends(1, lint);
    run.prints(&[
        "migrations/1_a.up.sql:4:1: error education-no-appreciations: broken: ",
        "docs/policy.md#education-no-appreciations",
    ]);
    run.prints(&["greffe.toml:1:1: warning education-information: attestation-required: "]);
    let sarif: Value =
        serde_json::from_str(&project.ends(1, [&lint[..], &["--sarif"]].concat()).stdout).unwrap();
    let rules = sarif["runs"][0]["tool"]["driver"]["rules"].as_array().unwrap();
    let rule = rules.iter().find(|rule| rule["id"] == "education-no-ine").unwrap();
    assert_eq!(rule["properties"]["source"], "RGPD art. 5(1)(c): no more data than are needed");
    script("-- waiver: education-no-appreciations 2099-12-31 sample texts of our own\n");
    let run = project.ok([&lint[..], &["--json"]].concat());
    let findings = run.object()["findings"].as_array().unwrap().clone();
    let found = findings.iter().find(|one| one["rule"] == "education-no-appreciations").unwrap();
    assert_eq!(found["waived"]["reason"], "sample texts of our own");
    // One whose day has passed, and one of a rule that no script waives.
    script("-- waiver: education-no-appreciations 2020-12-31 sample texts of our own\n");
    project.ends(1, lint).prints(&["greffe/waiver-expired", "error education-no-appreciations"]);
    script("-- waiver: education-grades-approval 2099-12-31 in a hurry\n");
    project.ends(1, lint).prints(&["greffe/waiver-unknown"]);
    // No level of `greffe lint` makes a rule of a pack weaker.
    project.ends(2, [&lint[..], &["--level", "education-no-ine=off"]].concat());
    project.ok([&lint[..], &["--rules"]].concat()).prints(&["error    education-no-ine"]);
}

#[test]
fn packs_are_listed_shown_and_asked_in_two_languages() {
    let project = of_sectors("'santé'", &[]);
    with_header(&project, "1_a.up.sql", "CREATE TABLE a (id INTEGER);\n");
    project.ok(["policy", "list"]).prints(&[
        "sante            in force",
        "education        -",
        "E-commerce: payments by card",
    ]);
    let listed = project.json(&["policy", "list"]);
    assert_eq!(listed["packs"].as_array().unwrap().len(), 3);
    let shown = project.ok(["policy", "show", "Éducation"]);
    shown.prints(&[
        "education-grades-approvals (deny, decided by tool)",
        "asks:   approvals; classes: grades; count: 2",
    ]);
    let text = project.ok(["policy", "show", "e-commerce", "--text"]).bytes;
    assert_eq!(text, include_bytes!("../../src/policy/packs/ecommerce.toml"));
    let run = project.ends(1, ["policy", "check"]);
    run.prints(&[
        "attestation required sante-hosting (warn)",
        "hint: ",
        "(docs/policy.md#sante-hosting)",
        "kept sante-no-public-swarm",
    ]);
    let run = project.ends(1, ["policy", "check", "--lang", "fr"]);
    run.prints(&[
        "attestation requise sante-hosting",
        "aucun programme ne peut le dire",
        "respectée sante-no-public-swarm",
    ]);
    project.ok(["policy", "check", "--fail-on", "deny"]);
    for rule in ["sante-hosting", "sante-impact-assessment"] {
        let text = format!(
            "[[policy.attestation]]\nrule = '{rule}'\nby = 'dpo'\non = '2026-01-01'\nuntil = '2099-12-31'\nreference = 'R-1'\n"
        );
        add_settings(&project, &text);
    }
    let settings = String::from_utf8(project.read("greffe.toml")).unwrap();
    let declared = "sectors = ['santé']\naccess-kept = '12m'\ntables.patient-records = []";
    project.write("greffe.toml", settings.replace("sectors = ['santé']", declared));
    project
        .ok(["policy", "check"])
        .prints(&["attested sante-hosting", "attested on 2026-01-01 by dpo until 2099-12-31 (R-1)"]);
    let expired = settings.replace("2099-12-31", "2026-01-02").replace("sectors = ['santé']", declared);
    project.write("greffe.toml", expired);
    project.ends(1, ["policy", "check", "--findings"]).prints(&["the attestation ended on 2026-01-02"]);
}

#[test]
fn packs_of_ones_own_extend_and_two_that_disagree_are_told() {
    const OWN: &str = "greffe = 'pack/1'\nname = 'clinic'\nversion = '1'\ntitle = 'Our clinic'\nsource = 'practice'\nextends = ['sante']\n";
    let project = of_sectors("'santé'", &[("1_a.up.sql", "UPDATE patient SET a = 1;\n")]);
    let settings = String::from_utf8(project.read("greffe.toml")).unwrap();
    fs::create_dir(project.path("policy")).unwrap();
    let change = |text: &str| project.write("policy/clinic.toml", format!("{OWN}{text}"));
    change(
        "[[change]]\nrule = 'sante-approvals'\nwhat = 'approvals'\ncount = 3\nclasses = ['patient-records']\n",
    );
    project.write(
        "greffe.toml",
        settings.replace("sectors = ['santé']", "packs = ['sante', 'policy/clinic.toml']"),
    );
    project.ends(1, ["policy", "check"]).prints(&[
        "packs disagree on sante-approvals `count` (clinic: 3; sante: 1): the stricter holds: 3",
        "3 approval(s) are asked for when it is applied",
    ]);
    // The documentation's own pack is one.
    let page = include_str!("../../docs/policy.md");
    let documented = page.split("```toml\n").nth(2).and_then(|rest| rest.split("```").next()).unwrap();
    project.write("policy/clinic.toml", documented);
    project
        .ends(1, ["policy", "check"])
        .prints(&["sante-impact-assessment is weaker, until 2027-03-31 (clinic): "]);
    for (text, says) in [
        ("[[change]]\nrule = 'sante-retenton'\nlevel = 'warn'\n", "the nearest one is `sante-retention`"),
        ("[[change]]\nrule = 'sante-retention'\nlevel = 'warn'\n", "write `reason` and `until`"),
        (
            "[[rule]]\nid = 'a'\nlevl = 'deny'\n",
            "line 9: `rule.levl` is no member of it; the nearest one is `level`",
        ),
        ("[[", "is not TOML"),
    ] {
        change(text);
        for command in [&["policy", "check"][..], &["lint"], &["apply"], &["policy", "list"]] {
            project.ends(2, command).says(&[says, "greffe policy list"]);
        }
    }
    project.remove("policy/clinic.toml");
    project.ends(2, ["policy", "check"]).says(&["clinic.toml cannot be read"]);
    for (from, to, says) in [
        ("sectors = ['santé']", "sectors = ['santee']", "the nearest one is `sante`"),
        ("sectors = ['santé']", "sector = ['santé']", "the nearest one is `sectors`"),
        (
            "sectors = ['santé']",
            "sectors = ['santé']\ntables.patient-record = []",
            "the nearest one is `patient-records`",
        ),
    ] {
        project.write("greffe.toml", settings.replace(from, to));
        project.ends(2, ["policy", "check"]).says(&[says]);
    }
    project.write("greffe.toml", &settings);
    attest(&project, "sante-hostin", "");
    project.ends(2, ["policy", "check"]).says(&["the nearest one is `sante-hosting`"]);
    project.write("greffe.toml", &settings);
    attest(&project, "sante-approvals", "");
    project.ends(2, ["policy", "check"]).says(&["is decided by the tool"]);
    project.write("greffe.toml", "name = 'demo'\n");
    project.ends(2, ["policy", "check"]).says(&["no policy pack is in force", "sectors"]);
    project.ends(2, ["policy", "show", "sant"]).says(&["the nearest one is `sante`"]);
}

#[test]
fn a_review_is_an_event_that_a_rule_finds() {
    let project = of_sectors("'e-commerce'", &[]);
    with_header(&project, "1_a.up.sql", "CREATE TABLE a (id INTEGER);\n");
    project.ok(["apply"]);
    let daily = "ecommerce-daily-review - ";
    assert!(outcomes(&project).contains(&format!("{daily}broken")));
    let done = project.json(&["policy", "review", "--reference", "ticket 12"]);
    assert_eq!((&done["review"]["entry"], &done["review"]["findings"]), (&json!(2), &json!(0)), "{done}");
    assert_eq!(project.story().last().unwrap(), "attach");
    assert!(outcomes(&project).contains(&format!("{daily}kept")));
    let lint = ["lint", "--no-check-down"];
    assert!(!project.run(lint).stdout.contains("ecommerce-daily-review"));
    // Where the scripts are and not the archive, nobody can say so.
    let build = project.copy();
    build.remove("archive/demo.car");
    let run = build.run(lint);
    run.says(&["there is no archive here"]).prints(&["warning ecommerce-daily-review: broken"]);
    project.verify();
    // It says nothing of a person.
    project
        .unchanged(|| project.run(["policy", "review", "--reference", "m.dupont@mairie-lyon.fr"]))
        .exits(1);
    with_header(&project, "2_b.up.sql", "CREATE TABLE b (id INTEGER);\n");
    project.ok(["apply"]);
    let rules = project.json(&["show", "4"])["event"]["policy"]["rules"].clone();
    let said =
        rules.as_array().unwrap().iter().find(|one| one["rule"] == "ecommerce-daily-review").unwrap().clone();
    assert_eq!(said["outcome"], "kept");
}

/// Elements of `AuditEvent` in FHIR R4 (4.0.1), by their path; those that have to be there are marked.
const ELEMENTS: [(&str, bool); 26] = [
    ("resourceType", true),
    ("id", false),
    ("type", true),
    ("type.system", false),
    ("type.code", true),
    ("type.display", false),
    ("action", false),
    ("recorded", true),
    ("outcome", false),
    ("purposeOfEvent", false),
    ("purposeOfEvent.text", false),
    ("agent", true),
    ("agent.role", false),
    ("agent.role.text", false),
    ("agent.who", false),
    ("agent.who.identifier", false),
    ("agent.who.identifier.system", false),
    ("agent.who.identifier.value", false),
    ("agent.requestor", true),
    ("source", true),
    ("source.observer", true),
    ("source.observer.display", false),
    ("entity", false),
    ("entity.what", false),
    ("entity.name", false),
    ("entity.detail.type", true),
];

/// All paths of a resource, without the places in lists.
fn paths(value: &Value, path: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                found.push(path.clone());
                paths(member, &path, found);
            }
        }
        Value::Array(items) => {
            assert!(!items.is_empty(), "{path} is an empty list, which FHIR has not");
            items.iter().for_each(|item| paths(item, path, found));
        }
        Value::Null => panic!("{path} is null, which FHIR has not"),
        _ => {}
    }
}

#[test]
fn accesses_are_exported_as_fhir_audit_events() {
    let project = Project::with(&[("1_a.up.sql", "INSERT INTO a VALUES ('Zoé');\n")]).publishing("sealed");
    project.script("1_a.up.sql", "CREATE TABLE a (b TEXT);\nINSERT INTO a VALUES ('Zoe');\n");
    project.ok(["apply"]);
    project.ends(3, ["access", "export", "--fhir"]);
    project.ok(["show", "1", "--script"]);
    let recipient = project.json(&["vault", "show"])["recipient"].as_str().unwrap().to_owned();
    let terms = ["--until", "2099-01-01", "--events", "1", "--to", &recipient, "--purpose", "audit 2026"];
    project.ok([&["grant"], &terms[..], &["--out", "g.age"]].concat());
    let lines = project.ok(["access", "export", "--fhir"]).stdout;
    let events: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(events.len(), 2, "{lines}");
    for event in &events {
        let mut found = Vec::new();
        paths(event, "", &mut found);
        for (element, needed) in ELEMENTS {
            assert!(!needed || found.iter().any(|path| path == element), "{element} is missing: {event:#}");
        }
        assert_eq!(event["resourceType"], "AuditEvent");
        let id = event["id"].as_str().unwrap();
        assert!(id.len() <= 64 && id.chars().all(|c| c.is_ascii_alphanumeric() || "-.".contains(c)));
        assert!(["C", "R", "U", "D", "E"].contains(&event["action"].as_str().unwrap()));
        assert!(["0", "4", "8", "12"].contains(&event["outcome"].as_str().unwrap()));
        assert!(event["recorded"].as_str().unwrap().ends_with('Z'));
        assert!(event["agent"].as_array().unwrap().iter().all(|agent| agent["requestor"].is_boolean()));
        assert_eq!(
            event["agent"].as_array().unwrap().iter().filter(|agent| agent["requestor"] == true).count(),
            1
        );
        assert!(event["source"]["observer"]["identifier"]["value"].as_str().unwrap().starts_with("bafyrei"));
        let known = |path: &str| {
            let first = path.split('.').next().unwrap();
            ELEMENTS.iter().any(|(element, _)| *element == first)
        };
        assert!(found.iter().all(|path| known(path)), "{found:?}");
    }
    assert_eq!(
        (&events[0]["type"]["code"], &events[1]["type"]["code"]),
        (&json!("access"), &json!("disclose"))
    );
    assert_eq!(events[1]["purposeOfEvent"][0]["text"], "audit 2026");
    assert_eq!(events[1]["agent"].as_array().unwrap().len(), 2);
    assert!(!lines.contains("Zo"));
    let bundle = project.ok(["access", "export", "--fhir", "--bundle"]).stdout;
    let bundle: Value = serde_json::from_str(&bundle).unwrap();
    assert_eq!((&bundle["resourceType"], &bundle["type"]), (&json!("Bundle"), &json!("collection")));
    assert_eq!(bundle["entry"].as_array().unwrap().len(), 2);
    assert_eq!(project.json(&["access", "export", "--fhir"])["bundle"], bundle);
    assert_eq!(project.ok(["access", "export", "--fhir", "--until", "2020-01-01"]).stdout, "");
    assert_eq!(project.ok(["access", "export", "--fhir", "--since", "2020-01-01"]).stdout, lines);
    project.ends(2, ["access", "export"]);
    project.ends(2, ["access", "export", "--fhir", "--since", "2026-13-01"]);
    project.ends(2, ["access", "export", "--fhir", "--since", "2026-02-01", "--until", "2026-01-01"]);
}
