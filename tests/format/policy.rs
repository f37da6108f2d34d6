//! Whole chains that tell otherwise of policy packs than these say: signed, linked and with a head, and found wherever they
//! are verified.

use std::collections::BTreeMap;

use greffe::chain::{Fault, NewFile, Options, Report};
use greffe::codec::plan::encode_plan;
use greffe::crypto::Digest;
use greffe::model::{
    Actor, Details, Direction, Engine, EventKind, JudgedRule, PlanDetails, PlanPolicy, Planned,
    PlannedTarget, PolicyPack, PolicyVerdicts, Role, RunPlan, Timestamp,
};
use greffe::ops::verify::verify_car;
use greffe::policy::packs::{BUILT_IN, Facts, Library, ScriptFacts, judge};

use crate::approvals::run;
use crate::chains::{Growing, key, script};

const OWN: &str = "greffe = 'pack/1'\nname = 'own'\nversion = '1'\ntitle = 'Own'\nsource = 'practice'\n[[rule]]\n\
                   id = 'own-log'\nlevel = 'warn'\ndecides = 'tool'\nwhat = 'log-kept'\nmonths = 6\nsays = 'A.'\n\
                   keep = 'B.'\nsource = 'practice'\n";

/// What an entry tells of packs, with the files that it stands on.
struct Told {
    facts: Facts,
    /// Packs by name, as they are told.
    packs: Vec<(String, Digest)>,
    rules: Vec<JudgedRule>,
    /// Files by name.
    files: BTreeMap<String, Vec<u8>>,
}

impl Told {
    /// The truth of a script that changes nothing that is classed, under the pack for health and one of one's own.
    fn truth() -> Self {
        let mut facts = Facts::of_day("2026-01-05");
        facts.packs = ["sante".to_owned(), "own".to_owned()].into();
        facts.scripts.push(ScriptFacts::of("1", Direction::Up));
        facts.approvals = Some(0);
        let mut told = Self { facts, packs: Vec::new(), rules: Vec::new(), files: BTreeMap::new() };
        let packs = [("sante", BUILT_IN[0].1), ("own", OWN)];
        packs.into_iter().for_each(|(name, text)| told.bring(name, text));
        told.judge();
        told
    }

    /// The pack of this name is told of, and is a file.
    fn bring(&mut self, name: &str, text: &str) {
        self.packs.retain(|(known, _)| known != name);
        self.packs.push((name.to_owned(), Digest::of(text.as_bytes())));
        self.packs.sort();
        self.files.insert(format!("policy/{name}.toml"), text.as_bytes().to_vec());
    }

    /// What the packs that are files say of the facts is told of them.
    fn judge(&mut self) {
        let mut library = Library::default();
        self.files.iter().filter(|(name, _)| name.ends_with(".toml")).for_each(|(name, bytes)| {
            library.add(name, bytes).unwrap();
        });
        let in_force = library.in_force(&self.facts.packs, &self.facts.day).unwrap();
        let rule = |verdict: greffe::policy::packs::Verdict| JudgedRule {
            rule: verdict.rule,
            outcome: verdict.outcome.as_str().to_owned(),
            about: verdict.about,
        };
        self.rules = judge(&in_force, &self.facts).into_iter().map(rule).collect();
        self.files.insert("policy/facts.json".to_owned(), self.facts.encode());
    }

    fn outcome(&mut self, rule: &str, outcome: &str) {
        let told = self.rules.iter_mut().find(|told| told.rule == rule).unwrap();
        outcome.clone_into(&mut told.outcome);
    }

    /// A chain that tells this before version 1 is applied, verified from its file alone.
    fn verified(self) -> Report {
        let mut chain = Growing::of_one_key("policy");
        let made_at = Timestamp::from_microseconds(1_767_600_000_000_000).unwrap();
        let author = Actor { pseudonym: "11".repeat(16).parse().unwrap(), role: "operator".to_owned() };
        let plan = RunPlan {
            nonce: "0".repeat(32),
            chain: chain.manifests[0],
            target: PlannedTarget { name: "billing".to_owned(), engine: Engine::Sqlite },
            direction: Direction::Up,
            made_at,
            expires_at: made_at,
            author: author.clone(),
            policy: PlanPolicy::default(),
            history: Digest::of(b""),
            schema: None,
            migrations: vec![greffe::model::PlannedMigration {
                version: "1".to_owned(),
                transaction: true,
                files: Vec::new(),
            }],
        };
        let bytes = encode_plan(&plan);
        let planned = Planned {
            digest: Digest::of(&bytes),
            direction: Direction::Up,
            versions: vec!["1".to_owned()],
            made_at,
            author,
            author_keys: Vec::new(),
            approvals: 0,
            four_eyes: false,
            expires_at: None,
        };
        let pack = |(name, sha256)| PolicyPack { name, sha256 };
        let verdicts =
            PolicyVerdicts { packs: self.packs.into_iter().map(pack).collect(), rules: self.rules };
        let policy = Some(Box::new(verdicts));
        let details = PlanDetails { planned, hooks: Vec::new(), policy, commitments: BTreeMap::new() };
        let mut files: Vec<NewFile> =
            self.files.iter().map(|(name, bytes)| script(Role::Evidence, name, bytes)).collect();
        files.push(script(Role::Evidence, "plan.json", &bytes));
        let event = chain.append(EventKind::Plan, Details::Plan(Box::new(details)), files, &[&key(1)]);
        run(&mut chain, EventKind::Apply, "1", event);
        let head = chain.head(&key(1));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("chain.car");
        chain.write(&path, &head);
        verify_car(&path, Options::default(), 1, &mut |_, _, _| ()).unwrap()
    }
}

#[test]
fn a_chain_that_tells_what_its_packs_say_is_verified() {
    let report = Told::truth().verified();
    assert!(report.verified, "{:?}", report.findings);
}

/// What a verification says, and what was altered.
type Forged<'a> = (&'a str, &'a dyn Fn(&mut Told));

#[test]
fn a_chain_whose_verdicts_packs_or_facts_were_altered_is_not() {
    let weaker = BUILT_IN[0].1.replacen("level = \"deny\"", "level = \"warn\"", 1);
    let lost = |told: &mut Told| {
        told.facts.scripts[0].loses.insert("patient-records".to_owned(), 1);
        told.judge();
    };
    let forged: [Forged<'_>; 14] = [
        ("`sante-hosting` attested, and the packs say", &|told| told.outcome("sante-hosting", "attested")),
        ("`own-log` kept, and the packs say", &|told| told.outcome("own-log", "kept")),
        ("fewer verdicts than the packs come to", &|told| drop(told.rules.pop())),
        ("it says", &|told| told.rules.swap(0, 1)),
        // Rows were lost and nobody attested it, however that is told.
        ("`sante-retention` is attestation-required, and the run went on", &|told| lost(told)),
        ("`sante-retention` is attestation-required, and the run went on", &|told| {
            lost(told);
            told.outcome("sante-retention", "attested");
        }),
        // The pack for health with a weaker rule, told of by its own digest, and judged by.
        ("the pack `sante` is none that greffe has by this name", &|told| {
            told.bring("sante", &weaker);
            told.judge();
        }),
        // One of one's own, under the digest of what was in force.
        ("the pack `own` is not a file of the event", &|told| {
            let weaker = OWN.replace("months = 6", "months = 0");
            told.files.insert("policy/own.toml".to_owned(), weaker.into_bytes());
        }),
        ("the pack `own` is not a file of the event", &|told| drop(told.files.remove("policy/own.toml"))),
        ("the pack that is called `own` calls itself", &|told| {
            told.bring("own", &OWN.replace("name = 'own'", "name = 'other'"));
        }),
        ("the pack `own` was in force and is not told of", &|told| {
            told.packs.retain(|(name, _)| name != "own")
        }),
        ("is not a file of the event", &|told| drop(told.files.remove("policy/facts.json"))),
        ("about 2026-01-07, and the event is of 2026-01-05", &|told| {
            told.facts.day = "2026-01-07".to_owned();
            told.judge();
        }),
        ("about other versions than were planned", &|told| {
            told.facts.scripts[0].version = "2".to_owned();
            told.judge();
        }),
    ];
    for (nth, (expected, forge)) in forged.into_iter().enumerate() {
        let mut told = Told::truth();
        forge(&mut told);
        let report = told.verified();
        let found = &report.findings;
        assert!(!report.verified && found.len() == 1, "{nth} {expected}: {found:?}");
        assert_eq!(found[0].seq, Some(1), "{nth} {expected}");
        let Fault::PolicyVerdictDiffers { detail } = &found[0].fault else { panic!("{nth}: {found:?}") };
        assert!(detail.contains(expected), "{nth} {expected}: {detail}");
    }
}
