//! One look at a tool's folder, its history and the schema. Nothing is changed or kept from changing.

use serde::{Deserialize, Serialize};

use super::RecordError;
use crate::database::{Database, Target as _, ToolTable};
use crate::model::{Engine, SchemaChange};
use crate::scripts::tools::{Catalog, Entry, Tool};

/// What one look saw of a database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Look {
    pub engine: Engine,
    /// The server's own version.
    pub version: String,
    /// The table that the tool keeps its history in; `None` where it never ran.
    pub table: Option<String>,
    pub entries: Vec<Entry>,
    /// The schema as it was then, in `after`, where it was taken.
    pub schema: Option<SchemaChange>,
    /// How far the journal of a capture had come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub journal: Option<i64>,
}

impl Look {
    /// What there is to see where there is no database yet.
    #[must_use]
    pub fn nothing(engine: Engine) -> Self {
        Self {
            engine,
            version: "none".to_owned(),
            table: None,
            entries: Vec::new(),
            schema: None,
            journal: None,
        }
    }
}

/// Which table it is, where the team said so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TableName {
    /// `None`: the tool's own name for it.
    pub name: Option<String>,
    pub schema: Option<String>,
}

/// Looks at a database; `fingerprint`: also at its schema.
///
/// # Errors
/// [`RecordError::SeveralTables`], [`RecordError::OtherTable`]; those of the database.
pub async fn look(
    tool: &dyn Tool,
    catalog: &Catalog,
    database: &mut Database,
    wanted: &TableName,
    fingerprint: bool,
) -> Result<Look, RecordError> {
    let identity = database.identity();
    let shape = tool.table();
    let table = find_table(tool, database, wanted).await?;
    let entries = match &table {
        Some(table) => {
            let rows = database.tool_rows(table, shape.columns, shape.order).await?;
            tool.entries(catalog, &rows)
        }
        None => Vec::new(),
    };
    let schema = match fingerprint {
        true => {
            let (algorithm, digest) = database.fingerprint().await?;
            Some(SchemaChange { algorithm: algorithm.to_owned(), before: None, after: Some(digest) })
        }
        false => None,
    };
    let journal = match database.capture(table.as_ref(), shape.columns).await? {
        Some(capture) if capture.id.is_some() => Some(database.journal_head().await?),
        _ => None,
    };
    let (engine, version) = (identity.engine, identity.version);
    Ok(Look { engine, version, table: table.map(|table| table.shown()), entries, schema, journal })
}

/// Those of several tools whose table is in the database, with the columns that they make.
///
/// # Errors
/// Those of the database.
pub async fn present(
    tools: &[&'static dyn Tool],
    database: &mut Database,
    wanted: &TableName,
) -> Result<Vec<&'static dyn Tool>, RecordError> {
    let mut present = Vec::new();
    for tool in tools {
        match find_table(*tool, database, wanted).await {
            Ok(None) | Err(RecordError::OtherTable { .. }) => {}
            Ok(Some(_)) | Err(RecordError::SeveralTables { .. }) => present.push(*tool),
            Err(error) => return Err(error),
        }
    }
    Ok(present)
}

/// The table that a tool keeps its history in; `None` where it never ran.
///
/// # Errors
/// [`RecordError::SeveralTables`], [`RecordError::OtherTable`]; those of the database.
pub async fn find_table(
    tool: &dyn Tool,
    database: &mut Database,
    wanted: &TableName,
) -> Result<Option<ToolTable>, RecordError> {
    let shape = tool.table();
    let name = wanted.name.as_deref().unwrap_or(shape.name);
    let mut tables = database.tool_tables(&[name]).await?;
    if let Some(schema) = &wanted.schema {
        tables.retain(|table| table.schema.as_ref() == Some(schema));
    }
    let (mut found, others): (Vec<ToolTable>, Vec<ToolTable>) =
        tables.into_iter().partition(|table| table.has(shape.columns, shape.only));
    // A table that is written just so comes before those that only differ in large and small letters.
    if found.iter().any(|table| table.name == name) {
        found.retain(|table| table.name == name);
    }
    if found.len() > 1 {
        let tables = found.iter().map(ToolTable::shown).collect();
        return Err(RecordError::SeveralTables { tables });
    }
    match (found.pop(), others.iter().find(|table| table.name == name)) {
        (None, Some(other)) => {
            Err(RecordError::OtherTable { table: other.shown(), tool: tool.name(), columns: shape.columns })
        }
        (found, _) => Ok(found),
    }
}
