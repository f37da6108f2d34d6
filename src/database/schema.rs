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
        let names: BTreeSet<&ObjectName> = self.objects.keys().chain(other.objects.keys()).collect();
        let pair = |name: &ObjectName| (self.objects.get(name).cloned(), other.objects.get(name).cloned());
        names
            .into_iter()
            .map(|name| (name, pair(name)))
            .filter(|(_, (before, after))| before != after)
            .map(|(object, (before, after))| SchemaDifference { object: object.clone(), before, after })
            .collect()
    }
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
