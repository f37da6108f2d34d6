//! What stands below a block, as a CARv1 stream in depth-first order (Trustless Gateway, `order=dfs; dups=n`).
//!
//! Links of blocks are followed as their canonical form has them. A block that cannot be read ends the stream with
//! an error, never as if it were whole.

use std::collections::HashSet;
use std::io;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use tokio::sync::mpsc;

use super::shelf::Found;
use super::site::{Permit, Site};
use crate::codec::car::{encode_header, push_frame};
use crate::codec::dag_cbor::is_entries_node;
use crate::codec::links::{LinksError, links};
use crate::codec::unixfs::decode_file_node;
use crate::model::{Cid, Codec};
use crate::store::{Archive, ArchiveError};

/// Bytes that are sent at once.
const CHUNK: usize = 64 << 10;
/// Chunks that wait for a client.
const AHEAD: usize = 4;

/// How much below a block is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    Block,
    /// A file whole, else the block.
    Entity,
    All,
}

impl Scope {
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "block" => Some(Self::Block),
            "entity" => Some(Self::Entity),
            "all" => Some(Self::All),
            _ => None,
        }
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Block => "block",
            Self::Entity => "entity",
            Self::All => "all",
        }
    }
}

/// Streams what stands below a block that was found.
pub fn stream(site: &Arc<Site>, root: Cid, found: Found, scope: Scope, permit: Permit) -> Body {
    let (sender, receiver) = mpsc::channel(AHEAD);
    let site = Arc::clone(site);
    // A thread of its own: it waits for the client, who may be slow.
    tokio::task::spawn_blocking(move || {
        let walk = Walk { archive: found.archive, scope, seen: HashSet::new() };
        let mut out = Output { chunk: encode_header(&root), sender };
        match walk.run(root, found.bytes, &mut out).and_then(|()| out.flush()) {
            Ok(()) | Err(Cut::Gone) => {}
            Err(Cut::Archive(error)) => {
                site.report(&format!("error: the CAR of {root} is cut short: {error}"));
                let _ = out.flush();
                let cut = io::Error::other("the archive is damaged here");
                let _ = out.sender.blocking_send(Err(cut));
            }
        }
        drop(permit);
    });
    Body::from_stream(futures_util::stream::unfold(receiver, |mut receiver| async move {
        let item = receiver.recv().await?;
        if item.is_err() {
            // So that what is sound is written before the connection breaks.
            tokio::task::yield_now().await;
        }
        Some((item, receiver))
    }))
}

/// Why a stream ends before its end.
#[derive(Debug, thiserror::Error)]
enum Cut {
    #[error("the client is gone")]
    Gone,
    #[error(transparent)]
    Archive(#[from] BlockError),
}

#[derive(Debug, thiserror::Error)]
enum BlockError {
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    #[error("block {0} is not as its codec says: {1}")]
    Malformed(Cid, LinksError),
}

/// Gathers bytes and hands them over.
struct Output {
    chunk: Vec<u8>,
    sender: mpsc::Sender<io::Result<Bytes>>,
}

impl Output {
    fn put(&mut self, cid: &Cid, bytes: &[u8]) -> Result<(), Cut> {
        push_frame(&mut self.chunk, cid, bytes);
        if self.chunk.len() >= CHUNK { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), Cut> {
        let chunk = std::mem::take(&mut self.chunk);
        if chunk.is_empty() {
            return Ok(());
        }
        self.sender.blocking_send(Ok(chunk.into())).map_err(|_| Cut::Gone)
    }
}

struct Walk {
    archive: Arc<Archive>,
    scope: Scope,
    /// What has been sent and may be linked to once more: half a digest each. Manifests and logs are not here: they
    /// stand below one node each, and nothing below them leads back.
    seen: HashSet<u128>,
}

impl Walk {
    fn run(mut self, root: Cid, bytes: Vec<u8>, out: &mut Output) -> Result<(), Cut> {
        let mut pending = Vec::new();
        let mut next = Some((root, bytes));
        while let Some((cid, bytes)) = next.take() {
            let links = self.links(&cid, &bytes)?;
            // A node may be shared, and so is known only now.
            let shared = cid.codec() != Codec::DagCbor || is_entries_node(&bytes);
            if !shared || self.first(&cid) {
                out.put(&cid, &bytes)?;
                pending.extend(links.into_iter().rev());
            }
            while let Some(cid) = pending.pop() {
                if self.seen.contains(&half(&cid)) {
                    continue;
                }
                let found = self.archive.get(&cid).map_err(BlockError::from)?;
                let missing = || ArchiveError::Missing { path: self.archive.path().to_owned(), cid };
                next = Some((cid, found.ok_or_else(missing).map_err(BlockError::from)?));
                break;
            }
        }
        Ok(())
    }

    fn first(&mut self, cid: &Cid) -> bool {
        self.seen.insert(half(cid))
    }

    /// The links of a block that are to be followed.
    fn links(&self, cid: &Cid, bytes: &[u8]) -> Result<Vec<Cid>, BlockError> {
        match (self.scope, cid.codec()) {
            (Scope::All, _) => links(cid, bytes).map_err(|error| BlockError::Malformed(*cid, error)),
            (Scope::Entity, Codec::DagPb) => Ok(decode_file_node(bytes).unwrap_or_default()),
            (Scope::Entity | Scope::Block, _) => Ok(Vec::new()),
        }
    }
}

/// Enough of a digest to tell blocks of one archive apart.
fn half(cid: &Cid) -> u128 {
    let [bytes @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] = cid.digest().0;
    u128::from_be_bytes(bytes) ^ u128::from(cid.codec().code())
}
