//! `greffe policy show`.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use clap::Args;
use serde::Serialize;

use crate::cli::CommandResult;
use crate::cli::context::Context;
use crate::cli::output::{Clean, Reply};
use crate::cli::policy::wanted;
use crate::ops::policy::{Policy, PolicyError};
use crate::ops::{OpsError, today};
use crate::policy::packs::library::RuleInForce;
use crate::policy::packs::pack::Texts;
use crate::policy::packs::{InForce, Level, Library, LibraryError, Who, sector_named};

/// The rules of a pack
#[derive(Args)]
pub struct Show {
    /// Its name, or a sector: `santé`
    pack: String,
    /// Print the document as it is
    #[arg(long)]
    text: bool,
}

#[derive(Serialize)]
struct Shown {
    command: &'static str,
    pack: String,
    version: String,
    title: Texts,
    source: String,
    digest: String,
    rules: Vec<ShownRule>,
}

#[derive(Serialize)]
struct ShownRule {
    id: String,
    level: Level,
    decides: Who,
    what: &'static str,
    parameters: BTreeMap<&'static str, String>,
    says: Texts,
    keep: Texts,
    source: String,
    page: String,
    waivable: bool,
    environments: BTreeSet<String>,
}

pub fn run(context: &Context, arguments: &Show) -> CommandResult {
    let name = sector_named(&arguments.pack).unwrap_or(&arguments.pack).to_owned();
    let here = Policy::open(&wanted(&context.settings()?), &today()).map_err(OpsError::from)?;
    let failed = |error: LibraryError| OpsError::from(PolicyError::from(error));
    let (library, in_force) = match here {
        Some(policy) => (policy.library, policy.in_force),
        None => (Library::built_in().map_err(failed)?, InForce::default()),
    };
    let pack = library.pack(&name).map_err(failed)?;
    if arguments.text {
        return Ok(Reply::raw(pack.text.clone().into_bytes()));
    }
    // One that does not hold here is shown as its document has it.
    let in_force = match in_force.packs.contains(&name) {
        true => in_force,
        false => library.in_force(&[name.clone()].into(), &today()).map_err(failed)?,
    };
    let own = in_force.rules.values().filter(|known| known.packs.contains(&name));
    let shown = Shown {
        command: "policy show",
        pack: pack.name.clone(),
        version: pack.version.clone(),
        title: pack.title.clone(),
        source: pack.source.clone(),
        digest: pack.digest.to_prefixed(),
        rules: own.map(shown).collect(),
    };
    Ok(Reply::new(shown, show))
}

fn shown(known: &RuleInForce) -> ShownRule {
    let rule = &known.rule;
    ShownRule {
        id: rule.id.clone(),
        level: rule.level,
        decides: rule.decides(),
        what: rule.check.kind.as_str(),
        parameters: rule.check.parameters().collect(),
        says: rule.says.clone(),
        keep: rule.keep.clone(),
        source: rule.source.clone(),
        page: rule.page(),
        waivable: rule.waivable,
        environments: rule.environments.clone(),
    }
}

fn show(shown: &Shown, out: &mut dyn Write) -> io::Result<()> {
    let english = |texts: &Texts| texts.get("en").cloned().unwrap_or_default();
    writeln!(out, "{} {}: {}", shown.pack, Clean(&shown.version), Clean(&english(&shown.title)))?;
    writeln!(out, "source: {}\n{}", Clean(&shown.source), shown.digest)?;
    for rule in &shown.rules {
        writeln!(out, "\n{} ({}, decided by {})", rule.id, rule.level, rule.decides)?;
        writeln!(out, "  {}", Clean(&english(&rule.says)))?;
        let parameters = rule.parameters.iter().map(|(name, value)| format!("{name}: {value}"));
        let parameters: Vec<String> = std::iter::once(rule.what.to_owned()).chain(parameters).collect();
        writeln!(out, "  asks:   {}", Clean(&parameters.join("; ")))?;
        writeln!(out, "  source: {}", Clean(&rule.source))?;
        writeln!(out, "  keep:   {}", Clean(&english(&rule.keep)))?;
    }
    Ok(())
}
