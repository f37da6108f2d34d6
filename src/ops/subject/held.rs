//! Rows of a person by what they hold, read before anything is changed: what triggers bring back is found although the
//! rows that it led through are gone.

use std::collections::BTreeSet;

use crate::database::DatabaseError;
use crate::database::people::{Parameter, People, Rows};
use crate::model::{Path, Replacement};
use crate::privacy::subject::{Step, Task};

/// How many values one statement compares with.
const CHUNK: usize = 100;

/// Rows of one table.
pub struct Held {
    table: String,
    /// Columns, and what one of them holds in each of the rows.
    ways: Vec<(String, Vec<Parameter>)>,
    /// Columns that become random, and what they held.
    random: Vec<(String, BTreeSet<Parameter>)>,
}

impl Held {
    /// Reads what the rows of a step hold.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn read(people: &mut People<'_>, step: &Step) -> Result<Self, DatabaseError> {
        let mut ways = Vec::new();
        for path in &step.paths {
            ways.push(match path.hops.split_first() {
                None => (path.key.clone(), vec![people.key()]),
                Some((hop, [])) if hop.parent_column == path.key => (hop.column.clone(), vec![people.key()]),
                Some((hop, rest)) => {
                    let rest = [Path { hops: rest.to_vec(), key: path.key.clone() }];
                    let values =
                        people.held(&hop.parent, &Rows::LeadingBy(&rest), &hop.parent_column).await?;
                    (hop.column.clone(), values)
                }
            });
        }
        let mut random = Vec::new();
        for (column, _) in sets_of(step).iter().filter(|(_, set)| set.is_random()) {
            let values = people.held(&step.table, &Rows::LeadingBy(&step.paths), column).await?;
            random.push((column.clone(), values.into_iter().collect()));
        }
        Ok(Self { table: step.table.clone(), ways, random })
    }

    fn chunks(&self) -> impl Iterator<Item = Rows<'_>> {
        self.ways.iter().flat_map(|(column, values)| {
            values.chunks(CHUNK).map(move |values| Rows::Holding(column, values))
        })
    }

    /// How many rows there are; those that several columns tell of count for each.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn count(&self, people: &mut People<'_>) -> Result<u64, DatabaseError> {
        let mut counted = 0;
        for rows in self.chunks() {
            counted += people.count(&self.table, &rows).await?;
        }
        Ok(counted)
    }

    /// Whether some column is changed by which rows are found.
    pub fn is_moved_by(&self, sets: &[(String, Replacement)]) -> bool {
        sets.iter().any(|(column, _)| self.ways.iter().any(|(way, _)| way == column))
    }

    /// How many rows are not as the step makes them.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn undone(&self, people: &mut People<'_>, step: &Step) -> Result<u64, DatabaseError> {
        let sets = match &step.task {
            Task::Delete => return self.count(people).await,
            Task::Anonymise(sets) | Task::Flag(sets) if !sets.is_empty() => sets,
            _ => return Ok(0),
        };
        let mut undone = 0;
        for rows in self.chunks() {
            undone += people.count_unset(&self.table, &rows, sets).await?;
            for (column, old) in self.random.iter().filter(|(_, old)| !old.is_empty()) {
                let now = people.held(&self.table, &rows, column).await?;
                undone += now.iter().filter(|value| old.contains(value)).count() as u64;
            }
        }
        Ok(undone)
    }

    /// Does the step again.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn again(&self, people: &mut People<'_>, step: &Step) -> Result<(), DatabaseError> {
        for rows in self.chunks() {
            match &step.task {
                Task::Delete => people.delete(&self.table, &rows).await?,
                Task::Anonymise(sets) | Task::Flag(sets) if !sets.is_empty() => {
                    people.set(&self.table, &rows, sets).await?
                }
                _ => 0,
            };
        }
        Ok(())
    }
}

/// What a step sets.
pub fn sets_of(step: &Step) -> &[(String, Replacement)] {
    match &step.task {
        Task::Anonymise(sets) | Task::Flag(sets) => sets,
        Task::Detach { .. } | Task::Delete | Task::Keep => &[],
    }
}
