//! Asks timestamp authorities when the head's checkpoint was there, and keeps their tokens in the head.
//!
//! The head is durable before, and stays as it is when an authority cannot be reached or answers with something else
//! than a token that verification will take: what it answers is verified at once, with the same rules.

use std::path::Path;
use std::time::Duration;

use futures_util::future::join_all;
use serde::Serialize;

use super::corroborate::{Checkpointed, Corroborated, Corroboration, Left, corroborate};
use super::{ChainReader, OpsError};
use crate::chain::{
    Appender, Authority, Stamped, TOKENS_LIMIT, TokenFault, imprints_of, verify_response, verify_token,
};
use crate::codec::timestamp::encode_request;
use crate::crypto::{Digest, fill_random};
use crate::model::{ChainName, Cid, Timestamp};
use crate::store::remote::{RemoteError, TimestampService};

/// A service as people call it.
pub struct NamedService {
    pub name: String,
    pub url: String,
    pub service: TimestampService,
}

/// Which archive, and how it is judged.
pub struct Stamping<'a> {
    pub directory: &'a Path,
    pub name: &'a ChainName,
    /// How long another run is waited for.
    pub wait: Duration,
    /// By how many microseconds a token may lie before the newest entry.
    pub tolerance: i64,
}

/// What came of one service.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceState {
    pub name: String,
    pub url: String,
    /// The time that it said.
    pub time: Option<Timestamp>,
    /// The authority of the trust document that vouches for it.
    pub authority: Option<String>,
    /// Why its token is not in the head.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

/// What came of all of them.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Timestamped {
    /// The head that the archive had before.
    #[serde(skip)]
    pub before: Cid,
    pub head: Cid,
    /// Valid tokens of the head.
    pub tokens: usize,
    /// Those that were asked; none where the head has a token of as many authorities.
    pub services: Vec<ServiceState>,
}

/// Why a service gave no token.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error(transparent)]
    Remote(#[from] RemoteError),
    #[error("its answer is not taken: {0}")]
    Token(#[from] TokenFault),
    #[error("the head has a token of this authority")]
    Known,
    #[error("the archive went on meanwhile; run `greffe timestamp`")]
    Overtaken,
    #[error("the head has {TOKENS_LIMIT} timestamps, and more are not looked at; the next head has room")]
    Full,
}

/// Gets a token of every service whose authority has none in the head yet. A service that fails is no error.
///
/// # Errors
/// [`OpsError::NoAuthority`], [`OpsError::Unsigned`] and those of the archive.
pub async fn timestamp(stamping: &Stamping<'_>, services: &[NamedService]) -> Result<Timestamped, OpsError> {
    let reader = ChainReader::open(stamping.directory, stamping.name)?;
    reader.require_end()?;
    let Checkpointed { head: before, note, timestamps } = reader.checkpointed()?;
    let chain = Appender::restore(&before, None, &mut |cid| reader.archive().get(cid).map_err(Box::new))?;
    let (Some(root), Some(trust)) = (chain.chain(), chain.trust()) else { return Err(OpsError::NoAuthority) };
    let authorities = Authority::of_trust(&trust.authorities);
    if authorities.is_empty() {
        return Err(OpsError::NoAuthority);
    }
    let imprints = imprints_of(&note, &root, chain.size().saturating_sub(1), trust);
    let imprint = *imprints.first().ok_or(OpsError::Unsigned)?;
    let newest = reader.entry(&reader.newest()?.0)?.statement.event.finished_at;
    let judge = |stamped: Stamped| stamped.not_before(Some(newest), stamping.tolerance);
    let valid = |token: &Vec<u8>| verify_token(token, &imprints, &authorities).and_then(judge).ok();
    let mut held: Vec<Digest> = timestamps.iter().filter_map(valid).map(|stamped| stamped.root).collect();
    if held.len() >= services.len() {
        return Ok(Timestamped { before, head: before, tokens: held.len(), services: Vec::new() });
    }
    let asked = services.iter().map(async |service| {
        let mut nonce = [0; 8];
        fill_random(&mut nonce);
        // A negative number is no nonce to some.
        nonce[0] &= 0x7f;
        let answer = service.service.ask(&encode_request(&imprint, &nonce)).await?;
        let (token, stamped) = verify_response(&answer, &nonce, imprint, &authorities)?;
        Ok::<_, Refusal>((token.to_vec(), judge(stamped)?))
    });
    let mut answers: Vec<Result<(Vec<u8>, Stamped), Refusal>> = join_all(asked).await;
    for answer in &mut answers {
        match answer {
            Ok((_, stamped)) if held.contains(&stamped.root) => *answer = Err(Refusal::Known),
            Ok((_, stamped)) => held.push(stamped.root),
            Err(_) => {}
        }
    }
    let tokens = answers.iter().filter_map(|answer| Some(answer.as_ref().ok()?.0.clone())).collect();
    let added = Corroboration { timestamps: tokens, ..Corroboration::default() };
    let settled = corroborate(stamping.directory, stamping.name, stamping.wait, &note, added)?;
    let mut full = 0;
    for answer in &mut answers {
        let of_answer = |(token, _): &&(Vec<u8>, Left)| answer.as_ref().is_ok_and(|(mine, _)| mine == token);
        match settled.left.iter().find(of_answer) {
            // Another run was quicker.
            Some((_, Left::Known)) => *answer = Err(Refusal::Known),
            Some((_, Left::Full)) => {
                full += 1;
                *answer = Err(Refusal::Full);
            }
            None => {}
        }
    }
    let (head, tokens) = match settled.done {
        Corroborated::Added(head) => (head, held.len() - full),
        Corroborated::Present => (before, held.len() - full),
        Corroborated::Overtaken => {
            let late = |answer: &mut Result<_, Refusal>| {
                if answer.is_ok() {
                    *answer = Err(Refusal::Overtaken);
                }
            };
            answers.iter_mut().for_each(late);
            (before, 0)
        }
    };
    let states = services.iter().zip(answers).map(|(service, answer)| state_of(service, answer)).collect();
    Ok(Timestamped { before, head, tokens, services: states })
}

fn state_of(service: &NamedService, answer: Result<(Vec<u8>, Stamped), Refusal>) -> ServiceState {
    let (name, url) = (service.name.clone(), service.url.clone());
    match answer {
        Ok((_, stamped)) => ServiceState {
            name,
            url,
            time: Some(stamped.time),
            authority: Some(stamped.authority),
            failure: None,
        },
        // It is there already.
        Err(Refusal::Known) => ServiceState { name, url, time: None, authority: None, failure: None },
        Err(refusal) => {
            ServiceState { name, url, time: None, authority: None, failure: Some(refusal.to_string()) }
        }
    }
}

impl Timestamped {
    /// Whether no service owes a token.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.services.iter().all(|service| service.failure.is_none())
    }
}
