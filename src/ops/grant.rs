//! Grants: the content keys of some sealed files, in an age file for whoever is to read them.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use data_encoding::BASE64;
use serde::{Deserialize, Serialize};

use super::access::record_access;
use super::chain::Entry;
use super::sealed::KEY_DAMAGED;
use super::{ChainReader, OpenKey, OpsError, Project, now};
use crate::codec::sealed::{ContentKeys, Found, key_id};
use crate::crypto::ContentKey;
use crate::model::{Access, AccessKind, Cid, ContentKeyId, Role, Timestamp};
use crate::privacy::scan;
use crate::vault::VaultError;
use crate::vault::owner::{self, OwnerKey};

/// The form of a grant.
const FORM: &str = "greffe/grant/1";
/// The largest grant that is read, in bytes.
pub const GRANT_LIMIT: usize = 64 << 20;

/// What is granted, to whom, and why.
#[derive(Clone, Debug)]
pub struct Terms {
    /// `age1…`.
    pub to: String,
    /// Numbers of entries.
    pub entries: RangeInclusive<u64>,
    /// Empty: all.
    pub roles: Vec<Role>,
    /// Published: a code, or words without a name.
    pub purpose: String,
    pub until: Timestamp,
}

/// What was granted.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Granted {
    pub chain: Cid,
    pub entries: Vec<u64>,
    pub files: usize,
    /// Sealed files for which there is no key any more.
    pub gone: usize,
    /// Head of the access chain.
    pub access: Cid,
    /// The age file.
    #[serde(skip)]
    pub bytes: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct GrantFile {
    form: String,
    chain: Cid,
    purpose: String,
    granted_at: Timestamp,
    until: Timestamp,
    keys: Vec<GrantedKey>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct GrantedKey {
    seq: u64,
    file: String,
    kid: ContentKeyId,
    key: String,
}

/// Content keys that somebody was granted.
#[derive(Debug)]
pub struct Grant {
    pub chain: Cid,
    pub purpose: String,
    pub until: Timestamp,
    keys: BTreeMap<ContentKeyId, ContentKey>,
}

impl ContentKeys for Grant {
    fn find(&self, kid: &ContentKeyId) -> Found {
        self.keys.get(kid).cloned().map_or(Found::NotHere, Found::Key)
    }
}

/// Makes a grant, which is recorded in the access chain before it is handed out.
///
/// # Errors
/// [`OpsError::Terms`] for a recipient, purpose or time that cannot be; those of archive, vault and key.
pub async fn grant(project: &Project, terms: &Terms, open_key: OpenKey) -> Result<Granted, OpsError> {
    owner::require_recipient(&terms.to).map_err(|_| OpsError::Terms { member: "to" })?;
    if !is_purpose(&terms.purpose) {
        return Err(OpsError::Terms { member: "purpose" });
    }
    let at = now();
    if terms.until <= at {
        return Err(OpsError::Terms { member: "until" });
    }
    let reader = ChainReader::open(&project.archive, &project.name)?;
    reader.require_end()?;
    let keyring = project.keyring(&reader.root()).await?;
    let (_, newest) = reader.newest()?;
    let (mut keys, mut about, mut entries, mut gone) = (Vec::new(), Vec::new(), Vec::new(), 0);
    for seq in *terms.entries.start()..=(*terms.entries.end()).min(newest.seq) {
        let cid = reader.manifest_at(seq)?;
        let entry = reader.entry(&cid)?;
        let found = keys_of(&reader, &entry, terms, &keyring, &mut gone)?;
        if !found.is_empty() {
            about.push(cid);
            entries.push(seq);
            keys.extend(found);
        }
    }
    if keys.is_empty() {
        return Err(OpsError::NothingSealed);
    }
    let files = keys.len();
    let file = GrantFile {
        form: FORM.to_owned(),
        chain: reader.root(),
        purpose: terms.purpose.clone(),
        granted_at: at,
        until: terms.until,
        keys,
    };
    let json = serde_json::to_vec(&file).map_err(|_| OpsError::Terms { member: "purpose" })?;
    let bytes = owner::wrap(&terms.to, &zeroize::Zeroizing::new(json))
        .map_err(|_| OpsError::Terms { member: "to" })?;
    let access = Access {
        recipient: Some(terms.to.clone()),
        until: Some(terms.until),
        ..Access::new(AccessKind::Grant, reader.root(), &terms.purpose)
    };
    let access = record_access(project, open_key, about, access).await?;
    Ok(Granted { chain: file.chain, entries, files, gone, access, bytes })
}

/// One line that says nothing of anybody: it is signed and shown for as long as the chain is.
fn is_purpose(text: &str) -> bool {
    !text.trim().is_empty()
        && text.len() <= 200
        && !text.chars().any(char::is_control)
        && scan(text.as_bytes()).is_empty()
}

fn keys_of(
    reader: &ChainReader,
    entry: &Entry,
    terms: &Terms,
    keys: &dyn ContentKeys,
    gone: &mut usize,
) -> Result<Vec<GrantedKey>, OpsError> {
    let wanted = |role: &Role| terms.roles.is_empty() || terms.roles.contains(role);
    let mut found = Vec::new();
    for file in entry.manifest.files.iter().filter(|file| file.sealed && wanted(&file.role)) {
        let Ok(kid) = key_id(&reader.file(&file.cid)?) else { continue };
        match keys.find(&kid) {
            Found::Key(key) => found.push(GrantedKey {
                seq: entry.manifest.seq,
                file: file.name.to_string(),
                kid,
                key: BASE64.encode(key.expose()),
            }),
            Found::Gone | Found::NotHere => *gone += 1,
            Found::Damaged => return Err(VaultError::Damaged(KEY_DAMAGED).into()),
        }
    }
    Ok(found)
}

/// Opens a grant.
///
/// # Errors
/// [`OpsError::Grant`] for a file that is none, is for somebody else, or has ended.
pub fn open_grant(bytes: &[u8], identity: &dyn OwnerKey) -> Result<Grant, OpsError> {
    let refuse = |reason| OpsError::Grant { reason };
    if bytes.len() > GRANT_LIMIT {
        return Err(refuse("it is larger than is read"));
    }
    let json = identity.unwrap(bytes).map_err(|_| refuse("it is for somebody else, or no age file"))?;
    let file: GrantFile =
        serde_json::from_slice(&json).map_err(|_| refuse("it is not what `greffe grant` writes"))?;
    if file.form != FORM {
        return Err(refuse("it is of another version"));
    }
    // It is recorded with the opening.
    if !is_purpose(&file.purpose) {
        return Err(refuse("its purpose is not one line that can be recorded"));
    }
    if file.until < now() {
        return Err(refuse("it has ended"));
    }
    let key = |granted: &GrantedKey| {
        let bytes = zeroize::Zeroizing::new(BASE64.decode(granted.key.as_bytes()).ok()?);
        Some((granted.kid, ContentKey::from_bytes(&bytes)?))
    };
    let keys: Option<BTreeMap<_, _>> = file.keys.iter().map(key).collect();
    let keys = keys.ok_or(refuse("a key in it is not one"))?;
    Ok(Grant { chain: file.chain, purpose: file.purpose, until: file.until, keys })
}
