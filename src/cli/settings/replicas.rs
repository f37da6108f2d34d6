//! `[[replica]]`: the places that keep copies of the archive. They stand in the file alone.

use std::{path::Path, time::Duration};

use super::{
    Settings,
    error::{Place, Problem, Reason, SourceError},
    keys::Kind,
    secret::SecretSource,
    value::Given,
};
use crate::policy::packs::check::is_region;
use crate::store::remote::{Authorization, EndpointError, Origin, ReplicaUrl};

/// The table of a replica.
pub const TABLE: &str = "replica";

/// One replica.
#[derive(Clone, Debug)]
pub struct ReplicaSettings {
    pub name: String,
    pub url: ReplicaUrl,
    /// Where `bearer:TOKEN` or `basic:USER:PASSWORD` is.
    pub authorization: Option<SecretSource>,
    /// How long one request may take.
    pub timeout: Duration,
    /// Where a pinning service finds the blocks; `None`: at the other replicas that are nodes.
    pub origins: Option<Vec<Origin>>,
    /// Whether others than the archive's owners can fetch from it; `None` of a node or cluster of which nobody said it.
    pub public: Option<bool>,
    /// Where it lies: a country of two letters, or `EEA`.
    pub region: Option<String>,
}

impl ReplicaSettings {
    /// What the replica is told to let us in.
    ///
    /// # Errors
    /// [`SourceError`] when there is none where it should be.
    pub fn authorization(&self, settings: &Settings) -> Result<Option<Authorization>, SourceError> {
        let Some(source) = &self.authorization else { return Ok(None) };
        let text = settings.secret(source)?;
        Authorization::parse(text.expose().trim()).map(Some).ok_or(SourceError::NotAuthorization)
    }
}

/// Which field of a replica or a witness.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldId {
    Name,
    Url,
    Authorization,
    Timeout,
    Insecure,
    Origins,
    Public,
    Region,
    Vkey,
    Monitoring,
}

/// One key of `[[replica]]` or `[[witness]]`.
pub struct Field {
    pub id: FieldId,
    pub name: &'static str,
    pub kind: Kind,
    /// What holds when it is not given, as TOML or in words.
    pub default: &'static str,
    pub meaning: &'static str,
}

/// Every key of `[[replica]]`.
pub static FIELDS: [Field; 8] = [
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
        kind: Kind::ReplicaUrl,
        default: "needed",
        meaning: "What kind of replica it is, and where.",
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
        default: "`\"30s\"`",
        meaning: "How long one request, or a silence in its answer, may take.",
    },
    Field {
        id: FieldId::Insecure,
        name: "insecure",
        kind: Kind::Boolean,
        default: "`false`",
        meaning: "Whether plain `http:` may leave this machine.",
    },
    Field {
        id: FieldId::Origins,
        name: "origins",
        kind: Kind::Origins,
        default: "the addresses of the `kubo:` replicas",
        meaning: "Where a `pinning:` service finds the blocks; for that kind alone.",
    },
    Field {
        id: FieldId::Public,
        name: "public",
        kind: Kind::Boolean,
        default: "`true` for `pinning:`, `false` for files; of `kubo:` and `cluster:` it has to be said unless `publish` is `sealed`",
        meaning: "Whether others than the archive's owners can fetch from it.",
    },
    Field {
        id: FieldId::Region,
        name: "region",
        kind: Kind::Region,
        default: "none",
        meaning: "Where it lies, for policies that ask.",
    },
];

/// A replica, a witness or an authority as it stands in the file.
pub(super) struct Written {
    pub(super) table: &'static str,
    pub(super) place: Place,
    pub(super) values: Vec<(FieldId, Given, Place)>,
}

impl Written {
    fn given(&self, id: FieldId) -> Option<(&Given, &Place)> {
        self.values.iter().find(|(field, ..)| *field == id).map(|(_, given, place)| (given, place))
    }

    /// The value of a field, or `default` where it is not given.
    pub(super) fn read<T>(
        &self,
        id: FieldId,
        default: Result<T, Reason>,
        read: impl FnOnce(&Given) -> Result<T, Reason>,
    ) -> Result<T, Problem> {
        let problem = |place: &Place, reason| Problem { place: place.clone(), reason };
        match self.given(id) {
            Some((given, place)) => read(given).map_err(|reason| problem(place, reason)),
            None => default.map_err(|reason| problem(&self.place, reason)),
        }
    }
}

/// Judges replicas; `named` learns which variables they name.
pub(super) fn resolve(
    written: Vec<Written>,
    base: &Path,
    named: &mut Vec<String>,
    problems: &mut Vec<Problem>,
) -> Vec<ReplicaSettings> {
    let mut collected = Collected { named, problems };
    resolve_each(written, &mut collected, |written, collected| {
        let replica = resolve_one(written, base, collected)?;
        Some((replica.name.clone(), replica))
    })
}

/// Judges each table by `resolve`, which gives its name with it; no two have one name.
pub(super) fn resolve_each<T>(
    written: Vec<Written>,
    collected: &mut Collected<'_>,
    resolve: impl Fn(&Written, &mut Collected<'_>) -> Option<(String, T)>,
) -> Vec<T> {
    let (mut names, mut all) = (Vec::new(), Vec::new());
    for written in written {
        match resolve(&written, collected) {
            Some((name, _)) if names.contains(&name) => {
                let reason = Reason::NameTaken(written.table);
                collected.problems.push(Problem { place: written.place, reason });
            }
            Some((name, found)) => {
                names.push(name);
                all.push(found);
            }
            None => {}
        }
    }
    all
}

/// What is collected while tables are judged.
pub(super) struct Collected<'a> {
    pub(super) named: &'a mut Vec<String>,
    pub(super) problems: &'a mut Vec<Problem>,
}

impl Collected<'_> {
    pub(super) fn keep<T>(&mut self, read: Result<T, Problem>) -> Option<T> {
        read.map_err(|problem| self.problems.push(problem)).ok()
    }
}

fn resolve_one(written: &Written, base: &Path, collected: &mut Collected<'_>) -> Option<ReplicaSettings> {
    let needed = |field: &'static str| Reason::FieldMissing(field);
    let name = written
        .read(FieldId::Name, Err(needed("name")), |given| given.parse::<crate::model::ChainName>(Kind::Name));
    let insecure = written.read(FieldId::Insecure, Ok(false), |given| given.boolean(Kind::Boolean));
    let insecure = collected.keep(insecure);
    let url = written.read(FieldId::Url, Err(needed("url")), |given| {
        let parsed = ReplicaUrl::parse(given.text(Kind::ReplicaUrl)?, base, insecure.unwrap_or(true));
        parsed.map_err(|error| match error {
            EndpointError::Scheme => Reason::Invalid { kind: Kind::ReplicaUrl, value: None },
            error => Reason::Endpoint(error),
        })
    });
    let authorization = written.read(FieldId::Authorization, Ok(None), |given| {
        given.parse_with(Kind::SecretSource, |text| SecretSource::parse(text, base)).map(Some)
    });
    let timeout =
        written.read(FieldId::Timeout, Ok(Duration::from_secs(30)), |given| given.duration(Kind::Duration));
    let (name, url) = (collected.keep(name), collected.keep(url));
    let origins = written.read(FieldId::Origins, Ok(None), |given| {
        if url.as_ref().is_some_and(|url| !matches!(url, ReplicaUrl::Pinning(_))) {
            return Err(Reason::OtherKind("pinning"));
        }
        let origins = given.list(Kind::Origins)?;
        let sound = origins.len() <= Origin::MOST;
        if sound { Ok(Some(origins)) } else { Err(Reason::Invalid { kind: Kind::Origins, value: None }) }
    });
    let origins = collected.keep(origins);
    let assumed = match &url {
        Some(ReplicaUrl::Pinning(_)) => Some(true),
        Some(ReplicaUrl::Kubo(_) | ReplicaUrl::Cluster(_)) => None,
        Some(ReplicaUrl::Archive(_) | ReplicaUrl::Car(_)) | None => Some(false),
    };
    let public = written.read(FieldId::Public, Ok(assumed), |given| given.boolean(Kind::Boolean).map(Some));
    let public = collected.keep(public);
    let region = written.read(FieldId::Region, Ok(None), |given| {
        let region = |text: &str| is_region(text).then(|| text.to_owned());
        given.parse_with(Kind::Region, region).map(Some)
    });
    let region = collected.keep(region);
    let (authorization, timeout) = (collected.keep(authorization), collected.keep(timeout));
    if let Some(Some(SecretSource::Variable(name))) = &authorization {
        collected.named.push(name.clone());
    }
    Some(ReplicaSettings {
        name: name?.to_string(),
        url: url?,
        authorization: authorization?,
        timeout: timeout?,
        origins: origins?,
        public: public?,
        region: region?,
    })
}
