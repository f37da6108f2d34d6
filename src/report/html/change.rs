//! A sheet for each change: what, why, who, when, tested how, taken back how, ended how, and how one looks again.

use std::fmt::Write as _;

use super::Page;
use super::escape::{Code, Own, Text, clean};
use super::judged::{policy, risk, risk_badge, tests};
use super::population::{event_id, outcome, told};
use crate::lang::numbers::{duration, grouped, stamp};
use crate::model::{Evidence, Role, Timestamp};
use crate::report::{Change, ChangeFile, Continuity, FileState, Person};

/// All sheets.
pub fn all(page: &mut Page<'_>) {
    let report = page.report;
    let under = if report.sample.is_some() { "changes-sampled" } else { "changes-all" };
    page.heading("heading-changes", Some(under));
    if report.changes.is_empty() {
        let none = page.say("changes-none");
        page.put(&format!("<p class=\"none\">{none}</p>\n"));
    }
    for change in &report.changes {
        sheet(page, change);
    }
}

fn sheet(page: &mut Page<'_>, change: &Change) {
    let number = page.tell("entry-number", [("seq", change.seq.to_string().into())]);
    let event = page.say(event_id(change.event));
    let mut title = format!("{number} · {event}");
    for text in [change.version.as_deref(), change.name.text()].into_iter().flatten() {
        write!(title, " · {}", Text(text)).ok();
    }
    let verified = match change.verified {
        true => page.badge("ok", "sheet-verified"),
        false => page.badge("bad", "sheet-findings"),
    };
    let (ended, class) = (outcome(page, change.outcome), risk_badge(page, change.risk.class));
    page.put(&format!(
        "<article class=\"sheet\" id=\"entry-{}\"><header><h3>{title}</h3>{ended}{class}{verified}</header>\n<div class=\"parts\">\n",
        change.seq
    ));
    part(page, "part-what", |page| what(page, change));
    part(page, "part-why", |page| why(page, change));
    part(page, "part-risk", |page| risk(page, change));
    part(page, "part-people", |page| people(page, change));
    part(page, "part-times", |page| times(page, change));
    part(page, "part-tests", |page| tests(page, change));
    part(page, "part-policy", |page| policy(page, change));
    part(page, "part-back", |page| way_back(page, change));
    part(page, "part-outcome", |page| ended_how(page, change));
    page.put("</div>\n");
    proof(page, change);
    page.put("</article>\n");
}

fn part(page: &mut Page<'_>, heading: &str, inside: impl FnOnce(&mut Page<'_>)) {
    let heading = page.say(heading);
    page.put(&format!("<section><h4>{heading}</h4><dl>\n"));
    inside(page);
    page.put("</dl></section>\n");
}

/// What is said where there is nothing to say.
pub fn none(page: &Page<'_>, id: &str) -> String {
    format!("<span class=\"none\">{}</span>", page.say(id))
}

/// Items one under the other.
pub fn list(items: impl IntoIterator<Item = String>) -> String {
    let items: String = items.into_iter().map(|item| format!("<li>{item}</li>")).collect();
    format!("<ul>{items}</ul>")
}

fn what(page: &mut Page<'_>, change: &Change) {
    let name = told(page, &change.name);
    page.fact("what-name", &name);
    if let Some(target) = &change.target {
        let engine = serde_json::to_value(target.engine).ok();
        let engine = engine.as_ref().and_then(serde_json::Value::as_str).unwrap_or_default();
        page.fact(
            "what-target",
            &Text(&format!("{} ({engine} {})", target.name, target.version)).to_string(),
        );
    }
    let statements = if change.statements.is_empty() {
        none(page, "what-no-statements")
    } else {
        list(change.statements.iter().map(|run| {
            let rows =
                run.rows.map(|rows| page.tell("what-rows", [("count", rows.into())])).unwrap_or_default();
            let took = Own(&duration(run.duration_us, &page.words)).to_string();
            format!(
                "{} × {} <small>{took} {rows}</small>",
                Code(&run.kind),
                grouped(run.count, page.words.language())
            )
        }))
    };
    page.fact("what-statements", &statements);
    let files = list(change.files.iter().map(|one| file(page, one)));
    if !change.files.is_empty() {
        page.fact("what-files", &files);
    }
    for (id, words) in [("what-depends", &change.depends_on), ("what-sectors", &change.sectors)] {
        if !words.is_empty() {
            page.fact(id, &Text(&words.join(", ")).to_string());
        }
    }
    let program = format!("{} {}", change.executor.name, change.executor.version);
    page.fact("what-executor", &Text(&program).to_string());
    if let Some(evidence) = change.evidence {
        let text = page.say(evidence_id(evidence));
        page.fact("what-evidence", &text);
    }
    if let Some(ci) = &change.run.ci {
        let shown: Vec<String> = ci
            .iter()
            .map(|(name, value)| {
                let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                format!("{} {}", Own(&clean(name)), Code(&value))
            })
            .collect();
        page.fact("what-build", &shown.join("<br>"));
    }
}

const fn evidence_id(evidence: Evidence) -> &'static str {
    match evidence {
        Evidence::Executed => "evidence-executed",
        Evidence::Captured => "evidence-captured",
        Evidence::ImportedExact => "evidence-imported-exact",
        Evidence::ImportedWeak => "evidence-imported-weak",
        Evidence::Bare => "evidence-bare",
    }
}

fn file(page: &Page<'_>, file: &ChangeFile) -> String {
    let role = page.say(role_id(file.role));
    let size = page.tell("file-size", [("count", file.size.into())]);
    let state = match file.state {
        FileState::Clear => String::new(),
        FileState::Sealed => format!(" <span class=\"sealed\">{}</span>", page.say("told-sealed")),
        FileState::Erased => format!(" <span class=\"sealed\">{}</span>", page.say("told-erased")),
    };
    format!("{} <small>{role}, {size}</small>{state}<br>{}", Text(&file.name), Code(&file.cid.to_string()))
}

const fn role_id(role: Role) -> &'static str {
    match role {
        Role::Approval => "file-approval",
        Role::Down => "file-down",
        Role::Evidence => "file-evidence",
        Role::Notices => "file-notices",
        Role::Output => "file-output",
        Role::Rendered => "file-rendered",
        Role::Trust => "file-trust",
        Role::Up => "file-up",
    }
}

fn why(page: &mut Page<'_>, change: &Change) {
    for (id, text) in [("why-purpose", &change.purpose), ("why-impact", &change.impact)] {
        let text = told(page, text);
        page.fact(id, &text);
    }
}

fn person(person: &Person) -> String {
    format!("{}<br>{}", Text(&person.role), Code(&person.pseudonym.to_string()))
}

fn people(page: &mut Page<'_>, change: &Change) {
    let people = &change.people;
    let author = people.author.as_ref().map_or_else(|| none(page, "people-no-plan"), person);
    page.fact("people-author", &author);
    let approvers = if people.approvers.is_empty() {
        none(page, "people-nobody")
    } else {
        list(people.approvers.iter().map(|one| {
            let at = at(one.at);
            let key = page.tell("people-key", [("key", short(&one.keyid.to_string()).into())]);
            let who = Person { role: one.actor.role.clone(), pseudonym: one.actor.pseudonym };
            format!("{} <small>{at} · {key}</small>", person(&who))
        }))
    };
    page.fact("people-approvers", &approvers);
    if let Some(needed) = people.approvals_needed {
        let counted = people.approvers.len() as u64;
        let text = page.tell("people-counted", [("counted", counted.into()), ("needed", needed.into())]);
        let kind = if counted >= u64::from(needed) { "ok" } else { "bad" };
        let refused: String = people.refused.iter().map(|why| format!("<br>{}", Text(why))).collect();
        page.fact("people-approvals", &format!("<span class=\"badge {kind}\">{text}</span>{refused}"));
    }
    page.fact("people-deployer", &person(&people.deployer));
    let yes_no = |page: &Page<'_>, holds: bool| page.say(if holds { "yes" } else { "no" });
    let another = yes_no(page, people.approved_by_another);
    page.fact("people-another", &another);
    if let Some(same) = people.deployed_by_author {
        let same = yes_no(page, same);
        page.fact("people-same", &same);
    }
    if let Some(plan) = &people.plan {
        let seq = plan
            .seq
            .map(|seq| page.tell("entry-number", [("seq", seq.to_string().into())]))
            .unwrap_or_default();
        page.fact("people-plan", &format!("{seq} {}", Code(&plan.manifest.to_string())));
    }
}

/// The front of a key's id, which tells keys of one chain apart.
fn short(keyid: &str) -> String {
    format!("{}…", keyid.get(..12).unwrap_or(keyid))
}

fn at(at: Timestamp) -> String {
    format!("<span dir=\"ltr\">{}</span>", stamp(at))
}

fn times(page: &mut Page<'_>, change: &Change) {
    let times = &change.times;
    page.fact("times-started", &at(times.started_at));
    page.fact("times-finished", &at(times.finished_at));
    let took = Own(&duration(times.duration_us, &page.words)).to_string();
    page.fact("times-took", &took);
    let server = match &times.database_clock {
        Some(clock) => Code(clock).to_string(),
        None => none(page, "told-nothing"),
    };
    page.fact("times-server", &server);
    let source = page.say("clock-runner");
    page.fact("times-source", &source);
}

fn way_back(page: &mut Page<'_>, change: &Change) {
    let back = &change.way_back;
    let says = told(page, &back.says);
    page.fact("back-says", &says);
    let script = page.say(if back.script { "back-script-there" } else { "back-script-none" });
    page.fact("back-script", &script);
    let entry = |page: &Page<'_>, seq: u64| page.tell("entry-number", [("seq", seq.to_string().into())]);
    if let Some(by) = back.by {
        let by = entry(page, by);
        page.fact("back-by", &format!("<span class=\"badge warn\">{by}</span>"));
    }
    if let Some(cid) = &back.reverts {
        page.fact("back-reverts", &Code(&cid.to_string()).to_string());
    }
}

fn ended_how(page: &mut Page<'_>, change: &Change) {
    let ended = outcome(page, change.outcome);
    if !ended.is_empty() {
        page.fact("outcome", &ended);
    }
    if let Some(error) = &change.error {
        let place = page.tell("outcome-statement", [("statement", error.statement.to_string().into())]);
        page.fact("outcome-error", &format!("{} <small>{place}</small>", Code(&error.code)));
    }
    if let Some(schema) = &change.schema {
        for (id, digest) in [("schema-before", schema.before), ("schema-after", schema.after)] {
            let digest = digest.map(|digest| Code(&digest.to_prefixed()).to_string());
            page.fact(id, &digest.unwrap_or_else(|| none(page, "told-nothing")));
        }
    }
    let continuity = match change.continuity {
        Continuity::Same => page.badge("ok", "drift-same"),
        Continuity::Broken => page.badge("bad", "drift-broken"),
        Continuity::Recorded => page.badge("warn", "drift-recorded"),
        Continuity::Unknown => none(page, "drift-unknown"),
    };
    page.fact("schema-continuity", &continuity);
}

fn proof(page: &mut Page<'_>, change: &Change) {
    page.put("<div class=\"proof\"><dl>\n");
    page.fact("fact-manifest", &Code(&change.manifest.to_string()).to_string());
    let keys: Vec<String> = change.signed_by.iter().map(|key| Code(&key.to_string()).to_string()).collect();
    page.fact("proof-keys", &keys.join("<br>"));
    let command = format!("greffe evidence {} --out evidence-{0}", change.seq);
    page.fact("proof-command", &Code(&command).to_string());
    page.put("</dl></div>\n");
}
