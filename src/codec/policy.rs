//! The policy of a log: its witnesses, and how many of them have to cosign (C2SP tlog-policy).

use std::collections::{HashMap, HashSet};

use super::vkey::{NoteAlgorithm, Vkey, VkeyError};

/// Larger policies are refused.
pub const POLICY_LIMIT: usize = 1 << 20;
/// Logs, witnesses and groups, each; the specification asks for at least 32.
const COUNT_LIMIT: usize = 256;

/// A log that a policy names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyLog {
    pub vkey: Vkey,
    pub url: Option<String>,
}

/// A witness that a policy names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyWitness {
    /// What the policy calls it; its key may have another name.
    pub name: String,
    pub vkey: Vkey,
    pub url: Option<String>,
}

/// What counts once enough of its members do.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Member {
    Witness(usize),
    Group { needed: usize, members: Vec<usize> },
}

/// A policy; the default one asks for nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    pub logs: Vec<PolicyLog>,
    pub witnesses: Vec<PolicyWitness>,
    /// Witnesses and groups in the order in which they are defined, each after its members.
    members: Vec<Member>,
    /// The one that has to count.
    quorum: Option<usize>,
}

/// Why a text is not a policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the policy: {reason}")]
pub struct PolicyError {
    /// From 1; the last line for what is missing.
    pub line: usize,
    pub reason: PolicyReason,
}

/// What is wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyReason {
    #[error("the policy has more than {POLICY_LIMIT} bytes")]
    TooLarge,
    #[error("it holds a control character")]
    Control,
    #[error("a line begins with `log`, `witness`, `group` or `quorum`")]
    Keyword,
    #[error("write `{0}`")]
    Shape(&'static str),
    #[error(transparent)]
    Vkey(#[from] VkeyError),
    #[error("a key of this type does not sign for a {0}")]
    KeyType(&'static str),
    #[error("this key is there already, whatever its name")]
    DuplicateKey,
    #[error("the name `{0}` is taken")]
    NameTaken(String),
    #[error("`{0}` is not defined on a line before")]
    Undefined(String),
    #[error("`{0}` is a member already: each name counts in one place")]
    MemberTwice(String),
    #[error("a group needs `all`, `any` or a number from 1 to that of its members, {0}")]
    Count(usize),
    #[error("more than {COUNT_LIMIT} {0}")]
    TooMany(&'static str),
    #[error("there is one quorum line, and this is the second")]
    SecondQuorum,
    #[error("there is no line `quorum NAME`, or `quorum none`")]
    NoQuorum,
}

impl Policy {
    /// Reads a policy, which has a quorum line.
    ///
    /// # Errors
    /// [`PolicyError`].
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        if text.len() > POLICY_LIMIT {
            return Err(PolicyError { line: 1, reason: PolicyReason::TooLarge });
        }
        let mut reader = Reader::default();
        let mut last = 1;
        for (index, line) in text.split('\n').enumerate() {
            last = index + 1;
            reader.read(line).map_err(|reason| PolicyError { line: last, reason })?;
        }
        match reader.quorum {
            None => Err(PolicyError { line: last, reason: PolicyReason::NoQuorum }),
            Some(quorum) => Ok(Self { quorum, ..reader.policy }),
        }
    }

    /// Reads the policy of a trust document, where an empty one asks for nothing (FORMAT §7).
    ///
    /// # Errors
    /// [`PolicyError`].
    pub fn of_trust(text: &str) -> Result<Self, PolicyError> {
        if text.trim().is_empty() { Ok(Self::default()) } else { Self::parse(text) }
    }

    /// Whether any cosignature is asked for.
    #[must_use]
    pub const fn asks(&self) -> bool {
        self.quorum.is_some()
    }

    /// Whether it is met when these witnesses cosigned; `cosigned` is asked by their place in the list.
    #[must_use]
    pub fn is_met(&self, cosigned: impl Fn(usize) -> bool) -> bool {
        let Some(quorum) = self.quorum else { return true };
        let mut counts: Vec<bool> = Vec::with_capacity(self.members.len());
        for member in &self.members {
            counts.push(match member {
                Member::Witness(place) => cosigned(*place),
                Member::Group { needed, members } => {
                    members.iter().filter(|member| counts[**member]).count() >= *needed
                }
            });
        }
        counts[quorum]
    }
}

/// What was read so far.
#[derive(Default)]
struct Reader {
    policy: Policy,
    /// The quorum line: `Some(None)` asks for nothing.
    quorum: Option<Option<usize>>,
    names: HashMap<String, usize>,
    /// Names that are members of a group.
    taken: HashSet<usize>,
}

impl Reader {
    fn read(&mut self, line: &str) -> Result<(), PolicyReason> {
        if line.bytes().any(|byte| byte == 0x7f || byte < 0x20 && byte != b'\t') {
            return Err(PolicyReason::Control);
        }
        let words: Vec<&str> = line.split([' ', '\t']).filter(|word| !word.is_empty()).collect();
        match words.as_slice() {
            [] => Ok(()),
            [first, ..] if first.starts_with('#') => Ok(()),
            ["log", vkey] => self.log(vkey, None),
            ["log", vkey, url] => self.log(vkey, Some(url)),
            ["log", ..] => Err(PolicyReason::Shape("log VKEY [URL]")),
            ["witness", name, vkey] => self.witness(name, vkey, None),
            ["witness", name, vkey, url] => self.witness(name, vkey, Some(url)),
            ["witness", ..] => Err(PolicyReason::Shape("witness NAME VKEY [URL]")),
            ["group", name, needed, members @ ..] if !members.is_empty() => self.group(name, needed, members),
            ["group", ..] => Err(PolicyReason::Shape("group NAME all|any|NUMBER MEMBER…")),
            ["quorum", name] => self.set_quorum(name),
            ["quorum", ..] => Err(PolicyReason::Shape("quorum NAME")),
            _ => Err(PolicyReason::Keyword),
        }
    }

    fn log(&mut self, vkey: &str, url: Option<&&str>) -> Result<(), PolicyReason> {
        let vkey: Vkey = vkey.parse()?;
        if !NoteAlgorithm::OF_LOGS.contains(&vkey.algorithm()) {
            return Err(PolicyReason::KeyType("log"));
        }
        let logs = &mut self.policy.logs;
        require_new(&vkey, logs.iter().map(|log| &log.vkey), logs.len(), "logs")?;
        logs.push(PolicyLog { vkey, url: url.map(|url| (*url).to_owned()) });
        Ok(())
    }

    fn witness(&mut self, name: &str, vkey: &str, url: Option<&&str>) -> Result<(), PolicyReason> {
        let vkey: Vkey = vkey.parse()?;
        if !NoteAlgorithm::of_witnesses(1).contains(&vkey.algorithm()) {
            return Err(PolicyReason::KeyType("witness"));
        }
        let witnesses = &self.policy.witnesses;
        let place = witnesses.len();
        require_new(&vkey, witnesses.iter().map(|witness| &witness.vkey), place, "witnesses")?;
        self.define(name, Member::Witness(place))?;
        let (name, url) = (name.to_owned(), url.map(|url| (*url).to_owned()));
        self.policy.witnesses.push(PolicyWitness { name, vkey, url });
        Ok(())
    }

    fn group(&mut self, name: &str, needed: &str, members: &[&str]) -> Result<(), PolicyReason> {
        if self.policy.members.len() >= self.policy.witnesses.len() + COUNT_LIMIT {
            return Err(PolicyReason::TooMany("groups"));
        }
        let mut places = Vec::with_capacity(members.len());
        for member in members {
            let place =
                *self.names.get(*member).ok_or_else(|| PolicyReason::Undefined((*member).to_owned()))?;
            if !self.taken.insert(place) {
                return Err(PolicyReason::MemberTwice((*member).to_owned()));
            }
            places.push(place);
        }
        let count = places.len();
        let needed = match needed {
            "all" => count,
            "any" => 1,
            number if number.bytes().all(|byte| byte.is_ascii_digit()) => {
                number.parse().map_err(|_| PolicyReason::Count(count))?
            }
            _ => return Err(PolicyReason::Count(count)),
        };
        if !(1..=count).contains(&needed) {
            return Err(PolicyReason::Count(count));
        }
        self.define(name, Member::Group { needed, members: places })
    }

    fn define(&mut self, name: &str, member: Member) -> Result<(), PolicyReason> {
        if name == "none" || self.names.contains_key(name) {
            return Err(PolicyReason::NameTaken(name.to_owned()));
        }
        self.names.insert(name.to_owned(), self.policy.members.len());
        self.policy.members.push(member);
        Ok(())
    }

    fn set_quorum(&mut self, name: &str) -> Result<(), PolicyReason> {
        if self.quorum.is_some() {
            return Err(PolicyReason::SecondQuorum);
        }
        let place = self.names.get(name).copied();
        self.quorum = match (name, place) {
            ("none", _) => Some(None),
            (_, Some(place)) => Some(Some(place)),
            (name, None) => return Err(PolicyReason::Undefined(name.to_owned())),
        };
        Ok(())
    }
}

fn require_new<'a>(
    vkey: &Vkey,
    mut others: impl Iterator<Item = &'a Vkey>,
    count: usize,
    what: &'static str,
) -> Result<(), PolicyReason> {
    if count >= COUNT_LIMIT {
        return Err(PolicyReason::TooMany(what));
    }
    let known = others.any(|other| other.key_bytes() == vkey.key_bytes());
    if known { Err(PolicyReason::DuplicateKey) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::PrivateKey;

    fn vkey(name: &str, seed: u8) -> Vkey {
        Vkey::cosignature(name, *PrivateKey::from_seed(&[seed; 32]).public()).unwrap()
    }

    /// The example of the specification, with keys.
    fn example() -> String {
        let witnesses: String = ["X1", "X2", "X3", "Y1", "Y2", "Y3"]
            .iter()
            .zip(1..)
            .map(|(name, seed)| format!("witness {name}\t{} https://{name}.example/\n", vkey(name, seed)))
            .collect();
        format!(
            "# a comment\n\n{witnesses}group X-witnesses 2 X1 X2 X3\n  group Y-witnesses any Y1 Y2 Y3 \n\
             group X-and-Y all X-witnesses Y-witnesses\nquorum X-and-Y\n"
        )
    }

    #[test]
    fn the_example_of_the_specification_is_met_by_those_whom_it_says() {
        let policy = Policy::parse(&example()).unwrap();
        let met = |cosigned: &[&str]| {
            policy.is_met(|place| cosigned.contains(&policy.witnesses[place].name.as_str()))
        };
        assert!(policy.asks() && met(&["X1", "X3", "Y2"]) && met(&["X1", "X2", "X3", "Y1", "Y2", "Y3"]));
        assert!(!met(&["X1", "Y1", "Y2", "Y3"]) && !met(&["X1", "X2", "X3"]) && !met(&[]));
        assert_eq!(policy.witnesses[0].url.as_deref(), Some("https://X1.example/"));
    }

    #[test]
    fn none_asks_for_nothing_and_so_does_an_empty_policy_of_a_trust_document() {
        let none = Policy::parse(&format!("witness a {}\nquorum none", vkey("a", 1))).unwrap();
        assert!(!none.asks() && none.is_met(|_| false) && none.witnesses.len() == 1);
        assert_eq!(Policy::of_trust(" \n"), Ok(Policy::default()));
        assert!(Policy::parse("").is_err());
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        let (a, other) = (vkey("a", 1), vkey("b", 1));
        let log = Vkey::ed25519("log", *PrivateKey::from_seed(&[9; 32]).public());
        for (text, line, reason) in [
            (format!("witness a {a}\nwitness b {other}\nquorum a"), 2, PolicyReason::DuplicateKey),
            (format!("log {log}\nlog {log}\nquorum none"), 2, PolicyReason::DuplicateKey),
            (format!("witness a {a}\ngroup a all a\nquorum a"), 2, PolicyReason::NameTaken("a".into())),
            (format!("witness none {a}\nquorum none"), 1, PolicyReason::NameTaken("none".into())),
            (format!("witness a {a}\n\ngroup g all a a\nquorum g"), 3, PolicyReason::MemberTwice("a".into())),
            (
                format!("witness a {a}\ngroup g all a\ngroup h all a\nquorum h"),
                3,
                PolicyReason::MemberTwice("a".into()),
            ),
            (format!("witness a {a}\ngroup g 2 a\nquorum g"), 2, PolicyReason::Count(1)),
            (format!("witness a {a}\ngroup g 0 a\nquorum g"), 2, PolicyReason::Count(1)),
            (format!("witness a {a}\ngroup g +1 a\nquorum g"), 2, PolicyReason::Count(1)),
            (format!("witness a {a}\ngroup g most a\nquorum g"), 2, PolicyReason::Count(1)),
            ("group g all a\nquorum g".to_owned(), 1, PolicyReason::Undefined("a".into())),
            (format!("quorum a\nwitness a {a}"), 1, PolicyReason::Undefined("a".into())),
            ("group g any none\nquorum g".to_owned(), 1, PolicyReason::Undefined("none".into())),
            ("quorum none\nquorum none".to_owned(), 2, PolicyReason::SecondQuorum),
            ("# only a remark\n".to_owned(), 2, PolicyReason::NoQuorum),
            ("quorum none\r\n".to_owned(), 1, PolicyReason::Control),
            ("qourum none".to_owned(), 1, PolicyReason::Keyword),
            ("witness a".to_owned(), 1, PolicyReason::Shape("witness NAME VKEY [URL]")),
            (format!("witness a {log}\nquorum a"), 1, PolicyReason::KeyType("witness")),
            (format!("log {a}\nquorum none"), 1, PolicyReason::KeyType("log")),
            ("log x+y+z\nquorum none".to_owned(), 1, PolicyReason::Vkey(VkeyError::Shape)),
        ] {
            assert_eq!(Policy::parse(&text), Err(PolicyError { line, reason }), "{text}");
        }
    }

    #[test]
    fn a_large_policy_is_read_and_a_larger_one_is_not() {
        let of = |count: usize| {
            let key = |n: usize| {
                let seed = [(n % 256) as u8, (n / 256) as u8].repeat(16).try_into().unwrap();
                Vkey::cosignature("w", *PrivateKey::from_seed(&seed).public()).unwrap()
            };
            let witnesses: String = (0..count).map(|n| format!("witness w{n} {}\n", key(n))).collect();
            let groups: String = (0..count).map(|n| format!("group g{n} any w{n}\n")).collect();
            let names: String = (0..count).map(|n| format!(" g{n}")).collect();
            Policy::parse(&format!("{witnesses}{groups}group all {}{names}\nquorum all\n", count / 2))
        };
        assert!(of(32).unwrap().is_met(|place| place < 16));
        assert!(!of(32).unwrap().is_met(|place| place < 15));
        assert!(of(255).is_ok());
        assert_eq!(of(300).unwrap_err().reason, PolicyReason::TooMany("witnesses"));
    }
}
