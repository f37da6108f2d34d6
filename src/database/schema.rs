//! The canonical text of a schema, object by object, and its fingerprint. What the text of an object is, each
//! engine's adapter says; the algorithm's name stands for it.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::crypto::Digest;

/// What an object is called: its kind, such as `table`, and its name as SQL writes it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct ObjectName {
    pub kind: String,
    pub name: String,
}

/// A schema, greffe's own tables left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schema {
    /// What `schema.algorithm` says.
    pub algorithm: &'static str,
    /// The canonical text of each object, without a line feed at its end.
    pub objects: BTreeMap<ObjectName, String>,
    /// The fingerprint.
    pub digest: Digest,
    /// Owners and grants, which are no part of the fingerprint: roles belong to a server. `None` where the engine
    /// has none.
    pub grants: Option<Grants>,
}

/// How one object differs between two schemas.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SchemaDifference {
    #[serde(flatten)]
    pub object: ObjectName,
    /// Its canonical text in the first schema; `None` where it has no such object.
    pub before: Option<String>,
    /// In the second one.
    pub after: Option<String>,
}

impl Schema {
    /// The objects that are not the same in `other`, in order.
    #[must_use]
    pub fn differences(&self, other: &Self) -> Vec<SchemaDifference> {
        differences(&self.objects, &other.objects)
    }
}

/// The canonical text of each object.
pub type Objects = BTreeMap<ObjectName, String>;

fn differences(before: &Objects, after: &Objects) -> Vec<SchemaDifference> {
    let names: BTreeSet<&ObjectName> = before.keys().chain(after.keys()).collect();
    let pair = |name: &ObjectName| (before.get(name).cloned(), after.get(name).cloned());
    names
        .into_iter()
        .map(|name| (name, pair(name)))
        .filter(|(_, (before, after))| before != after)
        .map(|(object, (before, after))| SchemaDifference { object: object.clone(), before, after })
        .collect()
}

/// How what is `found` beside the fingerprint differs from what greffe's own migrations make: texts of objects, a
/// blank line between, each of which begins with a line of kind and name. A table that is not there is not missing:
/// the history says what that means.
pub fn own_differences(made: &str, found: &Objects) -> Vec<SchemaDifference> {
    let is_there = |ObjectName { kind, name }: &ObjectName| {
        if kind == "schema" {
            return found.keys().any(|object| object.name.split('.').next() == Some(name));
        }
        let of_it = |table: &str| {
            name.strip_prefix(table).is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
        };
        found.keys().any(|object| object.kind != "schema" && of_it(&object.name))
    };
    let object = |text: &str| {
        let (kind, name) = text.lines().next()?.split_once(' ')?;
        Some((ObjectName { kind: kind.to_owned(), name: name.to_owned() }, text.to_owned()))
    };
    let made = made.trim_end().split("\n\n").filter_map(object).filter(|(object, _)| is_there(object));
    differences(&made.collect(), found)
}

/// As [`own_differences`], where several versions of greffe made what may be found, the newest first: those from the
/// nearest of them.
pub fn nearest_differences<'a>(
    made: impl IntoIterator<Item = &'a Objects>,
    found: &Objects,
) -> Vec<SchemaDifference> {
    let differences = made.into_iter().map(|made| differences(made, found));
    differences.min_by_key(Vec::len).unwrap_or_default()
}

/// Who owns what and who may do what, one line for each object that says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grants {
    pub lines: Vec<String>,
    /// SHA-256 over the lines, each ended by a line feed.
    pub digest: Digest,
}

impl Grants {
    #[must_use]
    pub fn new(mut lines: Vec<String>) -> Self {
        lines.sort_unstable();
        let mut hash = Sha256::new();
        for line in &lines {
            hash.update(line);
            hash.update("\n");
        }
        Self { lines, digest: Digest(hash.finalize().into()) }
    }
}

/// The fingerprint of engines whose objects are hashed one by one: SHA-256 over the SHA-256 digests (32 bytes each)
/// of the objects' texts, in the order of kind and name as bytes. Who knows the texts' digests hashes only those
/// that changed.
#[must_use]
pub fn digest_of_digests<'a>(digests: impl IntoIterator<Item = &'a Digest>) -> Digest {
    let mut hash = Sha256::new();
    for digest in digests {
        hash.update(digest.0);
    }
    Digest(hash.finalize().into())
}
