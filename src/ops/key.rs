//! Key files: written once, readable by their owner alone.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

use super::OpsError;
use crate::crypto::{PrivateKey, encode_encrypted_pem, encode_pem};

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
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).map_err(failed)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)
}
