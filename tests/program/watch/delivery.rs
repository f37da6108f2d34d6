//! Alerts on their way: to those who never answer, who come back, an Alertmanager, a mail server.

use std::time::{Duration, Instant};

use super::sinks::{Alertmanager, MailServer, endless};
use super::{Watched, add, findings, told};
use crate::project::Project;
use crate::servers::{LIMIT, poll};

const ANSWER: &str = "HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n";

fn drifted(settings: &str) -> Watched {
    let watched = Watched::new(Project::applied(), settings);
    watched.project.sql("CREATE TABLE intruder (id INTEGER)");
    watched
}

#[test]
fn a_webhook_that_never_answers_holds_nothing_up_and_gets_its_alert_later() {
    let watched = drifted("");
    add(&watched.project, "timeout = \"1s\"\n");
    watched.hook.answers(None);
    let begin = Instant::now();
    let run = watched.project.ends(1, ["watch", "--once", "--json"]);
    assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
    assert_eq!((findings(&run), &run.object()["owed"]), (vec!["schema-out-of-band".to_owned()], &1.into()));
    run.says(&["warning: alert hook: ", "it is tried again"]);
    watched.hook.answers(Some(
        "HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
    ));
    // A refusal is tried again, too, in a new process.
    assert!(poll(LIMIT, || {
        watched.project.ends(1, ["watch", "--once"]);
        !watched.hook.requests().is_empty()
    }));
    watched.hook.answers(Some(ANSWER));
    assert!(poll(LIMIT, || { watched.project.ends(1, ["watch", "--once", "--json"]).object()["owed"] == 0 }));
    // The event has the same identifier each time.
    let events = watched.hook.events();
    assert!(events.len() >= 2 && events.iter().all(|event| event["id"] == events[0]["id"]), "{events:#?}");
}

#[test]
fn ten_thousand_findings_are_a_few_alerts() {
    let project = Project::applied();
    for number in 0..200 {
        project
            .script(&format!("{}_t.up.sql", 100 + number), format!("CREATE TABLE t{number} (id INTEGER);\n"));
    }
    project.ok(["apply"]);
    let watched = Watched::new(project, "");
    for number in 0..200 {
        watched.project.script(&format!("{}_t.up.sql", 100 + number), "SELECT 1;\n");
    }
    let events = watched.once(1);
    assert_eq!(events.len(), 21, "{:?}", events.iter().map(told).collect::<Vec<_>>());
    let others = events.iter().find(|event| event["subject"] == "others").unwrap();
    assert!(others["data"]["parameters"]["count"].as_u64().unwrap() >= 180, "{others:#}");
    assert_eq!(watched.codes(1), [""; 0]);
}

#[test]
fn channels_that_answer_byte_by_byte_or_without_end_take_one_limit_of_time() {
    const BYTE: Duration = Duration::from_millis(100);
    const MANY: &[u8] = &[b'a'; 1 << 16];
    let watched = Watched::new(Project::applied(), "");
    for number in 0..30 {
        watched
            .project
            .script(&format!("{}_t.up.sql", 100 + number), format!("CREATE TABLE t{number} (id INTEGER);\n"));
    }
    watched.project.ok(["apply"]);
    for number in 0..30 {
        watched.project.script(&format!("{}_t.up.sql", 100 + number), "SELECT 1;\n");
    }
    let head = "HTTP/1.1 200 OK\r\nx: ";
    let urls = [
        format!("webhook:http://127.0.0.1:{}/", endless(head, b"a", BYTE)),
        format!("alertmanager:http://127.0.0.1:{}", endless(head, b"a", BYTE)),
        format!("smtp://127.0.0.1:{}", endless("220-", b"a", BYTE)),
        format!("webhook:http://127.0.0.1:{}/", endless("HTTP/1.1 200 OK\r\n\r\n", MANY, Duration::ZERO)),
        format!("smtp://127.0.0.1:{}", endless("", b"220-more\r\n", Duration::ZERO)),
    ];
    for (number, url) in urls.iter().enumerate() {
        let people =
            if url.starts_with("smtp") { "from = \"a@example.org\"\nto = [\"b@example.org\"]\n" } else { "" };
        let alert =
            format!("[[watch.alert]]\nname = \"bad{number}\"\nurl = \"{url}\"\ntimeout = \"2s\"\n{people}");
        add(&watched.project, &alert);
    }
    let begin = Instant::now();
    let run = watched.project.ends(1, ["watch", "--once", "--json"]);
    // Twenty-one alerts for each: what is behind the first waits with it.
    assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
    assert_eq!(run.object()["owed"], 5 * 21);
    for number in 0..5 {
        assert_eq!(run.stderr.matches(&format!("alert bad{number}: ")).count(), 1, "{}", run.stderr);
    }
    assert_eq!(watched.hook.events().len(), 21, "the others are told");
}

#[test]
fn an_alertmanager_that_lost_its_memory_is_told_again_of_what_lasts() {
    let manager = Alertmanager::start();
    let watched = drifted("");
    add(
        &watched.project,
        &format!("[[watch.alert]]\nname = \"manager\"\nurl = \"alertmanager:{}\"\n", manager.url()),
    );
    watched.project.ends(1, ["watch", "--once"]);
    let began = manager.alerts()[0]["startsAt"].clone();
    let manager = manager.without_memory();
    assert_eq!(manager.alerts().len(), 0);
    watched.project.ends(1, ["watch", "--once"]);
    assert_eq!(manager.alerts()[0]["startsAt"], began);
    // The webhook remembers.
    assert_eq!(watched.hook.events().len(), 1);
    watched.project.sql("DROP TABLE intruder");
    watched.project.ok(["watch", "--once"]);
    assert!(poll(LIMIT, || manager.alerts().is_empty()), "{:#?}", manager.alerts());
}

#[test]
fn an_alertmanager_holds_a_finding_until_it_is_over() {
    let manager = Alertmanager::start();
    let watched = drifted("");
    add(
        &watched.project,
        &format!("[[watch.alert]]\nname = \"manager\"\nurl = \"alertmanager:{}\"\n", manager.url()),
    );
    watched.project.ends(1, ["watch", "--once"]);
    let alerts = manager.alerts();
    assert_eq!(alerts.len(), 1, "{alerts:#?}");
    let labels = &alerts[0]["labels"];
    assert_eq!(
        (&labels["alertname"], &labels["code"]),
        (&"GreffeFinding".into(), &"schema-out-of-band".into())
    );
    assert_eq!((&labels["chain"], &labels["severity"]), (&"demo".into(), &"critical".into()));
    watched.project.ends(1, ["watch", "--once"]);
    assert_eq!(manager.alerts().len(), 1);
    watched.project.sql("DROP TABLE intruder");
    watched.project.ok(["watch", "--once"]);
    assert!(poll(LIMIT, || manager.alerts().is_empty()), "{:#?}", manager.alerts());
}

#[test]
fn a_mail_server_gets_one_mail_for_a_finding_and_one_for_its_end() {
    let server = MailServer::start();
    let watched = drifted("");
    let mail = format!(
        "[[watch.alert]]\nname = \"mail\"\nurl = \"{}\"\nfrom = \"Greffe <greffe@example.org>\"\nto = [\"ops@example.org\", \"dpo@example.org\"]\n",
        server.url()
    );
    add(&watched.project, &mail);
    watched.project.ends(1, ["watch", "--once"]);
    let text = server.mail(0);
    for part in [
        "X-From: greffe@example.org",
        "X-To: ops@example.org, dpo@example.org",
        "Subject: [greffe demo] critical: schema-out-of-band, schema",
        "Auto-Submitted: auto-generated",
        "chain: demo (",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    watched.project.ends(1, ["watch", "--once"]);
    watched.project.sql("DROP TABLE intruder");
    watched.project.ok(["watch", "--once"]);
    assert!(server.mail(1).contains("It is not found any more."), "{}", server.mail(1));
    assert_eq!(server.count(), 2);
}

/// A channel speaks its own language, `watch` that of the flag, and what is data stays as it is.
#[test]
fn alerts_are_told_in_the_language_of_whoever_gets_them() {
    let server = MailServer::start();
    let watched = drifted("");
    let mail = format!(
        "[[watch.alert]]\nname = \"mail\"\nurl = \"{}\"\nfrom = \"greffe@example.org\"\nto = [\"ops@example.org\"]\nlang = \"fr\"\n",
        server.url()
    );
    add(&watched.project, &mail);
    let english = watched.project.ends(1, ["watch", "--once"]);
    english.prints(&["critical      schema-out-of-band", "demo: 1 finding\n"]);
    let text = server.mail(0);
    for part in [
        "Subject: [greffe demo] critique : schema-out-of-band, schema",
        // In quoted-printable.
        "schema : le sch=C3=A9ma en service",
        "cha=C3=AEne : demo (",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let french = watched.project.ends(1, ["watch", "--once", "--lang", "fr"]);
    french.prints(&["critique      schema-out-of-band", "demo : 1 anomalie\n"]);
    let data = |arguments: &[&str]| {
        let mut data = watched.project.ends(1, arguments).object();
        data["looks"].take();
        data["at"].take();
        data
    };
    let once = ["watch", "--once", "--json"];
    assert_eq!(data(&[&once[..], &["--lang", "fr"]].concat()), data(&once));
    watched.project.sql("DROP TABLE intruder");
    watched.project.ok(["watch", "--once", "--lang", "fr"]).prints(&["demo : rien à signaler\n"]);
    assert!(
        server.mail(1).contains("Subject: [greffe demo] termin=C3=A9") || server.mail(1).contains("=?utf-8?")
    );
}

#[test]
fn settings_that_are_wrong_are_told_before_anything_is_looked_at() {
    let project = Project::applied();
    let settings = String::from_utf8(project.read("greffe.toml")).unwrap();
    for (text, told) in [
        (
            "[watch]\nintervall = \"5s\"\n",
            "`watch.intervall` is no member of it; the nearest one is `interval`",
        ),
        (
            "[[watch.alert]]\nname = \"a\"\nurl = \"webhook:http://a.example/\"\n",
            "plain `http:` to another machine",
        ),
        (
            "[[watch.alert]]\nname = \"a\"\nurl = \"webhook:https://a.example/\"\nsecret = \"env:NOT_THERE\"\n",
            "`secret` is `env:NOT_THERE`, but",
        ),
        ("[[watch.alert]]\nname = \"a\"\nurl = \"smtps://a.example\"\n", "`watch.alert.from` is missing"),
    ] {
        project.write("greffe.toml", format!("{settings}\n{text}"));
        project.ends(2, ["watch", "--once"]).says(&[told]);
    }
    project.write("greffe.toml", &settings);
    project.ends(2, ["watch", "--interval", "soon"]).says(&["`--interval` is no duration"]);
    project
        .ends(2, ["watch", "--listen", "0.0.0.0:0"])
        .says(&["can be reached from other machines", "`--public`"]);
    project.write("greffe.watch.json", "{");
    project.ends(3, ["watch", "--once"]).says(&["is not what `greffe watch` wrote"]);
}
