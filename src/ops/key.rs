//! Key files: written once and in full, readable by their owner alone.

use std::path::Path;

use super::OpsError;
use crate::crypto::{PrivateKey, encode_encrypted_pem, encode_pem};
use crate::store::create_file;

/// Writes a private key to a new file of mode 0600, encrypted when there is a passphrase.
///
/// # Errors
/// [`OpsError::Exists`] rather than replacing a file; [`OpsError::File`].
pub fn write(path: &Path, key: &PrivateKey, passphrase: Option<&str>) -> Result<(), OpsError> {
    let text = match passphrase {
        Some(passphrase) => encode_encrypted_pem(key, passphrase),
        None => encode_pem(key),
    };
    let failed = |source: std::io::Error| match source.kind() {
        std::io::ErrorKind::AlreadyExists => OpsError::Exists(path.to_owned()),
        _ => OpsError::File { path: path.to_owned(), done: "written", source },
    };
    create_file(path, text.as_bytes(), 0o600).map_err(failed)
}
