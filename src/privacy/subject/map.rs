//! The map of a person's data: default-deny, so a column that it does not name is nobody's decision.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::yaml;
use crate::model::{Hop, Path};

/// The largest map, in bytes.
pub const MAP_LIMIT: usize = 1 << 20;
/// How many tables lie between a row and the person at most.
pub const HOPS: usize = 8;
/// In how many ways rows of one table lead to the person at most.
pub const PATHS: usize = 32;
/// The longest name, in bytes.
const NAME: usize = 256;
/// The longest legal basis or replacement, in characters.
const LABEL: usize = 200;

/// A map that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubjectMap {
    /// The table of people, and the column that a person's key is in.
    pub person: Place,
    pub tables: BTreeMap<String, TableRule>,
    /// Tables that hold nobody's data, with their columns.
    pub tables_without_people: BTreeMap<String, BTreeSet<String>>,
}

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub table: String,
    pub column: String,
}

/// What holds for a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableRule {
    /// How its rows lead to the person, one way or another; none for the table of people.
    pub via: Vec<Via>,
    pub erase: RowAction,
    /// The legal basis on which rows are kept.
    pub basis: Option<String>,
    /// The column that says of a row that it is logically deleted.
    pub flag: Option<String>,
    /// Columns by which rows of others refer to rows that are deleted; they are set to NULL.
    pub detach: Vec<String>,
    pub columns: BTreeMap<String, ColumnRule>,
}

/// `client.id -> client_id`: a column of a table nearer to the person, and the column here that holds the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Via {
    pub parent: Place,
    pub column: String,
}

/// What becomes of a person's rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RowAction {
    /// They go.
    Delete,
    /// They stay, and their columns are replaced.
    Anonymise,
    /// They stay as they are and are marked as deleted: logical deletion.
    Flag,
    /// They stay as they are.
    Keep,
}

/// What becomes of a column of rows that are anonymised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ColumnAction {
    Anonymise,
    Keep,
}

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// Names the person, alone or nearly: name, number of a register, photograph.
    Identifier,
    /// Reaches the person: address, telephone, e-mail.
    Contact,
    /// Health (RGPD art. 9).
    Health,
    /// Other special categories and offences (art. 9 and 10).
    Sensitive,
    /// Money: accounts, cards, income, what was paid.
    Financial,
    /// What the person did: orders, visits, preferences, places.
    Behaviour,
    /// Words or files of the person's, which may hold anything.
    Content,
    /// Keys, times and states that the application needs for the person's rows.
    Technical,
    /// No personal data.
    None,
}

/// What holds for a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnRule {
    pub class: Class,
    pub export: bool,
    pub erase: Option<ColumnAction>,
    /// The legal basis on which it is kept in rows that are anonymised.
    pub basis: Option<String>,
    /// What it is set to; otherwise NULL, or what is neutral for its type.
    pub replace: Option<String>,
}

impl ColumnRule {
    /// Whether it is replaced in rows that are anonymised: what is personal is, unless the map says otherwise.
    #[must_use]
    pub fn is_anonymised(&self) -> bool {
        match self.erase {
            Some(action) => action == ColumnAction::Anonymise,
            None => !matches!(self.class, Class::Technical | Class::None),
        }
    }
}

/// Why a map cannot be used. No text of it is repeated but names.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MapError {
    #[error("the map has more than {MAP_LIMIT} bytes")]
    TooLarge,
    #[error("line {line}, column {column}: {detail}")]
    Yaml { line: u64, column: u64, detail: String },
    #[error("`version` is {0}; this greffe reads version 1")]
    Version(u64),
    #[error("table `{table}`: {detail}")]
    Table { table: String, detail: String },
    #[error("column `{column}` of `{table}`: {detail}")]
    Column { table: String, column: String, detail: &'static str },
}

impl SubjectMap {
    /// Reads a map.
    ///
    /// # Errors
    /// [`MapError`].
    pub fn parse(text: &str) -> Result<Self, MapError> {
        if text.len() > MAP_LIMIT {
            return Err(MapError::TooLarge);
        }
        let map = yaml::read(text)?;
        map.validate()?;
        Ok(map)
    }

    /// The ways in which rows of a table of the map lead to the person.
    #[must_use]
    pub fn paths(&self, table: &str) -> Vec<Path> {
        let mut paths = Vec::new();
        self.walk(table, &mut Vec::new(), &mut paths);
        paths
    }

    /// Adds the ways from `table` on; a map that was read has few, and none that comes back.
    fn walk(&self, table: &str, hops: &mut Vec<Hop>, paths: &mut Vec<Path>) {
        if table == self.person.table {
            paths.push(Path { hops: hops.clone(), key: self.person.column.clone() });
            return;
        }
        let Some(rule) = self.tables.get(table) else { return };
        for via in &rule.via {
            hops.push(Hop {
                column: via.column.clone(),
                parent: via.parent.table.clone(),
                parent_column: via.parent.column.clone(),
            });
            self.walk(&via.parent.table, hops, paths);
            hops.pop();
        }
    }

    /// What one table after the other has to be like.
    fn validate(&self) -> Result<(), MapError> {
        let of_table = |table: &str, detail: String| MapError::Table { table: table.to_owned(), detail };
        if let Some(twice) = self.tables_without_people.keys().find(|name| self.tables.contains_key(*name)) {
            return Err(of_table(twice, "it cannot hold people's data and nobody's".to_owned()));
        }
        let root = self.tables.get(&self.person.table);
        let root = root.ok_or_else(|| {
            of_table(&self.person.table, "`person` names it, and it is not among `tables`".to_owned())
        })?;
        if !root.via.is_empty() {
            return Err(of_table(&self.person.table, "the table of people has no `via`".to_owned()));
        }
        self.column(&self.person)?;
        for (name, rule) in &self.tables {
            validate_table(name, rule)?;
            if rule.via.is_empty() && *name != self.person.table {
                let detail = format!(
                    "it has no `via`, so its rows lead to nobody; or is it nobody's: \
                     `tables_without_people: {{{name}: [COLUMN, …]}}`"
                );
                return Err(of_table(name, detail));
            }
            for via in &rule.via {
                self.column(&via.parent)?;
                self.column(&Place { table: name.clone(), column: via.column.clone() })?;
            }
        }
        self.validate_ways()
    }

    /// Follows `via` from the person on: each table is reached, in few ways and over few tables.
    fn validate_ways(&self) -> Result<(), MapError> {
        let of_table = |table: &str, detail: String| Err(MapError::Table { table: table.to_owned(), detail });
        let mut children: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (name, rule) in &self.tables {
            for via in &rule.via {
                children.entry(via.parent.table.as_str()).or_default().push(name);
            }
        }
        let root = self.person.table.as_str();
        let mut missing: BTreeMap<&str, usize> =
            self.tables.iter().map(|(name, rule)| (name.as_str(), rule.via.len())).collect();
        let mut ways: BTreeMap<&str, (usize, usize)> = BTreeMap::from([(root, (1, 0))]);
        let mut reached = vec![root];
        while let Some(parent) = reached.pop() {
            missing.remove(parent);
            let (count, length) = ways.get(parent).copied().unwrap_or_default();
            for child in children.get(parent).into_iter().flatten() {
                let (counted, longest) = ways.entry(child).or_default();
                *counted = counted.saturating_add(count);
                *longest = (*longest).max(length + 1);
                if *counted > PATHS || *longest > HOPS {
                    let detail = format!("more than {PATHS} ways or {HOPS} tables lie before the person");
                    return of_table(child, detail);
                }
                if let Some(left) = missing.get_mut(child) {
                    *left -= 1;
                    if *left == 0 {
                        reached.push(child);
                    }
                }
            }
        }
        match missing.keys().next() {
            Some(table) => of_table(table, "`via` leads back to itself, and never to the person".to_owned()),
            None => Ok(()),
        }
    }

    /// The rule of a column.
    fn column(&self, place: &Place) -> Result<&ColumnRule, MapError> {
        let rule = self.tables.get(&place.table).and_then(|table| table.columns.get(&place.column));
        rule.ok_or_else(|| MapError::Column {
            table: place.table.clone(),
            column: place.column.clone(),
            detail: "it is named and not declared",
        })
    }
}

fn validate_table(name: &str, rule: &TableRule) -> Result<(), MapError> {
    let of_table = |detail: &str| Err(MapError::Table { table: name.to_owned(), detail: detail.to_owned() });
    let is_kept = matches!(rule.erase, RowAction::Keep | RowAction::Flag);
    match (&rule.basis, is_kept) {
        (None, true) => return of_table("rows that are kept need a `basis`, the legal ground for it"),
        (Some(_), false) => return of_table("`basis` is for rows that are kept"),
        _ => {}
    }
    match (&rule.flag, rule.erase) {
        (None, RowAction::Flag) => return of_table("`erase: flag` needs the column that is set: `flag`"),
        (Some(_), RowAction::Delete | RowAction::Keep) => {
            return of_table("`flag` is for rows that are anonymised or flagged");
        }
        _ => {}
    }
    if let Some(flag) = rule.flag.iter().chain(&rule.detach).find(|flag| !rule.columns.contains_key(*flag)) {
        let detail = "it is named and not declared";
        return Err(MapError::Column { table: name.to_owned(), column: flag.clone(), detail });
    }
    for (column, declared) in &rule.columns {
        if let Some(detail) = column_fault(rule, column, declared) {
            return Err(MapError::Column { table: name.to_owned(), column: column.clone(), detail });
        }
    }
    Ok(())
}

fn column_fault(table: &TableRule, name: &str, rule: &ColumnRule) -> Option<&'static str> {
    if table.erase != RowAction::Anonymise {
        let said = rule.erase.is_some() || rule.basis.is_some() || rule.replace.is_some();
        return said.then_some("what becomes of a column can be said where the table has `erase: anonymise`");
    }
    if table.flag.as_deref() == Some(name) && rule.is_anonymised() {
        return Some("it is the flag, so it cannot be anonymised: its class is `technical`");
    }
    let is_personal = !matches!(rule.class, Class::Technical | Class::None);
    match rule.is_anonymised() {
        true if rule.basis.is_some() => Some("`basis` is for what is kept"),
        false if rule.replace.is_some() => Some("`replace` is for what is anonymised"),
        false if is_personal && rule.basis.is_none() => {
            Some("it is kept and personal, so it needs a `basis`, the legal ground for it")
        }
        _ => None,
    }
}

/// A name of a table or column that a map may hold. Names are quoted wherever they are used.
pub fn plain_name(name: &str) -> Result<(), &'static str> {
    match name {
        "" => Err("it is empty"),
        _ if name.len() > NAME => Err("it is longer than 256 bytes"),
        _ if name.chars().any(char::is_control) => Err("it has control characters"),
        _ => Ok(()),
    }
}

/// A text for people, such as a legal basis.
pub fn label(text: &str) -> Result<(), &'static str> {
    match text.chars().count() {
        _ if text.trim().is_empty() => Err("it is empty"),
        count if count > LABEL => Err("it is longer than 200 characters"),
        _ if text.chars().any(char::is_control) => Err("it has control characters"),
        _ => Ok(()),
    }
}
