//! As much of XML as changelogs are written in: elements, attributes, text. Document types are refused, so there are no
//! entities but the five, and nothing is fetched.

use std::ops::Range;

/// How deep elements may lie in one another.
const DEPTH_LIMIT: usize = 64;
/// How many elements a file may have.
const COUNT_LIMIT: usize = 200_000;

/// One element.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Element {
    /// Without its namespace.
    pub name: String,
    attributes: Vec<(String, String)>,
    /// The text right in it.
    pub text: String,
    pub children: Vec<Element>,
    /// Where it stands, in bytes.
    pub range: Range<usize>,
}

impl Element {
    /// The value of an attribute.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Whether an attribute says yes.
    pub fn says(&self, name: &str) -> bool {
        self.attribute(name).is_some_and(|value| value.eq_ignore_ascii_case("true"))
    }

    /// The first element of this name in it.
    pub fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }
}

/// Why a file cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    Syntax { line: usize },
    DocumentType,
    TooDeep,
}

/// Reads a file; its outermost element.
///
/// # Errors
/// [`Broken`].
pub fn read(text: &str) -> Result<Element, Broken> {
    let mut reader = Reader { text, at: 0, open: Vec::new(), root: None, count: 0 };
    while reader.step()? {}
    match (reader.root, reader.open.is_empty()) {
        (Some(root), true) => Ok(root),
        _ => Err(Broken::Syntax { line: text.lines().count().max(1) }),
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    /// Elements that have begun, and the names by which they end.
    open: Vec<(Element, &'a str)>,
    root: Option<Element>,
    count: usize,
}

impl<'a> Reader<'a> {
    /// Reads the text up to the next mark, and the mark; `false` at the end.
    fn step(&mut self) -> Result<bool, Broken> {
        let rest = self.rest();
        let (text, mark) = rest.split_at(rest.find('<').unwrap_or(rest.len()));
        let decoded = decoded(text).ok_or_else(|| self.broken())?;
        match self.open.last_mut() {
            Some((element, _)) => element.text.push_str(&decoded),
            None if text.trim_start_matches('\u{feff}').trim().is_empty() => {}
            None => return Err(self.broken()),
        }
        self.at += text.len();
        if mark.is_empty() {
            return Ok(false);
        }
        if mark.starts_with("<!--") {
            self.skip("<!--", "-->")?;
        } else if mark.starts_with("<![CDATA[") {
            let raw = self.skip("<![CDATA[", "]]>")?;
            let (element, _) = self.open.last_mut().ok_or(Broken::Syntax { line: 1 })?;
            element.text.push_str(raw);
        } else if mark.starts_with("<?") {
            self.skip("<?", "?>")?;
        } else if mark.starts_with("<!DOCTYPE") {
            return Err(Broken::DocumentType);
        } else if mark.starts_with("</") {
            let name = self.skip("</", ">")?.trim_end();
            self.close(name)?;
        } else {
            self.begin()?;
        }
        Ok(true)
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn broken(&self) -> Broken {
        Broken::Syntax { line: self.text.get(..self.at).unwrap_or_default().matches('\n').count() + 1 }
    }

    /// Passes `begin` and all up to `end`; what stands between.
    fn skip(&mut self, begin: &str, end: &str) -> Result<&'a str, Broken> {
        let inside = self.rest().get(begin.len()..).unwrap_or_default();
        let (found, _) = inside.split_once(end).ok_or_else(|| self.broken())?;
        self.at += begin.len() + found.len() + end.len();
        Ok(found)
    }

    fn begin(&mut self) -> Result<(), Broken> {
        let from = self.at;
        self.at += 1;
        let name = self.name()?;
        let mut element = Element { name: local(name).to_owned(), ..Element::default() };
        element.range.start = from;
        self.count += 1;
        if self.open.len() == DEPTH_LIMIT || self.count > COUNT_LIMIT {
            return Err(Broken::TooDeep);
        }
        loop {
            let spaces = self.rest().len() - self.rest().trim_start().len();
            self.at += spaces;
            if self.rest().starts_with("/>") {
                self.at += 2;
                self.open.push((element, name));
                return self.close(name);
            }
            if self.rest().starts_with('>') {
                self.at += 1;
                self.open.push((element, name));
                return Ok(());
            }
            let key = local(self.name()?).to_owned();
            let value = self.rest().trim_start().strip_prefix('=').map(str::trim_start);
            let quote =
                value.and_then(|value| value.chars().next()).filter(|quote| matches!(quote, '"' | '\''));
            let (Some(value), Some(quote), true) = (value, quote, spaces > 0) else {
                return Err(self.broken());
            };
            let inside = value.get(1..).unwrap_or_default();
            let (raw, after) = inside.split_once(quote).ok_or_else(|| self.broken())?;
            let plain = decoded(raw).filter(|_| !raw.contains('<')).ok_or_else(|| self.broken())?;
            element.attributes.push((key, plain.replace(['\n', '\t', '\r'], " ")));
            self.at = self.text.len() - after.len();
        }
    }

    fn close(&mut self, name: &str) -> Result<(), Broken> {
        let (mut element, _) =
            self.open.pop().filter(|(_, open)| *open == name).ok_or_else(|| self.broken())?;
        element.range.end = self.at;
        match self.open.last_mut() {
            Some((parent, _)) => parent.children.push(element),
            None if self.root.is_none() => self.root = Some(element),
            None => return Err(self.broken()),
        }
        Ok(())
    }

    fn name(&mut self) -> Result<&'a str, Broken> {
        let rest = self.rest();
        let end = rest.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | ':' | '-' | '.')));
        let name = rest.get(..end.unwrap_or(rest.len())).filter(|name| !name.is_empty());
        let name = name.ok_or_else(|| self.broken())?;
        self.at += name.len();
        Ok(name)
    }
}

fn local(name: &str) -> &str {
    name.rsplit(':').next().unwrap_or(name)
}

/// Text with the five entities and characters by their numbers put in; `None` for others.
fn decoded(text: &str) -> Option<String> {
    let mut parts = text.split('&');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (entity, rest) = part.split_once(';')?;
        plain.push(match entity {
            "lt" => '<',
            "gt" => '>',
            "amp" => '&',
            "quot" => '"',
            "apos" => '\'',
            other => {
                let digits = other.strip_prefix('#')?;
                let number = match digits.strip_prefix('x') {
                    Some(hexadecimal) => u32::from_str_radix(hexadecimal, 16),
                    None => digits.parse(),
                };
                char::from_u32(number.ok()?)?
            }
        });
        plain.push_str(rest);
    }
    Some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_have_attributes_text_and_a_place() {
        let text = "\u{feff}<?xml version=\"1.0\"?>\n<!-- <x> -->\n<n:a  b = '1 &amp;\n&#x41;&#66;' c:d=\"'\">t&lt;<!-- - --><![CDATA[<&]]><e/>\
                    <e f='>'>u</e ></n:a>\n";
        let root = read(text).unwrap();
        assert_eq!(
            (root.name.as_str(), root.attribute("b"), root.attribute("d")),
            ("a", Some("1 & AB"), Some("'"))
        );
        assert_eq!(root.text, "t<<&");
        let places: Vec<&str> = root.children.iter().map(|child| &text[child.range.clone()]).collect();
        assert_eq!(places, ["<e/>", "<e f='>'>u</e >"]);
        assert_eq!(root.child("e").map(|child| child.text.as_str()), Some(""));
    }

    #[test]
    fn what_is_no_xml_is_refused_with_its_line() {
        let broken = |text: &str| read(text).unwrap_err();
        for text in [
            "",
            "x",
            "<a>",
            "<a",
            "<a b>",
            "<a b=c/>",
            "<a b='1'c='2'/>",
            "<a></b>",
            "</a>",
            "<a/><b/>",
            "<a/>x",
            "<a>&b;</a>",
            "<a b='<'/>",
            "<a>&#xD800;</a>",
            "<a>&#99999999999;</a>",
            "<!x><a/>",
            "<![CDATA[x]]><a/>",
            "< a/>",
            "<a><!-- </a>",
        ] {
            assert!(matches!(broken(text), Broken::Syntax { .. }), "{text}");
        }
        assert_eq!(broken("<a>\n\n<b></c></a>"), Broken::Syntax { line: 3 });
        assert_eq!(
            broken("<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><a>&x;</a>"),
            Broken::DocumentType
        );
        assert_eq!(broken(&"<a>".repeat(100_000)), Broken::TooDeep);
        assert_eq!(broken(&format!("<a>{}</a>", "<b/>".repeat(COUNT_LIMIT))), Broken::TooDeep);
    }
}
