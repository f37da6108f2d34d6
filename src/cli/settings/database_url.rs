//! The URL of a database, whose password no output shows, and where such a URL may come from.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use super::secret::{Secret, SecretSource};

/// Names of query parameters (or of `;` properties) that carry a secret.
const SECRET_PARAMETERS: [&str; 4] = ["pass", "pwd", "secret", "token"];

/// The URL of a database. `Display` and `Debug` hide user, password and the values of its query.
#[derive(Clone)]
pub struct DatabaseUrl(Secret);

impl DatabaseUrl {
    /// Takes any text that begins with a scheme such as `sqlite:`; drivers judge the rest. The refused text is
    /// not given back, for it may be a secret.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once(':')?;
        // One letter is a drive of Windows, not a scheme.
        let sound = scheme.len() > 1
            && scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
            && !rest.is_empty()
            && !text.chars().any(char::is_control);
        sound.then(|| Self(text.into()))
    }

    /// The whole URL, for the driver.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose()
    }

    /// The scheme, such as `sqlite`.
    #[must_use]
    pub fn scheme(&self) -> &str {
        self.parts().0
    }

    /// Whether it holds a password, in the user info or in a parameter.
    #[must_use]
    pub fn has_password(&self) -> bool {
        let (_, rest) = self.parts();
        let in_user = self.user_info().is_some_and(|user| {
            user.trim_start_matches('/').split_once(':').is_some_and(|(_, password)| !password.is_empty())
        });
        let in_parameters = rest.split(['?', '&', ';']).skip(1).any(|parameter| {
            parameter.split_once('=').is_some_and(|(name, value)| {
                let name = name.to_lowercase();
                !value.is_empty() && SECRET_PARAMETERS.iter().any(|secret| name.contains(secret))
            })
        });
        in_user || in_parameters
    }

    /// The same URL, a relative SQLite path in it taken relative to `base`. `None` when `base` is not Unicode.
    #[must_use]
    pub fn relative_to(self, base: &Path) -> Option<Self> {
        let (scheme, rest) = self.parts();
        let path = rest.strip_prefix("//").unwrap_or(rest);
        let keeps = scheme != "sqlite"
            || base.as_os_str().is_empty()
            || path.starts_with([':', '?'])
            || path.is_empty()
            || Path::new(path).is_absolute();
        if keeps {
            return Some(self);
        }
        // The driver decodes `%` and ends the path at `?`.
        let base = base.to_str()?.replace('%', "%25").replace('?', "%3F");
        let separator = if base.ends_with('/') { "" } else { "/" };
        Some(Self(format!("sqlite:{base}{separator}{path}").into()))
    }

    fn parts(&self) -> (&str, &str) {
        self.expose().split_once(':').unwrap_or_default()
    }

    /// All before the last `@`, which is more than the standard says: a password may hold `/`, `?` and `@` that
    /// should have been escaped. SQLite has no users, and its paths may hold `@`.
    fn user_info(&self) -> Option<&str> {
        let (scheme, rest) = self.parts();
        if scheme == "sqlite" { None } else { rest.rsplit_once('@').map(|(user, _)| user) }
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, rest) = self.parts();
        let slashes = if rest.starts_with("//") { "//" } else { "" };
        write!(f, "{scheme}:")?;
        let shown = match self.user_info() {
            // The last `@` may stand in the query, or a `?` in the password: what follows may be either.
            Some(user) if user.contains(['?', ';', '#']) => return write!(f, "{slashes}…"),
            Some(user) => {
                write!(f, "{slashes}…@")?;
                &rest[user.len() + 1..]
            }
            None => rest,
        };
        let (path, parameters) = shown.split_at(shown.find(['?', ';']).unwrap_or(shown.len()));
        f.write_str(path)?;
        for parameter in parameters.split_inclusive(['?', '&', ';']) {
            let end = parameter.find('=').map_or(0, |equals| equals + 1);
            let separator = parameter.chars().last().filter(|c| matches!(c, '?' | '&' | ';'));
            let hidden = if parameter.len() == separator.map_or(0, char::len_utf8) { "" } else { "…" };
            write!(f, "{}{hidden}{}", &parameter[..end], separator.map(String::from).unwrap_or_default())?;
        }
        Ok(())
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({self})")
    }
}

/// Where the URL of a database is.
#[derive(Clone, Debug)]
pub enum DatabaseSource {
    /// This is it.
    Url(DatabaseUrl),
    /// The variable of this name holds it; a relative SQLite path in it is relative to the current directory.
    Variable(String),
    /// The first line of this file is it; a relative SQLite path in it is relative to `base`, like `path` was.
    File { path: PathBuf, base: PathBuf },
}

impl DatabaseSource {
    /// A SQLite file.
    #[must_use]
    pub fn sqlite(path: &Path) -> Self {
        // The driver decodes `%` and ends the path at `?`.
        let path = path.to_string_lossy().replace('%', "%25").replace('?', "%3F");
        Self::Url(DatabaseUrl(format!("sqlite:{path}").into()))
    }

    /// Reads a URL, `env:NAME` or `file:PATH`; paths are taken relative to `base`. Anything else is `None`.
    #[must_use]
    pub fn parse(text: &str, base: &Path) -> Option<Self> {
        match SecretSource::parse(text, base) {
            Some(SecretSource::Variable(name)) => Some(Self::Variable(name)),
            Some(SecretSource::File(path)) => Some(Self::File { path, base: base.to_owned() }),
            None if text.starts_with("env:") || text.starts_with("file:") => None,
            None => DatabaseUrl::parse(text)?.relative_to(base).map(Self::Url),
        }
    }
}

impl fmt::Display for DatabaseSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(url) => url.fmt(f),
            Self::Variable(name) => write!(f, "env:{name}"),
            Self::File { path, .. } => write!(f, "file:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> DatabaseUrl {
        DatabaseUrl::parse(text).unwrap()
    }

    #[test]
    fn passwords_are_hidden_however_they_are_written() {
        for (text, shown) in [
            ("sqlite:app.db", "sqlite:app.db"),
            ("sqlite::memory:", "sqlite::memory:"),
            ("sqlite:///home/a@b/app.db?mode=ro", "sqlite:///home/a@b/app.db?mode=…"),
            ("sqlite:app.db?mode=ro&key=hunter2", "sqlite:app.db?mode=…&key=…"),
            ("postgres://host/db", "postgres://host/db"),
            ("postgres://ann:hunter2@host:5432/db", "postgres://…@host:5432/db"),
            ("postgres://ann@host/db?password=hunter2", "postgres://…@host/db?password=…"),
            ("postgres://ann:hun/ter2@host/db", "postgres://…@host/db"),
            ("postgres://ann:hun@ter2@host/db", "postgres://…@host/db"),
            ("postgres://ann:hun?ter2@host/db", "postgres://…"),
            ("postgres://host/db?password=hun@ter2", "postgres://…"),
            ("postgres:ann:hunter2@host", "postgres:…@host"),
            ("postgres://host/db?hunter2", "postgres://host/db?…"),
            ("sqlserver://host;password=hunter2;x=1", "sqlserver://host;password=…;x=…"),
        ] {
            assert_eq!(url(text).to_string(), shown, "{text}");
            assert_eq!(format!("{:?}", url(text)), format!("DatabaseUrl({shown})"));
            assert_eq!(url(text).expose(), text);
        }
    }

    #[test]
    fn passwords_are_found_where_they_may_stand() {
        for (text, has) in [
            ("postgres://ann:hunter2@host/db", true),
            ("postgres://ann:hun/t?er@2@host/db", true),
            ("postgres://:hunter2@host/db", true),
            ("postgres:ann:hunter2@host", true),
            ("postgres://host/db?sslmode=require&PassWord=x", true),
            ("sqlserver://host;pwd=x", true),
            ("postgres://ann@host:5432/db", false),
            ("postgres://ann:@host/db", false),
            ("postgres://host:5432/db?password=", false),
            ("sqlite:///home/a:1@b/app.db", false),
        ] {
            assert_eq!(url(text).has_password(), has, "{text}");
        }
    }

    #[test]
    fn a_sqlite_path_is_relative_to_where_it_is_written() {
        for (text, base, result) in [
            ("sqlite:app.db?mode=rwc", "dir", "sqlite:dir/app.db?mode=rwc"),
            ("sqlite://app.db", "dir/", "sqlite:dir/app.db"),
            ("sqlite:app.db", "50%?", "sqlite:50%25%3F/app.db"),
            ("sqlite:app.db", "", "sqlite:app.db"),
            ("sqlite:///app.db", "dir", "sqlite:///app.db"),
            ("sqlite::memory:", "dir", "sqlite::memory:"),
            ("sqlite://?mode=memory", "dir", "sqlite://?mode=memory"),
            ("postgres://host/db", "dir", "postgres://host/db"),
        ] {
            assert_eq!(url(text).relative_to(Path::new(base)).unwrap().expose(), result);
        }
    }

    #[test]
    fn text_without_a_scheme_is_no_url() {
        for text in ["", "app.db", ":x", "sqlite:", "c:\\app.db", "1x:y", "a b:c", "sqlite:a\nb", "env:1"] {
            assert!(DatabaseSource::parse(text, Path::new("")).is_none(), "{text:?}");
        }
    }
}
