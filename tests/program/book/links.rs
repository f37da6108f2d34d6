//! Links of the documentation: each leads to something, on a code host and in the book.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::{Component, Path, PathBuf};

use super::{ROOT, docs, page, pages};

/// A page without its fenced blocks and without code in its text.
fn prose(page: &str) -> String {
    let text: String = page.split("```").step_by(2).collect();
    text.split('`').enumerate().map(|(place, part)| if place % 2 == 0 { part } else { "code" }).collect()
}

/// Where the links of a page lead.
fn links(page: &str) -> Vec<String> {
    let prose = prose(page);
    let ends = prose.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
    ends.map(|(target, _)| target.to_owned()).collect()
}

/// The anchors of a page's headings, as GitHub and mdBook make them.
fn anchors(page: &str) -> BTreeSet<String> {
    let text: String = page.split("```").step_by(2).collect();
    let mut seen: HashMap<String, usize> = HashMap::new();
    let mut anchors = BTreeSet::new();
    for line in text.lines().filter(|line| line.starts_with('#')) {
        let title = line.trim_start_matches('#').trim().to_lowercase();
        let kept = title.chars().filter(|c| c.is_alphanumeric() || "-_ ".contains(*c));
        let slug: String = kept.map(|c| if c == ' ' { '-' } else { c }).collect();
        let before = seen.entry(slug.clone()).or_default();
        anchors.insert(if *before == 0 { slug.clone() } else { format!("{slug}-{before}") });
        *before += 1;
    }
    anchors
}

/// A path without `.` and `..`.
fn resolved(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => assert!(plain.pop(), "{}", path.display()),
            Component::CurDir => {}
            other => plain.push(other),
        }
    }
    plain
}

/// What is wrong with the links of a page, which may lead to what is below `within`.
fn dead(path: &Path, within: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap();
    let mut dead = Vec::new();
    for link in links(&text) {
        if link.contains("://") || link.starts_with("mailto:") {
            continue;
        }
        let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
        let target =
            if file.is_empty() { path.to_owned() } else { resolved(&path.parent().unwrap().join(file)) };
        let is_there = target.starts_with(within) && target.exists();
        let has_anchor = anchor.is_empty()
            || (is_there && anchors(&fs::read_to_string(&target).unwrap()).contains(anchor));
        if !is_there || !has_anchor {
            dead.push(format!("{}: {link}", path.display()));
        }
    }
    dead
}

#[test]
fn no_link_is_dead() {
    let root = Path::new(ROOT);
    // The book has what is in its folder and nothing else.
    let mut dead: Vec<String> =
        pages().iter().flat_map(|name| self::dead(&docs().join(name), &docs())).collect();
    for name in ["README.md", "CHANGELOG.md"] {
        dead.extend(self::dead(&root.join(name), root));
    }
    assert_eq!(dead, Vec::<String>::new());
}

#[test]
fn headings_have_the_anchors_of_code_hosts() {
    let page = "# Keys: who, and when\n```sh\n# no heading\n```\n## `greffe node`\n## Délai d'un an\n## Délai d'un an\n";
    let expected = ["keys-who-and-when", "greffe-node", "délai-dun-an", "délai-dun-an-1"];
    assert_eq!(anchors(page), expected.map(str::to_owned).into());
    assert_eq!(links("[a](b.md#c) `[d](e)`\n```\n[f](g)\n```\n"), ["b.md#c"]);
}

#[test]
fn the_summary_has_every_page_once() {
    let mut listed = links(&page("SUMMARY.md"));
    listed.sort();
    let expected: Vec<String> = pages().into_iter().filter(|name| name != "SUMMARY.md").collect();
    assert_eq!(listed, expected);
}
