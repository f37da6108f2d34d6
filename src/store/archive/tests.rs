use std::{
    fs,
    path::PathBuf,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};

use tempfile::TempDir;

use super::{writer::Segment, *};
use crate::{codec::dag_cbor::encode_head, model::Head, store::Damage};

/// A chain whose append `n` is a file, something like a manifest and a head.
struct Chain {
    directory: TempDir,
    name: ChainName,
}

fn raw(bytes: &[u8]) -> Block {
    (Cid::of(Codec::Raw, bytes), bytes.to_vec())
}

fn head(n: u64) -> Block {
    let link = Cid::of(Codec::DagCbor, &n.to_be_bytes());
    let tlog = Cid::of(Codec::DagPb, &n.to_be_bytes());
    let head = Head { manifest: link, entries: link, tlog, timestamps: vec![] };
    let bytes = encode_head(&head);
    (Cid::of(Codec::DagCbor, &bytes), bytes)
}

fn entry(n: u64) -> Vec<Block> {
    // Begins with a map's head, as dag-cbor does here; what follows is of no matter to a store.
    let manifest = [b"\xa6".as_slice(), format!("manifest {n}").as_bytes()].concat();
    vec![
        raw(format!("file {n} ").repeat(1 + n as usize % 40).as_bytes()),
        (Cid::of(Codec::DagCbor, &manifest), manifest),
        head(n),
    ]
}

impl Chain {
    /// A chain of `entries` appends, closed.
    fn new(entries: u64) -> Self {
        let chain = Self { directory: tempfile::tempdir().unwrap(), name: "demo".parse().unwrap() };
        let blocks = entry(0);
        let mut archive =
            Archive::create(chain.directory.path(), &chain.name, blocks[1].0, &blocks, blocks[2].0).unwrap();
        for n in 1..entries {
            archive.append(&entry(n), head(n).0).unwrap();
        }
        chain
    }

    /// A chain of one append of many blocks, with an index.
    fn indexed() -> Self {
        let chain = Self { directory: tempfile::tempdir().unwrap(), name: "demo".parse().unwrap() };
        let mut blocks: Vec<_> = (0..1200u64).map(|n| raw(&n.to_be_bytes())).collect();
        blocks.push(head(0));
        Archive::create(chain.directory.path(), &chain.name, blocks[0].0, &blocks, head(0).0).unwrap();
        assert!(chain.path("index").exists());
        chain
    }

    fn path(&self, extension: &str) -> PathBuf {
        self.directory.path().join(format!("demo.{extension}"))
    }

    fn bytes(&self, extension: &str) -> Vec<u8> {
        fs::read(self.path(extension)).unwrap()
    }

    fn put(&self, extension: &str, bytes: &[u8]) {
        fs::write(self.path(extension), bytes).unwrap();
    }

    fn flip(&self, extension: &str, at: usize) {
        let mut bytes = self.bytes(extension);
        bytes[at] ^= 1;
        self.put(extension, &bytes);
    }

    fn read(&self) -> Result<Archive, ArchiveError> {
        Archive::open_read(self.directory.path(), &self.name)
    }

    fn write(&self) -> Result<Archive, ArchiveError> {
        Archive::open_write(self.directory.path(), &self.name, Duration::ZERO)
    }
}

fn assert_has(archive: &Archive, entries: std::ops::Range<u64>) {
    for n in entries {
        for (cid, bytes) in entry(n) {
            assert_eq!(archive.get(&cid).unwrap().as_ref(), Some(&bytes), "entry {n}");
            assert!(archive.contains(&cid).unwrap());
        }
    }
}

#[test]
fn what_was_appended_is_there_after_opening_again() {
    let chain = Chain::new(5);
    for archive in [chain.read().unwrap(), chain.write().unwrap()] {
        assert_eq!((archive.root(), archive.head()), (entry(0)[1].0, head(4).0));
        assert_eq!((archive.head_file(), archive.torn()), (HeadFile::Current, None));
        assert_has(&archive, 0..5);
        assert_eq!(archive.get(&head(9).0).unwrap(), None);
        assert!(!archive.contains(&head(9).0).unwrap());
    }
    assert_eq!(chain.bytes("head"), format!("{}\n", head(4).0).as_bytes());
    assert_eq!(fs::read_dir(chain.directory.path()).unwrap().count(), 3);
}

#[test]
fn creating_refuses_what_is_there_and_makes_directories() {
    let directory = tempfile::tempdir().unwrap();
    let below = directory.path().join("a/b");
    let (name, blocks) = ("demo".parse().unwrap(), entry(0));
    drop(Archive::create(&below, &name, blocks[1].0, &blocks, blocks[2].0).unwrap());
    let before = fs::read(below.join("demo.car")).unwrap();
    assert!(matches!(
        Archive::create(&below, &name, blocks[1].0, &blocks, blocks[2].0),
        Err(ArchiveError::Exists { .. })
    ));
    assert_eq!(fs::read(below.join("demo.car")).unwrap(), before);
    let other = "other".parse().unwrap();
    assert!(matches!(
        Archive::create(&below, &other, blocks[1].0, &blocks, blocks[1].0),
        Err(ArchiveError::NotAHead { .. })
    ));
    assert!(matches!(
        Archive::create(&below, &other, head(7).0, &blocks, blocks[2].0),
        Err(ArchiveError::Missing { .. })
    ));
    assert!(matches!(Archive::open_read(&below, &other), Err(ArchiveError::NotFound { .. })));
    assert!(matches!(
        Archive::open_write(&directory.path().join("none"), &other, Duration::ZERO),
        Err(ArchiveError::NotFound { .. })
    ));
    assert!(!directory.path().join("none").exists());
}

#[test]
fn readers_change_nothing() {
    let chain = Chain::new(3);
    let mut car = chain.bytes("car");
    car.truncate(car.len() - 5);
    chain.put("car", &car);
    fs::remove_file(chain.path("head")).unwrap();
    fs::remove_file(chain.path("lock")).unwrap();
    let archive = chain.read().unwrap();
    assert_eq!((archive.head(), archive.head_file()), (head(1).0, HeadFile::Missing));
    assert!(archive.torn().is_some());
    assert_eq!(chain.bytes("car"), car);
    assert_eq!(fs::read_dir(chain.directory.path()).unwrap().count(), 1);
    assert!(matches!({ archive }.append(&entry(3), head(3).0), Err(ArchiveError::ReadOnly { .. })));
}

#[test]
fn a_tail_torn_at_any_byte_is_cut() {
    let chain = Chain::new(3);
    let (short, old_head) = (chain.bytes("car").len(), chain.bytes("head"));
    chain.write().unwrap().append(&entry(3), head(3).0).unwrap();
    let (whole, new_head) = (chain.bytes("car"), chain.bytes("head"));
    let mut ends = vec![short];
    for (_, bytes) in entry(3) {
        ends.push(ends[ends.len() - 1] + 36 + bytes.len() + 1 + usize::from(bytes.len() + 36 > 127));
    }
    assert_eq!(ends[3], whole.len());
    let others =
        [(0, None), (0, Some(&new_head)), (1, Some(&old_head)), (4096, None), (4096, Some(&old_head))];
    for length in short..=whole.len() {
        for (zeros, head_file) in [(0, Some(&old_head)), others[length % others.len()]] {
            let mut car = whole[..length].to_vec();
            car.resize(length + zeros, 0);
            chain.put("car", &car);
            match head_file {
                Some(text) => chain.put("head", text),
                None => fs::remove_file(chain.path("head")).unwrap(),
            }
            let kept = *ends.iter().rfind(|end| **end <= length).unwrap();
            let expected = if kept == whole.len() { head(3).0 } else { head(2).0 };
            let torn =
                (car.len() > kept).then(|| Torn { offset: kept as u64, bytes: (car.len() - kept) as u64 });
            let archive = chain.read().unwrap();
            assert_eq!((archive.head(), archive.torn()), (expected, torn), "{length} {zeros}");
            if torn.is_some() && head_file == Some(&new_head) {
                // The head file says that this append was complete once.
                assert!(matches!(chain.write(), Err(ArchiveError::Damaged { .. })));
                continue;
            }
            let mut archive = chain.write().unwrap();
            assert_eq!((archive.head(), archive.torn()), (expected, torn));
            assert_eq!(chain.bytes("car"), &whole[..kept]);
            // Flushing takes its time: not for every length.
            if length % 16 == 0 || ends.contains(&length) {
                archive.append(&entry(3), head(3).0).unwrap();
                drop(archive);
                assert_eq!((chain.bytes("car"), chain.bytes("head")), (whole.clone(), new_head.clone()));
                let archive = chain.write().unwrap();
                assert_eq!(archive.torn(), None);
                assert_has(&archive, 0..4);
            }
        }
    }
}

#[test]
fn an_append_torn_in_its_middle_is_cut() {
    let chain = Chain::new(3);
    let (short, old_head) = (chain.bytes("car").len(), chain.bytes("head"));
    chain.write().unwrap().append(&entry(3), head(3).0).unwrap();
    let whole = chain.bytes("car");
    for at in short..whole.len() {
        // The head's block is on disk, a page before it is not.
        let mut car = whole.clone();
        car[at] ^= 0x40;
        chain.put("car", &car);
        chain.put("head", &old_head);
        let archive = chain.write().unwrap();
        assert_eq!((archive.head(), archive.head_file()), (head(2).0, HeadFile::Current), "{at}");
        assert!(archive.torn().is_some());
    }
}

#[test]
fn an_unflushed_head_file_takes_nothing_along() {
    // A power failure in the third of three appends: the CAR has two of them and parts of the third, the head file
    // is from before them or has no CID at all.
    let chain = Chain::new(2);
    let old = chain.bytes("head");
    let mut archive = chain.write().unwrap();
    archive.append(&entry(2), head(2).0).unwrap();
    archive.append(&entry(3), head(3).0).unwrap();
    drop(archive);
    let kept = chain.bytes("car");
    chain.write().unwrap().append(&entry(4), head(4).0).unwrap();
    let (whole, new) = (chain.bytes("car"), chain.bytes("head"));
    let texts: [&[u8]; 6] = [&old, b"", &[0; 60], &new[..30], b"\xff\xfe", &[b'b'; 60]];
    for (at, text) in (kept.len()..whole.len()).flat_map(|at| texts.map(|text| (at, text))) {
        let mut car = whole.clone();
        match at % 3 {
            0 => car[at] ^= 0x40,
            1 => car[at..].fill(0),
            _ => car.truncate(at),
        }
        chain.put("car", &car);
        chain.put("head", text);
        let state = if text == old { HeadFile::Behind(head(1).0) } else { HeadFile::Missing };
        let archive = chain.read().unwrap();
        assert_eq!((archive.head(), archive.head_file()), (head(3).0, state), "{at}");
        // Opening to write flushes: not for every byte.
        if at % 16 < 3 {
            let archive = chain.write().unwrap();
            assert_eq!((archive.head(), archive.head_file()), (head(3).0, state), "{at}");
            assert_has(&archive, 0..4);
            // Blocks of the torn append that are whole may stay.
            let left = chain.bytes("car");
            assert!(left.starts_with(&kept) && left.len() < whole.len());
            assert_eq!(chain.bytes("head"), format!("{}\n", head(3).0).as_bytes());
        }
    }
    // Damage before the last append is no tear, whatever the head file says.
    let second = entry(2)[0].1.clone();
    let at = whole.windows(second.len()).position(|window| window == second).unwrap();
    for text in texts {
        let mut car = whole.clone();
        car[at] ^= 1;
        chain.put("car", &car);
        chain.put("head", text);
        assert!(matches!(chain.write(), Err(ArchiveError::Damaged { .. })));
        assert_eq!(chain.bytes("car"), car);
    }
}

#[test]
fn damage_in_what_was_complete_is_never_cut() {
    let chain = Chain::new(4);
    let (car, head_text) = (chain.bytes("car"), chain.bytes("head"));
    let first = chain.read().unwrap().lookup.first as usize;
    for at in first..car.len() {
        chain.flip("car", at);
        if car[at] == 0x71 && car[at - 1..].starts_with(&[1, 0x71, 0x12, 32]) {
            // What a block is taken as is no part of its digest: another codec makes another true block.
            chain.put("car", &car);
            continue;
        }
        assert!(matches!(chain.write(), Err(ArchiveError::Damaged { .. })), "{at}");
        assert_eq!(chain.bytes("head"), head_text);
        assert_eq!(chain.bytes("car").len(), car.len());
        // To look at it stays possible.
        match chain.read() {
            Ok(archive) => assert!(archive.head() == head(3).0 || archive.torn().is_some(), "{at}"),
            Err(error) => assert!(matches!(error, ArchiveError::Damaged { .. }), "{at}: {error}"),
        }
        let mut damages = Vec::new();
        CarReader::open(&chain.path("car")).unwrap().check_all(|damage| damages.push(damage)).unwrap();
        assert!(!damages.is_empty(), "{at}");
        chain.put("car", &car);
    }
    // Without the head file, and with one that is old: several appends follow the damage.
    for old in [None, Some(head(0).0)] {
        match old {
            Some(cid) => chain.put("head", format!("{cid}\n").as_bytes()),
            None => fs::remove_file(chain.path("head")).unwrap(),
        }
        let second = entry(1)[0].1.clone();
        let second = car.windows(second.len()).position(|window| window == second).unwrap();
        chain.flip("car", second);
        assert!(matches!(chain.write(), Err(ArchiveError::Damaged { .. })));
        chain.put("car", &car);
    }
}

#[test]
fn bytes_that_an_index_vouches_for_are_hashed_when_read() {
    let chain = Chain::indexed();
    let archive = chain.read().unwrap();
    let (cid, bytes) = raw(&700u64.to_be_bytes());
    let offset = archive.lookup.find(&cid, Search::Hints).unwrap()[0].offset;
    chain.flip("car", offset as usize + 40);
    let mut archive = chain.write().unwrap();
    let refused = archive.get(&cid);
    assert!(matches!(refused, Err(ArchiveError::Corrupt { offset: at, .. }) if at == offset));
    let mut damages = Vec::new();
    archive.blocks().unwrap().check_all(|damage| damages.push(damage)).unwrap();
    assert_eq!(damages, [Damage::Mismatch { offset, cid }]);
    // Nor is the head that the head file names given up for an older one.
    let head_at = archive.lookup.find(&head(0).0, Search::Hints).unwrap()[0].offset;
    drop(archive);
    chain.flip("car", head_at as usize + 60);
    assert!(matches!(chain.write(), Err(ArchiveError::Damaged { offset, .. }) if offset == head_at));
    chain.flip("car", head_at as usize + 60);
    // A frame that lies does not hide a true one.
    archive = chain.write().unwrap();
    archive.lookup.table = None;
    archive.append(&[(cid, bytes.clone()), head(1)], head(1).0).unwrap();
    assert_eq!(chain.read().unwrap().get(&cid).unwrap(), Some(bytes));
}

#[test]
fn garbage_after_the_end_is_cut_and_told() {
    let chain = Chain::new(2);
    let whole = chain.bytes("car");
    for garbage in [&b"\0"[..], b"garbage", &[0xff; 10_000], &whole[..60]] {
        chain.put("car", &[&whole, garbage].concat());
        let torn = Some(Torn { offset: whole.len() as u64, bytes: garbage.len() as u64 });
        assert_eq!(chain.read().unwrap().torn(), torn);
        assert_eq!(chain.write().unwrap().torn(), torn);
        assert_eq!(chain.bytes("car"), whole);
    }
}

#[test]
fn the_head_file_is_brought_up_to_date() {
    let chain = Chain::new(4);
    let cases: [(&[u8], HeadFile); 5] = [
        (b"", HeadFile::Missing),
        (b"no cid\n", HeadFile::Missing),
        (&[0xff; 59], HeadFile::Missing),
        (&format!("{}\n", head(9).0).into_bytes(), HeadFile::Unknown(head(9).0)),
        (&format!("{}\n", head(1).0).into_bytes(), HeadFile::Behind(head(1).0)),
    ];
    for (text, state) in cases {
        chain.put("head", text);
        for archive in [chain.read().unwrap(), chain.write().unwrap()] {
            assert_eq!((archive.head(), archive.head_file()), (head(3).0, state));
        }
        // A head that the archive has lost stays named, for it is evidence.
        let named = if let HeadFile::Unknown(cid) = state { cid } else { head(3).0 };
        assert_eq!(chain.bytes("head"), format!("{named}\n").as_bytes());
    }
    // A block that is there but is no head.
    chain.put("head", format!("{}\n", entry(1)[0].0).as_bytes());
    assert!(matches!(chain.write().unwrap().head_file(), HeadFile::Unknown(_)));
}

#[test]
fn a_head_that_moved_under_a_writer_is_refused() {
    let chain = Chain::new(2);
    let mut archive = chain.write().unwrap();
    let length = archive.length();
    chain.put("head", format!("{}\n", head(0).0).as_bytes());
    let moved = archive.append(&entry(2), head(2).0);
    assert!(matches!(moved, Err(ArchiveError::HeadMoved { found: Some(cid), .. }) if cid == head(0).0));
    fs::remove_file(chain.path("head")).unwrap();
    assert!(matches!(archive.append(&entry(2), head(2).0), Err(ArchiveError::HeadMoved { found: None, .. })));
    assert_eq!(chain.bytes("car").len() as u64, length);
}

#[test]
fn who_reads_while_another_writes_sees_a_head_that_is_there() {
    let chain = Chain::new(1);
    let mut archive = chain.write().unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for n in 1..300 {
                archive.append(&entry(n), head(n).0).unwrap();
            }
            done.store(true, Relaxed);
        });
        while !done.load(Relaxed) {
            let archive = chain.read().unwrap();
            assert!(matches!(archive.head_file(), HeadFile::Current | HeadFile::Behind(_)));
            assert!(archive.contains(&archive.head()).unwrap());
        }
    });
    assert_eq!(chain.read().unwrap().head(), head(299).0);
}

#[test]
fn a_reader_knows_whether_another_would_see_more() {
    let chain = Chain::new(2);
    let reader = chain.read().unwrap();
    assert!(reader.is_current().unwrap());
    chain.write().unwrap().append(&entry(2), head(2).0).unwrap();
    assert!(!reader.is_current().unwrap());
    let reader = chain.read().unwrap();
    assert!(reader.is_current().unwrap());
    // As after a crash between the append and its head file.
    chain.put("head", format!("{}\n", head(1).0).as_bytes());
    assert!(!reader.is_current().unwrap());
    let reader = chain.read().unwrap();
    let mut order = Vec::new();
    let mut blocks = reader.blocks().unwrap();
    while let crate::store::Next::Block { cid, .. } = blocks.next_block().unwrap() {
        order.push(cid);
    }
    chain.write().unwrap().rewrite(order.into_iter()).unwrap();
    assert!(!reader.is_current().unwrap());
    fs::remove_file(chain.path("car")).unwrap();
    assert!(reader.is_current().is_err());
}

#[test]
fn one_writer_at_a_time() {
    let chain = Chain::new(1);
    let first = chain.write().unwrap();
    assert!(matches!(chain.write(), Err(ArchiveError::InUse { .. })));
    assert!(chain.read().is_ok());
    let wait = Duration::from_secs(30);
    std::thread::scope(|scope| {
        let second = scope.spawn(|| Archive::open_write(chain.directory.path(), &chain.name, wait).map(drop));
        drop(first);
        second.join().unwrap().unwrap();
    });
    // A lock file that a dead process left says nothing.
    assert!(chain.path("lock").exists());
    assert!(chain.write().is_ok());
}

#[test]
fn blocks_are_written_once() {
    let chain = Chain::new(2);
    let mut archive = chain.write().unwrap();
    let length = archive.length();
    archive.append(&entry(1), head(1).0).unwrap();
    assert_eq!(archive.length(), length);
    let block = raw(b"twice");
    archive.append(&[head(2), block.clone(), block.clone(), entry(0)[0].clone()], head(2).0).unwrap();
    assert_eq!(archive.length(), length + 37 + 5 + 38 + head(2).1.len() as u64);
    // The head is last wherever it stood.
    assert_eq!(archive.lookup.last.unwrap().frame.cid, head(2).0);
    assert_eq!(chain.bytes("car").len() as u64, archive.length());
}

#[test]
fn a_head_that_was_one_before_is_one_again() {
    let chain = Chain::new(2);
    let mut archive = chain.write().unwrap();
    archive.append(&[head(2)], head(2).0).unwrap();
    archive.append(&[head(1)], head(1).0).unwrap();
    assert_eq!(archive.lookup.last.unwrap().frame.cid, head(1).0);
    drop(archive);
    assert_eq!(chain.read().unwrap().head(), head(1).0);
    // Also where the head file never reached the disk.
    fs::write(chain.path("head"), b"").unwrap();
    assert_eq!(chain.write().unwrap().head(), head(1).0);
}

#[test]
fn what_no_reader_would_take_is_not_written() {
    let chain = Chain::new(2);
    let mut archive = chain.write().unwrap();
    let (length, big) = (archive.length(), vec![0; BLOCK_LIMIT + 1]);
    let lie = (raw(b"true").0, b"false".to_vec());
    assert!(matches!(archive.append(&[lie, head(2)], head(2).0), Err(ArchiveError::Mismatch { .. })));
    assert!(matches!(archive.append(&[raw(&big), head(2)], head(2).0), Err(ArchiveError::TooLarge { .. })));
    assert!(matches!(archive.append(&[raw(b"x")], raw(b"x").0), Err(ArchiveError::NotAHead { .. })));
    assert!(matches!(archive.append(&[raw(b"x")], head(2).0), Err(ArchiveError::NotAHead { .. })));
    assert_eq!((archive.length(), archive.head()), (length, head(1).0));
    let largest = raw(&big[1..]);
    archive.append(&[largest.clone(), head(2)], head(2).0).unwrap();
    assert_eq!(chain.read().unwrap().get(&largest.0).unwrap(), Some(largest.1));
}

#[test]
fn an_index_is_used_only_where_it_fits() {
    let chain = Chain::indexed();
    let (car, index) = (chain.bytes("car"), chain.bytes("index"));
    let expect_all = |archive: &Archive| {
        for n in 0..1200u64 {
            assert!(archive.get(&raw(&n.to_be_bytes()).0).unwrap().is_some(), "{n}");
        }
        assert_eq!((archive.head(), archive.get(&raw(b"?").0).unwrap()), (head(0).0, None));
    };
    let archive = chain.read().unwrap();
    assert!(archive.lookup.table.is_some());
    assert_eq!(archive.lookup.tail.len(), 0);
    expect_all(&archive);
    for at in 0..144 {
        chain.flip("index", at);
        let archive = chain.read().unwrap();
        assert!(archive.lookup.table.is_none(), "{at}");
        assert!(archive.get(&raw(&7u64.to_be_bytes()).0).unwrap().is_some());
        chain.put("index", &index);
    }
    for length in [0, 1, 143, 144, 145, index.len() - 1] {
        chain.put("index", &index[..length]);
        expect_all(&chain.read().unwrap());
        expect_all(&chain.write().unwrap());
        // The same index; the order of equal places may differ, its size not.
        assert_eq!(chain.bytes("index"), index, "{length}");
    }
    // The index of another archive, and that of a longer one.
    let other = Chain::indexed();
    let mut archive = other.write().unwrap();
    let more: Vec<_> = (5000..5400u64).map(|n| raw(&n.to_be_bytes())).chain([head(1)]).collect();
    archive.append(&more, head(1).0).unwrap();
    drop(archive);
    chain.put("index", &other.bytes("index"));
    expect_all(&chain.write().unwrap());
    assert_eq!(chain.bytes("index"), index);
    // One that ends where no frame does.
    other.put("index", &index);
    assert_eq!(other.read().unwrap().lookup.tail.len(), 401);
    chain.put("car", &car);
    fs::remove_file(chain.path("index")).unwrap();
    expect_all(&chain.write().unwrap());
    assert_eq!(chain.bytes("index"), index);
}

#[test]
fn slots_are_only_hints() {
    let chain = Chain::indexed();
    let index = chain.bytes("index");
    for (what, byte) in [("empty", 0), ("wild", 0xee)] {
        let mut broken = index.clone();
        broken[144..].fill(byte);
        chain.put("index", &broken);
        let archive = chain.read().unwrap();
        assert!(archive.lookup.table.is_some());
        for n in 0..1200u64 {
            let (cid, bytes) = raw(&n.to_be_bytes());
            assert_eq!(archive.get(&cid).unwrap(), Some(bytes), "{what}");
        }
        assert_eq!(archive.get(&raw(b"?").0).unwrap(), None);
        assert_eq!(archive.head(), head(0).0);
    }
}

#[test]
fn the_index_follows_and_grows() {
    let chain = Chain::indexed();
    let mut archive = chain.write().unwrap();
    let size = chain.bytes("index").len();
    for n in 1..700 {
        archive.append(&entry(n), head(n).0).unwrap();
        assert!(archive.lookup.tail.len() <= 258);
    }
    assert!(chain.bytes("index").len() > size);
    drop(archive);
    let archive = chain.read().unwrap();
    assert_eq!(archive.head(), head(699).0);
    assert!(archive.lookup.table.as_ref().unwrap().len() > 2000);
    assert!(archive.lookup.scanned.get().is_none());
    assert_has(&archive, 1..700);
    for n in 0..1200u64 {
        assert!(archive.contains(&raw(&n.to_be_bytes()).0).unwrap());
    }
    assert!(archive.lookup.scanned.get().is_none());
}

#[test]
fn a_torn_tail_after_an_index_is_cut() {
    let chain = Chain::indexed();
    let (whole, old_head) = (chain.bytes("car"), chain.bytes("head"));
    chain.write().unwrap().append(&entry(1), head(1).0).unwrap();
    let longer = chain.bytes("car");
    for length in whole.len()..longer.len() {
        chain.put("car", &longer[..length]);
        chain.put("head", &old_head);
        let mut archive = chain.write().unwrap();
        assert_eq!(archive.head(), head(0).0);
        assert!(archive.lookup.table.is_some());
        archive.append(&entry(1), head(1).0).unwrap();
    }
    assert_eq!(chain.bytes("car"), longer);
}

#[test]
fn not_a_car_and_no_head() {
    let chain = Chain::new(1);
    let car = chain.bytes("car");
    let first = chain.read().unwrap().lookup.first as usize;
    for bytes in [&b""[..], b"x", b"\0\0\0", &car[..first - 1]] {
        chain.put("car", bytes);
        assert!(matches!(chain.read(), Err(ArchiveError::NotCar { .. })));
        assert!(matches!(chain.write(), Err(ArchiveError::NotCar { .. })));
    }
    for length in [first, first + 10] {
        chain.put("car", &car[..length]);
        for result in [chain.read(), chain.write()] {
            let error = result.err().unwrap();
            assert!(matches!(error, ArchiveError::NoHead { .. } | ArchiveError::Damaged { .. }), "{error}");
        }
        assert_eq!(chain.bytes("car"), &car[..length]);
    }
}

/// A disk that writes a part and then fails, or does not flush.
struct Failing {
    file: File,
    write: bool,
    sync: bool,
    cut: bool,
    over: &'static AtomicBool,
}

impl Segment for Failing {
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        if self.write && !self.over.load(Relaxed) {
            Segment::write_all_at(&self.file, &bytes[..bytes.len() / 2], offset)?;
            return Err(io::ErrorKind::StorageFull.into());
        }
        Segment::write_all_at(&self.file, bytes, offset)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        if self.cut { Err(io::ErrorKind::Other.into()) } else { Segment::set_len(&self.file, length) }
    }

    fn sync_data(&self) -> io::Result<()> {
        if self.sync { Err(io::ErrorKind::Other.into()) } else { Segment::sync_data(&self.file) }
    }
}

fn with_disk(chain: &Chain, write: bool, sync: bool, cut: bool, over: &'static AtomicBool) -> Archive {
    let mut archive = chain.write().unwrap();
    let file = File::options().write(true).open(archive.path()).unwrap();
    archive.writer.as_mut().unwrap().segment = Box::new(Failing { file, write, sync, cut, over });
    archive
}

#[test]
fn a_full_disk_leaves_the_archive_as_it_was() {
    static OVER: AtomicBool = AtomicBool::new(false);
    let chain = Chain::new(2);
    let car = chain.bytes("car");
    let mut archive = with_disk(&chain, true, false, false, &OVER);
    for _ in 0..2 {
        let full = archive.append(&entry(2), head(2).0);
        assert!(
            matches!(full, Err(ArchiveError::Io { source, .. }) if source.kind() == io::ErrorKind::StorageFull)
        );
        assert_eq!(chain.bytes("car"), car);
        assert_eq!(archive.head(), head(1).0);
        assert_has(&archive, 0..2);
    }
    OVER.store(true, Relaxed);
    archive.append(&entry(2), head(2).0).unwrap();
    assert_has(&archive, 0..3);
}

#[test]
fn after_a_failed_flush_only_opening_again_helps() {
    static NEVER: AtomicBool = AtomicBool::new(false);
    for (write, sync, cut) in [(false, true, false), (true, false, true)] {
        let chain = Chain::new(2);
        let mut archive = with_disk(&chain, write, sync, cut, &NEVER);
        assert!(matches!(archive.append(&entry(2), head(2).0), Err(ArchiveError::Io { .. })));
        assert!(matches!(archive.append(&entry(2), head(2).0), Err(ArchiveError::Poisoned { .. })));
        assert!(matches!(archive.rewrite([head(1).0].into_iter()), Err(ArchiveError::Poisoned { .. })));
        assert_eq!(archive.head(), head(1).0);
        drop(archive);
        let mut archive = chain.write().unwrap();
        archive.append(&entry(2), head(2).0).unwrap();
        assert_has(&archive, 0..3);
    }
}

#[test]
fn writing_anew_keeps_what_is_named_in_its_order() {
    let chain = Chain::new(4);
    let mut archive = chain.write().unwrap();
    let before = archive.length();
    let names = |entries: &[u64]| -> Vec<Cid> {
        entries.iter().flat_map(|n| entry(*n)).map(|(cid, _)| cid).collect()
    };
    for wrong in [names(&[3, 0]), names(&[1, 3]), names(&[0, 9, 3]), vec![]] {
        assert!(matches!(archive.rewrite(wrong.into_iter()), Err(ArchiveError::Missing { .. })));
        assert_eq!(archive.length(), before);
    }
    let kept = names(&[1, 0, 0, 3]);
    let rewritten = archive.rewrite(kept.clone().into_iter()).unwrap();
    assert_eq!((rewritten.before, rewritten.after), (before, archive.length()));
    assert!(rewritten.after < before);
    assert!(matches!(chain.write(), Err(ArchiveError::InUse { .. })));
    assert_eq!(archive.get(&entry(2)[0].0).unwrap(), None);
    archive.append(&entry(2), head(2).0).unwrap();
    drop(archive);
    let archive = chain.write().unwrap();
    assert_eq!(archive.root(), entry(0)[1].0);
    assert_has(&archive, 0..4);
    let mut blocks = archive.blocks().unwrap();
    let mut order = Vec::new();
    while let crate::store::Next::Block { cid, .. } = blocks.next_block().unwrap() {
        order.push(cid);
    }
    assert_eq!(order, [names(&[1, 0, 3]), names(&[2])].concat());
    assert_eq!(fs::read_dir(chain.directory.path()).unwrap().count(), 3);
}

#[test]
fn an_indexed_archive_is_indexed_anew() {
    let chain = Chain::indexed();
    let mut archive = chain.write().unwrap();
    let order: Vec<_> = (0..1100u64).map(|n| raw(&n.to_be_bytes()).0).chain([head(0).0]).collect();
    archive.rewrite(order.into_iter()).unwrap();
    assert_eq!(archive.lookup.table.as_ref().unwrap().len(), 1101);
    assert_eq!(archive.get(&raw(&1150u64.to_be_bytes()).0).unwrap(), None);
    assert!(archive.get(&raw(&1050u64.to_be_bytes()).0).unwrap().is_some());
}
