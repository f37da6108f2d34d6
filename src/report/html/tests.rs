//! The page with the worst that a chain can hold in each of its texts.

use super::*;
use crate::chain::{Established, Fault, Finding, TimeInterval};
use crate::crypto::KeyId;
use crate::model::{
    Actor, Approver, Cid, Codec, Engine, ErrorCode, EventId, EventKind, Evidence, Executor, Hook, JudgedRule,
    Outcome, PolicyPack, Pseudonym, Role, Run, SchemaChange, StatementRun, Target, Timestamp,
};
use crate::report::risk::{LintHit, Reason, Risk, RiskClass};
use crate::report::sample::draw;
use crate::report::*;

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_seconds(1_700_000_000 + seconds).unwrap()
}

fn cid(text: &str) -> Cid {
    Cid::of(Codec::DagCbor, text.as_bytes())
}

/// One change, with `text` wherever a chain may have a text.
fn change(text: &str) -> Change {
    let said = || text.to_owned();
    let pseudonym: Pseudonym = "0123456789abcdef0123456789abcdef".parse().unwrap();
    let person = || Person { role: said(), pseudonym };
    let keyid = KeyId(Digest::of(b"key"));
    let told = || Told::Clear(said());
    let id = EventId::from_parts(at(0), &[7; 10]);
    let ci = serde_json::json!({ said(): said() }).as_object().cloned();
    let hook = Hook {
        event: said(),
        name: said(),
        sha256: said(),
        outcome: said(),
        duration_us: 1,
        input: None,
        rule: Some(said()),
        about: None,
    };
    Change {
        seq: 1,
        manifest: cid("1"),
        id,
        event: EventKind::Apply,
        evidence: Some(Evidence::Executed),
        version: Some(said()),
        name: told(),
        purpose: told(),
        impact: told(),
        depends_on: vec![said()],
        sectors: vec![said()],
        target: Some(Target { name: said(), engine: Engine::Sqlite, version: said() }),
        executor: Executor { name: said(), version: said() },
        run: Run { id, ci },
        statements: vec![StatementRun { kind: said(), count: 2, duration_us: 3, rows: Some(4) }],
        files: [FileState::Clear, FileState::Sealed, FileState::Erased]
            .map(|state| ChangeFile { name: said(), role: Role::Up, cid: cid("file"), size: 5, state })
            .to_vec(),
        risk: Risk {
            class: RiskClass::High,
            reasons: Reason::ALL.to_vec(),
            lint: Some(vec![LintHit { rule: said(), level: said(), file: said(), line: 6 }]),
        },
        people: People {
            author: Some(person()),
            author_keys: vec![keyid],
            approvers: vec![Approver { keyid, actor: Actor { pseudonym, role: said() }, at: at(1) }],
            refused: vec![said()],
            approvals_needed: Some(2),
            four_eyes: true,
            plan: Some(PlanEntry { seq: Some(0), manifest: cid("0"), digest: None }),
            deployer: person(),
            approved_by_another: false,
            deployed_by_author: Some(true),
        },
        times: Times {
            started_at: at(0),
            finished_at: at(1),
            duration_us: 1_000_000,
            database_clock: Some(said()),
        },
        tests: Tests { promoted_from: Some(cid("staging")), hooks: vec![hook] },
        policy: Some(Policy {
            packs: vec![PolicyPack { name: said(), sha256: Digest::of(b"pack") }],
            rules: vec![JudgedRule { rule: said(), outcome: said(), about: Some(said()) }],
        }),
        waivers: vec![Waived { rule: said(), until: Some(said()), reason: told() }],
        way_back: WayBack { says: told(), script: true, by: Some(9), reverts: Some(cid("reverted")) },
        outcome: Some(Outcome::Failed),
        error: Some(ErrorCode { code: said(), statement: 1 }),
        schema: Some(SchemaChange { algorithm: said(), before: Some(Digest::of(b"a")), after: None }),
        continuity: Continuity::Broken,
        verified: false,
        signed_by: vec![keyid],
    }
}

fn row(seq: u64, text: &str, read: bool) -> Row {
    let said = || read.then(|| text.to_owned());
    Row {
        seq,
        manifest: Some(cid(&seq.to_string())),
        event: read.then_some(EventKind::Apply),
        version: said(),
        name: Told::Clear(text.to_owned()),
        finished_at: read.then(|| at(seq)),
        role: said(),
        pseudonym: None,
        outcome: read.then_some(Outcome::Failed),
        approvals: read.then_some(Counted { counted: 1, needed: 2 }),
        in_scope: true,
        is_change: read,
        shown: read,
        fault: Some(text.to_owned()),
    }
}

/// A report with a change, an entry that is not there, a sample and a finding.
fn report(text: &str) -> ChangeReport {
    let said = || text.to_owned();
    let border = Border { seq: 9, manifest: Some(cid("9")), finished_at: Some(at(9)) };
    let none = TimeInterval { not_before: None, not_after: None };
    let established = Established {
        intact: false,
        signed: true,
        anchored: false,
        witnessed: false,
        timestamped: false,
        complete: false,
        replayed: false,
        live: false,
    };
    let fault = Fault::Malformed { what: "manifest", detail: said() };
    ChangeReport {
        command: "report",
        format: FORMAT,
        program: Executor { name: said(), version: said() },
        date: at(10),
        date_given: true,
        chain: ChainFacts {
            name: Some(said()),
            chain: Some(cid("chain")),
            root: cid("root"),
            is_head: true,
            entries: 3,
            merkle_root: None,
            newest: None,
        },
        scope: Scope::Release { release: said() },
        verification: Verification {
            verified: false,
            established,
            time: none,
            witnesses: Vec::new(),
            findings: vec![Finding { seq: Some(2), cid: Some(cid("2")), fault }],
        },
        population: Population {
            first: Some(1),
            last: Some(2),
            expected: 2,
            read: 1,
            missing: vec![2],
            in_scope: 2,
            changes: 1,
            complete: false,
            before: Some(border.clone()),
            after: Some(border),
            merkle_root: None,
            entries: vec![row(1, text, true), row(2, text, false)],
        },
        sample: Some(draw(&[(1, cid("1"))], 25, text)),
        summary: Summary::default(),
        changes: vec![change(text)],
        others: vec![OtherEntry {
            seq: 2,
            manifest: cid("2"),
            event: EventKind::Erase,
            finished_at: at(2),
            role: said(),
            versions: vec![said()],
            trust_version: Some(2),
            basis: Some(said()),
            erased: 3,
            about: vec![1],
        }],
        schema: vec![SchemaPoint { seq: 1, continuity: Continuity::Broken }],
        replicas: Some(vec![CopyOfChain { name: said(), entries: Some(2), at: None, failure: Some(said()) }]),
        arguments: vec![said()],
    }
}

const HOSTILE: &str =
    "</style></script><script>alert(1)</script>\"'><img src=x onerror=alert(2)>&lt;\u{202e}x\u{1b}[31m\0";

#[test]
fn no_text_of_a_chain_is_markup_or_steers_anything() {
    let plain = report("x");
    for language in Language::ALL {
        let (made, tame) = (page(&report(HOSTILE), language), page(&plain, language));
        // As many elements as a page with tame texts has, each of them.
        for element in
            ["<style", "</style", "<script", "<img", "<bdi>", "</bdi>", "<code", "<a ", "<svg", "<article"]
        {
            assert_eq!(
                made.matches(element).count(),
                tame.matches(element).count(),
                "{element} in {language:?}"
            );
        }
        assert!(!made.contains(['\u{1b}', '\u{202e}', '\0']));
        assert_eq!(made.matches("<script").count(), 0);
        assert!(!made.contains(" onerror=alert(2)>") && made.contains("&lt;script&gt;"));
    }
}

#[test]
fn a_name_of_a_megabyte_is_cut_on_the_page_and_whole_in_the_data() {
    let long = report(&"n".repeat(1 << 20));
    let made = page(&long, Language::English);
    assert!(made.len() < 256 << 10, "{}", made.len());
    assert!(made.contains("… (+1047976)"));
    assert!(json(&long).len() > 20 << 20);
}

#[test]
fn every_message_is_there_and_the_same_facts_make_the_same_bytes() {
    for language in Language::ALL {
        let made = page(&report("x"), language);
        assert_eq!(made, page(&report("x"), language));
        let body = made.split("</style>").nth(1).unwrap();
        assert!(!body.contains(['{', '}']), "a message is missing in {language:?}");
        assert!(made.starts_with("<!doctype html>\n") && made.ends_with("</html>\n"));
        for element in
            ["div", "section", "dl", "table", "tr", "td", "ul", "li", "figure", "p", "span", "small"]
        {
            let open =
                made.matches(&format!("<{element}>")).count() + made.matches(&format!("<{element} ")).count();
            assert_eq!(open, made.matches(&format!("</{element}>")).count(), "{element}");
        }
    }
}
