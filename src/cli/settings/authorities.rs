//! `[[authority]]`: the services that are asked for timestamps. They stand in the file alone.

use std::{path::Path, time::Duration};

use super::{
    Settings,
    error::{Problem, Reason, SourceError},
    keys::Kind,
    replicas::{Collected, Field, FieldId, Written, resolve_each},
    secret::SecretSource,
};
use crate::store::remote::{AuthorityUrl, Authorization, EndpointError};

/// The table of a service.
pub const TABLE: &str = "authority";

/// One service.
#[derive(Clone, Debug)]
pub struct AuthoritySettings {
    pub name: String,
    pub url: AuthorityUrl,
    /// Where `bearer:TOKEN` or `basic:USER:PASSWORD` is.
    pub authorization: Option<SecretSource>,
    /// How long it is waited for.
    pub timeout: Duration,
}

impl AuthoritySettings {
    /// What the service is told to let us in.
    ///
    /// # Errors
    /// [`SourceError`] when there is none where it should be.
    pub fn authorization(&self, settings: &Settings) -> Result<Option<Authorization>, SourceError> {
        let Some(source) = &self.authorization else { return Ok(None) };
        let text = settings.secret(source)?;
        Authorization::parse(text.expose().trim()).map(Some).ok_or(SourceError::NotAuthorization)
    }
}

/// Every key of `[[authority]]`.
pub static AUTHORITY_FIELDS: [Field; 5] = [
    Field {
        id: FieldId::Name,
        name: "name",
        kind: Kind::Name,
        default: "needed",
        meaning: "How messages call it; unique.",
    },
    Field {
        id: FieldId::Url,
        name: "url",
        kind: Kind::AuthorityUrl,
        default: "needed",
        meaning: "Where it takes requests. Plain `http:` is as good as `https:`: what it answers is signed.",
    },
    Field {
        id: FieldId::Authorization,
        name: "authorization",
        kind: Kind::SecretSource,
        default: "none",
        meaning: "Where `bearer:TOKEN` or `basic:USER:PASSWORD` is, to be let in.",
    },
    Field {
        id: FieldId::Timeout,
        name: "timeout",
        kind: Kind::Duration,
        default: "`\"10s\"`",
        meaning: "How long a run waits for it, all of them at the same time.",
    },
    Field {
        id: FieldId::Insecure,
        name: "insecure",
        kind: Kind::Boolean,
        default: "`false`",
        meaning: "Whether an authorization may leave this machine by plain `http:`.",
    },
];

/// Judges services; `named` learns which variables they name.
pub(super) fn resolve(
    written: Vec<Written>,
    base: &Path,
    named: &mut Vec<String>,
    problems: &mut Vec<Problem>,
) -> Vec<AuthoritySettings> {
    let mut collected = Collected { named, problems };
    resolve_each(written, &mut collected, |written, collected| {
        let authority = resolve_one(written, base, collected)?;
        Some((authority.name.clone(), authority))
    })
}

fn resolve_one(written: &Written, base: &Path, collected: &mut Collected<'_>) -> Option<AuthoritySettings> {
    let needed = |field: &'static str| Reason::FieldMissing(field);
    let name = written
        .read(FieldId::Name, Err(needed("name")), |given| given.parse::<crate::model::ChainName>(Kind::Name));
    let insecure = written.read(FieldId::Insecure, Ok(false), |given| given.boolean(Kind::Boolean));
    let authorization = written.read(FieldId::Authorization, Ok(None), |given| {
        given.parse_with(Kind::SecretSource, |text| SecretSource::parse(text, base)).map(Some)
    });
    let timeout =
        written.read(FieldId::Timeout, Ok(Duration::from_secs(10)), |given| given.duration(Kind::Duration));
    let (name, insecure) = (collected.keep(name), collected.keep(insecure));
    let (authorization, timeout) = (collected.keep(authorization), collected.keep(timeout));
    let is_open = insecure.unwrap_or(true) || authorization.as_ref().is_none_or(Option::is_none);
    let url = written.read(FieldId::Url, Err(needed("url")), |given| {
        AuthorityUrl::parse(given.text(Kind::AuthorityUrl)?, is_open).map_err(|error| match error {
            EndpointError::Scheme | EndpointError::NotUrl => {
                Reason::Invalid { kind: Kind::AuthorityUrl, value: None }
            }
            error => Reason::Endpoint(error),
        })
    });
    let url = collected.keep(url);
    if let Some(Some(SecretSource::Variable(name))) = &authorization {
        collected.named.push(name.clone());
    }
    Some(AuthoritySettings {
        name: name?.to_string(),
        url: url?,
        authorization: authorization?,
        timeout: timeout?,
    })
}
