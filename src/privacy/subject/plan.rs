//! What is done to which table. Rows that refer to others come before those: each way of `via` is gone from its far
//! end, so that rows can still be found by the rows that they lead through.

use super::literal;
use super::map::{ColumnRule, RowAction, SubjectMap};
use crate::model::{Column, Path, Relation, Replacement, ValueKind};

/// The greatest random number: a float of eight bytes holds all up to it.
const RANDOM: i64 = (1 << 53) - 1;

/// What is done for one person, in order. It names no person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    pub steps: Vec<Step>,
}

/// What is done to one table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    pub table: String,
    /// How its rows lead to the person; for [`Task::Detach`] how those do that are referred to.
    pub paths: Vec<Path>,
    pub task: Task,
    /// The legal basis of what is kept.
    pub basis: Option<String>,
}

/// What is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Task {
    /// Rows that refer by `columns` to rows of `parent` that will be deleted do so no more: `unset` is NULL.
    Detach {
        columns: Vec<String>,
        unset: String,
        parent: String,
        parent_columns: Vec<String>,
    },
    Delete,
    Anonymise(Vec<(String, Replacement)>),
    Flag(Vec<(String, Replacement)>),
    Keep,
}

impl Plan {
    /// The plan of a map for tables that it covers ([`super::coverage()`] has found nothing).
    #[must_use]
    pub fn of(map: &SubjectMap, relations: &[Relation]) -> Self {
        let mut tables: Vec<(&Relation, Vec<Path>)> = relations
            .iter()
            .filter(|relation| map.tables.contains_key(&relation.name))
            .map(|relation| (relation, map.paths(&relation.name)))
            .collect();
        let depth = |paths: &[Path]| paths.iter().map(|path| path.hops.len()).max();
        tables.sort_by(|(a, a_paths), (b, b_paths)| {
            depth(b_paths).cmp(&depth(a_paths)).then_with(|| a.name.cmp(&b.name))
        });
        let mut steps = Vec::new();
        for (relation, _) in &tables {
            steps.extend(detaching(map, relation));
        }
        for (relation, paths) in tables {
            let Some(rule) = map.tables.get(&relation.name) else { continue };
            let flag = rule.flag.iter().map(|flag| {
                let is_boolean = relation.column(flag).is_some_and(|flag| flag.kind == ValueKind::Boolean);
                let set = if is_boolean { Replacement::True } else { Replacement::Text("1".to_owned()) };
                (flag.clone(), set)
            });
            let task = match rule.erase {
                RowAction::Delete => Task::Delete,
                RowAction::Keep => Task::Keep,
                RowAction::Flag => Task::Flag(flag.collect()),
                RowAction::Anonymise => {
                    let replaced = relation.columns.iter().filter_map(|column| {
                        let declared = rule.columns.get(&column.name)?;
                        Some((column.name.clone(), replacement(declared, relation, column).ok()??))
                    });
                    Task::Anonymise(replaced.chain(flag).collect())
                }
            };
            steps.push(Step { table: relation.name.clone(), paths, task, basis: rule.basis.clone() });
        }
        Self { steps }
    }
}

fn detaching(map: &SubjectMap, relation: &Relation) -> Vec<Step> {
    let Some(rule) = map.tables.get(&relation.name) else { return Vec::new() };
    let mut steps = Vec::new();
    for unset in &rule.detach {
        for reference in &relation.foreign_keys {
            let target = map.tables.get(&reference.table);
            let is_deleted = target.is_some_and(|rule| rule.erase == RowAction::Delete);
            if reference.columns.contains(unset) && is_deleted {
                steps.push(Step {
                    table: relation.name.clone(),
                    paths: map.paths(&reference.table),
                    task: Task::Detach {
                        columns: reference.columns.clone(),
                        unset: unset.clone(),
                        parent: reference.table.clone(),
                        parent_columns: reference.referenced.clone(),
                    },
                    basis: None,
                });
            }
        }
    }
    steps
}

/// What a column is set to when its row is anonymised; `None` where it stays.
pub fn replacement(
    declared: &ColumnRule,
    relation: &Relation,
    column: &Column,
) -> Result<Option<Replacement>, &'static str> {
    // Without a word on it, a value that is computed changes with those that it is computed from.
    if !declared.is_anonymised() || (column.generated && declared.erase.is_none()) {
        return Ok(None);
    }
    if column.generated {
        return Err("the database computes its value");
    }
    let is_reference = relation.foreign_keys.iter().any(|key| key.columns.contains(&column.name));
    if column.nullable && declared.replace.is_none() {
        return Ok(Some(Replacement::Null));
    }
    if is_reference {
        return Err("a foreign key leads from it, and it may not be NULL");
    }
    if relation.is_in_unique(&column.name) {
        return match (&declared.replace, column.kind) {
            (Some(_), _) => Err("it has to be unique, so no one value can stand in every row"),
            (None, ValueKind::Text) => match column.length.unwrap_or(32).min(32) {
                length @ 12.. => Ok(Some(Replacement::Token(length))),
                _ => Err("it has to be unique, and is too short for a random value: less than 12 characters"),
            },
            (None, ValueKind::Uuid) => Ok(Some(Replacement::RandomUuid)),
            (None, ValueKind::Integer) => match column.range.map_or(i64::MAX, |(_, most)| most).min(RANDOM) {
                most @ 32_767.. => Ok(Some(Replacement::RandomInteger(most))),
                _ => Err("it has to be unique, and too few whole numbers fit into it for a random one"),
            },
            (None, _) => Err("it has to be unique, and no random value is made of its type"),
        };
    }
    if let Some(text) = &declared.replace {
        return fits(text, column).map(|()| Some(Replacement::Text(text.clone())));
    }
    neutral(column.kind).map(|text| Some(Replacement::Text(text.to_owned())))
}

fn fits(text: &str, column: &Column) -> Result<(), &'static str> {
    let sound = match column.kind {
        ValueKind::Text => {
            let length = u32::try_from(text.chars().count()).unwrap_or(u32::MAX);
            column.length.is_none_or(|longest| length <= longest)
        }
        ValueKind::Integer => text
            .parse::<i64>()
            .is_ok_and(|number| column.range.is_none_or(|(least, most)| (least..=most).contains(&number))),
        ValueKind::Decimal(_) | ValueKind::Float => literal::is_number(text),
        ValueKind::Boolean => matches!(text, "0" | "1" | "true" | "false"),
        ValueKind::Bytes => false,
        ValueKind::Date => literal::is_date(text),
        ValueKind::Time => literal::is_time(text),
        ValueKind::Timestamp | ValueKind::Moment => literal::is_moment(text),
        ValueKind::Uuid => literal::is_uuid(text),
        ValueKind::Json => serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok(),
        ValueKind::Other => true,
    };
    if sound { Ok(()) } else { Err("`replace` is no value of its type") }
}

/// A value that says nothing, where NULL may not stand.
fn neutral(kind: ValueKind) -> Result<&'static str, &'static str> {
    Ok(match kind {
        ValueKind::Text | ValueKind::Bytes => "",
        ValueKind::Integer | ValueKind::Decimal(_) | ValueKind::Float | ValueKind::Boolean => "0",
        ValueKind::Date => "1970-01-02",
        ValueKind::Time => "00:00:00",
        ValueKind::Timestamp | ValueKind::Moment => "1970-01-02 00:00:00",
        ValueKind::Json => "{}",
        ValueKind::Uuid => "00000000-0000-0000-0000-000000000000",
        ValueKind::Other => {
            return Err("it may not be NULL, and what is neutral for its type is not known: \
                                        say `replace`");
        }
    })
}
