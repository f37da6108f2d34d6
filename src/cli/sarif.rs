//! SARIF 2.1.0, as code hosts read it: one run of greffe with its rules, what they found, and what was not read.

use serde_json::{Value, json};

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

/// One run.
pub struct Run {
    /// All rules that were asked, as `reportingDescriptor`s.
    pub rules: Vec<Value>,
    /// What they found, as `result`s.
    pub results: Vec<Value>,
    /// What was left out, as `notification`s of the tool, so that nobody takes it for clean.
    pub notifications: Vec<Value>,
    /// Whether nothing was left out that ought to have been looked at.
    pub whole: bool,
}

impl Run {
    /// The log that holds this run alone.
    pub fn log(self) -> String {
        let log = json!({
            "$schema": SCHEMA,
            "version": "2.1.0",
            "runs": [{
                "tool": { "driver": {
                    "name": "greffe",
                    "version": env!("CARGO_PKG_VERSION"),
                    "rules": self.rules,
                } },
                "columnKind": "unicodeCodePoints",
                "invocations": [{
                    "executionSuccessful": self.whole,
                    "toolExecutionNotifications": self.notifications,
                }],
                "results": self.results,
            }],
        });
        format!("{log:#}\n")
    }
}

/// A place in a file, as an element of `locations`. `columns`: the first one, and the one behind the last.
pub fn location(file: &str, line: usize, columns: (usize, Option<usize>)) -> Value {
    let mut region = json!({ "startLine": line, "startColumn": columns.0 });
    if let Some(end) = columns.1 {
        region["endColumn"] = json!(end);
    }
    json!({ "physicalLocation": { "artifactLocation": { "uri": uri(file) }, "region": region } })
}

/// A path as the reference that SARIF asks for (RFC 3986): bytes that are not unreserved are escaped.
pub fn uri(path: &str) -> String {
    let path = if path == "-" { "stdin" } else { path.strip_prefix("./").unwrap_or(path) };
    path.bytes().fold(String::with_capacity(path.len()), |mut uri, byte| {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                uri.push(char::from(byte))
            }
            b'\\' => uri.push('/'),
            _ => uri.push_str(&format!("%{byte:02X}")),
        }
        uri
    })
}
