//! What scripts that stand in clear say of themselves, and what rules of `greffe lint` find in them.

use std::thread::{Builder, scope};

use super::super::OpsError;
use crate::model::{Direction, Role};
use crate::report::risk::LintHit;
use crate::scripts::lint::squawk::{STACK, Squawk};
use crate::scripts::lint::statements::judge;
use crate::scripts::lint::{Finding, Level};
use crate::scripts::{Dialect, Header, Script};

/// Longer scripts are told by their statements alone.
const LONGEST: usize = 4 << 20;
/// Further findings of one change are left out.
const MOST_HITS: usize = 200;

/// A script in clear.
pub struct ClearScript {
    pub seq: u64,
    pub role: Role,
    pub dialect: Dialect,
    script: Script,
}

impl ClearScript {
    /// A script of an entry; `None` where it is no SQL or too long.
    pub fn of(seq: u64, role: Role, dialect: Dialect, name: &str, bytes: Vec<u8>) -> Option<Self> {
        let is_sql = name.to_ascii_lowercase().ends_with(".sql");
        (is_sql && bytes.len() <= LONGEST).then(|| Self {
            seq,
            role,
            dialect,
            script: Script::new(name, bytes),
        })
    }

    /// What it says of itself.
    pub fn header(&self) -> Option<Header> {
        self.script.text().ok().map(Header::parse)
    }

    fn hits(&self, squawk: &Squawk) -> Vec<LintHit> {
        let Ok(text) = self.script.text() else { return Vec::new() };
        let direction = if self.role == Role::Down { Direction::Down } else { Direction::Up };
        let (file, transaction) = (self.script.file_name.as_str(), self.script.transaction);
        let found = match self.dialect {
            Dialect::Postgresql => squawk.judge((file, text), direction, transaction),
            dialect => judge(dialect, (file, text), direction, transaction),
        };
        found.iter().take(MOST_HITS).map(hit).collect()
    }
}

fn hit(finding: &Finding) -> LintHit {
    LintHit {
        rule: finding.rule.id.to_owned(),
        level: finding.rule.level.to_string(),
        file: finding.file.clone(),
        line: finding.line as u64,
    }
}

/// What rules find in scripts, by the levels that they have unless a project says otherwise: each with the number of its
/// entry. It has a thread of its own, whose stack is deep enough for what the parser of PostgreSQL reads.
///
/// # Errors
/// [`OpsError::NoThread`].
pub fn lint(scripts: &[ClearScript]) -> Result<Vec<(u64, LintHit)>, OpsError> {
    if scripts.is_empty() {
        return Ok(Vec::new());
    }
    let judge_all = || {
        let squawk = Squawk::asking(|rule| rule.level != Level::Off);
        scripts
            .iter()
            .flat_map(|script| script.hits(&squawk).into_iter().map(|hit| (script.seq, hit)))
            .collect()
    };
    scope(|scope| {
        let thread =
            Builder::new().stack_size(STACK).spawn_scoped(scope, judge_all).map_err(OpsError::NoThread)?;
        Ok(thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}
