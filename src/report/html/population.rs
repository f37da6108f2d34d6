//! Every entry of the scope, and how it is shown that none is left out.

use super::Page;
use super::escape::{Code, Own, Text, clean};
use crate::lang::numbers::stamp;
use crate::model::{EventKind, Outcome};
use crate::report::facts::{Border, OtherEntry, Population, Row, Told};

/// The section.
pub fn all(page: &mut Page<'_>) {
    let report = page.report;
    page.heading("heading-population", Some("population-method"));
    let population = &report.population;
    let Population { first: Some(first), last: Some(last), .. } = population else {
        let empty = page.say("population-empty");
        page.put(&format!("<p class=\"none\">{empty}</p>\n<dl>\n"));
        borders(page);
        page.put("</dl>\n");
        return;
    };
    page.put("<dl>\n");
    page.fact("population-first", &first.to_string());
    page.fact("population-last", &last.to_string());
    let counted = format!("<span dir=\"ltr\">{} / {}</span>", population.read, population.expected);
    page.fact("population-count", &counted);
    let missing = match population.missing.is_empty() {
        true => page.badge("ok", "population-none-missing"),
        false => {
            let numbers: Vec<String> = population.missing.iter().take(40).map(u64::to_string).collect();
            let more = if population.missing.len() > 40 { " …" } else { "" };
            format!("{} {}{more}", page.badge("bad", "population-some-missing"), numbers.join(", "))
        }
    };
    page.fact("population-missing", &missing);
    borders(page);
    if let Some(root) = population.merkle_root {
        let of = page.tell("tree-of", [("count", (last + 1).into())]);
        page.fact("fact-merkle", &format!("{} <small>{of}</small>", Code(&root.to_string())));
    }
    page.put("</dl>\n");
    page.columns(&[
        "#column-entry",
        "column-finished",
        "column-event",
        "column-version",
        "column-deployer",
        "column-approvals",
        "column-outcome",
        "column-manifest",
    ]);
    for entry in &population.entries {
        row(page, entry);
    }
    page.put("</tbody></table></div>\n");
    if population.entries.iter().any(|entry| !entry.in_scope) {
        let note = page.say("population-outside");
        page.put(&format!("<p class=\"soft\">{note}</p>\n"));
    }
    sample(page);
}

/// The entries next to it, which show where it ends.
fn borders(page: &mut Page<'_>) {
    let population = &page.report.population;
    border(page, "population-before", population.before.as_ref(), "population-begins");
    border(page, "population-after", population.after.as_ref(), "population-ends");
}

fn border(page: &mut Page<'_>, id: &str, border: Option<&Border>, without: &str) {
    let text = match border {
        None => page.say(without),
        Some(border) => {
            let at = border.finished_at.map(stamp).unwrap_or_default();
            let cid = border.manifest.map(|cid| Code(&cid.to_string()).to_string()).unwrap_or_default();
            format!("{} · <span dir=\"ltr\">{at}</span><br>{cid}", border.seq)
        }
    };
    page.fact(id, &text);
}

/// A text, or why there is none.
pub fn told(page: &Page<'_>, told: &Told) -> String {
    match told {
        Told::Clear(text) => Text(text).to_string(),
        Told::Sealed => format!("<span class=\"sealed\">{}</span>", page.say("told-sealed")),
        Told::Erased => format!("<span class=\"sealed\">{}</span>", page.say("told-erased")),
        Told::None => format!("<span class=\"none\">{}</span>", page.say("told-nothing")),
    }
}

/// How it ended, as a badge.
pub fn outcome(page: &Page<'_>, outcome: Option<Outcome>) -> String {
    match outcome {
        Some(Outcome::Succeeded) => page.badge("ok", "outcome-succeeded"),
        Some(Outcome::Failed) => page.badge("bad", "outcome-failed"),
        None => String::new(),
    }
}

fn row(page: &mut Page<'_>, row: &Row) {
    let Some(event) = row.event else {
        let (text, why) = (page.say("row-unreadable"), clean(row.fault.as_deref().unwrap_or_default()));
        let cid = row.manifest.map(|cid| Code(&cid.to_string()).to_string()).unwrap_or_default();
        let why = Own(&why);
        page.put(&format!(
            "<tr class=\"gap\"><td class=\"n\">{}</td><td colspan=\"6\"><b>{text}</b> {why}</td><td class=\"cid\">{cid}</td></tr>\n",
            row.seq
        ));
        return;
    };
    let class = if row.in_scope { "" } else { " class=\"out\"" };
    let number =
        if row.shown { format!("<a href=\"#entry-{0}\">{0}</a>", row.seq) } else { row.seq.to_string() };
    let at = row.finished_at.map(stamp).unwrap_or_default();
    let word = page.say(event_id(event));
    let version = match (&row.version, &row.name) {
        (None, _) => String::new(),
        (Some(version), Told::Clear(name)) => format!("{}<br>{}", Text(version), Text(name)),
        (Some(version), Told::None) => Text(version).to_string(),
        (Some(version), other) => format!("{}<br>{}", Text(version), told(page, other)),
    };
    let who = row.role.as_deref().map(|role| Text(role).to_string()).unwrap_or_default();
    let approvals = match row.approvals {
        Some(counted) if counted.needed > 0 || counted.counted > 0 => {
            let kind = if counted.counted >= counted.needed { "ok" } else { "bad" };
            format!(
                "<span class=\"badge {kind}\" dir=\"ltr\">{} / {}</span>",
                counted.counted, counted.needed
            )
        }
        _ => String::new(),
    };
    let ended = outcome(page, row.outcome);
    let cid = row.manifest.map(|cid| Code(&cid.to_string()).to_string()).unwrap_or_default();
    page.put(&format!(
        "<tr{class}><td class=\"n\">{number}</td><td class=\"t\" dir=\"ltr\">{at}</td><td class=\"w\">{word}</td><td class=\"w\">{version}</td>\
         <td class=\"w\">{who}</td><td>{approvals}</td><td>{ended}</td><td class=\"cid\">{cid}</td></tr>\n"
    ));
}

/// The message that names an event.
pub const fn event_id(event: EventKind) -> &'static str {
    match event {
        EventKind::Genesis => "event-genesis",
        EventKind::Plan => "event-plan",
        EventKind::Apply => "event-apply",
        EventKind::Rollback => "event-rollback",
        EventKind::Fail => "event-fail",
        EventKind::Baseline => "event-baseline",
        EventKind::Stamp => "event-stamp",
        EventKind::Repair => "event-repair",
        EventKind::Attach => "event-attach",
        EventKind::Drift => "event-drift",
        EventKind::Trust => "event-trust",
        EventKind::Erase => "event-erase",
    }
}

fn sample(page: &mut Page<'_>) {
    let report = page.report;
    let Some(sample) = &report.sample else { return };
    page.heading("heading-sample", Some("sample-method"));
    page.put("<dl>\n");
    page.fact("sample-seed", &Code(&sample.seed).to_string());
    let drawn =
        page.tell("sample-drawn", [("count", (sample.drawn.len() as u64).into()), ("of", sample.of.into())]);
    page.fact("sample-size", &drawn);
    page.put("</dl>\n");
    page.columns(&["#column-place", "#column-entry", "column-digest", "column-manifest"]);
    for (place, one) in sample.drawn.iter().enumerate() {
        let (digest, cid) = (one.digest.to_string(), one.manifest.to_string());
        page.put(&format!(
            "<tr><td class=\"n\">{}</td><td class=\"n\"><a href=\"#entry-{1}\">{1}</a></td><td>{2}</td><td>{3}</td></tr>\n",
            place + 1,
            one.seq,
            Code(&digest),
            Code(&cid)
        ));
    }
    page.put("</tbody></table></div>\n");
}

/// Entries that are no changes.
pub fn others(page: &mut Page<'_>) {
    let report = page.report;
    page.heading("heading-others", Some("others-method"));
    if report.others.is_empty() {
        let none = page.say("others-none");
        page.put(&format!("<p class=\"none\">{none}</p>\n"));
        return;
    }
    page.columns(&["#column-entry", "column-finished", "column-event", "column-by", "column-what"]);
    for other in &report.others {
        let (event, what) = (page.say(event_id(other.event)), what(page, other));
        page.put(&format!(
            "<tr><td class=\"n\">{}</td><td class=\"t\" dir=\"ltr\">{}</td><td>{event}</td><td>{}</td><td>{what}</td></tr>\n",
            other.seq,
            stamp(other.finished_at),
            Text(&other.role)
        ));
    }
    page.put("</tbody></table></div>\n");
}

fn what(page: &Page<'_>, other: &OtherEntry) -> String {
    let mut parts = Vec::new();
    if !other.versions.is_empty() {
        let versions: Vec<String> = other.versions.iter().take(20).map(|version| clean(version)).collect();
        let more = if other.versions.len() > 20 { " …" } else { "" };
        parts.push(page.tell("other-plans", [("versions", format!("{}{more}", versions.join(", ")).into())]));
    }
    if let Some(version) = other.trust_version {
        parts.push(page.tell("other-trust", [("version", version.to_string().into())]));
    }
    if let Some(basis) = &other.basis {
        parts.push(
            page.tell("other-erases", [("count", other.erased.into()), ("basis", clean(basis).into())]),
        );
    }
    if !other.about.is_empty() {
        let about: Vec<String> = other.about.iter().take(20).map(u64::to_string).collect();
        parts.push(page.tell("other-about", [("entries", about.join(", ").into())]));
    }
    parts.join(" ")
}
