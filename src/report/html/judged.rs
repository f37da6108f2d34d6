//! What was judged of a change: its risk, hooks, rules of policy packs, and what was waived.

use super::Page;
use super::change::{list, none};
use super::escape::{Code, Own, Text, clean};
use super::population::told;
use crate::report::Change;
use crate::report::facts::Told;
use crate::report::risk::{Reason, RiskClass};

pub fn risk_badge(page: &Page<'_>, class: RiskClass) -> String {
    match class {
        RiskClass::High => page.badge("bad", "risk-high"),
        RiskClass::Medium => page.badge("warn", "risk-medium"),
        RiskClass::Low => page.badge("ok", "risk-low"),
        RiskClass::Unknown => page.badge("plain", "risk-unknown"),
    }
}

pub fn risk(page: &mut Page<'_>, change: &Change) {
    let class = risk_badge(page, change.risk.class);
    page.fact("risk-class", &class);
    if !change.risk.reasons.is_empty() {
        let reasons = list(change.risk.reasons.iter().map(|reason| page.say(reason_id(*reason))));
        page.fact("risk-because", &reasons);
    }
    let lint = match change.risk.lint.as_deref() {
        None => none(page, "lint-sealed"),
        Some([]) => page.say("lint-nothing"),
        Some(hits) => list(hits.iter().take(12).map(|hit| {
            let level = page.say(lint_id(&hit.level));
            format!("{} <small>{level}, {}:{}</small>", Code(&hit.rule), Text(&hit.file), hit.line)
        })),
    };
    page.fact("risk-lint", &lint);
}

fn lint_id(level: &str) -> &'static str {
    match level {
        "error" => "lint-error",
        "warning" => "lint-warning",
        _ => "lint-note",
    }
}

const fn reason_id(reason: Reason) -> &'static str {
    match reason {
        Reason::Removes => "reason-removes",
        Reason::Rights => "reason-rights",
        Reason::LintError => "reason-lint-error",
        Reason::ChangesRows => "reason-changes-rows",
        Reason::ChangesObjects => "reason-changes-objects",
        Reason::OtherStatement => "reason-other-statement",
        Reason::NoTransaction => "reason-no-transaction",
        Reason::NoWayBack => "reason-no-way-back",
        Reason::LintWarning => "reason-lint-warning",
        Reason::Adds => "reason-adds",
        Reason::NothingTold => "reason-nothing-told",
    }
}

pub fn tests(page: &mut Page<'_>, change: &Change) {
    let promoted = match &change.tests.promoted_from {
        Some(cid) => Code(&cid.to_string()).to_string(),
        None => none(page, "tests-not-promoted"),
    };
    page.fact("tests-promoted", &promoted);
    let hooks = if change.tests.hooks.is_empty() {
        none(page, "tests-no-hooks")
    } else {
        list(change.tests.hooks.iter().map(|hook| {
            let verdict = page.say(verdict_id(&hook.outcome));
            let rule = hook.rule.as_ref().map(|rule| format!(" {}", Code(rule))).unwrap_or_default();
            format!("{} <small>{}</small>{rule}: {verdict}", Text(&hook.name), Own(&clean(&hook.event)))
        }))
    };
    page.fact("tests-hooks", &hooks);
}

fn verdict_id(outcome: &str) -> &'static str {
    match outcome {
        "allow" => "hook-allow",
        "warn" => "hook-warn",
        "deny" => "hook-deny",
        _ => "hook-other",
    }
}

fn rule_id(outcome: &str) -> (&'static str, &'static str) {
    match outcome {
        "kept" => ("ok", "rule-kept"),
        "attested" => ("ok", "rule-attested"),
        "waived" => ("warn", "rule-waived"),
        "broken" => ("bad", "rule-broken"),
        "attestation-required" => ("bad", "rule-attestation-required"),
        "not-applicable" => ("plain", "rule-not-applicable"),
        _ => ("plain", "rule-other"),
    }
}

pub fn policy(page: &mut Page<'_>, change: &Change) {
    let rules = match &change.policy {
        None => none(page, "policy-none"),
        Some(policy) => {
            let packs: Vec<String> = policy.packs.iter().map(|pack| Text(&pack.name).to_string()).collect();
            page.fact("policy-packs", &packs.join(", "));
            // What is about nothing here is counted and not listed.
            let (idle, told): (Vec<_>, Vec<_>) =
                policy.rules.iter().partition(|rule| rule.outcome == "not-applicable");
            let mut lines: Vec<String> = told
                .iter()
                .map(|rule| {
                    let (kind, id) = rule_id(&rule.outcome);
                    format!("{} {}", Code(&rule.rule), page.badge(kind, id))
                })
                .collect();
            if !idle.is_empty() {
                let (_, id) = rule_id("not-applicable");
                lines.push(format!("<small>{} × {}</small>", idle.len(), page.say(id)));
            }
            list(lines)
        }
    };
    page.fact("policy-rules", &rules);
    let waivers = if change.waivers.is_empty() {
        none(page, "waivers-none")
    } else {
        list(change.waivers.iter().map(|waived| {
            let until =
                waived.until.as_ref().map(|day| page.tell("waiver-until", [("day", clean(day).into())]));
            let reason = if waived.reason == Told::None { String::new() } else { told(page, &waived.reason) };
            format!("{} <small>{}</small> {reason}", Code(&waived.rule), until.unwrap_or_default())
        }))
    };
    page.fact("policy-waivers", &waivers);
}
