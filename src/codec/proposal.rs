//! The file of a proposal ⇄ JSON: a trust document that is not in force yet, and the very envelope that would be archived
//! with it. Nothing in it is verified here.
//!
//! ```text
//! { "greffe": "trust-proposal/1",
//!   "inForce": text,      the trust document that it would replace
//!   "document": text,     the one that would be in force, byte for byte as it would be archived
//!   "envelope": object }  the DSSE envelope of the `trust` event, with the signatures so far (FORMAT §3)
//! ```

use serde::{Deserialize, Serialize};

use super::dsse::{Envelope, EnvelopeError};
use super::json::{self, Object};

/// Larger files are refused: two documents, and an envelope that holds neither.
pub const PROPOSAL_LIMIT: usize = 4 << 20;

const FORM: &str = "trust-proposal/1";

/// What the file holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProposalFile {
    pub in_force: String,
    pub document: String,
    /// May have no signature yet.
    pub envelope: Envelope,
}

/// Why bytes are not the file of a proposal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProposalFileError {
    #[error("it has {0} bytes, more than {PROPOSAL_LIMIT}")]
    TooLarge(usize),
    #[error("it is no proposal: {0}")]
    Malformed(String),
    #[error("it is of the form {0:?}, not {FORM:?}")]
    Form(String),
    #[error("its envelope cannot be read: {0}")]
    Envelope(#[from] EnvelopeError),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Wire {
    greffe: String,
    in_force: String,
    document: String,
    envelope: serde_json::Value,
}

/// Writes the file.
#[must_use]
pub fn encode_proposal(file: &ProposalFile) -> Vec<u8> {
    let envelope = serde_json::from_slice(&file.envelope.encode()).expect("an envelope is JSON");
    let (in_force, document) = (file.in_force.clone(), file.document.clone());
    let wire = Wire { greffe: FORM.to_owned(), in_force, document, envelope };
    let mut bytes = serde_json::to_vec_pretty(&wire).expect("text always encodes");
    bytes.push(b'\n');
    bytes
}

/// Reads the file.
///
/// # Errors
/// [`ProposalFileError`] for another form, unknown or duplicate members, and what is no envelope.
pub fn decode_proposal(bytes: &[u8]) -> Result<ProposalFile, ProposalFileError> {
    if bytes.len() > PROPOSAL_LIMIT {
        return Err(ProposalFileError::TooLarge(bytes.len()));
    }
    // No member stands twice at any depth, so that the envelope is the same when it is written out again.
    let Object(wire): Object<Wire> =
        json::decode(bytes).map_err(|error| ProposalFileError::Malformed(error.to_string()))?;
    if wire.greffe != FORM {
        return Err(ProposalFileError::Form(wire.greffe.chars().take(100).collect()));
    }
    let envelope = Envelope::decode_draft(wire.envelope.to_string().as_bytes())?;
    Ok(ProposalFile { in_force: wire.in_force, document: wire.document, envelope })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_go_both_ways_and_have_no_other_members() {
        let envelope = Envelope { payload: b"{}".to_vec(), signatures: Vec::new() };
        let file = ProposalFile { in_force: "{}\n".into(), document: "{ }".into(), envelope };
        let bytes = encode_proposal(&file);
        assert_eq!(decode_proposal(&bytes), Ok(file));
        let text = String::from_utf8(bytes).unwrap();
        for (from, to) in [
            ("trust-proposal/1", "trust-proposal/2"),
            ("\"document\"", "\"inForce\": \"\", \"document\""),
            ("\"document\"", "\"more\": 1, \"document\""),
            ("\"payload\"", "\"payload\": \"e30=\", \"payload\""),
            ("application/vnd.in-toto+json", "text/plain"),
            ("e30=", "e30"),
        ] {
            let other = text.replacen(from, to, 1);
            assert_ne!(other, text);
            assert!(decode_proposal(other.as_bytes()).is_err(), "{to}");
        }
    }
}
