//! By what a person is known again after a restore: a digest of what identifies them, before and after the erasure. What
//! else their row holds may change, and columns may be added.

use serde::{Deserialize, Serialize};

use super::held::sets_of;
use super::{Covered, MapFile};
use crate::crypto::{Digest, Hasher};
use crate::database::DatabaseError;
use crate::database::people::{People, Rows};
use crate::privacy::subject::Class;

/// How a person's row was, and how it is since.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Marks {
    /// The columns of the person's own row that the digests are of: the key and what names or reaches the person.
    pub columns: Vec<String>,
    /// Before the erasure; `None` without a row.
    pub before: Option<String>,
    /// After it.
    pub after: Option<String>,
    /// Digest of the random values that it set, in all tables; `None` where it sets none.
    pub random: Option<String>,
}

/// The columns by which a person is known again.
#[must_use]
pub fn columns_of(file: &MapFile) -> Vec<String> {
    let person = &file.map.person;
    let declared = file.map.tables.get(&person.table).into_iter().flat_map(|rule| &rule.columns);
    declared
        .filter(|(name, rule)| {
            **name == person.column || matches!(rule.class, Class::Identifier | Class::Contact)
        })
        .map(|(name, _)| name.clone())
        .collect()
}

/// A digest of columns of the person's own row; `None` without one. A column that is not there makes it another one.
///
/// # Errors
/// Those of the database.
pub async fn identity(
    people: &mut People<'_>,
    file: &MapFile,
    covered: &Covered,
    columns: &[String],
) -> Result<Option<String>, DatabaseError> {
    let table = &file.map.person.table;
    let relation = covered.relations.iter().find(|relation| relation.name == *table);
    let is_there = |name: &&str| relation.is_some_and(|relation| relation.column(name).is_some());
    // The key's column is there, and so each row has a value.
    let key = file.map.person.column.as_str();
    let names = std::iter::once(key).chain(columns.iter().map(String::as_str)).filter(is_there);
    let names: Vec<&str> = names.collect();
    let mut digest: Option<Digest> = None;
    let mut read = |row: Vec<Option<Vec<u8>>>| {
        let mut hasher = Hasher::default();
        for (name, value) in names.iter().zip(&row) {
            add(&mut hasher, Some(name.as_bytes()));
            add(&mut hasher, value.as_deref());
        }
        digest = Some(hasher.finish());
        true
    };
    people.rows(table, &Rows::LeadingBy(&file.map.paths(table)), &names, &mut read).await?;
    Ok(digest.map(|digest| digest.to_string()))
}

/// A digest of all values in columns that the plan makes random; `None` where it makes none so.
///
/// # Errors
/// Those of the database.
pub async fn random(people: &mut People<'_>, covered: &Covered) -> Result<Option<String>, DatabaseError> {
    let mut hasher = Hasher::default();
    let mut is_some = false;
    for step in &covered.plan.steps {
        for (column, _) in sets_of(step).iter().filter(|(_, set)| set.is_random()) {
            is_some = true;
            let mut values: Vec<Vec<u8>> = Vec::new();
            let mut keep = |row: Vec<Option<Vec<u8>>>| {
                values.extend(row.into_iter().flatten());
                true
            };
            people.rows(&step.table, &Rows::LeadingBy(&step.paths), &[column], &mut keep).await?;
            values.sort_unstable();
            add(&mut hasher, Some(step.table.as_bytes()));
            add(&mut hasher, Some(column.as_bytes()));
            hasher.update(&(values.len() as u64).to_be_bytes());
            values.iter().for_each(|value| add(&mut hasher, Some(value)));
        }
    }
    Ok(is_some.then(|| hasher.finish().to_string()))
}

fn add(hasher: &mut Hasher, value: Option<&[u8]>) {
    let length = value.map_or(u64::MAX, |value| value.len() as u64);
    hasher.update(&length.to_be_bytes());
    hasher.update(value.unwrap_or_default());
}
