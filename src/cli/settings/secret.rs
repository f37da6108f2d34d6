//! Secrets: text that no output shows, where it may come from, and the bounded reading of small files.

use std::{
    fmt,
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use zeroize::Zeroizing;

/// Larger files are neither settings nor secrets: 1 MiB.
pub const SIZE_LIMIT: u64 = 1 << 20;

/// Text that is wiped from memory when dropped and shown by no output: there is no `Display`.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes the text over.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text itself, for the one place that needs it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self::new(text.to_owned())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// Where a secret is; never the secret itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretSource {
    /// The variable of this name holds it.
    Variable(String),
    /// This file holds it.
    File(PathBuf),
}

impl SecretSource {
    /// Reads `env:NAME` or `file:PATH`, the path taken relative to `base`. Anything else is `None`: it may be
    /// the secret itself, so that nobody should repeat it.
    #[must_use]
    pub fn parse(text: &str, base: &Path) -> Option<Self> {
        if let Some(name) = text.strip_prefix("env:") {
            let sound = |(index, c): (usize, char)| {
                c == '_' || c.is_ascii_alphabetic() || (index > 0 && c.is_ascii_digit())
            };
            let sound = !name.is_empty() && name.chars().enumerate().all(sound);
            return sound.then(|| Self::Variable(name.to_owned()));
        }
        let path = text.strip_prefix("file:").filter(|path| !path.is_empty())?;
        Some(Self::File(base.join(path)))
    }
}

impl fmt::Display for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variable(name) => write!(f, "env:{name}"),
            Self::File(path) => write!(f, "file:{}", path.display()),
        }
    }
}

/// Why a small text file could not be read; completes "the file …".
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("does not exist")]
    Absent,
    #[error("is a directory, not a file")]
    Directory,
    #[error("is larger than 1 MiB")]
    TooLarge,
    #[error("is not UTF-8 text (line {line})")]
    NotUtf8 { line: usize },
    #[error("cannot be read: {0}")]
    Io(io::Error),
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::Absent,
            io::ErrorKind::IsADirectory => Self::Directory,
            _ => Self::Io(error),
        }
    }
}

/// Reads a whole text file of at most [`SIZE_LIMIT`] bytes.
///
/// # Errors
/// [`ReadError`], which never holds a part of the text.
pub fn read_text(path: &Path) -> Result<Secret, ReadError> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        return Err(ReadError::Directory);
    }
    if metadata.len() > SIZE_LIMIT {
        return Err(ReadError::TooLarge);
    }
    // Room for all of it from the start: growing would leave copies behind that nothing wipes.
    let room = usize::try_from(metadata.len()).unwrap_or(0).saturating_add(64);
    let mut bytes = Zeroizing::new(Vec::with_capacity(room));
    // A pipe has no length: the bound holds while reading, too.
    file.take(SIZE_LIMIT + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > SIZE_LIMIT {
        return Err(ReadError::TooLarge);
    }
    match std::str::from_utf8(&bytes) {
        Ok(text) => Ok(text.into()),
        Err(error) => {
            let before = &bytes[..error.valid_up_to()];
            Err(ReadError::NotUtf8 { line: 1 + before.iter().filter(|byte| **byte == b'\n').count() })
        }
    }
}

/// The text without its last line end, which editors add and nobody means.
#[must_use]
pub fn strip_newline(text: &str) -> &str {
    let text = text.strip_suffix('\n').unwrap_or(text);
    text.strip_suffix('\r').unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_shows_itself_nowhere() {
        let secret = Secret::from("hunter2");
        assert_eq!(format!("{secret:?} {:#?}", Some(&secret)), "[secret] Some(\n    [secret],\n)");
        assert_eq!(secret.expose(), "hunter2");
    }

    #[test]
    fn sources_are_variables_or_files_and_nothing_else() {
        let parse = |text: &str| SecretSource::parse(text, Path::new("base"));
        assert_eq!(parse("env:A_1"), Some(SecretSource::Variable("A_1".into())));
        assert_eq!(parse("file:k.pem"), Some(SecretSource::File("base/k.pem".into())));
        assert_eq!(parse("file:/k.pem"), Some(SecretSource::File("/k.pem".into())));
        for bad in ["", "hunter2", "env:", "env:1A", "env:A B", "env:é", "file:", "ENV:A", " env:A"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn one_line_end_is_stripped_and_no_more() {
        for (text, stripped) in
            [("a\n", "a"), ("a\r\n", "a"), ("a\n\n", "a\n"), ("a ", "a "), ("", ""), ("a", "a")]
        {
            assert_eq!(strip_newline(text), stripped);
        }
    }

    #[test]
    fn only_small_text_files_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let read = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            read_text(&path)
        };
        assert_eq!(read(b"").unwrap().expose(), "");
        assert!(read(&vec![b'x'; 1 << 20]).is_ok());
        assert!(matches!(read(&vec![b'x'; (1 << 20) + 1]), Err(ReadError::TooLarge)));
        assert!(matches!(read(b"a\nb\n\xff"), Err(ReadError::NotUtf8 { line: 3 })));
        assert!(matches!(read_text(folder.path()), Err(ReadError::Directory)));
        assert!(matches!(read_text(&folder.path().join("absent")), Err(ReadError::Absent)));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_file_without_a_length_is_bounded_too() {
        assert!(matches!(read_text(Path::new("/dev/zero")), Err(ReadError::TooLarge)));
    }
}
