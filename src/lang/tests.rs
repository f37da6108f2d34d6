//! Every language says everything, with the same variables, and nothing is left over.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use fluent_syntax::ast::{Entry, Expression, InlineExpression, Pattern, PatternElement, Resource};
use fluent_syntax::parser::parse;

use super::numbers::{day, duration, grouped, moment, stamp};
use super::words::files;
use super::{Language, Value, Words};
use crate::model::Timestamp;
use crate::watch::Code;

/// Each message with its variables.
type Messages = BTreeMap<String, BTreeSet<String>>;

fn messages(file: &'static str) -> Messages {
    let resource: Resource<&str> = parse(file).unwrap_or_else(|(_, errors)| panic!("{errors:#?}"));
    let mut found = Messages::new();
    for entry in &resource.body {
        match entry {
            Entry::Message(message) => {
                let mut variables = BTreeSet::new();
                note(message.value.as_ref().expect("a message has a text"), &mut variables);
                assert!(message.attributes.is_empty(), "{}", message.id.name);
                let twice = found.insert(message.id.name.to_owned(), variables);
                assert!(twice.is_none(), "{} stands twice", message.id.name);
            }
            Entry::Comment(_) | Entry::GroupComment(_) | Entry::ResourceComment(_) => {}
            other => panic!("{other:?}"),
        }
    }
    found
}

fn note(pattern: &Pattern<&str>, variables: &mut BTreeSet<String>) {
    for element in &pattern.elements {
        let PatternElement::Placeable { expression } = element else { continue };
        match expression {
            Expression::Inline(inline) => note_inline(inline, variables),
            Expression::Select { selector, variants } => {
                note_inline(selector, variables);
                assert_eq!(variants.iter().filter(|variant| variant.default).count(), 1);
                variants.iter().for_each(|variant| note(&variant.value, variables));
            }
        }
    }
}

fn note_inline(inline: &InlineExpression<&str>, variables: &mut BTreeSet<String>) {
    let InlineExpression::VariableReference { id } = inline else { panic!("{inline:?}") };
    variables.insert(id.name.to_owned());
}

fn of(language: Language) -> Messages {
    files(language).iter().flat_map(|file| messages(file)).collect()
}

/// What English says in the files that a language has.
fn english_beside(language: Language) -> Messages {
    files(Language::English)[..files(language).len()].iter().flat_map(|file| messages(file)).collect()
}

#[test]
fn every_language_has_every_message_with_the_same_variables() {
    // French has all files, Arabic those of reports.
    let counts = Language::ALL.map(|language| files(language).len());
    assert_eq!(counts, [4, 4, 2]);
    for language in [Language::French, Language::Arabic] {
        let (english, other) = (english_beside(language), of(language));
        assert!(english.len() > 250, "{}", english.len());
        let names = |messages: &Messages| messages.keys().cloned().collect::<BTreeSet<_>>();
        let missing: Vec<_> = names(&english).difference(&names(&other)).cloned().collect();
        let surplus: Vec<_> = names(&other).difference(&names(&english)).cloned().collect();
        assert!(
            missing.is_empty() && surplus.is_empty(),
            "{language:?}: without {missing:?}, beside {surplus:?}"
        );
        for (name, variables) in &english {
            assert_eq!(&other[name], variables, "{language:?}: {name}");
        }
    }
}

/// What a person would read in English in another language is a sentence that nobody translated.
#[test]
fn nothing_is_left_in_english() {
    let text = |language: Language, id: &str| Words::of(language).say(id);
    let same: Vec<String> = of(Language::English)
        .into_iter()
        .filter(|(_, variables)| variables.is_empty())
        .map(|(id, _)| id)
        .filter(|id| text(Language::French, id) == text(Language::English, id))
        .collect();
    // Words that both languages share.
    let shared = [
        "column-code",
        "column-digest",
        "column-version",
        "event-plan",
        "file-up",
        "lint-note",
        "part-risk",
        "people-plan",
        "why-impact",
        "back-script",
        "heading-population",
        "what-build",
        "act-plan",
        "log-impact",
        "term-intact",
    ];
    let strange: Vec<&String> = same.iter().filter(|id| !shared.contains(&id.as_str())).collect();
    assert!(strange.is_empty(), "{strange:?}");
    let latin =
        |id: &String| !text(Language::Arabic, id).chars().any(|c| ('\u{600}'..'\u{700}').contains(&c));
    let strange: Vec<String> = english_beside(Language::Arabic)
        .into_iter()
        .filter(|(id, variables)| variables.is_empty() && id != "column-digest")
        .map(|(id, _)| id)
        .filter(latin)
        .collect();
    assert!(strange.is_empty(), "{strange:?}");
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => sources(&path, found),
            false if path.extension().is_some_and(|extension| extension == "rs") => found.push(path),
            false => {}
        }
    }
}

/// Further files that say something.
const SPEAKING: [&str; 9] = [
    "lang/numbers.rs",
    "cli/telling.rs",
    "cli/commands/log.rs",
    "cli/commands/report.rs",
    "cli/commands/verify/text.rs",
    "cli/commands/verify_evidence.rs",
    "cli/commands/watch.rs",
    "watch/alert/mail.rs",
    "watch/finding.rs",
];

#[test]
fn no_message_is_left_over_and_none_is_missing() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    sources(&root.join("report"), &mut paths);
    paths.extend(SPEAKING.map(|path| root.join(path)));
    let text: String = paths.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect();
    // Ids stand in quotes, those of columns of numbers behind a sign.
    let named: BTreeSet<&str> = text.split('"').map(|part| part.strip_prefix('#').unwrap_or(part)).collect();
    let months: Vec<String> = (1..=12).map(|month| format!("month-{month}")).collect();
    let known = of(Language::English);
    let left: Vec<&String> = known
        .keys()
        .filter(|id| !named.contains(id.as_str()) && !months.contains(id) && !id.starts_with("finding-"))
        .filter(|id| {
            id.strip_prefix("rule-").is_none_or(|code| Code::ALL.iter().all(|known| known.as_str() != code))
        })
        .collect();
    assert!(left.is_empty(), "nobody says {left:?}");
    // What is said and is no message would stand in braces.
    let families = ["say(\"", "tell(\"", "fact(\"", "none(page, \"", "part(page, \""];
    for family in families {
        for after in text.split(family).skip(1) {
            let id = after.split('"').next().unwrap();
            assert!(known.contains_key(id), "{family}{id}");
        }
    }
}

/// The codes of findings, and what each carries, as `Fault` has them.
fn faults() -> Messages {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/chain/finding.rs");
    let text = std::fs::read_to_string(path).unwrap();
    let body = text.split("pub enum Fault {").nth(1).unwrap().split("\n}\n").next().unwrap();
    // Attributes hold braces of their own; they end with a closing bracket at the end of a line.
    let mut plain = String::new();
    let mut inside = false;
    for line in body.lines() {
        let trimmed = line.trim();
        inside |= trimmed.starts_with("#[");
        if !inside && !trimmed.starts_with("//") {
            plain.push_str(line);
            plain.push('\n');
        }
        inside &= !trimmed.ends_with(")]");
    }
    let mut found = Messages::new();
    let mut name = String::new();
    for word in plain.replace('{', " { ").replace('}', " } ").split_whitespace() {
        match word {
            word if word.starts_with(|c: char| c.is_ascii_uppercase()) && name.is_empty() => {
                name = kebab(word.trim_end_matches(','));
                found.entry(name.clone()).or_default();
                if word.ends_with(',') {
                    name.clear();
                }
            }
            "}" | "}," => name.clear(),
            word => {
                if let Some(field) = word.strip_suffix(':') {
                    found.entry(name.clone()).or_default().insert(camel(field));
                }
            }
        }
    }
    found
}

fn kebab(word: &str) -> String {
    let mut text = String::new();
    for c in word.chars() {
        if c.is_ascii_uppercase() && !text.is_empty() {
            text.push('-');
        }
        text.push(c.to_ascii_lowercase());
    }
    text
}

fn camel(word: &str) -> String {
    let mut parts = word.split('_');
    let first = parts.next().unwrap().to_owned();
    parts.fold(first, |text, part| text + &part[..1].to_ascii_uppercase() + &part[1..])
}

#[test]
fn every_code_of_a_finding_has_its_sentence() {
    let faults = faults();
    assert!(faults.len() > 50 && faults["ends-before-start"].contains("startedAt"));
    let told: Messages = of(Language::English)
        .into_iter()
        .filter_map(|(id, variables)| Some((id.strip_prefix("finding-")?.to_owned(), variables)))
        .collect();
    let codes = |messages: &Messages| messages.keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(codes(&told), codes(&faults));
    for (code, variables) in &told {
        // A timestamp's own fault says its reason in a member of its own; the event's number is that of the finding.
        let own: BTreeSet<String> = ["reason", "seq"].map(str::to_owned).into();
        let strange: Vec<_> =
            variables.difference(&faults[code]).filter(|name| !own.contains(*name)).collect();
        assert!(strange.is_empty(), "{code}: {strange:?}");
    }
}

#[test]
fn findings_are_told_from_code_and_members() {
    let members =
        serde_json::json!({"expected": 4, "found": 6, "refused": ["a", "b"], "needed": 2, "counted": 0});
    let members = members.as_object().unwrap();
    let said = |language: Language, code: &str| Words::of(language).finding(code, members).unwrap();
    assert_eq!(
        said(Language::English, "seq-gap"),
        "The manifest says that it is entry 6, and stands in the place of entry 4."
    );
    assert_eq!(
        said(Language::French, "seq-gap"),
        "Le manifeste se dit l'entrée 6 et occupe la place de l'entrée 4."
    );
    assert!(said(Language::Arabic, "seq-gap").contains("\u{2068}6\u{2069}"));
    assert!(said(Language::French, "approvals-missing").ends_with("0 sur 2. a, b"));
    assert_eq!(Words::of(Language::French).finding("of-tomorrow", members), None);
}

#[test]
fn what_arabic_has_not_is_told_in_english_and_as_it_is_there() {
    let [english, french, arabic] = Language::ALL.map(Words::of);
    let values = || [("count", Words::figure(12_345))];
    assert_eq!(english.tell("age-days", values()), "12345 days");
    assert_eq!(french.tell("age-days", values()), "12345 jours");
    assert_eq!(french.tell("age-days", [("count", Words::figure(1))]), "1 jour");
    assert_eq!(arabic.tell("age-days", values()), "12345 days");
    assert_eq!(arabic.say("verify-holds"), "verified");
    assert_eq!(arabic.tell("of-tomorrow", values()), "{of-tomorrow}");
}

fn plural(language: Language, count: u64) -> String {
    let words = Words::of(language);
    let said = words.tell("file-size", [("count", Value::from(count))]);
    said.replace(['\u{2068}', '\u{2069}'], "")
}

#[test]
fn plurals_are_those_of_the_language() {
    for (count, text) in [(0, "0 bytes"), (1, "1 byte"), (2, "2 bytes"), (1_234_567, "1,234,567 bytes")] {
        assert_eq!(plural(Language::English, count), text);
    }
    // In French nothing is singular, too.
    for (count, text) in [(0, "0 octet"), (1, "1 octet"), (2, "2 octets"), (12_345, "12\u{202f}345 octets")] {
        assert_eq!(plural(Language::French, count), text);
    }
    // Arabic has six forms.
    for (count, text) in [
        (0, "بلا بايتات"),
        (1, "بايت واحد"),
        (2, "بايتان"),
        (3, "3 بايتات"),
        (10, "10 بايتات"),
        (11, "11 بايتًا"),
        (99, "99 بايتًا"),
        (100, "100 بايت"),
        (102, "102 بايت"),
        (103, "103 بايتات"),
        (1_111, "1,111 بايتًا"),
    ] {
        assert_eq!(plural(Language::Arabic, count), text);
    }
}

#[test]
fn every_message_with_a_plural_has_all_forms_in_arabic() {
    for file in files(Language::Arabic) {
        let resource = parse(*file).unwrap();
        for entry in &resource.body {
            let Entry::Message(message) = entry else { continue };
            for element in &message.value.as_ref().unwrap().elements {
                let PatternElement::Placeable { expression: Expression::Select { variants, .. } } = element
                else {
                    continue;
                };
                let keys: Vec<String> = variants.iter().map(|variant| format!("{:?}", variant.key)).collect();
                let has = |form: &str| keys.iter().any(|key| key.contains(&format!("\"{form}\"")));
                if has("other") {
                    let all = ["zero", "one", "two", "few", "many", "other"].into_iter().all(has);
                    assert!(all, "{}: {keys:?}", message.id.name);
                }
            }
        }
    }
}

#[test]
fn numbers_times_and_durations_are_written_as_there() {
    assert_eq!(grouped(1_234_567, Language::English), "1,234,567");
    assert_eq!(grouped(1_234_567, Language::French), "1\u{202f}234\u{202f}567");
    assert_eq!((grouped(0, Language::French), grouped(999, Language::Arabic)), ("0".into(), "999".into()));
    let at: Timestamp = "2026-11-01T08:31:07.123456Z".parse().unwrap();
    let plain = |text: String| text.replace(['\u{2068}', '\u{2069}', '\u{200f}'], "");
    let [english, french, arabic] = Language::ALL.map(Words::of);
    assert_eq!(day(at, &english), "1 November 2026");
    assert_eq!(day(at, &french), "1er novembre 2026");
    assert_eq!(plain(day(at, &arabic)), "1 نوفمبر 2026");
    assert_eq!(moment(at, &english), "1 November 2026, 08:31:07 UTC");
    assert_eq!(moment(at, &french), "1er novembre 2026 à 08:31:07 UTC");
    assert_eq!(stamp(at), "2026-11-01 08:31:07Z");
    for (microseconds, text) in [
        (0, "0 µs"),
        (999, "999 µs"),
        (1000, "1 ms"),
        (1250, "1.25 ms"),
        (12_340, "12.3 ms"),
        (999_999, "999 ms"),
        (61_500_000, "1.02 min"),
        (7_200_000_000, "2 h"),
    ] {
        assert_eq!(duration(microseconds, &english), text);
    }
    assert_eq!(duration(1250, &french), "1,25 ms");
}
