//! The top of the page: what it is about, what verification came to, and the figures.

use super::Page;
use super::escape::{Code, Own, clean};
use crate::chain::{TimeBound, TimeSource};
use crate::lang::numbers::{day, duration, grouped, moment};
use crate::model::Timestamp;
use crate::report::facts::Scope;

/// Name, scope, verdict, identity.
pub fn cover(page: &mut Page<'_>) {
    let (kind, name, scope) = (page.say("report-kind"), page.name(), scope(page));
    page.put(&format!(
        "<p class=\"kind\">{kind}</p>\n<h1><bdi>{}</bdi></h1>\n<p class=\"scope\">{scope}</p>\n",
        Own(&name)
    ));
    verdict(page);
    identity(page);
}

/// What of the chain it is about, in a sentence.
fn scope(page: &Page<'_>) -> String {
    let at = |at: &Timestamp, end: &str| {
        // A day as a whole is told as the day.
        if at.to_string().ends_with(end) { day(*at, &page.words) } else { moment(*at, &page.words) }
    };
    let (begin, end) = ("T00:00:00.000000Z", "T23:59:59.999999Z");
    match &page.report.scope {
        Scope::Whole => page.say("scope-whole"),
        Scope::Period { from: Some(from), until: Some(until) } => {
            page.tell("scope-period", [("from", at(from, begin).into()), ("until", at(until, end).into())])
        }
        Scope::Period { from: Some(from), until: None } => {
            page.tell("scope-from", [("from", at(from, begin).into())])
        }
        Scope::Period { from: None, until: Some(until) } => {
            page.tell("scope-until", [("until", at(until, end).into())])
        }
        Scope::Period { from: None, until: None } => page.say("scope-whole"),
        Scope::Release { release } => page.tell("scope-release", [("release", clean(release).into())]),
        Scope::Entries { first, last } => {
            let shown = |seq: Option<u64>, other: Option<u64>| seq.or(other).unwrap_or_default().to_string();
            let population = &page.report.population;
            let values = [shown(*first, population.first), shown(*last, population.last)];
            let [first, last] = values;
            page.tell("scope-entries", [("first", first.into()), ("last", last.into())])
        }
    }
}

fn verdict(page: &mut Page<'_>) {
    let report = page.report;
    let findings = report.verification.findings.len() as u64;
    let good = report.verification.verified && report.population.complete;
    let title = match (report.verification.verified, report.population.complete) {
        (true, true) => page.say("verdict-verified"),
        (true, false) => page.say("verdict-incomplete"),
        (false, _) => page.tell("verdict-findings", [("count", findings.into())]),
    };
    let (first, last) =
        (report.population.first.unwrap_or_default(), report.population.last.unwrap_or_default());
    let under = match report.population.first {
        None => page.say("population-empty"),
        Some(_) => page.tell(
            "population-counted",
            [
                ("expected", report.population.expected.into()),
                ("read", report.population.read.into()),
                ("first", first.to_string().into()),
                ("last", last.to_string().into()),
            ],
        ),
    };
    let (class, sign) =
        if good { ("ok", "M9 16.5l5 5 9.5-10.5") } else { ("bad", "M11 11l10 10M21 11l-10 10") };
    page.put(&format!(
        "<div class=\"verdict {class}\"><svg viewBox=\"0 0 32 32\" aria-hidden=\"true\">\
         <circle cx=\"16\" cy=\"16\" r=\"16\" class=\"f-{class}\"/><path d=\"{sign}\" class=\"s-paper\"/></svg>\
         <div><strong>{title}</strong><p>{under}</p></div></div>\n"
    ));
}

fn identity(page: &mut Page<'_>) {
    let report = page.report;
    page.put("<dl class=\"identity\">\n");
    if let Some(chain) = report.chain.chain {
        page.fact("fact-chain", &Code(&chain.to_string()).to_string());
    }
    let head = if report.chain.is_head { "fact-head" } else { "fact-manifest" };
    page.fact(head, &Code(&report.chain.root.to_string()).to_string());
    if let Some(root) = report.chain.merkle_root {
        let of = page.tell("tree-of", [("count", report.chain.entries.into())]);
        page.fact("fact-merkle", &format!("{} <small>{of}</small>", Code(&root.to_string())));
    }
    let source = page.say(if report.date_given { "date-given" } else { "date-of-head" });
    let date = moment(report.date, &page.words);
    page.fact("fact-date", &format!("{} <small>{source}</small>", Own(&date)));
    if let Some(at) = &report.verification.time.not_before {
        let text = bound(page, at);
        page.fact("fact-not-before", &text);
    }
    let after = match &report.verification.time.not_after {
        Some(at) => bound(page, at),
        None => format!("<span class=\"none\">{}</span>", page.say("nobody-else")),
    };
    page.fact("fact-not-after", &after);
    let program = format!("{} {}", report.program.name, report.program.version);
    page.fact("fact-program", &Code(&program).to_string());
    page.put("</dl>\n");
}

/// A time and whose word it is.
fn bound(page: &Page<'_>, bound: &TimeBound) -> String {
    let whose = match &bound.source {
        TimeSource::Signer => page.say("clock-signers"),
        TimeSource::Authority(name) => page.tell("clock-authority", [("name", clean(name).into())]),
        TimeSource::Witness(name) => page.tell("clock-witness", [("name", clean(name).into())]),
    };
    format!("{} <small>{whose}</small>", Own(&moment(bound.at, &page.words)))
}

/// The figures.
pub fn figures(page: &mut Page<'_>) {
    let (summary, population) = (&page.report.summary, &page.report.population);
    page.heading("heading-summary", None);
    let language = page.words.language();
    let approvals = format!(
        // From left to right in every language: the second is of how many.
        "\u{2066}{} / {}\u{2069}",
        grouped(summary.approvals_met, language),
        grouped(summary.approvals_needed, language)
    );
    let unmet = summary.approvals_met < summary.approvals_needed;
    let alarm = |count: u64, class: &'static str| if count > 0 { class } else { "plain" };
    let sealed =
        page.tell("tile-sealed", [("count", summary.sealed.into()), ("erased", summary.erased.into())]);
    let count = |count: u64| grouped(count, language);
    let tiles = [
        (
            "plain",
            count(population.in_scope),
            page.tell("tile-entries", [("count", population.in_scope.into())]),
        ),
        (
            "plain",
            count(population.changes),
            page.tell("tile-changes", [("count", population.changes.into())]),
        ),
        ("ok", count(summary.succeeded), page.tell("tile-succeeded", [("count", summary.succeeded.into())])),
        (
            alarm(summary.failed, "bad"),
            count(summary.failed),
            page.tell("tile-failed", [("count", summary.failed.into())]),
        ),
        (
            alarm(summary.rolled_back, "warn"),
            count(summary.rolled_back),
            page.tell("tile-rolled-back", [("count", summary.rolled_back.into())]),
        ),
        (if unmet { "bad" } else { "plain" }, approvals, page.say("tile-approvals")),
        (
            "plain",
            count(summary.unplanned),
            page.tell("tile-unplanned", [("count", summary.unplanned.into())]),
        ),
        (
            "plain",
            count(summary.abandoned),
            page.tell("tile-abandoned", [("count", summary.abandoned.into())]),
        ),
        (
            alarm(summary.waivers, "warn"),
            count(summary.waivers),
            page.tell("tile-waivers", [("count", summary.waivers.into())]),
        ),
        (
            alarm(summary.drifts, "bad"),
            count(summary.drifts),
            page.tell("tile-drifts", [("count", summary.drifts.into())]),
        ),
        ("plain", duration(summary.median_us, &page.words), page.say("tile-median")),
        ("plain", count(summary.sealed), sealed),
    ];
    let tiles: String = tiles
        .iter()
        .map(|(class, number, text)| {
            format!("<div class=\"tile {class}\"><b>{}</b><span>{text}</span></div>", Own(number))
        })
        .collect();
    page.put(&format!("<div class=\"tiles\">{tiles}</div>\n"));
}
