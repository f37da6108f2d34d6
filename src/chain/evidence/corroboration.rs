//! What others say of the checkpoint that evidence is proved under: witnesses in its note, timestamp authorities in its
//! head. Judged by the newest trust document that is shown, with nothing fetched.

use super::Judge;
use crate::chain::finding::Fault;
use crate::chain::report::TimeInterval;
use crate::chain::timestamp::{Authority, Stamped, TOKENS_LIMIT, imprints_of, verify_token};
use crate::chain::verify::Options;
use crate::chain::witness_check::Witnessing;
use crate::codec::note::Note;
use crate::model::{Checkpoint, Timestamp, TrustDocument};

/// What others vouch for.
#[derive(Default)]
pub(super) struct Vouched {
    pub witnessing: Witnessing,
    pub stamped: Vec<Stamped>,
    pub timestamped: bool,
}

impl Vouched {
    /// When the entry was made, which says that it ended at a time.
    pub fn time(&self, finished_at: Option<Timestamp>) -> TimeInterval {
        TimeInterval::of(finished_at, &self.stamped, &self.witnessing.witnesses)
    }
}

/// The roots of a trust document as one file that other programs read.
#[must_use]
pub fn authorities_pem(trust: &TrustDocument) -> Vec<u8> {
    let lines = trust.authorities.iter().map(|pem| format!("{}\n", pem.trim_end()));
    lines.collect::<String>().into_bytes()
}

impl<E> Judge<'_, '_, E> {
    /// Judges cosignatures and timestamps. `tokens`: those of the head, where one is shown that has the checkpoint.
    pub(super) fn judge_others(&mut self, options: &Options, tokens: &[Vec<u8>]) -> Vouched {
        let Some((note, checkpoint)) = self.checkpoint.clone() else { return Vouched::default() };
        let Some(trust) = self.story.trust.clone() else { return Vouched::default() };
        let mut witnessing = Witnessing::judge(&trust.policy, options.policy.as_ref(), Some(&note));
        for fault in std::mem::take(&mut witnessing.faults) {
            self.find(None, None, fault);
        }
        self.judge_files(&trust, tokens);
        let stamped = self.judge_tokens(&trust, &note, &checkpoint, tokens);
        let timestamped = !stamped.is_empty() && stamped.len() == tokens.len();
        Vouched { witnessing, stamped, timestamped }
    }

    /// The files beside the blocks are what the head and the trust document have.
    fn judge_files(&mut self, trust: &TrustDocument, tokens: &[Vec<u8>]) {
        let evidence = self.evidence;
        let mut differ = |what, detail| self.find(None, None, Fault::EvidenceDiffers { what, detail });
        if evidence.timestamps != tokens[..tokens.len().min(TOKENS_LIMIT)] {
            differ("a timestamp", "it is not the one of the head at its place");
        }
        let expected = if tokens.is_empty() { Vec::new() } else { authorities_pem(trust) };
        if evidence.authorities != expected {
            differ("the authorities' certificates", "they are not those of the trust document");
        }
    }

    fn judge_tokens(
        &mut self,
        trust: &TrustDocument,
        note: &Note,
        checkpoint: &Checkpoint,
        tokens: &[Vec<u8>],
    ) -> Vec<Stamped> {
        if tokens.len() > TOKENS_LIMIT {
            self.find(None, None, Fault::TimestampsTooMany { count: tokens.len() });
            return Vec::new();
        }
        let imprints = imprints_of(note, &self.chain(), checkpoint.size.saturating_sub(1), trust);
        let authorities = Authority::of_trust(&trust.authorities);
        let (newest, tolerance) = (self.newest, self.story.tolerance);
        let mut stamped = Vec::new();
        for (token, bytes) in tokens.iter().enumerate() {
            let judged = verify_token(bytes, &imprints, &authorities);
            match judged.and_then(|found| found.not_before(newest, tolerance)) {
                Ok(found) => stamped.push(found),
                Err(fault) => self.find(None, None, Fault::Timestamp { token, fault }),
            }
        }
        stamped
    }
}
