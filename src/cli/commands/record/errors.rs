//! What to do about what keeps a tool's run from being archived.

use super::naming;
use crate::cli::Exit;
use crate::cli::error::CliError;
use crate::ops::OpsError;
use crate::ops::record::RecordError;

impl From<RecordError> for CliError {
    fn from(error: RecordError) -> Self {
        let text = error.to_string();
        let hint = match error {
            RecordError::SeveralTools { possible, .. } => {
                return Self::usage(text).hint(naming(&possible));
            }
            RecordError::SeveralTables { tables } => {
                let each: Vec<String> = tables.iter().map(|table| format!("`table = \"{table}\"`")).collect();
                return Self::usage(text).hint(format!(
                    "write `[tool]` and below it {} into greffe.toml, or pass it as `--tool-table TABLE`",
                    each.join(" or ")
                ));
            }
            RecordError::Ops(error) => return (*error).into(),
            RecordError::Database(error) => return OpsError::from(error).into(),
            RecordError::UnknownTool(_) => "name one with `--tool NAME`, such as `alembic`",
            RecordError::NoTool => {
                "name the folder with `--migrations PATH`, and the tool with `--tool NAME`"
            }
            RecordError::OtherTable { .. } => {
                "name the tool with `--tool NAME`, or its table with `--tool-table TABLE`"
            }
            RecordError::NoHistory { .. } => {
                "see whether `database.url` names the right database; nothing was archived"
            }
            RecordError::OtherTool { .. } => {
                "name the tool of the chain with `--tool NAME`, or begin a chain of its own with `greffe init --name NAME`"
            }
            RecordError::Adopted { .. } => "run `greffe record` around the tool from here on",
            RecordError::NoTable { .. } => {
                "run the tool once, such as `flask db upgrade`, or name its table with `--tool-table TABLE`"
            }
            RecordError::Uncollected { .. } => {
                "run `greffe record --collect`, or `greffe capture remove --discard`"
            }
            RecordError::NothingCaptures => {
                "run `greffe capture install`, or set GREFFE_STEPS to the file of a hook, as docs/record.md says"
            }
            RecordError::Unsettled => {
                return Self::new(Exit::Unfinished, RecordError::Unsettled.to_string())
                    .hint("wait for its end, and run `greffe record --collect` again");
            }
            RecordError::CaptureFile(_) => "make the archive's folder readable and writable",
            RecordError::Folder(_) => "name the tool's folder with `--migrations PATH`",
        };
        Self::usage(text).hint(hint)
    }
}
