//! The table `[watch]`: how often `greffe watch` looks, what is too much, and whom it tells. Its keys have neither
//! variables nor flags; secrets stand in it by where they are, never themselves.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::de::DeTable;

use super::Settings;
use super::error::{Reason, SourceError};
use super::lint::Refused;
use super::secret::{Secret, SecretSource};
use super::value::{Retention, parse_duration, parse_retention};
use crate::cli::commands::parse_age;
use crate::lang::Language;
use crate::model::ChainName;
use crate::policy::packs::members::{Faults, Members, Why};
use crate::store::remote::{Authorization, EndpointError};
use crate::watch::alert::{AlertUrl, Mailbox, Opening};
use crate::watch::{Window, Windows};

/// The name of the table.
pub const TABLE: &str = "watch";
/// The file of what was told, beside the settings.
const STATE: &str = "greffe.watch.json";

/// What the table says.
#[derive(Clone, Debug)]
pub struct WatchSettings {
    /// From the begin of one round to that of the next.
    pub interval: Duration,
    /// From the begin of one look at a guard's notes to that of the next.
    pub guard_interval: Duration,
    /// How long one look of a round may take.
    pub time_limit: Duration,
    /// How old the newest word on the head may be.
    pub max_age: Option<Duration>,
    /// When migrations may run.
    pub windows: Windows,
    /// Where what was told is kept.
    pub state: PathBuf,
    /// How many openings of sealed content within an hour are no burst.
    pub accesses: usize,
    /// How long before something comes due it is told.
    pub due: Retention,
    pub alerts: Vec<AlertSettings>,
}

/// `[[watch.alert]]`: one place that alerts go to.
#[derive(Clone, Debug)]
pub struct AlertSettings {
    pub name: String,
    pub url: AlertUrl,
    authorization: Option<SecretSource>,
    secret: Option<SecretSource>,
    from: Option<Mailbox>,
    to: Vec<Mailbox>,
    timeout: Duration,
    language: Option<Language>,
}

impl AlertSettings {
    /// What is needed to open it, with its secrets; it speaks `language` where it says nothing else.
    ///
    /// # Errors
    /// The key whose secret cannot be had, where it should be, and why.
    pub fn opening(
        &self,
        settings: &Settings,
        language: Language,
    ) -> Result<Opening, (&'static str, String, SourceError)> {
        let read = |name, source: &Option<SecretSource>| {
            let failed = |source: &SecretSource, error| (name, source.to_string(), error);
            source
                .as_ref()
                .map(|source| settings.secret(source).map_err(|error| failed(source, error)))
                .transpose()
        };
        let text: Option<Secret> = read("authorization", &self.authorization)?;
        let text = text.as_ref().map(|text| text.expose().trim());
        let place = || self.authorization.as_ref().map(ToString::to_string).unwrap_or_default();
        let wrong = || ("authorization", place(), SourceError::NotAuthorization);
        // It remembers the secret, so that no message repeats it.
        let authorization = text.map(|text| Authorization::parse(text).ok_or_else(wrong)).transpose()?;
        let pair = text.and_then(|text| text.strip_prefix("basic:")?.split_once(':'));
        let credentials = pair.map(|(user, password)| (user.to_owned(), password.to_owned().into()));
        let secret = read("secret", &self.secret)?;
        Ok(Opening {
            authorization,
            credentials,
            secret: secret.map(|secret| secret.expose().as_bytes().to_vec().into()),
            from: self.from.clone(),
            to: self.to.clone(),
            timeout: self.timeout,
            language: self.language.unwrap_or(language),
        })
    }
}

impl WatchSettings {
    /// Where secrets of alerts are.
    pub(super) fn secrets(&self) -> impl Iterator<Item = &SecretSource> {
        self.alerts.iter().flat_map(|alert| [&alert.authorization, &alert.secret]).flatten()
    }
}

/// What was read, and which variables it names.
pub(super) struct WatchRead {
    pub(super) settings: WatchSettings,
    pub(super) named: Vec<String>,
}

impl WatchSettings {
    /// What holds when nothing is said, for settings in `folder`.
    #[must_use]
    pub fn beside(folder: &Path) -> Self {
        Self {
            interval: Duration::from_secs(60),
            guard_interval: Duration::from_secs(5),
            time_limit: Duration::from_secs(60),
            max_age: None,
            windows: Windows::default(),
            state: folder.join(STATE),
            accesses: 20,
            due: Retention::days(14),
            alerts: Vec::new(),
        }
    }
}

impl WatchRead {
    /// Reads the table at `span` of a file in `folder`; gives what it says and all that is not allowed.
    pub(super) fn read(values: &DeTable<'_>, span: Range<usize>, folder: &Path) -> (Self, Vec<Refused>) {
        let faults = Faults::default();
        let members = Members::of(values, format!("{TABLE}."), span, &faults);
        let mut read = Self { settings: WatchSettings::beside(folder), named: Vec::new() };
        read.take(&members, folder);
        members.end();
        let refused = faults.into_inner().into_iter();
        let refused = refused.map(|fault| (fault.span, fault.member, Reason::Policy(fault.why)));
        (read, refused.collect())
    }

    fn take(&mut self, members: &Members<'_>, folder: &Path) {
        let settings = &mut self.settings;
        let span = |name, own: &mut Duration| {
            if let Some(duration) = parsed(members, name, "write a duration such as `60s`", long) {
                *own = duration;
            }
        };
        span("interval", &mut settings.interval);
        span("guard-interval", &mut settings.guard_interval);
        span("time-limit", &mut settings.time_limit);
        let age = "write minutes, hours or days: `30m`, `12h`, `7d`";
        settings.max_age = parsed(members, "max-age", age, |text| parse_age(text).ok());
        if let Some(due) =
            parsed(members, "due", "write days, weeks, months or years: `14d`", parse_retention)
        {
            settings.due = due;
        }
        if let Some(state) = members.text("state") {
            settings.state = folder.join(state);
        }
        if let Some(accesses) = members.number("accesses") {
            settings.accesses = accesses as usize;
        }
        for text in members.list("windows").unwrap_or_default() {
            match Window::parse(&text) {
                Some(window) => settings.windows.0.push(window),
                None => refuse(members, "windows", "write days and times in UTC: `mon-fri 20:00-23:00`"),
            }
        }
        for alert in members.tables("alert") {
            let read = self.alert(&alert, folder);
            alert.end();
            self.settings.alerts.extend(read);
        }
    }

    fn alert(&mut self, members: &Members<'_>, folder: &Path) -> Option<AlertSettings> {
        let name = members.needed("name");
        let insecure = members.boolean("insecure").unwrap_or(false);
        let url = members.needed("url");
        let mut source = |name| {
            let wanted = "write `env:NAME` or `file:PATH`, never the secret itself";
            let source = parsed(members, name, wanted, |text| SecretSource::parse(text, folder));
            if let Some(SecretSource::Variable(name)) = &source {
                self.named.push(name.clone());
            }
            source
        };
        let (authorization, secret) = (source("authorization"), source("secret"));
        let address = "write an address such as `ops@example.org`";
        let from = parsed(members, "from", address, |text| text.parse().ok());
        let to = members.list("to").unwrap_or_default();
        let boxes: Vec<Mailbox> = to.iter().filter_map(|text| text.parse().ok()).collect();
        if boxes.len() < to.len() {
            refuse(members, "to", address);
        }
        let timeout = parsed(members, "timeout", "write a duration such as `10s`", long);
        let language = parsed(members, "lang", "write `en`, `fr` or `ar`", Language::named);
        if name.parse::<ChainName>().is_err() {
            refuse(members, "name", "write 1 to 64 of the characters a-z, 0-9, `-`, `_` and `.`");
        } else if self.settings.alerts.iter().any(|other| other.name == name) {
            refuse(members, "name", "is that of another alert");
        }
        let url = AlertUrl::parse(&url, insecure).map_err(|error| {
            let wanted =
                "write `webhook:https://…`, `alertmanager:http://…`, `smtp://HOST` or `smtps://HOST`";
            let said = match error {
                EndpointError::NotUrl | EndpointError::Scheme => wanted.to_owned(),
                error => error.to_string(),
            };
            refuse(members, "url", &said);
        });
        let url = url.ok()?;
        if matches!(url, AlertUrl::Mail(_)) && (from.is_none() || boxes.is_empty()) {
            members.require("from");
            members.require("to");
        }
        let timeout = timeout.unwrap_or(Duration::from_secs(10));
        Some(AlertSettings { name, url, authorization, secret, from, to: boxes, timeout, language })
    }
}

/// A duration that is not nothing.
fn long(text: &str) -> Option<Duration> {
    parse_duration(text).filter(|duration| !duration.is_zero())
}

fn refuse(members: &Members<'_>, name: &str, why: &str) {
    members.refuse_member(name, Why::Other(why.to_owned()));
}

/// A text that `read` understands; what it does not is refused, and not repeated.
fn parsed<T>(
    members: &Members<'_>,
    name: &'static str,
    wanted: &str,
    read: impl Fn(&str) -> Option<T>,
) -> Option<T> {
    let read = read(&members.text(name)?);
    if read.is_none() {
        refuse(members, name, wanted);
    }
    read
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (WatchSettings, Vec<String>) {
        let (document, errors) = DeTable::parse_recoverable(text);
        assert_eq!(errors, []);
        let (read, refused) = WatchRead::read(document.get_ref(), 0..0, Path::new("/project"));
        (read.settings, refused.into_iter().map(|(_, key, reason)| format!("`{key}` {reason}")).collect())
    }

    #[test]
    fn all_of_it_is_read() {
        let (settings, refused) = read(
            "interval = '5s'\nguard-interval = '1s'\ntime-limit = '2s'\nmax-age = '7d'\nwindows = ['mon-fri 20:00-23:00']\nstate = 'w.json'\n\
             accesses = 3\ndue = '1m'\n[[alert]]\nname = 'hook'\nurl = 'webhook:https://a.example/x'\nsecret = 'env:HOOK'\n\
             [[alert]]\nname = 'mail'\nurl = 'smtps://mail.example'\nfrom = 'greffe@a.example'\nto = ['ops@a.example']\nlang = 'fr'\n",
        );
        assert_eq!(refused, [""; 0]);
        assert_eq!(
            (settings.interval, settings.time_limit),
            (Duration::from_secs(5), Duration::from_secs(2))
        );
        assert_eq!(settings.guard_interval, Duration::from_secs(1));
        assert_eq!((settings.max_age, settings.accesses), (Some(Duration::from_secs(7 * 86_400)), 3));
        assert_eq!((settings.state.as_path(), settings.alerts.len()), (Path::new("/project/w.json"), 2));
        assert!(!settings.windows.0.is_empty() && settings.due.in_days() == 31);
    }

    #[test]
    fn what_is_wrong_is_told_and_no_secret_repeated() {
        let alert = |rest: &str| format!("[[alert]]\nname = 'a'\nurl = 'webhook:https://a.example'\n{rest}");
        for (text, told) in [
            ("intervall = '5s'".to_owned(), "the nearest one is `interval`"),
            ("interval = '0s'".to_owned(), "write a duration such as `60s`"),
            ("max-age = '7 days'".to_owned(), "write minutes, hours or days"),
            ("windows = ['always']".to_owned(), "write days and times in UTC"),
            ("accesses = 'many'".to_owned(), "a whole number from 0 on"),
            (alert("secret = 'hunter2'"), "never the secret itself"),
            (alert("colour = 'red'"), "is no member of it"),
            (alert("lang = 'de'"), "write `en`, `fr` or `ar`"),
            (alert(&alert("")), "is that of another alert"),
            (
                "[[alert]]\nname = 'a'\nurl = 'webhook:http://a.example'".to_owned(),
                "plain `http:` to another machine",
            ),
            (
                "[[alert]]\nname = 'a'\nurl = 'webhook:https://u:hunter2@a.example'".to_owned(),
                "it holds a user or password",
            ),
            ("[[alert]]\nname = 'a'\nurl = 'smtps://a.example'".to_owned(), "`watch.alert.from` is missing"),
            ("[[alert]]\nname = 'a'\nurl = 'x:hunter2'".to_owned(), "write `webhook:https://"),
            ("[[alert]]\nurl = 'webhook:https://a.example'".to_owned(), "`watch.alert.name` is missing"),
        ] {
            let (_, refused) = read(&text);
            assert!(refused.iter().any(|refused| refused.contains(told)), "{text}: {refused:?}");
            assert!(!refused.concat().contains("hunter2"), "{refused:?}");
        }
    }
}
