//! Whether the CAR of a source is worth reading on.

use std::time::Duration;

use tokio::time::Instant;

use crate::store::remote::RemoteError;

/// A source's CAR is cut off after so many blocks that nobody wants, or so many bytes of them.
const SURPLUS_BLOCKS: u64 = 16 << 10;
const SURPLUS_BYTES: u64 = 64 << 20;
/// Useful blocks and bytes that a CAR may bring while the block that is wanted most does not come; it may have come
/// and gone.
const AHEAD_BLOCKS: u64 = 512;
const AHEAD_BYTES: u64 = 8 << 20;
/// What a CAR brings at least in the time that a request may take.
const SLOWEST_BLOCKS: u64 = 16;
const SLOWEST_BYTES: u64 = 64 << 10;
/// Whether a CAR is worth reading on.
pub(super) struct Watch {
    limit: Duration,
    /// Blocks that were wanted.
    pub(super) useful: u64,
    surplus_blocks: u64,
    surplus_bytes: u64,
    /// What of use came since the block that is wanted most did not.
    ahead_blocks: u64,
    ahead_bytes: u64,
    since: Instant,
    /// What was useful since then.
    recent_blocks: u64,
    recent_bytes: u64,
}

impl Watch {
    pub(super) fn new(limit: Duration) -> Self {
        Self {
            limit,
            useful: 0,
            surplus_blocks: 0,
            surplus_bytes: 0,
            ahead_blocks: 0,
            ahead_bytes: 0,
            since: Instant::now(),
            recent_blocks: 0,
            recent_bytes: 0,
        }
    }

    pub(super) const fn use_block(&mut self, size: u64) {
        self.useful += 1;
        self.recent_blocks += 1;
        self.recent_bytes += size;
        self.ahead_blocks += 1;
        self.ahead_bytes += size;
    }

    /// A block that came before it was wanted is so after all.
    pub(super) const fn reuse_block(&mut self, size: u64) {
        self.surplus_blocks = self.surplus_blocks.saturating_sub(1);
        self.surplus_bytes = self.surplus_bytes.saturating_sub(size);
    }

    pub(super) const fn doubt_block(&mut self, size: u64) {
        self.surplus_blocks += 1;
        self.surplus_bytes += size;
    }

    /// Whether the block that is wanted most is behind; `still`: it is the one that was.
    pub(super) const fn is_past(&mut self, still: bool) -> bool {
        if !still {
            self.ahead_blocks = 0;
            self.ahead_bytes = 0;
        }
        self.ahead_blocks > AHEAD_BLOCKS || self.ahead_bytes > AHEAD_BYTES
    }

    /// Begins to measure anew, after something else took its time.
    pub(super) fn wait(&mut self) {
        let Self { limit, useful, surplus_blocks, surplus_bytes, .. } = *self;
        *self = Self { useful, surplus_blocks, surplus_bytes, ..Self::new(limit) };
    }

    pub(super) fn judge(&mut self) -> Result<(), RemoteError> {
        let surplus = "its CAR goes on with blocks that nobody asked for";
        if self.surplus_blocks > SURPLUS_BLOCKS || self.surplus_bytes > SURPLUS_BYTES {
            return Err(RemoteError::Malformed(surplus.to_owned()));
        }
        if self.since.elapsed() <= self.limit {
            return Ok(());
        }
        if self.recent_blocks >= SLOWEST_BLOCKS || self.recent_bytes >= SLOWEST_BYTES {
            self.since = Instant::now();
            self.recent_blocks = 0;
            self.recent_bytes = 0;
            return Ok(());
        }
        Err(match self.surplus_blocks > SLOWEST_BLOCKS {
            true => RemoteError::Malformed(surplus.to_owned()),
            false => RemoteError::TimedOut(self.limit),
        })
    }
}
