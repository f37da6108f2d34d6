//! Nodes and gateways behind TLS, and an interface that allows what greffe asks and nothing else.

use serde_json::{Value, json};

use crate::project::{Project, THREE};
use crate::replicas::settings;
use crate::servers::{Kubo, Tls};

fn replica(url: &str, more: &str) -> String {
    format!("\n[[replica]]\nname = \"node\"\nurl = \"kubo:{url}\"\n{more}\n")
}

#[test]
fn a_node_behind_tls_is_known_by_its_authority() {
    let kubo = Kubo::start();
    let [rpc, gateway] = [Tls::before(&kubo.rpc_url()), Tls::before(&kubo.gateway_url())];
    let mut project = Project::with(&THREE);
    settings(&project, &replica(&rpc.url(), ""));
    // The system does not know who signed its certificate; the migration is applied all the same.
    let run = project.ends(4, ["apply"]);
    run.says(&["certificate"]);
    let elsewhere = |authority: Option<&Tls>| {
        let mut machine = Project::empty();
        let known = authority.map(|tls| ("SSL_CERT_FILE".to_owned(), tls.authority().display().to_string()));
        machine.variables.extend(known);
        machine
    };
    let (head, url) = (project.head(), gateway.url());
    elsewhere(None).ends(3, ["verify", &head, "--from", &url]).says(&["certificate"]);

    project.variables.push(("SSL_CERT_FILE".into(), rpc.authority().display().to_string()));
    project.ok(["replicate"]);
    let look = &project.json(&["replicas"])["replicas"][0];
    assert_eq!((&look["holding"], &look["missing"]), (&json!("pinned"), &json!(0)), "{look:#}");
    elsewhere(Some(&gateway)).ok(["verify", &head, "--from", &url]);
    // Another authority's certificate is not this one's.
    elsewhere(Some(&rpc)).ends(3, ["verify", &head, "--from", &url]);
}

/// The calls that docs/replicas.md tells operators to allow are the ones that are made.
#[test]
fn the_documented_permissions_are_enough() {
    let docs = include_str!("../../docs/replicas.md");
    let shown = docs.split("API.Authorizations '").nth(1).and_then(|rest| rest.split("'\n").next());
    let mut allowed: Value = serde_json::from_str(shown.expect("the command that sets them")).unwrap();
    let token = "geheim-0123456789abcdef";
    allowed["greffe"]["AuthSecret"] = json!(format!("bearer:{token}"));
    let mut kubo = Kubo::start();
    kubo.set_config("API.Authorizations", allowed);
    kubo.restart();
    assert!(kubo.run_with(&["--api-auth", &format!("bearer:{token}"), "repo", "stat"], b"").is_err());

    let mut project = Project::with(&THREE);
    settings(&project, &replica(&kubo.rpc_url(), "authorization = \"env:NODE\""));
    project.variables.push(("NODE".into(), format!("bearer:{token}")));
    project.secrets.push(token.to_owned());
    project.ok(["apply", "--to", "1"]);
    project.ok(["apply"]);
    project.ok(["replicas"]);
    project.ok([
        "verify",
        &project.head(),
        "--from",
        &format!("archive:{}", project.path("archive").display()),
    ]);
    let manifest = project.log()[1]["manifest"].as_str().unwrap().to_owned();
    kubo.run_with(&["--api-auth", &format!("bearer:{token}"), "pin", "rm", &project.head()], b"").unwrap();
    kubo.run_with(&["--api-auth", &format!("bearer:{token}"), "block", "rm", &manifest], b"").unwrap();
    project.ends(1, ["replicas"]);
    project.ok(["replicas", "--repair"]);
    project.ok(["key", "generate", "--out", "greffe.ipns.pem"]);
    project.variables.push(("GREFFE_PUBLISH_KEY".into(), "file:greffe.ipns.pem".into()));
    let name = project.json(&["publish"])["name"].as_str().unwrap().to_owned();
    // The node's routing is off, so it finds no record; it lets us ask.
    let run = project.ends(3, ["verify", &format!("/ipns/{name}"), "--no-memory"]);
    assert!(!run.stderr.contains("authorization"), "{run:#?}");
}
