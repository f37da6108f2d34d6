//! `/api/v1/`: what is told of the archives to holders of tokens, as JSON. Nothing sealed is opened for it.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use serde::Serialize;
use serde_json::json;
use tokio::sync::Semaphore;

use super::answer::{NOT_KEPT, Refusal, answer};
use super::site::Site;
use crate::chain::Options as VerifyOptions;
use crate::model::{ChainName, Cid, is_day};
use crate::ops::access::audit_events;
use crate::ops::heads::{Judging, heads};
use crate::ops::replicate::known;
use crate::ops::verify::verify_archive;
use crate::ops::{ChainReader, OpsError};
use crate::store::ArchiveError;
use crate::store::remote::NamedReplica;

pub const JSON: &str = "application/json";
/// Heads in one answer, unless fewer are asked for.
pub const HEADS: usize = 100;
/// Accesses in one answer.
pub const ACCESSES: usize = 1000;

/// By what rules archives are judged, and where they are to be.
pub struct Sources {
    /// Folder of archives.
    pub directory: PathBuf,
    /// The chain of the settings, whose replicas these are.
    pub chain: Option<ChainName>,
    pub replicas: Vec<NamedReplica>,
    pub verify: VerifyOptions,
    pub judging: Judging,
}

/// What is told, and what was found out already.
pub struct Api {
    sources: Sources,
    /// The report of each chain, and of which head it is.
    reports: Mutex<HashMap<ChainName, (Cid, Bytes)>>,
    /// What reads a whole archive is done one at a time.
    turn: Arc<Semaphore>,
}

/// A chain, and how much of it there is.
#[derive(Serialize)]
struct Standing {
    name: ChainName,
    chain: Cid,
    head: Cid,
    entries: u64,
}

impl Api {
    pub fn new(sources: Sources) -> Self {
        Self { sources, reports: Mutex::default(), turn: Arc::new(Semaphore::new(1)) }
    }

    fn reader(&self, name: &ChainName) -> Result<ChainReader, OpsError> {
        ChainReader::open(&self.sources.directory, name)
    }

    fn standing(&self, name: ChainName) -> Result<Standing, OpsError> {
        let reader = self.reader(&name)?;
        let entries = reader.newest()?.1.seq + 1;
        Ok(Standing { name, chain: reader.root(), head: reader.head(), entries })
    }

    /// The report of verification, made anew when the head is another one.
    fn report(&self, name: &ChainName) -> Result<Bytes, OpsError> {
        let reader = self.reader(name)?;
        let head = reader.head();
        let known = || self.reports.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, bytes)) = known().get(name)
            && *of == head
        {
            return Ok(bytes.clone());
        }
        let report = verify_archive(&reader, head, self.sources.verify.clone(), 1, &mut |_, _, _| ())?;
        let bytes = Bytes::from(serde_json::to_vec(&report).unwrap_or_default());
        known().insert(name.clone(), (head, bytes.clone()));
        Ok(bytes)
    }

    fn queue(&self, name: &ChainName) -> Result<serde_json::Value, OpsError> {
        let reader = self.reader(name)?;
        let is_own = self.sources.chain.as_ref() == Some(name);
        let replicas = if is_own { self.sources.replicas.as_slice() } else { &[] };
        let states = known(&reader, name, replicas)?;
        let behind = states.replicas.iter().filter(|replica| !replica.current).count();
        Ok(json!({ "head": reader.head(), "behind": behind, "replicas": states.replicas }))
    }

    /// The newest accesses, the oldest of them first.
    fn accesses(&self, name: &ChainName, days: &Days) -> Result<serde_json::Value, OpsError> {
        let found = audit_events(&self.sources.directory, name, days.since.as_deref(), days.until.as_deref());
        let mut events = match found {
            Err(OpsError::Archive(ArchiveError::NotFound { .. })) => Vec::new(),
            found => found?,
        };
        let more = events.len().saturating_sub(ACCESSES);
        events.drain(..more);
        Ok(json!({ "events": events, "more": more }))
    }
}

/// The first day and the last one.
struct Days {
    since: Option<String>,
    until: Option<String>,
}

fn parameter(query: Option<&str>, name: &str) -> Option<String> {
    let mut pairs = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    pairs.find(|(other, _)| other == name).map(|(_, value)| value.into_owned())
}

fn days(query: Option<&str>) -> Result<Days, Refusal> {
    let day = |name| match parameter(query, name) {
        Some(day) if !is_day(&day) => Err(Refusal::bad("a day is written like `2026-01-31`")),
        day => Ok(day),
    };
    Ok(Days { since: day("since")?, until: day("until")? })
}

/// Does work for a chain that is served, on a thread that may wait for a disk.
async fn of_chain<T: Send + 'static>(
    site: &Arc<Site>,
    name: &str,
    work: impl FnOnce(&Api, ChainName) -> Result<T, OpsError> + Send + 'static,
) -> Result<T, Refusal> {
    let unknown = || Refusal::absent("there is no such chain here");
    let name: ChainName = name.parse().map_err(|_| unknown())?;
    site.read(move |site| {
        if site.shelf.newest(&name).is_none() {
            return Err(unknown());
        }
        let api = site.api.as_ref().ok_or_else(unknown)?;
        work(api, name).map_err(|error| site.broken(error))
    })
    .await
}

/// The same for what reads a whole archive: one at a time. It is read to the end also for a client who goes away, and nobody
/// else's turn comes before that.
async fn in_turn<T: Send + 'static>(
    site: &Arc<Site>,
    name: &str,
    work: impl FnOnce(&Api, ChainName) -> Result<T, OpsError> + Send + 'static,
) -> Result<T, Refusal> {
    let turn = match &site.api {
        Some(api) => Some(site.in_time(Arc::clone(&api.turn).acquire_owned()).await?),
        None => None,
    };
    let work = move |api: &Api, name| {
        let _turn = turn;
        work(api, name)
    };
    of_chain(site, name, work).await
}

fn json_answer(value: &impl Serialize) -> Response {
    answer(JSON, NOT_KEPT, serde_json::to_vec(value).unwrap_or_default())
}

/// The chains that are served.
pub async fn chains(State(site): State<Arc<Site>>) -> Result<Response, Refusal> {
    let standings = site.read(|site| {
        let Some(api) = &site.api else { return Ok(Vec::new()) };
        let names = site.shelf.archives().into_iter().map(|(name, _)| name);
        let standings = names.map(|name| api.standing(name)).collect::<Result<Vec<_>, _>>();
        standings.map_err(|error| site.broken(error))
    });
    Ok(json_answer(&json!({ "chains": standings.await? })))
}

/// One chain.
pub async fn chain(State(site): State<Arc<Site>>, Path(name): Path<String>) -> Result<Response, Refusal> {
    of_chain(&site, &name, |api, name| api.standing(name)).await.map(|standing| json_answer(&standing))
}

/// Its heads, the newest first.
pub async fn chain_heads(
    State(site): State<Arc<Site>>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let limit = match parameter(query.as_deref(), "limit") {
        None => HEADS,
        Some(text) => text
            .parse()
            .ok()
            .filter(|limit| (1..=HEADS).contains(limit))
            .ok_or(Refusal::bad("`limit` is a number from 1 to 100"))?,
    };
    let held =
        in_turn(&site, &name, move |api, name| heads(&api.reader(&name)?, &api.sources.judging, Some(limit)));
    Ok(json_answer(&held.await?))
}

/// The report of its verification.
pub async fn report(State(site): State<Arc<Site>>, Path(name): Path<String>) -> Result<Response, Refusal> {
    let bytes = in_turn(&site, &name, |api, name| api.report(&name)).await?;
    Ok(answer(JSON, NOT_KEPT, bytes))
}

/// Which replicas lack its head, by what is known here.
pub async fn queue(State(site): State<Arc<Site>>, Path(name): Path<String>) -> Result<Response, Refusal> {
    of_chain(&site, &name, |api, name| api.queue(&name)).await.map(|queue| json_answer(&queue))
}

/// Who opened what of it.
pub async fn accesses(
    State(site): State<Arc<Site>>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let days = days(query.as_deref())?;
    in_turn(&site, &name, move |api, name| api.accesses(&name, &days)).await.map(|found| json_answer(&found))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::time::Duration;

    use super::*;
    use crate::crypto::PrivateKey;
    use crate::model::{Actor, Pseudonym};
    use crate::ops::init::init;
    use crate::ops::tokens::TokenFile;
    use crate::server::{Limits, Options};

    fn site(directory: PathBuf) -> Arc<Site> {
        let actor = Actor { pseudonym: Pseudonym::generate(), role: "tester".to_owned() };
        let name: ChainName = "demo".parse().unwrap();
        init(&directory, &name, &actor, &PrivateKey::generate()).unwrap();
        let sources = Sources {
            directory: directory.clone(),
            chain: Some(name.clone()),
            replicas: Vec::new(),
            verify: VerifyOptions::default(),
            judging: Judging { witnesses: Vec::new(), tolerance: 0 },
        };
        let options = Options {
            listen: ([127, 0, 0, 1], 0).into(),
            tokens: TokenFile::new(directory.join("tokens")),
            directory,
            chain: Some(name),
            all: false,
            behind_proxy: false,
            announce: Vec::new(),
            limits: Limits::default(),
            public: false,
            require_token: false,
            journal: None,
            record: None,
            api: Some(sources),
        };
        Site::open(options, Vec::new(), Arc::new(|_| ())).unwrap()
    }

    #[tokio::test]
    async fn a_turn_lasts_as_long_as_the_reading_also_when_its_client_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let site = site(folder.path().to_owned());
        let (begun, has_begun) = channel();
        let (end, may_end) = channel::<()>();
        let read = in_turn(&site, "demo", move |_, _| {
            begun.send(()).unwrap();
            let _ = may_end.recv();
            Ok(())
        });
        // The client leaves as soon as its answer is being made.
        tokio::select! {
            _ = read => panic!("it waits for nothing"),
            begun = tokio::task::spawn_blocking(move || has_begun.recv()) => begun.unwrap().unwrap(),
        }
        let turn = &site.api.as_ref().unwrap().turn;
        assert_eq!(turn.available_permits(), 0);
        end.send(()).unwrap();
        assert!(tokio::time::timeout(Duration::from_secs(60), turn.acquire()).await.unwrap().is_ok());
    }
}
