//! What the settings say of policy, as use cases take it.

use super::context::Context;
use super::error::CliError;
use super::output::remark;
use super::settings::Settings;
use crate::ops::policy::{Policy, PolicyWanted, newest_review};
use crate::ops::{OpsError, gdpr};
use crate::policy::packs::{Declared, ReplicaFacts};
use crate::store::remote::ReplicaUrl;

/// The packs of the settings on a day, `YYYY-MM-DD`, and what the archive has of reviews where a rule asks for one; `None`
/// where no pack is in force. A build server has no archive, and is told that.
///
/// # Errors
/// Those of packs, settings and archive.
pub fn open(context: &Context, settings: &Settings, day: &str) -> Result<Option<Policy>, CliError> {
    let Some(mut policy) = Policy::open(&wanted(settings), day).map_err(OpsError::from)? else {
        return Ok(None);
    };
    policy.note_review(|days| {
        let reader = match &settings.name {
            Some(name) => gdpr::open(&settings.archive_directory, name)?,
            None => None,
        };
        if reader.is_none() && !context.quiet {
            remark("note: there is no archive here, and so nothing of a review in it");
        }
        reader.map_or(Ok(None), |reader| newest_review(&reader, days))
    })?;
    Ok(Some(policy))
}

/// The packs of the settings and what they are asked about.
pub fn wanted(settings: &Settings) -> PolicyWanted {
    let policy = &settings.policy;
    let replicas = settings.replicas.iter().map(|replica| ReplicaFacts {
        kind: kind(&replica.url).to_owned(),
        region: replica.region.clone(),
        public: replica.public,
    });
    let milliseconds = |offset: std::time::Duration| u32::try_from(offset.as_millis()).unwrap_or(u32::MAX);
    PolicyWanted {
        names: policy.sectors.iter().cloned().collect(),
        files: policy.packs.clone(),
        environment: policy.environment.clone(),
        tables: policy.tables.clone(),
        columns: policy.columns.clone(),
        declared: Declared {
            replicas: replicas.collect(),
            access_months: policy.access_kept.map(|kept| kept.in_months()),
            log_months: policy.log_kept.map(|kept| kept.in_months()),
            clock_offset: policy.clock_offset.map(milliseconds),
            ..Declared::default()
        },
        attestations: policy.attestations.clone(),
    }
}

const fn kind(url: &ReplicaUrl) -> &'static str {
    match url {
        ReplicaUrl::Kubo(_) => "kubo",
        ReplicaUrl::Cluster(_) => "cluster",
        ReplicaUrl::Pinning(_) => "pinning",
        ReplicaUrl::Archive(_) => "archive",
        ReplicaUrl::Car(_) => "car",
    }
}
