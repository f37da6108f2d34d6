//! How much a change can do: fixed rules over the kinds of its statements, which a log tells of every script, also of one
//! that is sealed; and over what rules of `greffe lint` find in a script that is in clear.
//!
//! It is no opinion on whether a change was right, and no rule looks at names or rows.

use serde::Serialize;

use crate::model::StatementRun;

/// How much, in one word. Later is more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RiskClass {
    /// Nothing tells what ran.
    Unknown,
    Low,
    Medium,
    High,
}

/// Why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// Rows, columns or objects are gone afterwards.
    Removes,
    /// Who may do what is changed.
    Rights,
    /// A rule of the level `error` finds something.
    LintError,
    /// Rows that were there are changed.
    ChangesRows,
    /// Objects that were there are changed.
    ChangesObjects,
    /// A statement whose kind is not known.
    OtherStatement,
    /// It ran outside of a transaction.
    NoTransaction,
    /// No script takes it back.
    NoWayBack,
    /// A rule of the level `warning` finds something.
    LintWarning,
    /// Objects or rows are added.
    Adds,
    /// It is not told what ran.
    NothingTold,
}

impl Reason {
    /// All, the gravest first.
    pub const ALL: [Self; 11] = [
        Self::Removes,
        Self::Rights,
        Self::LintError,
        Self::ChangesRows,
        Self::ChangesObjects,
        Self::OtherStatement,
        Self::NoTransaction,
        Self::NoWayBack,
        Self::LintWarning,
        Self::Adds,
        Self::NothingTold,
    ];

    /// The word in documents.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Removes => "removes",
            Self::Rights => "rights",
            Self::LintError => "lint-error",
            Self::ChangesRows => "changes-rows",
            Self::ChangesObjects => "changes-objects",
            Self::OtherStatement => "other-statement",
            Self::NoTransaction => "no-transaction",
            Self::NoWayBack => "no-way-back",
            Self::LintWarning => "lint-warning",
            Self::Adds => "adds",
            Self::NothingTold => "nothing-told",
        }
    }

    /// The class that it makes of a change.
    #[must_use]
    pub const fn class(self) -> RiskClass {
        match self {
            Self::Removes | Self::Rights | Self::LintError => RiskClass::High,
            Self::Adds => RiskClass::Low,
            Self::NothingTold => RiskClass::Unknown,
            _ => RiskClass::Medium,
        }
    }
}

impl RiskClass {
    /// The word in documents.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// What a rule of `greffe lint` found.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct LintHit {
    pub rule: String,
    /// `error`, `warning` or `note`.
    pub level: String,
    pub file: String,
    /// From 1.
    pub line: u64,
}

/// The risk of one change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Risk {
    pub class: RiskClass,
    /// The gravest first.
    pub reasons: Vec<Reason>,
    /// What rules find in its scripts; `None` where none is in clear.
    pub lint: Option<Vec<LintHit>>,
}

/// What is known of a change.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    pub statements: &'a [StatementRun],
    pub lint: Option<&'a [LintHit]>,
    /// Whether it ran in a transaction, as far as that is told.
    pub transaction: Option<bool>,
    /// `None` where a way back makes no sense: it is one.
    pub way_back: Option<bool>,
}

impl Risk {
    /// By the rules above.
    #[must_use]
    pub fn of(known: &Known<'_>) -> Self {
        let mut reasons: Vec<Reason> = known.statements.iter().filter_map(|run| of_kind(&run.kind)).collect();
        if known.statements.is_empty() && known.lint.is_none() {
            reasons.push(Reason::NothingTold);
        }
        let level = |level: &str| known.lint.is_some_and(|hits| hits.iter().any(|hit| hit.level == level));
        for (holds, reason) in [
            (level("error"), Reason::LintError),
            (level("warning"), Reason::LintWarning),
            (known.transaction == Some(false), Reason::NoTransaction),
            (known.way_back == Some(false), Reason::NoWayBack),
        ] {
            if holds {
                reasons.push(reason);
            }
        }
        reasons.sort();
        reasons.dedup();
        let class = reasons.iter().map(|reason| reason.class()).max().unwrap_or(RiskClass::Low);
        Self { class, reasons, lint: known.lint.map(<[LintHit]>::to_vec) }
    }
}

/// What a statement of this kind does; `None` for what only reads or steers.
fn of_kind(kind: &str) -> Option<Reason> {
    let (verb, object) = kind.split_once(' ').unwrap_or((kind, ""));
    let of_people = matches!(object, "ROLE" | "USER" | "GROUP" | "USER MAPPING" | "POLICY" | "OWNED");
    Some(match verb {
        "SELECT" | "VALUES" | "SET" | "RESET" | "PRAGMA" | "BEGIN" | "COMMIT" | "ROLLBACK" | "SAVEPOINT"
        | "RELEASE" | "ANALYZE" | "VACUUM" | "CHECK" | "CHECKSUM" | "USE" | "CHECKPOINT" | "LOCK"
        | "UNLOCK" | "SHOW" | "EXPLAIN" | "COMMENT" => return None,
        "GRANT" | "REVOKE" | "REASSIGN" => Reason::Rights,
        _ if of_people => Reason::Rights,
        "RENAME" if object == "USER" => Reason::Rights,
        "DROP" | "TRUNCATE" | "DELETE" => Reason::Removes,
        "UPDATE" | "MERGE" | "REPLACE" => Reason::ChangesRows,
        "INSERT" | "COPY" | "LOAD" | "CREATE" | "ATTACH" | "IMPORT" => Reason::Adds,
        "ALTER" | "RENAME" | "DETACH" | "REINDEX" | "CLUSTER" | "REFRESH" | "OPTIMIZE" => {
            Reason::ChangesObjects
        }
        _ => Reason::OtherStatement,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn risk(kinds: &[&str]) -> Risk {
        let run =
            |kind: &&str| StatementRun { kind: (*kind).to_owned(), count: 1, duration_us: 1, rows: None };
        let statements: Vec<StatementRun> = kinds.iter().map(run).collect();
        Risk::of(&Known { statements: &statements, lint: None, transaction: None, way_back: Some(true) })
    }

    #[test]
    fn kinds_make_the_class() {
        for (kinds, class, reasons) in [
            (&["CREATE TABLE", "INSERT"][..], RiskClass::Low, &[Reason::Adds][..]),
            (&["CREATE TABLE", "ALTER TABLE"], RiskClass::Medium, &[Reason::ChangesObjects, Reason::Adds]),
            (&["UPDATE"], RiskClass::Medium, &[Reason::ChangesRows]),
            (&["UPDATE", "DROP TABLE"], RiskClass::High, &[Reason::Removes, Reason::ChangesRows]),
            (&["CREATE ROLE"], RiskClass::High, &[Reason::Rights]),
            (&["OTHER"], RiskClass::Medium, &[Reason::OtherStatement]),
            (&["SELECT"], RiskClass::Low, &[]),
            (&[], RiskClass::Unknown, &[Reason::NothingTold]),
        ] {
            let found = risk(kinds);
            assert_eq!((found.class, found.reasons.as_slice()), (class, reasons), "{kinds:?}");
        }
    }

    #[test]
    fn what_surrounds_it_makes_it_graver_and_nothing_milder() {
        let statements = [StatementRun { kind: "CREATE TABLE".into(), count: 1, duration_us: 1, rows: None }];
        let known =
            Known { statements: &statements, lint: None, transaction: Some(false), way_back: Some(false) };
        let found = Risk::of(&known);
        assert_eq!(found.reasons, [Reason::NoTransaction, Reason::NoWayBack, Reason::Adds]);
        assert_eq!(found.class, RiskClass::Medium);
        let hit = LintHit { rule: "a/b".into(), level: "error".into(), file: "1.sql".into(), line: 3 };
        let hits = [hit];
        let found = Risk::of(&Known { lint: Some(&hits), ..known });
        assert_eq!((found.class, found.reasons[0]), (RiskClass::High, Reason::LintError));
        assert!(Reason::ALL.is_sorted());
    }
}
