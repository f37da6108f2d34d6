//! The table `[policy]`: the sectors of a project, its packs, and what it declares about itself. Its keys have neither
//! variables nor flags: what was judged has to be the same for everybody who works on the project.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::de::DeTable;

use super::error::Reason;
use super::lint::Refused;
use super::value::{Retention, parse_duration, parse_retention};
use crate::model::is_day;
use crate::policy::packs::Attestation;
use crate::policy::packs::check::UNREADABLE;
use crate::policy::packs::members::{Faults, Members, Why, not_one_of};
use crate::policy::packs::sector::{SECTORS, nearest_sector, sector_named};

/// The name of the table.
pub const TABLE: &str = "policy";

/// What the table says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicySettings {
    /// The sectors of the project, by the names of their packs.
    pub sectors: Vec<String>,
    /// Documents of the owner's own packs.
    pub packs: Vec<PathBuf>,
    /// Such as `production`.
    pub environment: Option<String>,
    /// Tables by class, as patterns of names.
    pub tables: BTreeMap<String, Vec<String>>,
    /// Columns by what they hold instead of a value, such as `tokenised`.
    pub columns: BTreeMap<String, Vec<String>>,
    /// For how long the access chain is kept.
    pub access_kept: Option<Retention>,
    /// For how long the chain and the logs beside it are kept.
    pub log_kept: Option<Retention>,
    /// By how much the clock may be wrong.
    pub clock_offset: Option<Duration>,
    pub attestations: Vec<Attestation>,
}

impl PolicySettings {
    /// Reads the table at `span` of a file in `folder`; gives what it says and all that is not allowed.
    pub(super) fn read(values: &DeTable<'_>, span: Range<usize>, folder: &Path) -> (Self, Vec<Refused>) {
        let faults = Faults::default();
        let members = Members::of(values, format!("{TABLE}."), span, &faults);
        let settings = Self::of(&members, folder);
        members.end();
        let refused = faults.into_inner().into_iter();
        let refused = refused.map(|fault| (fault.span, fault.member, Reason::Policy(fault.why)));
        (settings, refused.collect())
    }

    fn of(members: &Members<'_>, folder: &Path) -> Self {
        let mut settings = Self {
            environment: members.text("environment"),
            access_kept: kept(members, "access-kept"),
            log_kept: kept(members, "log-kept"),
            clock_offset: members.text("clock-offset").and_then(|text| {
                let read = parse_duration(&text);
                let wanted = "is no duration: write it as `500ms` or `1s`";
                refuse_where(members, "clock-offset", read.is_none(), wanted);
                read
            }),
            ..Self::default()
        };
        for name in members.list("sectors").unwrap_or_default() {
            settings.sectors.extend(sector(members, "sectors", &name));
        }
        for place in members.list("packs").unwrap_or_default() {
            // A pack that is always there may stand beside documents.
            if place.ends_with(".toml") {
                settings.packs.push(folder.join(&place));
            } else {
                settings.sectors.extend(sector(members, "packs", &place));
            }
        }
        settings.sectors.sort_unstable();
        settings.sectors.dedup();
        if let Some(tables) = members.table("tables") {
            settings.tables = tables.lists().into_iter().collect();
        }
        if let Some(columns) = members.table("columns") {
            settings.columns = columns.lists().into_iter().collect();
            for way in settings.columns.keys().filter(|way| !UNREADABLE.contains(&way.as_str())) {
                columns.refuse_member(way, not_one_of(way, UNREADABLE.into_iter()));
            }
        }
        settings.attestations = members.tables("attestation").into_iter().map(attestation).collect();
        settings
    }
}

fn refuse_where(members: &Members<'_>, name: &str, is_wrong: bool, why: &str) {
    if is_wrong {
        members.refuse_member(name, Why::Other(why.to_owned()));
    }
}

fn kept(members: &Members<'_>, name: &'static str) -> Option<Retention> {
    let read = parse_retention(&members.text(name)?);
    refuse_where(members, name, read.is_none(), "is no time: write it as `12m`, `1y` or `400d`");
    read
}

/// The pack of a sector, however it is spelt.
fn sector(members: &Members<'_>, key: &str, name: &str) -> Option<String> {
    let found = sector_named(name).map(str::to_owned);
    if found.is_none() {
        let mut allowed: Vec<String> = SECTORS.into_iter().map(|(sector, _)| format!("`{sector}`")).collect();
        if key == "packs" {
            allowed.push("a file that ends with `.toml`".to_owned());
        }
        let nearest = nearest_sector(name).map(str::to_owned);
        members.refuse_member(key, Why::NotOneOf { allowed: allowed.join(", "), nearest });
    }
    found
}

fn attestation(members: Members<'_>) -> Attestation {
    let attestation = Attestation {
        rule: members.needed("rule"),
        by: members.needed("by"),
        on: members.needed("on"),
        until: members.needed("until"),
        reference: members.needed("reference"),
        versions: members.list("versions").unwrap_or_default().into_iter().collect(),
    };
    for (name, day) in [("on", &attestation.on), ("until", &attestation.until)] {
        refuse_where(&members, name, !day.is_empty() && !is_day(day), "is no day: write it as `2027-06-30`");
    }
    let ends_before = attestation.until < attestation.on;
    refuse_where(&members, "until", ends_before, "is before the day on which it was said");
    members.end();
    attestation
}

impl Retention {
    /// In whole months; days and weeks as parts of a year of 365 days.
    #[must_use]
    pub const fn in_months(self) -> u32 {
        match self.parts() {
            (number, 'y') => number.saturating_mul(12),
            (number, 'm') => number,
            _ => self.in_days().saturating_mul(12) / 365,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (PolicySettings, Vec<String>) {
        let (document, errors) = DeTable::parse_recoverable(text);
        assert_eq!(errors, []);
        let (settings, refused) = PolicySettings::read(document.get_ref(), 0..0, Path::new("/project"));
        (settings, refused.into_iter().map(|(_, key, reason)| format!("`{key}` {reason}")).collect())
    }

    #[test]
    fn sectors_have_accents_and_packs_lie_beside_the_file() {
        let (settings, refused) = read(
            "sectors = ['Santé', 'health', 'e-commerce']\npacks = ['éducation', 'policy/own.toml']\n\
             environment = 'production'\naccess-kept = '1y'\nlog-kept = '400d'\nclock-offset = '500ms'\n\
             [tables]\npatient-records = ['dossier_*']\ngrades = []\n[columns]\ntokenised = ['payment.card_number']\n\
             [[attestation]]\nrule = 'sante-hosting'\nby = 'dpo'\non = '2026-01-31'\nuntil = '2027-01-31'\nreference = 'R-1'\n",
        );
        assert_eq!(refused, [""; 0]);
        assert_eq!(settings.sectors, ["ecommerce", "education", "sante"]);
        assert_eq!(settings.packs, [Path::new("/project/policy/own.toml")]);
        assert_eq!(settings.access_kept.map(Retention::in_months), Some(12));
        assert_eq!(settings.log_kept.map(Retention::in_months), Some(13));
        assert_eq!(settings.clock_offset, Some(Duration::from_millis(500)));
        assert_eq!(settings.tables["patient-records"], ["dossier_*"]);
        assert!(settings.tables["grades"].is_empty() && settings.columns.contains_key("tokenised"));
        assert_eq!(settings.attestations[0].reference, "R-1");
    }

    #[test]
    fn what_is_misspelt_is_told_with_the_nearest() {
        for (text, told) in [
            ("sector = ['santé']", "`policy.sector` is no member of it; the nearest one is `sectors`"),
            ("sectors = ['santée']", "; the nearest one is `sante`"),
            ("sectors = ['banque']", "`policy.sectors` is not one of `sante`, `education`, `ecommerce`"),
            ("packs = ['own']", "a file that ends with `.toml`"),
            ("sectors = 'sante'", "is of type string: write a list in brackets of texts in quotes"),
            ("log-kept = 'long'", "`policy.log-kept` is no time"),
            ("clock-offset = 5", "is of type integer: write a text in quotes"),
            ("clock-offset = '5'", "is no duration"),
            ("[columns]\ntokenized = ['a']", "the nearest one is `tokenised`"),
            ("[tables]\ngrades = 'note'", "`policy.tables.grades` is of type string"),
            (
                "[[attestation]]\nrule = 'a'\nby = 'b'\non = '2026-01-31'\nuntil = '2027-01-31'\n",
                "`policy.attestation.reference` is missing",
            ),
            (
                "[[attestation]]\nrule = 'a'\nby = 'b'\nreference = 'c'\non = '2026-02-30'\nuntil = '2027-01-31'\n",
                "`policy.attestation.on` is no day",
            ),
            (
                "[[attestation]]\nrule = 'a'\nby = 'b'\nreference = 'c'\non = '2026-02-03'\nuntil = '2025-01-31'\n",
                "is before the day",
            ),
            ("attestation = 3", "write tables"),
        ] {
            let (_, refused) = read(text);
            assert!(refused.iter().any(|refused| refused.contains(told)), "{text}: {refused:?}");
        }
    }
}
