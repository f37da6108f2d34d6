//! Where a tile lies and what an entries tile holds (FORMAT §4, C2SP tlog-tiles).

use crate::model::{CID_LENGTH, Cid};

/// Hashes in a full tile.
pub const TILE_WIDTH: u64 = 256;

/// Names that a directory of numbers has: three digits.
pub const DIRECTORY_WIDTH: usize = 1000;

/// Names one tile of a tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tile {
    pub kind: TileKind,
    /// Position among the tiles of its level.
    pub index: u64,
    /// 1 to 256 hashes or entries; fewer than 256 in a partial tile.
    pub width: u64,
}

/// What a tile holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TileKind {
    /// Hashes of subtrees of 256^level leaves.
    Hashes { level: u8 },
    /// The entries themselves.
    Entries,
}

impl Tile {
    /// Path below the directory: `tile/<L>/<N>[.p/<W>]`.
    #[must_use]
    pub fn path(&self) -> String {
        let mut number = format!("{:03}", self.index % 1000);
        let mut rest = self.index / 1000;
        while rest > 0 {
            number = format!("x{:03}/{number}", rest % 1000);
            rest /= 1000;
        }
        let kind = match self.kind {
            TileKind::Hashes { level } => level.to_string(),
            TileKind::Entries => "entries".to_owned(),
        };
        let partial = if self.width < TILE_WIDTH { format!(".p/{}", self.width) } else { String::new() };
        format!("tile/{kind}/{number}{partial}")
    }
}

impl Tile {
    /// Reads what [`Tile::path`] writes, and no other spelling.
    #[must_use]
    pub fn parse(path: &str) -> Option<Self> {
        let (kind, rest) = path.strip_prefix("tile/")?.split_once('/')?;
        let kind = match kind {
            "entries" => TileKind::Entries,
            level => TileKind::Hashes { level: level.parse().ok()? },
        };
        let (number, width) = match rest.split_once(".p/") {
            Some((number, width)) => (number, width.parse().ok()?),
            None => (rest, TILE_WIDTH),
        };
        let mut index: u64 = 0;
        for part in number.split('/') {
            let digits: u64 = part.trim_start_matches('x').parse().ok()?;
            index = index.checked_mul(1000)?.checked_add(digits)?;
        }
        let tile = Self { kind, index, width };
        (width > 0 && tile.path() == path).then_some(tile)
    }
}

/// All tiles that a tree of `size` leaves needs, and no other, level by level, entries last.
pub fn tiles_of(size: u64) -> impl Iterator<Item = Tile> {
    counts(size).flat_map(|(kind, count)| {
        (0..count.div_ceil(TILE_WIDTH)).map(move |index| Tile {
            kind,
            index,
            width: (count - index * TILE_WIDTH).min(TILE_WIDTH),
        })
    })
}

/// The partial ones of them: at most one of each kind.
pub fn unfinished_tiles_of(size: u64) -> impl Iterator<Item = Tile> {
    let tile = |(kind, count)| Tile { kind, index: count / TILE_WIDTH, width: count % TILE_WIDTH };
    counts(size).map(tile).filter(|tile| tile.width > 0)
}

/// How many hashes, and entries, the tiles of a tree of `size` leaves hold together.
fn counts(size: u64) -> impl Iterator<Item = (TileKind, u64)> {
    let levels = (0_u8..).map_while(move |level| {
        let count = size >> (8 * u32::from(level)).min(63);
        (count > 0 && level < 8).then_some((TileKind::Hashes { level }, count))
    });
    levels.chain((size > 0).then_some((TileKind::Entries, size)))
}

/// Adds one entry to the bytes of an entries tile: its length as 16-bit big-endian, then the CID.
pub fn push_entry(bundle: &mut Vec<u8>, entry: &Cid) {
    bundle.extend([0, CID_LENGTH as u8]);
    bundle.extend(entry.to_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_one_spelling() {
        for size in [0, 1, 255, 256, 65_535, 65_536, 65_537, 70_000, 1_500_000] {
            for tile in tiles_of(size).step_by(97) {
                assert_eq!(Tile::parse(&tile.path()), Some(tile));
            }
            let partial: Vec<Tile> = tiles_of(size).filter(|tile| tile.width < TILE_WIDTH).collect();
            assert_eq!(unfinished_tiles_of(size).collect::<Vec<_>>(), partial, "{size}");
        }
        for path in [
            "tile/0/0",
            "tile/00/000",
            "tile/0/000.p/256",
            "tile/0/000.p/0",
            "tile/0/000.p/01",
            "tile/0/x000/000",
            "tile/0/+01",
            "tile/0/../000",
            "tile/256/000",
            "tile/0/x999/x999/x999/x999/x999/x999/x999/999",
            "tile/data/000",
            "tile/0/",
            "checkpoint",
            "",
        ] {
            assert_eq!(Tile::parse(path), None, "{path}");
        }
    }

    #[test]
    fn paths_are_those_of_the_specification() {
        let tile = |kind, index, width| Tile { kind, index, width }.path();
        assert_eq!(tile(TileKind::Hashes { level: 0 }, 1_234_067, 256), "tile/0/x001/x234/067");
        assert_eq!(tile(TileKind::Hashes { level: 1 }, 0, 17), "tile/1/000.p/17");
        assert_eq!(tile(TileKind::Entries, 273, 112), "tile/entries/273.p/112");
    }

    /// The example of the specification: a tree of 70,000 leaves.
    #[test]
    fn a_tree_needs_exactly_its_tiles() {
        let count = |size, kind| tiles_of(size).filter(|tile| tile.kind == kind).count();
        assert_eq!(count(70_000, TileKind::Hashes { level: 0 }), 274);
        assert_eq!(count(70_000, TileKind::Hashes { level: 1 }), 2);
        assert_eq!(count(70_000, TileKind::Hashes { level: 2 }), 1);
        assert_eq!(count(70_000, TileKind::Hashes { level: 3 }), 0);
        assert_eq!(tiles_of(70_000).filter(|tile| tile.width < 256).count(), 4);
        assert_eq!(
            tiles_of(256).map(|tile| tile.path()).collect::<Vec<_>>(),
            ["tile/0/000", "tile/1/000.p/1", "tile/entries/000",]
        );
        assert_eq!(tiles_of(0).count(), 0);
    }
}
