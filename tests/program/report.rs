//! Reports on changes: from real chains, with the page printed by a real browser.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Stdio;

use greffe::model::Timestamp;
use serde_json::{Value, json};

use crate::project::{Project, Run, THREE};
use crate::tools::{output_of, tool};

/// What ends the comments of HTML, turns lines around and steers terminals.
const HOSTILE: &str = "-- purpose: </style></title><script>alert(1)</script><img src=x onerror=alert(2)>\n\
     -- impact: back \u{202e}wards\u{202c} \u{1b}[31mred\n-- rollback: \"quotes\" & 'quotes'\n\
     CREATE TABLE hostile (id INTEGER PRIMARY KEY);\n";

/// The pack for health holds, and every change needs an approval by somebody else.
const POLICY: &str = "
[policy]
sectors = [\"santé\"]
environment = \"production\"
access-kept = \"12m\"

[policy.tables]
patient-records = [\"books\"]

[[policy.attestation]]
rule = \"sante-hosting\"
by = \"dpo\"
on = \"2026-01-01\"
until = \"2099-12-31\"
reference = \"certificate 4711\"

[[policy.attestation]]
rule = \"sante-impact-assessment\"
by = \"dpo\"
on = \"2026-01-01\"
until = \"2099-12-31\"
reference = \"DPIA-7\"
";

/// Approves `plan` by the key `ada.pem`, which somebody else has.
fn approve(project: &Project, plan: &str) {
    let key = ["--key", "file:ada.pem", "--actor-pseudonym", "01010101010101010101010101010101"];
    let out = format!("{plan}.approval");
    project.ok([&["approve", plan, "--yes", "--out", &out, "--actor-role", "dba"][..], &key].concat());
}

/// Plans with these arguments, has it approved, and runs `command` by it.
fn carry_out(project: &Project, plan: &str, arguments: &[&str], command: &str) -> Run {
    project.ok([&["plan", "--out", plan, "--approvals", "1"], arguments].concat());
    approve(project, plan);
    project.run([command, "--plan", plan, "--approval", &format!("{plan}.approval")])
}

/// Two tables, a change that a rule is waived for, one that is sealed, one that fails, one that is taken back, a table
/// that somebody made by hand, and one that would be markup.
fn eventful() -> Project {
    let mut project = Project::with(&THREE[..4]);
    project.variables.extend(
        [("GITHUB_ACTIONS", "true"), ("GITHUB_SHA", "0123456789abcdef0123456789abcdef01234567")]
            .map(|(name, value)| (name.to_owned(), value.to_owned())),
    );
    project.ok(["key", "generate", "--plain", "--out", "ada.pem"]);
    project.write("ada.pub", &project.ok(["key", "show", "--key", "file:ada.pem"]).stdout);
    project.ok(["trust", "propose", "--out", "t.json", "--role", "approver", "--add-key", "ada.pub"]);
    project.ok(["trust", "sign", "t.json", "--yes"]);
    project.ok(["trust", "apply", "t.json"]);
    project.ok(["apply"]);
    let settings = String::from_utf8(project.read("greffe.toml")).unwrap();
    project.write("greffe.toml", format!("{settings}{POLICY}"));
    project.script(
        "3_year.up.sql",
        "-- purpose: years of books, ticket 512\n-- waiver: sante-reason 2099-06-30 nobody reads it yet\n\
         ALTER TABLE books ADD COLUMN year INTEGER;\n",
    );
    project.script("3_year.down.sql", "ALTER TABLE books DROP COLUMN year;\n");
    carry_out(&project, "p3.json", &[], "apply").exits(0);
    project.script(
        "4_seed.up.sql",
        "-- purpose: names\n-- impact: none\nINSERT INTO authors (name) VALUES ('Ada');\n",
    );
    project.script("4_seed.down.sql", "DELETE FROM authors;\n");
    carry_out(&project, "p4.json", &[], "apply").exits(0);
    carry_out(&project, "b4.json", &["--rollback", "1"], "rollback").exits(0);
    project.remove("migrations/4_seed.up.sql");
    project.remove("migrations/4_seed.down.sql");
    project.script("5_wrong.up.sql", "-- purpose: wrong\nALTER TABLE nowhere ADD COLUMN x;\n");
    carry_out(&project, "p5.json", &[], "apply").exits(3);
    project.remove("migrations/5_wrong.up.sql");
    project.sql("CREATE TABLE by_hand (id INTEGER)");
    project.ok(["audit", "--record"]);
    project.script("6_hostile.up.sql", HOSTILE);
    carry_out(&project, "p6.json", &[], "apply").exits(0);
    project
}

fn facts(project: &Project, arguments: &[&str]) -> Value {
    project.ok([&["report", "--format", "json"], arguments].concat()).object()
}

fn page(project: &Project, arguments: &[&str]) -> String {
    project.ok([&["report", "--format", "html"], arguments].concat()).stdout
}

/// What a line of a shell prints in the project's folder, with greffe on the path.
fn shell(project: &Project, line: &str) -> String {
    let greffe = Path::new(env!("CARGO_BIN_EXE_greffe")).parent().unwrap();
    let path = format!("{}:/usr/bin:/bin", greffe.display());
    output_of(
        tool("sh")
            .args(["-c", line])
            .env_clear()
            .envs([("PATH", path.as_str()), ("HOME", "/nowhere")])
            .current_dir(project.folder()),
    )
}

/// The microsecond after a time.
fn time_after(time: &str) -> String {
    let time: Timestamp = time.parse().unwrap();
    Timestamp::from_microseconds(time.as_microseconds() + 1).unwrap().to_string()
}

/// The sheet of the newest change of a version.
fn sheet<'a>(report: &'a Value, event: &str, version: &str) -> &'a Value {
    let sheets = report["changes"].as_array().unwrap().iter();
    let mut own = sheets.filter(|sheet| sheet["event"] == event && sheet["version"] == version);
    own.next_back().unwrap_or_else(|| panic!("no {event} of {version} in {report:#}"))
}

#[test]
fn a_sheet_tells_who_what_why_when_and_how_it_ended() {
    let project = eventful();
    let report = facts(&project, &[]);
    assert_eq!((&report["command"], &report["format"]), (&json!("report"), &json!("greffe-report/1")));
    assert_eq!(report["verification"]["verified"], true, "{report:#}");
    let population = &report["population"];
    let entries = project.log().len() as u64;
    assert_eq!(population["expected"], entries);
    assert_eq!((&population["read"], &population["missing"]), (&json!(entries), &json!([])));
    assert_eq!((&population["before"], &population["complete"]), (&Value::Null, &json!(true)));
    assert_eq!(report["chain"]["merkleRoot"], population["merkleRoot"]);
    let numbers: Vec<u64> =
        population["entries"].as_array().unwrap().iter().map(|row| row["seq"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (0..entries).collect::<Vec<_>>());

    let year = sheet(&report, "apply", "3");
    assert_eq!(year["purpose"], json!({"state": "clear", "text": "years of books, ticket 512"}));
    assert_eq!(year["impact"], json!({"state": "none"}));
    assert_eq!(year["people"]["approvers"][0]["role"], "dba", "{year:#}");
    assert_eq!(year["people"]["approvalsNeeded"], 1);
    assert_eq!(year["people"]["approvedByAnother"], true);
    assert_eq!(year["people"]["deployedByAuthor"], true);
    assert_eq!(year["run"]["ci"]["commit"], "0123456789abcdef0123456789abcdef01234567");
    assert_eq!((&year["risk"]["class"], &year["wayBack"]["script"]), (&json!("medium"), &json!(true)));
    let waived = json!({"rule": "sante-reason", "until": "2099-06-30", "reason": {"state": "clear", "text": "nobody reads it yet"}});
    assert_eq!(year["waivers"], json!([waived]), "{year:#}");
    let verdicts = year["policy"]["rules"].as_array().unwrap();
    assert!(verdicts.iter().any(|rule| rule["rule"] == "sante-hosting" && rule["outcome"] == "attested"));

    // What is sealed is told as sealed; what it did, and that it was taken back, all the same.
    let seed = sheet(&report, "apply", "4");
    for member in ["name", "purpose", "impact"] {
        assert_eq!(seed[member], json!({"state": "sealed"}), "{seed:#}");
    }
    assert_eq!(seed["risk"]["lint"], Value::Null);
    assert!(seed["files"].as_array().unwrap().iter().all(|file| file["state"] == "sealed"));
    let back = sheet(&report, "rollback", "4");
    assert_eq!(seed["wayBack"]["by"], back["seq"]);
    assert_eq!(back["wayBack"]["reverts"], seed["manifest"]);

    let wrong = sheet(&report, "fail", "5");
    assert_eq!((&wrong["outcome"], &wrong["error"]["statement"]), (&json!("failed"), &json!(1)));
    let reasons = wrong["risk"]["reasons"].as_array().unwrap();
    assert!(reasons.contains(&json!("no-way-back")), "{wrong:#}");
    let drift = report["schema"].as_array().unwrap().iter().find(|point| point["continuity"] == "recorded");
    assert!(drift.is_some(), "{report:#}");
    let summary = &report["summary"];
    for (member, count) in [("failed", 1), ("rolledBack", 1), ("waivers", 1), ("drifts", 1), ("unplanned", 2)]
    {
        assert_eq!(summary[member], count, "{member}: {summary:#}");
    }
    assert_eq!(summary["approvalsNeeded"], summary["approvalsMet"]);
    assert_eq!(summary["approvalsMet"], 5, "{summary:#}");
}

#[test]
fn a_way_back_that_failed_took_nothing_back() {
    let project = Project::with(&THREE[..1]);
    project.script("1_authors.down.sql", "DROP TABLE nowhere;\n");
    project.ok(["apply"]);
    project.ends(3, ["rollback", "--steps", "1"]);
    let report = facts(&project, &[]);
    let (summary, applied) = (&report["summary"], sheet(&report, "apply", "1"));
    assert_eq!((&summary["rolledBack"], &summary["failed"]), (&json!(0), &json!(1)), "{summary:#}");
    assert_eq!(applied["wayBack"]["by"], Value::Null);
    assert_eq!(sheet(&report, "fail", "1")["wayBack"]["reverts"], applied["manifest"]);
}

#[test]
fn what_was_erased_is_told_as_erased() {
    let project = eventful();
    let before = facts(&project, &[]);
    let erase = |event: &str| {
        let seq = sheet(&before, event, "4")["seq"].to_string();
        project.run(["erase", "--event", &seq, "--basis", "art17.1.a", "--request", "R-1"])
    };
    // The rollback has a script of the same migration.
    erase("apply").exits(1).prints(&["partial"]);
    erase("rollback").exits(0);
    let report = facts(&project, &[]);
    let seed = sheet(&report, "apply", "4");
    assert_eq!((&seed["name"], &seed["purpose"]), (&json!({"state": "erased"}), &json!({"state": "erased"})));
    assert!(seed["files"].as_array().unwrap().iter().all(|file| file["state"] == "erased"), "{seed:#}");
    let erasure =
        report["others"].as_array().unwrap().iter().find(|other| other["event"] == "erase").unwrap();
    assert_eq!(erasure["basis"], "art17.1.a");
    assert!(page(&project, &[]).contains("sealed, and erased since"));
}

#[test]
fn the_same_head_and_date_make_the_same_bytes() {
    let project = eventful();
    let head = project.head();
    for form in ["html", "json"] {
        let bytes = project.ok(["report", "--format", form, "--lang", "fr"]).bytes;
        assert_eq!(project.ok(["report", &head, "--format", form, "--lang", "fr"]).bytes, bytes);
        assert_eq!(project.ok(["report", "demo", "--format", form, "--lang", "fr"]).bytes, bytes);
        // Elsewhere, from the file alone, where nobody was told which chain to trust.
        let elsewhere = Project::empty();
        elsewhere.write("demo.car", project.read("archive/demo.car"));
        let given = ["--date", "2026-12-01", "--format", form];
        let there = elsewhere.ok([&["report", "demo.car"], &given[..]].concat()).bytes;
        assert_eq!(elsewhere.ok([&["report", "demo.car"], &given[..]].concat()).bytes, there);
        assert_ne!(there, bytes);
    }
    // The page says with what it is made again, here and where nobody was told which chain to trust.
    let elsewhere = Project::empty();
    fs::create_dir(elsewhere.path("archive")).unwrap();
    elsewhere.write("archive/demo.car", project.read("archive/demo.car"));
    for asked in [
        &["--lang", "ar"][..],
        &["--date", "2026-12-01", "--from", "2026-01-01", "--until", "2099-12-31"],
        &["--sample=3", "--seed=-it's $HOME"],
    ] {
        let made = page(&project, asked);
        let again = made.split("<pre dir=\"ltr\">greffe report ").nth(1).unwrap();
        let again = again.split("</pre>").next().unwrap().replace("&#39;", "'");
        for place in [&project, &elsewhere] {
            let run = shell(place, &format!("greffe report {again}"));
            assert!(run.contains("wrote again.html") && run.contains("verified"), "{run}");
            assert!(place.read("again.html") == made.as_bytes(), "{asked:?} by {again}");
            place.remove("again.html");
        }
    }
    project.ok(["report", "--out", "again.html"]);
    project.ends(2, ["report", "--out", "again.html"]).says(&["already exists"]);
    let written = project.json(&["report", "--out", "r.json", "--format", "json"]);
    assert_eq!(
        (&written["command"], &written["form"], &written["complete"]),
        (&json!("report"), &json!("json"), &json!(true))
    );
    let sum = output_of(tool("sha256sum").arg(project.path("r.json")));
    assert_eq!(sum.split(' ').next(), written["sha256"].as_str());
}

#[test]
fn nothing_of_a_script_is_markup() {
    let project = eventful();
    for language in ["en", "fr", "ar"] {
        let made = page(&project, &["--lang", language]);
        let lower = made.to_lowercase();
        for word in
            ["<script", "<img", "<iframe", "<link", "<object", "javascript:", " style=", "http:", "https:"]
        {
            assert!(!lower.contains(word), "{word} in the page");
        }
        assert_eq!((lower.matches("<style>").count(), lower.matches("</style>").count()), (1, 1));
        assert_eq!(lower.matches("</title>").count(), 1);
        assert!(!made.contains(['\u{1b}', '\u{202e}', '\u{202c}', '\u{7}']));
        assert!(made.contains("&lt;script&gt;alert(1)&lt;/script&gt;") && made.contains("[U+202E]wards"));
        // The one style that counts is this one.
        let policy = made.split("style-src 'sha256-").nth(1).unwrap().split('\'').next().unwrap();
        let style = made.split("<style>").nth(1).unwrap().split("</style>").next().unwrap();
        let digest = greffe::crypto::Digest::of(style.as_bytes());
        assert_eq!(policy, data_encoding::BASE64.encode(&digest.0));
        assert!(made.contains("default-src 'none'"));
    }
    for arguments in [&["report", "--format", "json"][..], &["report", "--json"], &["log", "--json"]] {
        let text = project.ok(arguments).stdout;
        assert!(!text.contains(['\u{1b}', '\u{202e}', '\u{9b}']), "JSON has it in escapes: {arguments:?}");
    }
}

#[test]
fn a_sample_is_drawn_again_by_whoever_has_the_seed() {
    let project = Project::with(&THREE);
    for version in 4..=30 {
        project.script(&format!("{version}_t.up.sql"), format!("CREATE TABLE t{version} (id);"));
    }
    project.ok(["apply"]);
    let drawn = |size: &str, seed: &str| -> Vec<u64> {
        let report = facts(&project, &["--sample", size, "--seed", seed]);
        let drawn = report["sample"]["drawn"].as_array().unwrap();
        assert_eq!(report["sample"]["of"], 30);
        let shown: BTreeSet<u64> =
            report["changes"].as_array().unwrap().iter().map(|one| one["seq"].as_u64().unwrap()).collect();
        let seqs: Vec<u64> = drawn.iter().map(|one| one["seq"].as_u64().unwrap()).collect();
        assert_eq!(seqs.iter().copied().collect::<BTreeSet<_>>(), shown);
        // The whole population stands there all the same.
        assert_eq!(report["population"]["entries"].as_array().unwrap().len(), 31);
        for one in drawn {
            let line = format!("printf '%s\\n%s' '{seed}' {} | sha256sum", one["manifest"].as_str().unwrap());
            let sum = output_of(tool("sh").args(["-c", &line]));
            assert_eq!(sum.split(' ').next(), one["digest"].as_str());
        }
        seqs
    };
    let first = drawn("10", "2026 Q4");
    assert_eq!((first.len(), drawn("10", "2026 Q4")), (10, first.clone()));
    assert_ne!(drawn("10", "2027 Q1"), first);
    assert_eq!(drawn("25", "2026 Q4")[..10], first);
    assert_eq!(drawn("99", "x").len(), 30);
    project.ends(2, ["report", "--seed", "x"]);
}

#[test]
fn a_period_has_both_its_ends_and_nothing_else() {
    let project = Project::applied();
    let times: Vec<String> =
        project.log().iter().map(|entry| entry["finishedAt"].as_str().unwrap().to_owned()).collect();
    let seqs = |arguments: &[&str]| -> Vec<u64> {
        let report = facts(&project, arguments);
        let rows = report["population"]["entries"].as_array().unwrap();
        rows.iter().filter(|row| row["inScope"] == true).map(|row| row["seq"].as_u64().unwrap()).collect()
    };
    assert_eq!(seqs(&["--from", &times[1], "--until", &times[2]]), [1, 2]);
    assert_eq!(seqs(&["--from", &times[2]]), [2, 3]);
    assert_eq!(seqs(&["--until", &times[0]]), [0]);
    let day = &times[0][..10];
    assert_eq!(seqs(&["--from", day, "--until", "2099-12-31"]), [0, 1, 2, 3]);
    assert_eq!(seqs(&["--until", "2000-01-01"]), [0_u64; 0]);
    // A period in which nothing ended is told with the entries that it lies between.
    let borders = |arguments: &[&str]| {
        let population = facts(&project, arguments)["population"].clone();
        assert_eq!((&population["entries"], &population["complete"]), (&json!([]), &json!(true)));
        (population["before"]["seq"].clone(), population["after"]["seq"].clone())
    };
    assert_eq!(borders(&["--until", "2000-01-01"]), (Value::Null, json!(0)));
    assert_eq!(borders(&["--from", "2099-01-01"]), (json!(3), Value::Null));
    let between = time_after(&times[1]);
    if between < times[2] {
        assert_eq!(borders(&["--from", &between, "--until", &between]), (json!(1), json!(2)));
    }
    let empty = page(&project, &["--until", "2000-01-01"]);
    assert!(empty.contains("No entry of the chain is in this scope.") && empty.contains("Entry behind"));
    assert_eq!(seqs(&["--since-seq", "1", "--until-seq", "2"]), [1, 2]);
    // The entries next to it show where it ends.
    let report = facts(&project, &["--from", &times[1], "--until", &times[2]]);
    let population = &report["population"];
    assert_eq!((&population["before"]["seq"], &population["after"]["seq"]), (&json!(0), &json!(3)));
    assert_eq!(population["after"]["finishedAt"], times[3]);
    project.ends(2, ["report", "--from", "2026-02-01", "--until", "2026-01-01"]).says(&["is before"]);
    project.ends(2, ["report", "--since-seq", "3", "--until-seq", "1"]).says(&["is before"]);
    for bad in ["2026-02-30", "today", "18446744073709551616"] {
        project.ends(2, ["report", "--from", bad]).says(&["2026-01-31"]);
    }
    project.ends(2, ["report", "--since-seq", "99999999999999999999"]);
    project.ends(2, ["report", "--since-seq", "4"]).says(&["it has entries 0 to 3"]);
    assert_eq!(seqs(&["--since-seq", "3", "--until-seq", "18446744073709551615"]), [3]);
    project.ends(2, ["report", &"b".repeat(1 << 16)]);
}

#[test]
fn a_release_is_what_its_build_ran() {
    let mut project = Project::new();
    let build = |project: &mut Project, tag: &str| {
        project.variables.retain(|(name, _)| !name.starts_with("CI_") && name != "GITLAB_CI");
        for (name, value) in [("GITLAB_CI", "true"), ("CI_COMMIT_TAG", tag), ("CI_JOB_ID", "77")] {
            project.variables.push((name.to_owned(), value.to_owned()));
        }
    };
    project.scripts(&THREE[..2]);
    build(&mut project, "v1.0.0");
    project.ok(["apply"]);
    project.scripts(&THREE[2..]);
    build(&mut project, "v1.1.0");
    project.ok(["apply"]);
    let report = facts(&project, &["--release", "v1.1.0"]);
    let seqs: Vec<&Value> = report["changes"].as_array().unwrap().iter().map(|one| &one["seq"]).collect();
    assert_eq!(seqs, [&json!(2), &json!(3)]);
    assert_eq!(report["scope"], json!({"kind": "release", "release": "v1.1.0"}));
    let run = project.ends(2, ["report", "--release", "v9"]);
    run.says(&["no entry of the chain is of the release", "--since-seq"]);
}

#[test]
fn a_gap_is_told_and_the_report_ends_with_findings() {
    let project = Project::applied();
    let log = project.log();
    let cid = |seq: usize| log[seq]["manifest"].as_str().unwrap().to_owned();
    let mut car = project.read("archive/demo.car");
    // The manifest of entry 2 names that of entry 1, which no other block does in clear.
    let place = car.windows(cid(1).len()).position(|window| window == cid(1).as_bytes()).unwrap();
    car[place + 4] ^= 1;
    project.write("gap.car", &car);
    let run = project.ends(1, ["report", "gap.car", "--format", "json"]);
    let report = run.object();
    let population = &report["population"];
    assert_eq!((&population["missing"], &population["complete"]), (&json!([2]), &json!(false)), "{report:#}");
    assert_eq!((&population["read"], &population["expected"]), (&json!(3), &json!(4)));
    assert_eq!(report["verification"]["verified"], false);
    assert_ne!(population["entries"][2]["fault"], Value::Null);
    // Nobody can say that an entry which cannot be read ended later.
    let until = log[1]["finishedAt"].as_str().unwrap();
    let run = project.ends(1, ["report", "gap.car", "--format", "json", "--until", until]);
    assert_eq!(run.object()["population"]["missing"], json!([2]));
    // Nor that it did not end in a period in which no other did.
    let then = log[2]["finishedAt"].as_str().unwrap();
    let run = project.ends(1, ["report", "gap.car", "--format", "json", "--from", then, "--until", then]);
    let population = &run.object()["population"];
    assert_eq!((&population["missing"], &population["complete"]), (&json!([2]), &json!(false)));
    let made = project.ends(1, ["report", "gap.car", "--lang", "fr"]).stdout;
    assert!(made.contains("Non vérifié") && made.contains("Cette entrée est illisible."), "{made}");
    project
        .ends(1, ["report", "gap.car", "--lang", "en"])
        .prints(&["This entry cannot be read.", "Not verified"]);
    // Findings are told in the language that was asked for, here and by `verify`.
    let french = project.ends(1, ["verify", "gap.car", "--lang", "fr"]);
    let english = project.ends(1, ["verify", "gap.car"]);
    french.prints(&[
        "octets du bloc",
        "NON vérifié : ",
        "intact      non chaque octet",
        "complet     oui tous les blocs étaient là",
        " anomalie",
    ]);
    english.prints(&["the block's bytes do not hash to its CID"]);
    assert_eq!(
        project.ends(1, ["verify", "gap.car", "--lang", "fr", "--json"]).object(),
        project.ends(1, ["verify", "gap.car", "--json"]).object()
    );
}

#[test]
fn the_language_is_that_of_the_flag_then_of_greffe_then_of_the_system() {
    let mut project = Project::applied();
    let begins = |project: &Project, arguments: &[&str], language: &str, direction: &str| {
        let made = page(project, arguments);
        let tag = format!("<html lang=\"{language}\" dir=\"{direction}\">");
        assert!(made.contains(&tag), "{arguments:?}: {}", &made[..200]);
        made
    };
    begins(&project, &[], "en", "ltr");
    project.variables.push(("LANG".to_owned(), "fr_FR.UTF-8".to_owned()));
    assert!(begins(&project, &[], "fr", "ltr").contains("Rapport de changements"));
    project.variables.push(("GREFFE_LANG".to_owned(), "ar".to_owned()));
    assert!(begins(&project, &[], "ar", "rtl").contains("تقرير التغييرات"));
    begins(&project, &["--lang", "en"], "en", "ltr");
    project.ends(2, ["report", "--lang", "de"]).says(&["en, fr, ar"]);
    // Nothing is said in another language, and no message is without its text.
    let french = page(&project, &["--lang", "fr"]);
    for english in ["Change report", "Verified:", "Population<small", "At a glance", "not said", "{", "}"] {
        let body = french.split("</style>").nth(1).unwrap();
        assert!(!body.contains(english), "{english}");
    }
}

/// What an auditor reads of verified evidence is told in French, by flag or variable, and in English otherwise.
#[test]
fn what_is_read_of_evidence_is_told_in_french() {
    let mut project = Project::applied();
    let head = project.head();
    project.ok(["evidence", "2", "--out", "two"]);
    let commands: [(&[&str], &[&str], &[&str]); 4] = [
        (
            &["verify", &head],
            &[
                "vérifié : demo, 4 entrées, depuis",
                "intact      oui chaque octet",
                "ancré       oui la chaîne est",
            ],
            &[
                "verified: demo, 4 entries, from",
                "intact      yes every byte, link and step of the story holds",
            ],
        ),
        (
            &["verify-evidence", "two"],
            &["vérifié : demo, entrée 2, application de la version 2", "ce que cette preuve n'établit pas :"],
            &["verified: demo, entry 2, apply of version 2", "not established by this evidence:"],
        ),
        (
            &["log"],
            &["entrée 3 bafy", "Événement : application 2 books", "But :       keeps the books"],
            &["entry 3 bafy", "Event:   apply 2 books", "Purpose: keeps the books"],
        ),
        (&["log", "--oneline"], &[" application 2 books", " début"], &[" apply 2 books", " genesis"]),
    ];
    let both = |project: &Project| -> Vec<(String, Value)> {
        let json = |command: &[&str]| project.json(command);
        commands.iter().map(|(command, ..)| (project.ok(*command).stdout, json(command))).collect()
    };
    let english = both(&project);
    for (((command, french, in_english), text), data) in
        commands.iter().zip(english.iter().map(|(text, _)| text)).zip(english.iter().map(|(_, data)| data))
    {
        in_english.iter().for_each(|line| assert!(text.contains(line), "{line} is not in\n{text}"));
        let flagged = [*command, &["--lang", "fr"]].concat();
        project.ok(&flagged).prints(french);
        assert_eq!(&project.json(&flagged), data, "{command:?}");
        // What Arabic has not is told in English.
        assert_eq!(&project.ok([*command, &["--lang", "ar"]].concat()).stdout, text, "{command:?}");
    }
    project.variables.push(("LANG".to_owned(), "fr_CA.UTF-8".to_owned()));
    let (by_system, words) =
        (both(&project), |text: &str| text.contains("entrée") || text.contains("application"));
    for ((text, data), (_, same)) in by_system.iter().zip(&english) {
        assert!(words(text), "{text}");
        assert_eq!(data, same);
    }
    project
        .ok(["report", "--out", "r.html"])
        .prints(&["écrit dans r.html : ", "vérifié, aucune entrée ne manque : entrées 0 à 3"]);
    project.variables.push(("GREFFE_LANG".to_owned(), "en".to_owned()));
    for ((text, _), (same, _)) in both(&project).iter().zip(&english) {
        assert_eq!(text, same);
    }
}

#[test]
fn copies_are_told_where_they_are_asked_for() {
    let project = Project::applied();
    let settings = String::from_utf8(project.read("greffe.toml")).unwrap();
    project.write(
        "greffe.toml",
        format!("{settings}\n[[replica]]\nname = \"office\"\nurl = \"car:copy.car\"\n"),
    );
    assert_eq!(facts(&project, &[])["replicas"], Value::Null);
    let nothing = facts(&project, &["--replicas"]);
    assert_eq!(nothing["replicas"][0]["entries"], Value::Null, "{nothing:#}");
    project.ok(["replicate"]);
    assert_eq!(facts(&project, &["--replicas"])["replicas"][0]["entries"], 4);
    assert!(page(&project, &["--replicas"]).contains("office"));
    project.ends(2, ["report", &project.head(), "--replicas"]).says(&["--replicas"]);
}

/// Every member of the document is told of in docs/report.md.
#[test]
fn every_member_is_documented() {
    fn members(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(object) => object.iter().for_each(|(name, value)| {
                found.insert(name.clone());
                members(value, found);
            }),
            Value::Array(items) => items.iter().for_each(|item| members(item, found)),
            _ => {}
        }
    }
    let mut report = facts(&eventful(), &["--sample", "9"]);
    // What the build and the findings have of their own is told elsewhere.
    for sheet in report["changes"].as_array_mut().unwrap() {
        sheet["run"]["ci"] = Value::Null;
    }
    let mut found = BTreeSet::new();
    members(&report, &mut found);
    let page = include_str!("../../docs/report.md");
    let spans = page.split('`').skip(1).step_by(2);
    let told: BTreeSet<&str> =
        spans.flat_map(|span| span.split(|c: char| !c.is_ascii_alphanumeric())).collect();
    let missing: Vec<&String> = found.iter().filter(|name| !told.contains(name.as_str())).collect();
    assert!(missing.is_empty(), "docs/report.md does not tell of {missing:?}");
}

/// The text of the page as a browser prints it.
fn printed(project: &Project, language: &str) -> String {
    let file = format!("{language}.html");
    project.write(&file, page(project, &["--lang", language]));
    let (page, pdf) = (project.path(&file), project.path(format!("{language}.pdf")));
    let profile = tempfile::tempdir().unwrap();
    let mut chromium = tool("chromium");
    chromium
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg("--no-pdf-header-footer")
        .arg(format!("--print-to-pdf={}", pdf.display()))
        .arg(format!("file://{}", page.display()))
        .stderr(Stdio::null());
    output_of(&mut chromium);
    output_of(tool("pdftotext").args(["-layout", "-enc", "UTF-8"]).arg(&pdf).arg("-"))
}

#[test]
fn a_browser_prints_the_page_and_runs_nothing_of_it() {
    let project = eventful();
    let english = printed(&project, "en");
    for text in [
        "demo",
        "Verified: nothing is wrong",
        "Population",
        "years of books, ticket 512",
        "alert(1)",
        "Way back",
    ] {
        let is_there = english.contains(text) || english.contains(&text.to_uppercase());
        assert!(is_there, "{text} is not in\n{english}");
    }
    let head = project.head();
    assert!(english.contains(&head), "{head} is not in\n{english}");
    let french = printed(&project, "fr");
    assert!(french.contains("aucune entrée ne manque") && !french.contains("Échantillon"), "{french}");
}
