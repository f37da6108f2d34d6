//! What a run does about witnesses once its head is durable. It never fails by them.

use url::Url;

use crate::cli::Exit;
use crate::cli::context::{Context, block_on};
use crate::cli::error::CliError;
use crate::cli::output::{Clean, Reply, remark};
use crate::cli::settings::{Settings, WITNESS_TIMEOUT, parse_prefix};
use crate::codec::vkey::Vkey;
use crate::model::TrustDocument;
use crate::ops::witness::{Ask, Asked, NamedWitness, ask, of_policy, trust_of};
use crate::ops::{ChainReader, OpsError};
use crate::store::ArchiveError;
use crate::store::remote::{Patience, Witness};

/// The witnesses of the settings, and those that the policy of the trust document names with a URL. One key is asked
/// once, where the settings say.
pub fn witnesses(settings: &Settings, reader: &ChainReader) -> Result<Vec<NamedWitness>, CliError> {
    let (_, trust) = trust_of(reader, settings.name()?)?;
    witnesses_of(settings, &trust)
}

fn witnesses_of(settings: &Settings, trust: &TrustDocument) -> Result<Vec<NamedWitness>, CliError> {
    let mut found: Vec<NamedWitness> = Vec::new();
    let mut add = |name: &str, vkey: &Vkey, (url, monitoring): (Url, Url), timeout| {
        if found.iter().any(|known| known.vkey.key_bytes() == vkey.key_bytes()) {
            return Ok(());
        }
        let failed = |error| CliError::usage(format!("witness {}: {error}", Clean(name)));
        let shown = url.to_string();
        let patience = Patience { request: timeout, total: timeout };
        let witness = Witness::new(url, monitoring, patience).map_err(failed)?;
        found.push(NamedWitness { name: name.to_owned(), vkey: vkey.clone(), url: shown, witness });
        Ok::<_, CliError>(())
    };
    for witness in &settings.witnesses {
        let prefixes = (witness.url.clone(), witness.monitoring.clone());
        add(&witness.name, &witness.vkey, prefixes, witness.timeout)?;
    }
    for (name, vkey, url) in of_policy(trust) {
        // A policy is for whoever verifies; what it says of places need not be one to send to.
        if let Ok(url) = parse_prefix(&url, false) {
            add(&name, &vkey, (url.clone(), url), WITNESS_TIMEOUT)?;
        }
    }
    Ok(found)
}

/// Shows the head that a run made to the witnesses, and says what stays owed. The reply names the head that has their
/// cosignatures then.
pub fn ask_witnesses(context: &Context, reply: Reply) -> Reply {
    let note = |text: &str| {
        remark(&format!(
            "note: archived, and witnesses were not asked: {}\nhint: run `greffe witness ask` later",
            Clean(text)
        ));
    };
    match ask_after_run(context) {
        Ok(None) => reply,
        Ok(Some(asked)) => {
            remark_owed(context, &asked);
            // Who has written what there is to say named the head before.
            if reply.is_silent() && asked.before != asked.head && !context.quiet {
                remark(&format!("head {}", asked.head));
            }
            let reply = reply.with_head(&asked.before, &asked.head);
            // What the trust document asks for is owed like a replica.
            let owed = !asked.quorum && reply.exit == Exit::Done;
            if owed { reply.with_exit(Exit::Undelivered) } else { reply }
        }
        Err(CliError { message, causes, .. }) => {
            note(&[vec![message], causes].concat().join(", because "));
            reply
        }
    }
}

/// `None` where there is nobody to ask, and no policy that asks for anybody.
fn ask_after_run(context: &Context) -> Result<Option<Asked>, CliError> {
    let settings = context.settings()?;
    let Some(name) = &settings.name else { return Ok(None) };
    let directory = &settings.archive_directory;
    let reader = match ChainReader::open(directory, name) {
        Ok(reader) => reader,
        Err(OpsError::Archive(ArchiveError::NotFound { .. })) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let (_, trust) = trust_of(&reader, name)?;
    drop(reader);
    let witnesses = witnesses_of(&settings, &trust)?;
    if witnesses.is_empty() && trust.policy.trim().is_empty() {
        return Ok(None);
    }
    Ok(Some(block_on(ask(directory, name, settings.lock_wait, &witnesses, Ask::Missing))??))
}

/// Says which witnesses have not cosigned, and what mends it.
pub fn remark_owed(context: &Context, asked: &Asked) {
    for witness in &asked.witnesses {
        let Some(failure) = &witness.failure else { continue };
        let (name, failure) = (&witness.name, Clean(failure));
        if witness.contradicts {
            // Worth more than quiet.
            remark(&format!(
                "warning: the witness {name} contradicts this archive: {failure}\nhint: another archive of this chain was \
                 shown to it: find out which is the true one before anything else is applied"
            ));
            continue;
        }
        let hint = if witness.is_stranger {
            "give whoever runs it the key that `greffe witness log` prints, then run `greffe witness ask`"
        } else {
            "run `greffe witness ask` later; the next run asks, too"
        };
        if !context.quiet {
            remark(&format!("note: archived, not yet cosigned by {name}: {failure}\nhint: {hint}"));
        }
    }
    if !asked.quorum && !context.quiet {
        remark(
            "note: the head has fewer cosignatures than the policy of its trust document asks for: `greffe verify` says so \
             until it has them",
        );
    }
}
