//! A replica on an IPFS Cluster, through its REST interface.
//!
//! New blocks go to the peers that have the head before, as CAR files that pin nothing; then the head is pinned
//! there as an update of that one, for which each of these peers looks at what differs; without one it walks all.
//! Blocks cannot be read back: what is known is what the cluster says.
//!
//! A failure that comes after the first byte of an answer would stand in a trailer, so answers are asked for whole.

use std::collections::BTreeMap;

use reqwest::header::CONTENT_TYPE;
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::error::printable;
use super::http::Answer;
use super::pieces::{CAR, pieces};
use super::promise::{Promise, end_of_wait, until_kept};
use super::{Authorization, Delivery, Endpoint, Holding, Http, Patience, RemoteError, Replica, ReplicaError};
use crate::codec::car::{encode_header, push_frame};
use crate::crypto::fill_random;
use crate::model::Cid;
use crate::store::Block;

/// Bytes of an answer; a status has about 300 for each peer.
const ANSWER: u64 = 1 << 20;
/// Peers that are named in one request.
const PEERS: usize = 64;

/// A cluster.
pub struct Cluster {
    http: Http,
}

impl Cluster {
    /// A cluster at an endpoint. Nothing is asked of it yet.
    ///
    /// # Errors
    /// [`RemoteError::Unsupported`].
    pub fn new(
        endpoint: &Endpoint,
        authorization: Option<Authorization>,
        patience: Patience,
    ) -> Result<Self, RemoteError> {
        Ok(Self { http: Http::direct(endpoint, authorization, patience)? })
    }

    /// The peers that a pin was given to, of which there are none where all have it; `None` when there is no such pin.
    async fn allocations(&self, cid: &Cid) -> Result<Option<Vec<String>>, RemoteError> {
        let Some(pin) = self.find::<Pin>(Method::GET, &format!("allocations/{cid}"), &[]).await? else {
            return Ok(None);
        };
        let named =
            |peer: &String| peer.len() <= 128 && peer.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let peers = pin.allocations.unwrap_or_default();
        Ok(Some(if peers.len() <= PEERS && peers.iter().all(named) { peers } else { Vec::new() }))
    }

    /// Brings blocks and pins nothing.
    async fn add(&self, delivery: &Delivery<'_>, peers: &str) -> Result<(), ReplicaError> {
        for piece in pieces(delivery, delivery.blocks.to_vec(), CAR) {
            let piece = piece?;
            let (boundary, body) = form(&delivery.head, &piece);
            let size: usize = piece.iter().map(|(_, bytes)| bytes.len()).sum();
            let mut query = vec![("format", "car"), ("no-pin", "true"), ("stream-channels", "false")];
            query.extend((!peers.is_empty()).then_some(("user-allocations", peers)));
            let content = format!("multipart/form-data; boundary={boundary}");
            let make = || {
                let request = self.http.request(Method::POST, "add", &query)?;
                Ok(request.header(CONTENT_TYPE, &content).body(body.clone()))
            };
            added(&self.http.succeed(make, ANSWER).await?.body, &delivery.head, size as u64)?;
        }
        Ok(())
    }

    /// Pins the head. `from`: a pin that it comes after; its peers get the new one, and look at the difference alone.
    async fn pin(&self, delivery: &Delivery<'_>, from: Option<&Cid>) -> Result<(), RemoteError> {
        let (head, name, from) =
            (delivery.head, format!("greffe {}", delivery.name), from.map(Cid::to_string));
        let mut query = vec![("mode", "recursive"), ("name", &*name)];
        query.extend(from.as_deref().map(|from| ("pin-update", from)));
        let pinned = self.find::<Pin>(Method::POST, &format!("pins/{head}"), &query).await?;
        if pinned.is_some_and(|pin| pin.cid.parse() == Ok(head) && pin.mode == "recursive") {
            return Ok(());
        }
        Err(RemoteError::Malformed("it does not say that it takes the pin".to_owned()))
    }

    async fn unpin(&self, cid: &Cid) -> Result<(), RemoteError> {
        match self.find::<Pin>(Method::DELETE, &format!("pins/{cid}"), &[]).await? {
            Some(pin) if pin.cid.parse() != Ok(*cid) => {
                Err(RemoteError::Malformed(format!("it let another pin go than {cid}")))
            }
            _ => Ok(()),
        }
    }

    async fn status(&self, cid: &Cid) -> Result<Status, RemoteError> {
        let status = self.find::<Status>(Method::GET, &format!("pins/{cid}"), &[]).await?;
        let status = status.unwrap_or_else(|| Status { cid: cid.to_string(), peer_map: BTreeMap::new() });
        if status.cid.parse() == Ok(*cid) {
            return Ok(status);
        }
        Err(RemoteError::Malformed(format!("it speaks of another pin than {cid}")))
    }

    /// What it answers; `None` when it does not know the pin.
    async fn find<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<Option<T>, RemoteError> {
        let ask = async || {
            let request = self.http.request(method.clone(), path, query)?;
            let answer = self.http.answer(request, ANSWER).await?;
            if is_unknown(&answer) {
                return Ok(None);
            }
            answer.require_success()?;
            read(&answer.body).map(Some)
        };
        self.http.patience().retry(ask).await
    }
}

impl Replica for Cluster {
    async fn deliver(&self, delivery: &Delivery<'_>) -> Result<(), ReplicaError> {
        let end = end_of_wait(self.http.patience());
        let (mut from, mut peers) = (None, String::new());
        if let Some(previous) = delivery.previous.as_ref().filter(|previous| **previous != delivery.head)
            && let Some(allocated) = self.allocations(previous).await?
        {
            (from, peers) = (Some(previous), allocated.join(","));
        }
        self.add(delivery, &peers).await?;
        self.pin(delivery, from).await?;
        until_kept(end, async || Ok(self.status(&delivery.head).await?.promise())).await?;
        for before in delivery.before() {
            self.unpin(before).await?;
        }
        Ok(())
    }

    async fn holding(&self, head: &Cid) -> Result<Holding, ReplicaError> {
        Ok(self.status(head).await?.holding())
    }

    async fn get(&self, _: &Cid) -> Result<Option<Vec<u8>>, ReplicaError> {
        Err(RemoteError::Unsupported("a cluster gives no blocks back").into())
    }

    async fn answers(&self) -> Result<(), ReplicaError> {
        match self.find::<Version>(Method::GET, "version", &[]).await? {
            Some(_) => Ok(()),
            None => Err(RemoteError::Malformed("it is no IPFS Cluster".to_owned()).into()),
        }
    }
}

#[derive(Deserialize)]
struct Version {
    #[serde(rename = "version")]
    _version: String,
}

#[derive(Deserialize)]
struct Pin {
    cid: String,
    mode: String,
    allocations: Option<Vec<String>>,
}

/// What each peer says of a pin.
#[derive(Deserialize)]
struct Status {
    cid: String,
    peer_map: BTreeMap<String, Peer>,
}

#[derive(Deserialize)]
struct Peer {
    status: String,
    error: String,
}

impl Status {
    /// The peers that the pin is for.
    fn peers(&self) -> impl Iterator<Item = &Peer> {
        self.peer_map.values().filter(|peer| peer.status != "remote")
    }

    fn is_kept(&self) -> bool {
        self.peers().next().is_some() && self.peers().all(|peer| peer.status == "pinned")
    }

    /// What it says after it took the pin: until all peers know of it, some say that they do not.
    fn promise(&self) -> Promise {
        let busy = self.peers().any(|peer| matches!(&*peer.status, "pinning" | "pin_queued" | "queued"));
        let failed = self.peers().find(|peer| peer.status.ends_with("error"));
        match failed {
            _ if self.is_kept() => Promise::Kept,
            Some(peer) if !busy => Promise::Failed(format!(
                "{}: {}",
                printable(peer.status.as_bytes()),
                printable(peer.error.as_bytes())
            )),
            _ => Promise::Underway,
        }
    }

    fn holding(&self) -> Holding {
        let underway = |peer: &Peer| matches!(&*peer.status, "pinned" | "pinning" | "pin_queued" | "queued");
        if self.is_kept() {
            Holding::Pinned
        } else if self.peers().any(underway) {
            Holding::Pending
        } else {
            Holding::Absent
        }
    }
}

#[derive(Deserialize)]
struct Added {
    cid: String,
    #[serde(default)]
    bytes: u64,
}

/// Judges the answer to a CAR file: it names the root, and has as many bytes of blocks as were sent.
fn added(body: &[u8], root: &Cid, size: u64) -> Result<(), RemoteError> {
    let lines: Vec<Added> = read(body)?;
    match &lines[..] {
        [line] if line.cid.parse() == Ok(*root) && line.bytes == size => Ok(()),
        [line] if line.cid.parse() == Ok(*root) => {
            Err(RemoteError::Malformed(format!("it took {} of {size} bytes", line.bytes)))
        }
        _ => Err(RemoteError::Malformed("it does not say that it took the blocks".to_owned())),
    }
}

fn is_unknown(answer: &Answer) -> bool {
    /// As it answers for what it does not know; other servers have other pages for what they have not.
    #[derive(Deserialize)]
    struct Unknown {
        message: String,
    }
    answer.status == StatusCode::NOT_FOUND.as_u16()
        && serde_json::from_slice::<Unknown>(&answer.body)
            .is_ok_and(|said| said.message.contains("not part of"))
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, RemoteError> {
    serde_json::from_slice(body)
        .map_err(|error| RemoteError::Malformed(printable(error.to_string().as_bytes())))
}

/// A form with one file, a CAR, and the boundary of its parts, which chance keeps out of the blocks.
fn form(root: &Cid, piece: &[Block]) -> (String, Vec<u8>) {
    let mut random = [0; 24];
    fill_random(&mut random);
    let boundary = data_encoding::HEXLOWER.encode(&random);
    let mut body = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"blocks.car\"\r\n\
         Content-Type: application/octet-stream\r\n\r\n"
    )
    .into_bytes();
    body.extend_from_slice(&encode_header(root));
    for (cid, bytes) in piece {
        push_frame(&mut body, cid, bytes);
    }
    body.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    (boundary, body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Codec;

    fn status(peers: &[&str]) -> Status {
        let peer = |status: &&str| Peer { status: (*status).to_owned(), error: "no\nway".to_owned() };
        let peer_map = peers.iter().enumerate().map(|(number, status)| (number.to_string(), peer(status)));
        Status { cid: String::new(), peer_map: peer_map.collect() }
    }

    #[test]
    fn a_pin_is_kept_when_every_peer_that_it_is_for_says_so() {
        for (peers, promise, holding) in [
            (&["pinned", "remote", "pinned"][..], Promise::Kept, Holding::Pinned),
            (&["pinned", "pinning"], Promise::Underway, Holding::Pending),
            (&["pin_queued", "pin_error"], Promise::Underway, Holding::Pending),
            (&["pinned", "cluster_error"], Promise::Failed("cluster_error: no way".into()), Holding::Pending),
            (&["pin_error"], Promise::Failed("pin_error: no way".into()), Holding::Absent),
            (&["unpinned"], Promise::Underway, Holding::Absent),
            (&["unexpectedly_unpinned"], Promise::Underway, Holding::Absent),
            (&["remote"], Promise::Underway, Holding::Absent),
            (&[], Promise::Underway, Holding::Absent),
        ] {
            let status = status(peers);
            assert_eq!((status.promise(), status.holding()), (promise, holding), "{peers:?}");
        }
    }

    #[test]
    fn blocks_count_when_the_answer_has_all_of_them() {
        let root = Cid::of(Codec::DagCbor, b"\x80");
        let line = |cid: &str, bytes: u64| format!("{{\"name\":\"x\",\"cid\":\"{cid}\",\"bytes\":{bytes}}}");
        let judge = |answer: String| added(answer.as_bytes(), &root, 7);
        let right = line(&root.to_string(), 7);
        assert_eq!(judge(format!("[{right}]")), Ok(()));
        for answer in [
            String::new(),
            "[]".to_owned(),
            "null".to_owned(),
            right.clone(),
            format!("[{right},{right}]"),
            format!("[{}]", line(&root.to_string(), 6)),
            format!("[{}]", line(&Cid::of(Codec::Raw, b"").to_string(), 7)),
            format!("[{}", right),
        ] {
            assert!(matches!(judge(answer.clone()), Err(RemoteError::Malformed(_))), "{answer}");
        }
    }
}
