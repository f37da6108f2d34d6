//! What is known: settings, the map of people's data, and the chain.

use std::collections::BTreeSet;

use serde::{Serialize, Serializer};

use crate::cli::context::project;
use crate::cli::error::CliError;
use crate::cli::settings::{Retention, Settings};
use crate::ops::gdpr::{ChainFacts, chain_facts};
use crate::ops::subject::MapFile;
use crate::privacy::Publish;
use crate::privacy::subject::{Class, RowAction, SubjectMap};

/// All that the papers repeat.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Facts {
    pub name: String,
    pub database: String,
    pub publish: String,
    /// Where the vault is, without a secret.
    pub vault: String,
    #[serde(serialize_with = "text")]
    pub retention: Option<Retention>,
    #[serde(serialize_with = "as_text")]
    pub backup_retention: Retention,
    pub dpia: Option<String>,
    pub replicas: Vec<ReplicaFact>,
    /// `None` where there is no map.
    pub people: Option<Vec<TableFact>>,
    /// `None` where there is no archive.
    pub chain: Option<ChainFacts>,
}

/// A place with copies.
#[derive(Clone, Debug, Serialize)]
pub struct ReplicaFact {
    pub name: String,
    pub url: String,
    /// `None` where nobody said it.
    pub public: Option<bool>,
}

/// A table with people's data.
#[derive(Clone, Debug, Serialize)]
pub struct TableFact {
    pub table: String,
    pub classes: BTreeSet<Class>,
    pub erase: RowAction,
    /// Why rows or columns are kept.
    pub bases: BTreeSet<String>,
}

impl Facts {
    /// Reads them; nothing is opened that is sealed, and no database is asked.
    pub fn read(settings: &Settings) -> Result<Self, CliError> {
        let project = project(settings)?;
        let people = match settings.subject_map.exists() {
            true => Some(tables(&MapFile::read(&settings.subject_map)?.map)),
            false => None,
        };
        let replica = |replica: &crate::cli::settings::ReplicaSettings| ReplicaFact {
            name: replica.name.clone(),
            url: replica.url.to_string(),
            public: replica.public,
        };
        Ok(Self {
            name: project.name.to_string(),
            database: project.database_name.clone(),
            publish: settings.publish.to_string(),
            vault: project.vault.shown.clone(),
            retention: settings.vault_retention,
            backup_retention: settings.vault_backup_retention,
            dpia: settings.dpia.clone(),
            replicas: settings.replicas.iter().map(replica).collect(),
            people,
            chain: chain_facts(&project)?,
        })
    }

    /// Names of public replicas.
    pub fn public_replicas(&self) -> Vec<&str> {
        self.replicas.iter().filter(|one| one.public == Some(true)).map(|one| one.name.as_str()).collect()
    }

    pub fn is_sealed(&self) -> bool {
        self.publish == Publish::Sealed.to_string()
    }
}

fn text<S: Serializer>(kept: &Option<Retention>, serializer: S) -> Result<S::Ok, S::Error> {
    kept.map(|kept| kept.to_string()).serialize(serializer)
}

fn as_text<S: Serializer>(kept: &Retention, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(kept)
}

fn tables(map: &SubjectMap) -> Vec<TableFact> {
    map.tables
        .iter()
        .map(|(table, rule)| TableFact {
            table: table.clone(),
            classes: rule.columns.values().map(|column| column.class).collect(),
            erase: rule.erase,
            bases: rule
                .basis
                .iter()
                .chain(rule.columns.values().filter_map(|column| column.basis.as_ref()))
                .cloned()
                .collect(),
        })
        .collect()
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::model::{Cid, Codec, Timestamp};

    /// A project of which nothing is set or done.
    pub fn none() -> Facts {
        Facts {
            name: "demo".into(),
            database: "demo".into(),
            publish: "sealed".into(),
            vault: "sqlite:greffe.vault.db".into(),
            retention: None,
            backup_retention: Retention::days(30),
            dpia: None,
            replicas: Vec::new(),
            people: None,
            chain: None,
        }
    }

    /// A project of which everything is.
    pub fn full() -> Facts {
        let at = Timestamp::from_microseconds(1_700_000_000_000_000).unwrap();
        let replica = |name: &str, public| ReplicaFact {
            name: name.into(),
            url: "pinning:https://pins.example".into(),
            public,
        };
        let table = |table: &str, classes: &[Class], erase, bases: &[&str]| TableFact {
            table: table.into(),
            classes: classes.iter().copied().collect(),
            erase,
            bases: bases.iter().map(|basis| (*basis).to_owned()).collect(),
        };
        Facts {
            publish: "schema".into(),
            retention: crate::cli::settings::parse_retention("10y"),
            dpia: Some("DPIA-7".into()),
            replicas: vec![replica("service", Some(true)), replica("office", Some(false))],
            people: Some(vec![
                table("client", &[Class::Identifier, Class::Contact], RowAction::Anonymise, &[]),
                table("paie", &[Class::Financial, Class::Health], RowAction::Keep, &["pays | fixe"]),
                table(
                    "visite",
                    &[Class::Sensitive, Class::Behaviour, Class::Content],
                    RowAction::Delete,
                    &[],
                ),
                table("note", &[Class::Technical, Class::None], RowAction::Flag, &["art17.3.b"]),
            ]),
            chain: Some(ChainFacts {
                chain: Cid::of(Codec::DagCbor, b"x"),
                entries: 12,
                first: at,
                newest: at,
                sealed: 7,
                erased: 2,
                clear: 3,
                pseudonyms: [("00112233445566778899aabbccddeeff".to_owned(), 12)].into(),
                roles: ["operator".to_owned()].into(),
                erasures: [("art17.1.a".to_owned(), 1)].into(),
                grants: 1,
                openings: 4,
            }),
            ..none()
        }
    }
}
