//! Findings as SARIF 2.1.0: places and rules, no text of a file.

use serde_json::{Value, json};

use crate::ops::scan::{Report, Skipped};
use crate::privacy::{Finding, Rule, Rules, Severity, built_in};

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

/// One run with all rules that were asked.
pub fn sarif(report: &Report, own: &Rules) -> String {
    let rules: Vec<Rule> = built_in().into_iter().chain(own.rules()).collect();
    let results: Vec<Value> = report
        .files
        .iter()
        .flat_map(|file| file.findings.iter().map(|finding| result(&file.file, finding, &rules)))
        .collect();
    let log = json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "greffe",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules.iter().map(descriptor).collect::<Vec<_>>(),
            } },
            "columnKind": "unicodeCodePoints",
            "invocations": [{
                "executionSuccessful": report.gaps() == 0,
                "toolExecutionNotifications": report.skipped.iter().map(notification).collect::<Vec<_>>(),
            }],
            "results": results,
        }],
    });
    format!("{log:#}\n")
}

fn descriptor(rule: &Rule) -> Value {
    json!({
        "id": rule.id,
        "shortDescription": { "text": rule.description },
        "defaultConfiguration": { "level": "error" },
        "properties": { "severity": rule.severity },
    })
}

/// What was left out, so that nobody takes it for clean.
fn notification(skipped: &Skipped) -> Value {
    json!({
        "level": if skipped.reason.is_gap() { "error" } else { "note" },
        "message": { "text": format!("not read: {}", skipped.reason) },
        "locations": [{ "physicalLocation": { "artifactLocation": { "uri": uri(&skipped.file) } } }],
    })
}

fn result(file: &str, finding: &Finding, rules: &[Rule]) -> Value {
    let kind = match finding.severity {
        Severity::Secret => "a secret",
        Severity::Personal => "personal data",
    };
    let mut result = json!({
        "ruleId": finding.rule,
        "level": "error",
        "message": { "text": format!("{kind} stands here: rule {}", finding.rule) },
        "locations": [{ "physicalLocation": {
            "artifactLocation": { "uri": uri(file) },
            "region": {
                "startLine": finding.line,
                "startColumn": finding.column,
                "endColumn": finding.column + finding.length,
            },
        } }],
    });
    if let Some(index) = rules.iter().position(|rule| rule.id == finding.rule) {
        result["ruleIndex"] = json!(index);
    }
    result
}

/// A path as the reference that SARIF asks for (RFC 3986): bytes that are not unreserved are escaped.
fn uri(path: &str) -> String {
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
