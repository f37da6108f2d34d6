//! Whose value stands at a place of a statement: that of a column, an option, or the other side of a comparison.

use super::literal::quoted_name;
use crate::scripts::meaning::Meaning;
use crate::scripts::statement::is_one_of;

/// Words that may stand before the name of a column.
const AHEAD: [&str; 12] = [
    "ADD", "ALTER", "MODIFY", "CHANGE", "COLUMN", "IF", "NOT", "EXISTS", "DOMAIN", "DECLARE", "ONLY", "TABLE",
];
/// Words that part one expression from the next.
const PARTS: [&str; 11] =
    ["AND", "OR", "WHERE", "CHECK", "CONSTRAINT", "REFERENCES", "COMMENT", "WHEN", "ON", "NULL", "CHARACTER"];
/// Functions that take a key or a passphrase.
const CIPHERS: [&str; 17] = [
    "CRYPT",
    "HMAC",
    "ENCRYPT",
    "DECRYPT",
    "ENCRYPT_IV",
    "DECRYPT_IV",
    "PGP_SYM_ENCRYPT",
    "PGP_SYM_DECRYPT",
    "PGP_SYM_ENCRYPT_BYTEA",
    "PGP_SYM_DECRYPT_BYTEA",
    "PGP_PUB_DECRYPT",
    "PGP_PUB_DECRYPT_BYTEA",
    "AES_ENCRYPT",
    "AES_DECRYPT",
    "DES_ENCRYPT",
    "DES_DECRYPT",
    "DBLINK_CONNECT",
];

/// A value and how sure it is that the name before it is its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Owner {
    pub(super) meaning: Meaning,
    /// A default or an assignment, rather than a comparison.
    pub(super) given: bool,
}

/// What was open when a parenthesis began.
#[derive(Debug, Clone, Copy)]
struct Level<'a> {
    column: &'a str,
    owner: Option<Owner>,
    cipher: bool,
}

/// Walks over the tokens of a statement.
#[derive(Debug, Default)]
pub(super) struct Context<'a> {
    levels: Vec<Level<'a>>,
    column: &'a str,
    owner: Option<Owner>,
    cipher: bool,
    /// The next name may be that of a column.
    expects: bool,
    last: &'a str,
}

impl<'a> Context<'a> {
    /// Whose value a literal or number here is.
    pub(super) fn owner(&self) -> Option<Owner> {
        self.owner
    }

    /// Whether arguments of a function stand here that takes a key.
    pub(super) fn in_cipher(&self) -> bool {
        self.cipher
    }

    pub(super) fn take(&mut self, token: &'a str) {
        let last = std::mem::replace(&mut self.last, token);
        match token {
            "(" => {
                self.levels.push(Level { column: self.column, owner: self.owner, cipher: self.cipher });
                self.cipher |= is_one_of(last, &CIPHERS);
                self.expects = true;
            }
            ")" => {
                let level = self.levels.pop();
                self.column = level.map_or("", |level| level.column);
                self.owner = level.and_then(|level| level.owner);
                self.cipher = level.is_some_and(|level| level.cipher);
                self.expects = false;
            }
            "," => {
                self.owner = self.levels.last().and_then(|level| level.owner);
                self.expects = true;
            }
            ";" => *self = Self { last: token, ..Self::default() },
            _ if is_operator(token) => {
                if !is_operator(last) && !matches!(token, ":" | "|") {
                    self.owner = owner(last, matches!(token, "=" | ":="));
                } else if last == ":" && token == "=" {
                    self.owner = owner(self.column, true).or(self.owner);
                } else if let Some(owner) = &mut self.owner {
                    // `<=`, `>=` and `!=` compare.
                    owner.given &= token == "=" && last == ":";
                }
            }
            _ if is_one_of(token, &["DEFAULT"]) => self.owner = owner(self.column, true),
            _ if is_one_of(token, &["IN", "LIKE", "ILIKE", "BETWEEN"]) => {
                self.owner = owner(last, false).or(self.owner);
            }
            _ if is_one_of(token, &PARTS) => self.owner = self.levels.last().and_then(|level| level.owner),
            _ if is_one_of(token, &AHEAD) => self.expects = true,
            _ => {
                if std::mem::take(&mut self.expects) {
                    self.column = token;
                }
            }
        }
    }
}

fn owner(name: &str, given: bool) -> Option<Owner> {
    let name = quoted_name(name).unwrap_or(name);
    Meaning::of(name.as_bytes()).map(|meaning| Owner { meaning, given })
}

fn is_operator(token: &str) -> bool {
    !token.is_empty() && token.bytes().all(|byte| b"=<>!:~|".contains(&byte))
}
