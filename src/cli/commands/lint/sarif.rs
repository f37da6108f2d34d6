//! Findings of rules as SARIF 2.1.0, with those that are waived as suppressed ones.

use serde_json::{Value, json};

use crate::cli::sarif::{Run, location};
use crate::ops::lint::{Report, Told};
use crate::scripts::lint::{Level, Levels, Rule, rules};

/// One run with all rules that were asked.
pub fn sarif(report: &Report, levels: &Levels, of_packs: &[&'static Rule]) -> String {
    let all = rules().chain(of_packs.iter().copied());
    let asked: Vec<&Rule> = all.filter(|rule| levels.of(rule) != Level::Off).collect();
    let run = Run {
        results: report.findings.iter().map(|told| result(told, &asked)).collect(),
        rules: asked.iter().map(|rule| descriptor(rule, levels.of(rule))).collect(),
        notifications: Vec::new(),
        whole: true,
    };
    run.log()
}

fn descriptor(rule: &Rule, level: Level) -> Value {
    let page = rule.page();
    let mut descriptor = json!({
        "id": rule.id,
        "shortDescription": { "text": rule.what },
        "help": { "text": format!("{} {} Source: {}. Page: {page}.", rule.what, rule.help, rule.source) },
        "defaultConfiguration": { "level": level },
        "properties": { "source": rule.source, "page": page },
    });
    if let Some(link) = link(&page).or_else(|| link(rule.source)) {
        descriptor["helpUri"] = json!(link);
    }
    descriptor
}

/// The link in a text. SARIF takes no reference that is relative (2.1.0, 3.49.12).
fn link(text: &str) -> Option<&str> {
    text.split_whitespace().find(|word| word.starts_with("https://"))
}

fn result(told: &Told, asked: &[&Rule]) -> Value {
    let finding = &told.finding;
    let mut result = json!({
        "ruleId": finding.rule.id,
        "level": told.level,
        "message": { "text": finding.message },
        "locations": [location(&finding.file, finding.line, (finding.column, None))],
    });
    if let Some(index) = asked.iter().position(|rule| rule.id == finding.rule.id) {
        result["ruleIndex"] = json!(index);
    }
    if let Some(waived) = &told.waived {
        let justification = format!("{} (until {})", waived.reason, waived.until);
        result["suppressions"] = json!([{ "kind": "inSource", "justification": justification }]);
    }
    result
}
