//! `/routing/v1/`: who has a block, and the newest signed name, as Delegated Routing V1 has them.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header::{ETAG, HeaderMap, VARY};
use axum::response::Response;
use serde_json::json;

use super::answer::{Refusal, accepted, answer, is_known, not_modified, set, set_text};
use super::gateway::AnyCid;
use super::site::Site;
use crate::codec::unixfs::take_varint;
use crate::crypto::{Digest, PublicKey, Signature};

const JSON: &str = "application/json";
const LINES: &str = "application/x-ndjson";
const RECORD: &str = "application/vnd.ipfs.ipns-record";
/// The only transport.
const GATEWAY: &str = "transport-ipfs-gateway-http";
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
    let key = key_of(&name).ok_or(Refusal::bad("this is not an IPNS name of an Ed25519 key"))?;
    let find = move |site: &Site| {
        let mut records = site.shelf.records().into_iter();
        Ok(records.find(|record| is_signed(record, &key)))
    };
    let record = site.read(find).await?.ok_or(Refusal::absent("there is no record of this name here"))?;
    let tag = format!("\"{}\"", Digest::of(&record));
    let known = is_known(&headers, &tag);
    let mut answer = answer(RECORD, ASK_AGAIN, Body::from(record));
    set_text(&mut answer, ETAG, &tag);
    set(&mut answer, VARY, "Accept");
    Ok(if known { not_modified(answer) } else { answer })
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
    base58(&bytes)
}

/// Base58 as Bitcoin and IPFS write it, of bytes that do not begin with zero.
fn base58(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
    let mut digits: Vec<u8> = Vec::new();
    for byte in bytes {
        let mut carry = u32::from(*byte);
        for digit in &mut digits {
            carry += u32::from(*digit) << 8;
            *digit = (carry % 58) as u8;
            carry /= 58;
        }
        while carry > 0 {
            digits.push((carry % 58) as u8);
            carry /= 58;
        }
    }
    digits.iter().rev().map(|digit| char::from(DIGITS[usize::from(*digit)])).collect()
}

/// The key that an IPNS name is: a CID of codec libp2p-key that holds an Ed25519 key whole.
fn key_of(name: &str) -> Option<PublicKey> {
    if name.len() > 100 || !name.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    let cid = cid::Cid::try_from(name).ok()?;
    let key = cid.hash().digest().strip_prefix(&[0x08, 0x01, 0x12, 0x20])?;
    (cid.codec() == 0x72 && cid.hash().code() == 0).then(|| PublicKey::from_bytes(key).ok())?
}

/// Whether a record has a signature of version 2 by this key (IPNS specification, records).
fn is_signed(record: &[u8], key: &PublicKey) -> bool {
    let (Some(signature), Some(data)) = (field(record, 8), field(record, 9)) else { return false };
    let Ok(signature) = <[u8; 64]>::try_from(signature) else { return false };
    key.verify(&[b"ipns-signature:", data].concat(), &Signature(signature))
}

/// The bytes of a field of a protobuf message.
fn field(mut message: &[u8], number: u64) -> Option<&[u8]> {
    while !message.is_empty() {
        let tag = take_varint(&mut message)?;
        let value = take_varint(&mut message)?;
        match tag & 7 {
            0 => {}
            2 => {
                let (bytes, rest) = message.split_at_checked(usize::try_from(value).ok()?)?;
                if tag >> 3 == number {
                    return Some(bytes);
                }
                message = rest;
            }
            _ => return None,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base58_is_what_ipfs_writes() {
        let cid: cid::Cid = "QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n".parse().unwrap();
        assert_eq!(base58(&cid.hash().to_bytes()), "QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n");
        assert!(peer_id(&["/ip4/127.0.0.1/tcp/1/http".to_owned()]).starts_with("Qm"));
    }

    #[test]
    fn names_are_keys() {
        let hash = |key: &[u8]| cid::multihash::Multihash::<64>::wrap(0, key).unwrap();
        let base = cid::multibase::Base::Base36Lower;
        let point = crate::crypto::PrivateKey::from_seed(&[7; 32]).public();
        let digest = [&[0x08, 0x01, 0x12, 0x20][..], point.as_bytes()].concat();
        let name = cid::Cid::new_v1(0x72, hash(&digest)).to_string_of_base(base).unwrap();
        assert!(name.starts_with("k51"));
        assert_eq!(key_of(&name), Some(point));
        assert_eq!(key_of("bafkqaaa"), None);
        assert_eq!(key_of("../../etc/passwd"), None);
        assert!(!is_signed(b"\x42\x01x\x4a\x01y", &point) && !is_signed(&[0x42, 0xff], &point));
    }
}
