//! Small pictures where a look is faster than a table. Each says in words beside it what it shows, and nothing is told by
//! colour alone: heights differ, too.

use std::fmt::Write as _;

use super::Page;
use super::escape::{Own, Text};
use crate::lang::numbers::{duration, grouped, stamp};
use crate::report::{Continuity, CopyOfChain, SchemaPoint};

const WIDTH: usize = 420;
const HEIGHT: usize = 120;
/// Cells of the strip that shows the schema.
const CELLS: usize = 84;

/// The section.
pub fn all(page: &mut Page<'_>) {
    page.heading("heading-pictures", None);
    page.put("<div class=\"pictures\">\n");
    timeline(page);
    durations(page);
    drift(page);
    copies(page);
    page.put("</div>\n");
}

/// A place from the side where lines begin.
fn place(page: &Page<'_>, x: usize, width: usize) -> usize {
    if page.words.language().is_right_to_left() { WIDTH.saturating_sub(x + width) } else { x }
}

fn rect(page: &Page<'_>, x: usize, width: usize, (y, height): (usize, usize), class: &str) -> String {
    if height == 0 {
        return String::new();
    }
    format!(
        "<rect x=\"{}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" class=\"{class}\"/>",
        place(page, x, width)
    )
}

fn text(page: &Page<'_>, x: usize, y: usize, anchor: &str, class: &str, said: &str) -> String {
    format!(
        "<text x=\"{}\" y=\"{y}\" text-anchor=\"{anchor}\" direction=\"{}\"{}>{}</text>",
        place(page, x, 0),
        page.words.language().direction(),
        if class.is_empty() { String::new() } else { format!(" class=\"{class}\"") },
        Own(said)
    )
}

fn figure(page: &mut Page<'_>, id: &str, height: usize, inside: &str, under: &str) {
    let caption = page.say(id);
    page.put(&format!(
        "<figure><figcaption>{caption}</figcaption><svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{caption}\">\
         {inside}</svg>{under}</figure>\n"
    ));
}

fn legend(page: &Page<'_>, entries: &[(&str, &str, u64)]) -> String {
    let entries: String = entries
        .iter()
        .filter(|(_, _, count)| *count > 0)
        .map(|(class, id, count)| {
            let count = grouped(*count, page.words.language());
            format!(
                "<span><svg viewBox=\"0 0 8 8\" aria-hidden=\"true\"><rect width=\"8\" height=\"8\" class=\"{class}\"/></svg>{} {}</span>",
                page.say(id),
                Own(&count)
            )
        })
        .collect();
    format!("<p class=\"legend\">{entries}</p>")
}

/// Changes over time: what succeeded below, what was taken back or failed on top.
fn timeline(page: &mut Page<'_>) {
    let timeline = &page.report.summary.timeline;
    let most = timeline.parts.iter().map(|part| part.iter().sum::<u64>()).max().unwrap_or_default().max(1);
    let (top, base) = (14, HEIGHT - 22);
    let mut inside = format!("<path d=\"M0 {base}.5H{WIDTH}\" class=\"axis\"/>");
    let step = WIDTH / timeline.parts.len().max(1);
    let scaled = |count: u64| {
        let height = count * (base - top) as u64 / most;
        usize::try_from(if count > 0 { height.max(2) } else { 0 }).unwrap_or_default()
    };
    for (at, part) in timeline.parts.iter().enumerate() {
        let mut y = base;
        for (count, class) in part.iter().zip(["f-ok", "f-warn", "f-bad"]) {
            let height = scaled(*count).min(y);
            y -= height;
            inside.push_str(&rect(page, at * step + 1, step.saturating_sub(2).max(1), (y, height), class));
        }
    }
    let ends = [timeline.from, timeline.until].map(|at| at.map(stamp).unwrap_or_default());
    let days = ends.each_ref().map(|end| end.get(..10).unwrap_or_default());
    // Within one day the time tells more.
    let shown = if days[0] == days[1] { ends.each_ref().map(String::as_str) } else { days };
    for (said, (x, anchor)) in shown.into_iter().zip([(0, "start"), (WIDTH, "end")]) {
        inside.push_str(&text(page, x, HEIGHT - 6, anchor, "", &format!("\u{2066}{said}\u{2069}")));
    }
    inside.push_str(&text(page, 0, 10, "start", "num", &grouped(most, page.words.language())));
    let total = |kind: usize| timeline.parts.iter().map(|part| part[kind]).sum::<u64>();
    let entries = [
        ("f-ok", "outcome-succeeded", total(0)),
        ("f-warn", "outcome-rolled-back", total(1)),
        ("f-bad", "outcome-failed", total(2)),
    ];
    let under = legend(page, &entries);
    figure(page, "picture-timeline", HEIGHT, &inside, &under);
}

/// How many changes took how long, in steps of ten.
fn durations(page: &mut Page<'_>) {
    let summary = &page.report.summary;
    let most = summary.durations.iter().copied().max().unwrap_or_default().max(1);
    let (top, base, step) = (16, HEIGHT - 22, WIDTH / summary.durations.len());
    let mut inside = format!("<path d=\"M0 {base}.5H{WIDTH}\" class=\"axis\"/>");
    let mut least = 100;
    for (at, count) in summary.durations.iter().enumerate() {
        let height = count * (base - top) as u64 / most;
        let height = usize::try_from(if *count > 0 { height.max(2) } else { 0 }).unwrap_or_default();
        inside.push_str(&rect(page, at * step + 4, step - 8, (base - height, height), "f-accent"));
        if *count > 0 {
            let shown = grouped(*count, page.words.language());
            inside.push_str(&text(page, at * step + step / 2, base - height - 4, "middle", "num", &shown));
        }
        let sign = bound(page, at, least);
        inside.push_str(&text(page, at * step + step / 2, HEIGHT - 6, "middle", "tick", &sign));
        least *= 10;
    }
    let values = [
        ("median", duration(summary.median_us, &page.words).into()),
        ("most", duration(summary.ninety_fifth_us, &page.words).into()),
        ("longest", duration(summary.longest_us, &page.words).into()),
    ];
    let under = format!("<p>{}</p>", page.tell("picture-durations-under", values));
    figure(page, "picture-durations", HEIGHT, &inside, &under);
}

/// From which duration on a step counts.
fn bound(page: &Page<'_>, step: usize, least: u64) -> String {
    let language = page.words.language();
    match (step, least) {
        (0, _) => format!("< {}", duration(1000, &page.words)),
        (_, 1_000_000..) => {
            page.words.tell("unit-seconds", [("number", grouped(least / 1_000_000, language).into())])
        }
        _ => duration(least, &page.words),
    }
}

/// Whether each entry began with the schema that the one before it left.
fn drift(page: &mut Page<'_>) {
    const HIGH: usize = 64;
    let points = &page.report.schema;
    let share = points.len().div_ceil(CELLS).max(1);
    let cells: Vec<&[SchemaPoint]> = points.chunks(share).collect();
    let step = (WIDTH / cells.len().max(1)).clamp(1, 60);
    let mut inside = format!("<path d=\"M0 {HIGH}.5H{WIDTH}\" class=\"axis\"/>");
    for (at, cell) in cells.iter().enumerate() {
        let has = |wanted: Continuity| cell.iter().any(|point| point.continuity == wanted);
        let (class, height) = if has(Continuity::Broken) {
            ("f-bad", 56)
        } else if has(Continuity::Recorded) {
            ("f-warn", 40)
        } else if has(Continuity::Same) {
            ("f-ok", 22)
        } else {
            ("f-soft", 8)
        };
        inside.push_str(&rect(
            page,
            at * step,
            step.saturating_sub(1).max(1),
            (HIGH - height, height),
            class,
        ));
    }
    let ends = [
        (points.first(), 0, "start"),
        (points.last().filter(|_| points.len() > 1), (cells.len() * step).min(WIDTH), "end"),
    ];
    for (point, x, anchor) in ends {
        let seq = point.map(|point| point.seq.to_string()).unwrap_or_default();
        inside.push_str(&text(page, x, HIGH + 14, anchor, "", &seq));
    }
    let count = |wanted: Continuity| points.iter().filter(|point| point.continuity == wanted).count() as u64;
    let entries = [
        ("f-ok", "drift-same", count(Continuity::Same)),
        ("f-warn", "drift-recorded", count(Continuity::Recorded)),
        ("f-bad", "drift-broken", count(Continuity::Broken)),
        ("f-soft", "drift-unknown", count(Continuity::Unknown)),
    ];
    let under = legend(page, &entries);
    figure(page, "picture-drift", HIGH + 20, &inside, &under);
}

/// Who has the chain, and who saw the head.
fn copies(page: &mut Page<'_>) {
    const LINE: usize = 22;
    let report = page.report;
    let all = report.chain.entries.max(1);
    let mut inside = String::new();
    let mut y = 0;
    for copy in report.replicas.iter().flatten().take(8) {
        inside.push_str(&bar(page, copy, all, y));
        y += LINE;
    }
    for witness in report.verification.witnesses.iter().take(8) {
        let said = witness.not_after.map(stamp).unwrap_or_default();
        inside.push_str(&line(page, &witness.witness, &said, y));
        y += LINE;
    }
    let mut under = String::new();
    let none = report.replicas.as_ref().is_some_and(Vec::is_empty);
    if report.replicas.is_none() || none {
        let id = if none { "copies-none" } else { "copies-not-asked" };
        write!(under, "<p>{}</p>", page.say(id)).ok();
    }
    let failed = report.replicas.iter().flatten().filter(|copy| copy.failure.is_some());
    for copy in failed.take(8) {
        write!(under, "<p>{}: {}</p>", Text(&copy.name), Text(copy.failure.as_deref().unwrap_or_default()))
            .ok();
    }
    let count = report.verification.witnesses.len() as u64;
    write!(under, "<p>{}</p>", page.tell("copies-witnesses", [("count", count.into())])).ok();
    figure(page, "picture-copies", y.max(4), &inside, &under);
}

fn bar(page: &Page<'_>, copy: &CopyOfChain, all: u64, y: usize) -> String {
    let held = copy.entries.unwrap_or_default().min(all);
    let full = 170;
    let width = usize::try_from(held * full as u64 / all).unwrap_or_default();
    let class = if held == all { "f-ok" } else { "f-warn" };
    let shown = match copy.entries {
        // Whichever way the line runs, the first number stands before the second.
        Some(entries) => format!("\u{2066}{entries} / {all}\u{2069}"),
        None => "?".to_owned(),
    };
    [
        text(page, 0, y + 13, "start", "num", &shortened(&copy.name)),
        rect(page, 150, full, (y + 4, 11), "f-wash"),
        rect(page, 150, width, (y + 4, 11), class),
        text(page, WIDTH, y + 13, "end", "", &shown),
    ]
    .concat()
}

fn line(page: &Page<'_>, name: &str, said: &str, y: usize) -> String {
    [text(page, 0, y + 13, "start", "num", &shortened(name)), text(page, WIDTH, y + 13, "end", "", said)]
        .concat()
}

/// A name as far as there is room for it.
fn shortened(name: &str) -> String {
    let name = super::escape::clean(name);
    let mut short: String = name.chars().take(24).collect();
    if short.len() < name.len() {
        short.push('…');
    }
    short
}
