//! What a run is given to keep to: the file of a plan, and approvals of it.

use std::time::Duration;

use super::error::ClearanceError;
use crate::codec::dsse::Envelope;
use crate::codec::plan::decode_plan;
use crate::crypto::{Digest, KeyId};
use crate::model::{PlanPolicy, Planned, RunPlan, TrustDocument};
use crate::store::remote::NamedReplica;

/// What a run was given to keep to.
#[derive(Default)]
pub struct Given {
    pub plan: Option<GivenPlan>,
    /// The files of approvals.
    pub approvals: Vec<Vec<u8>>,
    /// Where a plan is brought to before anything runs, where that is asked for.
    pub replicas: Vec<NamedReplica>,
    /// How many of them must have it; `0`: all.
    pub required: usize,
    /// How long to wait for each.
    pub deadline: Duration,
}

/// The file of a plan, read.
pub struct GivenPlan {
    pub(super) file: Vec<u8>,
    pub plan: RunPlan,
    envelope: Envelope,
}

impl GivenPlan {
    /// Reads a plan; what it is worth is judged when it is used.
    ///
    /// # Errors
    /// [`ClearanceError::Unreadable`].
    pub fn read(file: Vec<u8>) -> Result<Self, ClearanceError> {
        let (plan, envelope) = decode_plan(&file)?;
        Ok(Self { file, plan, envelope })
    }

    /// SHA-256 of the file, which approvals are about.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(&self.file)
    }

    /// What of it is public.
    #[must_use]
    pub fn planned(&self, policy: PlanPolicy) -> Planned {
        Planned {
            digest: self.digest(),
            direction: self.plan.direction,
            versions: self.plan.versions(),
            made_at: self.plan.made_at,
            author: self.plan.author.clone(),
            author_keys: self.envelope.signatures.iter().map(|(keyid, _)| *keyid).collect(),
            approvals: policy.approvals,
            four_eyes: policy.four_eyes,
            expires_at: Some(self.plan.expires_at),
        }
    }

    /// Whether it was signed by keys of this trust document that count at entry `seq`.
    ///
    /// # Errors
    /// [`ClearanceError::BadSignature`] and [`ClearanceError::UnknownAuthor`].
    pub fn require_author(&self, trust: &TrustDocument, seq: u64) -> Result<(), ClearanceError> {
        let message = self.envelope.message();
        for (keyid, signature) in &self.envelope.signatures {
            let keyid = *keyid;
            let counts = |known: &KeyId| {
                !trust.revoked.iter().any(|revoked| revoked.key == *known && revoked.since <= seq)
            };
            let key = trust.keys.get(&keyid).filter(|_| counts(&keyid));
            let key = key.ok_or(ClearanceError::UnknownAuthor { keyid })?;
            if !key.public.verify(&message, signature) {
                return Err(ClearanceError::BadSignature { keyid });
            }
        }
        Ok(())
    }
}
