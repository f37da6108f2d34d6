//! `greffe watch`: from the cause of a finding to the alert that somebody gets.

mod anomalies;
mod causes;
mod delivery;
mod forged;
mod noted;
mod running;
mod shipped;
mod sinks;

use serde_json::Value;

use self::sinks::Hook;
use crate::project::{Project, Run};

/// A project that is watched: it remembers what it verified, and tells a webhook.
pub struct Watched {
    pub project: Project,
    pub hook: Hook,
}

impl Watched {
    /// `settings`: further lines of `[watch]`.
    pub fn new(mut project: Project, settings: &str) -> Self {
        let hook = Hook::start();
        let home = project.folder().display().to_string();
        project.variables.push(("HOME".to_owned(), home));
        project.variables.push(("HOOK_SECRET".to_owned(), sinks::SECRET.to_owned()));
        project.secrets.push(sinks::SECRET.to_owned());
        let url = hook.url();
        add(
            &project,
            &format!(
                "\n[watch]\n{settings}\n[[watch.alert]]\nname = \"hook\"\nurl = \"webhook:{url}\"\nsecret = \"env:HOOK_SECRET\"\n"
            ),
        );
        Self { project, hook }
    }

    /// One round, which ends with `code`, and the events that the webhook got by it.
    pub fn once(&self, code: i32) -> Vec<Value> {
        self.project.ends(code, ["watch", "--once"]);
        self.hook.events()
    }

    /// The codes of the events that one round brings, with what the webhook is told of each.
    pub fn codes(&self, code: i32) -> Vec<String> {
        self.once(code).iter().map(told).collect()
    }
}

/// `begun fork`, `ended fork`.
pub fn told(event: &Value) -> String {
    let kind = event["type"].as_str().unwrap().rsplit('.').next().unwrap();
    format!("{kind} {}", event["data"]["code"].as_str().unwrap())
}

/// The event of this code, of which there has to be one.
pub fn the<'a>(events: &'a [Value], code: &str) -> &'a Value {
    let found: Vec<&Value> = events.iter().filter(|event| event["data"]["code"] == code).collect();
    assert_eq!(found.len(), 1, "{code} in {events:#?}");
    found[0]
}

/// More settings.
pub fn add(project: &Project, text: &str) {
    let settings = String::from_utf8(project.read("greffe.toml")).unwrap();
    project.write("greffe.toml", settings + text);
}

/// What one round finds.
pub fn findings(run: &Run) -> Vec<String> {
    let object = run.object();
    let findings = object["findings"].as_array().unwrap();
    findings.iter().map(|finding| finding["code"].as_str().unwrap().to_owned()).collect()
}
