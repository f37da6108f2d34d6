//! Timestamps as people meet them: authorities made by `openssl`, asked over HTTP, and what verification says.

#[allow(dead_code, reason = "tests of the format use the rest")]
#[path = "../timestamps/authority.rs"]
pub mod authority;
#[path = "../timestamps/front.rs"]
pub mod front;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use authority::{Authority, Identity, Workshop};
use front::{Front, Said};
use greffe::ops::ChainReader;
use greffe::ops::corroborate::{Checkpointed, Corroborated, Corroboration, corroborate};
use serde_json::Value;

use crate::project::{Project, THREE};
use crate::tools::output_of;

/// A front that answers as its authority does.
pub fn honest(authority: &Authority) -> Front {
    let authority = authority.clone();
    Front::start(move |request| Said::Answer(authority.answer(request)))
}

/// A chain whose trust document names these roots, and whose settings these services.
pub fn project(roots: &[&Identity], fronts: &[&Front]) -> Project {
    let project = Project::empty();
    let roots: Vec<String> = roots.iter().map(|root| root.certificate.display().to_string()).collect();
    let mut arguments = vec!["init", "--name", "demo", "--database", "sqlite:app.db"];
    roots.iter().for_each(|root| arguments.extend(["--authority", root]));
    project.ok(arguments);
    let mut settings = String::from_utf8(project.read("greffe.toml")).unwrap();
    for (number, front) in fronts.iter().enumerate() {
        let url = front.url();
        settings.push_str(&format!(
            "\n[[authority]]\nname = \"clock-{number}\"\nurl = \"{url}\"\ntimeout = \"2s\"\n"
        ));
    }
    project.write("greffe.toml", settings);
    project.scripts(&THREE);
    project
}

pub fn checkpointed(project: &Project) -> Checkpointed {
    ChainReader::open(&project.path("archive"), &"demo".parse().unwrap()).unwrap().checkpointed().unwrap()
}

fn report(project: &Project, code: i32) -> Value {
    project.ends(code, ["verify", &project.head(), "--json"]).object()
}

/// Adds a token to the head, whatever it is, and says whether the head took it.
fn offer(project: &Project, token: &[u8]) -> bool {
    let added = Corroboration { timestamps: vec![token.to_vec()], ..Corroboration::default() };
    let name = "demo".parse().unwrap();
    let note = checkpointed(project).note;
    let wait = Duration::from_secs(5);
    let settled = corroborate(&project.path("archive"), &name, wait, &note, added).unwrap();
    matches!(settled.done, Corroborated::Added(_))
}

/// Adds a token to the head, whatever it is.
pub fn force(project: &Project, token: &[u8]) {
    assert!(offer(project, token));
}

/// The codes and reasons of what is found.
fn found(report: &Value) -> Vec<String> {
    let findings = report["findings"].as_array().unwrap().iter();
    findings
        .map(|one| format!("{} {}", one["code"].as_str().unwrap(), one["reason"].as_str().unwrap_or("")))
        .collect()
}

/// What an authority does with a request.
type Act = Box<dyn FnMut(&[u8]) -> Said + Send>;

#[test]
fn what_a_run_archives_is_timestamped_and_verified() {
    let shop = Workshop::new();
    let root = shop.root("/O=Org/CN=root of time", "rsa:2048");
    let front = honest(&shop.authority(&root));
    let project = project(&[&root], &[&front]);
    let before = report(&project, 0);
    assert_eq!(before["established"]["timestamped"], false);
    assert_eq!(before["time"]["notBefore"]["by"], "signer");
    assert_eq!(before["time"]["notAfter"], Value::Null);
    project.ok(["apply"]);
    let asked = front.asked();
    assert_eq!(asked.len(), 1);
    assert!(asked[0].head.starts_with("POST /tsr HTTP/1.1\r\n"), "{}", asked[0].head);
    assert!(asked[0].head.to_lowercase().contains("content-type: application/timestamp-query\r\n"));
    let after = report(&project, 0);
    assert_eq!(after["established"]["timestamped"], true);
    let time = &after["time"];
    assert_eq!(time["notAfter"]["by"], "authority");
    assert_eq!(time["notAfter"]["name"], "root of time");
    assert!(time["notBefore"]["at"].as_str() <= time["notAfter"]["at"].as_str());
    let text = project.ok(["verify", &project.head()]).stdout;
    assert!(text.contains("(the timestamp authority root of time says)"), "{text}");
    // A second time nobody is asked: the head has what it may have.
    let head = project.head();
    let said = project.ok(["timestamp"]).stdout;
    assert!(said.contains(&head) && said.contains("1 timestamp(s)") && front.asked().is_empty(), "{said}");
    // A copy in another place says the same.
    project.ok(["export", "--out", "copy.car"]);
    let copy = project.ok(["verify", "copy.car", "--json"]).object();
    assert_eq!((&copy["established"]["timestamped"], &copy["time"]), (&Value::Bool(true), time));

    // Programs of others take the token out of the head.
    let Checkpointed { note, timestamps, .. } = checkpointed(&project);
    project.write("token", &timestamps[0]);
    project.write("data", &note.signatures[0].signature);
    project.write("request", &asked[0].body);
    let root = root.certificate.to_str().unwrap();
    let verify = ["ts", "-verify", "-data", "data", "-token_in", "-in", "token", "-CAfile", root];
    authority::openssl(project.folder(), verify, &[]);
    let python = std::env::var_os("GREFFE_TEST_TIMESTAMPS").expect(
        "GREFFE_TEST_TIMESTAMPS names a Python with rfc3161-client: run tests/run, which installs it",
    );
    let check = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/timestamps/check.py");
    let mut command = Command::new(python);
    command.arg(check).args(["request", "token", root, "data"]).current_dir(project.folder());
    assert_eq!(output_of(&mut command), "verified\n");
}

#[test]
fn several_authorities_each_give_one_and_the_first_bounds_the_time() {
    let shop = Workshop::new();
    let (first, second) = (shop.root("/CN=first", "P-256"), shop.root("/CN=second", "P-384"));
    let (fast, slow) = (honest(&shop.authority(&first)), honest(&shop.authority(&second)));
    let project = project(&[&first, &second], &[&fast, &slow]);
    slow.acts(|_| Said::Status(503, "later"));
    project.ends(4, ["apply"]).says(&[
        "note: archived, not yet timestamped by clock-1: it answered with status 503: later",
        "hint: the next run asks again; `greffe timestamp` does so now",
    ]);
    let early = report(&project, 0);
    assert_eq!(
        (&early["established"]["timestamped"], checkpointed(&project).timestamps.len()),
        (&Value::Bool(true), 1)
    );
    let authority = shop.authority(&second);
    slow.acts(move |request| Said::Answer(authority.answer(request)));
    // A run that archives nothing more asks again.
    project.ok(["apply"]);
    assert_eq!(checkpointed(&project).timestamps.len(), 2);
    assert_eq!(report(&project, 0)["time"], early["time"]);
    // The next entry makes another head, which has nothing yet but what both say of it.
    project.ok(["rollback", "--steps", "1"]);
    assert_eq!(checkpointed(&project).timestamps.len(), 2);
    assert_eq!(report(&project, 0)["established"]["timestamped"], true);
}

#[test]
fn what_is_no_token_of_ours_is_told_and_changes_nothing() {
    let shop = Workshop::new();
    let (root, other) = (shop.root("/CN=root", "P-256"), shop.root("/CN=root", "P-256"));
    let (good, stranger) = (shop.authority(&root), shop.authority(&other));
    let front = honest(&good);
    let project = project(&[&root], &[&front]);
    front.acts(move |request| Said::Answer(stranger.answer(request)));
    let run = project.ends(4, ["apply", "--json"]);
    assert!(run.object()["error"].is_null());
    run.says(&["no authority of the trust document vouches for it"]);
    assert_eq!(project.story().len(), 4);
    let (before, head) = (report(&project, 0), project.head());
    assert_eq!(before["established"]["timestamped"], false);
    let refused = |act: Act, said: &str| {
        front.acts(act);
        let begin = Instant::now();
        let run = project.ends(4, ["timestamp"]);
        assert!(run.stdout.contains(said), "{said}: {run:#?}");
        assert!(begin.elapsed() < Duration::from_secs(20), "{said}: {:?}", begin.elapsed());
        assert_eq!(project.head(), head);
    };
    // Another nonce: the answer to an older request.
    let old = good.answer(&front.asked()[0].body);
    refused(Box::new(move |_| Said::Answer(old.clone())), "it does not answer this request");
    let authority = good.clone();
    let rejected = move |request: &[u8]| {
        // Something that is no request.
        Said::Answer(authority.answer(&request[..request.len() - 4]))
    };
    refused(Box::new(rejected), "the authority refused: status 2, rejected");
    refused(Box::new(|_| Said::Endless), "it sent more than 65536 bytes");
    refused(Box::new(|_| Said::Slow), "it did not answer within 2s");
    let authority = good.clone();
    let truncated = move |request: &[u8]| {
        let answer = authority.answer(request);
        Said::Answer(answer[..answer.len() - 1].to_vec())
    };
    refused(Box::new(truncated), "it is not one that RFC 3161 describes");
    refused(Box::new(|_| Said::Answer(b"<html>\x1b[31m".to_vec())), "it is not one that RFC 3161 describes");
    refused(Box::new(|_| Said::Status(404, "no \x1b[31msuch")), "it answered with status 404: no [31msuch");
    let authority = good.clone();
    front.acts(move |request| Said::Answer(authority.answer(request)));
    project.ok(["timestamp"]);
    assert_eq!(report(&project, 0)["established"]["timestamped"], true);
}

#[test]
fn nobody_is_asked_without_a_root_to_judge_by() {
    let shop = Workshop::new();
    let root = shop.root("/CN=root", "P-256");
    let front = honest(&shop.authority(&root));
    let project = project(&[], &[&front]);
    project
        .ends(4, ["apply"])
        .says(&["the trust document names no timestamp authority", "hint: have its root"]);
    project.ends(2, ["timestamp"]).says(&["the trust document names no timestamp authority"]);
    assert!(front.asked().is_empty());
    let bare = Project::applied();
    bare.ends(2, ["timestamp"]).says(&["there is no timestamp authority to ask", "[[authority]]"]);
    let other = Project::empty();
    other.write("root.pem", "nothing");
    let init = ["init", "--name", "demo", "--database", "sqlite:app.db", "--authority", "root.pem"];
    other.ends(2, init).says(&["root.pem: an authority is one X.509 certificate in PEM"]);
}

#[test]
fn a_service_is_let_in_by_a_secret_that_nothing_shows() {
    let shop = Workshop::new();
    let root = shop.root("/CN=root", "P-256");
    let front = honest(&shop.authority(&root));
    let mut project = project(&[&root], &[&front]);
    let settings = String::from_utf8(project.read("greffe.toml")).unwrap();
    project.write("greffe.toml", settings.replace("timeout = \"2s\"", "authorization = \"env:CLOCK\""));
    project.ends(2, ["apply"]).says(&["authority clock-0: `authorization` is `env:CLOCK`"]);
    assert_eq!(project.story().len(), 1);
    project.variables.push(("CLOCK".to_owned(), "bearer:geheim-of-the-clock".to_owned()));
    project.secrets.push("geheim-of-the-clock".to_owned());
    project.ok(["apply"]);
    assert!(front.asked()[0].head.contains("Bearer geheim-of-the-clock"));
    front.acts(|_| Said::Status(500, "Bearer geheim-of-the-clock is not known here"));
    project.ends(4, ["rollback", "--steps", "1"]);
    // A secret does not leave this machine in clear.
    let settings = String::from_utf8(project.read("greffe.toml")).unwrap();
    project.write("greffe.toml", settings.replace(&front.url(), "http://tsa.example/"));
    project.ends(2, ["timestamp"]).says(&["plain `http:` to another machine"]);
}

#[test]
fn bad_tokens_in_a_head_are_findings_and_one_is_enough() {
    let shop = Workshop::new();
    let (root, other) = (shop.root("/CN=root", "P-256"), shop.root("/CN=other", "P-256"));
    let (good, stranger) = (shop.authority(&root), shop.authority(&other));
    let front = honest(&good);
    let project = project(&[&root], &[&front]);
    project.ok(["apply"]);
    let request = front.asked().remove(0).body;
    let token = checkpointed(&project).timestamps.remove(0);
    assert_eq!(report(&project, 0)["established"]["timestamped"], true);
    let other_request =
        greffe::codec::timestamp::encode_request(&greffe::crypto::Digest::of(b"other"), &[1; 8]);
    let mut flipped = token.clone();
    *flipped.last_mut().unwrap() ^= 1;
    let expired = shop.issue(Some(&root), authority::Made { window: authority::PAST, ..Default::default() });
    let expired = shop.authority_of(expired, "");
    for (bad, reason) in [
        (stranger.token(&request), "other-authority"),
        (good.token(&other_request), "other-bytes"),
        (expired.token(&request), "window"),
        (flipped, "signature"),
        (token[..token.len() - 1].to_vec(), "malformed"),
    ] {
        let copy = project.copy();
        force(&copy, &bad);
        let report = report(&copy, 1);
        assert_eq!(found(&report), [format!("timestamp {reason}")]);
        assert_eq!(report["findings"][0]["token"], 1);
        assert_eq!(report["established"]["timestamped"], false, "{reason}");
        // What the good one says stays true.
        assert_eq!(report["time"]["notAfter"]["by"], "authority");
        assert_eq!(report["established"]["intact"], true);
    }
    // One more of the same authority says nothing that the first does not.
    assert!(!offer(&project.copy(), &good.token(&request)));
    // A head takes no more of them than are looked at.
    let many = project.copy();
    for number in 0..40u32 {
        assert_eq!(offer(&many, &number.to_be_bytes()), number < 31, "{number}");
    }
    assert_eq!(found(&report(&many, 1)), vec!["timestamp malformed"; 31]);
}

#[test]
fn token_before_the_newest_entry() {
    let shop = Workshop::new();
    let root = shop.root("/CN=root", "P-256");
    // A clock that shows whole seconds, and says that it does not know better.
    let identity = shop.issue(Some(&root), authority::Made::default());
    let clock = shop.authority_of(identity, "clock_precision_digits = 0\naccuracy = secs:1");
    let front = honest(&clock);
    let project = project(&[&root], &[&front]);
    // Of several runs one ends in the middle of a second.
    for _ in 0..10 {
        project.ok(["apply"]);
        let report = project.run(["verify", &project.head(), "--time-tolerance", "0s", "--json"]).object();
        if report["verified"] == false {
            assert!(found(&report).contains(&"timestamp early".to_owned()), "{report:#}");
            assert_eq!(report["established"]["timestamped"], false);
            project.verify();
            return;
        }
        project.ok(["rollback", "--steps", "3"]);
    }
    panic!("every run ended on a second");
}

#[test]
fn a_copy_has_the_head_with_its_timestamps() {
    let shop = Workshop::new();
    let root = shop.root("/CN=root", "P-256");
    let front = honest(&shop.authority(&root));
    let project = project(&[&root], &[&front]);
    fs::create_dir(project.path("copy")).unwrap();
    let settings = String::from_utf8(project.read("greffe.toml")).unwrap();
    project.write("greffe.toml", settings + "\n[[replica]]\nname = \"usb\"\nurl = \"archive:copy\"\n");
    project.ok(["apply"]);
    let copied = project.ok(["--archive", "copy", "head"]).stdout;
    assert_eq!(copied.trim(), project.head());
    let report = project.ok(["--archive", "copy", "verify", copied.trim(), "--json"]).object();
    assert_eq!(report["established"]["timestamped"], true);
}
