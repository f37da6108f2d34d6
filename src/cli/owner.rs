//! The key of the vault's owner: where it is, and whether it can be used.

use std::io::IsTerminal as _;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::modes::look_at_source;
use super::settings::Settings;
use crate::ops::{KeyUnavailable, OpenOwner, OpsError, OwnerUnavailable};
use crate::vault::{AgeOwner, OwnerError};

/// The vault owner's key, opened when it is needed.
pub fn owner(settings: &Settings) -> OpenOwner {
    let settings = settings.clone();
    OpenOwner(Arc::new(move || Ok(Box::new(find_owner(&settings)?))))
}

/// The vault owner's key.
pub fn open_owner(settings: &Settings) -> Result<AgeOwner, OpsError> {
    Ok(find_owner(settings)?)
}

/// The same, which tells a key that is not at hand from one that cannot be used.
fn find_owner(settings: &Settings) -> Result<AgeOwner, OwnerUnavailable> {
    let unavailable = |message: String, hint: &str| KeyUnavailable { message, hint: hint.to_owned() };
    look_at_source("identity of the vault's owner", Some(&settings.vault_key));
    let text = settings.vault_key_text().map_err(|error| {
        let hint =
            "name the vault owner's identity with `--vault-key SOURCE`, or set GREFFE_VAULT_KEY to its text";
        let reason = unavailable(error.to_string(), hint);
        match settings.has_vault_key() {
            true => OwnerUnavailable::Unusable(reason),
            false => OwnerUnavailable::Absent(reason),
        }
    })?;
    let mut parsed = AgeOwner::parse(text.expose().as_bytes(), None);
    if matches!(parsed, Err(OwnerError::PassphraseNeeded)) {
        let asked = vault_passphrase(settings).map_err(OwnerUnavailable::Unusable)?;
        let asked = asked.as_ref().map(|passphrase| passphrase.as_str());
        parsed = AgeOwner::parse(text.expose().as_bytes(), asked);
    }
    parsed.map_err(|error| {
        let hint = match error {
            OwnerError::PassphraseNeeded | OwnerError::WrongPassphrase => {
                "set GREFFE_VAULT_PASSPHRASE to the passphrase of the vault owner's identity"
            }
            _ => "give an identity file of age, such as `greffe init` writes",
        };
        let reason = unavailable(format!("the vault owner's key cannot be opened: {error}"), hint);
        match error {
            // Whoever does not know it has no key.
            OwnerError::PassphraseNeeded => OwnerUnavailable::Absent(reason),
            _ => OwnerUnavailable::Unusable(reason),
        }
    })
}

/// The passphrase of the vault owner's identity from the settings, else from the terminal.
fn vault_passphrase(settings: &Settings) -> Result<Option<Zeroizing<String>>, KeyUnavailable> {
    let failed = |message: String| KeyUnavailable { message, hint: "set GREFFE_VAULT_PASSPHRASE".to_owned() };
    if let Some(secret) = settings.vault_passphrase().map_err(|error| failed(error.to_string()))? {
        return Ok(Some(Zeroizing::new(secret.expose().to_owned())));
    }
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return Ok(None);
    }
    let asked = rpassword::prompt_password("Passphrase of the vault owner's identity: ");
    asked.map(|text| Some(Zeroizing::new(text))).map_err(|error| failed(format!("no passphrase: {error}")))
}
