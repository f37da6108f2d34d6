//! What happens, on standard error: a sentence for people, or a JSON object a line with keys that are always the same.

use clap::ValueEnum;
use serde::Serialize;

use crate::cli::output::remark;
use crate::lang::{Language, Words};
use crate::model::Timestamp;
use crate::watch::{Alert, Code, Happened, Severity};

/// How lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Form {
    Text,
    Json,
}

/// Writes lines.
pub struct Log {
    pub form: Form,
    /// Of the chain.
    pub name: String,
    pub quiet: bool,
}

/// A line; what does not apply is `null`.
#[derive(Serialize)]
struct Line<'a> {
    time: Timestamp,
    level: &'static str,
    event: &'static str,
    name: &'a str,
    code: Option<Code>,
    subject: Option<&'a str>,
    channel: Option<&'a str>,
    message: String,
}

impl Log {
    /// A finding that begins or ends.
    pub fn alert(&self, alert: &Alert) {
        let finding = &alert.finding;
        let (event, word) = match alert.happened {
            Happened::Begun => ("finding-begun", ""),
            Happened::Ended => ("finding-ended", "ended: "),
        };
        let level = match (alert.happened, finding.code.severity()) {
            (Happened::Ended, _) | (_, Severity::Info) => "info",
            (_, Severity::Warning) => "warning",
            (_, Severity::Critical) => "error",
        };
        self.write(&Line {
            time: alert.at,
            level,
            event,
            name: &self.name,
            code: Some(finding.code),
            subject: Some(&finding.subject),
            channel: None,
            message: format!("{word}{}", finding.text(&Words::of(Language::English))),
        });
    }

    /// An alert that a channel did not take.
    pub fn failed(&self, time: Timestamp, channel: &str, reason: &str) {
        self.write(&Line {
            time,
            level: "warning",
            event: "alert-failed",
            name: &self.name,
            code: None,
            subject: None,
            channel: Some(channel),
            message: format!("alert {channel}: {reason}; it is tried again"),
        });
    }

    /// Where scrapers are answered.
    pub fn listening(&self, time: Timestamp, address: &str) {
        let message = format!("listening on {address}");
        if self.form == Form::Text {
            return remark(&message);
        }
        self.write(&Line {
            time,
            level: "info",
            event: "listening",
            name: &self.name,
            code: None,
            subject: None,
            channel: None,
            message,
        });
    }

    /// The end of a round; for programs only.
    pub fn round(&self, time: Timestamp, seconds: f64, open: usize) {
        if self.form == Form::Text {
            return;
        }
        self.write(&Line {
            time,
            level: "info",
            event: "round",
            name: &self.name,
            code: None,
            subject: None,
            channel: None,
            message: format!("{open} finding(s) open, after {seconds:.3} s"),
        });
    }

    fn write(&self, line: &Line<'_>) {
        match self.form {
            Form::Json => remark(&serde_json::to_string(line).unwrap_or_default()),
            Form::Text if self.quiet && line.level == "info" => {}
            Form::Text => remark(&format!("{} {}: {}", line.time, line.level, line.message)),
        }
    }
}
