//! Reads what a voice shows: its checkpoint, and the tiles that a comparison needs. Blocks come from the archive, then from
//! the place itself, then from the others; all are hashed.

use std::collections::HashMap;
use std::time::Duration;

use super::super::publish::resolve;
use super::super::replicate::said;
use super::super::witness::NamedWitness;
use super::{Asking, Says, Standing};
use crate::chain::proof::{TreeHashes, TreeTiles};
use crate::chain::{ChainKeys, CheckpointError, SignedCheckpoint};
use crate::codec::dag_cbor::decode_head;
use crate::codec::note::{NOTE_LIMIT, Note, decode_checkpoint};
use crate::codec::unixfs::decode_directory;
use crate::codec::vkey::VkeyVerdict;
use crate::model::{Cid, Codec};
use crate::store::remote::{Http, NamedSource, RemoteError};

/// Characters of why nothing is known.
const LONGEST_REASON: usize = 500;
/// What a larger checkpoint by an unknown key may be.
const LARGER: &str = ", as far as the archive tells; it has more entries than the archive, and one of these may bring its \
                      key: `greffe verify` its head, and bring these entries here with `greffe import`";
/// Bytes of the widest tile.
const TILE_LIMIT: u64 = 256 * 32;

/// Why nothing is known of what a voice shows.
pub(super) struct Deaf {
    pub standing: Standing,
    pub reason: String,
}

impl Deaf {
    fn new(standing: Standing, reason: impl Into<String>) -> Self {
        let reason = reason.into();
        let plain = |c: char| if c.is_control() { ' ' } else { c };
        Self { standing, reason: reason.chars().take(LONGEST_REASON).map(plain).collect() }
    }

    pub fn slow(deadline: Duration) -> Self {
        Self::unreachable(RemoteError::TimedOut(deadline).to_string())
    }

    fn unreachable(reason: impl Into<String>) -> Self {
        Self::new(Standing::Unreachable, reason)
    }

    pub fn unsigned(reason: impl Into<String>) -> Self {
        Self::new(Standing::Unsigned, reason)
    }
}

/// A checkpoint that the chain's keys signed, and where the tiles of its tree are.
pub(super) struct Shown<'a> {
    pub signed: SignedCheckpoint,
    pub head: Option<Cid>,
    /// What keeps it from being the word of the witness that shows it.
    pub uncosigned: Option<&'static str>,
    tiles: Tiles<'a>,
    place: Option<&'a str>,
}

enum Tiles<'a> {
    /// Below the directory of a head, which was not asked for yet.
    Head(Cid),
    /// Below this directory.
    Directory(Cid),
    /// Below a path of a service.
    Log(&'a Http, String),
    Nowhere,
}

/// One reading, which holds the blocks that it has read.
pub(super) struct Reading<'a> {
    asking: &'a Asking<'a>,
    keys: &'a ChainKeys,
    held: HashMap<Cid, Vec<u8>>,
}

impl<'a> Reading<'a> {
    pub fn new(asking: &'a Asking<'a>, keys: &'a ChainKeys) -> Self {
        Self { asking, keys, held: HashMap::new() }
    }

    /// The checkpoint that a voice shows.
    pub async fn hear<'v>(&mut self, says: &'v Says) -> Result<Shown<'v>, Deaf> {
        match says {
            Says::Nothing(reason) => Err(Deaf::new(Standing::Silent, reason)),
            Says::AnotherChain(reason) => Err(Deaf::new(Standing::AnotherChain, reason)),
            Says::Unreachable(reason) => Err(Deaf::unreachable(reason)),
            Says::Head { head, place } => self.head(*head, place.as_deref()).await,
            Says::Note { note, head } => {
                let signed = self.signed(note)?;
                let tiles = head.map_or(Tiles::Nowhere, Tiles::Head);
                Ok(Shown { signed, head: *head, uncosigned: None, tiles, place: None })
            }
            Says::Name(name) => {
                let resolved = resolve(*name, self.asking.names).await;
                let head = resolved.map_err(|error| Deaf::unreachable(said(&error)))?.record.head;
                self.head(head, None).await
            }
            Says::Log(http) => self.log(http).await,
            Says::Witness(witness) => self.witness(witness).await,
        }
    }

    /// The hashes of a tree that say how a tree of `old` leaves stands to it, or why they are not to be had.
    pub async fn ranges(&mut self, shown: &Shown<'_>, old: u64) -> Result<TreeHashes, String> {
        let size = shown.signed.checkpoint.size;
        let mut tiles = TreeTiles::new(size);
        let wanted = tiles.want_range(0, old).and_then(|()| tiles.want_range(old, size));
        wanted.map_err(|error| error.to_string())?;
        let directory = match shown.tiles {
            Tiles::Head(head) => Some(self.tlog(head, None).await.map_err(|deaf| deaf.reason)?),
            Tiles::Directory(tlog) => Some(tlog),
            Tiles::Log(..) | Tiles::Nowhere => None,
        };
        for tile in tiles.wants() {
            let path = tile.path();
            let bytes = match (directory, &shown.tiles) {
                (Some(tlog), _) => self.file(tlog, &path, shown.place).await.map_err(|deaf| deaf.reason)?,
                (None, Tiles::Log(http, base)) => {
                    let bytes = http.get(&format!("{base}{path}"), TILE_LIMIT).await;
                    let bytes = bytes.map_err(|error| said(&error))?;
                    bytes.ok_or_else(|| format!("it does not show {path}"))?
                }
                (None, _) => return Err("only its checkpoint is here, not its tiles".to_owned()),
            };
            tiles.feed(&tile, &bytes).map_err(|error| error.to_string())?;
        }
        tiles.authenticate(&shown.signed.checkpoint.root).map_err(|error| error.to_string())
    }

    async fn head<'v>(&mut self, head: Cid, place: Option<&'v str>) -> Result<Shown<'v>, Deaf> {
        let tlog = self.tlog(head, place).await?;
        let note = self.file(tlog, "checkpoint", place).await?;
        let signed = self.signed(&note)?;
        Ok(Shown { signed, head: Some(head), uncosigned: None, tiles: Tiles::Directory(tlog), place })
    }

    /// The directory of a head. Where a place was named, it has to have the head itself.
    async fn tlog(&mut self, head: Cid, place: Option<&str>) -> Result<Cid, Deaf> {
        let place = place.and_then(|place| self.asking.sources.iter().find(|source| source.url == place));
        let bytes = match place {
            Some(source) => match source.block(&head).await {
                Ok(Some(bytes)) => bytes,
                Ok(None) => return Err(Deaf::new(Standing::Silent, format!("it has not got {head}"))),
                Err(error) => return Err(Deaf::unreachable(said(&error))),
            },
            None => self.block(&head, None).await?,
        };
        let decoded = decode_head(&bytes).map_err(|error| Deaf::unsigned(format!("{head}: {error}")))?;
        Ok(decoded.tlog)
    }

    async fn log<'v>(&mut self, http: &'v Http) -> Result<Shown<'v>, Deaf> {
        let mut other = Deaf::new(Standing::Silent, "it shows no checkpoint");
        for base in ["log/".to_owned(), format!("logs/{}/", self.asking.name)] {
            let note = http.get(&format!("{base}checkpoint"), NOTE_LIMIT as u64).await;
            let Some(note) = note.map_err(|error| Deaf::unreachable(said(&error)))? else { continue };
            match self.signed(&note) {
                Ok(signed) => {
                    let tiles = Tiles::Log(http, base);
                    return Ok(Shown { signed, head: None, uncosigned: None, tiles, place: None });
                }
                Err(deaf) => other = deaf,
            }
        }
        Err(other)
    }

    /// What a witness cosigned last. A checkpoint that the chain's keys signed is compared whoever else signed it: a
    /// fork is one without a cosignature, too.
    async fn witness<'v>(&self, witness: &NamedWitness) -> Result<Shown<'v>, Deaf> {
        let note = witness.witness.checkpoint(&self.keys.origin()).await;
        let note = note.map_err(|error| Deaf::unreachable(said(&error)))?;
        let note = note.ok_or_else(|| Deaf::new(Standing::Silent, "it shows no checkpoint of this chain"))?;
        let signed = self.signed(&note)?;
        let verdict = Note::decode(&note).map(|note| witness.vkey.verify(&note));
        let uncosigned = match verdict {
            Ok(VkeyVerdict::Valid { .. }) => None,
            Ok(VkeyVerdict::Absent) => Some("what it shows has no cosignature by its key"),
            Ok(VkeyVerdict::Invalid) | Err(_) => Some("the cosignature of what it shows is not over this"),
        };
        Ok(Shown { signed, head: None, uncosigned, tiles: Tiles::Nowhere, place: None })
    }

    fn signed(&self, note: &[u8]) -> Result<SignedCheckpoint, Deaf> {
        self.keys.read(note).map_err(|error| match error {
            CheckpointError::OtherChain { .. } => Deaf::new(Standing::AnotherChain, error.to_string()),
            CheckpointError::Unsigned if self.is_larger(note) => Deaf::unsigned(format!("{error}{LARGER}")),
            error => Deaf::unsigned(error.to_string()),
        })
    }

    /// Whether a checkpoint says that it has more entries than the archive.
    fn is_larger(&self, note: &[u8]) -> bool {
        let shown = Note::decode(note).and_then(|note| decode_checkpoint(&note.text)).ok();
        let newest = self.asking.reader.newest().ok();
        shown.zip(newest).is_some_and(|(shown, (_, newest))| shown.size > newest.seq + 1)
    }

    /// A file of one block below a directory.
    async fn file(&mut self, tlog: Cid, path: &str, place: Option<&str>) -> Result<Vec<u8>, Deaf> {
        let mut cid = tlog;
        for part in path.split('/') {
            let bytes = self.block(&cid, place).await?;
            let links = decode_directory(&bytes);
            let links = links.map_err(|error| Deaf::unsigned(format!("directory {cid}: {error}")))?;
            let link = links.iter().find(|link| link.name == part);
            cid = link.ok_or_else(|| Deaf::unsigned(format!("directory {tlog} lacks {path}")))?.cid;
        }
        if cid.codec() != Codec::Raw {
            return Err(Deaf::unsigned(format!("{path} is not a file of one block")));
        }
        self.block(&cid, place).await
    }

    /// A block, hashed.
    async fn block(&mut self, cid: &Cid, place: Option<&str>) -> Result<Vec<u8>, Deaf> {
        if let Some(bytes) = self.held.get(cid) {
            return Ok(bytes.clone());
        }
        let bytes = self.find(cid, place).await?;
        self.held.insert(*cid, bytes.clone());
        Ok(bytes)
    }

    async fn find(&self, cid: &Cid, place: Option<&str>) -> Result<Vec<u8>, Deaf> {
        // What the archive cannot give may be elsewhere.
        if let Ok(Some(bytes)) = self.asking.reader.archive().get(cid) {
            return Ok(bytes);
        }
        let is_place = |source: &&NamedSource| Some(source.url.as_str()) == place;
        let (first, others): (Vec<_>, Vec<_>) = self.asking.sources.iter().partition(is_place);
        let mut failure = None;
        for source in first.into_iter().chain(others) {
            match source.block(cid).await {
                Ok(Some(bytes)) => return Ok(bytes),
                Ok(None) | Err(RemoteError::Unsupported(_)) => {}
                Err(error) => {
                    failure = failure.or_else(|| Some(format!("{}: {}", source.name, said(&error))))
                }
            }
        }
        let failure = failure.map(|failure| format!("; {failure}")).unwrap_or_default();
        Err(Deaf::unreachable(format!("block {cid} is at none of the places{failure}")))
    }
}
