use std::io::{self, Write};

use clap::Args;
use serde::Serialize;

use super::write_changes;
use crate::cli::CommandResult;
use crate::cli::context::Context;
use crate::cli::output::{Clean, Reply};
use crate::crypto::Digest;
use crate::model::{Cid, RevocationReason, Thresholds};
use crate::ops::trust::history::{ShownKey, Version, history};

/// Show which keys are trusted, and how that came to be
///
/// The trust document in force, its keys with the entries between which they count, and every version before. What the
/// chain says is shown; `greffe verify` checks it.
#[derive(Args)]
pub struct Show {}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    command: &'static str,
    name: String,
    chain: Cid,
    version: u64,
    keys: Vec<ShownKey>,
    thresholds: Thresholds,
    policy: String,
    authorities: Vec<Authority>,
    versions: Vec<Version>,
}

#[derive(Serialize)]
struct Authority {
    sha256: Digest,
    pem: String,
}

pub fn run(context: &Context, _: &Show) -> CommandResult {
    let history = history(&context.reader()?)?;
    let document = history.document;
    let authority = |pem: String| Authority { sha256: Digest::of(pem.as_bytes()), pem };
    let shown = Shown {
        command: "trust show",
        name: document.name.to_string(),
        chain: history.chain,
        version: document.version,
        keys: history.keys,
        thresholds: document.thresholds,
        policy: document.policy,
        authorities: document.authorities.into_iter().map(authority).collect(),
        versions: history.versions,
    };
    Ok(Reply::new(shown, text))
}

fn text(shown: &Shown, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "chain      {} ({})", shown.name, shown.chain)?;
    writeln!(out, "version    {}", shown.version)?;
    let Thresholds { root, signer, approver } = shown.thresholds;
    writeln!(out, "thresholds root {root}, signer {signer}, approver {approver}")?;
    for key in &shown.keys {
        let roles: Vec<String> = key.roles.iter().map(ToString::to_string).collect();
        let until = match (key.until, key.reason) {
            (Some(until), Some(RevocationReason::Compromised)) => {
                format!(", compromised since entry {until}")
            }
            (Some(until), _) => format!(", retired since entry {until}"),
            (None, _) => String::new(),
        };
        writeln!(out, "key        {}", key.keyid)?;
        let label = Clean(&key.label);
        writeln!(out, "           {label}: {}, from entry {}{until}", roles.join(", "), key.since)?;
    }
    for line in shown.policy.lines() {
        writeln!(out, "policy     {}", Clean(line))?;
    }
    for authority in &shown.authorities {
        writeln!(out, "authority  sha256:{}", authority.sha256)?;
    }
    for version in &shown.versions {
        writeln!(out, "\nversion {} by entry {}, {}", version.version, version.seq, version.finished_at)?;
        write_changes(&version.changes, "  ", out)?;
        for key in &version.signed_by {
            writeln!(out, "  signed by {key}")?;
        }
    }
    Ok(())
}
