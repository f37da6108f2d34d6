//! Plans and approvals as an auditor meets them: what a chain says of them is counted again.

use std::collections::BTreeMap;

use greffe::chain::{Fault, NewFile, Report};
use greffe::codec::dsse::Envelope;
use greffe::codec::plan::encode_approval;
use greffe::crypto::{Digest, PrivateKey};
use greffe::model::{
    Actor, Approval, Cid, Details, Direction, EventKind, KeyRole, PlanDetails, Planned, Pseudonym, Role,
    Timestamp,
};

use crate::chains::{Growing, key, script, trust};
use crate::properties::report_of;

const PLAN: &[u8] = b"{}";

fn actor(number: u8) -> Actor {
    let pseudonym: Pseudonym = format!("{number:02x}").repeat(16).parse().unwrap();
    Actor { pseudonym, role: "approver".to_owned() }
}

/// A chain of the key of seed 1; keys 2 and 3 may approve.
fn chain() -> Growing {
    let keys = [
        (&key(1), &[KeyRole::Root, KeyRole::Signer][..]),
        (&key(2), &[KeyRole::Approver][..]),
        (&key(3), &[KeyRole::Approver][..]),
    ];
    Growing::new("approvals", &trust(1, &keys, 1, 1), &[&key(1)])
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_microseconds(1_767_600_000_000_000 + seconds * 1_000_000).unwrap()
}

fn approval(chain: &Growing, by: &PrivateKey, person: u8) -> Vec<u8> {
    let (plan, chain) = (Digest::of(PLAN), chain.manifests[0]);
    let approval = Approval { plan, chain, approver: actor(person), at: at(60) };
    Envelope::sign(encode_approval(&approval), &[by]).unwrap().encode()
}

/// Appends a plan of these versions that says it needs two approvals, with these.
fn plan(chain: &mut Growing, versions: &[&str], approvals: Vec<Vec<u8>>) -> Cid {
    let details = PlanDetails {
        planned: Planned {
            digest: Digest::of(PLAN),
            direction: Direction::Up,
            versions: versions.iter().map(|version| (*version).to_owned()).collect(),
            made_at: at(60),
            author: actor(1),
            author_keys: vec![key(1).public().id()],
            approvals: 2,
            four_eyes: true,
            expires_at: Some(at(3600)),
        },
        hooks: Vec::new(),
        policy: None,
        commitments: BTreeMap::new(),
    };
    let named =
        |(nth, bytes): (usize, Vec<u8>)| script(Role::Approval, &format!("approval-{nth}.json"), &bytes);
    let mut files: Vec<NewFile> = approvals.into_iter().enumerate().map(named).collect();
    files.push(script(Role::Evidence, "plan.json", PLAN));
    chain.append(EventKind::Plan, Details::Plan(Box::new(details)), files, &[&key(1)])
}

/// Appends an event that says it ran by this plan.
fn run(chain: &mut Growing, kind: EventKind, version: &str, plan: Cid) {
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
    let approvals = vec![approval(&chain, &key(2), 2), approval(&chain, &key(3), 3)];
    let planned = plan(&mut chain, &["1", "2"], approvals);
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
    let planned = |chain: &mut Growing| {
        let approvals = vec![approval(chain, &key(2), 2), approval(chain, &key(3), 3)];
        plan(chain, &["1"], approvals)
    };
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
    let named = foreign.append(EventKind::Plan, other, vec![script(Role::Evidence, "p", PLAN)], &[&key(1)]);
    run(&mut foreign, EventKind::Apply, "1", named);
    assert_eq!(faults(&foreign), []);
}
