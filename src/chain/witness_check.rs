//! Whether the witnesses that a policy asks for cosigned the checkpoint (FORMAT §9, step 7).

use super::finding::{Fault, Whose};
use super::report::Cosigned;
use super::verify::Verifier;
use crate::codec::note::Note;
use crate::codec::policy::{Policy, PolicyWitness};
use crate::codec::vkey::VkeyVerdict;

impl Verifier {
    /// Judges the policy of the trust document in force, and the verifier's own. `note`: the checkpoint, where there is
    /// one; whether it is that of the entries is said elsewhere.
    pub(super) fn check_cosignatures(&mut self, note: Option<&Note>) {
        let Some(trust) = &self.story.trust else { return };
        let mut policies = Vec::new();
        match Policy::of_trust(&trust.policy) {
            Ok(policy) => policies.push((Whose::TrustDocument, policy)),
            Err(error) => {
                let fault = Fault::PolicyMalformed { whose: Whose::TrustDocument, detail: error.to_string() };
                self.find(None, fault);
            }
        }
        policies.extend(self.options.policy.take().map(|policy| (Whose::Verifier, policy)));
        let before = self.findings.len();
        for (whose, policy) in &policies {
            self.check_policy(*whose, policy, note);
        }
        let asked = policies.iter().any(|(_, policy)| policy.asks());
        self.witnessed = asked && self.findings.len() == before;
    }

    /// A line by a key that the policy names has to be good, also beside as many good ones as are asked for. Lines by
    /// other keys are nobody's.
    fn check_policy(&mut self, whose: Whose, policy: &Policy, note: Option<&Note>) {
        let mut cosigned = Vec::with_capacity(policy.witnesses.len());
        for witness in &policy.witnesses {
            let verdict = note.map_or(VkeyVerdict::Absent, |note| witness.vkey.verify(note));
            cosigned.push(matches!(verdict, VkeyVerdict::Valid { .. }));
            match verdict {
                VkeyVerdict::Absent => {}
                VkeyVerdict::Invalid => {
                    let (name, vkey) = (witness.name.clone(), witness.vkey.to_string());
                    let fault = Fault::CosignatureInvalid { witness: name, vkey };
                    if !self.findings.iter().any(|finding| finding.fault == fault) {
                        self.find(None, fault);
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
            self.find(None, Fault::QuorumUnmet { whose, cosigned: names(did), missing: names(did_not) });
        }
    }

    fn keep_witness(&mut self, witness: &PolicyWitness, times: &[u64]) {
        let cosigned = Cosigned::of(&witness.name, &witness.vkey, times);
        if !self.witnesses.iter().any(|known| known.vkey == cosigned.vkey) {
            self.witnesses.push(cosigned);
        }
    }
}
