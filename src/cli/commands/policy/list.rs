//! `greffe policy list`.

use std::collections::BTreeSet;
use std::io::{self, Write};

use serde::Serialize;

use crate::cli::CommandResult;
use crate::cli::context::Context;
use crate::cli::output::{Clean, Reply};
use crate::cli::policy::wanted;
use crate::ops::OpsError;
use crate::ops::policy::{Policy, PolicyError};
use crate::ops::today;
use crate::policy::packs::pack::Texts;
use crate::policy::packs::{Library, Pack};

#[derive(Serialize)]
struct Listed {
    command: &'static str,
    packs: Vec<ListedPack>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ListedPack {
    name: String,
    version: String,
    title: Texts,
    source: String,
    /// `sha256:…` of its bytes.
    digest: String,
    rules: usize,
    extends: Vec<String>,
    in_force: bool,
}

pub fn run(context: &Context) -> CommandResult {
    let wanted = wanted(&context.settings()?);
    let policy = Policy::open(&wanted, &today()).map_err(OpsError::from)?;
    let (library, in_force) = match policy {
        Some(policy) => (policy.library, policy.in_force.packs),
        None => {
            (Library::built_in().map_err(|error| OpsError::from(PolicyError::from(error)))?, BTreeSet::new())
        }
    };
    let listed = |pack: &Pack| ListedPack {
        name: pack.name.clone(),
        version: pack.version.clone(),
        title: pack.title.clone(),
        source: pack.source.clone(),
        digest: pack.digest.to_prefixed(),
        rules: pack.rules.len(),
        extends: pack.extends.clone(),
        in_force: in_force.contains(&pack.name),
    };
    let packs = library.packs().map(listed).collect();
    Ok(Reply::new(Listed { command: "policy list", packs }, show))
}

fn show(listed: &Listed, out: &mut dyn Write) -> io::Result<()> {
    listed.packs.iter().try_for_each(|pack| {
        let state = if pack.in_force { "in force" } else { "-" };
        let title = pack.title.get("en").map(String::as_str).unwrap_or_default();
        let (name, rules) = (&pack.name, pack.rules);
        writeln!(out, "{name:<16} {state:<8} {rules:>3} rule(s)  {}", Clean(title))
    })
}
