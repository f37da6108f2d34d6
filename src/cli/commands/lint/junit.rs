//! Findings as JUnit XML, as build servers read it: a suite for each file, a case for each rule that found something.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::ops::lint::{Report, Told};
use crate::scripts::lint::Level;

/// The document. A finding at `fail_on` or above is a failure, a milder one is told beside a case that passes, and one
/// that is waived is a case that was skipped.
pub fn junit(report: &Report, fail_on: Level) -> String {
    let mut files: BTreeMap<&str, Vec<&Told>> = BTreeMap::new();
    for told in &report.findings {
        files.entry(&told.finding.file).or_default().push(told);
    }
    let counts = |told: &[&Told]| {
        let waived = told.iter().filter(|told| told.waived.is_some()).count();
        (told.iter().filter(|told| fails(told, fail_on)).count(), waived)
    };
    let all: Vec<&Told> = report.findings.iter().collect();
    let (failures, skipped) = counts(&all);
    // Scripts without a finding are cases that pass.
    let clean = &report.clean;
    let tests = all.len() + clean.len();
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    // Writing to a text does not fail.
    let _ = writeln!(
        xml,
        "<testsuites name=\"greffe lint\" tests=\"{tests}\" failures=\"{failures}\" errors=\"0\" skipped=\"{skipped}\">"
    );
    for (file, told) in files {
        let (failures, skipped) = counts(&told);
        let _ = writeln!(
            xml,
            "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{failures}\" errors=\"0\" skipped=\"{skipped}\">",
            attribute(file),
            told.len()
        );
        told.iter().for_each(|told| case(&mut xml, told, fail_on));
        xml.push_str("  </testsuite>\n");
    }
    for file in clean {
        let file = attribute(file);
        let _ = writeln!(
            xml,
            "  <testsuite name=\"{file}\" tests=\"1\" failures=\"0\" errors=\"0\" skipped=\"0\">\n    \
             <testcase classname=\"{file}\" name=\"without a finding\" file=\"{file}\"/>\n  </testsuite>"
        );
    }
    xml.push_str("</testsuites>\n");
    xml
}

fn fails(told: &Told, fail_on: Level) -> bool {
    told.waived.is_none() && told.level >= fail_on
}

fn case(xml: &mut String, told: &Told, fail_on: Level) {
    let finding = &told.finding;
    let (file, rule) = (attribute(&finding.file), finding.rule.id);
    let message = attribute(&finding.message);
    let text = format!("{file}:{}:{}: {} {rule}: {message}", finding.line, finding.column, told.level);
    let _ = write!(
        xml,
        "    <testcase classname=\"{file}\" name=\"{rule}, line {}\" file=\"{file}\" line=\"{}\">\n      ",
        finding.line, finding.line
    );
    let _ = match &told.waived {
        Some(waived) => {
            let reason = attribute(&format!("waived until {}: {}", waived.until, waived.reason));
            writeln!(xml, "<skipped message=\"{reason}\"/>")
        }
        None if fails(told, fail_on) => {
            let help = escaped(&format!("{}\nsee {}", finding.rule.help, finding.rule.page()));
            writeln!(xml, "<failure type=\"{}\" message=\"{message}\">{text}\n{help}</failure>", told.level)
        }
        None => writeln!(xml, "<system-out>{text}</system-out>"),
    };
    xml.push_str("    </testcase>\n");
}

/// A text as the value of an attribute, where a line feed would be read as a space; in one line elsewhere, too.
fn attribute(text: &str) -> String {
    escaped(text).replace('\n', "&#10;")
}

/// A text as XML 1.0 takes it: what it cannot hold is a sign that says so.
fn escaped(text: &str) -> String {
    let mut xml = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => xml.push_str("&amp;"),
            '<' => xml.push_str("&lt;"),
            '>' => xml.push_str("&gt;"),
            '"' => xml.push_str("&quot;"),
            '\n' => xml.push('\n'),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => xml.push('\u{fffd}'),
            c => xml.push(c),
        }
    }
    xml
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_name_becomes_markup() {
        assert_eq!(
            escaped("a<b>&\"c\"\u{0}\u{1b}é\u{ffff}"),
            "a&lt;b&gt;&amp;&quot;c&quot;\u{fffd}\u{fffd}é\u{fffd}"
        );
        assert_eq!((escaped("a\nb").as_str(), attribute("a\nb").as_str()), ("a\nb", "a&#10;b"));
    }
}
