//! A replica on a Kubo node, through its RPC interface.
//!
//! A run costs what is new: its blocks, a recursive pin of the head that nothing is walked for, the blocks read
//! back, and the pin of the head before taken away. Kubo may collect what no pin holds at any moment; what it took
//! between blocks and pin is put again. A delivery that time cut off goes on: what the node has is not sent again, and
//! what was read back under the pin is not read again. Every request says `offline`, so that the node answers for
//! itself alone.
//!
//! Kubo reports a failure after the first byte of an answer in a trailer, which is not read: an answer counts when
//! every expected line is there.

mod backend;
mod requests;

use std::cell::Cell;
use std::io::Cursor;

use common_multipart_rfc7578::client::multipart::Form;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use hyper::StatusCode;
use hyper::body::Bytes;
use ipfs_api_backend_hyper::request::BlockGet;
use ipfs_api_backend_hyper::{BackendWithGlobalOptions, GlobalOptions, IpfsApi as _};
use ipfs_api_prelude::Backend as _;
use tokio::sync::Semaphore;

use self::backend::KuboBackend;
use self::requests::{
    GetName, Identify, Identity, ImportCar, PutBlocks, PutName, RemoveBlock, confirmed, imported, removed,
};
use super::pieces::{CAR, PART, Room, pieces, read};
use super::{Authorization, Delivery, Endpoint, Holding, Patience, RemoteError, Replica, ReplicaError};
use crate::model::{Cid, Codec, IpnsName};
use crate::store::Block;

/// More new blocks than these travel as CAR files.
const FEW: usize = 128;
/// The answer has a line for each block.
const PUT: Room = Room { bytes: 4 << 20, blocks: 512 };
/// Requests on their way to a node at the same time.
const AT_ONCE: usize = 4;
/// Blocks that are read back, or asked about, at the same time.
const FETCHES: usize = 32;
/// Kibibytes of them, since several nodes are read from at the same time.
const ROOM: u32 = 8 << 10;
/// How often blocks that were collected are put again.
const ROUNDS: usize = 3;

type Api = BackendWithGlobalOptions<KuboBackend>;

/// Blocks that were brought and did not come back.
#[derive(Default)]
struct Lost {
    gone: Vec<Cid>,
    /// Those that came with other bytes.
    damaged: Vec<Cid>,
}

impl Lost {
    fn is_empty(&self) -> bool {
        self.gone.is_empty() && self.damaged.is_empty()
    }

    fn all(&self) -> Vec<Cid> {
        [&self.gone[..], &self.damaged].concat()
    }
}

/// A Kubo node.
pub struct Kubo {
    /// For requests about what the node itself has.
    here: Api,
    /// For those that reach others through it.
    network: Api,
    patience: Patience,
}

impl Kubo {
    /// A node at an endpoint. Nothing is asked of it yet.
    ///
    /// # Errors
    /// [`RemoteError::Unsupported`].
    pub fn new(
        endpoint: &Endpoint,
        authorization: Option<Authorization>,
        patience: Patience,
    ) -> Result<Self, RemoteError> {
        let api = |offline| {
            let backend = KuboBackend::new(endpoint, authorization.clone(), patience)?;
            let options = GlobalOptions { offline: Some(offline), timeout: Some(patience.request) };
            Ok::<_, RemoteError>(Api::new(backend, options))
        };
        Ok(Self { here: api(true)?, network: api(false)?, patience })
    }

    /// A block that the node has; `None` when it has it not.
    ///
    /// # Errors
    /// [`RemoteError::Lied`] when what it gives has another hash, and others.
    pub async fn get(&self, cid: &Cid) -> Result<Option<Vec<u8>>, RemoteError> {
        let bytes = self.patience.retry(async || {
            let hash = cid.to_string();
            let (status, body) = self.here.request_raw(BlockGet { hash: &hash }, None).await?;
            if status == StatusCode::OK {
                return Ok(Some(body));
            }
            absent(Api::process_error_from_body(body))
        });
        match bytes.await? {
            Some(bytes) if cid.matches(&bytes) => Ok(Some(bytes.to_vec())),
            Some(_) => Err(RemoteError::Lied(*cid)),
            None => Ok(None),
        }
    }

    /// Hands over a signed IPNS record for `name`, to be published. A node without routing takes it and forgets it.
    ///
    /// # Errors
    /// [`RemoteError::Failed`] when the node does not take it, and others.
    pub async fn put_name(&self, name: &str, record: &[u8]) -> Result<(), RemoteError> {
        let ask = async || {
            let mut form = Form::default();
            form.add_reader_file("record", Cursor::new(record.to_vec()), "record");
            self.network.request_empty(PutName::new(name), Some(form)).await
        };
        self.patience.retry(ask).await
    }

    /// The newest record of an IPNS name that the node's routing finds; `None` where it finds none. Whoever asked checks
    /// its signature.
    ///
    /// # Errors
    /// [`RemoteError`].
    pub async fn get_name(&self, name: &IpnsName) -> Result<Option<Vec<u8>>, RemoteError> {
        let ask = async || {
            let (status, body) = self.network.request_raw(GetName { arg: name.to_string() }, None).await?;
            if status == StatusCode::OK {
                return Ok(Some(body.to_vec()));
            }
            match Api::process_error_from_body(body) {
                RemoteError::Failed(said) if said.contains("not found") => Ok(None),
                error => Err(error),
            }
        };
        self.patience.retry(ask).await
    }

    /// Where other nodes reach this one: multiaddresses with its identity.
    ///
    /// # Errors
    /// [`RemoteError`].
    pub async fn addresses(&self) -> Result<Vec<String>, RemoteError> {
        let ask = async || self.here.request::<_, Identity>(Identify {}, None).await;
        Ok(self.patience.retry(ask).await?.addresses)
    }

    /// Puts blocks of one codec.
    async fn put(&self, blocks: &[Block], codec: Codec, pin: bool) -> Result<(), RemoteError> {
        let mut rest = blocks;
        while !rest.is_empty() {
            let ask = async || {
                let mut form = Form::default();
                for (_, bytes) in rest {
                    form.add_reader_file("block", Cursor::new(bytes.clone()), "block");
                }
                let answer = self.here.request_string(PutBlocks::new(codec, pin), Some(form)).await?;
                confirmed(&answer, rest.iter().map(|(cid, _)| cid))
            };
            // Alone, the first block that was not confirmed fails with the reason.
            rest = match self.patience.retry(ask).await? {
                0 => return Err(RemoteError::Malformed("it confirms no block".to_owned())),
                count => &rest[count..],
            };
        }
        Ok(())
    }

    async fn put_all(&self, delivery: &Delivery<'_>, cids: &[Cid]) -> Result<(), ReplicaError> {
        let sorted = [Codec::Raw, Codec::DagPb, Codec::DagCbor].map(|codec| {
            let cids: Vec<Cid> = cids.iter().filter(|cid| cid.codec() == codec).copied().collect();
            pieces(delivery, cids, PUT).map(move |piece| (codec, piece))
        });
        stream::iter(sorted.into_iter().flatten())
            .map(|(codec, piece)| async move { Ok(self.put(&piece?, codec, false).await?) })
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await
    }

    /// Brings all blocks, and has the head kept.
    async fn send(&self, delivery: &Delivery<'_>, resumes: bool) -> Result<(), ReplicaError> {
        let pinned = if resumes {
            self.import_rest(delivery).await?;
            false
        } else if delivery.blocks.len() > FEW {
            self.import_all(delivery, delivery.blocks).await?
        } else {
            self.put_all(delivery, delivery.blocks).await?;
            false
        };
        if pinned { Ok(()) } else { self.pin(delivery).await }
    }

    /// Brings blocks as CAR files, each of them a request that can be made again. Says whether the head is pinned:
    /// where one file has all, it is, and nothing of it could be collected before.
    async fn import_all(&self, delivery: &Delivery<'_>, cids: &[Cid]) -> Result<bool, ReplicaError> {
        let mut pieces = pieces(delivery, cids.to_vec(), CAR);
        let mut alone = delivery.previous.is_none();
        while let Some(car) = pieces.next_car(&delivery.head) {
            alone &= pieces.is_empty();
            self.import(delivery, car?, alone).await?;
        }
        Ok(alone)
    }

    /// Brings those blocks that the node has not, in parts of which each stays when time ends.
    async fn import_rest(&self, delivery: &Delivery<'_>) -> Result<(), ReplicaError> {
        for some in delivery.blocks.chunks(PART.blocks) {
            let asked = stream::iter(some)
                .map(|cid| async move { Ok::<_, RemoteError>((*cid, self.has(cid).await?)) });
            let asked: Vec<(Cid, bool)> = asked.buffered(FETCHES).try_collect().await?;
            let lacking = asked.into_iter().filter(|(_, there)| !there).map(|(cid, _)| cid).collect();
            let mut pieces = pieces(delivery, lacking, PART);
            while let Some(car) = pieces.next_car(&delivery.head) {
                self.import(delivery, car?, false).await?;
            }
        }
        Ok(())
    }

    /// Brings a CAR file of so many blocks. `pin`: the head is pinned by it.
    async fn import(
        &self,
        delivery: &Delivery<'_>,
        (car, count): (Vec<u8>, usize),
        pin: bool,
    ) -> Result<(), RemoteError> {
        let (car, pinned) = (Bytes::from(car), pin.then_some(&delivery.head));
        let ask = async || {
            let mut form = Form::default();
            form.add_reader_file("car", Cursor::new(car.clone()), "blocks.car");
            let answer = self.here.request_string(ImportCar::new(pin), Some(form)).await?;
            imported(&answer, count, pinned)
        };
        self.patience.retry(ask).await
    }

    /// Whether the node has a block, as it says.
    async fn has(&self, cid: &Cid) -> Result<bool, RemoteError> {
        let cid = cid.to_string();
        let there = self.patience.retry(async || match self.here.block_stat(&cid).await {
            Ok(_) => Ok(Some(())),
            Err(error) => absent(error),
        });
        Ok(there.await?.is_some())
    }

    /// Reads blocks back. `confirmed` grows by those before the first that is lost.
    async fn lost(
        &self,
        delivery: &Delivery<'_>,
        cids: &[Cid],
        confirmed: &Cell<u64>,
    ) -> Result<Lost, RemoteError> {
        let room = &Semaphore::new(ROOM as usize);
        let fetch = |cid: &Cid| {
            let cid = *cid;
            let size = u32::try_from((delivery.size)(&cid) >> 10).map_or(ROOM, |size| size.min(ROOM));
            async move {
                // Held until the block was read; nobody closes it.
                let _room = room.acquire_many(size).await;
                (cid, self.get(&cid).await)
            }
        };
        let mut fetches = stream::iter(cids).map(fetch).buffered(FETCHES);
        let mut lost = Lost::default();
        while let Some((cid, fetched)) = fetches.next().await {
            match fetched {
                Ok(Some(_)) if lost.is_empty() => confirmed.set(confirmed.get() + 1),
                Ok(Some(_)) => {}
                Ok(None) => lost.gone.push(cid),
                Err(RemoteError::Lied(_)) => lost.damaged.push(cid),
                Err(error) => return Err(error),
            }
        }
        Ok(lost)
    }

    /// Puts lost blocks again; damaged ones in a repair only.
    async fn mend(&self, delivery: &Delivery<'_>, lost: &Lost) -> Result<(), ReplicaError> {
        let replaced = match lost.damaged.first() {
            None => Ok(()),
            Some(damaged) if !delivery.repairs => Err(RemoteError::Damaged(*damaged).into()),
            Some(_) => self.replace(delivery, &lost.damaged).await,
        };
        self.put_all(delivery, &lost.gone).await?;
        replaced
    }

    /// Kubo does not write over a block that it has, nor removes one that a pin holds, so damaged ones are taken from
    /// under their pins. However that ends, the head is pinned again; what was collected meanwhile is for the caller
    /// to find.
    async fn replace(&self, delivery: &Delivery<'_>, damaged: &[Cid]) -> Result<(), ReplicaError> {
        for cid in damaged {
            // Nothing is removed that is not at hand.
            read(delivery, cid)?;
        }
        let replaced = self.replace_unpinned(delivery, damaged).await;
        let pinned = self.pin(delivery).await;
        replaced.and(pinned)
    }

    /// Leaves the head without its pin.
    async fn replace_unpinned(&self, delivery: &Delivery<'_>, damaged: &[Cid]) -> Result<(), ReplicaError> {
        for pinned in std::iter::once(&delivery.head).chain(delivery.before()) {
            self.unpin(pinned).await?;
        }
        let (mut gone, mut failure) = (Vec::new(), None);
        for cid in damaged {
            match self.remove(cid).await {
                Ok(()) => gone.push(*cid),
                Err(error) => failure = Some(error),
            }
        }
        self.put_all(delivery, &gone).await?;
        failure.map_or(Ok(()), |error| Err(error.into()))
    }

    /// Removes a block that no pin holds.
    async fn remove(&self, cid: &Cid) -> Result<(), RemoteError> {
        let ask = async || {
            let request = RemoveBlock { arg: cid.to_string() };
            match removed(&self.here.request_string(request, None).await?) {
                Err(RemoteError::Failed(said)) if said.contains("pinned") => {
                    Err(RemoteError::Held { cid: *cid, said })
                }
                // Collected meanwhile.
                Err(RemoteError::Failed(said)) if said.contains("not find") || said.contains("not found") => {
                    Ok(())
                }
                answer => answer,
            }
        };
        self.patience.retry(ask).await
    }

    /// Puts the head and pins it with all below, of which nothing is looked at.
    async fn pin(&self, delivery: &Delivery<'_>) -> Result<(), ReplicaError> {
        let head = read(delivery, &delivery.head)?;
        Ok(self.put(&[head], delivery.head.codec(), true).await?)
    }

    async fn unpin(&self, cid: &Cid) -> Result<(), RemoteError> {
        self.patience
            .retry(async || match self.here.pin_rm(&cid.to_string(), true).await {
                Err(RemoteError::Failed(said)) if said.contains("not pinned") => Ok(()),
                answer => answer.map(drop),
            })
            .await
    }
}

impl Replica for Kubo {
    async fn deliver(&self, delivery: &Delivery<'_>) -> Result<(), ReplicaError> {
        let resumes = delivery.resumes && delivery.blocks.len() > FEW;
        // It is told to keep the head when everything was sent, and what it keeps stays.
        let is_sent = resumes && self.holding(&delivery.head).await? == Holding::Pinned;
        if !is_sent {
            delivery.confirmed.set(0);
            self.send(delivery, resumes).await?;
        }
        let confirmed = usize::try_from(delivery.confirmed.get()).unwrap_or(usize::MAX);
        let rest = delivery.blocks.get(confirmed..).unwrap_or_default();
        let mut lost = self.lost(delivery, rest, delivery.confirmed).await?;
        for _ in 0..ROUNDS {
            if lost.is_empty() {
                break;
            }
            self.mend(delivery, &lost).await?;
            lost = self.lost(delivery, &lost.all(), &Cell::new(0)).await?;
        }
        if let Some(lost) = lost.all().first() {
            return Err(RemoteError::Lost(*lost).into());
        }
        for before in delivery.before() {
            self.unpin(before).await?;
        }
        Ok(())
    }

    async fn holding(&self, head: &Cid) -> Result<Holding, ReplicaError> {
        let cid = head.to_string();
        let pinned =
            self.patience.retry(async || match self.here.pin_ls(Some(&cid), Some("recursive")).await {
                Err(RemoteError::Failed(said)) if said.contains("not pinned") => Ok(false),
                answer => Ok(answer?.keys.keys().any(|key| key.parse() == Ok(*head))),
            });
        if pinned.await? {
            return Ok(Holding::Pinned);
        }
        Ok(if self.has(head).await? { Holding::Unpinned } else { Holding::Absent })
    }

    async fn get(&self, cid: &Cid) -> Result<Option<Vec<u8>>, ReplicaError> {
        Ok(self.get(cid).await?)
    }

    /// Asks for a block that everyone has, which those who are let in to blocks may.
    async fn answers(&self) -> Result<(), ReplicaError> {
        Ok(self.get(&Cid::of(Codec::Raw, b"")).await.map(drop)?)
    }
}

/// `None` for the error of a node that does not have a block.
fn absent<T>(error: RemoteError) -> Result<Option<T>, RemoteError> {
    match error {
        RemoteError::Failed(said) if said.contains("could not find") => Ok(None),
        error => Err(error),
    }
}
