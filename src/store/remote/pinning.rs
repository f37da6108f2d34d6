//! A replica at a service with the IPFS Pinning Service API, version 1.
//!
//! It is told a head and where blocks are, fetches them by itself, and says when it has all. Nothing can be read back:
//! what is known is what the service says. Requests are known by the CID that they are for; those for other CIDs are
//! never touched, whatever a list has.

use std::collections::BTreeMap;

use reqwest::header::CONTENT_TYPE;
use reqwest::{Method, StatusCode};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::error::printable;
use super::promise::{Promise, end_of_wait, until_kept};
use super::{
    Authorization, Delivery, Endpoint, Holding, Http, Kubo, Origin, Patience, RemoteError, Replica,
    ReplicaError,
};
use crate::model::{Cid, Codec};

/// Bytes of an answer with one request, and with a list.
const ANSWER: u64 = 64 << 10;
const LIST: u64 = 1 << 20;
/// CIDs that one list is asked for, requests in it, and lists that are read.
const ASKED: usize = 10;
const LISTED: &str = "100";
const PAGES: usize = 10;
/// Bytes of the identifier that a service gives a request.
const IDENTIFIER: usize = 512;

const STANDING: &str = "queued,pinning,pinned";
const ANY: &str = "queued,pinning,pinned,failed";

/// Where a service finds the blocks.
pub enum Origins {
    Named(Vec<Origin>),
    /// Where these nodes say that they are.
    Nodes(Vec<Kubo>),
}

/// A pinning service.
pub struct Pinning {
    http: Http,
    origins: Origins,
}

impl Pinning {
    /// A service at an endpoint, which finds the blocks where it can. Nothing is asked of it yet.
    ///
    /// # Errors
    /// [`RemoteError::Unsupported`].
    pub fn new(
        endpoint: &Endpoint,
        authorization: Option<Authorization>,
        patience: Patience,
    ) -> Result<Self, RemoteError> {
        let http = Http::direct(endpoint, authorization, patience)?;
        Ok(Self { http, origins: Origins::Named(Vec::new()) })
    }

    /// Tells it where blocks are.
    pub fn set_origins(&mut self, origins: Origins) {
        self.origins = origins;
    }

    /// At most as many as a service takes. A node that does not answer tells nothing.
    async fn origins(&self) -> Vec<Origin> {
        let mut origins = match &self.origins {
            Origins::Named(origins) => origins.clone(),
            Origins::Nodes(nodes) => {
                let asked = futures_util::future::join_all(nodes.iter().map(Kubo::addresses)).await;
                let texts = asked.into_iter().flatten().flatten();
                texts.filter_map(|text| text.parse().ok()).collect()
            }
        };
        origins.truncate(Origin::MOST);
        origins
    }

    /// The request that stands for the head, or a new one.
    async fn request(&self, delivery: &Delivery<'_>) -> Result<Request, RemoteError> {
        let origins = self.origins().await;
        let meta = BTreeMap::from([("greffe", delivery.root.to_string())]);
        let name = format!("greffe {}", delivery.name);
        let wanted = Wanted {
            cid: delivery.head.to_string(),
            name,
            origins: origins.iter().map(Origin::as_str).collect(),
            meta,
        };
        let body = serde_json::to_vec(&wanted).map_err(|error| RemoteError::Malformed(error.to_string()))?;
        // One whose answer was lost stands nevertheless, so each try looks first.
        let ask = async || {
            let standing = self.page(&[delivery.head], STANDING, None).await?;
            if let Some(request) = best(standing.ours(&[delivery.head])) {
                return Ok(request);
            }
            let request = self.http.request(Method::POST, "pins", &[])?;
            let request = request.header(CONTENT_TYPE, "application/json").body(body.clone());
            let answer = self.http.answer(request, ANSWER).await?;
            answer.require_success()?;
            let request: Request = read(&answer.body)?;
            request.require(&delivery.head)?;
            Ok(request)
        };
        self.http.patience().retry(ask).await
    }

    async fn status(&self, request: &Request, head: &Cid) -> Result<Promise, RemoteError> {
        let path = request.path()?;
        match self.find::<Request>(Method::GET, &path).await? {
            Some(now) => {
                now.require(head)?;
                now.promise()
            }
            // Services take time until they know what they were told.
            None => Ok(Promise::Underway),
        }
    }

    async fn remove(&self, request: &Request) -> Result<(), RemoteError> {
        let path = request.path()?;
        let ask = async || {
            let answer = self.http.answer(self.http.request(Method::DELETE, &path, &[])?, ANSWER).await?;
            if answer.status == StatusCode::NOT_FOUND.as_u16() { Ok(()) } else { answer.require_success() }
        };
        self.http.patience().retry(ask).await
    }

    /// The requests for some CIDs.
    async fn list(&self, cids: &[Cid], status: &str) -> Result<Vec<Request>, RemoteError> {
        let mut found = Vec::new();
        for cids in cids.chunks(ASKED) {
            let mut before = None;
            for _ in 0..PAGES {
                let ask = async || self.page(cids, status, before.as_deref()).await;
                let page = self.http.patience().retry(ask).await?;
                // What follows is older than the oldest here.
                let oldest = page.results.iter().map(|request| request.created.clone()).min();
                let more = page.count > page.results.len() as u64 && oldest != before;
                found.extend(page.ours(cids));
                match oldest {
                    Some(oldest) if more => before = Some(oldest),
                    _ => break,
                }
            }
        }
        Ok(found)
    }

    async fn page(&self, cids: &[Cid], status: &str, before: Option<&str>) -> Result<Page, RemoteError> {
        let asked = cids.iter().map(Cid::to_string).collect::<Vec<_>>().join(",");
        let mut query = vec![("cid", &*asked), ("status", status), ("limit", LISTED)];
        query.extend(before.map(|before| ("before", before)));
        let answer = self.http.answer(self.http.request(Method::GET, "pins", &query)?, LIST).await?;
        answer.require_success()?;
        read(&answer.body)
    }

    async fn find<T: DeserializeOwned>(&self, method: Method, path: &str) -> Result<Option<T>, RemoteError> {
        let ask = async || {
            let answer = self.http.answer(self.http.request(method.clone(), path, &[])?, ANSWER).await?;
            if answer.status == StatusCode::NOT_FOUND.as_u16() {
                return Ok(None);
            }
            answer.require_success()?;
            read(&answer.body).map(Some)
        };
        self.http.patience().retry(ask).await
    }
}

impl Replica for Pinning {
    async fn deliver(&self, delivery: &Delivery<'_>) -> Result<(), ReplicaError> {
        let end = end_of_wait(self.http.patience());
        let request = self.request(delivery).await?;
        until_kept(end, async || self.status(&request, &delivery.head).await).await?;
        let failed = self.list(&[delivery.head], "failed").await?;
        let failed = failed.into_iter().filter(|request| request.status == "failed");
        let before: Vec<Cid> = delivery.before().copied().collect();
        for old in self.list(&before, ANY).await?.into_iter().chain(failed) {
            // A service may know a request by its CID.
            if old.requestid != request.requestid {
                self.remove(&old).await?;
            }
        }
        Ok(())
    }

    async fn holding(&self, head: &Cid) -> Result<Holding, ReplicaError> {
        let requests = self.list(&[*head], STANDING).await?;
        Ok(match best(requests) {
            Some(request) if request.status == "pinned" => Holding::Pinned,
            Some(_) => Holding::Pending,
            None => Holding::Absent,
        })
    }

    async fn get(&self, _: &Cid) -> Result<Option<Vec<u8>>, ReplicaError> {
        Err(RemoteError::Unsupported("a pinning service gives no blocks back").into())
    }

    /// Asks for a block that everyone has, so that the answer is short.
    async fn answers(&self) -> Result<(), ReplicaError> {
        Ok(self.list(&[Cid::of(Codec::Raw, b"")], STANDING).await.map(drop)?)
    }
}

/// What a service is asked to keep.
#[derive(Serialize)]
struct Wanted<'a> {
    cid: String,
    name: String,
    origins: Vec<&'a str>,
    meta: BTreeMap<&'static str, String>,
}

/// A request that a service knows.
#[derive(Clone, Deserialize)]
struct Request {
    requestid: String,
    status: String,
    created: String,
    pin: Pinned,
    info: Option<BTreeMap<String, serde_json::Value>>,
}

#[derive(Clone, Deserialize)]
struct Pinned {
    cid: String,
}

#[derive(Deserialize)]
struct Page {
    count: u64,
    results: Vec<Request>,
}

impl Page {
    /// What it has for these CIDs; a service that ignores what it is asked for lists others, too.
    fn ours(self, cids: &[Cid]) -> Vec<Request> {
        let ours = |request: &Request| request.pin.cid.parse().is_ok_and(|cid: Cid| cids.contains(&cid));
        self.results.into_iter().filter(ours).collect()
    }
}

/// The request that is furthest on, of those that did not fail.
fn best(requests: Vec<Request>) -> Option<Request> {
    let rank =
        |request: &Request| ["queued", "pinning", "pinned"].iter().position(|word| *word == request.status);
    requests.into_iter().filter(|request| rank(request).is_some()).max_by_key(rank)
}

impl Request {
    fn require(&self, head: &Cid) -> Result<(), RemoteError> {
        if self.pin.cid.parse() == Ok(*head) {
            return Ok(());
        }
        Err(RemoteError::Malformed(format!("it speaks of another CID than {head}")))
    }

    /// Where it is, below the service. The identifier stays one part of the path, whatever it holds.
    fn path(&self) -> Result<String, RemoteError> {
        let id = &self.requestid;
        if matches!(&**id, "" | "." | "..") || id.len() > IDENTIFIER {
            return Err(RemoteError::Malformed(
                "it gives a request no identifier that can be asked for".to_owned(),
            ));
        }
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        let part = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
        Ok(format!("pins/{}", id.bytes().map(part).collect::<String>()))
    }

    fn promise(&self) -> Result<Promise, RemoteError> {
        match &*self.status {
            "pinned" => Ok(Promise::Kept),
            "queued" | "pinning" => Ok(Promise::Underway),
            "failed" => {
                let details = self.info.as_ref().and_then(|info| info.get("status_details"));
                let details = details.and_then(|details| details.as_str()).unwrap_or("it does not say why");
                Ok(Promise::Failed(printable(details.as_bytes())))
            }
            _ => Err(RemoteError::Malformed("a request is in no state that there is".to_owned())),
        }
    }
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, RemoteError> {
    serde_json::from_slice(body)
        .map_err(|error| RemoteError::Malformed(printable(error.to_string().as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(id: &str, status: &str, cid: &str) -> Request {
        let pin = Pinned { cid: cid.to_owned() };
        let details = serde_json::Value::from("no\x1b[31m provider\n");
        let info = Some(BTreeMap::from([("status_details".to_owned(), details)]));
        Request { requestid: id.to_owned(), status: status.to_owned(), created: String::new(), pin, info }
    }

    #[test]
    fn an_identifier_leads_nowhere_else() {
        let path = |id: &str| request(id, "queued", "").path();
        assert_eq!(path("a-1_b.c~d").unwrap(), "pins/a-1_b.c~d");
        assert_eq!(path("../../../id?x#y%2e").unwrap(), "pins/..%2F..%2F..%2Fid%3Fx%23y%252e");
        assert_eq!(path("http://other/é").unwrap(), "pins/http%3A%2F%2Fother%2F%C3%A9");
        for id in ["", ".", "..", &"x".repeat(513)] {
            assert!(matches!(path(id), Err(RemoteError::Malformed(_))), "{id}");
        }
    }

    #[test]
    fn states_are_those_of_the_interface() {
        let promise = |status: &str| request("1", status, "").promise();
        assert_eq!(promise("pinned"), Ok(Promise::Kept));
        assert_eq!((promise("queued"), promise("pinning")), (Ok(Promise::Underway), Ok(Promise::Underway)));
        assert_eq!(promise("failed"), Ok(Promise::Failed("no [31m provider".to_owned())));
        assert!(matches!(promise("lost"), Err(RemoteError::Malformed(_))));
        let all = ["failed", "pinned", "queued"].map(|status| request("1", status, "")).to_vec();
        assert_eq!(best(all).unwrap().status, "pinned");
        assert!(best(vec![request("1", "failed", "")]).is_none());
    }

    #[test]
    fn requests_for_other_cids_are_not_ours() {
        let [ours, other] = [&b"1"[..], b"2"].map(|bytes| Cid::of(Codec::Raw, bytes));
        let results = vec![
            request("1", "pinned", &other.to_string()),
            request("2", "pinned", &ours.to_string()),
            request("3", "pinned", "QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn"),
        ];
        let kept = Page { count: 3, results }.ours(&[ours]);
        assert_eq!(kept.iter().map(|request| &*request.requestid).collect::<Vec<_>>(), ["2"]);
    }
}
