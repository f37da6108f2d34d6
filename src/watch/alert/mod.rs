//! Alerts on their way: by webhook, to an Alertmanager, by mail. One attempt at a time, with a limit of time; what failed
//! is tried again by whoever owes it.

mod alertmanager;
mod event;
mod mail;
mod webhook;

use std::fmt;
use std::time::Duration;

use url::Url;
use zeroize::Zeroizing;

pub use mail::{MailError, MailServer, Mailbox};

use super::Alert;
use crate::lang::{Language, Words};
use crate::store::remote::{Authorization, Endpoint, EndpointError, Http, Patience, RemoteError};

/// Bytes of an answer that are read.
const ANSWER_LIMIT: u64 = 64 << 10;

/// Where alerts go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AlertUrl {
    /// CloudEvents 1.0, structured, as JSON.
    Webhook(Url),
    /// Version 2 of Alertmanager's interface, below this prefix.
    Alertmanager(Url),
    Mail(MailServer),
}

impl AlertUrl {
    /// Reads `webhook:URL`, `alertmanager:URL`, `smtp://HOST[:PORT]` or `smtps://HOST[:PORT]`. `insecure`: what is not
    /// encrypted may leave this machine.
    ///
    /// # Errors
    /// [`EndpointError`]; it repeats nothing of the text.
    pub fn parse(text: &str, insecure: bool) -> Result<Self, EndpointError> {
        if text.starts_with("smtp://") || text.starts_with("smtps://") {
            return MailServer::parse(text, insecure).map(Self::Mail);
        }
        let (kind, url) = text.split_once(':').ok_or(EndpointError::NotUrl)?;
        match kind {
            // Its path is whatever the service says, also without a slash at its end.
            "webhook" => crate::store::remote::parse_web_url(url, insecure).map(Self::Webhook),
            "alertmanager" => match Endpoint::parse(url, insecure)? {
                Endpoint::Url(url) => Ok(Self::Alertmanager(url)),
                Endpoint::Unix(_) => Err(EndpointError::Scheme),
            },
            _ => Err(EndpointError::NotUrl),
        }
    }
}

impl fmt::Display for AlertUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Webhook(url) => write!(f, "webhook:{url}"),
            Self::Alertmanager(url) => write!(f, "alertmanager:{url}"),
            Self::Mail(server) => server.fmt(f),
        }
    }
}

/// A secret that the channel needs, and how long one attempt may take.
pub struct Opening {
    pub authorization: Option<Authorization>,
    /// User and password of a mail server.
    pub credentials: Option<(String, Zeroizing<String>)>,
    /// With what webhooks are signed.
    pub secret: Option<Zeroizing<Vec<u8>>>,
    pub from: Option<Mailbox>,
    pub to: Vec<Mailbox>,
    pub timeout: Duration,
    /// In which language people are told.
    pub language: Language,
}

/// Why an alert was not taken.
#[derive(Debug, thiserror::Error)]
pub enum AlertError {
    #[error(transparent)]
    Remote(#[from] RemoteError),
    #[error(transparent)]
    Mail(#[from] MailError),
    #[error("it has no answer within {} s", .0.as_secs_f32())]
    TimedOut(Duration),
    #[error("the alert cannot be written: {0}")]
    Written(#[from] serde_json::Error),
}

impl AlertError {
    /// Whether another alert may be taken where this one was not.
    #[must_use]
    pub fn is_of_alert(&self) -> bool {
        match self {
            Self::Remote(RemoteError::Refused { status, .. }) => matches!(status, 400 | 413 | 422),
            Self::Mail(error) => error.is_of_mail(),
            Self::Written(_) => true,
            Self::Remote(_) | Self::TimedOut(_) => false,
        }
    }
}

/// One place that alerts go to.
pub struct Channel {
    way: Way,
    timeout: Duration,
    language: Language,
}

enum Way {
    Webhook(webhook::Webhook),
    Alertmanager(Http),
    Mail(Box<mail::Mailer>),
}

impl Channel {
    /// Opens it; nothing is sent yet.
    ///
    /// # Errors
    /// [`AlertError`] where this system has no certificates, or the mail has no sender or nobody to go to.
    pub fn open(url: &AlertUrl, opening: Opening) -> Result<Self, AlertError> {
        let (timeout, language) = (opening.timeout, opening.language);
        let patience = Patience { request: timeout, total: timeout };
        let http =
            |url: &Url| Http::direct(&Endpoint::Url(url.clone()), opening.authorization.clone(), patience);
        let way = match url {
            AlertUrl::Webhook(url) => {
                Way::Webhook(webhook::Webhook::new(http(url)?, url.clone(), opening.secret.clone()))
            }
            AlertUrl::Alertmanager(url) => Way::Alertmanager(http(url)?),
            AlertUrl::Mail(server) => Way::Mail(Box::new(mail::Mailer::open(server, &opening)?)),
        };
        Ok(Self { way, timeout, language })
    }

    /// Sends one alert, once, within the time of the channel, from looking up its name to the end of its answer.
    ///
    /// # Errors
    /// [`AlertError`].
    pub fn send(&self, alert: &Alert) -> Result<(), AlertError> {
        let words = Words::of(self.language);
        self.within(async {
            match &self.way {
                Way::Webhook(webhook) => webhook.send(alert, &words).await,
                Way::Alertmanager(http) => {
                    alertmanager::send(http, std::slice::from_ref(alert), &words).await
                }
                Way::Mail(mailer) => mailer.send(alert, &words).await.map_err(AlertError::from),
            }
        })
    }

    /// Whether it forgets what it is not told again.
    #[must_use]
    pub const fn forgets(&self) -> bool {
        matches!(self.way, Way::Alertmanager(_))
    }

    /// Says again what is open, to one that forgets; nothing to others.
    ///
    /// # Errors
    /// [`AlertError`].
    pub fn say_again(&self, open: &[Alert]) -> Result<(), AlertError> {
        match &self.way {
            Way::Alertmanager(http) => self.within(alertmanager::send(http, open, &Words::of(self.language))),
            Way::Webhook(_) | Way::Mail(_) => Ok(()),
        }
    }

    fn within(&self, sending: impl Future<Output = Result<(), AlertError>>) -> Result<(), AlertError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().enable_io().build();
        let runtime = runtime.map_err(|_| RemoteError::Unsupported("this system gives no runtime"))?;
        let sent = runtime.block_on(async { tokio::time::timeout(self.timeout, sending).await });
        // A name that is still looked up is not waited for.
        runtime.shutdown_background();
        sent.map_err(|_| AlertError::TimedOut(self.timeout))?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_say_what_they_lead_to_and_stay_encrypted() {
        for text in [
            "webhook:https://a.example/x",
            "alertmanager:http://127.0.0.1:9093/",
            "smtp://127.0.0.1:25",
            "smtps://mail.example:465",
        ] {
            assert_eq!(AlertUrl::parse(text, false).unwrap().to_string(), text);
        }
        for text in ["webhook:http://a.example/x", "alertmanager:http://192.0.2.1:9093"] {
            assert_eq!(AlertUrl::parse(text, false), Err(EndpointError::Plain), "{text}");
            assert!(AlertUrl::parse(text, true).is_ok());
        }
        for text in [
            "",
            "https://a.example",
            "webhook:",
            "webhook:ftp://a",
            "webhook:https://u:p@a.example",
            "smtp://u:p@a.example",
            "smtp://",
            "alertmanager:unix:/x",
            "smtp://a.example/path",
            "smtp://a.example?tls=no",
        ] {
            assert!(AlertUrl::parse(text, true).is_err(), "{text}");
        }
    }
}
