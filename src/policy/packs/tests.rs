//! Each rule of the packs that are always there: a case in which it is kept, and one in which it is not.

mod bad_input;

use std::collections::{BTreeMap, BTreeSet};

use super::facts::WaiverFacts;
use super::*;
use crate::model::Direction;
use crate::scripts::{Dialect, Header};

const DAY: &str = "2026-11-23";

/// What is asked about, of a project that declares nothing and has one script.
struct Case {
    sql: &'static str,
    dialect: Dialect,
    approvals: Option<u32>,
    declared: Declared,
    attestations: Vec<Attestation>,
    columns: BTreeMap<String, Vec<String>>,
    /// A further pack.
    own: Option<&'static str>,
}

impl Default for Case {
    fn default() -> Self {
        Self {
            sql: "SELECT 1;",
            dialect: Dialect::Postgresql,
            approvals: Some(0),
            declared: Declared::default(),
            attestations: Vec::new(),
            columns: BTreeMap::new(),
            own: None,
        }
    }
}

impl Case {
    fn sql(sql: &'static str) -> Self {
        Self { sql, ..Self::default() }
    }

    fn declared(declared: Declared) -> Self {
        Self { declared, ..Self::default() }
    }

    fn attested(rule: &str, versions: &[&str]) -> Self {
        Self { attestations: vec![attestation(rule, versions)], ..Self::default() }
    }

    fn approved(self, approvals: u32) -> Self {
        Self { approvals: Some(approvals), ..self }
    }

    fn verdicts(&self, packs: &[&str]) -> Vec<Verdict> {
        let mut library = Library::built_in().unwrap();
        let mut names: BTreeSet<String> = packs.iter().map(|&name| name.to_owned()).collect();
        names.extend(self.own.map(|own| library.add("own.toml", own.as_bytes()).unwrap()));
        let in_force = library.in_force(&names, DAY).unwrap();
        let rules = in_force.rules.values();
        let findings = rules.flat_map(|known| known.rule.check.words("findings").map(str::to_owned));
        let classes = Classes::new(in_force.classes.values(), &self.columns, findings.collect());
        let header = Header::parse(self.sql);
        let mut script = ScriptFacts::of("7", Direction::Up);
        for (part, text) in
            [("purpose", &header.purpose), ("impact", &header.impact), ("rollback", &header.rollback)]
        {
            script.says.extend(text.as_ref().map(|_| part.to_owned()));
        }
        let waiver = |waiver: &crate::scripts::Waiver| WaiverFacts {
            rule: waiver.rule.clone(),
            until: waiver.until.clone(),
        };
        script.waivers = header.waivers.iter().map(waiver).collect();
        let script = look(self.dialect, self.sql, &classes, script);
        let facts = Facts {
            packs: names,
            approvals: self.approvals,
            scripts: vec![script],
            declared: self.declared.clone(),
            attestations: self.attestations.clone(),
            ..Facts::of_day(DAY)
        };
        judge(&in_force, &facts)
    }

    fn outcome(&self, rule: &str) -> Outcome {
        let (pack, _) = rule.split_once('-').unwrap();
        let verdicts = self.verdicts(&[pack]);
        let found = verdicts.into_iter().find(|verdict| verdict.rule == rule);
        found.unwrap_or_else(|| panic!("no verdict of {rule}")).outcome
    }
}

fn attestation(rule: &str, versions: &[&str]) -> Attestation {
    Attestation {
        rule: rule.to_owned(),
        by: "dpo".to_owned(),
        on: "2026-11-01".to_owned(),
        until: "2026-12-01".to_owned(),
        reference: "R-1".to_owned(),
        versions: versions.iter().map(|&version| version.to_owned()).collect(),
    }
}

fn replica(region: Option<&str>, public: Option<bool>) -> Declared {
    let replica = ReplicaFacts { kind: "kubo".to_owned(), region: region.map(str::to_owned), public };
    Declared { replicas: vec![replica], ..Declared::default() }
}

fn classed(class: &str) -> Case {
    Case::declared(Declared { classed: [class.to_owned()].into(), ..Declared::default() })
}

/// A rule, a case in which it is kept, and one in which it is not.
type Pair = (&'static str, Case, Case);

fn pairs() -> Vec<Pair> {
    const DROP: &str = "DROP TABLE patient;";
    const GRADES: &str = "UPDATE grades SET value = 12 WHERE id = 3;";
    const PAYMENTS: &str = "ALTER TABLE payment ADD COLUMN note text;";
    vec![
        ("sante-retention", Case { sql: DROP, ..Case::attested("sante-retention", &["7"]) }, Case::sql(DROP)),
        ("sante-tables-classed", classed("patient-records"), Case::default()),
        (
            "sante-approvals",
            Case::sql("UPDATE patient SET a = 1;").approved(1),
            Case::sql("UPDATE patient SET a = 1;"),
        ),
        (
            "sante-reason",
            Case::sql("-- purpose: a\n-- impact: b\nUPDATE patient SET a = 1;"),
            Case::sql("-- purpose: a\nUPDATE patient SET a = 1;"),
        ),
        (
            "sante-access-kept",
            Case::declared(Declared { access_months: Some(6), ..Declared::default() }),
            Case::declared(Declared { access_months: Some(5), ..Declared::default() }),
        ),
        (
            "sante-replicas-eea",
            Case::declared(replica(Some("FR"), None)),
            Case::declared(replica(Some("US"), None)),
        ),
        (
            "sante-no-public-swarm",
            Case::declared(replica(None, Some(false))),
            Case::declared(replica(None, Some(true))),
        ),
        ("sante-hosting", Case::attested("sante-hosting", &[]), Case::default()),
        ("sante-impact-assessment", Case::attested("sante-impact-assessment", &[]), Case::default()),
        (
            "education-no-ine",
            Case::sql("INSERT INTO student (id) VALUES (1);"),
            Case::sql("INSERT INTO student (ine) VALUES ('1234567890G');"),
        ),
        (
            "education-no-appreciations",
            Case::sql("UPDATE bulletin SET appreciation = old_text;"),
            Case::sql("INSERT INTO bulletin (id, appreciation) VALUES (1, 'Peut mieux faire');"),
        ),
        ("education-grades-approvals", Case::sql(GRADES).approved(2), Case::sql(GRADES).approved(1)),
        (
            "education-grades-reason",
            Case::sql("-- but: jury\nUPDATE grades SET value = 12 WHERE id = 3;"),
            Case::sql(GRADES),
        ),
        ("education-tables-classed", classed("grades"), Case::default()),
        (
            "education-languages",
            Case::default(),
            Case {
                own: Some(
                    "greffe = 'pack/1'\nname = 'own'\nversion = '1'\ntitle = 'Own'\nsource = 'practice'\n[[rule]]\n\
                     id = 'own-a'\nlevel = 'warn'\ndecides = 'attestation'\nwhat = 'statement'\nsays = 'A.'\nkeep = 'B.'\n\
                     source = 'practice'\n",
                ),
                ..Case::default()
            },
        ),
        ("education-information", Case::attested("education-information", &[]), Case::default()),
        (
            "ecommerce-no-card-codes",
            Case::sql("CREATE TABLE payment (id int, token text);"),
            Case::sql("CREATE TABLE payment (id int, cvv text);"),
        ),
        (
            "ecommerce-cards-tokenised",
            Case {
                columns: [("tokenised".to_owned(), vec!["payment.card_number".to_owned()])].into(),
                ..Case::sql("CREATE TABLE payment (card_number text);")
            },
            Case::sql("CREATE TABLE payment (card_number text);"),
        ),
        (
            "ecommerce-no-card-values",
            Case::sql("INSERT INTO payment (token) VALUES ('tok_1');"),
            Case::sql("INSERT INTO payment (card_number) VALUES ('4556737586899855');"),
        ),
        (
            "ecommerce-change-record",
            Case::sql("-- purpose: a\n-- impact: b\n-- rollback: c\nSELECT 1;"),
            Case::sql("-- purpose: a\n-- impact: b\nSELECT 1;"),
        ),
        ("ecommerce-change-approval", Case::sql(PAYMENTS).approved(1), Case::sql(PAYMENTS)),
        ("ecommerce-change-tested", Case::attested("ecommerce-change-tested", &[]), Case::default()),
        ("ecommerce-tables-classed", classed("payments"), Case::default()),
        (
            "ecommerce-clock",
            Case::declared(Declared { clock_offset: Some(1000), ..Declared::default() }),
            Case::declared(Declared { clock_offset: Some(1001), ..Declared::default() }),
        ),
        (
            "ecommerce-log-kept",
            Case::declared(Declared { log_months: Some(12), ..Declared::default() }),
            Case::default(),
        ),
        ("ecommerce-log-at-hand", Case::attested("ecommerce-log-at-hand", &[]), Case::default()),
        (
            "ecommerce-daily-review",
            Case::declared(Declared { reviewed: Some("2026-11-22".to_owned()), ..Declared::default() }),
            Case::declared(Declared { reviewed: Some("2026-11-21".to_owned()), ..Declared::default() }),
        ),
    ]
}

#[test]
fn each_rule_is_kept_in_one_case_and_not_in_another() {
    for (rule, kept, broken) in pairs() {
        let outcome = kept.outcome(rule);
        assert!(matches!(outcome, Outcome::Kept | Outcome::Attested), "{rule} should be kept: {outcome}");
        assert!(broken.outcome(rule).is_finding(), "{rule} should not be kept: {}", broken.outcome(rule));
    }
}

#[test]
fn every_rule_has_its_pair() {
    let paired: BTreeSet<&str> = pairs().into_iter().map(|(rule, ..)| rule).collect();
    let library = Library::built_in().unwrap();
    for rule in library.packs().flat_map(|pack| &pack.rules) {
        assert!(
            paired.contains(rule.id.as_str()),
            "{} has no case in which it is kept and none in which not",
            rule.id
        );
        assert!(rule.says.len() == 2 && rule.keep.len() == 2, "{} is told in one language", rule.id);
        assert!(rule.says.values().chain(rule.keep.values()).all(|text| text.ends_with('.')), "{}", rule.id);
    }
    assert_eq!(library.packs().count(), SECTORS.len());
}

#[test]
fn what_no_program_decides_is_never_kept() {
    for verdict in Case::default().verdicts(&["sante", "education", "ecommerce"]) {
        let by_people = verdict.decides == Who::Attestation;
        assert!(!by_people || verdict.outcome != Outcome::Kept, "{verdict:?}");
    }
}

#[test]
fn an_attestation_ends_and_is_about_versions_where_the_rule_is_about_scripts() {
    let rule = "sante-retention";
    let case = |attestation: Attestation| Case {
        attestations: vec![attestation],
        ..Case::sql("TRUNCATE patients;")
    };
    assert_eq!(case(attestation(rule, &["7"])).outcome(rule), Outcome::Attested);
    for other in [attestation(rule, &[]), attestation(rule, &["8"]), attestation("sante-hosting", &["7"])] {
        assert_eq!(case(other).outcome(rule), Outcome::AttestationRequired);
    }
    let over = Attestation { until: "2026-11-22".to_owned(), ..attestation(rule, &["7"]) };
    let verdicts = case(over).verdicts(&["sante"]);
    let verdict = verdicts.iter().find(|verdict| verdict.rule == rule).unwrap();
    assert_eq!(verdict.outcome, Outcome::AttestationRequired);
    assert!(
        verdict.stops() && verdict.english().ends_with("the attestation ended on 2026-11-22"),
        "{verdict:?}"
    );
}

#[test]
fn a_script_waives_with_reason_and_day_and_not_what_no_script_waives() {
    let waived = |waiver: &str| {
        let sql = format!("-- waiver: {waiver}\nINSERT INTO bulletin (avis) VALUES ('x');");
        Case::sql(Box::leak(sql.into_boxed_str())).outcome("education-no-appreciations")
    };
    assert_eq!(waived("education-no-appreciations 2026-11-23 sample texts of our own"), Outcome::Waived);
    for waiver in [
        "education-no-appreciations 2026-11-22 sample texts of our own",
        "education-no-appreciations 2026-12-31",
        "education-no-appreciations sample texts",
        "education-no-ine 2026-12-31 sample texts of our own",
    ] {
        assert_eq!(waived(waiver), Outcome::Broken, "{waiver}");
    }
    let sql = "-- waiver: ecommerce-no-card-codes 2026-12-31 we need it\nALTER TABLE payment ADD cvv text;";
    let verdicts = Case::sql(sql).verdicts(&["ecommerce"]);
    let verdict = verdicts.iter().find(|verdict| verdict.rule == "ecommerce-no-card-codes").unwrap();
    assert_eq!((verdict.outcome, verdict.line), (Outcome::Broken, Some(2)));
    assert!(verdict.english().ends_with("no script waives this rule"));
}

const OWN: &str = "greffe = 'pack/1'\nname = 'own'\nversion = '1'\ntitle = 'Own'\nsource = 'practice'\nextends = ['sante']\n";

fn in_force(own: &str, names: &[&str]) -> Result<InForce, LibraryError> {
    let mut library = Library::built_in()?;
    library.add("own.toml", own.as_bytes())?;
    library.in_force(&names.iter().map(|&name| name.to_owned()).collect(), DAY)
}

#[test]
fn of_two_packs_that_disagree_the_stricter_wins_and_it_is_told() {
    let stricter = format!("{OWN}[[change]]\nrule = 'sante-approvals'\nwhat = 'approvals'\ncount = 3\n");
    let both = in_force(&stricter, &["own", "sante"]).unwrap();
    assert_eq!(both.rules["sante-approvals"].rule.check.number("count"), Some(3));
    let told: Vec<(&str, &str)> =
        both.disagreements.iter().map(|one| (one.member.as_str(), one.holds.as_str())).collect();
    assert_eq!(told, [("count", "3"), ("classes", "")]);
    assert_eq!(both.disagreements[0].said["sante"], "1");
    assert_eq!(both.rules["sante-approvals"].packs.len(), 2);
    // A change to a weaker rule, with its reason, does nothing where the pack itself holds as well.
    let weaker = format!(
        "{OWN}[[change]]\nrule = 'sante-approvals'\nlevel = 'warn'\nreason = 'one person on call'\nuntil = '2026-12-31'\n"
    );
    let alone = in_force(&weaker, &["own"]).unwrap();
    assert_eq!((alone.rules["sante-approvals"].rule.level, alone.disagreements.len()), (Level::Warn, 0));
    assert_eq!((alone.weakened[0].rule.as_str(), alone.weakened[0].over), ("sante-approvals", false));
    let both = in_force(&weaker, &["own", "sante"]).unwrap();
    assert_eq!(both.rules["sante-approvals"].rule.level, Level::Deny);
    assert_eq!(
        (both.disagreements[0].member.as_str(), both.disagreements[0].holds.as_str()),
        ("level", "deny")
    );
}

#[test]
fn a_weaker_rule_needs_a_reason_and_a_day_and_is_over_then() {
    let change = |rest: &str| format!("{OWN}[[change]]\nrule = 'sante-access-kept'\n{rest}");
    let error = in_force(&change("level = 'allow'\n"), &["own"]).unwrap_err();
    assert!(
        matches!(&error, LibraryError::WeakerWithoutReason { rule, .. } if rule == "sante-access-kept"),
        "{error}"
    );
    let fewer = change("what = 'access-chain-kept'\nmonths = 3\n");
    assert!(matches!(in_force(&fewer, &["own"]), Err(LibraryError::WeakerWithoutReason { .. })));
    let over = change("level = 'allow'\nreason = 'no access yet'\nuntil = '2026-11-22'\n");
    let over = in_force(&over, &["own"]).unwrap();
    assert_eq!((over.rules["sante-access-kept"].rule.level, over.weakened[0].over), (Level::Warn, true));
    // A stricter one needs none.
    let more = in_force(&change("what = 'access-chain-kept'\nmonths = 12\n"), &["own"]).unwrap();
    assert_eq!(more.rules["sante-access-kept"].rule.check.number("months"), Some(12));
}

#[test]
fn what_is_misspelt_in_a_pack_is_told_with_line_and_nearest() {
    const RULE: &str = "[[rule]]\nid = 'own-a'\nlevel = 'deny'\ndecides = 'tool'\nwhat = 'log-kept'\nmonths = 6\nsays = 'A.'\n\
                        keep = 'B.'\nsource = 'practice'\n";
    let told = |text: &str| match in_force(text, &["own"]) {
        Ok(_) => String::new(),
        Err(error) => format!(
            "{error}: {}",
            std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default()
        ),
    };
    let rule = |from: &str, to: &str| format!("{OWN}{}", RULE.replacen(from, to, 1));
    assert_eq!(told(&rule("", "")), "");
    for (text, expected) in [
        (rule("level", "levle"), "line 9: `rule.levle` is no member of it; the nearest one is `level`"),
        (
            rule("'deny'", "'dney'"),
            "line 9: `rule.level` is not one of `allow`, `warn`, `deny`; the nearest one is `deny`",
        ),
        (rule("log-kept", "log-kpet"), "the nearest one is `log-kept`"),
        (rule("months = 6", "month = 6"), "`rule.month` is no member of it; the nearest one is `months`"),
        (rule("months = 6\n", ""), "`rule.months` is missing"),
        (rule("months = 6", "months = -6"), "`rule.months` is of type integer"),
        (rule("'tool'", "'attestation'"), "is not who decides `log-kept`: write `tool`"),
        (rule("own-a", "sante-reason"), "which a pack that it extends has"),
        (
            format!("{OWN}[[change]]\nrule = 'sante-retension'\nlevel = 'warn'\n"),
            "the nearest one is `sante-retention`",
        ),
        (format!("{OWN}[[change]]\nrule = 'sante-retention'\n"), "changes nothing"),
        (
            format!("{OWN}[[change]]\nrule = 'sante-approvals'\nwhat = 'log-kept'\nmonths = 1\n"),
            "ask for `log-kept`",
        ),
        (OWN.replace("['sante']", "['sant']"), "there is no pack `sant`; the nearest one is `sante`"),
        (OWN.replace("['sante']", "['own']"), "extends itself"),
        (OWN.replace("pack/1", "pack/2"), "line 1: `greffe` is not one of `pack/1`"),
        (OWN.replace("'own'", "'sante'"), "which another pack has"),
        (OWN.replace("'own'", "'Own'"), "is no name"),
        (OWN.replace("version = '1'", "version = "), "line 3: `this` is not TOML"),
        (
            format!(
                "{OWN}[[rule]]\nid = 'own-b'\nlevel = 'deny'\ndecides = 'tool'\nwhat = 'columns-forbidden'\n\
                  classes = ['patient-record']\nsays = 'A.'\nkeep = 'B.'\nsource = 'practice'\n"
            ),
            "names a class `patient-record` that there is not; the nearest one is `patient-records`",
        ),
        (
            rule("'log-kept'\nmonths = 6", "'reason-required'\nparts = ['purpos']"),
            "the nearest one is `purpose`",
        ),
        (
            rule("'log-kept'\nmonths = 6", "'literals-forbidden'\nfindings = ['fr-inee']"),
            "the nearest one is `fr-ine`",
        ),
    ] {
        assert!(told(&text).contains(expected), "{expected}\n{}\n{text}", told(&text));
    }
}

#[test]
fn a_rule_is_for_its_environments_alone() {
    let own = "greffe = 'pack/1'\nname = 'own'\nversion = '1'\ntitle = 'Own'\nsource = 'practice'\n[[rule]]\nid = 'own-a'\n\
               level = 'deny'\ndecides = 'tool'\nwhat = 'log-kept'\nmonths = 6\nsays = 'A.'\nkeep = 'B.'\nsource = 'practice'\n\
               environments = ['production']\n";
    let in_force = in_force(own, &["own"]).unwrap();
    for (environment, verdicts) in
        [(None, 1), (Some("production"), 1), (Some("Production"), 1), (Some("staging"), 0)]
    {
        let facts = Facts { environment: environment.map(str::to_owned), ..Facts::of_day(DAY) };
        assert_eq!(judge(&in_force, &facts).len(), verdicts, "{environment:?}");
    }
}

#[test]
fn the_page_has_a_section_for_each_rule() {
    let page = include_str!("../../../docs/policy.md");
    let library = Library::built_in().unwrap();
    let mut missing = Vec::new();
    for (name, _) in BUILT_IN {
        let pack = library.pack(name).unwrap();
        for rule in &pack.rules {
            let parameters: Vec<String> =
                rule.check.parameters().map(|(name, told)| format!("; {name}: {told}")).collect();
            let section = format!(
                "### {}\n\n{} {}\n\nLevel: `{}`. Decided by: {}. Asks: `{}`{}.{} Source: {}.\n",
                rule.id,
                rule.says["en"],
                rule.keep["en"],
                rule.level,
                rule.decides(),
                rule.check.kind.as_str(),
                parameters.concat(),
                if rule.waivable { "" } else { " No script waives it." },
                rule.source,
            );
            if !page.contains(&section) {
                missing.push(section);
            }
        }
    }
    assert!(missing.is_empty(), "docs/policy.md should have\n\n{}", missing.join("\n"));
}
