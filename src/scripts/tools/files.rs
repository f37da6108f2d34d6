//! Scripts whose names begin with a version, as most tools have them.

use std::collections::BTreeMap;

use super::{Fault, FolderFile, ToolScript};

/// A file name that begins with digits: these, and what follows the separator.
pub fn numbered<'a>(name: &'a str, separators: &[char]) -> Option<(&'a str, &'a str)> {
    let end = name.find(|c: char| !c.is_ascii_digit()).filter(|end| *end > 0)?;
    let (digits, rest) = name.split_at(end);
    Some((digits, rest.strip_prefix(separators)?))
}

/// A way up and, perhaps, the way down of the same version.
#[derive(Default)]
struct Pair {
    up: Option<(FolderFile, String)>,
    down: Option<FolderFile>,
}

/// Puts ways up and down together by their identifiers.
#[derive(Default)]
pub struct Pairs(BTreeMap<String, Pair>);

impl Pairs {
    /// A way up, and what its file calls it.
    pub fn up(&mut self, id: &str, name: &str, file: &FolderFile, faults: &mut Vec<Fault>) {
        let pair = self.0.entry(id.to_owned()).or_default();
        if let Some((first, _)) = &pair.up {
            let (first, second) = (first.path.clone(), file.path.clone());
            faults.push(Fault::Duplicate { id: id.to_owned(), first, second });
            return;
        }
        pair.up = Some((file.clone(), name.to_owned()));
    }

    /// A way down.
    pub fn down(&mut self, id: &str, file: &FolderFile) {
        self.0.entry(id.to_owned()).or_default().down.get_or_insert_with(|| file.clone());
    }

    /// The scripts in the order of their versions, by `order`; a way down without a way up is nobody's.
    pub fn scripts<K: Ord>(self, order: impl Fn(&str) -> K) -> Vec<ToolScript> {
        let mut scripts: Vec<ToolScript> = Vec::with_capacity(self.0.len());
        for (id, Pair { up, down }) in self.0 {
            let Some((up, name)) = up else { continue };
            let name = Some(name).filter(|name| !name.is_empty());
            scripts.push(ToolScript { down, ..ToolScript::new(id, name, up, None) });
        }
        scripts.sort_by_key(|script| order(&script.id));
        scripts
    }
}

/// The number that digits are, however many zeros stand before it.
pub fn number(digits: &str) -> u128 {
    digits.parse().unwrap_or(u128::MAX)
}
