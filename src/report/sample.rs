//! Draws changes so that whoever audits can draw them again: all changes are put in the order of
//! `SHA-256(seed ‖ LF ‖ CID)`, where the CID is that of the entry's manifest as text, and the first ones are taken.
//!
//! Nobody who wrote the chain knew the seed, if the auditor chose it; and a seed that is known beforehand cannot be played
//! to, for it would take another manifest, whose CID everybody sees.
//!
//! ```sh
//! printf '%s\n%s' SEED CID | sha256sum
//! ```

use serde::Serialize;

use crate::crypto::Digest;
use crate::model::Cid;

/// How it is drawn, as the document names it.
pub const ALGORITHM: &str = "sha256(seed LF manifest-cid), ascending";

/// A sample.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Sample {
    pub algorithm: &'static str,
    pub seed: String,
    /// How many were asked for.
    pub asked: u64,
    /// Out of how many they were drawn.
    pub of: u64,
    /// In the order in which they were drawn.
    pub drawn: Vec<Drawn>,
}

/// One change that was drawn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Drawn {
    pub seq: u64,
    pub manifest: Cid,
    /// What put it in its place.
    pub digest: Digest,
}

/// Draws `asked` of the changes, or all where there are no more.
#[must_use]
pub fn draw(changes: &[(u64, Cid)], asked: u64, seed: &str) -> Sample {
    let digest = |manifest: &Cid| Digest::of(format!("{seed}\n{manifest}").as_bytes());
    let mut drawn: Vec<Drawn> = changes
        .iter()
        .map(|(seq, manifest)| Drawn { seq: *seq, manifest: *manifest, digest: digest(manifest) })
        .collect();
    drawn.sort_by_key(|one| (one.digest, one.seq));
    drawn.truncate(usize::try_from(asked).unwrap_or(usize::MAX));
    Sample { algorithm: ALGORITHM, seed: seed.to_owned(), asked, of: changes.len() as u64, drawn }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Codec;

    fn changes(count: u64) -> Vec<(u64, Cid)> {
        (0..count).map(|seq| (seq, Cid::of(Codec::DagCbor, &seq.to_be_bytes()))).collect()
    }

    fn numbers(sample: &Sample) -> Vec<u64> {
        sample.drawn.iter().map(|one| one.seq).collect()
    }

    #[test]
    fn the_same_seed_draws_the_same_whatever_the_order() {
        let mut all = changes(200);
        let first = draw(&all, 25, "2026-Q1");
        assert_eq!((first.drawn.len(), first.of), (25, 200));
        all.reverse();
        assert_eq!(draw(&all, 25, "2026-Q1"), first);
        assert_ne!(numbers(&draw(&all, 25, "2026-Q2")), numbers(&first));
        // A larger sample holds the smaller one.
        assert_eq!(numbers(&draw(&all, 40, "2026-Q1"))[..25], numbers(&first));
    }

    #[test]
    fn the_digest_is_that_of_seed_line_end_and_cid() {
        let all = changes(3);
        let sample = draw(&all, 9, "s");
        assert_eq!(sample.drawn.len(), 3);
        for one in &sample.drawn {
            assert_eq!(one.digest, Digest::of(format!("s\n{}", one.manifest).as_bytes()));
        }
        assert!(sample.drawn.is_sorted_by_key(|one| one.digest));
        assert!(draw(&all, 0, "s").drawn.is_empty() && draw(&[], 25, "s").drawn.is_empty());
    }
}
