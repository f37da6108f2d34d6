//! Alerts by mail, over SMTP. Leaving this machine, it is encrypted, unless somebody said otherwise.

use std::fmt;
use std::str::FromStr;

use lettre::message::Mailbox as Address;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};
use url::Url;

use super::super::{Alert, Happened};
use super::Opening;
use crate::lang::Words;
use crate::store::remote::{EndpointError, is_loopback};

/// A mail server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailServer {
    host: String,
    port: u16,
    security: Security,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Security {
    /// From the first byte on.
    Tls,
    /// By STARTTLS, which has to be there.
    Required,
    /// By STARTTLS where it is there.
    Possible,
    /// Nothing leaves this machine.
    Plain,
}

impl MailServer {
    /// Reads `smtp://HOST[:PORT]` or `smtps://HOST[:PORT]`.
    ///
    /// # Errors
    /// [`EndpointError`].
    pub fn parse(text: &str, insecure: bool) -> Result<Self, EndpointError> {
        let url = Url::parse(text).map_err(|_| EndpointError::NotUrl)?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(EndpointError::Password);
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(EndpointError::Query);
        }
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or(EndpointError::NotUrl)?;
        let here = is_loopback(&url) || host == "127.0.0.1" || host == "[::1]" || host == "localhost";
        let (security, port) = match url.scheme() {
            "smtps" => (Security::Tls, 465),
            "smtp" if here => (Security::Plain, 25),
            "smtp" if insecure => (Security::Possible, 587),
            "smtp" => (Security::Required, 587),
            _ => return Err(EndpointError::Scheme),
        };
        if !matches!(url.path(), "" | "/") {
            return Err(EndpointError::NotUrl);
        }
        Ok(Self { host: host.to_owned(), port: url.port().unwrap_or(port), security })
    }
}

impl fmt::Display for MailServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.security == Security::Tls { "smtps" } else { "smtp" };
        write!(f, "{scheme}://{}:{}", self.host, self.port)
    }
}

/// Whom a mail is from, or goes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mailbox(Address);

impl FromStr for Mailbox {
    type Err = NotMailbox;

    fn from_str(text: &str) -> Result<Self, NotMailbox> {
        if text.contains(char::is_control) {
            return Err(NotMailbox);
        }
        text.parse().map(Self).map_err(|_| NotMailbox)
    }
}

/// The text is no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is no address such as `ops@example.org`")]
pub struct NotMailbox;

/// Why a mail was not taken.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    #[error("a mail needs `from` and `to`")]
    Nobody,
    #[error("TLS cannot be used: {0}")]
    Tls(lettre::transport::smtp::Error),
    #[error("the mail cannot be written: {0}")]
    Message(#[from] lettre::error::Error),
    #[error("the mail server did not take it: {}", said(.0))]
    Refused(lettre::transport::smtp::Error),
}

impl MailError {
    /// Whether another mail may be taken where this one was not: the server refused it for good, and not who we are.
    pub(super) fn is_of_mail(&self) -> bool {
        match self {
            Self::Message(_) => true,
            Self::Refused(error) => {
                let code = error.status().map(|code| code.to_string());
                error.is_permanent() && code.is_some_and(|code| !code.starts_with("53"))
            }
            Self::Nobody | Self::Tls(_) => false,
        }
    }
}

/// Answers of servers may be long.
fn said(error: &lettre::transport::smtp::Error) -> String {
    let text: String =
        error.to_string().chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect();
    text
}

/// A mail server that is open, and whom mails are from and go to.
pub struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Address,
    to: Vec<Address>,
}

impl Mailer {
    /// Opens it; nothing is connected yet.
    pub fn open(server: &MailServer, opening: &Opening) -> Result<Self, MailError> {
        let from = opening.from.clone().ok_or(MailError::Nobody)?.0;
        let to: Vec<Address> = opening.to.iter().map(|mailbox| mailbox.0.clone()).collect();
        if to.is_empty() {
            return Err(MailError::Nobody);
        }
        let parameters = || TlsParameters::new(server.host.clone()).map_err(MailError::Tls);
        let tls = match server.security {
            Security::Tls => Tls::Wrapper(parameters()?),
            Security::Required => Tls::Required(parameters()?),
            Security::Possible => Tls::Opportunistic(parameters()?),
            Security::Plain => Tls::None,
        };
        let host = server.host.trim_start_matches('[').trim_end_matches(']');
        let mut builder =
            AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host).port(server.port).tls(tls);
        builder = builder.timeout(Some(opening.timeout));
        if let Some((user, password)) = &opening.credentials {
            builder = builder.credentials(Credentials::new(user.clone(), password.to_string()));
        }
        Ok(Self { transport: builder.build(), from, to })
    }

    /// Sends an alert, once.
    pub async fn send(&self, alert: &Alert, words: &Words) -> Result<(), MailError> {
        self.transport.send(self.message(alert, words)?).await.map_err(MailError::Refused)?;
        Ok(())
    }

    fn message(&self, alert: &Alert, words: &Words) -> Result<Message, MailError> {
        let mut message = Message::builder()
            .from(self.from.clone())
            .subject(title(alert, words))
            // The same whenever it is sent again.
            .message_id(Some(format!("<{}@greffe>", alert.id)))
            .header(ContentType::TEXT_PLAIN);
        for to in &self.to {
            message = message.to(to.clone());
        }
        let mut message = message.body(body(alert, words))?;
        // Nobody is to answer it by a machine (RFC 3834 §5).
        let name = HeaderName::new_from_ascii_str("Auto-Submitted");
        message.headers_mut().insert_raw(HeaderValue::new(name, "auto-generated".to_owned()));
        Ok(message)
    }
}

fn title(alert: &Alert, words: &Words) -> String {
    let finding = &alert.finding;
    let values = [
        ("name", alert.name.as_str().into()),
        ("severity", finding.code.severity().text(words).into()),
        ("code", finding.code.as_str().into()),
        ("subject", finding.subject.as_str().into()),
    ];
    match alert.happened {
        Happened::Begun => words.tell("mail-title", values),
        Happened::Ended => words.tell("mail-title-ended", values),
    }
}

fn body(alert: &Alert, words: &Words) -> String {
    let finding = &alert.finding;
    let name = ("name", alert.name.as_str().into());
    let mut text = format!("{}\n\n", finding.text(words));
    if alert.happened == Happened::Ended {
        text.push_str(&format!("{}\n\n", words.say("mail-gone")));
    }
    let lines = [
        match alert.chain {
            None => words.tell("mail-name", [name]),
            Some(chain) => words.tell("mail-chain", [name, ("chain", chain.to_string().into())]),
        },
        words.tell(
            "mail-rule",
            [("code", finding.code.as_str().into()), ("rule", finding.code.rule(words).into())],
        ),
        words.tell("mail-since", [("since", alert.since.to_string().into())]),
        words.tell("mail-at", [("at", alert.at.to_string().into())]),
    ];
    text.push_str(&lines.join("\n"));
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::super::{Code, Finding};
    use super::*;
    use crate::lang::Language;

    #[test]
    fn no_header_is_injected_and_plain_mail_stays_here() {
        assert_eq!(MailServer::parse("smtp://mail.example", false).unwrap().security, Security::Required);
        assert_eq!(MailServer::parse("smtp://127.0.0.1:2525", false).unwrap().security, Security::Plain);
        assert!("a@example.org\nBcc: b@example.org".parse::<Mailbox>().is_err());
        let opening = Opening {
            authorization: None,
            credentials: None,
            secret: None,
            from: Some("greffe@example.org".parse().unwrap()),
            to: vec!["ops@example.org".parse().unwrap()],
            timeout: Duration::from_secs(1),
            language: Language::French,
        };
        let mailer =
            Mailer::open(&MailServer::parse("smtp://127.0.0.1:2525", false).unwrap(), &opening).unwrap();
        let mut alert = Alert {
            id: "1".to_owned(),
            happened: Happened::Begun,
            chain: None,
            name: "demo".to_owned(),
            finding: Finding::new(Code::Differs, "x\r\nBcc: evil@example.org"),
            since: "2026-11-23T20:00:00.000000Z".parse().unwrap(),
            at: "2026-11-23T20:00:00.000000Z".parse().unwrap(),
        };
        alert.name = "demo".to_owned();
        let text =
            String::from_utf8(mailer.message(&alert, &Words::of(Language::English)).unwrap().formatted())
                .unwrap();
        assert!(!text.lines().any(|line| line.starts_with("Bcc")), "{text}");
        assert!(text.contains("Auto-Submitted: auto-generated"), "{text}");
        let french = Words::of(Language::French);
        assert_eq!(title(&alert, &french), "[greffe demo] avertissement : differs, x  Bcc: evil@example.org");
        alert.happened = Happened::Ended;
        let body = body(&alert, &french);
        assert!(
            body.contains("Cela n'est plus constaté.\n\nchaîne : demo\nrègle : differs (l'archive"),
            "{body}"
        );
    }
}
