use data_encoding::BASE64;
use proptest::prelude::*;

use super::*;
use crate::chain::tree::MerkleTree;
use crate::codec::tiles::{TILE_WIDTH, Tile, TileKind};

/// Hashes of so many leaves, no two alike.
fn leaves(count: u64) -> Vec<Digest> {
    (0..count).map(|n| Digest::of(&n.to_be_bytes())).collect()
}

/// The definition of RFC 6962 §2.1, word for word.
fn root(leaves: &[Digest]) -> Digest {
    match leaves {
        [] => Digest::of(b""),
        [leaf] => *leaf,
        leaves => {
            let split = leaves.len().next_power_of_two() / 2;
            node_hash(&root(&leaves[..split]), &root(&leaves[split..]))
        }
    }
}

/// PATH of RFC 6962 §2.1.1, word for word.
fn path(m: usize, leaves: &[Digest]) -> Vec<Digest> {
    if leaves.len() < 2 {
        return Vec::new();
    }
    let k = leaves.len().next_power_of_two() / 2;
    let (left, right) = leaves.split_at(k);
    let (mut hashes, other) = if m < k { (path(m, left), right) } else { (path(m - k, right), left) };
    hashes.push(root(other));
    hashes
}

/// SUBPROOF of RFC 6962 §2.1.2, word for word.
fn subproof(m: usize, leaves: &[Digest], whole: bool) -> Vec<Digest> {
    if m == leaves.len() {
        return if whole { Vec::new() } else { vec![root(leaves)] };
    }
    let k = leaves.len().next_power_of_two() / 2;
    let (left, right) = leaves.split_at(k);
    let (mut hashes, other) =
        if m <= k { (subproof(m, left, whole), right) } else { (subproof(m - k, right, false), left) };
    hashes.push(root(other));
    hashes
}

/// A tree's tiles, each a list of hashes.
struct Grown {
    size: u64,
    full: Vec<(u8, u64, Vec<Digest>)>,
    tree: MerkleTree,
}

impl Grown {
    fn of(leaves: &[Digest]) -> Self {
        let (mut tree, mut full) = (MerkleTree::default(), Vec::new());
        for leaf in leaves {
            tree.push_hash(*leaf, |tile| full.push((tile.level, tile.index, tile.hashes)));
        }
        Self { size: leaves.len() as u64, full, tree }
    }

    fn bytes(&self, tile: &Tile) -> Vec<u8> {
        let TileKind::Hashes { level } = tile.kind else { panic!("no tile of hashes: {tile:?}") };
        let full = self.full.iter().find(|(at, index, _)| (*at, *index) == (level, tile.index));
        let hashes = full.map_or_else(|| &self.tree.edge()[usize::from(level)], |(.., hashes)| hashes);
        assert_eq!(hashes.len() as u64, tile.width, "{}", tile.path());
        hashes.iter().flat_map(|hash| hash.0).collect()
    }

    fn feed(&self, tiles: &mut TreeTiles) {
        for tile in tiles.wants() {
            tiles.feed(&tile, &self.bytes(&tile)).unwrap();
        }
        assert_eq!(tiles.wants(), []);
    }

    /// All that the tiles give for some leaves and some smaller trees.
    fn hashes(&self, indexes: impl Iterator<Item = u64>, sizes: impl Iterator<Item = u64>) -> TreeHashes {
        let mut tiles = TreeTiles::new(self.size);
        indexes.for_each(|index| tiles.want_inclusion(index).unwrap());
        sizes.for_each(|size| tiles.want_consistency(size).unwrap());
        self.feed(&mut tiles);
        tiles.authenticate(&self.tree.root()).unwrap()
    }
}

/// Every proof over every tree of up to 300 leaves is that of the definition, and holds; so it spans two tiles.
#[test]
fn proofs_of_all_small_trees_are_those_of_the_definition() {
    let all = leaves(300);
    let roots: Vec<Digest> = (0..=300).map(|size| root(&all[..size])).collect();
    for size in 0..=300 {
        let grown = Grown::of(&all[..size as usize]);
        let hashes = grown.hashes(0..size, 0..=size);
        let (of_tree, whole) = (&all[..size as usize], &roots[size as usize]);
        for index in 0..size {
            let proof = hashes.inclusion(index).unwrap();
            // The definition is quadratic: compared where trees are small, and around the seam of two tiles.
            if size < 40 || size % 51 == 0 || (255..259).contains(&size) {
                assert_eq!(proof.path, path(index as usize, of_tree), "{index} of {size}");
            }
            verify_inclusion(&all[index as usize], &proof, whole).unwrap();
            let other = &all[(index as usize + 1) % 300];
            assert!(verify_inclusion(other, &proof, whole).is_err(), "{index} of {size}");
        }
        for old in 0..=size {
            let proof = hashes.consistency(old).unwrap();
            if old > 0 && (size < 40 || size % 51 == 0 || (255..259).contains(&size)) {
                assert_eq!(proof.path, subproof(old as usize, of_tree, true), "{old} of {size}");
            }
            let begin = &roots[old as usize];
            assert_eq!(hashes.root_at(old).as_ref(), Ok(begin), "{old} of {size}");
            verify_consistency(begin, whole, &proof).unwrap();
        }
    }
}

/// The tree of RFC 6962's usual vectors: eight leaves of 0 to 16 bytes; proof 6 to 8 as transparency-dev/merkle
/// has it.
#[test]
fn the_usual_vectors_hold() {
    let leaf = |hex: &str| {
        let data = data_encoding::HEXLOWER.decode(hex.as_bytes()).unwrap();
        Digest::of(&[&[0], data.as_slice()].concat())
    };
    let texts =
        ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
    let all: Vec<Digest> = texts.iter().map(|text| leaf(text)).collect();
    let six = Digest::parse_hex("76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef").unwrap();
    let eight =
        Digest::parse_hex("5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328").unwrap();
    let hashes = Grown::of(&all).hashes(0..8, 0..=8);
    assert_eq!((hashes.root_at(6), hashes.root_at(8)), (Ok(six), Ok(eight)));
    let proof = hashes.consistency(6).unwrap();
    verify_consistency(&six, &eight, &proof).unwrap();
    let front: Vec<String> = proof.path.iter().map(|hash| BASE64.encode(&hash.0)[..8].to_owned()).collect();
    assert_eq!(front, ["DrxdNDf7", "yoVOoSjt", "037kGJdt"]);
    assert!(BASE64.encode(&proof.path[0].0).ends_with("72o="));
}

/// `Length`, `OutOfTree` and `Shrinks`: nothing is hashed for a proof that cannot be one.
#[test]
fn degenerate_proofs_are_refused() {
    let all = leaves(7);
    let (hashes, whole) = (Grown::of(&all).hashes(0..7, 0..=7), root(&all));
    let sound = hashes.inclusion(4).unwrap();
    let inclusion = |index, size, path: &[Digest]| {
        verify_inclusion(&all[4], &InclusionProof { index, size, path: path.to_vec() }, &whole).unwrap_err()
    };
    assert_eq!(inclusion(0, 0, &[]), ProofError::OutOfTree { index: 0, size: 0 });
    assert_eq!(inclusion(7, 7, &sound.path), ProofError::OutOfTree { index: 7, size: 7 });
    assert_eq!(inclusion(u64::MAX, 7, &sound.path), ProofError::OutOfTree { index: u64::MAX, size: 7 });
    let surplus = [sound.path.as_slice(), &[whole]].concat();
    assert_eq!(inclusion(4, 7, &surplus), ProofError::Length { expected: 3, found: 4 });
    assert_eq!(inclusion(4, 7, &sound.path[..2]), ProofError::Length { expected: 3, found: 2 });
    assert_eq!(inclusion(0, 1, &[whole]), ProofError::Length { expected: 0, found: 1 });
    assert!(matches!(inclusion(u64::MAX - 1, u64::MAX, &sound.path), ProofError::Length { .. }));
    for (index, size) in [(5, 7), (3, 7), (4, 6), (4, 9)] {
        let error = inclusion(index, size, &sound.path);
        assert!(matches!(error, ProofError::Root { .. } | ProofError::Length { .. }), "{error:?}");
    }

    let begin = root(&all[..3]);
    let path = hashes.consistency(3).unwrap().path;
    let consistency = |old, new, begin: &Digest, path: &[Digest]| {
        verify_consistency(begin, &whole, &ConsistencyProof { old, new, path: path.to_vec() })
    };
    assert_eq!(consistency(3, 7, &begin, &path), Ok(()));
    assert_eq!(consistency(8, 7, &begin, &path), Err(ProofError::Shrinks { old: 8, new: 7 }));
    assert!(matches!(consistency(3, 7, &whole, &path), Err(ProofError::OldRoot { old: 3, .. })));
    let surplus = [path.as_slice(), &[whole]].concat();
    assert!(matches!(consistency(3, 7, &begin, &surplus), Err(ProofError::Length { .. })));
    assert!(matches!(consistency(3, 7, &begin, &path[1..]), Err(ProofError::Length { .. })));
    assert!(matches!(consistency(3, 7, &begin, &[]), Err(ProofError::Length { .. })));
    assert_eq!(consistency(7, 7, &whole, &[]), Ok(()));
    assert!(matches!(consistency(7, 7, &begin, &[]), Err(ProofError::Root { .. })));
    assert!(matches!(consistency(7, 7, &whole, &path), Err(ProofError::Length { .. })));
    // An empty tree is the beginning of every other, needs no hash for it, and has one root only.
    assert_eq!(consistency(0, 7, &Digest::of(b""), &[]), Ok(()));
    assert!(matches!(consistency(0, 7, &begin, &[]), Err(ProofError::Root { .. })));
    assert!(matches!(consistency(0, 7, &Digest::of(b""), &path), Err(ProofError::Length { .. })));
    assert!(matches!(consistency(0, 0, &whole, &[]), Err(ProofError::Root { .. })));
}

/// Trees of more than one and of more than two levels of tiles.
#[test]
fn an_inclusion_proof_needs_five_tiles_at_most() {
    let all = leaves(70_000);
    let grown = Grown::of(&all);
    for index in [0, 255, 256, 65_535, 65_536, 69_887, 69_888, 69_999] {
        let mut tiles = TreeTiles::new(70_000);
        tiles.want_inclusion(index).unwrap();
        assert!(tiles.wants().len() <= 5, "{index}: {:?}", tiles.wants());
        grown.feed(&mut tiles);
        let proof = tiles.authenticate(&grown.tree.root()).unwrap().inclusion(index).unwrap();
        verify_inclusion(&all[index as usize], &proof, &grown.tree.root()).unwrap();
    }
    for size in [1_000_000, 16_777_216, u64::MAX] {
        let mut tiles = TreeTiles::new(size);
        tiles.want_inclusion(size / 2 + 777).unwrap();
        let levels = u64::from(size.ilog2()).div_ceil(8);
        assert!((tiles.wants().len() as u64) < 2 * levels, "{size}: {:?}", tiles.wants());
    }
}

/// What lies between two sizes, as evidence of a fork has it.
#[test]
fn ranges_of_leaves_join_to_the_roots() {
    let all = leaves(70_000);
    for (old, size) in
        [(0, 1), (1, 1), (3, 7), (255, 256), (256, 257), (255, 600), (512, 600), (65_537, 70_000)]
    {
        let grown = Grown::of(&all[..size as usize]);
        let mut tiles = TreeTiles::new(size);
        tiles.want_range(0, old).unwrap();
        tiles.want_range(old, size).unwrap();
        grown.feed(&mut tiles);
        let hashes = tiles.authenticate(&grown.tree.root()).unwrap();
        let prefix = hashes.range(0, old).unwrap();
        assert_eq!(prefix.root(), (old > 0).then(|| root(&all[..old as usize])), "{old} of {size}");
        let whole = prefix.followed_by(&hashes.range(old, size).unwrap()).unwrap();
        assert_eq!(whole.root(), Some(grown.tree.root()), "{old} of {size}");
        assert!(matches!(hashes.range(0, size + 1), Err(ProofError::Shrinks { .. })));
        assert!(matches!(hashes.range(1, 0), Err(ProofError::Shrinks { .. })));
        assert!(matches!(TreeTiles::new(size).want_range(old, u64::MAX), Err(ProofError::Shrinks { .. })));
    }
}

#[test]
fn tiles_that_are_not_the_roots_are_refused() {
    let all = leaves(1000);
    let grown = Grown::of(&all);
    let wanted = || {
        let mut tiles = TreeTiles::new(1000);
        tiles.want_inclusion(300).unwrap();
        grown.feed(&mut tiles);
        tiles
    };
    let root = grown.tree.root();
    assert!(wanted().authenticate(&root).is_ok());
    assert!(matches!(wanted().authenticate(&all[0]), Err(ProofError::TilesRoot { .. })));
    let mut empty = TreeTiles::new(1000);
    empty.want_inclusion(300).unwrap();
    for tile in empty.wants() {
        let mut bytes = grown.bytes(&tile);
        assert!(matches!(empty.clone().feed(&tile, &bytes[1..]), Err(ProofError::TileLength { .. })));
        for at in [0, bytes.len() - 1] {
            bytes[at] ^= 1;
            let mut tiles = wanted();
            tiles.feed(&tile, &bytes).unwrap();
            let error = tiles.authenticate(&root).unwrap_err();
            let expected = if tile.width == TILE_WIDTH { "tile/0/001" } else { "root" };
            assert!(error.to_string().contains(expected), "{error}");
            bytes[at] ^= 1;
        }
    }
    assert!(matches!(empty.authenticate(&root), Err(ProofError::TileMissing { .. })));
    // What was not wanted is not there, and not guessed.
    let hashes = wanted().authenticate(&root).unwrap();
    assert!(matches!(hashes.inclusion(10), Err(ProofError::TileMissing { .. })));
    assert!(matches!(hashes.inclusion(1000), Err(ProofError::OutOfTree { .. })));
    assert!(matches!(hashes.consistency(1001), Err(ProofError::Shrinks { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn every_changed_bit_is_found(size in 2_u64..70_000, index in any::<u64>(), old in any::<u64>(), bit in any::<usize>()) {
        let (index, old) = (index % size, 1 + old % (size - 1));
        let all = leaves(size);
        let grown = Grown::of(&all);
        let hashes = grown.hashes([index].into_iter(), [old].into_iter());
        let (whole, begin) = (grown.tree.root(), hashes.root_at(old).unwrap());
        prop_assert_eq!(begin, root(&all[..old as usize]));
        let flip = |path: &mut Vec<Digest>| {
            let at = bit % (path.len() * 256);
            path[at / 256].0[at % 256 / 8] ^= 1 << (at % 8);
        };
        let mut inclusion = hashes.inclusion(index).unwrap();
        prop_assert_eq!(verify_inclusion(&all[index as usize], &inclusion, &whole), Ok(()));
        flip(&mut inclusion.path);
        prop_assert!(verify_inclusion(&all[index as usize], &inclusion, &whole).is_err());
        let mut tiles = TreeTiles::new(size);
        tiles.want_consistency_between(old / 2, old).unwrap();
        grown.feed(&mut tiles);
        let between = tiles.authenticate(&whole).unwrap();
        let (half, proof) = (between.root_at(old / 2).unwrap(), between.consistency_between(old / 2, old).unwrap());
        prop_assert_eq!(between.root_at(old), Ok(begin));
        prop_assert_eq!(verify_consistency(&half, &begin, &proof), Ok(()));
        let mut consistency = hashes.consistency(old).unwrap();
        prop_assert_eq!(verify_consistency(&begin, &whole, &consistency), Ok(()));
        flip(&mut consistency.path);
        prop_assert!(verify_consistency(&begin, &whole, &consistency).is_err());
    }

    /// Two trees that differ in one leaf of the beginning have no proof between them.
    #[test]
    fn a_rewritten_leaf_breaks_consistency(old in 1_u64..400, more in 0_u64..400, at in any::<u64>()) {
        let (mut all, at) = (leaves(old + more), at % old);
        let begin = root(&all[..old as usize]);
        all[at as usize] = Digest::of(b"another");
        let grown = Grown::of(&all);
        let proof = grown.hashes(0..0, [old].into_iter()).consistency(old).unwrap();
        prop_assert!(verify_consistency(&begin, &grown.tree.root(), &proof).is_err());
    }
}
