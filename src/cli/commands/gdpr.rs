mod dpia;
mod facts;
mod page;
mod register;

use std::io::{self, Write};

use clap::{Args, Subcommand};
use serde::Serialize;

use self::facts::Facts;
pub use self::page::Language;
use self::page::Page;
use crate::cli::CommandResult;
use crate::cli::context::Context;
use crate::cli::output::{Clean, Reply};

/// Write the papers of data protection from what is set and archived, in French or English
///
/// Markdown on standard output. What a program cannot know, such as who the controller is, stands there as a field to
/// fill in. People are told by pseudonym alone.
#[derive(Args)]
pub struct Gdpr {
    #[command(subcommand)]
    paper: Paper,
}

#[derive(Subcommand)]
enum Paper {
    /// The record of processing activities (RGPD art. 30)
    Register(Form),
    /// The beginning of an impact assessment (RGPD art. 35)
    Dpia(Form),
}

#[derive(Args)]
struct Form {
    /// Its language [default: what GREFFE_LANG or LANG says, else English]
    #[arg(long, value_name = "LANGUAGE")]
    lang: Option<Language>,
}

#[derive(Serialize)]
struct Shown {
    command: &'static str,
    language: Language,
    facts: Facts,
    text: String,
}

pub fn run(context: &Context, arguments: &Gdpr) -> CommandResult {
    let (command, form): (_, &Form) = match &arguments.paper {
        Paper::Register(form) => ("gdpr register", form),
        Paper::Dpia(form) => ("gdpr dpia", form),
    };
    let language = form.lang.unwrap_or_else(|| Language::of(&context.environment));
    let facts = Facts::read(&context.settings()?)?;
    let mut page = Page::new(language);
    match &arguments.paper {
        Paper::Register(_) => register::write(&facts, &mut page),
        Paper::Dpia(_) => dpia::write(&facts, &mut page),
    }
    let text = page.into_text();
    Ok(Reply::new(Shown { command, language, facts, text }, show))
}

fn show(shown: &Shown, out: &mut dyn Write) -> io::Result<()> {
    shown.text.lines().try_for_each(|line| writeln!(out, "{}", Clean(line)))
}

#[cfg(test)]
mod tests {
    use super::facts::tests::{full, none};
    use super::page::Pair;
    use super::*;

    fn pages(write: fn(&Facts, &mut Page), facts: &Facts) -> [(String, Vec<Pair>); 2] {
        [Language::English, Language::French].map(|language| {
            let mut page = Page::new(language);
            write(facts, &mut page);
            let pairs = page.pairs().to_vec();
            (page.into_text(), pairs)
        })
    }

    /// What kind of line it is, without its words.
    fn skeleton(text: &str) -> Vec<(String, usize, usize)> {
        let mark = |line: &str| line.chars().take_while(|c| "#-|* ".contains(*c)).collect::<String>();
        text.lines()
            .map(|line| {
                (mark(line).trim_end().to_owned(), line.matches('|').count(), line.matches("**[").count())
            })
            .collect()
    }

    #[test]
    fn both_languages_say_the_same() {
        for facts in [none(), full()] {
            for write in [register::write as fn(&Facts, &mut Page), dpia::write] {
                let [(english, pairs), (french, same)] = pages(write, &facts);
                assert_eq!(pairs, same);
                for [english, french] in &pairs {
                    assert!(
                        !english.trim().is_empty() && !french.trim().is_empty(),
                        "{english:?}, {french:?}"
                    );
                    assert_ne!(english, french);
                }
                assert_eq!(skeleton(&english), skeleton(&french));
                assert!(english.contains("to fill in: ") && !english.contains("compléter"));
                assert!(french.contains("à compléter : ") && !french.contains("fill in"));
                // Every fact that is in one is in the other: facts stand in code spans.
                let spans =
                    |text: &str| text.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
                let sorted = |mut spans: Vec<String>| {
                    spans.sort();
                    spans
                };
                assert_eq!(sorted(spans(&english)), sorted(spans(&french)));
            }
        }
    }

    #[test]
    fn nothing_is_said_that_is_not_so() {
        let [(bare, _), _] = pages(register::write, &none());
        assert!(bare.contains("no archive yet") && bare.contains("no map"), "{bare}");
        assert!(!bare.contains("entries from"), "{bare}");
        let [(text, _), _] = pages(register::write, &full());
        for fact in
            ["`12` entries", "`7` sealed", "`2` of them erased", "`pays \\| fixe`", "10 years", "public"]
        {
            assert!(text.contains(fact), "{fact} is not in\n{text}");
        }
        let [(assessment, _), _] = pages(dpia::write, &full());
        assert!(assessment.contains("`DPIA-7`") && assessment.contains("`service`"), "{assessment}");
    }
}
