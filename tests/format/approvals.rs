//! Plans and approvals as an auditor meets them: what a chain says of them is counted again.

use std::collections::BTreeMap;

use greffe::chain::{Fault, NewFile, Report};
use greffe::codec::dsse::Envelope;
use greffe::codec::plan::{encode_approval, encode_plan};
use greffe::crypto::{Digest, PrivateKey};
use greffe::model::{
    Actor, Approval, Cid, Codec, Details, Direction, Engine, EventKind, KeyRole, PlanDetails, PlanPolicy,
    Planned, PlannedFile, PlannedMigration, PlannedTarget, Pseudonym, Revocation, RevocationReason, Role,
    RunPlan, Timestamp, TrustDocument,
};

use crate::chains::{Growing, key, script, trust, trust_file};
use crate::properties::report_of;

fn actor(number: u8) -> Actor {
    let pseudonym: Pseudonym = format!("{number:02x}").repeat(16).parse().unwrap();
    Actor { pseudonym, role: "approver".to_owned() }
}

/// Key 1 is root and signer; keys 2 and 3 may approve.
fn document(version: u64) -> TrustDocument {
    let keys = [
        (&key(1), &[KeyRole::Root, KeyRole::Signer][..]),
        (&key(2), &[KeyRole::Approver][..]),
        (&key(3), &[KeyRole::Approver][..]),
    ];
    trust(version, &keys, 1, 1)
}

pub fn chain() -> Growing {
    Growing::new("approvals", &document(1), &[&key(1)])
}

/// Brings the second trust document.
fn entrust(chain: &mut Growing, change: impl FnOnce(&mut TrustDocument)) {
    let mut document = document(2);
    change(&mut document);
    let files = vec![trust_file(&document)];
    chain.append(EventKind::Trust, Details::Other { schema: None }, files, &[&key(1)]);
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_microseconds(1_767_600_000_000_000 + seconds * 1_000_000).unwrap()
}

/// What the script of a version is.
fn up(version: &str) -> Vec<u8> {
    format!("CREATE TABLE t{version} (id INTEGER);\n").into_bytes()
}

fn run_plan(chain: &Growing, versions: &[&str]) -> RunPlan {
    let migration = |version: &&str| {
        let cid = Cid::of(Codec::Raw, &up(version));
        let (role, name) = (Role::Up, format!("{version}.up.sql"));
        let file = PlannedFile { role, name, cid, size: up(version).len() as u64 };
        PlannedMigration { version: (*version).to_owned(), transaction: true, files: vec![file] }
    };
    RunPlan {
        nonce: "0".repeat(32),
        chain: chain.manifests[0],
        target: PlannedTarget { name: "billing".to_owned(), engine: Engine::Sqlite },
        direction: Direction::Up,
        made_at: at(60),
        expires_at: at(3600),
        author: actor(1),
        policy: PlanPolicy { approvals: 2, four_eyes: true, replicated: false },
        history: Digest::of(b""),
        schema: None,
        migrations: versions.iter().map(migration).collect(),
    }
}

/// The file of a plan, signed by key 1.
fn file_of(plan: &RunPlan) -> Vec<u8> {
    Envelope::sign(encode_plan(plan), &[&key(1)]).unwrap().encode()
}

fn approval_of(chain: &Growing, file: &[u8], by: &PrivateKey, person: u8) -> Vec<u8> {
    let (plan, chain) = (Digest::of(file), chain.manifests[0]);
    let approval = Approval { plan, chain, approver: actor(person), at: at(60) };
    Envelope::sign(encode_approval(&approval), &[by]).unwrap().encode()
}

/// Of the plan of version 1.
fn approval(chain: &Growing, by: &PrivateKey, person: u8) -> Vec<u8> {
    approval_of(chain, &file_of(&run_plan(chain, &["1"])), by, person)
}

/// What the log says of a plan.
fn planned(plan: &RunPlan, file: &[u8]) -> Planned {
    Planned {
        digest: Digest::of(file),
        direction: plan.direction,
        versions: plan.versions(),
        made_at: plan.made_at,
        author: plan.author.clone(),
        author_keys: vec![key(1).public().id()],
        approvals: plan.policy.approvals,
        four_eyes: plan.policy.four_eyes,
        expires_at: Some(plan.expires_at),
    }
}

fn append(chain: &mut Growing, planned: Planned, file: &[u8], approvals: Vec<Vec<u8>>) -> Cid {
    let details = PlanDetails { planned, hooks: Vec::new(), policy: None, commitments: BTreeMap::new() };
    let named =
        |(nth, bytes): (usize, Vec<u8>)| script(Role::Approval, &format!("approval-{nth}.json"), &bytes);
    let mut files: Vec<NewFile> = approvals.into_iter().enumerate().map(named).collect();
    files.push(script(Role::Evidence, "plan.json", file));
    chain.append(EventKind::Plan, Details::Plan(Box::new(details)), files, &[&key(1)])
}

/// Appends a plan of these versions that asks for two approvals, with these.
fn plan(chain: &mut Growing, versions: &[&str], approvals: Vec<Vec<u8>>) -> Cid {
    let plan = run_plan(chain, versions);
    let file = file_of(&plan);
    append(chain, planned(&plan, &file), &file, approvals)
}

/// The same with the approvals that it needs.
pub fn approved(chain: &mut Growing, versions: &[&str]) -> Cid {
    let file = file_of(&run_plan(chain, versions));
    let approvals = [2, 3].map(|one| approval_of(chain, &file, &key(one), one));
    plan(chain, versions, approvals.to_vec())
}

/// Appends an event that says it ran by this plan.
pub fn run(chain: &mut Growing, kind: EventKind, version: &str, plan: Cid) {
    let Details::Migration(mut details) = chain.migration(kind, version, &[]) else { unreachable!() };
    details.plan = Some(plan);
    chain.append(kind, Details::Migration(details), Vec::new(), &[&key(1)]);
}

fn report(chain: &Growing) -> Report {
    report_of(chain, &chain.manifests, chain.map())
}

fn faults(chain: &Growing) -> Vec<Fault> {
    report(chain).findings.into_iter().map(|finding| finding.fault).collect()
}

#[test]
fn a_plan_with_its_approvals_and_what_ran_by_it_verifies() {
    let mut chain = chain();
    let planned = approved(&mut chain, &["1", "2"]);
    run(&mut chain, EventKind::Apply, "1", planned);
    run(&mut chain, EventKind::Apply, "2", planned);
    assert_eq!(faults(&chain), []);
}

#[test]
fn a_plan_that_lacks_approvals_is_found() {
    let reasons = |files: fn(&Growing) -> Vec<Vec<u8>>| {
        let mut chain = chain();
        let files = files(&chain);
        plan(&mut chain, &["1"], files);
        let [Fault::ApprovalsMissing { needed: 2, counted, refused }] = &faults(&chain)[..] else {
            panic!("{:?}", faults(&chain))
        };
        (*counted, refused.join("; "))
    };
    assert_eq!(reasons(|_| Vec::new()), (0, String::new()));
    let (counted, refused) = reasons(|chain| vec![approval(chain, &key(2), 2), approval(chain, &key(2), 3)]);
    assert!(counted == 1 && refused.contains("approved before"), "{refused}");
    let (counted, refused) = reasons(|chain| vec![approval(chain, &key(2), 2), approval(chain, &key(3), 1)]);
    assert!(counted == 1 && refused.contains("four eyes"), "{refused}");
    let (counted, refused) = reasons(|chain| vec![approval(chain, &key(1), 2), approval(chain, &key(9), 3)]);
    assert!(counted == 0 && refused.contains("may not approve"), "{refused}");
    let (counted, refused) = reasons(|_| vec![b"{}".to_vec(), b"no approval".to_vec()]);
    assert!(counted == 0 && refused.contains("it is no approval"), "{refused}");
}

#[test]
fn what_names_a_plan_that_it_is_not_in_is_found() {
    let planned = |chain: &mut Growing| approved(chain, &["1"]);
    let detail = |chain: &Growing| match &faults(chain)[..] {
        [Fault::NotAsPlanned { detail, .. }] => *detail,
        other => panic!("{other:?}"),
    };
    let mut surplus = chain();
    let named = planned(&mut surplus);
    run(&mut surplus, EventKind::Apply, "1", named);
    let mut back = surplus.clone();
    run(&mut surplus, EventKind::Apply, "2", named);
    assert_eq!(detail(&surplus), "the plan has no such version");
    run(&mut back, EventKind::Rollback, "1", named);
    assert_eq!(detail(&back), "the plan is to apply");
    let mut invented = chain();
    let genesis = invented.manifests[0];
    run(&mut invented, EventKind::Apply, "1", genesis);
    assert_eq!(detail(&invented), "no entry before it is that plan");
    // A plan of another program says nothing of what it plans.
    let mut foreign = chain();
    let other = Details::Other { schema: None };
    let named = foreign.append(EventKind::Plan, other, vec![script(Role::Evidence, "p", b"{}")], &[&key(1)]);
    run(&mut foreign, EventKind::Apply, "1", named);
    assert_eq!(faults(&foreign), []);
}

#[test]
fn a_plan_runs_in_its_order_and_once() {
    let detail = |chain: &Growing| match &faults(chain)[..] {
        [Fault::NotAsPlanned { detail, .. }] => *detail,
        other => panic!("{other:?}"),
    };
    let mut early = chain();
    let named = approved(&mut early, &["1", "2"]);
    run(&mut early, EventKind::Apply, "2", named);
    assert_eq!(detail(&early), "another version is before it in the plan");
    let mut twice = chain();
    let named = approved(&mut twice, &["1"]);
    run(&mut twice, EventKind::Apply, "1", named);
    twice.about(EventKind::Rollback, "1", Vec::new(), &[&key(1)]);
    run(&mut twice, EventKind::Apply, "1", named);
    assert_eq!(detail(&twice), "the plan was carried out for it before");
    let mut other = chain();
    let named = approved(&mut other, &["1", "2"]);
    for (version, bytes) in [("1", up("1")), ("2", up("3"))] {
        let files = vec![script(Role::Up, &format!("{version}.up.sql"), &bytes)];
        let Details::Migration(mut details) = other.migration(EventKind::Apply, version, &files) else {
            unreachable!()
        };
        details.plan = Some(named);
        other.append(EventKind::Apply, Details::Migration(details), files, &[&key(1)]);
    }
    assert_eq!(detail(&other), "another script ran than the one that was planned");
}

#[test]
fn a_log_that_says_other_things_than_the_plan_is_found() {
    let detail = |change: fn(&mut Planned), signer: u8| {
        let mut chain = chain();
        let plan = run_plan(&chain, &["1"]);
        let file = Envelope::sign(encode_plan(&plan), &[&key(signer)]).unwrap().encode();
        let approvals = [2, 3].map(|one| approval_of(&chain, &file, &key(one), one)).to_vec();
        let mut said = planned(&plan, &file);
        said.author_keys = vec![key(signer).public().id()];
        change(&mut said);
        append(&mut chain, said, &file, approvals);
        let faults = faults(&chain);
        let differ = |fault: &Fault| match fault {
            Fault::PlanDiffers { detail } => Some(*detail),
            _ => None,
        };
        faults.iter().find_map(differ)
    };
    assert_eq!(detail(|_| (), 1), None);
    for (change, expected) in [
        ((|said| said.versions.push("2".to_owned())) as fn(&mut Planned), "its file has other versions"),
        (|said| said.direction = Direction::Down, "its file has another direction"),
        (|said| said.expires_at = Some(at(7200)), "its file has other times"),
        (|said| said.author = actor(9), "its file names another author"),
        (|said| said.author_keys = vec![key(9).public().id()], "its file is signed by other keys"),
        (|said| said.approvals = 0, "its file asks for more approvals"),
        (|said| said.four_eyes = false, "its file asks for four eyes"),
        (|said| said.digest = Digest::of(b"other"), "its file is not the one that was approved"),
        (|said| said.author_keys.clear(), "its file cannot be read"),
    ] {
        assert_eq!(detail(change, 1), Some(expected));
    }
    assert_eq!(detail(|_| (), 9), Some("it is not signed by a key of the trust document"));
    let mut late = chain();
    let plan = RunPlan { expires_at: at(61), ..run_plan(&late, &["1"]) };
    let file = file_of(&plan);
    let approvals = [2, 3].map(|one| approval_of(&late, &file, &key(one), one)).to_vec();
    append(&mut late, planned(&plan, &file), &file, approvals);
    assert_eq!(faults(&late), [Fault::PlanDiffers { detail: "it had expired when it was archived" }]);
}

#[test]
fn what_the_trust_document_asks_for_is_asked_whatever_a_log_says() {
    let mut chain = chain();
    chain.apply("1");
    entrust(&mut chain, |document| document.thresholds.approver = 2);
    let plan = RunPlan { policy: PlanPolicy::default(), ..run_plan(&chain, &["2"]) };
    let file = file_of(&plan);
    append(&mut chain, planned(&plan, &file), &file, Vec::new());
    chain.apply("3");
    let refused = Vec::new();
    let unplanned = Fault::Unplanned { version: "3".to_owned(), needed: 2 };
    assert_eq!(faults(&chain), [Fault::ApprovalsMissing { needed: 2, counted: 0, refused }, unplanned]);
}

#[test]
fn what_a_stolen_key_approved_falls_and_what_it_approved_before_stays() {
    let stolen = |since| {
        let mut chain = chain();
        approved(&mut chain, &["1"]);
        let reason = RevocationReason::Compromised;
        entrust(&mut chain, |document| {
            document.revoked = vec![Revocation { key: key(2).public().id(), since, reason }];
        });
        faults(&chain)
    };
    let keyid = key(2).public().id();
    assert_eq!(stolen(1), [Fault::ApproverCompromised { keyid, since: 1, entry: 2 }]);
    assert_eq!(stolen(2), []);
}
