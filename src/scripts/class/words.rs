//! Looks over the tokens of a statement, also of a body in it, in a form that all dialects share.

use super::changes::Changes;
use super::context::{Context, Owner};
use super::label::{holds_secret, is_format, is_label, is_prose, is_round, is_telling_comment, names_secret};
use super::literal::{Literal, quoted_name};
use super::settings::is_shared_account;
use crate::scripts::Dialect;
use crate::scripts::meaning::Meaning;
use crate::scripts::reserved::{is_example_password, is_reserved_host, is_stand_in};
use crate::scripts::statement::{is_one_of, tokens};

/// Bodies in bodies that are looked into.
const DEPTH: usize = 4;
/// Digits of a number that may name a person or an account.
const LONG_NUMBER: usize = 9;
/// The same in a query or a body, which no bound or size explains.
const LONG_IN_QUERY: usize = 8;
/// Digits of a bound that are a person's rather than a time or a limit.
const OF_SOMEBODY: std::ops::RangeInclusive<usize> = 13..=15;

/// What was met somewhere in a statement.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Literals that are no body.
    pub(super) literals: usize,
    /// Those among them that are plain labels.
    pub(super) labels: usize,
    /// Those that are labels or prose.
    pub(super) prose: usize,
    /// Those that are units and formats, which choose no row.
    pub(super) formats: usize,
    pub(super) long_numbers: usize,
    /// Numbers that only a query or a body makes suspect.
    pub(super) numbers: usize,
    /// Names and accounts that may be somebody's.
    pub(super) people: usize,
    /// Rows are inserted, changed or deleted.
    pub(super) changes_rows: bool,
    /// Accounts, passwords, connection strings.
    pub(super) credentials: bool,
    /// A query is part of it.
    pub(super) queries: bool,
    /// Text is put in before it runs.
    pub(super) templated: bool,
    /// A literal or a parenthesis does not end, or one ends that did not begin.
    pub(super) incomplete: bool,
}

/// Looks over one statement.
pub(super) fn look(dialect: Dialect, statement: &str) -> Found {
    let mut found = Found { templated: is_templated(statement), ..Found::default() };
    look_into(dialect, statement, 0, &mut found);
    found
}

fn is_templated(statement: &str) -> bool {
    let pairs: [&[u8; 2]; 6] = [b"{{", b"{%", b"${", b"%(", b"<%", b"#{"];
    statement.as_bytes().windows(2).any(|window| pairs.iter().any(|pair| window == *pair))
}

/// One text whose tokens are looked at, in order.
struct Look<'a> {
    dialect: Dialect,
    depth: usize,
    /// The four tokens before this one.
    before: [&'a str; 4],
    /// The two behind this one.
    next: [&'a str; 2],
    context: Context<'a>,
}

fn look_into(dialect: Dialect, text: &str, depth: usize, found: &mut Found) {
    let ranges = tokens(dialect, text);
    let token_at = |at: usize| ranges.get(at).and_then(|range| text.get(range.clone())).unwrap_or_default();
    let mut look = Look { dialect, depth, before: [""; 4], next: [""; 2], context: Context::default() };
    let mut changes = Changes::default();
    let (mut open, mut end) = (0_i64, 0);
    for at in 0..ranges.len() {
        let token = token_at(at);
        let ahead = ranges.get(at).map_or(end, |range| range.start);
        found.people += usize::from(text.get(end..ahead).is_some_and(is_telling_comment));
        end = ranges.get(at).map_or(end, |range| range.end);
        look.next = [token_at(at + 1), token_at(at + 2)];
        match token.as_bytes().first() {
            Some(b'(') => open += 1,
            Some(b')') => open -= 1,
            _ => {}
        }
        found.incomplete |= open < 0;
        found.changes_rows |= changes.take(token, &look.before, look.next[0]);
        look.take(token, found);
        look.context.take(token);
        look.before = [look.before[1], look.before[2], look.before[3], token];
    }
    found.incomplete |= open != 0;
}

impl Look<'_> {
    fn take(&self, token: &str, found: &mut Found) {
        let last = self.before[3];
        // `AS "name"` is no text in MySQL either.
        let named = token.starts_with('"') && is_one_of(last, &["AS"]);
        if let Some(literal) =
            Literal::of(self.dialect, token, last).filter(|literal| !named || !literal.ends)
        {
            return self.literal(&literal, found);
        }
        if token.starts_with(|c: char| c.is_ascii_digit()) {
            return self.number(token, found);
        }
        if let Some(name) = quoted_name(token) {
            // SQLite takes what is no name for a text.
            let is_text = self.dialect == Dialect::Sqlite && is_one_of(last, &["DEFAULT"]);
            found.people += usize::from(!is_plain_name(name));
            if is_text {
                self.count(name, false, found);
            }
        } else if self.dialect == Dialect::Sqlite && is_one_of(last, &["DEFAULT"]) && self.next[0] != "(" {
            let known = [
                "NULL",
                "TRUE",
                "FALSE",
                "CURRENT_TIMESTAMP",
                "CURRENT_DATE",
                "CURRENT_TIME",
                "VALUES",
                "AS",
                "CHARSET",
                "CHARACTER",
                "COLLATE",
                "NOT",
            ];
            let bare = token.starts_with(|c: char| c.is_alphabetic());
            found.people += usize::from(bare && !is_one_of(token, &known) && self.next[0] != ".");
        }
        found.queries |= is_one_of(token, &["SELECT", "VALUES"]) && !is_one_of(last, &["FOR", "TABLE"]);
        found.queries &= !is_partition(token, last);
        found.credentials |= self.is_credential_word(token);
        let account = is_one_of(last, &["AUTHORIZATION"])
            || is_one_of(last, &["TO"]) && is_one_of(self.before[2], &["OWNER"])
            || last == "=" && is_one_of(self.before[2], &["DEFINER"]);
        found.people += usize::from(account && !is_shared_account(token));
    }

    fn is_credential_word(&self, token: &str) -> bool {
        let last = self.before[3];
        is_one_of(last, &["IDENTIFIED"]) && is_one_of(token, &["BY", "WITH", "VIA", "AS"])
            || is_one_of(last, &["PRAGMA"]) && is_one_of(token, &["KEY", "REKEY", "HEXKEY", "HEXREKEY"])
            || is_one_of(last, &["SET"]) && token.eq_ignore_ascii_case("PASSWORD")
    }

    fn literal(&self, literal: &Literal<'_>, found: &mut Found) {
        let last = self.before[3];
        let body = is_one_of(last, &["AS", "DO"]);
        found.incomplete |= !literal.ends;
        found.credentials |= self.is_credential(literal.inside);
        if literal.dollars && (body || self.depth > 0) && self.depth < DEPTH {
            look_into(self.dialect, literal.inside, self.depth + 1, found);
            if body {
                return;
            }
        }
        if self.depth == 0 && !literal.dollars && literal.inside.len() > 20 && body {
            // A body in plain quotes; its own quotes are doubled.
            look_into(self.dialect, &literal.inside.replace("''", "'"), DEPTH, found);
        }
        // Put together from pieces, of which each alone may look like a label.
        let pieces = last.starts_with('|') && self.before.iter().any(|token| is_text(token));
        self.count(literal.inside, literal.escaped || pieces, found);
    }

    /// Counts a literal as what it is.
    fn count(&self, inside: &str, hidden: bool, found: &mut Found) {
        found.literals += 1;
        let told =
            hidden || self.context.owner().or_else(|| self.alias()).is_some_and(|owner| tells(owner, inside));
        if told {
            return;
        }
        let (label, prose) = (is_label(inside), is_prose(inside));
        let last = self.before[3];
        let commented =
            is_one_of(last, &["COMMENT"]) || last == "=" && is_one_of(self.before[2], &["COMMENT"]);
        found.labels += usize::from(label || commented && prose);
        found.prose += usize::from(label || prose);
        found.formats += usize::from(is_format(inside));
    }

    fn number(&self, token: &str, found: &mut Found) {
        let digits: String = match token.strip_prefix("0x").or_else(|| token.strip_prefix("0X")) {
            Some(rest) => rest.chars().filter(char::is_ascii_hexdigit).collect(),
            // What stands behind the point is no number of anybody.
            None if self.before[3] == "." => return,
            None => {
                token.split('.').next().unwrap_or_default().chars().filter(char::is_ascii_digit).collect()
            }
        };
        let of_somebody =
            self.context.owner().is_some_and(|owner| is_number_of(owner.meaning) && digits.len() > 2);
        let grouped = token.contains('_')
            && token.split('_').skip(1).any(|group| group.len() != 3)
            && digits.len() >= 6;
        let called = self.alias().is_some_and(|owner| is_number_of(owner.meaning) && digits.len() > 2);
        if of_somebody || grouped || called {
            found.long_numbers += 1;
        } else if !is_size(&digits) && (OF_SOMEBODY.contains(&digits.len()) || !self.is_bound()) {
            let day = digits.len() == 8 && (digits.starts_with("19") || digits.starts_with("20"));
            found.long_numbers +=
                usize::from(digits.len() >= LONG_NUMBER || day && self.context.owner().is_some());
            found.numbers += usize::from(digits.len() >= LONG_IN_QUERY);
        }
    }

    /// What a value is called behind `AS`: `482 AS cvv`.
    fn alias(&self) -> Option<Owner> {
        let name = quoted_name(self.next[1]).unwrap_or(self.next[1]);
        let meaning = is_one_of(self.next[0], &["AS"]).then(|| Meaning::of(name.as_bytes()))??;
        Some(Owner { meaning, given: true })
    }

    /// Behind words that bound a sequence, a partition or a range.
    fn is_bound(&self) -> bool {
        let last = self.before[3];
        const WORDS: [&str; 8] =
            ["START", "INCREMENT", "MINVALUE", "MAXVALUE", "CACHE", "LIMIT", "BETWEEN", "RESTART"];
        const BEFORE: [&str; 8] =
            ["START", "INCREMENT", "AUTO_INCREMENT", "THAN", "FROM", "TO", "RESTART", "USER_VERSION"];
        is_one_of(last, &WORDS)
            || (matches!(last, "=" | "(") || is_one_of(last, &["WITH", "BY"]))
                && is_one_of(self.before[2], &BEFORE)
            || is_one_of(last, &["AND"]) && is_one_of(self.before[1], &["BETWEEN"])
    }

    /// A literal that is a password by what stands before it, or an address with one in it.
    fn is_credential(&self, inside: &str) -> bool {
        let [_, _, before, last] = self.before;
        let named = |word: &str| is_one_of(word, &["PASSWORD", "CONNECTION", "PASSPHRASE"]);
        let option = |word: &str| matches!(word, "pass" | "token" | "secret" | "api_key" | "passwd" | "pwd");
        let announced = named(last)
            || last == "=" && named(before)
            || option(&last.to_ascii_lowercase())
            || is_one_of(last, &["KEY"]) && is_one_of(self.before[1], &["AS"])
            || last == "(" && before.to_ascii_uppercase().ends_with("PASSWORD");
        let owned = self
            .context
            .owner()
            .or_else(|| self.alias())
            .is_some_and(|owner| owner.given && owner.meaning == Meaning::Secret && tells(owner, inside));
        announced && !inside.is_empty()
            || owned
            || self.context.in_cipher() && !is_algorithm(inside) && !inside.is_empty()
            || is_address_with_password(inside)
            || holds_secret(inside) && !inside.contains("://")
    }
}

/// Whether a literal is more than a stand-in for a value of that meaning.
fn tells(owner: Owner, inside: &str) -> bool {
    const NOTHING: [&str; 14] = [
        "n/a",
        "na",
        "-",
        "0",
        "1",
        "default",
        "test",
        "inconnu",
        "anonyme",
        "anonymous",
        "guest",
        "sans nom",
        "aucun",
        "unknown",
    ];
    let text = inside.trim().trim_matches(['{', '}', '"']);
    let digits = text.chars().filter(|sign| sign.is_numeric()).count();
    let zeros = text.chars().all(|sign| !sign.is_alphanumeric() || sign == '0');
    let pattern = text.contains(['%', '^', '$', '\\', '[']) && !text.starts_with("$2");
    if text.is_empty()
        || is_stand_in(text)
        || zeros
        || NOTHING.iter().any(|word| text.eq_ignore_ascii_case(word))
    {
        return false;
    }
    match owner.meaning {
        Meaning::Secret if is_algorithm(text) => false,
        Meaning::Secret | Meaning::Name => !pattern && text.chars().any(char::is_alphanumeric),
        Meaning::Birth => digits >= 4 && !(text.ends_with("-01-01") || text.ends_with("-12-31")),
        Meaning::Phone => digits > 4 && !pattern,
        Meaning::Mail => !pattern && !text.rsplit('@').next().is_some_and(is_reserved_host),
        Meaning::Cvv => digits > 2 && !pattern,
        Meaning::Ip => digits > 3 && !pattern && !is_reserved_host(text.split('/').next().unwrap_or(text)),
        Meaning::Nir | Meaning::Ine | Meaning::Iban | Meaning::Card => digits > 4 && !pattern,
    }
}

/// Meanings whose bare numbers tell of somebody.
fn is_number_of(meaning: Meaning) -> bool {
    !matches!(meaning, Meaning::Name | Meaning::Mail | Meaning::Ip)
}

/// Zeros behind few digits, limits of the types of numbers, whole hours.
fn is_size(digits: &str) -> bool {
    is_round(digits)
        || digits.parse::<u128>().is_ok_and(|number| {
            number.is_power_of_two()
                || (number + 1).is_power_of_two()
                || number % 3_600 == 0 && digits.len() < 9
        })
}

/// A name in quotes that is one, not a text or an address.
fn is_plain_name(name: &str) -> bool {
    !name.contains('@')
        && !name.contains("://")
        && (!name.contains(char::is_whitespace) || is_label(name) && !names_secret(name))
}

fn is_text(token: &str) -> bool {
    token.starts_with(['\'', '$']) || token.ends_with('\'')
}

fn is_algorithm(text: &str) -> bool {
    const KNOWN: [&str; 15] = [
        "aes",
        "aes-cbc",
        "aes-ecb",
        "aes-cbc/pad:pkcs",
        "bf",
        "md5",
        "des",
        "xdes",
        "sha1",
        "sha224",
        "sha256",
        "sha384",
        "sha512",
        "hex",
        "base64",
    ];
    KNOWN.iter().any(|known| text.eq_ignore_ascii_case(known))
        || text.contains("cipher-algo")
        || text.contains("compress-algo")
}

/// `scheme://user:password@host`, where neither is one of documentation.
fn is_address_with_password(inside: &str) -> bool {
    inside.split_once("://").is_some_and(|(_, rest)| {
        let place = rest.split('/').next().unwrap_or_default();
        place.rsplit_once('@').is_some_and(|(account, host)| {
            account.split_once(':').is_some_and(|(_, password)| {
                let example = is_reserved_host(host) && is_example_password(password);
                !example && !password.is_empty()
            })
        })
    })
}

/// `VALUES LESS THAN` and `VALUES IN` bound a partition.
fn is_partition(token: &str, last: &str) -> bool {
    last.eq_ignore_ascii_case("VALUES") && is_one_of(token, &["LESS", "IN"])
}
