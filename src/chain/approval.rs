//! Which approvals of a plan count: by keys that may approve at that entry, of that very plan, each person once, and
//! nobody of what he made himself where four eyes are asked for.

use std::collections::HashSet;

use serde::Serialize;

use crate::codec::dsse::Envelope;
use crate::codec::plan::{PlanFileError, decode_approval};
use crate::crypto::{Digest, KeyId};
use crate::model::{Approval, Approver, Cid, KeyRole, Planned, Pseudonym, Timestamp, TrustDocument};

/// More approvals are not looked at; a bound on work, far above what any policy asks for.
const LIMIT: usize = 64;

/// Why an approval does not count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(tag = "code", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum ApprovalFault {
    #[error("it is no approval: {0}")]
    Unreadable(#[serde(serialize_with = "as_text")] PlanFileError),
    #[error("it is of another plan: sha256:{found}")]
    OtherPlan { found: Digest },
    #[error("it is for another chain: {found}")]
    OtherChain { found: Cid },
    #[error("it was given at {at}, before the plan was made")]
    BeforePlan { at: Timestamp },
    #[error("it was given at {at}, when the plan had expired")]
    AfterExpiry { at: Timestamp },
    #[error("the signature by key {keyid} is not over it")]
    BadSignature { keyid: KeyId },
    #[error("key {keyid} is revoked")]
    Revoked { keyid: KeyId },
    #[error("key {keyid} may not approve: the trust document does not list it as `approver`")]
    NotApprover { keyid: KeyId },
    #[error("key {keyid} made the plan, and four eyes are asked for")]
    AuthorKey { keyid: KeyId },
    #[error("who made the plan approved it, and four eyes are asked for")]
    Author,
    #[error("the same key or person approved before")]
    Twice,
    #[error("it is the approval after the {LIMIT}th, and no more are looked at")]
    TooMany,
}

fn as_text<S: serde::Serializer>(error: &PlanFileError, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(error)
}

/// What approvals come to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct JudgedApprovals {
    /// Those that count.
    pub approvers: Vec<Approver>,
    /// Why others do not, in the order in which they were given.
    pub refused: Vec<ApprovalFault>,
}

impl JudgedApprovals {
    /// How many count.
    #[must_use]
    pub fn count(&self) -> u32 {
        u32::try_from(self.approvers.len()).unwrap_or(u32::MAX)
    }
}

/// Judges the files of approvals of `planned` under the trust document in force at entry `seq` of `chain`.
#[must_use]
pub fn judge_approvals(
    trust: &TrustDocument,
    seq: u64,
    chain: &Cid,
    planned: &Planned,
    files: &[Vec<u8>],
) -> JudgedApprovals {
    let mut judged = JudgedApprovals::default();
    let (mut keys, mut people): (HashSet<KeyId>, HashSet<Pseudonym>) = (HashSet::new(), HashSet::new());
    for (nth, file) in files.iter().enumerate() {
        if nth >= LIMIT {
            judged.refused.push(ApprovalFault::TooMany);
            break;
        }
        let counted = judge(trust, seq, chain, planned, file).and_then(|(approver, signed)| {
            let again =
                people.contains(&approver.actor.pseudonym) || signed.iter().any(|key| keys.contains(key));
            if again { Err(ApprovalFault::Twice) } else { Ok((approver, signed)) }
        });
        match counted {
            Ok((approver, signed)) => {
                people.insert(approver.actor.pseudonym);
                keys.extend(signed);
                judged.approvers.push(approver);
            }
            Err(fault) => judged.refused.push(fault),
        }
    }
    judged
}

fn judge(
    trust: &TrustDocument,
    seq: u64,
    chain: &Cid,
    planned: &Planned,
    file: &[u8],
) -> Result<(Approver, Vec<KeyId>), ApprovalFault> {
    let (approval, envelope) = decode_approval(file).map_err(ApprovalFault::Unreadable)?;
    require_same(&approval, chain, planned)?;
    let signed = signers(trust, seq, &envelope)?;
    let keyid = *signed.first().ok_or(PlanFileError::Subjects).map_err(ApprovalFault::Unreadable)?;
    if planned.four_eyes {
        if let Some(keyid) = signed.iter().find(|key| planned.author_keys.contains(key)) {
            return Err(ApprovalFault::AuthorKey { keyid: *keyid });
        }
        if approval.approver.pseudonym == planned.author.pseudonym {
            return Err(ApprovalFault::Author);
        }
    }
    Ok((Approver { keyid, actor: approval.approver, at: approval.at }, signed))
}

fn require_same(approval: &Approval, chain: &Cid, planned: &Planned) -> Result<(), ApprovalFault> {
    if approval.plan != planned.digest {
        return Err(ApprovalFault::OtherPlan { found: approval.plan });
    }
    if approval.chain != *chain {
        return Err(ApprovalFault::OtherChain { found: approval.chain });
    }
    let at = approval.at;
    if at.as_microseconds().saturating_add(TOLERANCE) < planned.made_at.as_microseconds() {
        return Err(ApprovalFault::BeforePlan { at });
    }
    if planned.expires_at.is_some_and(|end| end < at) {
        return Err(ApprovalFault::AfterExpiry { at });
    }
    Ok(())
}

/// By how many microseconds the clocks of author and approver may differ (FORMAT §9).
const TOLERANCE: i64 = 5_000_000;

/// The keys that signed; each of them has to be one that may approve.
fn signers(trust: &TrustDocument, seq: u64, envelope: &Envelope) -> Result<Vec<KeyId>, ApprovalFault> {
    let message = envelope.message();
    let mut signed = Vec::new();
    for (keyid, signature) in &envelope.signatures {
        let keyid = *keyid;
        let known = trust.keys.get(&keyid).ok_or(ApprovalFault::NotApprover { keyid })?;
        if !known.public.verify(&message, signature) {
            return Err(ApprovalFault::BadSignature { keyid });
        }
        if !known.roles.contains(&KeyRole::Approver) {
            return Err(ApprovalFault::NotApprover { keyid });
        }
        trust.key_for(&keyid, KeyRole::Approver, seq).ok_or(ApprovalFault::Revoked { keyid })?;
        signed.push(keyid);
    }
    Ok(signed)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::codec::plan::encode_approval;
    use crate::crypto::{PrivateKey, Signer};
    use crate::model::{Actor, Codec, Direction, Revocation, RevocationReason, Thresholds, TrustedKey};

    const SEQ: u64 = 7;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_microseconds(1_700_000_000_000_000 + seconds * 1_000_000).unwrap()
    }

    fn actor() -> Actor {
        Actor { pseudonym: Pseudonym::generate(), role: "dba".to_owned() }
    }

    struct Case {
        trust: TrustDocument,
        planned: Planned,
        chain: Cid,
        author: PrivateKey,
        approvers: Vec<PrivateKey>,
    }

    impl Case {
        fn new() -> Self {
            let author = PrivateKey::generate();
            let approvers: Vec<PrivateKey> = (0..3).map(|_| PrivateKey::generate()).collect();
            let listed = |key: &PrivateKey, roles: &[KeyRole]| {
                let key = TrustedKey { public: *key.public(), roles: roles.to_vec(), label: "x".to_owned() };
                (key.public.id(), key)
            };
            let mut keys: BTreeMap<KeyId, TrustedKey> =
                approvers.iter().map(|key| listed(key, &[KeyRole::Approver])).collect();
            keys.extend([listed(&author, &[KeyRole::Signer, KeyRole::Approver])]);
            let trust = TrustDocument {
                version: 1,
                name: "app".parse().unwrap(),
                keys,
                thresholds: Thresholds { root: 1, signer: 1, approver: 0 },
                revoked: Vec::new(),
                policy: String::new(),
                authorities: Vec::new(),
            };
            let planned = Planned {
                digest: Digest::of(b"plan"),
                direction: Direction::Up,
                versions: vec!["0001".to_owned()],
                made_at: at(0),
                author: actor(),
                author_keys: vec![author.public().id()],
                approvals: 2,
                four_eyes: true,
                expires_at: Some(at(100)),
            };
            let chain = Cid::of(Codec::DagCbor, b"chain");
            Self { trust, planned, chain, author, approvers }
        }

        fn approval(&self, approver: Actor, when: i64) -> Approval {
            Approval { plan: self.planned.digest, chain: self.chain, approver, at: at(when) }
        }

        fn refused(&self, files: &[Vec<u8>]) -> (u32, Vec<ApprovalFault>) {
            let judged = judge_approvals(&self.trust, SEQ, &self.chain, &self.planned, files);
            (judged.count(), judged.refused)
        }
    }

    fn signed(approval: &Approval, key: &PrivateKey) -> Vec<u8> {
        Envelope::sign(encode_approval(approval), &[key]).unwrap().encode()
    }

    #[test]
    fn different_people_count_and_one_person_once() {
        let case = Case::new();
        let [one, two] = [actor(), actor()];
        let first = signed(&case.approval(one.clone(), 1), &case.approvers[0]);
        let second = signed(&case.approval(two, 2), &case.approvers[1]);
        assert_eq!(case.refused(&[first.clone(), second.clone()]), (2, vec![]));
        // The same file, the same key by another name, the same person by another key.
        let by_key = signed(&case.approval(actor(), 3), &case.approvers[0]);
        let by_person = signed(&case.approval(one, 3), &case.approvers[2]);
        for again in [first.clone(), by_key, by_person] {
            assert_eq!(case.refused(&[first.clone(), again]), (1, vec![ApprovalFault::Twice]));
        }
    }

    #[test]
    fn another_plan_another_chain_and_another_time_do_not_count() {
        let case = Case::new();
        let key = &case.approvers[0];
        let fault = |approval: &Approval| case.refused(&[signed(approval, key)]).1.remove(0);
        let found = Digest::of(b"other");
        assert_eq!(
            fault(&Approval { plan: found, ..case.approval(actor(), 1) }),
            ApprovalFault::OtherPlan { found }
        );
        let found = Cid::of(Codec::DagCbor, b"other");
        assert_eq!(
            fault(&Approval { chain: found, ..case.approval(actor(), 1) }),
            ApprovalFault::OtherChain { found }
        );
        assert_eq!(fault(&case.approval(actor(), -60)), ApprovalFault::BeforePlan { at: at(-60) });
        assert_eq!(fault(&case.approval(actor(), 101)), ApprovalFault::AfterExpiry { at: at(101) });
        // Clocks of two people differ a little.
        assert_eq!(case.refused(&[signed(&case.approval(actor(), -4), key)]).0, 1);
    }

    #[test]
    fn only_keys_that_may_approve_there_count() {
        let mut case = Case::new();
        let stranger = PrivateKey::generate();
        let keyid = stranger.public().id();
        let file = signed(&case.approval(actor(), 1), &stranger);
        assert_eq!(case.refused(&[file]).1, [ApprovalFault::NotApprover { keyid }]);
        let keyid = case.approvers[0].public().id();
        case.trust.keys.get_mut(&keyid).unwrap().roles = vec![KeyRole::Root, KeyRole::Signer];
        let file = signed(&case.approval(actor(), 1), &case.approvers[0]);
        assert_eq!(case.refused(&[file]).1, [ApprovalFault::NotApprover { keyid }]);
        let keyid = case.approvers[1].public().id();
        let file = signed(&case.approval(actor(), 1), &case.approvers[1]);
        let revoked = |since| vec![Revocation { key: keyid, since, reason: RevocationReason::Compromised }];
        case.trust.revoked = revoked(SEQ);
        assert_eq!(case.refused(std::slice::from_ref(&file)).1, [ApprovalFault::Revoked { keyid }]);
        case.trust.revoked = revoked(SEQ + 1);
        assert_eq!(case.refused(&[file]).0, 1);
    }

    #[test]
    fn nobody_approves_what_he_made_where_four_eyes_are_asked() {
        let mut case = Case::new();
        let keyid = case.author.public().id();
        let by_key = signed(&case.approval(actor(), 1), &case.author);
        let by_name = signed(&case.approval(case.planned.author.clone(), 1), &case.approvers[0]);
        assert_eq!(case.refused(std::slice::from_ref(&by_key)).1, [ApprovalFault::AuthorKey { keyid }]);
        assert_eq!(case.refused(std::slice::from_ref(&by_name)).1, [ApprovalFault::Author]);
        case.planned.four_eyes = false;
        assert_eq!(case.refused(&[by_key, by_name]).0, 2);
    }

    #[test]
    fn a_changed_approval_and_surplus_ones_are_refused() {
        let case = Case::new();
        let key = &case.approvers[0];
        let keyid = key.public().id();
        let mut envelope =
            Envelope::sign(encode_approval(&case.approval(actor(), 1)), &[key as &dyn Signer]).unwrap();
        envelope.payload = encode_approval(&case.approval(actor(), 1));
        assert_eq!(case.refused(&[envelope.encode()]).1, [ApprovalFault::BadSignature { keyid }]);
        assert!(matches!(case.refused(&[b"{}".to_vec()]).1[0], ApprovalFault::Unreadable(_)));
        let many = vec![signed(&case.approval(actor(), 1), key); LIMIT + 9];
        let (counted, refused) = case.refused(&many);
        assert_eq!((counted, refused.len(), refused.last()), (1, LIMIT, Some(&ApprovalFault::TooMany)));
    }
}
