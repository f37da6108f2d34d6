//! Warns of files of secrets that others on this machine may read or write. It says so and goes on: a file that is mounted
//! from elsewhere cannot always be changed.

use std::collections::HashSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use super::output::remark;
use super::settings::SecretSource;
use crate::vault::file_of;

/// What anybody but the owner may do with a file.
const OTHERS: u32 = 0o077;

/// Warns of the file that holds a secret, once.
pub fn look_at_source(what: &str, source: Option<&SecretSource>) {
    if let Some(SecretSource::File(path)) = source {
        look_at(what, path);
    }
}

/// Warns of the file of a vault, once.
pub fn look_at_vault(url: &str) {
    if let Ok(Some(path)) = file_of(url) {
        look_at("vault", &path);
    }
}

/// Warns of the file of tokens, once.
pub fn look_at_tokens(path: &Path) {
    look_at("tokens", path);
}

/// Warns of a file, once.
fn look_at(what: &str, path: &Path) {
    static SEEN: Mutex<Option<HashSet<PathBuf>>> = Mutex::new(None);
    let Ok(metadata) = path.metadata() else { return };
    let mode = metadata.permissions().mode() & 0o777;
    if !metadata.is_file() || mode & OTHERS == 0 {
        return;
    }
    let is_new = SEEN.lock().map(|mut seen| seen.get_or_insert_default().insert(path.to_owned()));
    if is_new.unwrap_or(true) {
        let path = path.display();
        remark(&format!("warning: others on this machine may use the {what}, {path} (mode {mode:03o})"));
        remark(&format!("hint: run `chmod 600 {path}`"));
    }
}
