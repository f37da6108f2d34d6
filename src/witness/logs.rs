//! The logs that a witness knows: their origins, and the keys that sign for each.

use std::collections::BTreeMap;

use crate::codec::vkey::{NoteAlgorithm, Vkey, VkeyError};

/// Logs with their keys; more are refused.
const COUNT_LIMIT: usize = 100_000;

/// Keys by origin.
#[derive(Clone, Debug, Default)]
pub struct Logs(BTreeMap<String, Vec<Vkey>>);

/// Why a list of logs cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogsError {
    #[error("line {line}: {source}")]
    Vkey { line: usize, source: VkeyError },
    #[error("line {0}: write `VKEY`, or `ORIGIN VKEY` where the key has another name than the log")]
    Shape(usize),
    #[error("line {0}: a log signs with a key of type 1 or 6; this one is a witness' key")]
    KeyType(usize),
    #[error("there are more than {COUNT_LIMIT} keys")]
    TooMany,
}

impl Logs {
    /// Adds the logs of a list: a verifier key on each line, the log's origin before it where the key has another name;
    /// `#` begins a remark. Several lines may name one origin.
    ///
    /// # Errors
    /// [`LogsError`].
    pub fn read(&mut self, text: &str) -> Result<(), LogsError> {
        for (index, line) in text.lines().enumerate() {
            let line_number = index + 1;
            let words: Vec<&str> = line.split_whitespace().collect();
            let (origin, vkey) = match words.as_slice() {
                [] => continue,
                [first, ..] if first.starts_with('#') => continue,
                [vkey] => (None, *vkey),
                [origin, vkey] => (Some(*origin), *vkey),
                _ => return Err(LogsError::Shape(line_number)),
            };
            let vkey: Vkey = vkey.parse().map_err(|source| LogsError::Vkey { line: line_number, source })?;
            if !NoteAlgorithm::OF_LOGS.contains(&vkey.algorithm()) {
                return Err(LogsError::KeyType(line_number));
            }
            let keys = self.0.entry(origin.unwrap_or(vkey.name()).to_owned()).or_default();
            if !keys.contains(&vkey) {
                keys.push(vkey);
            }
            if self.0.len() > COUNT_LIMIT || self.0.values().map(Vec::len).max() > Some(256) {
                return Err(LogsError::TooMany);
            }
        }
        Ok(())
    }

    /// The keys of a log; `None` for one that is not known.
    #[must_use]
    pub fn keys(&self, origin: &str) -> Option<&[Vkey]> {
        self.0.get(origin).map(Vec::as_slice)
    }

    /// The logs.
    pub fn origins(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::PrivateKey;

    #[test]
    fn logs_are_known_by_their_origins_and_a_line_that_is_wrong_is_told() {
        let (key, other) = (PrivateKey::from_seed(&[1; 32]), PrivateKey::from_seed(&[2; 32]));
        let (vkey, other) = (Vkey::ed25519("log", *key.public()), Vkey::ed25519("log", *other.public()));
        let mut logs = Logs::default();
        logs.read(&format!("# mine\n\n{vkey}\n{other}\n{vkey}\n elsewhere {vkey} \n")).unwrap();
        assert_eq!(logs.keys("log"), Some(&[vkey.clone(), other][..]));
        assert_eq!(logs.keys("elsewhere"), Some(&[vkey.clone()][..]));
        assert_eq!(logs.keys("another"), None);
        assert_eq!(logs.origins().collect::<Vec<_>>(), ["elsewhere", "log"]);
        let witness = Vkey::cosignature("w", *key.public()).unwrap();
        assert_eq!(logs.read(&format!("\n{witness}")), Err(LogsError::KeyType(2)));
        assert_eq!(logs.read("a b c"), Err(LogsError::Shape(1)));
        assert_eq!(logs.read("a"), Err(LogsError::Vkey { line: 1, source: VkeyError::Shape }));
    }
}
