//! A copy of a person's data: the columns that the map says, as JSON or as a table for each table. Rows are written as
//! they come, so that no more than one is in memory.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::{Value, json};

use super::{Covered, Line, MapFile, Place, SubjectError, find_covered, value};
use crate::database::Database;
use crate::database::people::{People, Purpose, Rows};
use crate::model::{Column, Relation, Timestamp, ValueKind};
use crate::privacy::subject::Task;

/// How a copy is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One object in one file.
    Json,
    /// A folder with a file for each table.
    Csv,
}

/// What was written.
#[derive(Clone, Debug, Serialize)]
pub struct Exported {
    pub out: PathBuf,
    pub tables: Vec<Line>,
}

/// Writes a person's data to `out`, which has to be new, readable by its owner alone.
///
/// # Errors
/// [`SubjectError`]; what was begun is removed.
pub async fn export(
    database: &mut Database,
    file: &MapFile,
    key: &str,
    (out, format): (&Path, Format),
    (place, now): (&Place, Timestamp),
) -> Result<Exported, SubjectError> {
    let covered = Covered::read(database, file).await?;
    let person = covered.person(key)?;
    let mut tables = find_covered(database, &covered, &person).await?;
    let head = json!({
        "format": "greffe-subject-export-1",
        "at": now,
        "database": place,
        "map": file.digest.to_prefixed(),
    });
    let mut people = covered.people(database, &person, Purpose::Read).await?;
    let mut sink = match Sink::create(out, format) {
        Ok(sink) => sink,
        Err(error) => {
            people.rollback().await;
            return Err(error);
        }
    };
    let written = write_tables(&mut people, &covered, file, &mut sink, &head).await;
    people.rollback().await;
    let written = match written {
        Ok(written) => sink.finish().map(|()| written).map_err(|source| failed(out, source)),
        Err(error) => Err(error),
    };
    match written {
        Ok(written) => {
            tables.retain(|line| line.action != "detach");
            for line in &mut tables {
                line.action = "export";
                line.basis = None;
                line.rows =
                    written.iter().find(|(table, _)| *table == line.table).map_or(0, |(_, rows)| *rows);
            }
            Ok(Exported { out: out.to_owned(), tables })
        }
        Err(error) => {
            match format {
                Format::Json => fs::remove_file(out).ok(),
                Format::Csv => fs::remove_dir_all(out).ok(),
            };
            Err(error)
        }
    }
}

fn failed(path: &Path, source: io::Error) -> SubjectError {
    match source.kind() {
        io::ErrorKind::AlreadyExists => SubjectError::Exists(path.to_owned()),
        _ => SubjectError::File { path: path.to_owned(), done: "written", source },
    }
}

async fn write_tables(
    people: &mut People<'_>,
    covered: &Covered,
    file: &MapFile,
    sink: &mut Sink,
    head: &Value,
) -> Result<Vec<(String, u64)>, SubjectError> {
    let out = sink.out.clone();
    let wrote = |result: io::Result<()>| result.map_err(|source| failed(&out, source));
    wrote(sink.begin(head))?;
    let mut written = Vec::new();
    let steps = covered.plan.steps.iter().filter(|step| !matches!(step.task, Task::Detach { .. }));
    // The person's own row first, then what leads to it.
    for step in steps.rev() {
        let relation = covered.relations.iter().find(|relation| relation.name == step.table);
        let columns = relation.map(|relation| exported(file, relation)).unwrap_or_default();
        if columns.is_empty() {
            continue;
        }
        let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
        let kinds: Vec<ValueKind> = columns.iter().map(|column| column.kind).collect();
        wrote(sink.begin_table(&step.table, &names))?;
        let mut rows = 0;
        let mut fault = None;
        people
            .rows(&step.table, &Rows::LeadingBy(&step.paths), &names, &mut |row| {
                rows += 1;
                fault = sink.row(&names, &kinds, &row, rows == 1).err();
                fault.is_none()
            })
            .await?;
        if let Some(source) = fault {
            return Err(failed(&out, source));
        }
        wrote(sink.end_table())?;
        written.push((step.table.clone(), rows));
    }
    wrote(sink.end())?;
    Ok(written)
}

/// The columns that a copy has.
fn exported<'a>(file: &MapFile, relation: &'a Relation) -> Vec<&'a Column> {
    let declared = file.map.tables.get(&relation.name);
    let is_exported = |column: &&Column| {
        declared.and_then(|table| table.columns.get(&column.name)).is_some_and(|column| column.export)
    };
    relation.columns.iter().filter(is_exported).collect()
}

/// Where a copy goes.
struct Sink {
    out: PathBuf,
    form: Form,
    tables: usize,
}

enum Form {
    Json(BufWriter<File>),
    /// The table that is written.
    Csv(Option<Box<csv::Writer<File>>>),
}

/// A table's name as that of a file: what would lead elsewhere, or is too long, is written otherwise.
fn file_name(table: &str) -> String {
    let plain = |c: char| !matches!(c, '/' | '\\' | '%' | ':' | '*' | '?' | '"' | '<' | '>' | '|');
    let mut name = String::new();
    for c in table.chars() {
        match plain(c) && !(name.is_empty() && c == '.') {
            true => name.push(c),
            false => name.push_str(&format!("%{:02X}", u32::from(c))),
        }
    }
    if name.len() <= 200 { name } else { crate::crypto::Digest::of(table.as_bytes()).to_string() }
}

fn new_file(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

impl Sink {
    fn create(out: &Path, format: Format) -> Result<Self, SubjectError> {
        let form = match format {
            Format::Json => new_file(out).map(|file| Form::Json(BufWriter::new(file))),
            Format::Csv => fs::DirBuilder::new().mode(0o700).create(out).map(|()| Form::Csv(None)),
        };
        Ok(Self { out: out.to_owned(), form: form.map_err(|source| failed(out, source))?, tables: 0 })
    }

    fn begin(&mut self, head: &Value) -> io::Result<()> {
        let Form::Json(file) = &mut self.form else { return Ok(()) };
        let head = head.to_string();
        // Behind its last member come more.
        write!(file, "{},\"tables\":{{", head.strip_suffix('}').unwrap_or(&head))
    }

    fn begin_table(&mut self, table: &str, names: &[&str]) -> io::Result<()> {
        self.tables += 1;
        match &mut self.form {
            Form::Json(file) => {
                let comma = if self.tables > 1 { "," } else { "" };
                write!(file, "{comma}\n{}:[", Value::from(table))
            }
            Form::Csv(writer) => {
                let file = new_file(&self.out.join(format!("{}.csv", file_name(table))))?;
                let begun = writer.insert(Box::new(csv::Writer::from_writer(file)));
                begun.write_record(names).map_err(io::Error::from)
            }
        }
    }

    fn row(
        &mut self,
        names: &[&str],
        kinds: &[ValueKind],
        values: &[Option<Vec<u8>>],
        is_first: bool,
    ) -> io::Result<()> {
        let values = kinds.iter().zip(values.iter().map(Option::as_deref));
        match &mut self.form {
            Form::Json(file) => {
                write!(file, "{}\n{{", if is_first { "" } else { "," })?;
                for (index, (name, (kind, given))) in names.iter().zip(values).enumerate() {
                    let comma = if index > 0 { "," } else { "" };
                    write!(file, "{comma}{}:{}", Value::from(*name), value::json(*kind, given))?;
                }
                write!(file, "}}")
            }
            Form::Csv(Some(writer)) => {
                let cells = values.map(|(kind, given)| value::cell(*kind, given));
                writer.write_record(cells).map_err(io::Error::from)
            }
            Form::Csv(None) => Ok(()),
        }
    }

    fn end_table(&mut self) -> io::Result<()> {
        match &mut self.form {
            Form::Json(file) => write!(file, "]"),
            Form::Csv(writer) => match writer.take() {
                Some(mut writer) => {
                    writer.flush()?;
                    writer.into_inner().map_err(|error| io::Error::other(error.to_string()))?.sync_all()
                }
                None => Ok(()),
            },
        }
    }

    fn end(&mut self) -> io::Result<()> {
        match &mut self.form {
            Form::Json(file) => writeln!(file, "\n}}}}"),
            Form::Csv(_) => Ok(()),
        }
    }

    fn finish(&mut self) -> io::Result<()> {
        match &mut self.form {
            Form::Json(file) => {
                file.flush()?;
                file.get_ref().sync_all()
            }
            Form::Csv(_) => Ok(()),
        }
    }
}
