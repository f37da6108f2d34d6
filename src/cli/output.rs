//! How results reach people and programs: text or one JSON object on standard output, errors on
//! standard error.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, Write};

use serde::Serialize;

use super::Exit;
use super::error::CliError;
use crate::model::Cid;

/// A result that can be shown both ways.
pub trait Show {
    /// As text for people.
    ///
    /// # Errors
    /// Those of `out`.
    fn text(&self, out: &mut dyn Write) -> io::Result<()>;

    /// As the one object that `--json` prints.
    fn json(&self) -> serde_json::Value;
}

/// A serializable value with the function that writes it for people.
struct Shown<T, F> {
    value: T,
    text: F,
}

impl<T: Serialize, F: Fn(&T, &mut dyn Write) -> io::Result<()>> Show for Shown<T, F> {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        (self.text)(&self.value, out)
    }

    fn json(&self) -> serde_json::Value {
        serde_json::to_value(&self.value).unwrap_or(serde_json::Value::Null)
    }
}

/// Bytes that are written as they are, whatever form is asked for.
struct Raw(Vec<u8>);

impl Show for Raw {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(&self.0)
    }

    fn json(&self) -> serde_json::Value {
        serde_json::json!({ "text": String::from_utf8_lossy(&self.0) })
    }
}

/// What a command has to say, with another CID in the place of one.
struct Moved {
    shown: Box<dyn Show>,
    before: String,
    after: String,
}

impl Show for Moved {
    fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut text = Vec::new();
        self.shown.text(&mut text)?;
        // A CID of this length stands in nothing else.
        out.write_all(String::from_utf8_lossy(&text).replace(&self.before, &self.after).as_bytes())
    }

    fn json(&self) -> serde_json::Value {
        let mut value = self.shown.json();
        if let Some(head) = value.get_mut("head").filter(|head| **head == self.before.as_str()) {
            *head = self.after.clone().into();
        }
        value
    }
}

/// What a command has to say, and what the process ends with.
pub struct Reply {
    shown: Option<Box<dyn Show>>,
    pub exit: Exit,
}

impl Reply {
    /// A result.
    pub fn new<T, F>(value: T, text: F) -> Self
    where
        T: Serialize + 'static,
        F: Fn(&T, &mut dyn Write) -> io::Result<()> + 'static,
    {
        Self { shown: Some(Box::new(Shown { value, text })), exit: Exit::Done }
    }

    /// Bytes as they are.
    pub fn raw(bytes: Vec<u8>) -> Self {
        Self { shown: Some(Box::new(Raw(bytes))), exit: Exit::Done }
    }

    /// Nothing more: the command has written what it has to say.
    pub fn silent(exit: Exit) -> Self {
        Self { shown: None, exit }
    }

    /// Writes it for people, or as the object of `--json`.
    ///
    /// # Errors
    /// Those of standard output.
    pub fn write(&self, json: bool) -> io::Result<()> {
        self.shown.as_ref().map_or(Ok(()), |shown| write(shown.as_ref(), json))
    }

    /// The object of `--json`.
    pub fn json(&self) -> serde_json::Value {
        self.shown.as_ref().map_or(serde_json::Value::Null, |shown| shown.json())
    }

    /// Whether the command has written what it has to say.
    #[must_use]
    pub const fn is_silent(&self) -> bool {
        self.shown.is_none()
    }

    /// The same with another head in the place of the one that it names.
    #[must_use]
    pub fn with_head(self, before: &Cid, after: &Cid) -> Self {
        if before == after {
            return self;
        }
        let moved = |shown| Box::new(Moved { shown, before: before.to_string(), after: after.to_string() });
        Self { shown: self.shown.map(|shown| moved(shown) as Box<dyn Show>), ..self }
    }

    /// Ends with `exit`.
    #[must_use]
    pub fn with_exit(self, exit: Exit) -> Self {
        Self { exit, ..self }
    }
}

/// Writes what a command came to.
pub fn finish(result: Result<Reply, CliError>, json: bool) -> Exit {
    match result {
        Ok(reply) => {
            if let Err(error) = reply.write(json)
                && error.kind() != io::ErrorKind::BrokenPipe
            {
                write_error(&CliError::new(Exit::Unfinished, format!("cannot write the result: {error}")));
                return Exit::Unfinished;
            }
            reply.exit
        }
        Err(error) => {
            if json {
                write_object(&error.json()).ok();
            }
            write_error(&error);
            error.exit
        }
    }
}

/// Writes what one round of a command came to, as a line of its own with `json`, and goes on.
///
/// # Errors
/// Those of standard output.
pub fn line(result: &Result<Reply, CliError>, json: bool) -> io::Result<()> {
    if let Err(error) = result {
        write_error(error);
    }
    let value = match result {
        Ok(reply) if !json => return reply.write(false),
        Ok(reply) => reply.json(),
        Err(error) if json => error.json(),
        Err(_) => return Ok(()),
    };
    let mut out = io::stdout().lock();
    writeln!(out, "{}", harmless(&value.to_string()))?;
    out.flush()
}

fn write(shown: &dyn Show, json: bool) -> io::Result<()> {
    if json {
        return write_object(&shown.json());
    }
    let mut out = io::BufWriter::new(io::stdout().lock());
    shown.text(&mut out)?;
    out.flush()
}

fn write_object(value: &serde_json::Value) -> io::Result<()> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    out.write_all(harmless(&serde_json::to_string_pretty(value)?).as_bytes())?;
    out.write_all(b"\n")?;
    out.flush()
}

/// JSON of the same value, in which what would steer a terminal is written as an escape. Such characters stand in strings
/// alone; JSON asks for escapes of some of them, and a terminal obeys others, too.
pub fn harmless(json: &str) -> Cow<'_, str> {
    if !json.contains(is_unsafe) {
        return Cow::Borrowed(json);
    }
    let mut text = String::with_capacity(json.len() + 64);
    for c in json.chars() {
        match is_unsafe(c) {
            true => _ = write!(text, "\\u{:04x}", u32::from(c)),
            false => text.push(c),
        }
    }
    Cow::Owned(text)
}

fn write_error(error: &CliError) {
    let mut out = anstream::stderr().lock();
    // Standard error that cannot be written leaves nobody to tell.
    writeln!(out, "\u{1b}[1;31merror:\u{1b}[0m {}", Clean(&error.message)).ok();
    for cause in &error.causes {
        writeln!(out, "  {}", Clean(cause)).ok();
    }
    if let Some(hint) = &error.hint {
        writeln!(out, "\u{1b}[1mhint:\u{1b}[0m {}", Clean(hint)).ok();
    }
}

/// A remark on standard error, unless only data is wanted there is no place for it on standard output.
pub fn remark(text: &str) {
    writeln!(anstream::stderr().lock(), "{}", Clean(text)).ok();
}

/// Text from an archive or a script, whose control characters must not steer a terminal.
pub struct Clean<'a>(pub &'a str);

impl std::fmt::Display for Clean<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for part in self.0.split_inclusive(|c: char| is_unsafe(c)) {
            let mut characters = part.chars();
            match characters.next_back() {
                Some(last) if is_unsafe(last) => write!(f, "{}\u{fffd}", characters.as_str())?,
                _ => f.write_str(part)?,
            }
        }
        Ok(())
    }
}

/// The same in one line, for reports of which each line is read by itself: a name with a line feed in it makes none.
pub struct CleanLine<'a>(pub &'a str);

impl std::fmt::Display for CleanLine<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (nth, line) in self.0.split('\n').enumerate() {
            let feed = if nth > 0 { "\u{fffd}" } else { "" };
            write!(f, "{feed}{}", Clean(line))?;
        }
        Ok(())
    }
}

/// Control characters, and those that turn the direction of writing around.
fn is_unsafe(c: char) -> bool {
    c != '\n' && c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_steers_the_terminal() {
        assert_eq!(Clean("a\u{1b}[31mb\u{202e}c\nd\te").to_string(), "a\u{fffd}[31mb\u{fffd}c\nd\u{fffd}e");
        assert_eq!(Clean("été").to_string(), "été");
        let value = serde_json::json!({"a\u{9b}31m": ["\u{202e}b\u{1b}[2J\u{7f}", "été\n"]});
        for json in [value.to_string(), serde_json::to_string_pretty(&value).unwrap()] {
            let made = harmless(&json);
            assert!(!made.contains(is_unsafe), "{made}");
            assert_eq!(serde_json::from_str::<serde_json::Value>(&made).unwrap(), value);
        }
        assert_eq!(CleanLine("a\u{1b}b\n::error::c\n").to_string(), "a\u{fffd}b\u{fffd}::error::c\u{fffd}");
    }
}
