//! `/log/`: the tiles and the checkpoint of a chain's newest head, as C2SP tlog-tiles has them.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;

use super::answer::{FOR_EVER, NOT_KEPT, Refusal, answer};
use super::site::Site;
use crate::codec::dag_cbor::{decode_head, decode_manifest};
use crate::codec::tiles::{TILE_WIDTH, Tile, TileKind};
use crate::codec::unixfs::decode_directory;
use crate::model::{CID_LENGTH, ChainName, Cid, Codec};
use crate::store::{Archive, ArchiveError};

const BYTES: &str = "application/octet-stream";
/// For a tile that grows.
const A_MINUTE: &str = "public, max-age=60";

/// Answers for the chain of the settings.
pub async fn own(State(site): State<Arc<Site>>, Path(path): Path<String>) -> Result<Response, Refusal> {
    let name = site.chain.clone().ok_or(Refusal::absent("the log of a chain is at `/logs/NAME/`"))?;
    of(&site, name, path).await
}

/// Answers for a chain by its name.
pub async fn named(
    State(site): State<Arc<Site>>,
    Path((name, path)): Path<(String, String)>,
) -> Result<Response, Refusal> {
    let name = name.parse().map_err(|_| Refusal::bad("this is not the name of a chain"))?;
    of(&site, name, path).await
}

async fn of(site: &Arc<Site>, name: ChainName, path: String) -> Result<Response, Refusal> {
    let asked = if path == "checkpoint" {
        None
    } else {
        Some(Tile::parse(&path).ok_or(Refusal::absent("a log has `checkpoint` and `tile/…`"))?)
    };
    let found = site.read(move |site| {
        let archive = site.shelf.newest(&name).ok_or(Refusal::absent("there is no such chain here"))?;
        let head = Snapshot { archive: &archive };
        head.read(asked).map_err(|error| site.broken(error))
    });
    let bytes = found.await?.ok_or(Refusal::absent("the tree has no such tile"))?;
    Ok(match asked {
        None => answer("text/plain; charset=utf-8", NOT_KEPT, bytes),
        Some(tile) if tile.width == TILE_WIDTH => answer(BYTES, FOR_EVER, bytes),
        Some(_) => answer(BYTES, A_MINUTE, bytes),
    })
}

/// Why a head cannot be read.
#[derive(Debug, thiserror::Error)]
enum SnapshotError {
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    #[error("block {0} is not what a head has there")]
    Malformed(Cid),
}

/// The newest head of an archive.
struct Snapshot<'a> {
    archive: &'a Archive,
}

impl Snapshot<'_> {
    fn block(&self, cid: &Cid) -> Result<Vec<u8>, SnapshotError> {
        let missing = || ArchiveError::Missing { path: self.archive.path().to_owned(), cid: *cid };
        Ok(self.archive.get(cid)?.ok_or_else(missing)?)
    }

    /// The bytes of a tile, or of the checkpoint; `None` when the tree has no such tile.
    fn read(&self, tile: Option<Tile>) -> Result<Option<Vec<u8>>, SnapshotError> {
        let cid = self.archive.head();
        let head = decode_head(&self.block(&cid)?).map_err(|_| SnapshotError::Malformed(cid))?;
        let Some(tile) = tile else { return self.file(head.tlog, "checkpoint") };
        let newest = decode_manifest(&self.block(&head.manifest)?);
        let newest = newest.map_err(|_| SnapshotError::Malformed(head.manifest))?;
        // A head has only the widest form of a tile, and what was narrower is the front of it.
        let width = width(&tile, newest.seq.saturating_add(1));
        if tile.width > width {
            return Ok(None);
        }
        let bytes = self.file(head.tlog, &Tile { width, ..tile }.path())?;
        let each = if tile.kind == TileKind::Entries { 2 + CID_LENGTH } else { 32 };
        Ok(bytes.map(|mut bytes| {
            bytes.truncate(tile.width as usize * each);
            bytes
        }))
    }

    /// The file of one block at a path below a directory.
    fn file(&self, directory: Cid, path: &str) -> Result<Option<Vec<u8>>, SnapshotError> {
        let mut cid = directory;
        for part in path.split('/') {
            let links = decode_directory(&self.block(&cid)?).map_err(|_| SnapshotError::Malformed(cid))?;
            let Some(link) = links.iter().find(|link| link.name == part) else { return Ok(None) };
            cid = link.cid;
        }
        if cid.codec() == Codec::Raw { self.block(&cid).map(Some) } else { Ok(None) }
    }
}

/// How wide the tile at this place is in a tree of so many leaves.
fn width(tile: &Tile, size: u64) -> u64 {
    let hashes = match tile.kind {
        TileKind::Entries => size,
        TileKind::Hashes { level } => size.checked_shr(8 * u32::from(level)).unwrap_or(0),
    };
    hashes.saturating_sub(tile.index.saturating_mul(TILE_WIDTH)).min(TILE_WIDTH)
}
