//! Durable appends against a bare append of the same bytes; opening a large archive; reading blocks from it.

mod chains;
mod measure;

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::Duration;

use chains::{Chain, open_write};
use greffe::chain::Block;
use greffe::codec::car::push_frame;
use greffe::codec::dag_cbor::encode_head;
use greffe::model::{ChainName, Cid, Codec, Head};
use greffe::store::{Archive, ArchiveError, HeadFile};
use measure::{alternate, at_most, figure, headline, milliseconds, timed};

/// Entries that the archive has before.
const BEFORE: u64 = 1000;
const APPENDS: usize = 300;
const BLOCKS: u64 = 1_000_000;
const GETS: u64 = 20_000;

fn main() {
    appends();
    large();
}

fn appends() {
    let directory = tempfile::tempdir().expect("a folder");
    let mut chain = Chain::grow(directory.path(), BEFORE);
    let mut archive = open_write(directory.path(), &chain);
    // What the bare file is appended to is as large as the archive.
    let plain = directory.path().join("plain");
    let mut length = fs::copy(archive.path(), &plain).expect("a copy");
    let plain = File::options().write(true).open(plain).expect("a file");
    plain.sync_all().expect("a flush");
    let mut runs = Vec::new();
    for _ in 0..=APPENDS {
        let mut blocks = Vec::new();
        chain.push(&mut blocks);
        let head = chain.finish(&mut blocks);
        let mut frames = Vec::new();
        blocks.iter().for_each(|(cid, bytes)| push_frame(&mut frames, cid, bytes));
        runs.push((blocks, head, frames));
    }
    let (mut ours, mut bare) = (runs.iter(), runs.iter());
    headline(&format!("append: one run of one event to an archive of {BEFORE} entries, {APPENDS} rounds"));
    let [archived, written] = alternate(
        APPENDS,
        [
            &mut || {
                let (blocks, head, _) = ours.next().expect("a run");
                timed(|| archive.append(blocks, *head).expect("an append"))
            },
            &mut || {
                let (_, _, frames) = bare.next().expect("a run");
                let took = timed(|| {
                    plain.write_all_at(frames, length).expect("a write");
                    plain.sync_data().expect("a flush");
                });
                length += frames.len() as u64;
                took
            },
        ],
    );
    let (blocks, _, frames) = &runs[APPENDS];
    figure("blocks and bytes of the last run", &format!("{}, {}", blocks.len(), frames.len()));
    figure("bare append and fdatasync", &milliseconds(&written));
    figure("Archive::append", &milliseconds(&archived));
    at_most(
        "Archive::append over the bare append, medians",
        archived.median() / written.median(),
        1.25,
        " times",
    );
}

fn block(n: u64) -> Block {
    let bytes = n.to_be_bytes().repeat(12);
    (Cid::of(Codec::Raw, &bytes), bytes)
}

fn head() -> Block {
    let link = block(0).0;
    let tlog = Cid::new(Codec::DagPb, link.digest());
    let link = Cid::new(Codec::DagCbor, link.digest());
    let bytes = encode_head(&Head { manifest: link, entries: link, tlog, timestamps: vec![] });
    (Cid::of(Codec::DagCbor, &bytes), bytes)
}

fn opened(directory: &Path, name: &ChainName) -> Duration {
    timed(|| Archive::open_read(directory, name).expect("an archive"))
}

fn large() {
    let directory = tempfile::tempdir().expect("a folder");
    let directory = directory.path();
    let name: ChainName = "large".parse().expect("a name");
    let blocks = (0..BLOCKS - 1).map(block).chain([head()]).map(Ok::<_, ArchiveError>);
    drop(Archive::create_from(directory, &name, block(0).0, head().0, blocks).expect("a new archive"));
    let index = directory.join("large.index");
    headline(&format!("append: an archive of {BLOCKS} blocks, warm"));
    let open_write = || timed(|| Archive::open_write(directory, &name, Duration::ZERO).expect("an archive"));
    let [read, write] = alternate(20, [&mut || opened(directory, &name), &mut || open_write()]);
    at_most("opening to read, with its index", read.median() * 1e3, 1.0, " ms");
    at_most("opening to write, with its index", write.median() * 1e3, 1.0, " ms");
    gets("random get, with its index", directory, &name);
    fs::remove_file(&index).expect("an index");
    let [read] = alternate(3, [&mut || opened(directory, &name)]);
    figure("opening to read, without", &milliseconds(&read));
    gets("random get, without", directory, &name);
    let [write] = alternate(
        3,
        [&mut || {
            fs::remove_file(&index).ok();
            open_write()
        }],
    );
    figure("opening to write, without: hashes all and writes it", &milliseconds(&write));
    gets("random get, with the new index", directory, &name);
}

/// Reads blocks at random and compares them.
fn gets(what: &str, directory: &Path, name: &ChainName) {
    let archive = Archive::open_read(directory, name).expect("an archive");
    assert_eq!((archive.head(), archive.head_file()), (head().0, HeadFile::Current));
    let order: Vec<Block> = (0..GETS).map(|n| block(n * 7_919_993 % (BLOCKS - 1))).collect();
    let took = timed(|| {
        for (cid, bytes) in &order {
            assert_eq!(archive.get(cid).expect("a read").as_ref(), Some(bytes));
        }
    });
    figure(what, &format!("{:.2} µs", took.as_secs_f64() * 1e6 / GETS as f64));
}
