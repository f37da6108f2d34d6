//! `[[witness]]`: who is asked to cosign checkpoints. They stand in the file alone.

use std::time::Duration;

use url::Url;

use super::error::{Problem, Reason};
use super::keys::Kind;
use super::replicas::{Collected, Field, FieldId, Written};
use super::value::Given;
use crate::codec::vkey::{NoteAlgorithm, Vkey};
use crate::store::remote::{Endpoint, EndpointError};

/// The table of a witness.
pub const TABLE: &str = "witness";

/// How long a witness is waited for where nobody says it.
pub const TIMEOUT: Duration = Duration::from_secs(10);

/// One witness.
#[derive(Clone, Debug)]
pub struct WitnessSettings {
    pub name: String,
    pub vkey: Vkey,
    /// Its submission prefix.
    pub url: Url,
    /// Its monitoring prefix.
    pub monitoring: Url,
    /// How long it is waited for in all.
    pub timeout: Duration,
}

/// Every key of `[[witness]]`.
pub static FIELDS: [Field; 6] = [
    Field {
        id: FieldId::Name,
        name: "name",
        kind: Kind::Name,
        default: "needed",
        meaning: "How messages call it; unique.",
    },
    Field {
        id: FieldId::Vkey,
        name: "vkey",
        kind: Kind::Vkey,
        default: "needed",
        meaning: "Its verifier key, as whoever runs it publishes it.",
    },
    Field {
        id: FieldId::Url,
        name: "url",
        kind: Kind::WitnessUrl,
        default: "needed",
        meaning: "Where it takes checkpoints: its submission prefix.",
    },
    Field {
        id: FieldId::Monitoring,
        name: "monitoring",
        kind: Kind::WitnessUrl,
        default: "`url`",
        meaning: "Where it shows what it cosigned last, which `greffe gossip` asks for: its monitoring prefix.",
    },
    Field {
        id: FieldId::Timeout,
        name: "timeout",
        kind: Kind::Duration,
        default: "`\"10s\"`",
        meaning: "How long a run waits for it; what it has not cosigned by then stays owed.",
    },
    Field {
        id: FieldId::Insecure,
        name: "insecure",
        kind: Kind::Boolean,
        default: "`false`",
        meaning: "Whether plain `http:` may leave this machine.",
    },
];

/// Reads the submission prefix of a witness.
///
/// # Errors
/// [`EndpointError`].
pub fn parse_prefix(text: &str, insecure: bool) -> Result<Url, EndpointError> {
    match Endpoint::parse(text, insecure)? {
        Endpoint::Url(url) => Ok(url),
        Endpoint::Unix(_) => Err(EndpointError::Scheme),
    }
}

/// Judges witnesses. One key is one witness, whatever it is called.
pub(super) fn resolve(written: Vec<Written>, problems: &mut Vec<Problem>) -> Vec<WitnessSettings> {
    let mut witnesses: Vec<WitnessSettings> = Vec::new();
    let mut unnamed = Vec::new();
    for written in written {
        let mut collected = Collected { named: &mut unnamed, problems };
        let Some(witness) = resolve_one(&written, &mut collected) else { continue };
        let twice = |other: &WitnessSettings| other.vkey.key_bytes() == witness.vkey.key_bytes();
        if witnesses.iter().any(|other| other.name == witness.name) {
            problems.push(Problem { place: written.place, reason: Reason::NameTaken(TABLE) });
        } else if witnesses.iter().any(twice) {
            problems.push(Problem { place: written.place, reason: Reason::KeyTaken });
        } else {
            witnesses.push(witness);
        }
    }
    witnesses
}

fn resolve_one(written: &Written, collected: &mut Collected<'_>) -> Option<WitnessSettings> {
    let needed = |field: &'static str| Reason::FieldMissing(field);
    let name = written
        .read(FieldId::Name, Err(needed("name")), |given| given.parse::<crate::model::ChainName>(Kind::Name));
    let vkey = written.read(FieldId::Vkey, Err(needed("vkey")), |given| {
        let vkey = given.text(Kind::Vkey)?.parse::<Vkey>().map_err(Reason::Vkey)?;
        let cosigns = NoteAlgorithm::of_witnesses(1).contains(&vkey.algorithm());
        if cosigns { Ok(vkey) } else { Err(Reason::Invalid { kind: Kind::Vkey, value: None }) }
    });
    let insecure = written.read(FieldId::Insecure, Ok(false), |given| given.boolean(Kind::Boolean));
    let insecure = collected.keep(insecure);
    let prefix = |given: &Given| {
        let parsed = parse_prefix(given.text(Kind::WitnessUrl)?, insecure.unwrap_or(true));
        parsed.map_err(|error| match error {
            EndpointError::Scheme => Reason::Invalid { kind: Kind::WitnessUrl, value: None },
            error => Reason::Endpoint(error),
        })
    };
    let url = written.read(FieldId::Url, Err(needed("url")), prefix);
    let monitoring = written.read(FieldId::Monitoring, Ok(None), |given| prefix(given).map(Some));
    let timeout = written.read(FieldId::Timeout, Ok(TIMEOUT), |given| given.duration(Kind::Duration));
    let (name, vkey) = (collected.keep(name), collected.keep(vkey));
    let (url, timeout) = (collected.keep(url), collected.keep(timeout));
    let monitoring = collected.keep(monitoring);
    insecure?;
    let url = url?;
    let monitoring = monitoring?.unwrap_or_else(|| url.clone());
    Some(WitnessSettings { name: name?.to_string(), vkey: vkey?, url, monitoring, timeout: timeout? })
}
