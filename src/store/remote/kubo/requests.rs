//! Requests that `ipfs-api-prelude` has not, and what Kubo answers to them.

use ipfs_api_prelude::ApiRequest;
use serde::{Deserialize, Serialize};

use crate::model::{Cid, Codec};
use crate::store::remote::RemoteError;
use crate::store::remote::error::printable;

/// Puts blocks of one codec, a part each. The crate's own has the older `format` alone.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct PutBlocks {
    cid_codec: &'static str,
    mhtype: &'static str,
    pin: bool,
}

impl PutBlocks {
    /// `pin`: what is put is a recursive pin at once, and nothing is walked.
    pub const fn new(codec: Codec, pin: bool) -> Self {
        let cid_codec = match codec {
            Codec::Raw => "raw",
            Codec::DagPb => "dag-pb",
            Codec::DagCbor => "dag-cbor",
        };
        Self { cid_codec, mhtype: "sha2-256", pin }
    }
}

impl ApiRequest for PutBlocks {
    const PATH: &'static str = "/block/put";
}

/// Takes in a CAR file.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ImportCar {
    pin_roots: bool,
    stats: bool,
    fast_provide_root: bool,
}

impl ImportCar {
    /// `pin_roots`: the file's root is pinned, and nothing is collected before it is.
    pub const fn new(pin_roots: bool) -> Self {
        // An archive is told to nobody but those who are given its CID.
        Self { pin_roots, stats: true, fast_provide_root: false }
    }
}

impl ApiRequest for ImportCar {
    const PATH: &'static str = "/dag/import";
}

/// Removes a block that no pin holds.
#[derive(Serialize)]
pub struct RemoveBlock {
    pub arg: String,
}

impl ApiRequest for RemoveBlock {
    const PATH: &'static str = "/block/rm";
}

/// Asks who the node is. The crate's own wants a version that newer nodes do not tell.
#[derive(Serialize)]
pub struct Identify {}

impl ApiRequest for Identify {
    const PATH: &'static str = "/id";
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Identity {
    pub addresses: Vec<String>,
}

/// Stores a signed IPNS record.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct PutName {
    arg: String,
    allow_offline: bool,
}

impl PutName {
    pub fn new(name: &str) -> Self {
        Self { arg: name.to_owned(), allow_offline: true }
    }
}

impl ApiRequest for PutName {
    const PATH: &'static str = "/name/put";
}

/// Asks for the newest IPNS record of a name, wherever the node's routing finds it.
#[derive(Serialize)]
pub struct GetName {
    pub arg: String,
}

impl ApiRequest for GetName {
    const PATH: &'static str = "/name/get";
}

#[derive(Deserialize)]
struct PutLine {
    #[serde(rename = "Key")]
    key: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RemoveLine {
    #[serde(default)]
    error: String,
}

/// Judges the answer to [`RemoveBlock`].
pub fn removed(answer: &str) -> Result<(), RemoteError> {
    let line: RemoveLine = serde_json::from_str(answer).map_err(malformed)?;
    if line.error.is_empty() { Ok(()) } else { Err(RemoteError::Failed(printable(line.error.as_bytes()))) }
}

/// How many of the blocks that were put one answer confirms: a line each, in order.
pub fn confirmed<'a>(answer: &str, cids: impl IntoIterator<Item = &'a Cid>) -> Result<usize, RemoteError> {
    let mut cids = cids.into_iter();
    let mut count = 0;
    for line in serde_json::Deserializer::from_str(answer).into_iter::<PutLine>() {
        let line = line.map_err(malformed)?;
        let expected =
            cids.next().ok_or_else(|| RemoteError::Malformed("more blocks than were put".into()))?;
        if line.key.parse() != Ok(*expected) {
            return Err(RemoteError::Malformed(format!("it gives {expected} another CID")));
        }
        count += 1;
    }
    Ok(count)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ImportLine {
    root: Option<ImportedRoot>,
    stats: Option<ImportStats>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ImportedRoot {
    cid: JsonLink,
    #[serde(default)]
    pin_error_msg: String,
}

#[derive(Deserialize)]
struct JsonLink {
    #[serde(rename = "/")]
    target: Cid,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ImportStats {
    block_count: usize,
}

/// Judges the answer to a CAR file with so many blocks. `pinned`: the root that is to be pinned by it.
pub fn imported(answer: &str, blocks: usize, pinned: Option<&Cid>) -> Result<(), RemoteError> {
    let (mut roots, mut counted) = (Vec::new(), None);
    for line in serde_json::Deserializer::from_str(answer).into_iter::<ImportLine>() {
        let line = line.map_err(malformed)?;
        roots.extend(line.root);
        counted = line.stats.map(|stats| stats.block_count).or(counted);
    }
    if let Some(refused) = roots.iter().find(|root| !root.pin_error_msg.is_empty()) {
        return Err(RemoteError::Failed(printable(refused.pin_error_msg.as_bytes())));
    }
    if pinned.is_some_and(|pinned| !roots.iter().any(|root| root.cid.target == *pinned)) {
        return Err(RemoteError::Malformed("it does not say that the head is pinned".to_owned()));
    }
    if counted != Some(blocks) {
        let counted = counted.unwrap_or(0);
        return Err(RemoteError::Malformed(format!("it took {counted} of {blocks} blocks")));
    }
    Ok(())
}

/// The error repeats what the node sent.
fn malformed(error: serde_json::Error) -> RemoteError {
    RemoteError::Malformed(printable(error.to_string().as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_counts_when_every_expected_line_is_there() {
        let [one, two] = [Cid::of(Codec::Raw, b"1"), Cid::of(Codec::Raw, b"2")];
        let line = |cid: &Cid| format!("{{\"Key\":\"{cid}\",\"Size\":1}}\n");
        let count = |answer: String| confirmed(&answer, [&one, &two]);
        assert_eq!(count(line(&one) + &line(&two)), Ok(2));
        assert_eq!(count(line(&one)), Ok(1));
        assert_eq!(count(String::new()), Ok(0));
        assert!(matches!(count(line(&two)), Err(RemoteError::Malformed(_))));
        assert!(matches!(count(line(&one) + &line(&two) + &line(&two)), Err(RemoteError::Malformed(_))));
        assert!(matches!(count("{\"Key\":".into()), Err(RemoteError::Malformed(_))));
        for answer in [
            format!("{{\"Key\":{{\"{}\":1}}}}", "x".repeat(1 << 20)),
            format!("\"{}\"", "\u{1}x".repeat(1 << 20)),
        ] {
            let Err(RemoteError::Malformed(said)) = count(answer) else { panic!() };
            assert!(said.chars().count() <= 201, "{said}");
        }
    }

    #[test]
    fn an_import_counts_when_all_blocks_and_the_pin_are_there() {
        let cid = Cid::of(Codec::DagCbor, b"\x80");
        let root = |error: &str| {
            format!("{{\"Root\":{{\"Cid\":{{\"/\":\"{cid}\"}},\"PinErrorMsg\":\"{error}\"}}}}\n")
        };
        let stats = "{\"Stats\":{\"BlockCount\":3,\"BlockBytesCount\":107}}\n";
        assert_eq!(imported(&(root("") + stats), 3, Some(&cid)), Ok(()));
        assert_eq!(imported(stats, 3, None), Ok(()));
        assert!(matches!(imported(stats, 3, Some(&cid)), Err(RemoteError::Malformed(_))));
        assert!(matches!(imported(&root(""), 3, Some(&cid)), Err(RemoteError::Malformed(_))));
        assert!(matches!(imported(stats, 4, None), Err(RemoteError::Malformed(_))));
        assert_eq!(
            imported(&(root("no such block") + stats), 3, Some(&cid)),
            Err(RemoteError::Failed("no such block".to_owned()))
        );
    }
}
