//! What the end of a growing archive is: the frames that no index vouches for, the newest head, and what a
//! crash has torn. Reads only.
//!
//! A writer makes an append durable before it lets the head file name the new head. So everything up to the
//! block that the head file names was whole once, and damage there is damage. The head file itself is not flushed
//! with each append: after a power failure it may be old, or hold no CID, and several whole appends may follow the
//! head that it names. Only the last append of an archive, whose last block is its head, may be torn, in any of
//! its pages, and may be cut.

use std::io;

use super::{
    files::Named,
    table::{Table, key},
};
use crate::{
    codec::dag_cbor::decode_head,
    model::{Cid, Codec},
    store::{
        frame_map::FrameMap,
        frames::{At, Frames, Located},
    },
};

/// What the head file said when the archive was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeadFile {
    /// The newest head of the archive.
    Current,
    /// An older head: later appends were made durable, and then their writer stopped, or the power failed.
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
    /// Those after the head; others are hashed when they are read.
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
    /// Where something is wrong that no crash leaves: then nothing is to be cut.
    pub(super) damaged: Option<u64>,
    /// The newest head.
    pub(super) head: Option<Cid>,
    pub(super) head_file: HeadFile,
}

/// Reads the end of an archive whose frames begin at `first`.
pub(super) fn read(
    frames: &mut Frames,
    first: u64,
    table: Option<&Table>,
    said: Named,
    hashed: Hashed,
) -> io::Result<Tail> {
    let named = said.cid();
    // Where a power failure took the head file's text, it may have torn the last append too.
    let hashes_all = hashed == Hashed::All || said == Named::Garbled;
    let mut position = table.map_or(first, Table::covered);
    let mut map = FrameMap::default();
    let mut last = None;
    let (mut named_at, lies) = match (table, named) {
        (Some(table), Some(cid)) => find_head(frames, table, &cid)?,
        _ => (None, None),
    };
    let mut stopped = false;
    loop {
        match frames.at(position)? {
            At::Frame(located) => {
                if (hashes_all || named_at.is_some()) && !frames.matches(&located)? {
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
    map.sort();
    let mut damaged = lies.filter(|_| named_at.is_none());
    if stopped && damaged.is_none() && !is_tear(frames, position, said, named_at.is_some())? {
        damaged = Some(position);
    }
    let length = frames.end();
    frames.stop_at(position);
    let newer = frames.newest_head(named_at.map_or(first, |located| located.end()))?;
    let newest = newer.or(named_at);
    if let (Hashed::AfterHead, None, Some(newest)) = (hashed, named_at, newest) {
        position = true_until(frames, newest.end())?;
        frames.stop_at(position);
    }
    let torn = (position < length).then(|| Torn { offset: position, bytes: length - position });
    let head_file = match (named_at, named) {
        (Some(at), _) if newer.is_some() => HeadFile::Behind(at.frame.cid),
        (Some(_), _) => HeadFile::Current,
        (None, Some(cid)) => HeadFile::Unknown(cid),
        (None, None) => HeadFile::Missing,
    };
    let head = newest.map(|located| located.frame.cid);
    Ok(Tail { map, last, end: position, torn, damaged, head, head_file })
}

/// The head that the head file names, and a frame that claims to be it, in what the index covers.
fn find_head(frames: &mut Frames, table: &Table, cid: &Cid) -> io::Result<(Option<Located>, Option<u64>)> {
    let mut lies = None;
    for offset in table.offsets(key(cid))? {
        let Some(located) = frames.named(offset, cid)? else { continue };
        if frames.is_head(&located)? {
            return Ok((Some(located), None));
        }
        if !frames.matches(&located)? {
            lies = lies.or(Some(offset));
        }
    }
    Ok((None, lies))
}

/// Where the frames from `position` stop being whole and hashing to their CIDs.
fn true_until(frames: &mut Frames, mut position: u64) -> io::Result<u64> {
    while let At::Frame(located) = frames.at(position)?
        && frames.matches(&located)?
    {
        position = located.end();
    }
    Ok(position)
}

/// Whether what begins at `offset` is what a crash leaves of one append: judged by what the head file says and
/// whether its head was found before, and by the whole blocks that follow.
fn is_tear(frames: &mut Frames, offset: u64, said: Named, found: bool) -> io::Result<bool> {
    let any_block_counts = match said {
        // The append of that head was complete.
        Named::Head(_) if !found => return Ok(false),
        // Only a head that is followed by more is sure to be of an append that was complete.
        Named::Head(_) | Named::Garbled => false,
        // Somebody took the head file away; any whole block may be part of what was complete.
        Named::Absent => true,
    };
    let end = frames.end();
    let more = frames.salvage(offset + 1, |located, block| {
        let head = located.frame.cid.codec() == Codec::DagCbor && decode_head(block).is_ok();
        any_block_counts || (head && located.end() < end)
    })?;
    Ok(!more)
}
