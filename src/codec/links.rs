//! What a block links to, whatever block of an archive it is.

use super::dag_cbor::{DagCborError, decode_entries_node, decode_head, decode_manifest, is_entries_node};
use super::unixfs::{UnixFsError, decode_directory, decode_file_node};
use crate::model::{Cid, Codec};

/// Why the links of a block cannot be told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinksError {
    #[error(transparent)]
    DagCbor(#[from] DagCborError),
    #[error(transparent)]
    UnixFs(#[from] UnixFsError),
}

/// The blocks below one, in the order in which its canonical form has them. A head's newest manifest is left out: it
/// is the last of its entries.
///
/// # Errors
/// [`LinksError`] when the bytes are no block of an archive.
pub fn links(cid: &Cid, bytes: &[u8]) -> Result<Vec<Cid>, LinksError> {
    match cid.codec() {
        Codec::Raw => Ok(Vec::new()),
        Codec::DagPb => match decode_directory(bytes) {
            Ok(links) => Ok(links.into_iter().map(|link| link.cid).collect()),
            Err(_) => Ok(decode_file_node(bytes)?),
        },
        Codec::DagCbor if is_entries_node(bytes) => Ok(decode_entries_node(bytes)?),
        Codec::DagCbor => {
            if let Ok(head) = decode_head(bytes) {
                return Ok(vec![head.tlog, head.entries]);
            }
            let manifest = decode_manifest(bytes)?;
            Ok(std::iter::once(manifest.log).chain(manifest.files.iter().map(|file| file.cid)).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::dag_cbor::{encode_entries_node, encode_head};
    use crate::model::Head;

    #[test]
    fn each_kind_of_block_has_its_links() {
        let file = Cid::of(Codec::Raw, b"file");
        let manifest = Cid::of(Codec::DagCbor, b"manifest");
        let entries = encode_entries_node(&[manifest]);
        let head = Head {
            entries: Cid::of(Codec::DagCbor, &entries),
            tlog: Cid::of(Codec::DagPb, b""),
            manifest,
            timestamps: vec![],
        };
        let of = |codec, bytes: &[u8]| links(&Cid::of(codec, bytes), bytes);
        assert_eq!(of(Codec::DagCbor, &encode_head(&head)), Ok(vec![head.tlog, head.entries]));
        assert_eq!(of(Codec::DagCbor, &entries), Ok(vec![manifest]));
        assert_eq!(links(&file, b"file"), Ok(Vec::new()));
        assert!(of(Codec::DagCbor, b"\xa0").is_err() && of(Codec::DagPb, b"no node").is_err());
    }
}
