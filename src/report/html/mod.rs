//! The report as one page: no script, no address of anything elsewhere, its style inside and named by its digest, so that
//! a browser takes no other.

mod change;
mod checks;
pub mod escape;
mod judged;
mod pictures;
mod population;
mod summary;

use std::fmt::Write as _;

use data_encoding::BASE64;

use self::escape::Own;
use super::facts::ChangeReport;
use crate::crypto::Digest;
use crate::lang::{Language, Value, Words};

const STYLE: &str = include_str!("style.css");

/// A page that is being written, in one language.
pub struct Page<'a> {
    pub words: Words,
    pub report: &'a ChangeReport,
    out: String,
}

/// The report as a page of HTML.
#[must_use]
pub fn page(report: &ChangeReport, language: Language) -> String {
    let mut page = Page { words: Words::of(language), report, out: String::new() };
    page.head();
    summary::cover(&mut page);
    summary::figures(&mut page);
    pictures::all(&mut page);
    population::all(&mut page);
    change::all(&mut page);
    population::others(&mut page);
    checks::findings(&mut page);
    checks::controls(&mut page);
    checks::commands(&mut page);
    checks::limits(&mut page);
    page.put("</main></body></html>\n");
    page.out
}

impl Page<'_> {
    fn head(&mut self) {
        let language = self.words.language();
        let title = self.tell("report-title", [("name", self.name().into())]);
        let digest = BASE64.encode(&Digest::of(STYLE.as_bytes()).0);
        let policy =
            format!("default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'");
        let (code, direction) = (language.code(), language.direction());
        write!(
            self.out,
            "<!doctype html>\n<html lang=\"{code}\" dir=\"{direction}\"><head><meta charset=\"utf-8\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\">\n\
             <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n\
             <meta name=\"referrer\" content=\"no-referrer\"><meta name=\"color-scheme\" content=\"light\">\n\
             <title>{title}</title>\n<style>{STYLE}</style></head><body><main>\n",
        )
        .ok();
    }

    /// The chain's name, or its CID.
    fn name(&self) -> String {
        let chain = &self.report.chain;
        escape::clean(&chain.name.clone().unwrap_or_else(|| chain.root.to_string()))
    }

    /// Markup as it is.
    pub fn put(&mut self, markup: &str) {
        self.out.push_str(markup);
    }

    /// A message, for the inside of an element.
    #[must_use]
    pub fn say(&self, id: &str) -> String {
        let text = Own(&self.words.say(id)).to_string();
        // What stands between backticks is code.
        let mut parts = text.split('`');
        let first = parts.next().unwrap_or_default().to_owned();
        let mut is_code = false;
        parts.fold(first, |text, part| {
            is_code = !is_code;
            text + if is_code { "<code dir=\"ltr\">" } else { "</code>" } + part
        })
    }

    /// A message with variables; texts of the chain among them have gone through [`escape::clean`].
    #[must_use]
    pub fn tell<'b, const N: usize>(&'b self, id: &str, values: [(&'b str, Value<'b>); N]) -> String {
        Own(&self.words.tell(id, values)).to_string()
    }

    /// A heading, and a sentence under it where there is one.
    pub fn heading(&mut self, id: &str, under: Option<&str>) {
        let heading = self.say(id);
        self.put(&format!("\n<h2 id=\"{id}\">{heading}</h2>\n"));
        if let Some(under) = under {
            let under = self.say(under);
            self.put(&format!("<p class=\"soft\">{under}</p>\n"));
        }
    }

    /// A term and what it is; `value` is markup.
    pub fn fact(&mut self, id: &str, value: &str) {
        let term = self.say(id);
        self.put(&format!("<dt>{term}</dt><dd>{value}</dd>\n"));
    }

    /// A word on a coloured ground; the word says it, the colour repeats it.
    #[must_use]
    pub fn badge(&self, kind: &str, id: &str) -> String {
        format!("<span class=\"badge {kind}\">{}</span>", self.say(id))
    }

    /// The head of a table; an id that begins with `#` is that of a column of numbers.
    pub fn columns(&mut self, ids: &[&str]) {
        self.put("<div class=\"wide\"><table><thead><tr>");
        for id in ids {
            let (class, id) = id.strip_prefix('#').map_or(("", *id), |id| (" class=\"n\"", id));
            let text = self.say(id);
            self.put(&format!("<th scope=\"col\"{class}>{text}</th>"));
        }
        self.put("</tr></thead><tbody>\n");
    }
}

#[cfg(test)]
mod tests;
