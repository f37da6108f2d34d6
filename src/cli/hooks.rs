//! What hooks said, as people read it.

use std::io::{self, Write};

use super::output::Clean;
use crate::ops::hooks::Told;
use crate::policy::hooks::{Kind, Outcome};

/// What hooks said before something happened, or after it, a line each in the order in which they were asked. That a policy
/// lets each of many migrations pass is no news.
pub fn show_hooks(told: &[Told], before: bool, out: &mut dyn Write) -> io::Result<()> {
    let is_news = |told: &&Told| {
        told.event.is_before() == before
            && (told.verdict.outcome != Outcome::Allow || told.about.is_none() || told.kind == Kind::Program)
    };
    told.iter().filter(is_news).try_for_each(|told| writeln!(out, "{}", line(told)))
}

/// What a hook said, where it did not let everything pass.
pub fn told_line(told: &Told) -> Option<String> {
    (told.verdict.outcome != Outcome::Allow).then(|| line(told))
}

fn line(told: &Told) -> String {
    let about = told.about.as_ref().map(|version| format!(" ({version})")).unwrap_or_default();
    let rule = told.verdict.rule.as_ref().map(|rule| format!(" {rule}")).unwrap_or_default();
    let text = told.verdict.text.as_deref().filter(|text| !text.is_empty());
    let text = text.map(|text| format!(": {text}")).unwrap_or_default();
    let line = format!("hook {}{about}: {}{rule}{text}", told.hook, told.verdict.outcome.as_str());
    Clean(&line).to_string()
}
