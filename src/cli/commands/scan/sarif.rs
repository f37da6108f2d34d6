//! Findings as SARIF 2.1.0: places and rules, no text of a file.

use serde_json::{Value, json};

use crate::cli::sarif::{Run, location, uri};
use crate::ops::scan::{Report, Skipped};
use crate::privacy::{Finding, Rule, Rules, Severity, built_in};

/// One run with all rules that were asked.
pub fn sarif(report: &Report, own: &Rules) -> String {
    let rules: Vec<Rule> = built_in().into_iter().chain(own.rules()).collect();
    let findings =
        report.files.iter().flat_map(|file| file.findings.iter().map(|finding| (&file.file, finding)));
    let run = Run {
        results: findings.map(|(file, finding)| result(file, finding, &rules)).collect(),
        rules: rules.iter().map(descriptor).collect(),
        notifications: report.skipped.iter().map(notification).collect(),
        whole: report.gaps() == 0,
    };
    run.log()
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
    let columns = (finding.column, Some(finding.column + finding.length));
    let mut result = json!({
        "ruleId": finding.rule,
        "level": "error",
        "message": { "text": format!("{kind} stands here: rule {}", finding.rule) },
        "locations": [location(file, finding.line, columns)],
    });
    if let Some(index) = rules.iter().position(|rule| rule.id == finding.rule) {
        result["ruleIndex"] = json!(index);
    }
    result
}
