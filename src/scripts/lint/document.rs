//! What a script says of itself: why it exists, what it does, how it is taken back; and whether there is a way back.

use std::collections::BTreeSet;

use super::rules::{
    DOWN_EMPTY, DOWN_MISSING, IMPACT_MISSING, PURPOSE_MISSING, ROLLBACK_MISSING, WAIVER_BROKEN,
    WAIVER_EXPIRED, WAIVER_FOREIGN, WAIVER_UNKNOWN,
};
use super::{Finding, Lines, named, rules};
use crate::scripts::header::waiver_lines;
use crate::scripts::statement::tokens;
use crate::scripts::{Dialect, Header, statements};

/// The way back of a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WayDown {
    /// There is one.
    Does,
    /// There is one that does nothing, in this line of its file.
    Empty(usize),
    /// There is none.
    Missing,
    /// There is none, and the script says why where its tool wants it.
    Refused,
    /// Nobody can tell, or nobody asks: the tool goes back by itself, or the script can run again.
    NotAsked,
}

/// A script as these rules look at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Documented<'a> {
    /// The file of the way up.
    pub file: &'a str,
    /// The file of the way down; that of the way up where it holds both.
    pub down_file: &'a str,
    pub header: &'a Header,
    pub way_down: WayDown,
}

/// Whether a text holds no statement.
#[must_use]
pub fn is_empty(dialect: Dialect, sql: &str) -> bool {
    statements(dialect, sql).is_empty()
}

/// What the header of a script lacks, and its way down.
#[must_use]
pub fn judge(script: &Documented<'_>) -> Vec<Finding> {
    let Documented { file, header, .. } = *script;
    let mut findings = Vec::new();
    if header.purpose.is_none() {
        let message = "no `purpose:` in the comment at the top says why this script exists";
        findings.push(Finding::of_file(&PURPOSE_MISSING, file, message));
    }
    if header.impact.is_none() {
        let message =
            "no `impact:` in the comment at the top says what this does to those who use the database";
        findings.push(Finding::of_file(&IMPACT_MISSING, file, message));
    }
    findings.extend(judge_way_down(script));
    findings
}

fn judge_way_down(script: &Documented<'_>) -> Option<Finding> {
    let Documented { file, header, .. } = *script;
    let reason = header.rollback.as_deref();
    let is_reason = reason.is_some_and(is_reason);
    match script.way_down {
        WayDown::Does if reason.is_none() => {
            let message = "no `rollback:` in the comment at the top says what is lost on the way down";
            Some(Finding::of_file(&ROLLBACK_MISSING, file, message))
        }
        WayDown::Empty(line) if !is_reason => {
            let message =
                "the way down does nothing: write it, or say why there is none (`rollback: none, because …`)";
            Some(Finding::of_file(&DOWN_EMPTY, script.down_file, message).at((line, 1)))
        }
        WayDown::Missing if !is_reason => {
            let message = match reason {
                Some(_) => "there is no way down, and `rollback:` does not say why",
                None => {
                    "there is no way down: write it, or say why there is none (`rollback: none, because …`)"
                }
            };
            Some(Finding::of_file(&DOWN_MISSING, file, message))
        }
        _ => None,
    }
}

/// Whether what stands behind `rollback:` says more than that there is none.
fn is_reason(text: &str) -> bool {
    const NO_REASON: [&str; 18] = [
        "none",
        "no",
        "not",
        "n/a",
        "na",
        "nil",
        "nothing",
        "impossible",
        "irreversible",
        "possible",
        "todo",
        "tbd",
        "aucun",
        "aucune",
        "non",
        "rien",
        "néant",
        "non-réversible",
    ];
    let words = text.split(|c: char| c.is_whitespace() || ",.;:!?()-–—…".contains(c));
    let telling = words.filter(|word| !word.is_empty() && !NO_REASON.contains(&word.to_lowercase().as_str()));
    telling.count() >= 2
}

/// What is wrong with the waivers of a file. `today`: the day, as `2026-11-22`; `is_rule`: names that others know.
#[must_use]
pub fn judge_waivers(
    file: &str,
    header: &Header,
    today: &str,
    is_rule: impl Fn(&str) -> bool,
    nearest: impl Fn(&str) -> Option<String>,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for line in &header.broken_waivers {
        let message =
            "this waives nothing: write a rule, a day and a reason (`waiver: RULE YYYY-MM-DD REASON`)";
        findings.push(Finding::of_file(&WAIVER_BROKEN, file, message).at((*line, 1)));
    }
    for waiver in &header.waivers {
        let place = (waiver.line, 1);
        let rule = &waiver.rule;
        if named(rule).is_none() && !is_rule(rule) {
            let near = nearest(rule).map(|near| format!("; the nearest one is `{near}`")).unwrap_or_default();
            let message = format!("there is no rule `{rule}`{near}");
            findings.push(Finding::of_file(&WAIVER_UNKNOWN, file, message).at(place));
        } else if waiver.is_over(today) {
            let message = format!("the waiver for `{rule}` ended on {}", waiver.until);
            findings.push(Finding::of_file(&WAIVER_EXPIRED, file, message).at(place));
        }
    }
    findings
}

/// Waivers that stand below the comment at the top, of which `header` is what was read.
#[must_use]
pub fn judge_misplaced_waivers(dialect: Dialect, (file, sql): (&str, &str), header: &Header) -> Vec<Finding> {
    let waivers = header.waivers.iter().map(|waiver| waiver.line);
    let read: BTreeSet<usize> = waivers.chain(header.broken_waivers.iter().copied()).collect();
    let mut found = waiver_lines(sql);
    found.retain(|(line, _)| !read.contains(line));
    if found.is_empty() {
        return Vec::new();
    }
    // What stands in a text or in the body of a function is no comment of the script.
    let texts = tokens(dialect, sql);
    found.retain(|(_, start)| !texts.iter().any(|text| text.start < *start && *start < text.end));
    let message = "this waives nothing here: move it into the comment at the top";
    let finding = |(line, _)| Finding::of_file(&WAIVER_BROKEN, file, message).at((line, 1));
    found.into_iter().map(finding).collect()
}

/// How comments begin that switch rules of squawk off.
const FOREIGN: [&str; 2] = ["squawk-ignore", "squawk-disable-assume-in-transaction"];

/// Comments of another linter that would switch its rules off without a reason.
#[must_use]
pub fn judge_foreign_waivers(file: &str, text: &str) -> Vec<Finding> {
    if !text.contains("squawk-") {
        return Vec::new();
    }
    let lines = Lines::of(text);
    let comment = |offset: usize| {
        let before = text.get(..offset).unwrap_or_default();
        let before = before.trim_end_matches([' ', '\t']);
        before.ends_with("--") || before.ends_with("/*")
    };
    let mut places: Vec<usize> =
        FOREIGN.iter().flat_map(|word| text.match_indices(word).map(|(offset, _)| offset)).collect();
    places.retain(|offset| comment(*offset));
    places.sort_unstable();
    let message = "this comment is not obeyed: it has neither reason nor day; write `waiver: squawk/RULE YYYY-MM-DD \
                   REASON` in the comment at the top";
    let finding = |offset| Finding::of_file(&WAIVER_FOREIGN, file, message).at(lines.place(offset));
    places.into_iter().map(finding).collect()
}

/// The ids of all rules, for who looks for the nearest one.
pub fn ids() -> impl Iterator<Item = &'static str> {
    rules().map(|rule| rule.id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(header: &str, way_down: WayDown) -> Vec<&'static str> {
        let header = Header::parse(header);
        let script = Documented { file: "1_a.up.sql", down_file: "1_a.down.sql", header: &header, way_down };
        judge(&script).into_iter().map(|finding| finding.rule.id).collect()
    }

    const FULL: &str = "-- purpose: a\n-- impact: b\n-- rollback: drops the table\n";

    #[test]
    fn what_a_header_lacks_is_found() {
        assert_eq!(found(FULL, WayDown::Does), [""; 0]);
        assert_eq!(found("-- impact: b\n-- rollback: c\n", WayDown::Does), ["greffe/purpose-missing"]);
        assert_eq!(found("-- purpose: b\n-- rollback: c\n", WayDown::Does), ["greffe/impact-missing"]);
        assert_eq!(found("-- but: b\n-- impact: c\n", WayDown::Does), ["greffe/rollback-missing"]);
        assert_eq!(found("-- but: b\n-- impact: c\n", WayDown::NotAsked), [""; 0]);
    }

    #[test]
    fn a_way_down_or_a_reason_for_none_is_asked_for() {
        let header = |rollback: &str| format!("-- purpose: a\n-- impact: b\n{rollback}");
        for (rollback, missing) in [
            ("", true),
            ("-- rollback: none\n", true),
            ("-- rollback: none, not possible.\n", true),
            ("-- retour: aucun\n", true),
            ("-- rollback: n/a - TODO\n", true),
            ("-- rollback: none, because the rows are gone\n", false),
            ("-- retour: aucun, les données sont supprimées\n", false),
            ("-- rollback: restore the backup\n", false),
        ] {
            let expected = |rule| if missing { vec![rule] } else { vec![] };
            assert_eq!(
                found(&header(rollback), WayDown::Missing),
                expected("greffe/down-missing"),
                "{rollback}"
            );
            assert_eq!(
                found(&header(rollback), WayDown::Empty(3)),
                expected("greffe/down-empty"),
                "{rollback}"
            );
            let refused = found(&header(rollback), WayDown::Refused);
            assert_eq!(refused, [""; 0], "{rollback}");
        }
        let header = Header::parse("");
        let script = Documented { file: "a", down_file: "b", header: &header, way_down: WayDown::Empty(7) };
        let finding = judge(&script).pop().unwrap();
        assert_eq!((finding.file.as_str(), finding.line), ("b", 7));
    }

    #[test]
    fn waivers_are_judged_themselves() {
        let header = Header::parse(
            "-- waiver: squawk/ban-drop-table 2027-06-30 never used\n-- waiver: email 2027-06-30 our own\n\
             -- waiver: greffe/down-missing 2026-01-01 the rows are gone\n-- waiver: squawk/ban-dorp 2027-06-30 x\n\
             -- waiver: greffe/down-missing because\n",
        );
        let nearest = |_: &str| Some("squawk/ban-drop-table".to_owned());
        let findings = judge_waivers("a.sql", &header, "2026-11-22", |rule| rule == "email", nearest);
        let found: Vec<_> = findings.iter().map(|finding| (finding.rule.id, finding.line)).collect();
        let expected =
            [("greffe/waiver-broken", 5), ("greffe/waiver-expired", 3), ("greffe/waiver-unknown", 4)];
        assert_eq!(found, expected);
        assert!(findings[2].message.ends_with("the nearest one is `squawk/ban-drop-table`"));
    }

    #[test]
    fn waivers_below_the_comment_at_the_top_are_told() {
        let sql = "-- waiver: email 2027-06-30 our own\n\n-- waiver: phone 2027-06-30 our own\nSELECT '\n-- waiver: x y';\n";
        let header = Header::parse(sql);
        for dialect in [Dialect::Sqlite, Dialect::Postgresql, Dialect::Mysql] {
            let findings = judge_misplaced_waivers(dialect, ("a.sql", sql), &header);
            let found: Vec<_> = findings.iter().map(|finding| (finding.rule.id, finding.line)).collect();
            assert_eq!(found, [("greffe/waiver-broken", 3)], "{dialect:?}");
        }
    }

    #[test]
    fn comments_of_the_other_linter_are_no_waivers() {
        let text = "-- squawk-ignore ban-drop-table\nDROP TABLE a;\n/* squawk-ignore-file */\nSELECT 'squawk-ignore';\n\
                    --squawk-disable-assume-in-transaction\n";
        let lines: Vec<usize> = judge_foreign_waivers("a", text).iter().map(|finding| finding.line).collect();
        assert_eq!(lines, [1, 3, 5]);
        assert_eq!(judge_foreign_waivers("a", "-- it squawks\nDROP TABLE a;\n"), []);
    }
}
