//! Whether the witnesses that policies ask for cosigned a checkpoint (FORMAT §9, step 7).

use super::finding::{Fault, Whose};
use super::report::Cosigned;
use super::verify::Verifier;
use crate::codec::note::Note;
use crate::codec::policy::{Policy, PolicyWitness};
use crate::codec::vkey::{Vkey, VkeyVerdict};

/// What the lines of a note say by the policies of those who ask.
#[derive(Clone, Debug, Default)]
pub struct Witnessing {
    /// Who cosigned, of the witnesses that a policy names.
    pub witnesses: Vec<Cosigned>,
    /// What is wrong, each once.
    pub faults: Vec<Fault>,
    /// Whether a policy asks for cosignatures, and they are there.
    pub witnessed: bool,
    /// Lines by keys that a policy names.
    pub lines: usize,
    /// These keys.
    judged: Vec<Vkey>,
}

impl Witnessing {
    /// Judges a note by the policy of a trust document, and by a verifier's own. `note`: the checkpoint's, where there is
    /// one; whether it is that of the entries is said elsewhere.
    #[must_use]
    pub fn judge(of_trust: &str, own: Option<&Policy>, note: Option<&Note>) -> Self {
        let (mut judged, mut policies) = (Self::default(), Vec::new());
        match Policy::of_trust(of_trust) {
            Ok(policy) => policies.push((Whose::TrustDocument, policy)),
            Err(error) => {
                let (whose, detail) = (Whose::TrustDocument, error.to_string());
                judged.faults.push(Fault::PolicyMalformed { whose, detail });
            }
        }
        policies.extend(own.map(|policy| (Whose::Verifier, policy.clone())));
        let before = judged.faults.len();
        for (whose, policy) in &policies {
            judged.judge_policy(*whose, policy, note);
        }
        let asked = policies.iter().any(|(_, policy)| policy.asks());
        judged.witnessed = asked && judged.faults.len() == before;
        judged
    }

    /// A line by a key that the policy names has to be good, also beside as many good ones as are asked for. Lines by
    /// other keys are nobody's.
    fn judge_policy(&mut self, whose: Whose, policy: &Policy, note: Option<&Note>) {
        let mut cosigned = Vec::with_capacity(policy.witnesses.len());
        for witness in &policy.witnesses {
            let verdict = note.map_or(VkeyVerdict::Absent, |note| witness.vkey.verify(note));
            cosigned.push(matches!(verdict, VkeyVerdict::Valid { .. }));
            self.count_lines(&witness.vkey, note);
            match verdict {
                VkeyVerdict::Absent => {}
                VkeyVerdict::Invalid => {
                    let (name, vkey) = (witness.name.clone(), witness.vkey.to_string());
                    let fault = Fault::CosignatureInvalid { witness: name, vkey };
                    if !self.faults.contains(&fault) {
                        self.faults.push(fault);
                    }
                }
                VkeyVerdict::Valid { times } => self.keep_witness(witness, &times),
            }
        }
        if !policy.is_met(|place| cosigned[place]) {
            let (did, did_not): (Vec<_>, Vec<_>) =
                policy.witnesses.iter().zip(&cosigned).partition(|(_, cosigned)| **cosigned);
            let names = |witnesses: Vec<(&PolicyWitness, _)>| {
                witnesses.iter().map(|(witness, _)| witness.name.clone()).collect()
            };
            self.faults.push(Fault::QuorumUnmet { whose, cosigned: names(did), missing: names(did_not) });
        }
    }

    fn count_lines(&mut self, vkey: &Vkey, note: Option<&Note>) {
        if !self.judged.contains(vkey) {
            self.lines += note.map_or(0, |note| vkey.lines(note).count());
            self.judged.push(vkey.clone());
        }
    }

    fn keep_witness(&mut self, witness: &PolicyWitness, times: &[u64]) {
        let cosigned = Cosigned::of(&witness.name, &witness.vkey, times);
        if !self.witnesses.iter().any(|known| known.vkey == cosigned.vkey) {
            self.witnesses.push(cosigned);
        }
    }
}

impl Verifier {
    /// Judges the policy of the trust document in force, and the verifier's own.
    pub(super) fn check_cosignatures(&mut self, note: Option<&Note>) {
        let Some(trust) = &self.story.trust else { return };
        let own = self.options.policy.take();
        let judged = Witnessing::judge(&trust.policy, own.as_ref(), note);
        judged.faults.into_iter().for_each(|fault| self.find(None, fault));
        self.witnesses = judged.witnesses;
        self.witnessed = judged.witnessed;
    }
}
