//! IPNS records ⇄ bytes: a protobuf of signed DAG-CBOR (IPNS specification, records of version 2).
//!
//! Written without the fields of version 1. Read, only what version 2 signs counts.

use serde::{Deserialize, Serialize};

use super::unixfs::{push_varint, take_varint};
use crate::crypto::{PrivateKey, Signature};
use crate::model::{Cid, IpnsName, IpnsRecord, Timestamp};

/// No record is larger (IPNS specification).
pub const IPNS_RECORD_LIMIT: usize = 10 << 10;
/// What is signed begins so.
const DOMAIN: &[u8] = b"ipns-signature:";
/// Where the head stands in a value.
const IPFS: &str = "/ipfs/";

/// Protobuf fields.
const SIGNATURE_V2: u64 = 8;
const DATA: u64 = 9;

/// Why bytes are no record of a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IpnsError {
    #[error("it has more than {IPNS_RECORD_LIMIT} bytes")]
    TooLarge,
    #[error("it is not an IPNS record of version 2: {0}")]
    Malformed(&'static str),
    #[error("it is not signed by the key of its name")]
    Signature,
    #[error("it does not point to a head, but to {0:?}")]
    Value(String),
}

#[derive(Serialize, Deserialize)]
struct Data {
    #[serde(rename = "TTL")]
    ttl: u64,
    #[serde(rename = "Value", with = "serde_bytes")]
    value: Vec<u8>,
    #[serde(rename = "Sequence")]
    sequence: u64,
    #[serde(rename = "Validity", with = "serde_bytes")]
    validity: Vec<u8>,
    #[serde(rename = "ValidityType")]
    validity_type: u64,
}

/// Writes and signs a record.
#[must_use]
pub fn encode_record(record: &IpnsRecord, key: &PrivateKey) -> Vec<u8> {
    let data = Data {
        ttl: record.ttl,
        value: format!("{IPFS}{}", record.head).into_bytes(),
        sequence: record.sequence,
        validity: record.valid_until.to_string().into_bytes(),
        validity_type: 0,
    };
    let data = serde_ipld_dagcbor::to_vec(&data).expect("numbers and bytes can be encoded");
    let signature = key.sign(&signed(&data));
    let mut bytes = Vec::with_capacity(data.len() + 80);
    for (field, value) in [(SIGNATURE_V2, &signature.0[..]), (DATA, &data)] {
        push_varint(&mut bytes, field << 3 | 2);
        push_varint(&mut bytes, value.len() as u64);
        bytes.extend_from_slice(value);
    }
    bytes
}

/// Reads a record of `name`. Whether it still holds is for the caller to say.
///
/// # Errors
/// [`IpnsError`].
pub fn decode_record(bytes: &[u8], name: &IpnsName) -> Result<IpnsRecord, IpnsError> {
    if bytes.len() > IPNS_RECORD_LIMIT {
        return Err(IpnsError::TooLarge);
    }
    let (signature, data) = fields(bytes).ok_or(IpnsError::Malformed("its protobuf"))?;
    let signature: [u8; 64] = signature.try_into().map_err(|_| IpnsError::Signature)?;
    if !name.key().verify(&signed(data), &Signature(signature)) {
        return Err(IpnsError::Signature);
    }
    let data: Data = serde_ipld_dagcbor::from_slice(data).map_err(|_| IpnsError::Malformed("its data"))?;
    if data.validity_type != 0 {
        return Err(IpnsError::Malformed("its validity is of another type than an end"));
    }
    let validity = std::str::from_utf8(&data.validity).ok().and_then(instant);
    let value = String::from_utf8_lossy(&data.value);
    let head = value.strip_prefix(IPFS).and_then(|text| text.trim_end_matches('/').parse::<Cid>().ok());
    Ok(IpnsRecord {
        head: head.ok_or_else(|| IpnsError::Value(value.chars().take(80).collect()))?,
        sequence: data.sequence,
        valid_until: validity.ok_or(IpnsError::Malformed("its validity"))?,
        ttl: data.ttl,
    })
}

fn signed(data: &[u8]) -> Vec<u8> {
    [DOMAIN, data].concat()
}

/// Signature and data; each once, with whatever else stands between them.
fn fields(mut bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (mut signature, mut data) = (None, None);
    while !bytes.is_empty() {
        let tag = take_varint(&mut bytes)?;
        match tag & 7 {
            0 => {
                take_varint(&mut bytes)?;
            }
            2 => {
                let length = usize::try_from(take_varint(&mut bytes)?).ok()?;
                let (value, rest) = bytes.split_at_checked(length)?;
                bytes = rest;
                let twice = match tag >> 3 {
                    SIGNATURE_V2 => signature.replace(value).is_some(),
                    DATA => data.replace(value).is_some(),
                    _ => false,
                };
                if twice {
                    return None;
                }
            }
            _ => return None,
        }
    }
    signature.zip(data)
}

/// An RFC 3339 time of any precision, as others write it.
fn instant(text: &str) -> Option<Timestamp> {
    Timestamp::from_microseconds(text.parse::<jiff::Timestamp>().ok()?.as_microsecond())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Codec;

    fn sample() -> (IpnsRecord, PrivateKey, IpnsName) {
        let key = PrivateKey::from_seed(&[3; 32]);
        let record = IpnsRecord {
            head: Cid::of(Codec::DagCbor, b"head"),
            sequence: 7,
            valid_until: "2027-01-31T12:00:00.000000Z".parse().unwrap(),
            ttl: 60_000_000_000,
        };
        let name = IpnsName::new(*key.public());
        (record, key, name)
    }

    #[test]
    fn a_record_comes_back_and_every_flipped_bit_is_found() {
        let (record, key, name) = sample();
        let bytes = encode_record(&record, &key);
        assert_eq!(decode_record(&bytes, &name), Ok(record));
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(decode_record(&flipped, &name).is_err(), "bit {bit}");
        }
        for length in 0..bytes.len() {
            assert!(decode_record(&bytes[..length], &name).is_err());
        }
        assert_eq!(
            decode_record(&[bytes.clone(), bytes].concat(), &name).unwrap_err(),
            IpnsError::Malformed("its protobuf")
        );
        assert_eq!(decode_record(&vec![0; 20_000], &name), Err(IpnsError::TooLarge));
    }

    #[test]
    fn a_record_of_another_key_is_none() {
        let (record, _, name) = sample();
        let other = encode_record(&record, &PrivateKey::from_seed(&[4; 32]));
        assert_eq!(decode_record(&other, &name), Err(IpnsError::Signature));
    }

    #[test]
    fn what_others_write_beside_it_does_not_count() {
        let (record, key, name) = sample();
        // Sequence and time to live of version 1, and a public key.
        let mut bytes = vec![5 << 3, 99, 6 << 3, 1, 7 << 3 | 2, 2, 1, 2];
        bytes.extend(encode_record(&record, &key));
        assert_eq!(decode_record(&bytes, &name), Ok(record));
    }
}
