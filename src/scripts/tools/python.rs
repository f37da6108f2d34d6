//! The values that a Python file gives its names, read from its syntax tree; nothing of it is run. Only plain literals
//! are values: what is reckoned when the file runs is [`Value::Unknown`].

use std::collections::BTreeMap;
use std::panic::resume_unwind;
use std::thread::{available_parallelism, scope};

use tree_sitter::{Node, Parser};

/// More threads are not worth it.
const MOST_THREADS: usize = 8;
/// Fewer files are not worth a thread.
const LEAST_SHARE: usize = 64;

/// Literals in one another, no deeper than this.
const DEPTH_LIMIT: usize = 16;

/// What a name is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    None,
    Boolean(bool),
    Text(String),
    /// A list, a tuple or a set.
    List(Vec<Value>),
    /// What only running the file would tell.
    Unknown,
}

impl Value {
    /// The text or texts: one for a text, none for `None`; `None` where something else is among them.
    pub fn texts(&self) -> Option<Vec<String>> {
        match self {
            Self::None => Some(Vec::new()),
            Self::Text(text) => Some(vec![text.clone()]),
            Self::List(values) => values
                .iter()
                .map(|value| match value {
                    Self::Text(text) => Some(text.clone()),
                    _ => None,
                })
                .collect(),
            Self::Boolean(_) | Self::Unknown => None,
        }
    }
}

/// What stands in a file, outside functions, conditions and loops.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Module {
    /// The text that the file begins with.
    pub docstring: Option<String>,
    pub names: BTreeMap<String, Value>,
    /// The names that are given values in the bodies of classes.
    pub classes: BTreeMap<String, BTreeMap<String, Value>>,
    pub functions: BTreeMap<String, Function>,
    /// The first line, from 1, that is not Python.
    pub broken: Option<usize>,
}

/// A function outside of classes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// Where it begins, from 1.
    pub line: usize,
    pub body: Body,
}

/// What the body of a function comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// Nothing: `pass`, `...`, a text, a bare `return`.
    Empty,
    /// It raises an exception and does nothing else; `says`: with a text that says why.
    Raises {
        says: bool,
    },
    Does,
}

/// Reads many files, on all cores where they are worth it, in their order.
pub fn read_all(files: &[&[u8]]) -> Vec<Module> {
    let threads = available_parallelism().map_or(1, usize::from).min(MOST_THREADS);
    let share = files.len().div_ceil(threads).max(LEAST_SHARE);
    let read_share = |share: &[&[u8]]| {
        let mut parser = parser();
        share.iter().map(|bytes| read_with(parser.as_mut(), bytes)).collect::<Vec<Module>>()
    };
    if share >= files.len() {
        return read_share(files);
    }
    scope(|scope| {
        let reading: Vec<_> =
            files.chunks(share).map(|share| scope.spawn(move || read_share(share))).collect();
        // What stopped a thread stops whoever waits for it.
        reading
            .into_iter()
            .flat_map(|read| read.join().unwrap_or_else(|panic| resume_unwind(panic)))
            .collect()
    })
}

/// Reads a file; UTF-8 with any line ends, also behind a byte order mark.
pub fn read(bytes: &[u8]) -> Module {
    read_with(parser().as_mut(), bytes)
}

fn parser() -> Option<Parser> {
    let mut parser = Parser::new();
    parser.set_language(&tree_sitter_python::LANGUAGE.into()).ok().map(|()| parser)
}

fn read_with(parser: Option<&mut Parser>, bytes: &[u8]) -> Module {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let tree = parser.and_then(|parser| parser.parse(bytes, None));
    let Some(tree) = tree else { return Module { broken: Some(1), ..Module::default() } };
    let root = tree.root_node();
    let mut module = Module { broken: root.has_error().then(|| first_error(root)), ..Module::default() };
    for (place, statement) in children(root).filter(|node| node.kind() != "comment").enumerate() {
        match statement.kind() {
            "class_definition" => {
                let name = statement.child_by_field_name("name").map(|name| text(name, bytes));
                let body = statement.child_by_field_name("body");
                if let (Some(name), Some(body)) = (name, body) {
                    let mut names = BTreeMap::new();
                    children(body).for_each(|statement| assign(statement, bytes, &mut names));
                    module.classes.insert(name, names);
                }
            }
            "function_definition" => {
                let name = statement.child_by_field_name("name").map(|name| text(name, bytes));
                if let (Some(name), Some(body)) = (name, statement.child_by_field_name("body")) {
                    let line = statement.start_position().row + 1;
                    module.functions.insert(name, Function { line, body: body_of(body, bytes) });
                }
            }
            "expression_statement" if place == 0 => match literal(statement.named_child(0), bytes, 0) {
                Value::Text(docstring) => module.docstring = Some(docstring),
                _ => assign(statement, bytes, &mut module.names),
            },
            _ => assign(statement, bytes, &mut module.names),
        }
    }
    module
}

/// What the statements of a function come to, the last one deciding: what follows a `raise` or `return` is not reached.
fn body_of(body: Node, bytes: &[u8]) -> Body {
    for statement in children(body) {
        let first = statement.named_child(0);
        match statement.kind() {
            "pass_statement" | "comment" => {}
            "expression_statement"
                if first.is_some_and(|first| {
                    matches!(first.kind(), "string" | "concatenated_string" | "ellipsis")
                }) => {}
            "return_statement" if first.is_none_or(|first| first.kind() == "none") => return Body::Empty,
            "raise_statement" => {
                let arguments = first.and_then(|call| call.child_by_field_name("arguments"));
                let says = arguments.into_iter().flat_map(children).any(|argument| {
                    matches!(argument.kind(), "string" | "concatenated_string")
                        && text(argument, bytes).chars().filter(|c| c.is_alphanumeric()).count() > 3
                });
                return Body::Raises { says };
            }
            _ => return Body::Does,
        }
    }
    Body::Empty
}

/// Notes what a statement gives to a name. The last one counts, as it does when the file is run.
fn assign(statement: Node, bytes: &[u8], names: &mut BTreeMap<String, Value>) {
    let Some(assignment) = statement.named_child(0).filter(|_| statement.kind() == "expression_statement")
    else {
        return;
    };
    let Some(left) = assignment.child_by_field_name("left").filter(|left| left.kind() == "identifier") else {
        return;
    };
    let value = match assignment.kind() {
        "assignment" => literal(assignment.child_by_field_name("right"), bytes, 0),
        // `down_revision += (…)`
        _ => Value::Unknown,
    };
    // A bare annotation, `revision: str`, gives nothing.
    if assignment.kind() != "assignment" || assignment.child_by_field_name("right").is_some() {
        names.insert(text(left, bytes), value);
    }
}

fn literal(node: Option<Node>, bytes: &[u8], depth: usize) -> Value {
    let Some(node) = node.filter(|_| depth < DEPTH_LIMIT) else { return Value::Unknown };
    match node.kind() {
        "none" => Value::None,
        "true" => Value::Boolean(true),
        "false" => Value::Boolean(false),
        "string" => string(node, bytes).map_or(Value::Unknown, Value::Text),
        "concatenated_string" => {
            let parts: Option<String> = children(node).map(|part| string(part, bytes)).collect();
            parts.map_or(Value::Unknown, Value::Text)
        }
        "parenthesized_expression" => literal(node.named_child(0), bytes, depth + 1),
        "tuple" | "list" | "set" => {
            let items = children(node).filter(|item| item.kind() != "comment");
            Value::List(items.map(|item| literal(Some(item), bytes, depth + 1)).collect())
        }
        _ => Value::Unknown,
    }
}

/// A text without a prefix but `r` or `u`; `None` for bytes, for one that holds an expression, and for one with an escape
/// other than those of quotes, backslashes and line ends.
fn string(node: Node, bytes: &[u8]) -> Option<String> {
    let whole = bytes.get(node.byte_range())?;
    let whole = str::from_utf8(whole).ok()?;
    let prefix = whole.split(['"', '\'']).next()?.to_ascii_lowercase();
    if !matches!(prefix.as_str(), "" | "r" | "u") {
        return None;
    }
    let quoted = whole.get(prefix.len()..)?;
    let quotes = if quoted.starts_with("\"\"\"") || quoted.starts_with("'''") { 3 } else { 1 };
    let inside = quoted.get(quotes..quoted.len().checked_sub(quotes)?)?;
    if prefix == "r" || !inside.contains('\\') { Some(inside.to_owned()) } else { unescaped(inside) }
}

fn unescaped(text: &str) -> Option<String> {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match (c, if c == '\\' { rest.next() } else { None }) {
            ('\\', Some('\n')) => {}
            ('\\', Some('n')) => plain.push('\n'),
            ('\\', Some('t')) => plain.push('\t'),
            ('\\', Some(c @ ('\\' | '\'' | '"'))) => plain.push(c),
            ('\\', _) => return None,
            (c, _) => plain.push(c),
        }
    }
    Some(plain)
}

fn children<'tree>(node: Node<'tree>) -> impl Iterator<Item = Node<'tree>> {
    let mut cursor = node.walk();
    let mut more = cursor.goto_first_child();
    std::iter::from_fn(move || {
        while more {
            let child = cursor.node();
            more = cursor.goto_next_sibling();
            if child.is_named() {
                return Some(child);
            }
        }
        None
    })
}

fn text(node: Node, bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes.get(node.byte_range()).unwrap_or_default()).into_owned()
}

/// The line, from 1, of the first place that is not Python, by walking down to it.
fn first_error(root: Node) -> usize {
    let mut node = root;
    while !node.is_error() && !node.is_missing() {
        let mut cursor = node.walk();
        let next = node.children(&mut cursor).find(|child| child.has_error() || child.is_missing());
        match next {
            Some(next) => node = next,
            None => break,
        }
    }
    node.start_position().row + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    #[test]
    fn values_are_literals_and_nothing_else() {
        let module = read(
            b"\xef\xbb\xbf\"\"\"create users\r\n\r\nRevision ID: a1\r\n\"\"\"\r\nfrom alembic import op\r\n\
              revision: str = 'a1'\r\ndown_revision = (\r\n    'b2',  # first\r\n    \"c3\",\r\n)\r\n\
              branch_labels = None\r\ndepends_on: str\r\nraw = r'\\d'\r\njoined = 'a' 'b'\r\nescaped = 'it\\'s'\r\n\
              made = make('x')\r\nformatted = f'{x}'\r\nread = b'x'\r\nhexed = '\\x41'\r\nadded = 'a'\r\nadded += 'b'\r\n\
              if True:\r\n    hidden = 'x'\r\ndef upgrade():\r\n    inner = 'x'\r\n",
        );
        let expected = [
            ("added", Value::Unknown),
            ("branch_labels", Value::None),
            ("down_revision", Value::List(vec![text("b2"), text("c3")])),
            ("escaped", text("it's")),
            ("formatted", Value::Unknown),
            ("hexed", Value::Unknown),
            ("joined", text("ab")),
            ("made", Value::Unknown),
            ("raw", text("\\d")),
            ("read", Value::Unknown),
            ("revision", text("a1")),
        ];
        let names: Vec<(&str, Value)> =
            module.names.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
        assert_eq!(names, expected);
        assert!(module.docstring.unwrap().starts_with("create users"));
        assert_eq!(module.broken, None);
    }

    #[test]
    fn classes_have_names_of_their_own() {
        let module = read(
            b"class Migration(migrations.Migration):\n    atomic = False\n    dependencies = [('shop', '0001'), other()]\n\
              \n    def f(self):\n        x = 1\n",
        );
        let names = &module.classes["Migration"];
        assert_eq!(names["atomic"], Value::Boolean(false));
        let pair = Value::List(vec![text("shop"), text("0001")]);
        assert_eq!(names["dependencies"], Value::List(vec![pair, Value::Unknown]));
        assert_eq!(names.len(), 2);
    }

    #[test]
    fn bodies_of_functions_are_told_apart() {
        for (body, expected) in [
            ("pass", Body::Empty),
            ("\"\"\"nothing\"\"\"\n    ...", Body::Empty),
            ("# later\n    return", Body::Empty),
            ("return None", Body::Empty),
            ("raise NotImplementedError", Body::Raises { says: false }),
            ("raise NotImplementedError()", Body::Raises { says: false }),
            ("raise RuntimeError('the rows are gone')", Body::Raises { says: true }),
            ("op.drop_table('a')", Body::Does),
            ("pass\n    op.drop_table('a')", Body::Does),
        ] {
            let module = read(format!("x = 1\n\ndef downgrade() -> None:\n    {body}\n").as_bytes());
            assert_eq!(module.functions["downgrade"], Function { line: 3, body: expected }, "{body}");
        }
        assert!(read(b"class A:\n    def downgrade(self):\n        pass\n").functions.is_empty());
    }

    #[test]
    fn what_is_not_python_is_told_with_its_line_and_hides_nothing() {
        let module = read(b"revision = 'a'\n\ndef upgrade(:\n    pass\n");
        assert_eq!(module.broken, Some(3));
        assert_eq!(module.names.get("revision"), Some(&text("a")));
        assert_eq!(read(b"").broken, None);
        let deep = format!("revision = {}{}", "[".repeat(5000), "]".repeat(5000));
        assert!(read(deep.as_bytes()).names.contains_key("revision"));
        read(&[0xff, 0x00, b'\'', b'(']);
    }
}
