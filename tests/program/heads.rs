//! `greffe head --all`: what was vouched for before, and stays in sight when the next head comes.

use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::project::Project;
use crate::timestamps::authority::Workshop;
use crate::timestamps::{honest, project};
use crate::witness::{Serving, ask, log_vkey};

/// The heads of a run, the newest first.
fn heads(object: &Value) -> Vec<Value> {
    object["heads"].as_array().unwrap().clone()
}

#[test]
fn heads_that_were_say_who_vouched_for_them_and_when() {
    let shop = Workshop::new();
    let root = shop.root("/O=Org/CN=root of time", "P-256");
    let front = honest(&shop.authority(&root));
    let project = project(&[&root], &[&front]);
    let home = Project::empty();
    let witness = Serving::start(&home, &[&log_vkey(&project)]);
    let begun = project.ok(["head", "--all"]);
    begun.prints(&[&project.head(), ": 1 entries", "nobody else vouched for it"]);
    ask(&project, "ours", &witness.vkey, &witness.url);
    project.ok(["apply"]);
    let older = project.head();
    thread::sleep(Duration::from_millis(1100));
    project.script("4_more.sql", "CREATE TABLE more (id INTEGER);");
    project.ok(["apply"]);
    let object = project.json(&["head", "--all"]);
    assert_eq!((object["head"].as_str(), object["more"].as_u64()), (Some(&*project.head()), Some(0)));
    let all = heads(&object);
    let find = |head: &str| all.iter().find(|one| one["head"] == head).unwrap().clone();
    let (was, is) = (find(&older), find(&project.head()));
    assert_eq!((&was["entries"], &is["entries"]), (&4.into(), &5.into()));
    for head in [&was, &is] {
        assert_eq!(head["cosignatures"].as_array().unwrap().len(), 1, "{head:#}");
        let line = &head["cosignatures"][0];
        assert_eq!((&line["witness"], &line["standing"]), (&"ours".into(), &"verified".into()));
        let token = &head["timestamps"][0];
        assert_eq!((&token["verified"], &token["authority"]), (&true.into(), &"root of time".into()));
        assert_eq!((&head["continued"], head["signedBy"].is_string()), (&true.into(), true));
    }
    // What was said of the older one bounds it closer than anything that is said of the newer one.
    assert!(was["notAfter"]["at"].as_str() < is["notAfter"]["at"].as_str(), "{was:#}{is:#}");
    assert_eq!(all.last().unwrap()["notAfter"], Value::Null);
    let text = project.ok(["head", "--all"]).stdout;
    for part in ["cosigned    by ours at ", "stamped     by root of time at ", "there by    "] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let some = project.json(&["head", "--all", "-n", "1"]);
    assert_eq!((heads(&some).len(), some["more"].as_u64()), (1, Some(all.len() as u64 - 1)));
    project.ends(2, ["head", "-n", "1"]).says(&["--all"]);

    // Somebody who has no settings, and names the witness.
    let elsewhere = Project::empty();
    std::fs::create_dir(elsewhere.path("archive")).unwrap();
    std::fs::copy(project.path("archive/demo.car"), elsewhere.path("archive/demo.car")).unwrap();
    let newest = heads(&elsewhere.json(&["--name", "demo", "head", "--all"]))[0].clone();
    assert_eq!(newest["cosignatures"][0]["standing"], "unknown");
    assert_eq!(newest["notAfter"]["by"], "authority");
    elsewhere.write("policy", format!("witness town-hall {}\nquorum none\n", witness.vkey));
    let run = elsewhere.ok(["--name", "demo", "head", "--all", "--policy", "policy"]);
    run.prints(&["cosigned    by town-hall at "]);
    elsewhere.ends(2, ["--name", "demo", "head", "--all", "--policy", "absent"]).says(&["absent", "hint:"]);

    // Rewritten, an archive has its newest head alone.
    project.ok(["compact"]);
    assert_eq!(heads(&project.json(&["head", "--all"])).len(), 1);
}

#[test]
fn what_a_witness_cosigned_before_a_theft_stays_in_sight_after_it() {
    let (home, project) = (Project::empty(), Project::with(&crate::project::THREE[..2]));
    let witness = Serving::start(&home, &[&log_vkey(&project)]);
    ask(&project, "ours", &witness.vkey, &witness.url);
    project.ok(["apply"]);
    let before = project.head();
    // The thief signs with the only key, and shows it to no witness.
    let settings = String::from_utf8(project.read("greffe.toml")).unwrap();
    project.write("greffe.toml", settings.replace(&witness.url, "http://127.0.0.1:9"));
    project.scripts(&crate::project::THREE[2..4]);
    project.ok(["apply"]);
    let all = heads(&project.json(&["head", "--all"]));
    assert_eq!((&all[0]["entries"], &all[0]["notAfter"]), (&3.into(), &Value::Null));
    let vouched = all.iter().find(|head| head["notAfter"].is_object()).unwrap();
    assert_eq!((vouched["head"].as_str(), &vouched["entries"]), (Some(&*before), &2.into()));
    assert_eq!(vouched["notAfter"]["name"], "ours");
}

#[test]
fn a_cosignature_of_another_checkpoint_is_told() {
    let (home, project) = (Project::empty(), Project::with(&crate::project::THREE[..2]));
    let witness = Serving::start(&home, &[&log_vkey(&project)]);
    ask(&project, "ours", &witness.vkey, &witness.url);
    project.ok(["apply"]);
    let name = "demo".parse().unwrap();
    let open = || greffe::ops::ChainReader::open(&project.path("archive"), &name).unwrap();
    let line = open().checkpointed().unwrap().note.signatures[1].clone();
    let settings = String::from_utf8(project.read("greffe.toml")).unwrap();
    project.write("greffe.toml", settings.replace(&witness.url, "http://127.0.0.1:9"));
    project.scripts(&crate::project::THREE[2..4]);
    project.ok(["apply"]);
    project.ok(["head", "--all"]);
    let added = greffe::ops::corroborate::Corroboration { cosignatures: vec![line], timestamps: Vec::new() };
    let (folder, note) = (project.path("archive"), open().checkpointed().unwrap().note);
    greffe::ops::corroborate::corroborate(&folder, &name, Duration::from_secs(5), &note, added).unwrap();
    let run = project.ends(1, ["head", "--all", "--json"]);
    let newest = heads(&run.object())[0].clone();
    assert_eq!((&newest["cosignatures"][0]["standing"], &newest["notAfter"]), (&"bad".into(), &Value::Null));
    project.ends(1, ["head", "--all"]).prints(&["NOT over this checkpoint"]);
}
