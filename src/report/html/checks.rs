//! What is wrong, which demands the page answers, how one looks again, and what it does not tell.

use super::Page;
use super::escape::{Code, Own, Text, clean, clean_to, shell};
use crate::chain::Finding;

/// Characters of a command; what it is called with has its own bounds.
const LONGEST_COMMAND: usize = 8192;

/// What verification found, in the language of the page.
pub fn findings(page: &mut Page<'_>) {
    let report = page.report;
    page.heading("heading-findings", None);
    if report.verification.findings.is_empty() {
        let none = page.say("findings-none");
        page.put(&format!("<p>{none}</p>\n"));
    } else {
        page.columns(&["#column-entry", "column-code", "column-what"]);
        for finding in &report.verification.findings {
            row(page, finding);
        }
        page.put("</tbody></table></div>\n");
    }
    established(page);
}

fn row(page: &mut Page<'_>, finding: &Finding) {
    let members = serde_json::to_value(&finding.fault).ok();
    let members = members.and_then(|value| value.as_object().cloned()).unwrap_or_default();
    let code = members.get("code").and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
    // What a finding quotes may come from whoever wrote the chain.
    let cleaned = members.into_iter().map(|(name, value)| (name, cleaned(value))).collect();
    let said = page.words.finding(&code, &cleaned).unwrap_or_else(|| clean(&finding.fault.to_string()));
    let seq = finding.seq.map(|seq| seq.to_string()).unwrap_or_default();
    let cid = finding.cid.map(|cid| format!("<br>{}", Code(&cid.to_string()))).unwrap_or_default();
    page.put(&format!(
        "<tr><td class=\"n\">{seq}</td><td>{}</td><td>{}{cid}</td></tr>\n",
        Code(&code),
        Own(&said)
    ));
}

fn cleaned(value: serde_json::Value) -> serde_json::Value {
    match value {
        serde_json::Value::String(text) => super::escape::clean(&text).into(),
        serde_json::Value::Array(items) => items.into_iter().map(cleaned).collect(),
        other => other,
    }
}

/// What was established, each on its own.
fn established(page: &mut Page<'_>) {
    let established = page.report.verification.established;
    page.columns(&["column-established", "column-holds"]);
    for (id, holds) in [
        ("established-intact", established.intact),
        ("established-signed", established.signed),
        ("established-complete", established.complete),
        ("established-anchored", established.anchored),
        ("established-witnessed", established.witnessed),
        ("established-timestamped", established.timestamped),
    ] {
        let badge = if holds { page.badge("ok", "yes") } else { page.badge("plain", "no") };
        let text = page.say(id);
        page.put(&format!("<tr><td>{text}</td><td>{badge}</td></tr>\n"));
    }
    page.put("</tbody></table></div>\n");
}

/// What three frameworks ask of changes, and where this page answers.
pub fn controls(page: &mut Page<'_>) {
    page.heading("heading-controls", Some("controls-method"));
    page.columns(&["column-asked", "column-where", "column-reference"]);
    let (soc, iso, pci) = ("SOC 2 CC8.1", "ISO/IEC 27001:2022 A.8.32", "PCI DSS 4.0.1 6.5.1");
    for (asked, place, references) in [
        ("control-reason", "control-reason-where", [soc, iso, pci].as_slice()),
        ("control-impact", "control-impact-where", &[soc, iso, pci]),
        ("control-approval", "control-approval-where", &[soc, iso, pci]),
        ("control-tests", "control-tests-where", &[soc, iso, pci]),
        ("control-back", "control-back-where", &[iso, pci]),
        ("control-duties", "control-duties-where", &[soc, iso]),
        ("control-complete", "control-complete-where", &[soc, iso]),
        ("control-exceptions", "control-exceptions-where", &[soc, iso]),
    ] {
        let (asked, place) = (page.say(asked), page.say(place));
        let references: Vec<String> =
            references.iter().map(|one| format!("<bdi>{}</bdi>", Own(one))).collect();
        page.put(&format!("<tr><td>{asked}</td><td>{place}</td><td>{}</td></tr>\n", references.join("<br>")));
    }
    page.put("</tbody></table></div>\n");
}

/// Commands that check this page.
pub fn commands(page: &mut Page<'_>) {
    let report = page.report;
    page.heading("heading-commands", Some("commands-method"));
    let root = report.chain.root.to_string();
    let require = report.chain.chain.map(|chain| format!(" --require {chain}")).unwrap_or_default();
    command(page, "command-verify", &format!("greffe verify {root}{require}"));
    let arguments: Vec<String> = report.arguments.iter().map(|word| shell(word)).collect();
    let (arguments, language) = (arguments.join(" "), page.words.language().code());
    // What this machine knew of copies is nothing that the chain tells.
    let id = if report.replicas.is_none() { "command-again" } else { "command-again-without-copies" };
    command(page, id, &format!("greffe report {arguments} --format html --lang {language} --out again.html"));
    command(page, "command-json", &format!("greffe report {arguments} --format json"));
    if let Some(sample) = &report.sample {
        let line = format!("printf '%s\\n%s' {} CID | sha256sum", shell(&sample.seed));
        command(page, "command-sample", &line);
    }
}

fn command(page: &mut Page<'_>, id: &str, line: &str) {
    let text = page.say(id);
    let line = Own(&clean_to(line, LONGEST_COMMAND)).to_string();
    page.put(&format!("<p>{text}</p><pre dir=\"ltr\">{line}</pre>\n"));
}

/// What the page does not tell.
pub fn limits(page: &mut Page<'_>) {
    page.heading("heading-limits", None);
    page.put("<ul>\n");
    for id in [
        "limit-names",
        "limit-approvals",
        "limit-tests",
        "limit-clocks",
        "limit-risk",
        "limit-later",
        "limit-details",
    ] {
        let text = page.say(id);
        page.put(&format!("<li>{text}</li>\n"));
    }
    page.put("</ul>\n");
    let (program, root) = (page.report.program.clone(), page.report.chain.root.to_string());
    let made =
        page.tell("footer", [("program", clean(&format!("{} {}", program.name, program.version)).into())]);
    page.put(&format!("<footer><p>{made}</p><p>{}</p></footer>\n", Text(&root)));
}
