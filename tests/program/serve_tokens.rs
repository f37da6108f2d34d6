//! `greffe serve` to holders of tokens, and to those who guess: what is told, what is refused, and what is written down.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::accesses::accesses;
use crate::project::{Project, Run};
use crate::serve::{Answer, Served};
use crate::servers::{LIMIT, poll};
use crate::tools::runs_all;

const ALL: &str = "status,heads,report,queue,accesses";

fn token(project: &Project, scopes: &str) -> String {
    let run = project.ok(["token", "new", "--scope", scopes]);
    run.stdout.trim().to_owned()
}

fn with_token(server: &Served, path: &str, token: &str) -> Answer {
    server.ask("GET", path, &[("Authorization", &format!("Bearer {token}"))])
}

/// The lines of an access log.
fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Ends a server, so that all is written down.
fn end(mut server: Served) -> String {
    server.signal("TERM");
    let (code, said) = server.end();
    assert_eq!(code, 0, "{said}");
    said
}

/// Fails when a token, or what makes it one, is in a text.
fn tells_no_token(token: &str, text: &str) {
    assert!(!text.contains(&token["greffe_".len()..]), "a token in {text}");
}

#[test]
fn a_token_is_shown_once_and_kept_as_its_digest() {
    let project = Project::applied();
    let run: Run = project.ok(["token", "new", "--scope", "status", "--scope", "report", "--for", "30d"]);
    let text = run.stdout.trim();
    assert!(text.starts_with("greffe_") && text.len() == 50, "{run:#?}");
    tells_no_token(text, &run.stderr);
    run.says(&["only time that it is shown"]);
    let file = project.path("greffe.tokens");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    tells_no_token(text, &std::fs::read_to_string(&file).unwrap());
    let listed = project.json(&["token", "list"]);
    let one = &listed["tokens"][0];
    let holder = project.json(&["show", "0"])["event"]["actor"]["pseudonym"].clone();
    assert_eq!((&one["scopes"], &one["counts"]), (&json!(["status", "report"]), &json!(true)));
    assert_eq!((&one["holder"], listed["tokens"].as_array().unwrap().len()), (&holder, 1));
    tells_no_token(text, &listed.to_string());
    project.ok(["token", "list"]).prints(&["status,report", "until"]);
    let id = one["id"].as_str().unwrap();
    project.ok(["token", "revoke", id]).prints(&["revoked"]);
    project.ok(["token", "revoke", id]);
    assert_eq!(project.json(&["token", "list"])["tokens"][0]["counts"], false);
    project.ends(2, ["token", "revoke", "00000000"]).says(&["no token of that name", "token list"]);
    for bad in [
        &["token", "new"][..],
        &["token", "new", "--scope", "all"],
        &["token", "new", "--scope", "status", "--for", "400d"],
        &["token", "new", "--scope", "status", "--for", "0d"],
        &["token", "new", "--scope", "status", "--holder", "jean"],
    ] {
        project.ends(2, bad);
    }
    assert_eq!(project.json(&["token", "new", "--scope", "heads"])["scopes"], json!(["heads"]));
    // Others may not read it, and are told of where they can.
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    project.ok(["token", "list"]).says(&["others on this machine may use the tokens", "chmod 600"]);
    project.write("greffe.tokens", "{");
    project.ends(3, ["token", "list"]).says(&["greffe.tokens cannot be read"]);
    project.ends(3, ["token", "new", "--scope", "heads"]);
    assert_eq!(project.read("greffe.tokens"), b"{");
}

#[test]
fn holders_are_told_what_their_scopes_name() {
    let project = Project::applied();
    project.ok(["audit"]);
    let token = token(&project, ALL);
    let server = Served::start(&project, &[]);
    let of = |what: &str| with_token(&server, &format!("/api/v1/chains/demo{what}"), &token);
    let (head, chain) = (project.head(), project.json(&["show", "0"])["manifest"].clone());
    let standing = json!({ "name": "demo", "chain": chain, "head": head, "entries": 4 });
    assert_eq!(of("").is(200).json(), standing);
    let chains = with_token(&server, "/api/v1/chains", &token);
    assert_eq!(chains.is(200).json(), json!({ "chains": [standing] }));
    assert_eq!((chains.header("cache-control"), chains.header("vary")), ("no-store", "Authorization"));
    let mut report = project.json(&["verify", &head, "--no-memory"]);
    report.as_object_mut().unwrap().remove("command");
    let found = of("/report").is(200).json();
    assert_eq!((&found["verified"], &found["head"]), (&json!(true), &report["head"]));
    assert_eq!(found["established"], report["established"]);
    let heads = of("/heads?limit=2").is(200).json();
    assert_eq!((heads["heads"].as_array().unwrap().len(), &heads["head"]), (2, &json!(head)));
    assert_eq!(of("/queue").is(200).json(), json!({ "head": head, "behind": 0, "replicas": [] }));
    of("/accesses").is(200);
    for (path, status) in [
        ("/heads?limit=0", 400),
        ("/heads?limit=99999999999999999999", 400),
        ("/accesses?since=yesterday", 400),
        ("/accesses?since=2026-01-01&until=2026-12-31", 200),
        ("/none", 404),
    ] {
        of(path).is(status);
    }
    for name in ["other", "..", "%2e%2e%2fdemo", "demo%00", &"a".repeat(5000)] {
        with_token(&server, &format!("/api/v1/chains/{name}/report"), &token).is(404);
    }
    // A chain that grew has another report.
    project.script("4_more.up.sql", "CREATE TABLE more (id INTEGER);\n");
    project.ok(["apply"]);
    assert_eq!(of("/report").is(200).json()["entries"], 5);
}

#[test]
fn without_the_right_token_nothing_is_told() {
    let project = Project::applied();
    let narrow = token(&project, "status");
    let server = Served::start(&project, &[]);
    let ask = |token: &str| with_token(&server, "/api/v1/chains/demo/report", token);
    let missing = server.get("/api/v1/chains/demo/report");
    assert_eq!(missing.is(401).header("www-authenticate"), "Bearer realm=\"greffe\"");
    let wrong = ask(&format!("greffe_{}", "A".repeat(43)));
    assert!(wrong.is(401).header("www-authenticate").contains("invalid_token"));
    let scope = ask(&narrow);
    assert!(scope.is(403).header("www-authenticate").contains("scope=\"report\""));
    for answer in [&missing, &wrong, &scope] {
        assert_eq!(answer.header("cache-control"), "no-store");
        tells_no_token(&narrow, &format!("{answer:?}"));
    }
    with_token(&server, "/api/v1/chains/demo", &narrow).is(200);
    for query in ["access_token=", "token=", ""] {
        let in_url = server.get(&format!("/api/v1/chains/demo?{query}{narrow}")).is(400).text();
        assert!(in_url.contains("never in a URL"), "{in_url}");
        tells_no_token(&narrow, &in_url);
    }
    // Blocks are public all the same; a running server learns of a revocation.
    server.get(&format!("/ipfs/{}?format=raw", project.head())).is(200);
    let id = project.json(&["token", "list"])["tokens"][0]["id"].as_str().unwrap().to_owned();
    project.ok(["token", "revoke", &id]);
    let revoked = || with_token(&server, "/api/v1/chains/demo", &narrow).status == 401;
    assert!(poll(LIMIT, revoked), "a revoked token counts");
}

#[test]
fn where_everything_needs_a_token_nothing_is_public() {
    let project = Project::applied();
    let reader = token(&project, "read");
    let other = token(&project, "status");
    let server = Served::start(&project, &["--require-token"]);
    let block = format!("/ipfs/{}?format=raw", project.head());
    for path in
        [block.as_str(), "/log/checkpoint", "/openapi.json", "/routing/v1/providers/bafkqaaa", "/nothing"]
    {
        server.get(path).is(401);
        server.ask("HEAD", path, &[]).is(401);
    }
    with_token(&server, &block, &other).is(403);
    let answer = with_token(&server, &block, &reader);
    // Nobody else's cache keeps it.
    assert!(answer.is(200).header("cache-control").starts_with("private, max-age="), "{answer:?}");
    assert!(
        answer.headers["vary"].contains("Authorization") || answer.header("vary") == "Accept",
        "{answer:?}"
    );
    with_token(&server, "/nothing", &reader).is(404);
    with_token(&server, "/log/checkpoint", &reader).is(200);
}

#[test]
fn a_token_that_is_guessed_ten_thousand_times_is_not_found() {
    let project = Project::applied();
    let right = token(&project, ALL);
    let log = project.path("access.jsonl");
    let server = Served::start(&project, &["--rate", "0", "--access-log", "access.jsonl"]);
    let mut stream = server.connect();
    let (mut counted, mut buffer) = (std::collections::BTreeMap::new(), vec![0; 64 << 10]);
    for number in 0..10_000u32 {
        // Half of them begin as the right one does.
        let guess = match number % 2 {
            0 => format!("greffe_{number:043}"),
            _ => format!("{}{number:05}", &right[..45]),
        };
        let request = format!(
            "GET /api/v1/chains HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {guess}\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        // As the texts of both refusals end.
        while !answer.ends_with(b"wait\n") && !answer.ends_with(b"count\n") {
            let count = stream.read(&mut buffer).unwrap();
            assert!(count > 0, "it closed: {}", String::from_utf8_lossy(&answer));
            answer.extend_from_slice(&buffer[..count]);
        }
        let status: u16 = std::str::from_utf8(&answer[9..12]).unwrap().parse().unwrap();
        *counted.entry(status).or_insert(0u32) += 1;
    }
    drop(stream);
    let refused = counted.get(&401).copied().unwrap_or(0);
    assert!((20..200).contains(&refused), "{counted:?}");
    assert_eq!(refused + counted.get(&429).copied().unwrap_or(0), 10_000, "{counted:?}");
    // Whoever guesses shuts out nobody who has the same address, as all of one machine have.
    let guess = with_token(&server, "/api/v1/chains", &format!("greffe_{}", "A".repeat(43)));
    assert_eq!(guess.is(429).header("retry-after"), "5");
    with_token(&server, "/api/v1/chains", &right).is(200);
    server.get(&format!("/ipfs/{}?format=raw", project.head())).is(200);
    let said = end(server);
    tells_no_token(&right, &said);
    let written = lines(&log);
    let of = |status: u16| written.iter().filter(|line| line["status"] == status).count();
    let dropped: u64 = written.iter().map(|line| line["dropped"].as_u64().unwrap()).sum();
    assert_eq!((of(401) + of(429)) as u64 + dropped, 10_001);
    tells_no_token(&right, &std::fs::read_to_string(&log).unwrap());
    // Ten thousand tries are two events at most.
    let found = accesses(&project, "demo");
    assert!((1..=2).contains(&found.len()), "{found:#?}");
    let served: Vec<&Value> = found.iter().flat_map(|access| access["served"].as_array().unwrap()).collect();
    let count: u64 = served.iter().map(|served| served["count"].as_u64().unwrap()).sum();
    assert_eq!(count, 10_002, "{served:#?}");
    let of_nobody = served.iter().filter(|served| served["status"] != 200);
    assert!(of_nobody.clone().all(|served| served["holder"] == Value::Null));
    assert_eq!(served.len() - of_nobody.count(), 1, "{served:#?}");
}

#[test]
fn how_long_an_answer_takes_tells_nothing_of_the_token() {
    let project = Project::applied();
    let right = token(&project, "heads");
    let server = Served::start(&project, &["--rate", "0", "--behind-proxy"]);
    // The right one, of too narrow a scope; one that begins as it does; one that does not.
    let guesses = [right.clone(), format!("{}A", &right[..49]), format!("greffe_{}", "A".repeat(43))];
    let mut times = [const { Vec::new() }; 3];
    for _ in 0..200 {
        for (guess, times) in guesses.iter().zip(&mut times) {
            let begin = Instant::now();
            with_token(&server, "/api/v1/chains", guess);
            times.push(begin.elapsed());
        }
    }
    let medians = times.map(|mut times| {
        times.sort();
        times[times.len() / 2]
    });
    let (low, high) = (medians.iter().min().unwrap(), medians.iter().max().unwrap());
    assert!(*high - *low < Duration::from_millis(2), "{medians:?}");
}

#[test]
fn what_is_told_is_written_down_and_recorded() {
    let project = Project::applied();
    let token = token(&project, "status,report");
    let server = Served::start(&project, &["--access-log", "access.jsonl", "--log-addresses", "short"]);
    let head = project.head();
    for _ in 0..50 {
        with_token(&server, "/api/v1/chains/demo/report", &token).is(200);
    }
    with_token(&server, "/api/v1/chains/demo/heads", &token).is(403);
    server.get(&format!("/ipfs/{head}?format=raw")).is(200);
    // However it is written, it is that block.
    server.get(&format!("/ipfs/%{:x}{}?format=raw", head.as_bytes()[0], &head[1..])).is(200);
    server.get(&format!("/ipfs/{token}?format=raw")).is(400);
    server.get(&format!("/api/v1/chains/{token}")).is(401);
    server.get("/wp-admin.php").is(404);
    assert_eq!(server.ask("POST", "/ipfs/x", &[]).is(405).header("allow"), "GET, HEAD, OPTIONS");
    tells_no_token(&token, &end(server));
    let holder = project.json(&["token", "list"])["tokens"][0]["holder"].clone();
    let written = lines(&project.path("access.jsonl"));
    let text = std::fs::read_to_string(project.path("access.jsonl")).unwrap();
    tells_no_token(&token, &text);
    assert_eq!(std::fs::metadata(project.path("access.jsonl")).unwrap().permissions().mode() & 0o777, 0o600);
    let keys =
        ["at", "client", "dropped", "holder", "method", "microseconds", "route", "status", "token", "what"];
    for line in &written {
        let found: Vec<&str> = line.as_object().unwrap().keys().map(String::as_str).collect();
        let mut sorted = found.clone();
        sorted.sort_unstable();
        assert_eq!((sorted, &line["client"]), (keys.to_vec(), &json!("127.0.0.0")));
    }
    let told: Vec<_> = written.iter().map(|line| (&line["route"], &line["what"], &line["status"])).collect();
    let expected = json!([
        ["/api/v1/chains/{name}/report", "demo", 200],
        ["/api/v1/chains/{name}/heads", "demo", 403],
        ["/ipfs/{cid}", head, 200],
        ["/ipfs/{cid}", head, 200],
        ["/ipfs/{cid}", null, 400],
        ["/api/v1/chains/{name}", null, 401],
        ["none", null, 404],
        ["/ipfs/{cid}", null, 405],
    ]);
    assert_eq!(json!(told[49..]), expected);
    assert_eq!(written[0]["holder"], holder);
    let found = accesses(&project, "demo");
    let sums: Vec<_> = found
        .iter()
        .flat_map(|access| access["served"].as_array().unwrap())
        .map(|served| {
            (served["what"].as_str().unwrap(), &served["holder"], served["status"].as_u64().unwrap())
        })
        .collect();
    assert!(
        sums.contains(&("report", &holder, 200)) && sums.contains(&("heads", &holder, 403)),
        "{found:#?}"
    );
    assert!(found.len() <= 2 && found.iter().all(|access| access["kind"] == "serve"), "{found:#?}");
    project.ok(["access", "export", "--fhir"]).prints(&["served", "report 200"]);
}

#[test]
fn what_cannot_be_recorded_is_not_told() {
    let mut project = Project::applied();
    let token = token(&project, "status");
    project.variables.retain(|(name, _)| name != "GREFFE_KEY");
    let server = Served::start(&project, &[]);
    let refused = with_token(&server, "/api/v1/chains", &token);
    assert!(refused.is(503).text().contains("cannot be recorded"));
    server.get(&format!("/ipfs/{}?format=raw", project.head())).is(200);
    assert!(end(server).contains("tells nobody anything"));
    assert!(!project.path("archive/demo-access.car").exists());
}

#[test]
fn what_was_told_is_recorded_also_when_the_server_ends_at_once() {
    let project = Project::applied();
    let token = token(&project, "status");
    let server = Served::start(&project, &["--record-every", "1h"]);
    with_token(&server, "/api/v1/chains", &token).is(200);
    assert!(poll(LIMIT, || project.path("archive/demo-access.car").exists()));
    for _ in 0..3 {
        with_token(&server, "/api/v1/chains/demo", &token).is(200);
    }
    end(server);
    let count: u64 = accesses(&project, "demo")
        .iter()
        .flat_map(|access| access["served"].as_array().unwrap().clone())
        .map(|served| served["count"].as_u64().unwrap())
        .sum();
    assert_eq!(count, 4);
}

#[test]
fn other_sites_read_what_everybody_may_and_nothing_else() {
    let project = Project::applied();
    token(&project, "status");
    let origin = ("Origin", "https://example.org");
    let block = format!("/ipfs/{}?format=raw", project.head());
    // What listens to this machine alone is read by no page of another site.
    let here = Served::start(&project, &[]);
    let answer = here.ask("GET", &block, &[origin]);
    assert_eq!(answer.is(200).header("access-control-allow-origin"), "");
    assert_eq!(answer.header("cross-origin-resource-policy"), "same-origin");
    let public = Served::start(&project, &["--public"]);
    let answer = public.ask("GET", &block, &[origin]);
    assert_eq!(answer.is(200).header("access-control-allow-origin"), "*");
    assert_eq!(answer.header("cross-origin-resource-policy"), "cross-origin");
    let asked = public.ask("OPTIONS", &block, &[origin, ("Access-Control-Request-Method", "GET")]);
    assert_eq!(asked.is(204).header("access-control-allow-methods"), "GET, HEAD, OPTIONS");
    assert_eq!((asked.header("allow"), asked.body.len()), ("GET, HEAD, OPTIONS", 0));
    let told = public.ask("GET", "/api/v1/chains", &[origin]);
    assert_eq!(told.is(401).header("access-control-allow-origin"), "");
    assert_eq!(told.header("cross-origin-resource-policy"), "same-origin");
    let closed = Served::start(&project, &["--public", "--require-token"]);
    let answer = closed.ask("OPTIONS", &block, &[origin]);
    assert_eq!(answer.is(204).header("access-control-allow-origin"), "");
}

#[test]
fn the_document_is_what_is_served() {
    let project = Project::applied();
    let printed: Value = serde_json::from_str(&project.ok(["serve", "--openapi"]).stdout).unwrap();
    let server = Served::start(&project, &[]);
    let served = server.get("/openapi.json");
    assert_eq!(served.is(200).json(), printed);
    assert_eq!((&printed["openapi"], served.header("content-type")), (&json!("3.1.0"), "application/json"));
    // Each path of it is there, and answers something else than to what is not.
    for (path, operations) in printed["paths"].as_object().unwrap() {
        let filled =
            path.replace("{cid}", &project.head()).replace("{name}", "demo").replace("{path}", "checkpoint");
        let answer = server.get(&filled);
        let here = !answer.text().contains("there is nothing here");
        assert!(here, "{path} is not served: {answer:?}");
        let documented = operations["get"]["responses"].as_object().unwrap();
        assert!(documented.contains_key(&answer.status.to_string()), "{path}: {}", answer.status);
        assert_eq!(server.ask("HEAD", &filled, &[]).status, answer.status, "{path}");
        assert_eq!(server.ask("OPTIONS", &filled, &[]).status, 204, "{path}");
        let open = operations["get"]["security"].as_array().unwrap().contains(&json!({}));
        assert_eq!(server.ask("DELETE", &filled, &[]).status, if open { 405 } else { 401 }, "{path}");
    }
}

#[test]
fn schemathesis_finds_nothing_that_the_document_does_not_say() {
    let Some(program) = std::env::var_os("GREFFE_TEST_SCHEMATHESIS") else {
        panic!("GREFFE_TEST_SCHEMATHESIS is not set; run ./tests/run")
    };
    let project = Project::applied();
    let token = token(&project, &format!("{ALL},read"));
    let server = Served::start(&project, &["--rate", "0", "--behind-proxy"]);
    let examples = if runs_all() { "50" } else { "5" };
    let checks = "not_a_server_error,status_code_conformance,content_type_conformance,\
                  response_headers_conformance,response_schema_conformance,unsupported_method,ignored_auth";
    let checks: String = checks.split_whitespace().collect();
    let header = format!("Authorization: Bearer {token}");
    let url = format!("{}/openapi.json", server.url());
    let mut command = Command::new(program);
    command.current_dir(project.folder()).args(["run", &url, "--header", &header, "--checks", &checks]);
    command.args(["--max-examples", examples, "--seed", "1", "--generation-database", "none", "--no-color"]);
    command.args(["--request-timeout", "30"]);
    let output = command.stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    println!("{said}");
}
