//! What holds for every value: readers and writers agree, a chain is one however it was grown, whatever is
//! moved in it is found, and no bytes make a reader panic.

use greffe::chain::{Appender, Block, Report, Snapshot};
use greffe::codec::car::{decode_frame, decode_header, encode_header, push_frame};
use greffe::codec::dag_cbor::{
    decode_entries_node, decode_head, decode_manifest, encode_entries_node, encode_head, encode_manifest,
};
use greffe::codec::dsse::Envelope;
use greffe::codec::json;
use greffe::codec::note::{Note, decode_checkpoint, encode_checkpoint};
use greffe::codec::statement::{decode_statement, encode_statement};
use greffe::codec::trust::{decode_trust, encode_trust};
use greffe::codec::unixfs::{
    DirectoryBuilder, FileCheck, build_file, decode_directory, decode_file_node, take_varint,
};
use greffe::crypto::{Digest, KeyId, PublicKey, Signature, decode_base64, parse_private_key};
use greffe::model::{
    Checkpoint, Cid, Codec, Details, EventKind, FileDigests, FileEntry, FileName, Head, KeyRole, Manifest,
    Revocation, RevocationReason, Role, Statement, Subject, Timestamp, line_feed_digest, line_feed_form,
};
use greffe::ops::verify::verify_car;
use proptest::collection::{btree_map, btree_set, vec};
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::chains::{Growing, every_event, key, script, sole, trust, trust_file};
use crate::memory::{Blocks, read_car, verify};

fn cid_of(codecs: &[Codec]) -> impl Strategy<Value = Cid> + use<> {
    (select(codecs.to_vec()), any::<[u8; 32]>()).prop_map(|(codec, digest)| Cid::new(codec, Digest(digest)))
}

fn any_cid() -> impl Strategy<Value = Cid> {
    cid_of(&[Codec::Raw, Codec::DagCbor, Codec::DagPb])
}

/// The CID of a manifest, a head or a node of the entries tree.
fn node_cid() -> impl Strategy<Value = Cid> {
    cid_of(&[Codec::DagCbor])
}

fn any_name() -> impl Strategy<Value = FileName> {
    "[^/\\\\\\p{Cc}]{1,20}(/[^/\\\\\\p{Cc}]{1,20}){0,2}"
        .prop_filter_map("`.` and `..` are no names", |text: String| text.parse().ok())
}

fn any_role() -> impl Strategy<Value = Role> {
    use Role::*;
    select(vec![Approval, Down, Evidence, Notices, Output, Rendered, Trust, Up])
}

fn any_manifest() -> impl Strategy<Value = Manifest> {
    let file = (cid_of(&[Codec::Raw, Codec::DagPb]), any::<u64>(), any::<bool>());
    let files = btree_map((any_role(), any_name()), file, 0..6).prop_map(|files| {
        let entry = |((role, name), (cid, size, sealed))| FileEntry { cid, name, role, size, sealed };
        files.into_iter().map(entry).collect()
    });
    (any::<u64>(), node_cid(), node_cid(), cid_of(&[Codec::Raw]), files).prop_map(
        |(seq, chain, prev, log, files)| Manifest {
            seq,
            chain: (seq > 0).then_some(chain),
            prev: (seq > 0).then_some(prev),
            log,
            files,
        },
    )
}

fn any_head() -> impl Strategy<Value = Head> {
    (node_cid(), node_cid(), cid_of(&[Codec::DagPb]), vec(vec(any::<u8>(), 0..300), 0..3))
        .prop_map(|(manifest, entries, tlog, timestamps)| Head { manifest, entries, tlog, timestamps })
}

fn any_envelope() -> impl Strategy<Value = Envelope> {
    let signature = (any::<[u8; 32]>(), any::<[u8; 64]>())
        .prop_map(|(id, signature)| (KeyId(Digest(id)), Signature(signature)));
    (vec(any::<u8>(), 0..200), vec(signature, 1..4))
        .prop_map(|(payload, signatures)| Envelope { payload, signatures })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn manifests_and_heads_go_both_ways(manifest in any_manifest(), head in any_head()) {
        prop_assert_eq!(decode_manifest(&encode_manifest(&manifest)), Ok(manifest));
        prop_assert_eq!(decode_head(&encode_head(&head)), Ok(head));
    }

    #[test]
    fn nodes_frames_and_cids_go_both_ways(links in vec(node_cid(), 1..257), cid in any_cid(), block in vec(any::<u8>(), 0..400)) {
        prop_assert_eq!(decode_entries_node(&encode_entries_node(&links)), Ok(links));
        prop_assert_eq!(cid.to_string().parse(), Ok(cid));
        prop_assert_eq!(Cid::from_bytes(&cid.to_bytes()), Ok(cid));
        let mut file = encode_header(&cid);
        let header = file.len();
        prop_assert_eq!(decode_header(&file), Ok((cid, header)));
        push_frame(&mut file, &cid, &block);
        let frame = decode_frame(&file[header..]).unwrap();
        prop_assert_eq!((frame.cid, frame.length, frame.total()), (cid, block.len(), file.len() - header));
    }

    #[test]
    fn envelopes_and_notes_go_both_ways(envelope in any_envelope(), text in "[^\\p{Cc}]{0,40}\n", seed in 1_u8..) {
        prop_assert_eq!(Envelope::decode(&envelope.encode()), Ok(envelope));
        let note = Note::sign(text, "greffe/x", &key(seed)).unwrap();
        prop_assert_eq!(Note::decode(&note.encode()), Ok(note));
    }

    #[test]
    fn checkpoints_and_times_go_both_ways(
        origin in "[a-z/.0-9]{1,60}", size in any::<u64>(), root in any::<[u8; 32]>(), at in any::<i64>(),
    ) {
        let checkpoint = Checkpoint { origin, size, root: Digest(root) };
        prop_assert_eq!(decode_checkpoint(&encode_checkpoint(&checkpoint)), Ok(checkpoint));
        // Up to the year 9999; beyond, and before the year 1, there is no time.
        for at in [at, at % 253_402_207_200_000_000] {
            if let Some(time) = Timestamp::from_microseconds(at) {
                prop_assert_eq!(time.to_string().parse(), Ok(time));
            }
        }
    }

    #[test]
    fn statements_go_both_ways(
        chain in any_cid(), seq in any::<u64>(), digest in any::<[u8; 32]>(), role in any_role(), name in any_name(),
        text in any::<String>(), kind in 0..13_usize,
    ) {
        let mut statement = sample_statement(kind);
        statement.subjects.push(Subject::File { name, cid: chain, digest: Digest(digest), role });
        (statement.event.chain, statement.event.seq, statement.event.prev) = (Some(chain), seq, None);
        statement.event.actor.role = text.clone();
        statement.event.database_clock = Some(text);
        prop_assert_eq!(decode_statement(&encode_statement(&statement)), Ok(statement));
    }

    #[test]
    fn trust_documents_go_both_ways(
        seeds in btree_set(any::<u8>(), 1..5), version in any::<u64>(), policy in any::<String>(), since in any::<u64>(),
    ) {
        let keys: Vec<_> = seeds.iter().map(|seed| key(*seed)).collect();
        let roles = [KeyRole::Signer, KeyRole::Root];
        let with_roles: Vec<_> = keys.iter().map(|key| (key, roles.as_slice())).collect();
        let mut document = trust(version, &with_roles, 1, keys.len() as u32);
        let reason = RevocationReason::Compromised;
        document.revoked = vec![Revocation { key: keys[0].public().id(), since, reason }];
        document.authorities = vec![policy.clone()];
        document.policy = policy;
        prop_assert_eq!(decode_trust(&encode_trust(&document)), Ok(document));
    }

    #[test]
    fn directories_go_both_ways(names in btree_set("[a-z0-9.]{1,12}", 0..40), cid in any_cid()) {
        let cid = Cid::new(Codec::Raw, cid.digest());
        let mut directory = DirectoryBuilder::default();
        names.iter().for_each(|name| directory.insert(name, cid, 7));
        let mut blocks = Vec::new();
        let root = directory.finish(&mut |built| blocks.push(built));
        prop_assert_eq!((blocks.len(), blocks[0].cid), (1, root));
        let links = decode_directory(&blocks[0].bytes).unwrap();
        prop_assert!(links.iter().map(|link| &link.name).eq(&names));
        prop_assert!(links.iter().all(|link| (link.cid, link.total_size) == (cid, 7)));
    }

    #[test]
    fn files_are_the_same_in_one_part_and_in_many(bytes in vec(select(b"ab\r\n\xef\xbb\xbf".to_vec()), 0..60), part in 1..9_usize) {
        let mut check = FileCheck::default();
        bytes.chunks(part).for_each(|part| check.push(part));
        let (digests, cid) = check.finish();
        prop_assert_eq!(cid, build_file(&bytes, &mut |_| ()));
        let plain = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
        let plain = String::from_utf8_lossy(plain).replace("\r\n", "\n");
        let form = line_feed_form(&bytes);
        prop_assert_eq!(String::from_utf8_lossy(&form), plain);
        prop_assert_eq!(digests.lf, line_feed_digest(&bytes, digests.raw));
        prop_assert_eq!(digests.lf, Digest::of(&line_feed_form(&bytes)));
        prop_assert_eq!(digests, FileDigests::of(&bytes));
    }

    #[test]
    fn no_bytes_make_a_reader_panic(bytes in vec(any::<u8>(), 0..300)) {
        read_everywhere(&bytes);
    }

    #[test]
    fn no_text_makes_a_reader_panic(text in any::<String>()) {
        read_everywhere(text.as_bytes());
    }

    #[test]
    fn nothing_like_the_format_makes_a_reader_panic(change in any_change(), case in any::<Index>()) {
        let samples = samples();
        read_everywhere(&change.of(&samples[case.index(samples.len())]));
    }
}

/// The statement of one of the events of [`every_event`].
fn sample_statement(number: usize) -> Statement {
    let chain = every_event();
    let blocks = chain.map();
    let manifest = decode_manifest(&blocks[&chain.manifests[number]]).unwrap();
    decode_statement(&Envelope::decode(&blocks[&manifest.log]).unwrap().payload).unwrap()
}

/// A block of each kind, a payload, a CAR file, a key.
fn samples() -> &'static [Vec<u8>] {
    static SAMPLES: std::sync::OnceLock<Vec<Vec<u8>>> = std::sync::OnceLock::new();
    SAMPLES.get_or_init(|| {
        let mut chain = every_event();
        let head = chain.head(&key(2));
        let mut samples: Vec<Vec<u8>> = chain.blocks.iter().map(|(_, bytes)| bytes.clone()).collect();
        samples.extend(samples.clone().iter().filter_map(|log| Some(Envelope::decode(log).ok()?.payload)));
        samples.push(car(&head, &chain.map()));
        samples.push(greffe::crypto::encode_pem(&key(1)).as_bytes().to_vec());
        let mut large = Vec::new();
        build_file(&vec![7; 3 << 20], &mut |built| large.push(built));
        samples.extend(
            large.into_iter().filter(|built| built.cid.codec() == Codec::DagPb).map(|built| built.bytes),
        );
        samples
    })
}

fn car(root: &Cid, blocks: &Blocks) -> Vec<u8> {
    let mut file = encode_header(root);
    let mut sorted: Vec<_> = blocks.iter().collect();
    sorted.sort();
    sorted.into_iter().for_each(|(cid, block)| push_frame(&mut file, cid, block));
    file
}

/// Hands bytes to every reader; what they say does not matter here.
fn read_everywhere(bytes: &[u8]) {
    let _ = (decode_manifest(bytes), decode_head(bytes), decode_entries_node(bytes));
    let _ = (decode_directory(bytes), decode_file_node(bytes), take_varint(&mut { bytes }));
    let _ = (decode_header(bytes), decode_frame(bytes), Cid::from_bytes(bytes));
    let _ = (decode_trust(bytes), PublicKey::from_bytes(bytes), Note::decode(bytes));
    let _ = json::decode::<serde_json::Value>(bytes);
    if let Ok(envelope) = Envelope::decode(bytes) {
        let _ = decode_statement(&envelope.payload);
    }
    let _ = decode_statement(bytes);
    let text = String::from_utf8_lossy(bytes);
    let _ =
        (decode_checkpoint(&text), text.parse::<Cid>(), text.parse::<FileName>(), text.parse::<Timestamp>());
    let _ = (text.parse::<greffe::model::EventId>(), text.parse::<greffe::model::Pseudonym>());
    let _ = (decode_base64(&text), Digest::parse_prefixed(&text), line_feed_form(bytes).len());
    // A passphrase would be stretched with as many rounds as the bytes ask for.
    let _ = parse_private_key(&text, None);
    if let Some((root, blocks)) = read_car(bytes) {
        let _ = verify(root, &blocks);
    }
}

/// A change to bytes.
#[derive(Clone, Debug)]
enum Change {
    Overwrite(Vec<(Index, u8)>),
    Insert(Index, Vec<u8>),
    Remove(Index, usize),
    Cut(Index),
    Swap(Index, Index, usize),
    Repeat(Index, usize),
}

fn any_change() -> impl Strategy<Value = Change> {
    let at = any::<Index>;
    prop_oneof![
        vec((at(), any::<u8>()), 1..4).prop_map(Change::Overwrite),
        (at(), vec(any::<u8>(), 1..20)).prop_map(|(at, bytes)| Change::Insert(at, bytes)),
        (at(), 1..200_usize).prop_map(|(at, count)| Change::Remove(at, count)),
        at().prop_map(Change::Cut),
        (at(), at(), 1..100_usize).prop_map(|(one, two, count)| Change::Swap(one, two, count)),
        (at(), 1..500_usize).prop_map(|(at, count)| Change::Repeat(at, count)),
    ]
}

impl Change {
    fn of(&self, bytes: &[u8]) -> Vec<u8> {
        let mut changed = bytes.to_vec();
        let length = bytes.len();
        if length == 0 {
            return changed;
        }
        let range = |at: &Index, count: usize| {
            let start = at.index(length);
            start..length.min(start + count)
        };
        match self {
            Self::Overwrite(places) => places.iter().for_each(|(at, byte)| changed[at.index(length)] = *byte),
            Self::Insert(at, more) => drop(changed.splice(range(at, 0), more.iter().copied())),
            Self::Remove(at, count) => drop(changed.drain(range(at, *count))),
            Self::Cut(at) => changed.truncate(at.index(length)),
            Self::Swap(one, two, count) => {
                (0..*count).for_each(|step| {
                    changed.swap((one.index(length) + step) % length, (two.index(length) + step) % length)
                });
            }
            Self::Repeat(at, count) => {
                let again = bytes[range(at, *count)].to_vec();
                let end = range(at, *count).end;
                changed.splice(end..end, again);
            }
        }
        changed
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// An archive that verifies holds every block that the sound one holds, so at most something was added.
    #[test]
    fn no_change_to_an_archive_verifies(changes in vec(any_change(), 1..3)) {
        let sound = samples().iter().find(|sample| decode_header(sample).is_ok()).unwrap();
        let changed = changes.iter().fold(sound.clone(), |bytes, change| change.of(&bytes));
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("changed.car");
        std::fs::write(&path, &changed).unwrap();
        let Ok(report) = verify_car(&path, greffe::chain::Options::default(), 1, &mut |_, _, _| ()) else { return Ok(()) };
        if report.verified {
            prop_assert_eq!(read_car(&changed), read_car(sound));
        }
    }
}

/// The versions that are applied, and what may be done next.
#[derive(Clone, Debug)]
enum Step {
    Apply(u8),
    Rollback(u8),
    Fail(u8),
    Attach,
    Drift,
    Trust,
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..5_u8).prop_map(Step::Apply),
        3 => (0..5_u8).prop_map(Step::Rollback),
        1 => (0..5_u8).prop_map(Step::Fail),
        1 => Just(Step::Attach),
        1 => Just(Step::Drift),
        1 => Just(Step::Trust),
    ]
}

/// A chain of these steps, those left out that would contradict the story; runs end where `ends` says.
fn grown(steps: &[(Step, bool)], mut end: impl FnMut(&mut Growing)) -> Growing {
    let one = key(1);
    let mut chain = Growing::of_one_key("generated");
    let mut applied = [false; 5];
    let mut version = 1;
    for (step, ends) in steps {
        match step {
            Step::Apply(n) if !applied[usize::from(*n)] => {
                applied[usize::from(*n)] = true;
                let up = script(Role::Up, "up.sql", format!("CREATE TABLE t{n} (a);\r\n").as_bytes());
                chain.about(EventKind::Apply, &n.to_string(), vec![up], &[&one]);
            }
            Step::Rollback(n) if applied[usize::from(*n)] => {
                applied[usize::from(*n)] = false;
                chain.about(EventKind::Rollback, &n.to_string(), vec![], &[&one]);
            }
            Step::Fail(n) => {
                chain.about(EventKind::Fail, &n.to_string(), vec![], &[&one]);
            }
            Step::Drift => {
                chain.append(EventKind::Drift, Details::Other { schema: None }, vec![], &[&one]);
            }
            Step::Trust => {
                version += 1;
                let both = [KeyRole::Root, KeyRole::Signer];
                let document = trust(version, &[(&one, &both), (&key(version as u8), &both)], 1, 1);
                let other = Details::Other { schema: None };
                chain.append(EventKind::Trust, other, vec![trust_file(&document)], &[&one]);
            }
            _ => {
                chain.attach();
            }
        }
        if *ends {
            end(&mut chain);
        }
    }
    chain
}

/// Ends the run, and goes on from what the archive holds.
fn restart(chain: &mut Growing) {
    let head = chain.head(&key(1));
    let blocks = chain.map();
    chain.appender = restored(&head, None, &blocks);
}

fn restored(head: &Cid, known: Option<(u64, Cid)>, blocks: &Blocks) -> Appender {
    Appender::restore(head, known, &mut |cid| Ok::<_, std::convert::Infallible>(blocks.get(cid).cloned()))
        .unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_generated_chain_verifies_and_is_one_however_it_was_grown(
        steps in vec((any_step(), any::<bool>()), 0..24),
    ) {
        let mut whole = grown(&steps, |_| ());
        let head = whole.head(&key(1));
        let report = verify(head, &whole.map());
        prop_assert!(report.verified, "{:?}", report.findings);
        prop_assert_eq!(report.entries, whole.manifests.len() as u64);
        let from_manifest = verify(*whole.manifests.last().unwrap(), &whole.map());
        prop_assert!(from_manifest.verified, "{:?}", from_manifest.findings);

        let mut in_runs = grown(&steps, restart);
        prop_assert_eq!(in_runs.head(&key(1)), head);
    }
}

/// Nodes and tiles fill at these sizes.
#[test]
fn a_chain_of_hundreds_is_one_however_it_was_grown() {
    let (mut whole, mut in_runs) = (Growing::of_one_key("hundreds"), Growing::of_one_key("hundreds"));
    for size in 2..=514 {
        whole.attach();
        in_runs.attach();
        if matches!(size, 2 | 100 | 254..=258 | 300 | 510..=514) {
            let head = in_runs.head(&key(1));
            assert_eq!(whole.head(&key(1)), head, "{size}");
            in_runs.appender = restored(&head, None, &in_runs.map());
        }
        if matches!(size, 255..=257 | 512) {
            let report = verify(whole.head(&key(1)), &whole.map());
            assert!(report.verified && report.entries == size, "{size}: {:?}", report.findings);
        }
    }
}

/// A head over manifests that were never signed, around the size at which a third level begins; only the newest
/// and the first can be read.
#[test]
fn a_chain_of_tens_of_thousands_is_continued_from_its_head() {
    let genesis = Growing::of_one_key("thousands");
    let (chain, log) = (genesis.manifests[0], Cid::of(Codec::Raw, b"never read"));
    let mut blocks = genesis.map();
    let mut snapshot = Snapshot::default();
    let mut full = Vec::new();
    snapshot.push(chain, &mut |block| full.push(block));
    for seq in 1..66_000_u64 {
        let manifest =
            encode_manifest(&Manifest { seq, chain: Some(chain), prev: Some(chain), log, files: vec![] });
        let cid = Cid::of(Codec::DagCbor, &manifest);
        snapshot.push(cid, &mut |block| full.push(block));
        let size = seq + 1;
        if !matches!(size, 65_279 | 65_280 | 65_535..=65_538 | 65_792 | 65_999) {
            continue;
        }
        blocks.insert(cid, manifest);
        blocks.extend(full.drain(..));
        let head = head_of(&snapshot, chain, cid, &mut |(cid, bytes)| drop(blocks.insert(cid, bytes)));
        let mut continued = genesis.clone();
        continued.appender = restored(&head, Some((0, chain)), &blocks);
        assert_eq!(continued.appender.size(), size);
        let mut expected = snapshot.clone();
        for _ in 0..3 {
            expected.push(continued.attach(), &mut |_| ());
        }
        let newest = *continued.manifests.last().unwrap();
        assert_eq!(continued.head(&key(1)), head_of(&expected, chain, newest, &mut |_| ()), "{size}");
    }
}

pub fn head_of(snapshot: &Snapshot, chain: Cid, manifest: Cid, sink: &mut dyn FnMut(Block)) -> Cid {
    let origin = Checkpoint::origin_of(&chain);
    let root = snapshot.merkle.root();
    let checkpoint = Checkpoint { origin: origin.clone(), size: snapshot.merkle.size(), root };
    let note = Note::sign(encode_checkpoint(&checkpoint), &origin, &key(1)).unwrap();
    let tlog = snapshot.directory(note.encode(), sink);
    let entries = snapshot.entries.root(sink).unwrap();
    let bytes = encode_head(&Head { manifest, entries, tlog, timestamps: vec![] });
    let head = Cid::of(Codec::DagCbor, &bytes);
    sink((head, bytes));
    head
}

/// A chain must go on under the keys that count now, not those it began with.
#[test]
fn a_chain_whose_trust_changed_is_continued_under_the_new_keys() {
    let (one, two, both) = (key(1), key(2), [KeyRole::Root, KeyRole::Signer]);
    let mut chain = Growing::of_one_key("trust");
    let next = trust(2, &[(&two, &both)], 1, 1);
    chain.append(EventKind::Trust, Details::Other { schema: None }, vec![trust_file(&next)], &[&one, &two]);
    chain.about(EventKind::Apply, "1", vec![], &[&two]);
    let head = chain.head(&two);
    for known in
        [None, Some((0, chain.manifests[0])), Some((1, chain.manifests[1])), Some((2, chain.manifests[1]))]
    {
        let appender = restored(&head, known, &chain.map());
        assert_eq!(appender.trust(), Some(&next), "{known:?}");
    }
}

/// Only `genesis` and `trust` events change trust: the file of another event is a file.
#[test]
fn a_trust_document_that_another_event_holds_is_not_in_force() {
    let mut chain = Growing::of_one_key("attached trust");
    let attach = Details::attached_to(vec![chain.manifests[0]]);
    chain.append(EventKind::Attach, attach, vec![trust_file(&sole(&key(2)))], &[&key(1)]);
    let head = chain.head(&key(1));
    assert!(verify(head, &chain.map()).verified);
    assert_eq!(restored(&head, None, &chain.map()).trust(), Some(&sole(&key(1))));
}

/// A head over these manifests in this order, signed as it has to be: who may sign cannot make them a chain.
pub fn report_of(chain: &Growing, manifests: &[Cid], mut blocks: Blocks) -> Report {
    let mut snapshot = Snapshot::default();
    let mut made: Vec<Block> = Vec::new();
    manifests.iter().for_each(|cid| snapshot.push(*cid, &mut |block| made.push(block)));
    let newest = *manifests.last().unwrap();
    let head = head_of(&snapshot, chain.manifests[0], newest, &mut |block| made.push(block));
    blocks.extend(made);
    verify(head, &blocks)
}

/// A chain of a genesis and five applies.
pub fn six(label: &str) -> Growing {
    let mut chain = Growing::of_one_key(label);
    for version in 1..6 {
        chain.apply(&version.to_string());
    }
    chain
}

/// The entry of `seq` with its manifest and envelope changed, and what follows linked to it.
pub fn rebuilt(chain: &Growing, seq: usize, change: impl FnOnce(&mut Manifest, &mut Envelope)) -> Report {
    let mut blocks = chain.map();
    let mut manifests = chain.manifests[..seq].to_vec();
    let mut change = Some(change);
    for cid in &chain.manifests[seq..] {
        let mut manifest = decode_manifest(&blocks[cid]).unwrap();
        let mut envelope = Envelope::decode(&blocks[&manifest.log]).unwrap();
        manifest.prev = manifests.last().copied();
        if let Some(change) = change.take() {
            change(&mut manifest, &mut envelope);
            let log = envelope.encode();
            manifest.log = Cid::of(Codec::Raw, &log);
            blocks.insert(manifest.log, log);
        }
        let bytes = encode_manifest(&manifest);
        let cid = Cid::of(Codec::DagCbor, &bytes);
        blocks.insert(cid, bytes);
        manifests.push(cid);
    }
    report_of(chain, &manifests, blocks)
}

pub fn found_at(report: &Report, seq: u64) {
    assert!(!report.verified);
    assert!(report.findings.iter().any(|finding| finding.seq == Some(seq)), "{:?}", report.findings);
}

#[test]
fn manifests_in_their_order_verify_and_in_no_other() {
    let chain = six("order");
    let sound = &chain.manifests;
    assert!(report_of(&chain, sound, chain.map()).verified);
    for a in 1..6 {
        for b in a + 1..6 {
            let mut swapped = sound.clone();
            swapped.swap(a, b);
            found_at(&report_of(&chain, &swapped, chain.map()), a as u64);
        }
        let mut without = sound.clone();
        without.remove(a);
        if a < 5 {
            found_at(&report_of(&chain, &without, chain.map()), a as u64);
        }
        let mut twice = sound.clone();
        twice.insert(a, sound[a]);
        assert!(!report_of(&chain, &twice, chain.map()).verified);
    }
    let other = six("other");
    for seq in 1..6 {
        let mut blocks = chain.map();
        blocks.extend(other.map());
        let mut replaced = sound.clone();
        replaced[seq] = other.manifests[seq];
        found_at(&report_of(&chain, &replaced, blocks), seq as u64);
    }
}

#[test]
fn logs_files_and_signatures_of_elsewhere_are_found() {
    let (chain, other) = (six("chain"), six("other"));
    let envelope_of = |chain: &Growing, seq: usize| {
        let blocks = chain.map();
        let manifest = decode_manifest(&blocks[&chain.manifests[seq]]).unwrap();
        Envelope::decode(&blocks[&manifest.log]).unwrap()
    };
    let files_of = |seq: usize| decode_manifest(&chain.map()[&chain.manifests[seq]]).unwrap().files;
    for seq in 1..6 {
        let elsewhere = if seq == 1 { 2 } else { 1 };
        // The log of another chain, and of another entry.
        found_at(&rebuilt(&chain, seq, |_, envelope| *envelope = envelope_of(&other, seq)), seq as u64);
        found_at(&rebuilt(&chain, seq, |_, envelope| *envelope = envelope_of(&chain, elsewhere)), seq as u64);
        // Signatures of another entry over this payload.
        let swapped = rebuilt(&chain, seq, |_, envelope| {
            envelope.signatures = envelope_of(&chain, elsewhere).signatures;
        });
        found_at(&swapped, seq as u64);
        // Files of another entry, and one less.
        found_at(&rebuilt(&chain, seq, |manifest, _| manifest.files = files_of(elsewhere)), seq as u64);
        found_at(&rebuilt(&chain, seq, |manifest, _| drop(manifest.files.pop())), seq as u64);
        // The manifest under another number, and of another chain.
        found_at(&rebuilt(&chain, seq, |manifest, _| manifest.seq += 1), seq as u64);
        found_at(&rebuilt(&chain, seq, |manifest, _| manifest.chain = Some(other.manifests[0])), seq as u64);
        // A payload that its signer never saw.
        let altered = rebuilt(&chain, seq, |_, envelope| {
            let text = String::from_utf8(envelope.payload.clone()).unwrap();
            envelope.payload = text.replace("operator", "engineer").into_bytes();
        });
        found_at(&altered, seq as u64);
    }
}

/// A CID names a codec too: the newest manifest and the tlog directory each under another codec's name.
#[test]
fn a_block_under_another_codec_is_found() {
    let chain = six("codec");
    let mut manifests = chain.manifests.clone();
    let newest = manifests.pop().unwrap();
    let renamed = Cid::new(Codec::Raw, newest.digest());
    manifests.push(renamed);
    let mut blocks = chain.map();
    blocks.insert(renamed, blocks[&newest].clone());
    assert!(!report_of(&chain, &manifests, blocks).verified);

    let mut chain = six("codec");
    let sound = chain.head(&key(1));
    let mut blocks = chain.map();
    let mut head = decode_head(&blocks[&sound]).unwrap();
    let renamed = Cid::new(Codec::DagCbor, head.tlog.digest());
    blocks.insert(renamed, blocks[&head.tlog].clone());
    head.tlog = renamed;
    let bytes = encode_head(&head);
    let changed = Cid::of(Codec::DagCbor, &bytes);
    blocks.insert(changed, bytes);
    assert!(verify(sound, &blocks).verified);
    assert!(!verify(changed, &blocks).verified);
}
