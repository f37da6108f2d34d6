//! Receipts of erasures, verified.

use std::io::{self, Read as _};

use super::ReceiptFile;
use super::shown::ReceiptShown;
use crate::cli::CommandResult;
use crate::cli::context::{Context, open_signer};
use crate::cli::error::CliError;
use crate::cli::output::Reply;
use crate::codec::trust::decode_trust;
use crate::crypto::PublicKey;
use crate::model::Role;
use crate::ops::ChainReader;
use crate::ops::subject::SubjectError;
use crate::ops::subject::receipt::Receipt;

pub fn run(context: &Context, arguments: &ReceiptFile) -> CommandResult {
    const RECEIPT_LIMIT: u64 = 2 << 20;
    let failed =
        |error: io::Error| CliError::usage(format!("{} cannot be read: {error}", arguments.file.display()));
    let mut bytes = Vec::new();
    let file = std::fs::File::open(&arguments.file).map_err(failed)?;
    file.take(RECEIPT_LIMIT).read_to_end(&mut bytes).map_err(failed)?;
    let keys = public_keys(context, &arguments.public)?;
    let (receipt, map, keyid) = Receipt::verify(&bytes, &keys).map_err(SubjectError::from)?;
    let shown = ReceiptShown { command: "subject receipt", verified: true, keyid, map, receipt };
    Ok(Reply::new(shown, ReceiptShown::text))
}

/// Keys that may have signed: those that are named, else those of the chain's first trust document and the signing key.
fn public_keys(context: &Context, named: &[String]) -> Result<Vec<PublicKey>, CliError> {
    let parse = |text: &String| {
        PublicKey::parse_base64(text).map_err(|error| {
            CliError::usage(format!("`--public` is no public key: {error}"))
                .hint("write what `greffe key show` prints")
        })
    };
    if !named.is_empty() {
        return named.iter().map(parse).collect();
    }
    let settings = context.settings()?;
    let of_chain = || -> Option<Vec<PublicKey>> {
        let reader = ChainReader::open(&settings.archive_directory, settings.name().ok()?).ok()?;
        let genesis = reader.manifest(&reader.manifest_at(0).ok()?).ok()?;
        let trust = genesis.files.iter().find(|file| file.role == Role::Trust)?;
        let trust = decode_trust(&reader.file(&trust.cid).ok()?).ok()?;
        Some(trust.keys.into_values().map(|key| key.public).collect())
    };
    let mut keys = of_chain().unwrap_or_default();
    keys.extend(open_signer(&settings).ok().map(|key| *key.public()));
    if keys.is_empty() {
        return Err(CliError::usage("no public key is at hand").hint("name it with `--public BASE64`"));
    }
    Ok(keys)
}
