//! A person's data in the application's database: what the map says of it, and what follows from that. No database
//! is asked here; tables come as values, and what is to be done leaves as values.
//!
//! | file | what it is |
//! |---|---|
//! | [`map`] | the map: tables, columns, how rows lead to the person, what becomes of them |
//! | `yaml` | how the map is written |
//! | [`mod@coverage`] | holds a schema against the map: whatever is not declared is found |
//! | `literal` | texts that a database reads as dates, times, numbers |
//! | [`plan`] | what is done to which table, in the order of the foreign keys |

pub mod coverage;
mod literal;
pub mod map;
pub mod plan;
#[cfg(test)]
mod tests;
mod yaml;

pub use coverage::{Finding, Problem, coverage};
pub use map::{Class, ColumnRule, MapError, Place, RowAction, SubjectMap, TableRule, Via};
pub use plan::{Plan, Step, Task};
