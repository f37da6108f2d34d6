//! Files from elsewhere: whatever their bytes, the program says what is wrong and ends.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use crate::project::{Project, Run};
use crate::tools::tool;

fn exported() -> (Project, Vec<u8>) {
    let project = Project::applied();
    project.ok(["export", "--out", "demo.car"]);
    let bytes = project.read("demo.car");
    (project, bytes)
}

/// Verifies and imports bytes as a file; neither may do more than say what is wrong.
fn refused(project: &Project, bytes: &[u8], what: &str) -> Run {
    project.write("bad.car", bytes);
    let run = project.run(["verify", "bad.car"]);
    assert!(matches!(run.code, 1..=3), "{what}: {run:#?}");
    assert!(run.code != 1 || run.stdout.contains("finding(s):"), "{what}: {run:#?}");
    assert!(run.code == 1 || run.stderr.contains("error:"), "{what}: {run:#?}");
    run
}

#[test]
fn a_file_that_was_cut_anywhere_is_not_verified() {
    let (project, bytes) = exported();
    for length in (0..bytes.len()).step_by(97).chain(bytes.len() - 3..bytes.len()) {
        refused(&project, &bytes[..length], &format!("{length} bytes"));
    }
}

#[test]
fn a_flipped_bit_anywhere_is_found() {
    let (project, bytes) = exported();
    for place in (0..bytes.len()).step_by(61) {
        let mut bad = bytes.clone();
        bad[place] ^= 1 << (place % 8);
        refused(&project, &bad, &format!("byte {place}"));
    }
}

#[test]
fn imports_of_bad_files_leave_nothing() {
    let (project, bytes) = exported();
    for place in (0..bytes.len()).step_by(997) {
        let other = Project::empty();
        let mut bad = bytes.clone();
        bad[place] ^= 4;
        other.write("bad.car", bad);
        let run = other.unchanged(|| other.run(["import", "bad.car"]));
        assert!(matches!(run.code, 1..=3), "byte {place}: {run:#?}");
    }
    drop(project);
}

#[test]
fn blocks_left_out_doubled_and_reordered() {
    let (project, bytes) = exported();
    let (header, blocks) = frames(&bytes);
    let join = |blocks: &[&[u8]]| [header, &blocks.concat()].concat();
    for left_out in 0..blocks.len() {
        let mut rest = blocks.clone();
        rest.remove(left_out);
        let run = refused(&project, &join(&rest), &format!("without block {left_out}"));
        assert!(run.code != 1 || run.stdout.contains("missing"), "{run:#?}");
    }
    let mut reversed = blocks.clone();
    reversed.reverse();
    project.write("good.car", join(&reversed));
    project.ok(["verify", "good.car"]);
    project.write("good.car", join(&[&blocks[..], &blocks[..]].concat()));
    project.ok(["verify", "good.car"]);
    // A block that lies about its CID is found though nothing needs it.
    let mut lie = blocks[0].to_vec();
    let last = lie.len() - 1;
    lie[last] ^= 1;
    let run = refused(&project, &join(&[&blocks[..], &[&lie[..]]].concat()), "a lie at the end");
    run.prints(&["the block at byte"]);
}

#[test]
fn lengths_that_promise_too_much_cost_nothing() {
    let (project, bytes) = exported();
    let (header, _) = frames(&bytes);
    let huge: [&[u8]; 6] = [
        &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
        &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
        &[0x80, 0x80, 0x80, 0x80, 0x08],
        &[0xff; 64],
        &[0x80; 64],
        &[0x00],
    ];
    for prefix in huge {
        refused(&project, prefix, "at the start");
        refused(&project, &[header, prefix].concat(), "after the header");
        refused(&project, &[&bytes, prefix].concat(), "at the end");
        refused(&project, &[prefix, &bytes].concat(), "before all");
    }
    // A header of nested lists, deep enough to overflow a stack that recurses.
    for depth in [100, 10_000, 1_000_000] {
        let mut deep = Vec::new();
        let mut length = depth + 1;
        while length >= 0x80 {
            deep.push((length & 0x7f) as u8 | 0x80);
            length >>= 7;
        }
        deep.push(length as u8);
        deep.extend(std::iter::repeat_n(0x81, depth + 1));
        refused(&project, &deep, "deep");
    }
}

#[test]
fn what_is_no_file_or_has_no_end_is_refused_soon() {
    let project = Project::applied();
    std::fs::create_dir(project.path("folder.car")).unwrap();
    project.write("empty.car", "");
    for name in ["folder.car", "empty.car", "/dev/null", "absent.car", ".", "/dev/zero", "/dev/urandom"] {
        for command in ["verify", "import"] {
            let begun = Instant::now();
            let run = project.run([command, name]);
            assert!(matches!(run.code, 1..=3), "{command} {name}: {run:#?}");
            // No measurement: an endless file has to end at all.
            assert!(begun.elapsed() < Duration::from_secs(60), "{command} {name}");
        }
    }
}

#[test]
fn a_sparse_file_of_many_gigabytes_is_refused() {
    let (project, bytes) = exported();
    project.write("sparse.car", &bytes);
    let file = std::fs::OpenOptions::new().write(true).open(project.path("sparse.car")).unwrap();
    file.set_len(1 << 40).unwrap();
    let run = project.run(["verify", "sparse.car"]);
    assert!(matches!(run.code, 1..=3), "{run:#?}");
}

/// The header, and each block with its length prefix.
fn frames(bytes: &[u8]) -> (&[u8], Vec<&[u8]>) {
    let frame = |bytes: &[u8]| {
        let (mut length, mut shift, mut at) = (0, 0, 0);
        loop {
            length |= usize::from(bytes[at] & 0x7f) << shift;
            (shift, at) = (shift + 7, at + 1);
            if bytes[at - 1] & 0x80 == 0 {
                return at + length;
            }
        }
    };
    let (header, mut rest) = bytes.split_at(frame(bytes));
    let mut blocks = Vec::new();
    while !rest.is_empty() {
        let (block, after) = rest.split_at(frame(rest));
        blocks.push(block);
        rest = after;
    }
    (header, blocks)
}

thread_local! {
    static EXPORTED: (Project, Vec<u8>) = exported();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..4096)) {
        EXPORTED.with(|(project, _)| drop(refused(project, &bytes, "random bytes")));
    }

    #[test]
    fn random_changes_are_found(
        places in prop::collection::vec((any::<prop::sample::Index>(), 1..=255_u8), 1..8),
        insert in prop::collection::vec(any::<u8>(), 0..40),
        at in any::<prop::sample::Index>(),
    ) {
        EXPORTED.with(|(project, bytes)| {
            let mut bad = bytes.clone();
            for (place, change) in &places {
                let place = place.index(bad.len());
                bad[place] ^= change;
            }
            let at = at.index(bad.len());
            bad.splice(at..at, insert.iter().copied());
            if bad == *bytes {
                return;
            }
            refused(project, &bad, "random changes");
        });
    }
}

/// One block under thousands of names is read once: the file has two megabytes, and so has, nearly, the memory.
#[test]
fn one_file_under_thousands_of_names_costs_no_more_than_one() {
    use greffe::codec::{car, dag_cbor};
    use greffe::model::{Cid, Codec, FileEntry, Manifest, Role};

    let project = Project::applied();
    let block = vec![7; 1 << 20];
    let cid = Cid::of(Codec::Raw, &block);
    let name = |n: u32| format!("{n:05}.sql").parse().unwrap();
    let file = |n| FileEntry { cid, name: name(n), role: Role::Up, size: 1 << 20, sealed: false };
    let files = (0..5_000).map(file).collect();
    let manifest = Manifest { seq: 0, chain: None, prev: None, log: Cid::of(Codec::Raw, b"log"), files };
    let manifest = dag_cbor::encode_manifest(&manifest);
    let root = Cid::of(Codec::DagCbor, &manifest);
    let mut bytes = car::encode_header(&root);
    car::push_frame(&mut bytes, &root, &manifest);
    car::push_frame(&mut bytes, &Cid::of(Codec::Raw, b"log"), b"log");
    car::push_frame(&mut bytes, &cid, &block);
    project.write("names.car", bytes);
    // Five gigabytes would not fit into one of address space.
    let mut command = tool("bash");
    let script = "ulimit -v 1000000; exec \"$0\" verify names.car";
    command.args(["-c", script, env!("CARGO_BIN_EXE_greffe")]).current_dir(project.folder());
    project.prepare(&mut command);
    assert_eq!(project.judge(command.output().unwrap()).code, 1);
}
