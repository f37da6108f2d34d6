//! Findings of comparing archive, folder and database.

use serde_json::Value;

use crate::database::HistoryRow;
use crate::model::Timestamp;
use crate::ops::Problem;
use crate::ops::audit::Audit;
use crate::ops::record::audit::{ToolAudit, ToolFinding};
use crate::watch::{Code, Finding};

/// A run archives what it did before it ends; what is not archived for longer than this was left, in microseconds.
pub const GRACE: i64 = 60_000_000;

/// What an audit finds.
#[must_use]
pub fn of_audit(audit: &Audit) -> Vec<Finding> {
    audit.findings.iter().map(|finding| of_problem(&finding.problem)).collect()
}

fn of_problem(problem: &Problem) -> Finding {
    let said = serde_json::to_value(problem).unwrap_or_default();
    let finding = match problem {
        Problem::Drifted { expected, found } => Finding::new(Code::SchemaOutOfBand, "schema")
            .with("expected", expected.to_string())
            .with("found", found.to_string()),
        // Its text is SQL of somebody's database.
        Problem::OwnObject { object_kind, name, .. } => {
            Finding::new(Code::SchemaOutOfBand, format!("{object_kind} {name}"))
        }
        _ => Finding::new(Code::Differs, subject(&said, "code")),
    };
    finding.with("problem", said["code"].as_str().unwrap_or("other"))
}

/// Its code, and the first member that says what it is about.
fn subject(said: &Value, code: &str) -> String {
    let mut subject = said[code].as_str().unwrap_or("other").to_owned();
    for member in ["version", "file", "position", "seq"] {
        match &said[member] {
            Value::String(text) => subject.push_str(&format!(" {text}")),
            Value::Number(number) => subject.push_str(&format!(" {member} {number}")),
            _ => continue,
        }
        break;
    }
    subject
}

/// What the audit of a project finds whose scripts another tool applies. `waiting`: runs that are not archived.
#[must_use]
pub fn of_tool_audit(audit: &ToolAudit, waiting: usize) -> Vec<Finding> {
    let mut findings: Vec<Finding> = audit.findings.iter().map(of_tool).collect();
    for (subject, count) in
        [("runs of the tool", waiting), ("changes of the tool's history", audit.uncollected)]
    {
        if count > 0 {
            findings.push(Finding::new(Code::UnarchivedChange, subject).with("count", count));
        }
    }
    findings
}

fn of_tool(found: &ToolFinding) -> Finding {
    let said = serde_json::to_value(found).unwrap_or_default();
    let finding = match found {
        ToolFinding::Drifted { expected, found } => Finding::new(Code::SchemaOutOfBand, "schema")
            .with("expected", expected.to_string())
            .with("found", found.to_string()),
        ToolFinding::NotInArchive { version } => {
            Finding::new(Code::UnarchivedChange, format!("migration {version}"))
        }
        _ => Finding::new(Code::Differs, subject(&said, "finding")),
    };
    finding.with("problem", said["finding"].as_str().unwrap_or("other"))
}

/// Rows of the history that nothing archived in time.
#[must_use]
pub fn unarchived(rows: &[HistoryRow], now: Timestamp) -> Vec<Finding> {
    let edge = now.as_microseconds().saturating_sub(GRACE);
    let left = rows.iter().filter(|row| {
        row.archived.is_none() && row.finished_at.is_some_and(|at| at.as_microseconds() < edge)
    });
    let finding = |row: &HistoryRow| {
        Finding::new(Code::UnarchivedChange, format!("row {}", row.position))
            .with("version", row.version.as_str())
            .with("event", row.event.as_str())
    };
    left.map(finding).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::Digest;

    #[test]
    fn problems_have_a_subject_that_stays_the_same_and_no_text_of_the_database() {
        let (expected, found) = (Digest([1; 32]), Digest([2; 32]));
        let finding = of_problem(&Problem::Drifted { expected, found });
        assert_eq!(finding.key(), (Code::SchemaOutOfBand, "schema"));
        let own = Problem::OwnObject {
            object_kind: "trigger".to_owned(),
            name: "t".to_owned(),
            expected: None,
            found: Some("SECRET".to_owned()),
        };
        let finding = of_problem(&own);
        assert!(!format!("{finding:?}").contains("SECRET") && finding.subject == "trigger t");
        let missing = Problem::Missing { version: "3".to_owned(), seq: Some(7) };
        assert_eq!(of_problem(&missing).key(), (Code::Differs, "missing 3"));
        let damaged = Problem::RowDamaged { position: 4, detail: "x".to_owned() };
        assert_eq!(of_problem(&damaged).subject, "row-damaged position 4");
    }
}
