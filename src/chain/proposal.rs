//! A trust document that is not in force yet: what it would change, who signed for it, and where alone it fits.
//!
//! Signers sign the very statement that is archived as the `trust` event. It names chain, `seq` and `prev`, so that it
//! fits behind one entry of one chain and nowhere else; and the new document by its digest.

use std::collections::BTreeMap;

use serde::Serialize;

use super::append::{AppendError, Appender, NewFile};
use crate::codec::dsse::Envelope;
use crate::codec::proposal::{ProposalFile, ProposalFileError};
use crate::codec::statement::{StatementError, decode_statement, encode_statement};
use crate::codec::trust::{TrustError, decode_trust, encode_trust};
use crate::codec::unixfs::build_file;
use crate::crypto::{KeyId, SignError, Signer};
use crate::model::{
    Details, Event, EventKind, FileName, KeyRole, NameError, Role, Statement, Subject, TrustChange,
    TrustDocument, trust_changes,
};

/// The name of the file that holds a trust document.
pub const TRUST_FILE: &str = "trust.json";

/// Why a proposal is none, or not one that may be signed.
#[derive(Debug, thiserror::Error)]
pub enum ProposalError {
    #[error(transparent)]
    File(#[from] ProposalFileError),
    #[error("{which}: {source}")]
    Document { which: &'static str, source: TrustError },
    #[error("the statement that is signed cannot be read: {0}")]
    Statement(#[from] StatementError),
    #[error("what would be signed is a `{0}` event, not the `trust` event of a proposal")]
    Kind(EventKind),
    #[error("what would be signed says more than a proposal shows")]
    Surplus,
    #[error("what would be signed is of another trust document than the one that is shown")]
    OtherDocument,
    #[error(
        "it would be version {found} of the trust document, and the one in force is {in_force}: it rises by one"
    )]
    Version { in_force: u64, found: u64 },
    #[error("it would leave {left} key(s) as {role}, and {needed} must sign: nobody could ever again")]
    Stranded { role: KeyRole, needed: u32, left: usize },
    #[error("the signature by key {0} is not over this proposal")]
    BadSignature(KeyId),
    #[error("key {0} signed, and neither trust document lists it")]
    UnknownSigner(KeyId),
    #[error("key {0} is root in neither trust document, so its signature would not count")]
    NotRoot(KeyId),
    #[error("the files are of different proposals")]
    Different,
    #[error(transparent)]
    Sign(#[from] SignError),
    #[error(transparent)]
    Name(#[from] NameError),
    #[error(transparent)]
    Append(#[from] AppendError),
}

/// How far a proposal has come under one of the two documents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Tally {
    /// Of the trust document.
    pub version: u64,
    /// Root signatures that it asks for.
    pub needed: u32,
    /// Root keys that signed.
    pub signed: Vec<KeyId>,
    /// Root keys that did not.
    pub may_sign: Vec<KeyId>,
}

impl Tally {
    /// How many signatures are missing.
    #[must_use]
    pub fn missing(&self) -> u32 {
        self.needed.saturating_sub(u32::try_from(self.signed.len()).unwrap_or(u32::MAX))
    }
}

/// A proposal whose parts belong together. Whether it fits a chain, only the chain says.
#[derive(Clone, Debug)]
pub struct Proposal {
    pub in_force: TrustDocument,
    pub next: TrustDocument,
    /// The event that it would be; names the place in the chain.
    pub event: Event,
    file: ProposalFile,
}

impl Proposal {
    /// Proposes `next` behind the newest entry of a chain; `event` says who, when and where.
    ///
    /// # Errors
    /// [`ProposalError`] where it could not be appended, or would leave nobody to sign.
    pub fn new(appender: &Appender, next: &TrustDocument, event: Event) -> Result<Self, ProposalError> {
        let in_force = appender.trust().ok_or(AppendError::Order(EventKind::Trust))?;
        let text = |document| String::from_utf8_lossy(&encode_trust(document)).into_owned();
        let (in_force, document) = (text(in_force), text(next));
        let envelope = appender.draft(event, vec![trust_file(&document)?])?;
        Self::read(ProposalFile { in_force, document, envelope })
    }

    /// Reads a proposal.
    ///
    /// # Errors
    /// [`ProposalError`] when its parts do not belong together, a signature is bad, or it is none that may be signed.
    pub fn read(mut file: ProposalFile) -> Result<Self, ProposalError> {
        let document = |which, text: &str| {
            decode_trust(text.as_bytes()).map_err(|source| ProposalError::Document { which, source })
        };
        let in_force = document("the trust document in force", &file.in_force)?;
        let next = document("the proposed trust document", &file.document)?;
        if Some(next.version) != in_force.version.checked_add(1) {
            return Err(ProposalError::Version { in_force: in_force.version, found: next.version });
        }
        if let Some((role, needed, left)) = next.stranded() {
            return Err(ProposalError::Stranded { role, needed, left });
        }
        let event = read_event(&file)?;
        // One signature a key, whatever a file holds.
        let signatures: BTreeMap<KeyId, _> = file.envelope.signatures.iter().copied().collect();
        let message = file.envelope.message();
        for (id, signature) in &file.envelope.signatures {
            let key = in_force.keys.get(id).or_else(|| next.keys.get(id));
            let key = key.ok_or(ProposalError::UnknownSigner(*id))?;
            if !key.public.verify(&message, signature) {
                return Err(ProposalError::BadSignature(*id));
            }
        }
        file.envelope.signatures = signatures.into_iter().collect();
        Ok(Self { in_force, next, event, file })
    }

    /// As it is written to a file.
    #[must_use]
    pub fn file(&self) -> &ProposalFile {
        &self.file
    }

    /// What it changes of the document that it says is in force.
    #[must_use]
    pub fn changes(&self) -> Vec<TrustChange> {
        trust_changes(&self.in_force, &self.next)
    }

    /// How far it has come under the document in force, and under its own.
    #[must_use]
    pub fn tallies(&self) -> [Tally; 2] {
        [&self.in_force, &self.next].map(|document| {
            let is_signed = |id: &&KeyId| self.file.envelope.signatures.iter().any(|(by, _)| by == *id);
            let (signed, may_sign) =
                document.keys_for(KeyRole::Root, self.event.seq).partition::<Vec<_>, _>(is_signed);
            Tally {
                version: document.version,
                needed: document.threshold(KeyRole::Root),
                signed: signed.into_iter().copied().collect(),
                may_sign: may_sign.into_iter().copied().collect(),
            }
        })
    }

    /// Adds the signature of `key`; `false` when it signed before.
    ///
    /// # Errors
    /// [`ProposalError::NotRoot`], where it would not count; [`ProposalError::Sign`].
    pub fn sign(&mut self, key: &dyn Signer) -> Result<bool, ProposalError> {
        let id = key.public().id();
        if ![&self.in_force, &self.next].iter().any(|document| is_root(document, &id, self.event.seq)) {
            return Err(ProposalError::NotRoot(id));
        }
        if self.file.envelope.signatures.iter().any(|(by, _)| *by == id) {
            return Ok(false);
        }
        let signature = key.sign(&self.file.envelope.message())?;
        self.file.envelope.signatures.push((id, signature));
        self.file.envelope.signatures.sort_unstable_by_key(|(id, _)| *id);
        Ok(true)
    }

    /// Takes the signatures of another copy of the same proposal.
    ///
    /// # Errors
    /// [`ProposalError::Different`].
    pub fn merge(&mut self, other: Self) -> Result<(), ProposalError> {
        let mine = &mut self.file;
        let same = (&mine.document, &mine.in_force, &mine.envelope.payload)
            == (&other.file.document, &other.file.in_force, &other.file.envelope.payload);
        if !same {
            return Err(ProposalError::Different);
        }
        let mut signatures: BTreeMap<KeyId, _> = mine.envelope.signatures.iter().copied().collect();
        signatures.extend(other.file.envelope.signatures);
        mine.envelope.signatures = signatures.into_iter().collect();
        Ok(())
    }

    /// The envelope and the file as they are archived: with the signatures that count.
    ///
    /// # Errors
    /// [`ProposalError::Name`], never in practice.
    pub fn to_append(&self) -> Result<(Envelope, NewFile), ProposalError> {
        let mut envelope = self.file.envelope.clone();
        envelope.signatures.retain(|(id, _)| {
            [&self.in_force, &self.next].iter().any(|document| is_root(document, id, self.event.seq))
        });
        Ok((envelope, trust_file(&self.file.document)?))
    }
}

fn is_root(document: &TrustDocument, id: &KeyId, seq: u64) -> bool {
    document.key_for(id, KeyRole::Root, seq).is_some()
}

fn trust_file(document: &str) -> Result<NewFile, NameError> {
    let name = TRUST_FILE.parse::<FileName>()?;
    Ok(NewFile { name, role: Role::Trust, bytes: document.as_bytes().to_vec(), sealed: false })
}

/// The event, which is a `trust` event, of this document, and of nothing else.
fn read_event(file: &ProposalFile) -> Result<Event, ProposalError> {
    let statement = decode_statement(&file.envelope.payload)?;
    if statement.event.event != EventKind::Trust {
        return Err(ProposalError::Kind(statement.event.event));
    }
    let cid = build_file(file.document.as_bytes(), &mut |_| ());
    let is_document = |subject: &Subject| {
        let Subject::File { name, cid: found, digest, role } = subject else { return false };
        name.as_str() == TRUST_FILE && *found == cid && *digest == cid.digest() && *role == Role::Trust
    };
    let [subject] = statement.subjects.as_slice() else { return Err(ProposalError::OtherDocument) };
    if !is_document(subject) {
        return Err(ProposalError::OtherDocument);
    }
    // Members that nobody is shown would be signed with the rest.
    let Statement { subjects, event } = statement;
    let plain = event.target.is_none()
        && event.database_clock.is_none()
        && event.details == Details::Other { schema: None };
    let statement = Statement { subjects, event };
    if !plain || encode_statement(&statement) != file.envelope.payload {
        return Err(ProposalError::Surplus);
    }
    Ok(statement.event)
}
