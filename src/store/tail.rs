//! What the end of a growing archive is: the frames that no index vouches for, the newest head, and what a
//! crash has torn. Reads only.
//!
//! A writer makes an append durable before it lets the head file name the new head. So everything up to the
//! block that the head file names was whole once, and damage there is damage. After it comes at most one append,
//! whose last block is its head: that may be torn, in any of its pages, and may be cut.

use std::io;

use super::{
    frame_map::FrameMap,
    frames::{At, Frames, Located},
    table::{Table, key},
};
use crate::{
    codec::dag_cbor::decode_head,
    model::{Cid, Codec},
};

/// What the head file said when the archive was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeadFile {
    /// The newest head of the archive.
    Current,
    /// An older head: the last append was made durable, and then something stopped its writer.
    Behind(Cid),
    /// Nothing, or no CID.
    Missing,
    /// A CID that is not a head in this archive: the archive may have lost its end.
    Unknown(Cid),
}

/// The bytes after the last whole block of an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Torn {
    /// Where they begin.
    pub offset: u64,
    /// How many they are.
    pub bytes: u64,
}

/// Which frames without an index are hashed when an archive is opened.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Hashed {
    /// All: who goes on writing must know.
    All,
    /// Those after the head that the head file names; others are hashed when they are read.
    AfterHead,
}

/// The end of an archive.
pub(super) struct Tail {
    /// The frames after what the index covers.
    pub(super) map: FrameMap,
    /// The last frame of the archive, when it is one of these.
    pub(super) last: Option<Located>,
    /// Where the last whole block ends.
    pub(super) end: u64,
    /// What follows it.
    pub(super) torn: Option<Torn>,
    /// Whether what follows may be more than the last append: then it is not to be cut.
    pub(super) damaged: bool,
    /// The newest head.
    pub(super) head: Option<Cid>,
    pub(super) head_file: HeadFile,
}

/// Reads the end of an archive whose frames begin at `first`.
pub(super) fn read(
    frames: &mut Frames,
    first: u64,
    table: Option<&Table>,
    named: Option<Cid>,
    hashed: Hashed,
) -> io::Result<Tail> {
    let mut position = table.map_or(first, Table::covered);
    let mut map = FrameMap::default();
    let mut last = None;
    let mut named_at = match (table, named) {
        (Some(table), Some(cid)) => find_head(frames, table, &cid)?,
        _ => None,
    };
    let mut stopped = false;
    loop {
        match frames.at(position)? {
            At::Frame(located) => {
                if (hashed == Hashed::All || named_at.is_some()) && !frames.matches(&located)? {
                    stopped = true;
                    break;
                }
                if Some(located.frame.cid) == named && named_at.is_none() && frames.is_head(&located)? {
                    named_at = Some(located);
                }
                map.insert(key(&located.frame.cid), position);
                position = located.end();
                last = Some(located);
            }
            At::Damage(_) => {
                stopped = true;
                break;
            }
            At::End => break,
        }
    }
    let torn = stopped.then(|| Torn { offset: position, bytes: frames.end() - position });
    let damaged = stopped && hashed == Hashed::All && !is_tear(frames, position, named, named_at.is_some())?;
    frames.stop_at(position);
    let newer = match named_at {
        Some(located) => frames.newest_head(located.end())?,
        None => frames.newest_head(first)?,
    };
    let head_file = match (named_at, named) {
        (Some(at), _) if newer.is_some() => HeadFile::Behind(at.frame.cid),
        (Some(_), _) => HeadFile::Current,
        (None, Some(cid)) => HeadFile::Unknown(cid),
        (None, None) => HeadFile::Missing,
    };
    let head = newer.or(named_at).map(|located| located.frame.cid);
    Ok(Tail { map, last, end: position, torn, damaged, head, head_file })
}

fn find_head(frames: &mut Frames, table: &Table, cid: &Cid) -> io::Result<Option<Located>> {
    for offset in table.offsets(key(cid))? {
        if let Some(located) = frames.named(offset, cid)?
            && frames.is_head(&located)?
        {
            return Ok(Some(located));
        }
    }
    Ok(None)
}

/// Whether what begins at `offset` is what a crash leaves of one append, judged by the whole blocks in it.
fn is_tear(frames: &mut Frames, offset: u64, named: Option<Cid>, named_before: bool) -> io::Result<bool> {
    let end = frames.end();
    let more = frames.salvage(offset + 1, |located, block| {
        let cid = located.frame.cid;
        // Without the head that was last named, any whole block may be part of what was once complete. With it,
        // a head that is followed by more can only be that of an append which was complete.
        let head = cid.codec() == Codec::DagCbor && decode_head(block).is_ok();
        !named_before || Some(cid) == named || (head && located.end() < end)
    })?;
    Ok(!more)
}
