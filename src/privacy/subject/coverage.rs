//! Holds a schema against the map. Whatever the map does not declare is found, and so is what could not be done.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::map::{Class, RowAction, SubjectMap, TableRule, Via, plain_name};
use super::plan::replacement;
use crate::model::{ForeignKey, OnDelete, Relation, RelationKind, ValueKind};

/// Something that keeps a person's data from being found or erased.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub table: String,
    /// Empty where it is about the table.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub column: String,
    #[serde(flatten)]
    pub problem: Problem,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(tag = "code", rename_all = "kebab-case")]
pub enum Problem {
    #[error("the map does not declare it{}", name_fault(*because))]
    Undeclared {
        #[serde(skip_serializing_if = "Option::is_none")]
        because: Option<&'static str>,
    },
    #[error("the map declares it and the database has no such {what}")]
    Missing { what: &'static str },
    #[error("{kind}, so its rows cannot be erased: declare `erase: keep`")]
    NotChangeable { kind: &'static str },
    #[error("what is done to its rows cannot be rolled back: its storage engine keeps no undo log")]
    NotTransactional,
    #[error("a key of people has to be unique, by itself, and never NULL")]
    KeyNotUnique,
    #[error("`via` compares it with `{with}`, which is of another type")]
    TypesDiffer { with: String },
    #[error(
        "`via` compares it with `{with}`, which is not unique by itself: rows of one person would be another's as \
         well; name a unique column"
    )]
    ParentNotUnique { with: String },
    #[error("two tables are called so, in different schemas: rename one of them")]
    SameName,
    #[error(
        "it inherits rows, or others inherit its rows: they would be met twice, or passed over; make partitions or \
         tables of their own of them"
    )]
    Inherits,
    #[error(
        "row-level security hides rows of it from this role: connect as a role with BYPASSRLS, or as its owner without \
         FORCE ROW LEVEL SECURITY"
    )]
    RowsHidden,
    #[error(
        "its rows are deleted, and `{from}` of another database refers to them by a foreign key: drop that key, or \
         declare `erase: anonymise`"
    )]
    ReferredFromOutside { from: String },
    #[error(
        "a foreign key leads from it to `{to}`, which holds people's data, so it is not nobody's: declare it below \
         `tables` with `via`"
    )]
    RefersToPeople { to: String },
    #[error("it cannot be the flag: it is neither boolean nor a whole number, or nothing can set it")]
    NotAFlag,
    #[error("it cannot be detached: it may not be NULL")]
    NotNullable,
    #[error("it cannot be anonymised: {why}")]
    NotAnonymisable { why: &'static str },
    #[error(
        "its rows stay and refer to rows of `{to}`, which are deleted{}",
        if *cascade { ": a foreign key deletes them as well" } else { ", and the foreign key does not allow that" }
    )]
    StaysAndRefers { to: String, cascade: bool },
    #[error(
        "a foreign key leads to rows of `{to}`, which are deleted, and `via` does not: add \
             `{to}.{referenced} -> {by}` to it, or `detach: [{by}]`"
    )]
    NotFollowed { to: String, referenced: String, by: String },
    #[error(
        "a foreign key over several columns ({by}) leads to rows of `{to}`, which are deleted; `via` follows no such \
         keys: declare `erase: anonymise` for `{to}`, or `detach` a column of it that may be NULL"
    )]
    Composite { to: String, by: String },
    #[error("foreign keys lead around, to rows of `{to}` that are deleted and back: add `detach: [{by}]`")]
    Cycle { to: String, by: String },
    #[error("it cannot be detached: no foreign key leads from it to rows that are deleted")]
    NothingToDetach,
}

fn name_fault(because: Option<&'static str>) -> String {
    because.map(|why| format!(", and cannot, for its name: {why}")).unwrap_or_default()
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.column.as_str() {
            "" => write!(f, "table {}: {}", self.table, self.problem),
            column => write!(f, "column {column} of {}: {}", self.table, self.problem),
        }
    }
}

/// All that is wrong between the map and the tables of a database.
#[must_use]
pub fn coverage(map: &SubjectMap, relations: &[Relation]) -> Vec<Finding> {
    let by_name: BTreeMap<&str, &Relation> =
        relations.iter().map(|relation| (relation.name.as_str(), relation)).collect();
    let mut findings = Findings(Vec::new());
    for relation in relations {
        match map.tables.get(&relation.name) {
            Some(rule) => {
                findings.declared(rule, relation);
                findings.changes(rule, relation);
            }
            None => match map.tables_without_people.get(&relation.name) {
                Some(columns) => findings.nobodys(map, columns, relation),
                None => {
                    let because = plain_name(&relation.name).err();
                    findings.add(&relation.name, "", Problem::Undeclared { because });
                }
            },
        }
    }
    for pair in relations.windows(2).filter(|pair| pair[0].name == pair[1].name) {
        findings.add(&pair[0].name, "", Problem::SameName);
    }
    for name in map.tables.keys().chain(map.tables_without_people.keys()) {
        if !by_name.contains_key(name.as_str()) {
            findings.add(name, "", Problem::Missing { what: "table" });
        }
    }
    findings.ways(map, &by_name);
    for relation in relations {
        findings.references(map, relation);
    }
    findings.0
}

struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, table: &str, column: &str, problem: Problem) {
        self.0.push(Finding { table: table.to_owned(), column: column.to_owned(), problem });
    }

    /// A table that holds nobody's data.
    fn nobodys(&mut self, map: &SubjectMap, columns: &BTreeSet<String>, relation: &Relation) {
        self.columns(&columns.iter().map(String::as_str).collect(), relation);
        for reference in relation.foreign_keys.iter().filter(|key| map.tables.contains_key(&key.table)) {
            let by = reference.columns.join(", ");
            self.add(&relation.name, &by, Problem::RefersToPeople { to: reference.table.clone() });
        }
    }

    fn declared(&mut self, rule: &TableRule, relation: &Relation) {
        self.columns(&rule.columns.keys().map(String::as_str).collect(), relation);
        if relation.inherits {
            self.add(&relation.name, "", Problem::Inherits);
        }
        if relation.hides_rows {
            self.add(&relation.name, "", Problem::RowsHidden);
        }
        if rule.erase == RowAction::Delete {
            for from in &relation.referred_from_outside {
                self.add(&relation.name, "", Problem::ReferredFromOutside { from: from.clone() });
            }
        }
    }

    /// Columns on one side alone.
    fn columns(&mut self, declared: &BTreeSet<&str>, relation: &Relation) {
        for column in &relation.columns {
            if !declared.contains(column.name.as_str()) {
                let because = plain_name(&column.name).err();
                self.add(&relation.name, &column.name, Problem::Undeclared { because });
            }
        }
        for name in declared {
            if relation.column(name).is_none() {
                self.add(&relation.name, name, Problem::Missing { what: "column" });
            }
        }
    }

    /// Whether what the rule asks for can be done.
    fn changes(&mut self, rule: &TableRule, relation: &Relation) {
        let table = &relation.name;
        let changes = rule.erase != RowAction::Keep || !rule.detach.is_empty();
        let kind = match relation.kind {
            RelationKind::Table => None,
            RelationKind::MaterializedView => Some("it is a materialized view"),
            RelationKind::Foreign => Some("it is on another server"),
            RelationKind::Versioned => Some("it keeps old versions of its rows, which a deletion leaves"),
        };
        if let Some(kind) = kind.filter(|_| changes) {
            self.add(table, "", Problem::NotChangeable { kind });
        }
        if changes && !relation.transactional {
            self.add(table, "", Problem::NotTransactional);
        }
        if let Some(flag) = rule.flag.as_deref().and_then(|flag| relation.column(flag)) {
            let sound = matches!(flag.kind, ValueKind::Boolean | ValueKind::Integer) && !flag.generated;
            if !sound {
                self.add(table, &flag.name, Problem::NotAFlag);
            }
        }
        for column in rule.detach.iter().filter_map(|name| relation.column(name)) {
            if !column.nullable || column.generated {
                self.add(table, &column.name, Problem::NotNullable);
            }
        }
        if rule.erase != RowAction::Anonymise {
            return;
        }
        for column in &relation.columns {
            if let Some(declared) = rule.columns.get(&column.name)
                && let Err(why) = replacement(declared, relation, column)
            {
                self.add(table, &column.name, Problem::NotAnonymisable { why });
            }
        }
    }

    /// The person's key, and both ends of each `via`.
    fn ways(&mut self, map: &SubjectMap, by_name: &BTreeMap<&str, &Relation>) {
        let person = &map.person;
        if let Some(relation) = by_name.get(person.table.as_str())
            && let Some(key) = relation.column(&person.column)
        {
            let is_key = relation.primary_key == [person.column.clone()];
            let nullable = key.nullable && !is_key;
            if nullable || !relation.is_unique(&person.column) {
                self.add(&person.table, &person.column, Problem::KeyNotUnique);
            }
        }
        for (name, rule) in &map.tables {
            for via in &rule.via {
                let here = by_name.get(name.as_str()).and_then(|relation| relation.column(&via.column));
                let parent = by_name.get(via.parent.table.as_str());
                let there = parent.and_then(|relation| relation.column(&via.parent.column));
                let (Some(here), Some(parent), Some(there)) = (here, parent, there) else { continue };
                let with = format!("{}.{}", via.parent.table, via.parent.column);
                // SQLite compares a column without a type with whatever the other one holds.
                let is_untyped = here.sql_type.is_empty() != there.sql_type.is_empty();
                if here.kind != there.kind && !is_untyped {
                    self.add(name, &via.column, Problem::TypesDiffer { with: with.clone() });
                }
                if !parent.is_unique(&there.name) && !is_one_persons(map, via) {
                    self.add(name, &via.column, Problem::ParentNotUnique { with });
                }
            }
        }
    }

    /// Foreign keys that lead from `relation` to rows that are deleted.
    fn references(&mut self, map: &SubjectMap, relation: &Relation) {
        let rule = map.tables.get(&relation.name);
        for reference in &relation.foreign_keys {
            let is_deleted =
                map.tables.get(&reference.table).is_some_and(|rule| rule.erase == RowAction::Delete);
            if !is_deleted || reference.on_delete == OnDelete::Unset {
                continue;
            }
            let (Some(by), Some(referenced)) = (reference.columns.first(), reference.referenced.first())
            else {
                continue;
            };
            let cascade = reference.on_delete == OnDelete::Cascade;
            let (to, by) = (reference.table.clone(), by.clone());
            // Others are found already.
            let Some(rule) = rule else { continue };
            let is_followed = rule.via.iter().any(|via| {
                via.parent.table == reference.table
                    && via.parent.column == *referenced
                    && reference.columns == [via.column.clone()]
            });
            let is_unset = |column: &String| {
                let anonymised = rule.columns.get(column).is_some_and(super::map::ColumnRule::is_anonymised);
                let nullable = relation.column(column).is_some_and(|column| column.nullable);
                nullable && rule.erase == RowAction::Anonymise && anonymised
            };
            let is_detached = reference.columns.iter().any(|column| rule.detach.contains(column));
            let problem = match rule.erase {
                _ if is_detached => continue,
                RowAction::Delete if is_followed => continue,
                RowAction::Anonymise if is_followed && reference.columns.iter().any(is_unset) => continue,
                RowAction::Delete if reference.columns.len() > 1 => {
                    Problem::Composite { to, by: reference.columns.join(", ") }
                }
                RowAction::Delete if leads_to(map, &to, &relation.name) => {
                    Problem::Cycle { to, by: by.clone() }
                }
                RowAction::Delete => {
                    Problem::NotFollowed { to, referenced: referenced.clone(), by: by.clone() }
                }
                _ => Problem::StaysAndRefers { to, cascade },
            };
            self.add(&relation.name, &by, problem);
        }
        for column in rule.iter().flat_map(|rule| &rule.detach) {
            let leads = |reference: &&ForeignKey| {
                let target = map.tables.get(&reference.table);
                reference.columns.contains(column)
                    && target.is_some_and(|rule| rule.erase == RowAction::Delete)
            };
            if !relation.foreign_keys.iter().any(|reference| leads(&reference)) {
                self.add(&relation.name, column, Problem::NothingToDetach);
            }
        }
    }
}

/// Whether a column that is not unique holds one person's key alone: its table's only `via` compares that very column
/// with the key.
fn is_one_persons(map: &SubjectMap, via: &Via) -> bool {
    let rule = map.tables.get(&via.parent.table);
    rule.is_some_and(|rule| {
        matches!(rule.via.as_slice(), [only] if only.column == via.parent.column && only.parent == map.person)
    })
}

/// Tables of the map with triggers: what these write nobody planned.
#[must_use]
pub fn triggers(map: &SubjectMap, relations: &[Relation]) -> BTreeMap<String, Vec<String>> {
    let declared = relations.iter().filter(|relation| map.tables.contains_key(&relation.name));
    let has_some = declared.filter(|relation| !relation.triggers.is_empty());
    has_some.map(|relation| (relation.name.clone(), relation.triggers.clone())).collect()
}

/// Whether rows of `table` are found through those of `through`, or are the same.
fn leads_to(map: &SubjectMap, table: &str, through: &str) -> bool {
    table == through || map.paths(table).iter().any(|path| path.hops.iter().any(|hop| hop.parent == through))
}

/// How many columns hold personal data of each class.
#[must_use]
pub fn classes(map: &SubjectMap) -> BTreeMap<Class, usize> {
    let mut counted = BTreeMap::new();
    for rule in map.tables.values().flat_map(|table| table.columns.values()) {
        *counted.entry(rule.class).or_default() += 1;
    }
    counted
}
