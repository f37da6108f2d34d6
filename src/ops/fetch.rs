//! Verifies a chain whose blocks are elsewhere: in archives on this machine, at replicas, behind gateways.
//!
//! One CAR of the whole is asked for first; what it does not bring is fetched block by block, many at the same
//! time. The verifier knows all manifests of a head after log256 of the chain's length, so that is how many round
//! trips depend on each other. No source is believed, and none is asked for ever.

mod asked;
mod shelf;
mod spool;
mod watch;

use std::collections::HashSet;

use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, StreamExt as _};
use serde::Serialize;
use tokio::time::{Instant, timeout};

use self::asked::{Asked, Looked};
use self::shelf::{Shelf, Shelved};
pub use self::spool::{Kept, Spool};
use self::watch::Watch;
use super::checking::Checking;
use super::{ChainReader, OpsError, Progress};
use crate::chain::{Fetched, Options, Report, Verifier};
use crate::model::{Cid, Codec};
use crate::store::remote::{CarStream, NamedSource, Patience, RemoteError};

/// Blocks that are fetched at the same time: with 2 MiB, the most that a block has, what bounds their memory.
const FETCHES: usize = 64;
/// Wanted blocks that are looked at, the most urgent first: how far fetches run ahead of the entry that is open.
const WINDOW: usize = 256;
/// After so many useful blocks, another source's CAR would bring too much again.
const SOON: u64 = 64;
/// A shared block is kept for the next entry that wants it when it is no larger.
const SHARED: usize = 64 << 10;

/// Where blocks may be.
pub struct Places<'a> {
    /// On this machine; they are looked at first.
    pub archives: &'a [ChainReader],
    /// Elsewhere, in the order in which they are asked.
    pub sources: &'a [NamedSource],
    pub patience: Patience,
}

/// What came of one place.
#[derive(Clone, Debug, Serialize)]
pub struct SourceState {
    pub name: String,
    pub url: String,
    /// Blocks that it gave.
    pub blocks: u64,
    pub bytes: u64,
    /// What it did wrong last.
    pub fault: Option<String>,
    /// Whether it was not asked any more because of that.
    pub dropped: bool,
}

/// A verification, and where its blocks came from.
#[derive(Debug)]
pub struct Verified {
    pub report: Report,
    pub sources: Vec<SourceState>,
}

/// Verifies from `root`. What the verifier takes goes to `spool` too.
///
/// # Errors
/// [`OpsError::OutOfReach`] when nobody has a block and a source that may have it does not answer, and
/// [`OpsError::NoSource`] when there is none that gives blocks. A block that all sources answer for and none has is a
/// finding.
pub async fn verify_from(
    places: &Places<'_>,
    root: Cid,
    options: Options,
    threads: usize,
    spool: Option<&mut Spool>,
    progress: &mut Progress<'_>,
) -> Result<Verified, OpsError> {
    let asked: Vec<Asked<'_>> = places.sources.iter().map(Asked::new).collect();
    let mut driver = Driver {
        root,
        verifier: Verifier::new(root, options),
        checking: Checking::new(threads),
        archives: places.archives,
        here: Here::default(),
        asked: &asked,
        patience: places.patience,
        shelf: Shelf::default(),
        missing: HashSet::new(),
        not_here: HashSet::new(),
        fetched: 0,
        given: 0,
        spool,
        progress,
    };
    let ended = driver.run().await;
    let Driver { mut verifier, checking, here, .. } = driver;
    checking.finish(&mut verifier);
    if let Err(mut error) = ended {
        if let OpsError::OutOfReach { found, .. } = &mut error {
            *found = verifier.findings_so_far();
        }
        return Err(error);
    }
    let mut sources = here.states(places.archives);
    sources.extend(asked.iter().map(Asked::state));
    Ok(Verified { report: verifier.finish(), sources })
}

/// One block, wherever it is.
///
/// # Errors
/// [`OpsError::Nowhere`] when no place has it, [`OpsError::OutOfReach`] when that cannot be said.
pub async fn find(places: &Places<'_>, cid: &Cid) -> Result<Vec<u8>, OpsError> {
    for reader in places.archives {
        if let Ok(Some(bytes)) = reader.archive().get(cid) {
            return Ok(bytes);
        }
    }
    let asked: Vec<Asked<'_>> = places.sources.iter().map(Asked::new).collect();
    match asked::look(&asked, cid, places.patience.total).await {
        Looked::Found(bytes) => Ok(bytes),
        Looked::Missing => Err(OpsError::Nowhere(*cid)),
        Looked::Unknown => Err(out_of_reach(&asked, cid)),
    }
}

fn out_of_reach(asked: &[Asked<'_>], cid: &Cid) -> OpsError {
    if asked.iter().all(Asked::is_mute) {
        return OpsError::NoSource(*cid);
    }
    let fault = |asked: &Asked<'_>| {
        let state = asked.state();
        Some(format!("{}: {}", state.name, state.fault?))
    };
    OpsError::OutOfReach { cid: *cid, faults: asked.iter().filter_map(fault).collect(), found: Vec::new() }
}

/// What the archives on this machine gave.
#[derive(Default)]
struct Here {
    blocks: u64,
    bytes: u64,
    fault: Option<String>,
}

impl Here {
    fn states(self, archives: &[ChainReader]) -> Vec<SourceState> {
        let Some(first) = archives.first() else { return Vec::new() };
        let url = first.archive().directory().display().to_string();
        let Self { blocks, bytes, fault } = self;
        vec![SourceState { name: "archive".to_owned(), url, blocks, bytes, fault, dropped: false }]
    }
}

struct Driver<'a, 'p> {
    root: Cid,
    verifier: Verifier,
    checking: Checking,
    archives: &'a [ChainReader],
    here: Here,
    asked: &'a [Asked<'a>],
    patience: Patience,
    shelf: Shelf,
    /// What every source said that it has not.
    missing: HashSet<Cid>,
    /// Wanted blocks that no archive has.
    not_here: HashSet<Cid>,
    /// Blocks that came from elsewhere.
    fetched: u64,
    /// Blocks that the verifier took.
    given: u64,
    spool: Option<&'a mut Spool>,
    progress: &'a mut Progress<'p>,
}

impl Driver<'_, '_> {
    async fn run(&mut self) -> Result<(), OpsError> {
        let mut next = Some(0);
        loop {
            self.give_what_is_here()?;
            let Some(index) = next.filter(|_| self.verifier.want().is_some() && self.is_car_worth_it())
            else {
                // Heads and roots of trees, until it shows whether anything else is elsewhere.
                match self.fetch_singly(next.is_some()).await? {
                    Ended::Done => return Ok(()),
                    Ended::Early => continue,
                }
            };
            next = self
                .asked
                .iter()
                .enumerate()
                .skip(index)
                .find_map(|(at, asked)| (asked.source.makes_cars() && asked.is_in_use()).then_some(at));
            let Some(index) = next else { continue };
            let useful = self.read_car(index).await?;
            next = (useful < SOON).then_some(index + 1);
        }
    }

    /// A CAR brings everything; where something is here already or was verified before, only what is new is fetched.
    fn is_car_worth_it(&self) -> bool {
        self.here.blocks == 0 && !self.verifier.may_go_on() && (self.archives.is_empty() || self.fetched > 2)
    }

    fn give_what_is_here(&mut self) -> Result<(), OpsError> {
        loop {
            let before = self.given;
            for cid in self.verifier.wants(WINDOW) {
                if self.missing.contains(&cid) {
                    self.verifier.feed(&cid, Fetched::Missing);
                    self.checking.check(&mut self.verifier);
                    self.given += 1;
                } else if let Some(shelved) = self.shelf.get(&cid) {
                    self.give_shelved(&cid, shelved)?;
                } else if !self.not_here.contains(&cid) {
                    match self.archived(&cid) {
                        Some(bytes) => self.give_archived(&cid, bytes)?,
                        None => _ = self.not_here.insert(cid),
                    }
                }
            }
            if self.given == before {
                return Ok(());
            }
        }
    }

    fn archived(&mut self, cid: &Cid) -> Option<Vec<u8>> {
        for reader in self.archives {
            match reader.archive().get(cid) {
                Ok(Some(bytes)) => return Some(bytes),
                Ok(None) => {}
                Err(error) => self.here.fault = Some(error.to_string()),
            }
        }
        None
    }

    fn give_archived(&mut self, cid: &Cid, bytes: Vec<u8>) -> Result<(), OpsError> {
        self.here.blocks += 1;
        self.here.bytes += bytes.len() as u64;
        if let Some(spool) = &mut self.spool {
            spool.put_local(cid, &bytes)?;
        }
        self.give(cid, bytes)
    }

    /// Hands a block that was hashed to the verifier, as often as it is wanted.
    fn give(&mut self, cid: &Cid, bytes: Vec<u8>) -> Result<(), OpsError> {
        self.not_here.remove(cid);
        while self.verifier.is_wanted(cid) {
            self.verifier.feed(cid, Fetched::Block(bytes.clone()));
        }
        self.checking.check(&mut self.verifier);
        self.given += 1;
        if self.given.is_multiple_of(512) {
            let (entries, size) = self.verifier.progress();
            (self.progress)("verifying", entries, size);
        }
        // Entries share files, and a CAR has each block once.
        if cid.codec() != Codec::DagCbor && bytes.len() <= SHARED {
            self.shelf.put(*cid, bytes, true);
        }
        Ok(())
    }

    /// What came before it was wanted is fetched from now on.
    fn give_shelved(&mut self, cid: &Cid, shelved: Shelved) -> Result<(), OpsError> {
        match shelved.given {
            true => self.give(cid, shelved.bytes),
            false => self.give_fetched(cid, shelved.bytes),
        }
    }

    fn give_fetched(&mut self, cid: &Cid, bytes: Vec<u8>) -> Result<(), OpsError> {
        self.fetched += 1;
        if let Some(spool) = &mut self.spool {
            spool.put(cid, &bytes)?;
        }
        self.give(cid, bytes)
    }

    fn give_looked(&mut self, cid: &Cid, looked: Looked) -> Result<(), OpsError> {
        match looked {
            Looked::Found(bytes) => self.give_fetched(cid, bytes),
            Looked::Missing => {
                self.missing.insert(*cid);
                Ok(())
            }
            Looked::Unknown => Err(out_of_reach(self.asked, cid)),
        }
    }

    /// Fetches wanted blocks until none is; `briefly`: or until a CAR is worth it. One that is out of reach fails it at
    /// the end, when all others have told what is wrong with them.
    async fn fetch_singly(&mut self, briefly: bool) -> Result<Ended, OpsError> {
        let (asked, limit) = (self.asked, self.patience.total);
        let mut flying = FuturesUnordered::new();
        // Those that are out of reach stay in it.
        let mut away = HashSet::new();
        let mut lost = None;
        loop {
            self.give_what_is_here()?;
            if self.verifier.want().is_none() {
                // What is still on its way is not wanted any more.
                return Ok(Ended::Done);
            }
            if briefly && away.is_empty() && self.is_car_worth_it() {
                return Ok(Ended::Early);
            }
            // First it has to show whether a CAR is worth it.
            let looks = self.fetched < 3 && !away.is_empty();
            let waits = briefly && (looks || (self.is_car_worth_it() && !flying.is_empty()));
            for cid in self.verifier.wants(WINDOW) {
                if !waits && flying.len() < FETCHES && away.insert(cid) {
                    flying.push(async move { (cid, asked::look(asked, &cid, limit).await) });
                }
            }
            let Some(first) = flying.next().await else { return lost.map_or(Ok(Ended::Done), Err) };
            let mut ready = Some(first);
            while let Some((cid, looked)) = ready {
                if let Looked::Unknown = looked {
                    lost.get_or_insert_with(|| out_of_reach(asked, &cid));
                } else {
                    away.remove(&cid);
                    self.give_looked(&cid, looked)?;
                }
                ready = flying.next().now_or_never().flatten();
            }
        }
    }

    /// Takes what one source's CAR brings; how many blocks of it were of use. However it ends, what it did not
    /// bring is fetched otherwise.
    async fn read_car(&mut self, index: usize) -> Result<u64, OpsError> {
        let asked = &self.asked[index];
        let (strikes, begin) = (asked.strikes(), Instant::now());
        let answer = asked.source.car(&self.root).await;
        asked.time(begin);
        let mut stream = match answer {
            Ok(Some(stream)) => stream,
            Ok(None) => return Ok(0),
            Err(error) => {
                asked.blame(strikes, &error);
                return Ok(0);
            }
        };
        let mut watch = Watch::new(self.patience.request);
        while let Some(front) = self.verifier.want() {
            match self.take_next(&mut stream, asked, &mut watch).await {
                Ok(true) => {}
                Ok(false) => break,
                Err(TakeError::Source(error)) => {
                    asked.blame(strikes, &error);
                    break;
                }
                Err(TakeError::Ours(error)) => return Err(*error),
            }
            if watch.is_past(self.verifier.want() == Some(front)) {
                let looked = asked::look(self.asked, &front, self.patience.total).await;
                self.give_looked(&front, looked)?;
                self.give_what_is_here()?;
                watch.wait();
            }
        }
        Ok(watch.useful)
    }

    /// Takes one block of a CAR; `false` at its end.
    async fn take_next(
        &mut self,
        stream: &mut CarStream,
        asked: &Asked<'_>,
        watch: &mut Watch,
    ) -> Result<bool, TakeError> {
        let limit = self.patience.request;
        let next = timeout(limit, stream.next()).await.unwrap_or(Err(RemoteError::TimedOut(limit)))?;
        let Some((cid, bytes)) = next else { return Ok(false) };
        let size = bytes.len() as u64;
        if self.verifier.is_wanted(&cid) {
            watch.use_block(size);
            asked.thank(size);
            self.give_fetched(&cid, bytes)?;
            while let Some(cid) = self.verifier.want()
                && let Some(shelved) = self.shelf.get(&cid)
            {
                watch.reuse_block(shelved.bytes.len() as u64);
                self.give_shelved(&cid, shelved)?;
            }
        } else {
            self.shelf.put(cid, bytes, false);
            watch.doubt_block(size);
        }
        watch.judge()?;
        Ok(true)
    }
}

enum Ended {
    Done,
    /// A CAR may bring the rest at once.
    Early,
}

enum TakeError {
    Source(RemoteError),
    Ours(Box<OpsError>),
}

impl From<RemoteError> for TakeError {
    fn from(error: RemoteError) -> Self {
        Self::Source(error)
    }
}

impl From<OpsError> for TakeError {
    fn from(error: OpsError) -> Self {
        Self::Ours(Box::new(error))
    }
}
