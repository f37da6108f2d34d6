//! `/routing/v1/`: who has a block, and the newest signed name, as Delegated Routing V1 has them.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::http::header::{ETAG, HeaderMap, VARY};
use axum::response::Response;
use serde_json::json;

use super::answer::{Refusal, accepted, answer, is_known, not_modified, set, set_text};
use super::gateway::AnyCid;
use super::site::Site;
use crate::codec::ipns::decode_record;
use crate::crypto::Digest;
use crate::model::{IpnsName, in_base};

const JSON: &str = "application/json";
const LINES: &str = "application/x-ndjson";
const RECORD: &str = "application/vnd.ipfs.ipns-record";
/// The only transport.
const GATEWAY: &str = "transport-ipfs-gateway-http";
const LONGEST_NAME: usize = 100;
/// A name moves on at any time.
const ASK_AGAIN: &str = "no-cache";

/// Who has a block: this server, or nobody whom it knows.
pub async fn providers(
    State(site): State<Arc<Site>>,
    Path(text): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let here = match AnyCid::parse(&text)? {
        AnyCid::Ours(cid) => {
            site.read(move |site| site.shelf.contains(&cid).map_err(|error| site.broken(error))).await?
        }
        AnyCid::Probe | AnyCid::Foreign => false,
    };
    let record = (here && !site.announce.is_empty()).then(|| {
        json!({
            "Schema": "peer",
            "ID": peer_id(&site.announce),
            "Addrs": site.announce,
            "Protocols": [GATEWAY],
        })
    });
    let lines = accepted(&headers, |media| match media.name.as_str() {
        LINES => Some(true),
        JSON | "*/*" | "application/*" => Some(false),
        _ => None,
    });
    // What is here stays; what is not may come.
    let keep = if record.is_some() { "public, max-age=300" } else { "public, max-age=15" };
    let mut answer = if lines == Some(true) {
        answer(LINES, keep, record.map(|record| format!("{record}\n")).unwrap_or_default())
    } else {
        answer(JSON, keep, json!({ "Providers": record.into_iter().collect::<Vec<_>>() }).to_string())
    };
    set(&mut answer, VARY, "Accept");
    Ok(answer)
}

/// The newest record of a name, when it is in the folder of archives.
pub async fn ipns(
    State(site): State<Arc<Site>>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let bare = name.len() <= LONGEST_NAME && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let name: Option<IpnsName> = bare.then(|| name.parse().ok()).flatten();
    let name = name.ok_or(Refusal::bad("this is not an IPNS name of an Ed25519 key"))?;
    let find = move |site: &Site| {
        let mut records = site.shelf.records().into_iter();
        Ok(records.find(|record| decode_record(record, &name).is_ok()))
    };
    let record = site.read(find).await?.ok_or(Refusal::absent("there is no record of this name here"))?;
    let tag = format!("\"{}\"", Digest::of(&record));
    let known = is_known(&headers, &tag);
    let mut answer = answer(RECORD, ASK_AGAIN, Body::from(record));
    set_text(&mut answer, ETAG, &tag);
    set(&mut answer, VARY, "Accept");
    Ok(if known { not_modified(answer) } else { answer })
}

/// The same as gateways have it: the record itself, and not what the name leads to.
pub async fn ipns_record(
    site: State<Arc<Site>>,
    name: Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let query = query.unwrap_or_default();
    let format = url::form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "format");
    let asked = match format {
        Some((_, format)) => format == "ipns-record",
        None => accepted(&headers, |media| (media.name == RECORD).then_some(())).is_some(),
    };
    if !asked {
        return Err(Refusal::new(StatusCode::NOT_ACCEPTABLE, "offered is `?format=ipns-record`"));
    }
    ipns(site, name, headers).await
}

/// A name that clients can tell this server by: the form of a peer's identity, over where it is. No key stands
/// behind it, and gateways are not asked for one.
fn peer_id(announce: &[String]) -> String {
    let mut text = "greffe serve".to_owned();
    for address in announce {
        let _ = write!(text, "\0{address}");
    }
    let mut bytes = vec![0x12, 32];
    bytes.extend(Digest::of(text.as_bytes()).0);
    in_base(&bytes, BASE58)
}

/// Digits of base58, as Bitcoin and IPFS write it.
const BASE58: &[u8] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base58_is_what_ipfs_writes() {
        let cid: cid::Cid = "QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n".parse().unwrap();
        assert_eq!(in_base(&cid.hash().to_bytes(), BASE58), "QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n");
        assert!(peer_id(&["/ip4/127.0.0.1/tcp/1/http".to_owned()]).starts_with("Qm"));
    }
}
