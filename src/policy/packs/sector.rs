//! What people call a sector: with accents or without, in capitals, with hyphens.

use crate::scripts::meaning::words;

/// The sectors that have a pack, each with what else it is called, folded.
pub const SECTORS: [(&str, &[&str]); 3] =
    [("sante", &["health", "healthcare"]), ("education", &["enseignement"]), ("ecommerce", &["commerce"])];

/// The pack of the sector that somebody calls so.
#[must_use]
pub fn sector_named(name: &str) -> Option<&'static str> {
    let name = folded(name);
    let found =
        SECTORS.into_iter().find(|(sector, others)| *sector == name || others.contains(&name.as_str()));
    found.map(|(sector, _)| sector)
}

/// The nearest name of a sector, where one is near.
#[must_use]
pub fn nearest_sector(name: &str) -> Option<&'static str> {
    super::members::nearest(&folded(name), SECTORS.into_iter().map(|(sector, _)| sector))
}

/// Small letters without accents, also where an accent is a character of its own; without spaces, hyphens and the like.
#[must_use]
pub fn folded(name: &str) -> String {
    words(name.as_bytes()).split(' ').collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sector_is_known_however_it_is_spelt() {
        for (name, sector) in [
            ("sante", "sante"),
            ("santé", "sante"),
            ("SANTÉ", "sante"),
            ("Sante\u{301}", "sante"),
            ("health", "sante"),
            ("éducation", "education"),
            ("Education", "education"),
            ("e\u{301}ducation", "education"),
            ("e-commerce", "ecommerce"),
            ("E-Commerce", "ecommerce"),
            ("ecommerce", "ecommerce"),
        ] {
            assert_eq!(sector_named(name), Some(sector), "{name}");
        }
        for name in ["", "sant", "santes", "banque", "-"] {
            assert_eq!(sector_named(name), None, "{name}");
        }
        assert_eq!((nearest_sector("santée"), nearest_sector("banque")), (Some("sante"), None));
    }
}
