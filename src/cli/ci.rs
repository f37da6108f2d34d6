//! Which commit, job and release a build system runs, from the variables that it sets. No person, no address.

use serde_json::{Map, Value};

use super::settings::Environment;
use crate::privacy::publish::found_in;

/// A build system: the variable that gives it away, those of commit, job and pipeline, and that of the tag that it
/// builds.
struct System {
    name: &'static str,
    sign: &'static str,
    members: [(&'static str, &'static str); 4],
}

const SYSTEMS: [System; 4] = [
    System {
        name: "github",
        sign: "GITHUB_ACTIONS",
        members: [
            ("commit", "GITHUB_SHA"),
            ("job", "GITHUB_JOB"),
            ("pipeline", "GITHUB_RUN_ID"),
            ("release", "GITHUB_REF_NAME"),
        ],
    },
    System {
        name: "gitlab",
        sign: "GITLAB_CI",
        members: [
            ("commit", "CI_COMMIT_SHA"),
            ("job", "CI_JOB_ID"),
            ("pipeline", "CI_PIPELINE_ID"),
            ("release", "CI_COMMIT_TAG"),
        ],
    },
    System {
        name: "jenkins",
        sign: "JENKINS_URL",
        members: [
            ("commit", "GIT_COMMIT"),
            ("job", "JOB_NAME"),
            ("pipeline", "BUILD_NUMBER"),
            ("release", "TAG_NAME"),
        ],
    },
    System {
        name: "woodpecker",
        sign: "CI_WORKFLOW_NAME",
        members: [
            ("commit", "CI_COMMIT_SHA"),
            ("job", "CI_STEP_NAME"),
            ("pipeline", "CI_PIPELINE_NUMBER"),
            ("release", "CI_COMMIT_TAG"),
        ],
    },
];

/// What events say of the build; `None` outside of one.
pub fn of(environment: &Environment) -> Option<Map<String, Value>> {
    let system = SYSTEMS.iter().find(|system| environment.get(system.sign).is_some())?;
    let mut said = Map::from_iter([("system".to_owned(), Value::from(system.name))]);
    // GitHub names a branch by the same variable.
    let is_tag =
        system.name != "github" || environment.get("GITHUB_REF_TYPE").is_some_and(|kind| kind == "tag");
    for (member, variable) in system.members {
        if member == "release" && !is_tag {
            continue;
        }
        let value =
            environment.get(variable).and_then(|value| value.to_str()).filter(|value| is_plain(value));
        // An identifier of a build that reads like a person's number would keep the whole event from the archive.
        if let Some(value) = value.filter(|value| found_in(value).is_none()) {
            said.insert(member.to_owned(), Value::from(value));
        }
    }
    Some(said)
}

fn is_plain(value: &str) -> bool {
    value.len() <= 64
        && value.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commit_job_and_pipeline_are_taken_and_nobody_is() {
        let environment = Environment::from_iter([
            ("GITHUB_ACTIONS", "true"),
            ("GITHUB_SHA", "0123456789abcdef0123456789abcdef01234567"),
            ("GITHUB_JOB", "deploy"),
            ("GITHUB_RUN_ID", "16012345678"),
            ("GITHUB_ACTOR", "jeanne-morel"),
        ]);
        let said = serde_json::to_string(&of(&environment)).unwrap();
        assert_eq!(
            said,
            r#"{"commit":"0123456789abcdef0123456789abcdef01234567","job":"deploy","pipeline":"16012345678","system":"github"}"#
        );
        assert_eq!(of(&Environment::from_iter([("GITHUB_SHA", "0123")])), None);
        let release = |kind| {
            let variables =
                [("GITHUB_ACTIONS", "true"), ("GITHUB_REF_TYPE", kind), ("GITHUB_REF_NAME", "v1.4.0")];
            of(&Environment::from_iter(variables)).unwrap().get("release").cloned()
        };
        assert_eq!((release("tag"), release("branch")), (Some("v1.4.0".into()), None));
        let odd = Environment::from_iter([
            ("GITLAB_CI", "true"),
            ("CI_JOB_ID", "a b"),
            ("CI_PIPELINE_ID", "x@y.fr"),
        ]);
        assert_eq!(of(&odd).unwrap().len(), 1);
    }
}
