//! What a rule can ask for: a closed set of checks, each with its parameters, and which of two is the stricter.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;

use super::members::{Members, Why, not_one_of};
use crate::privacy::built_in;

/// Who decides whether a rule is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Who {
    /// This program, from facts.
    Tool,
    /// People, who say so with a date.
    Attestation,
}

impl Who {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tool => "tool",
            Self::Attestation => "attestation",
        }
    }
}

impl fmt::Display for Who {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// A kind of check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Before rows of some tables are lost, somebody attests that they may be.
    LossAttested,
    /// So many people approved.
    Approvals,
    /// The script says why, and what it does.
    ReasonRequired,
    /// No script makes such columns.
    ColumnsForbidden,
    /// No script holds such values.
    LiteralsForbidden,
    /// Such columns are declared to hold nothing that can be read.
    ColumnsDeclared,
    /// Settings say which tables are of a class.
    TablesClassed,
    /// Each replica lies where it may.
    ReplicasDeclared,
    /// Nobody but the owners can fetch from a replica.
    NoPublicSwarm,
    /// The access chain is kept for so long.
    AccessChainKept,
    /// The chain and the logs beside it are kept for so long.
    LogKept,
    /// The clock is right to so much.
    ClockOffset,
    /// Somebody looked through the chain in the last days.
    DailyReview,
    /// What rules say is there in these languages.
    Languages,
    /// What no program can see.
    Statement,
}

/// How a parameter makes a check stricter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// A number; more is stricter.
    AtLeast,
    /// A number; less is stricter.
    AtMost,
    /// Words; each of them is asked for, so that more are stricter.
    All,
    /// Words; one of them is enough, so that fewer are stricter.
    AnyOf,
    /// Words that say where a check holds; none at all: everywhere, which is the strictest.
    Where,
}

/// A parameter of a check.
struct Parameter {
    name: &'static str,
    shape: Shape,
    needed: bool,
}

const fn needed(name: &'static str, shape: Shape) -> Parameter {
    Parameter { name, shape, needed: true }
}

const fn optional(name: &'static str, shape: Shape) -> Parameter {
    Parameter { name, shape, needed: false }
}

impl Kind {
    /// All kinds with their names in documents.
    pub const ALL: [(&'static str, Self); 15] = [
        ("loss-attested", Self::LossAttested),
        ("approvals", Self::Approvals),
        ("reason-required", Self::ReasonRequired),
        ("columns-forbidden", Self::ColumnsForbidden),
        ("literals-forbidden", Self::LiteralsForbidden),
        ("columns-declared", Self::ColumnsDeclared),
        ("tables-classed", Self::TablesClassed),
        ("replicas-declared", Self::ReplicasDeclared),
        ("no-public-swarm", Self::NoPublicSwarm),
        ("access-chain-kept", Self::AccessChainKept),
        ("log-kept", Self::LogKept),
        ("clock-offset", Self::ClockOffset),
        ("daily-review", Self::DailyReview),
        ("languages", Self::Languages),
        ("statement", Self::Statement),
    ];

    /// Its name in documents.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        Self::ALL.into_iter().find(|(_, kind)| *kind == self).map_or("", |(name, _)| name)
    }

    /// Who can decide it.
    #[must_use]
    pub const fn who(self) -> Who {
        match self {
            Self::LossAttested | Self::Statement => Who::Attestation,
            _ => Who::Tool,
        }
    }

    /// Whether it is asked about each script, rather than about the project.
    #[must_use]
    pub const fn is_of_script(self) -> bool {
        matches!(
            self,
            Self::LossAttested
                | Self::Approvals
                | Self::ReasonRequired
                | Self::ColumnsForbidden
                | Self::LiteralsForbidden
                | Self::ColumnsDeclared
        )
    }

    /// The names of the parameters of all kinds.
    pub fn parameter_names() -> impl Iterator<Item = &'static str> {
        Self::ALL.into_iter().flat_map(|(_, kind)| kind.parameters()).map(|parameter| parameter.name)
    }

    fn parameters(self) -> &'static [Parameter] {
        const LOSS: [Parameter; 1] = [needed("classes", Shape::All)];
        const APPROVALS: [Parameter; 2] =
            [needed("count", Shape::AtLeast), optional("classes", Shape::Where)];
        const REASON: [Parameter; 2] = [needed("parts", Shape::All), optional("classes", Shape::Where)];
        const LITERALS: [Parameter; 2] = [optional("classes", Shape::All), optional("findings", Shape::All)];
        const DECLARED: [Parameter; 2] = [needed("classes", Shape::All), needed("as", Shape::AnyOf)];
        const REGIONS: [Parameter; 1] = [needed("regions", Shape::AnyOf)];
        const MONTHS: [Parameter; 1] = [needed("months", Shape::AtLeast)];
        const OFFSET: [Parameter; 1] = [needed("milliseconds", Shape::AtMost)];
        const DAYS: [Parameter; 1] = [needed("days", Shape::AtMost)];
        const LANGUAGES: [Parameter; 1] = [needed("languages", Shape::All)];
        const STATEMENT: [Parameter; 1] = [optional("days", Shape::AtMost)];
        match self {
            Self::LossAttested | Self::ColumnsForbidden | Self::TablesClassed => &LOSS,
            Self::Approvals => &APPROVALS,
            Self::ReasonRequired => &REASON,
            Self::LiteralsForbidden => &LITERALS,
            Self::ColumnsDeclared => &DECLARED,
            Self::ReplicasDeclared => &REGIONS,
            Self::NoPublicSwarm => &[],
            Self::AccessChainKept | Self::LogKept => &MONTHS,
            Self::ClockOffset => &OFFSET,
            Self::DailyReview => &DAYS,
            Self::Languages => &LANGUAGES,
            Self::Statement => &STATEMENT,
        }
    }
}

/// Parts of a header that a reason is made of.
pub const PARTS: [&str; 3] = ["purpose", "impact", "rollback"];
/// How a number of a card may stand in a column without being read there.
pub const UNREADABLE: [&str; 4] = ["tokenised", "truncated", "hashed", "encrypted"];
/// Languages that rules are told in.
pub const LANGUAGES: [&str; 2] = ["en", "fr"];

/// A check with its parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    pub kind: Kind,
    numbers: BTreeMap<&'static str, u32>,
    words: BTreeMap<&'static str, BTreeSet<String>>,
}

impl Check {
    /// Reads the parameters of a kind.
    #[must_use]
    pub fn read(kind: Kind, members: &Members<'_>) -> Self {
        let mut check = Self { kind, numbers: BTreeMap::new(), words: BTreeMap::new() };
        for parameter in kind.parameters() {
            let name = parameter.name;
            if parameter.needed {
                members.require(name);
            }
            if matches!(parameter.shape, Shape::AtLeast | Shape::AtMost) {
                check.numbers.extend(members.number(name).map(|number| (name, number)));
            } else if let Some(words) = members.list(name) {
                if words.is_empty() && parameter.needed {
                    members.refuse_member(name, Why::Other("holds nothing".to_owned()));
                }
                words.iter().for_each(|word| require_known(name, word, members));
                check.words.insert(name, words.into_iter().collect());
            }
        }
        if kind == Kind::LiteralsForbidden && check.words.is_empty() {
            members.refuse_member("classes", Why::Missing);
        }
        check
    }

    /// A number among its parameters.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<u32> {
        self.numbers.get(name).copied()
    }

    /// Words among its parameters; none where it has no such.
    pub fn words(&self, name: &str) -> impl Iterator<Item = &str> {
        self.words.get(name).into_iter().flatten().map(String::as_str)
    }

    /// Whether a parameter has this word, or says nothing of where the check holds.
    #[must_use]
    pub fn holds_for(&self, classes: &BTreeSet<String>) -> bool {
        self.words.get("classes").is_none_or(|of| of.is_empty() || !of.is_disjoint(classes))
    }

    /// Its parameters as texts, in the order of documents.
    pub fn parameters(&self) -> impl Iterator<Item = (&'static str, String)> {
        let told = |parameter: &Parameter| Some((parameter.name, self.told(parameter.name)?));
        self.kind.parameters().iter().filter_map(told)
    }

    fn told(&self, name: &str) -> Option<String> {
        let number = self.numbers.get(name).map(u32::to_string);
        let words = || Some(self.words.get(name)?.iter().cloned().collect::<Vec<_>>().join(", "));
        number.or_else(words)
    }

    /// Compares two checks of one kind: greater is stricter; `None` where each is stricter in something.
    #[must_use]
    pub fn strictness(&self, other: &Self) -> Option<Ordering> {
        let each = self.kind.parameters().iter().map(|parameter| self.compare(other, parameter));
        each.into_iter().try_fold(Ordering::Equal, |so_far, next| both(so_far, next?))
    }

    fn compare(&self, other: &Self, parameter: &Parameter) -> Option<Ordering> {
        let name = parameter.name;
        let numbers = (self.numbers.get(name), other.numbers.get(name));
        let (own, theirs) = (self.words.get(name), other.words.get(name));
        match parameter.shape {
            Shape::AtLeast => Some(numbers.0.cmp(&numbers.1)),
            // Nothing said is no bound at all.
            Shape::AtMost => {
                let bound = |number: Option<&u32>| number.copied().unwrap_or(u32::MAX);
                Some(bound(numbers.1).cmp(&bound(numbers.0)))
            }
            Shape::All => of_sets(&own.cloned().unwrap_or_default(), &theirs.cloned().unwrap_or_default()),
            Shape::AnyOf => of_sets(&theirs.cloned().unwrap_or_default(), &own.cloned().unwrap_or_default()),
            Shape::Where => {
                let own = own.filter(|words| !words.is_empty());
                let theirs = theirs.filter(|words| !words.is_empty());
                match (own, theirs) {
                    (None, None) => Some(Ordering::Equal),
                    (None, Some(_)) => Some(Ordering::Greater),
                    (Some(_), None) => Some(Ordering::Less),
                    (Some(own), Some(theirs)) => of_sets(own, theirs),
                }
            }
        }
    }

    /// What asks for all that both ask for, and the names of the parameters in which they differ.
    #[must_use]
    pub fn stricter(&self, other: &Self) -> (Self, Vec<&'static str>) {
        let (mut merged, mut differ) = (self.clone(), Vec::new());
        for parameter in self.kind.parameters() {
            let name = parameter.name;
            match self.compare(other, parameter) {
                Some(Ordering::Equal) => continue,
                Some(Ordering::Greater) => {}
                Some(Ordering::Less) => {
                    merged.numbers.remove(name);
                    merged.words.remove(name);
                    merged.numbers.extend(other.numbers.get_key_value(name));
                    merged
                        .words
                        .extend(other.words.get_key_value(name).map(|(name, words)| (*name, words.clone())));
                }
                None => {
                    let sets = (self.words.get(name), other.words.get(name));
                    if let (Some(own), Some(theirs)) = sets {
                        let both: BTreeSet<String> = match parameter.shape {
                            Shape::AnyOf => own.intersection(theirs).cloned().collect(),
                            _ => own.union(theirs).cloned().collect(),
                        };
                        merged.words.insert(name, both);
                    }
                }
            }
            differ.push(name);
        }
        (merged, differ)
    }
}

/// Of two parameters, which check is the stricter in both.
fn both(one: Ordering, other: Ordering) -> Option<Ordering> {
    match (one, other) {
        (Ordering::Equal, other) => Some(other),
        (one, Ordering::Equal) => Some(one),
        (one, other) => (one == other).then_some(one),
    }
}

fn of_sets(one: &BTreeSet<String>, other: &BTreeSet<String>) -> Option<Ordering> {
    match (one.is_superset(other), other.is_superset(one)) {
        (true, true) => Some(Ordering::Equal),
        (true, false) => Some(Ordering::Greater),
        (false, true) => Some(Ordering::Less),
        (false, false) => None,
    }
}

/// Refuses a word that the parameter does not know. Classes are known once packs are put together.
fn require_known(name: &'static str, word: &str, members: &Members<'_>) {
    let known: Vec<String> = match name {
        "parts" => PARTS.map(str::to_owned).to_vec(),
        "as" => UNREADABLE.map(str::to_owned).to_vec(),
        "languages" => LANGUAGES.map(str::to_owned).to_vec(),
        "findings" => built_in().into_iter().map(|rule| rule.id.into_owned()).collect(),
        "regions" => {
            if !is_region(word) {
                let why =
                    "names a region that is neither `EEA` nor a country of two capital letters, such as `FR`";
                members.refuse_member(name, Why::Other(why.to_owned()));
            }
            return;
        }
        _ => return,
    };
    if !known.iter().any(|known| known == word) {
        members.refuse_member(name, not_one_of(word, known.iter().map(String::as_str)));
    }
}

/// Whether a text is a region as rules and replicas name it: `EEA`, or the two letters of a country (ISO 3166-1).
#[must_use]
pub fn is_region(text: &str) -> bool {
    text == "EEA" || text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_uppercase())
}

/// Whether a replica that lies in `region` lies within `allowed`.
#[must_use]
pub fn lies_in(region: &str, allowed: &str) -> bool {
    /// The Union's members, with Iceland, Liechtenstein and Norway.
    const EEA: [&str; 30] = [
        "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IS", "IT",
        "LI", "LT", "LU", "LV", "MT", "NL", "NO", "PL", "PT", "RO", "SE", "SI", "SK",
    ];
    region == allowed || allowed == "EEA" && EEA.contains(&region)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use toml::de::DeTable;

    use super::*;
    use crate::policy::packs::members::Faults;

    fn check(kind: Kind, text: &str) -> Check {
        let document = DeTable::parse(text).unwrap();
        let faults: Faults = RefCell::default();
        let check = Check::read(kind, &Members::of(document.get_ref(), String::new(), 0..0, &faults));
        assert_eq!(faults.into_inner(), []);
        check
    }

    #[test]
    fn the_stricter_of_two_is_told_by_each_parameter() {
        use Ordering::{Equal, Greater, Less};
        for (kind, one, other, expected) in [
            (Kind::Approvals, "count = 2", "count = 1", Some(Greater)),
            (Kind::Approvals, "count = 2", "count = 2\nclasses = ['grades']", Some(Greater)),
            (Kind::Approvals, "count = 1", "count = 2\nclasses = ['grades']", None),
            (Kind::LogKept, "months = 6", "months = 12", Some(Less)),
            (Kind::ClockOffset, "milliseconds = 500", "milliseconds = 1000", Some(Greater)),
            (Kind::ReplicasDeclared, "regions = ['FR']", "regions = ['FR', 'DE']", Some(Greater)),
            (Kind::ReplicasDeclared, "regions = ['FR']", "regions = ['DE']", None),
            (Kind::ReasonRequired, "parts = ['purpose']", "parts = ['purpose', 'impact']", Some(Less)),
            (Kind::Statement, "", "days = 365", Some(Less)),
            (Kind::NoPublicSwarm, "", "", Some(Equal)),
        ] {
            let (one, other) = (check(kind, one), check(kind, other));
            assert_eq!(one.strictness(&other), expected, "{one:?} {other:?}");
            assert_eq!(other.strictness(&one), expected.map(Ordering::reverse));
            let (merged, _) = one.stricter(&other);
            for part in [&one, &other] {
                assert!(matches!(merged.strictness(part), Some(Equal | Greater)), "{merged:?} {part:?}");
            }
        }
    }

    #[test]
    fn regions_are_countries_or_all_of_the_eea() {
        for (region, allowed, lies) in [
            ("FR", "EEA", true),
            ("NO", "EEA", true),
            ("EEA", "EEA", true),
            ("CH", "EEA", false),
            ("GB", "EEA", false),
            ("FR", "FR", true),
            ("EEA", "FR", false),
        ] {
            assert_eq!(lies_in(region, allowed), lies, "{region} {allowed}");
        }
        assert!(
            ["FR", "EEA"].into_iter().all(is_region) && !["fr", "FRA", "", "É"].into_iter().any(is_region)
        );
    }
}
