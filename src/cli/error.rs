//! Errors as people read them: what, cause, and the command that mends it.

use std::error::Error;

use super::Exit;
use super::settings::SettingsError;
use crate::chain::RestoreError;
use crate::database::DatabaseError;
use crate::ops::{OpsError, Problem};
use crate::scripts::FolderError;
use crate::scripts::tools::plain::{PLAIN, PlainError};
use crate::server::ServeError;
use crate::store::{ArchiveError, ReadError, WriteError};
use crate::vault::VaultError;

/// Findings that are shown with an error.
const FOUND: usize = 10;

/// An error that ends a command.
#[derive(Debug)]
pub struct CliError {
    pub exit: Exit,
    pub message: String,
    pub causes: Vec<String>,
    pub hint: Option<String>,
    /// For `--json`: problems as they are.
    problems: Vec<Problem>,
}

impl CliError {
    /// An error without cause or hint.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), causes: Vec::new(), hint: None, problems: Vec::new() }
    }

    /// Wrong usage.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// With the command that mends it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    fn caused_by(mut self, error: &dyn Error) -> Self {
        let mut source = error.source();
        while let Some(cause) = source {
            self.causes.push(format!("because {cause}"));
            source = cause.source();
        }
        self
    }

    /// The object that `--json` prints.
    pub fn json(&self) -> serde_json::Value {
        let mut error = serde_json::json!({
            "message": self.message,
            "causes": self.causes,
            "hint": self.hint,
        });
        if !self.problems.is_empty() {
            error["problems"] = serde_json::to_value(&self.problems).unwrap_or_default();
        }
        serde_json::json!({ "error": error, "exit": self.exit.code() })
    }
}

impl From<SettingsError> for CliError {
    fn from(error: SettingsError) -> Self {
        let hint = match &error {
            SettingsError::Missing(_) => Some("run `greffe init`, or say it with the flag"),
            SettingsError::File { .. } => Some("name the settings file with `--config PATH`"),
            _ => None,
        };
        let mut shown = Self::usage(error.to_string());
        shown.hint = hint.map(str::to_owned);
        shown
    }
}

impl From<OpsError> for CliError {
    fn from(error: OpsError) -> Self {
        if let OpsError::Tool(error) = error {
            return (*error).into();
        }
        if let OpsError::Problems(problems) = error {
            return of_problems(problems);
        }
        let exit = match &error {
            OpsError::ImportFindings { .. }
            | OpsError::ImportFork { .. }
            | OpsError::ImportOtherChain { .. }
            | OpsError::HeadLost { .. }
            | OpsError::NameTaken { .. }
            | OpsError::UnnamedChain { .. }
            | OpsError::OtherChain { .. }
            | OpsError::SealedDiffers { .. }
            | OpsError::AccessLost { .. }
            | OpsError::EvidenceDamaged { .. }
            | OpsError::EvidenceFindings { .. }
            | OpsError::Tree { .. }
            | OpsError::HeadInconsistent { .. }
            | OpsError::Incomparable { .. }
            | OpsError::Unpublishable { .. }
            | OpsError::HistoryDiffers { .. }
            | OpsError::HistoryBehind { .. }
            | OpsError::ArchiveBehind { .. }
            | OpsError::WayDownDiffers { .. } => Exit::Findings,
            OpsError::NoEntry(..)
            | OpsError::NotInArchive(_)
            | OpsError::NotApplied(_)
            | OpsError::UnknownVersion(_)
            | OpsError::CannotRepair { .. }
            | OpsError::NoWayDown { .. }
            | OpsError::TooManySteps { .. }
            | OpsError::Exists(_)
            | OpsError::ImportNoHead { .. }
            | OpsError::NotAHead(_)
            | OpsError::Folder(_)
            | OpsError::Plain(_)
            | OpsError::Basis { .. }
            | OpsError::Held { .. }
            | OpsError::TooYoung { .. }
            | OpsError::NoRetention
            | OpsError::NoAuthority
            | OpsError::Terms { .. }
            | OpsError::NothingSealed
            | OpsError::NoVersion(_)
            | OpsError::Grant { .. }
            | OpsError::Vault(
                VaultError::Missing(_)
                | VaultError::Exists(_)
                | VaultError::HoldExists(_)
                | VaultError::Url
                | VaultError::Owner(_),
            )
            | OpsError::Key(_) => Exit::Usage,
            _ => Exit::Unfinished,
        };
        let hint = hint(&error);
        let mut shown = Self::new(exit, error.to_string()).caused_by(&error);
        if let OpsError::OutOfReach { faults, found, .. } = error {
            shown.causes.extend(faults);
            let more = found.len().saturating_sub(FOUND);
            shown.causes.extend(found.iter().take(FOUND).map(|finding| format!("found before: {finding}")));
            shown.causes.extend((more > 0).then(|| format!("{more} more were found before")));
        }
        shown.hint = hint;
        shown
    }
}

impl From<ServeError> for CliError {
    fn from(error: ServeError) -> Self {
        let (exit, hint) = match &error {
            ServeError::Archive(cause) => (Exit::Unfinished, archive_hint(cause)),
            ServeError::EndLost { .. } => {
                (Exit::Findings, Some("bring the newest copy back with `greffe import FILE.car`".to_owned()))
            }
            ServeError::NoArchive { .. } => {
                (Exit::Unfinished, Some("name the folder with `--archive PATH`".to_owned()))
            }
            ServeError::Listen { .. } => {
                (Exit::Unfinished, Some("choose another address with `--listen ADDRESS:PORT`".to_owned()))
            }
            ServeError::Run(_) => (Exit::Unfinished, None),
        };
        let mut shown = Self::new(exit, error.to_string()).caused_by(&error);
        shown.hint = hint;
        shown
    }
}

const HISTORY_BEHIND: &str = "the database was restored from an older backup, or is another one: restore its newest \
                              backup, record what it lost with `greffe repair --restored`, or name the archive that \
                              belongs to it with `--archive PATH`";

fn hint(error: &OpsError) -> Option<String> {
    Some(match error {
        OpsError::Key(unavailable) => unavailable.hint.clone(),
        OpsError::Folder(FolderError::Missing { .. }) => {
            "create the folder, or name another with `--migrations PATH`".to_owned()
        }
        OpsError::Plain(PlainError::Tool(_)) => {
            format!("run `greffe record -- COMMAND` with the tool's own command; greffe applies for {}", PLAIN.join(", "))
        }
        OpsError::Plain(_) => {
            "change the script, or let the tool run it: `greffe record -- COMMAND`".to_owned()
        }
        OpsError::Database(error) => return database_hint(error),
        OpsError::Archive(error) => return archive_hint(error),
        OpsError::Restore(RestoreError::Read(error)) => return archive_hint(error),
        OpsError::Restore(_) => "run `greffe verify \"$(greffe head)\"` to see what is wrong".to_owned(),
        OpsError::Write(WriteError::Exists { .. }) => {
            "choose another name, or pass `--force` to replace it".to_owned()
        }
        OpsError::Read(ReadError::NotCar { .. }) => {
            "give a CARv1 file, such as `greffe export --out` writes".to_owned()
        }
        OpsError::HistoryBehind { .. } => HISTORY_BEHIND.to_owned(),
        OpsError::Append(crate::chain::AppendError::Threshold { .. }) => {
            "sign with a key that the trust document lists as signer: name it with `--key SOURCE`".to_owned()
        }
        OpsError::Append(crate::chain::AppendError::Sign(_)) => {
            "look whether the agent has the key (`ssh-add -l`), and run the command again: it archives what ran".to_owned()
        }
        OpsError::HistoryDiffers { .. } | OpsError::ArchiveBehind { .. } | OpsError::OtherChain { .. } => {
            "name the archive that belongs to this database with `--archive PATH`, or bring it here with \
             `greffe import FILE.car`"
                .to_owned()
        }
        OpsError::HeadLost { .. } => {
            "bring the newest copy back with `greffe import FILE.car`; an older one must not be continued"
                .to_owned()
        }
        OpsError::ClockBehind { .. } => {
            "set the clock of this machine, or wait until it has caught up".to_owned()
        }
        OpsError::NoSource(_) => "name a gateway or node with `--from URL`; an IPFS Cluster and a pinning service give no \
                                  blocks, the nodes behind them do"
            .to_owned(),
        OpsError::OutOfReach { .. } | OpsError::Nowhere(_) => "name another source with `--from URL`".to_owned(),
        OpsError::NotAHead(_) => "give the CID that `greffe head` prints".to_owned(),
        OpsError::UnnamedChain { shown, .. } => format!(
            "if you were told of this chain by somebody you trust, mirror it too with `--require {shown}`"
        ),
        OpsError::NameTaken { .. } => "mirror this chain into another folder with `--archive PATH`".to_owned(),
        OpsError::ImportNoHead { .. } => "give a file that `greffe export --out FILE.car` wrote".to_owned(),
        OpsError::NoWayDown { .. } => {
            "write a new migration that undoes it, and run `greffe apply`".to_owned()
        }
        OpsError::NotApplied(_) | OpsError::TooManySteps { .. } => {
            "run `greffe status` to see what is applied".to_owned()
        }
        OpsError::EvidenceDamaged { .. } => {
            "ask for the directory again, as `greffe evidence ENTRY --out DIR` writes it".to_owned()
        }
        OpsError::EvidenceFindings { .. }
        | OpsError::Tree { .. }
        | OpsError::HeadInconsistent { .. }
        | OpsError::Incomparable { .. } => {
            "run `greffe verify \"$(greffe head)\"` to see what is wrong".to_owned()
        }
        OpsError::NoEntry(..) | OpsError::NotInArchive(_) | OpsError::NoVersion(_) => {
            "run `greffe log` to see what there is".to_owned()
        }
        OpsError::UnknownVersion(_) | OpsError::CannotRepair { .. } => "run `greffe status`".to_owned(),
        OpsError::RoleExists { .. } => {
            "name another server with `--on URL`, or drop the role there if nothing uses it".to_owned()
        }
        OpsError::MakesRoles { .. } => "with `--on URL` name a role of PostgreSQL 16 or newer that may, and that runs \
                                        no other replay meanwhile: `CREATE ROLE replay LOGIN CREATEDB CREATEROLE`"
            .to_owned(),
        OpsError::Unpublishable { .. } => "mend what it comes from: `publish = \"sealed\"` below `[privacy]` for scripts, else the \
                                           setting or argument; what ran stays in the history, and the next run archives it"
            .to_owned(),
        OpsError::Vault(error) => return vault_hint(error),
        OpsError::Basis { member: "basis" } => {
            "write the article, such as `--basis art17.1.a`; `greffe retention run` erases what is due".to_owned()
        }
        OpsError::Basis { .. } => {
            "write a reference with a number and no name, such as `--request R-2026-0042`: at most one run of letters, digits, \
             and `.`, `-`, `_`, `/`; it is archived"
                .to_owned()
        }
        OpsError::Held { hold, .. } => format!("when it ends, run `greffe vault release {hold}`"),
        OpsError::AccessLost { path, .. } => format!(
            "bring {} back from its newest copy; where it is lost for good, begin another vault from a backup of this one: \
             `greffe vault export`, `greffe vault init --vault URL`, `greffe vault import`",
            path.display()
        ),
        OpsError::TooYoung { until, .. } => format!(
            "run it again from {} on; `vault.minimum` says how long things have to be kept",
            until.to_string().chars().take(10).collect::<String>()
        ),
        OpsError::NoAuthority => {
            "have its root in the trust document: `greffe init --authority ROOT.pem` for a new chain".to_owned()
        }
        OpsError::Unsigned => "run `greffe verify \"$(greffe head)\"` to see what is wrong".to_owned(),
        OpsError::NoRetention => "set `retention = \"10y\"` below `[vault]`".to_owned(),
        OpsError::Terms { member: "to" } => "write a recipient of age: `--to age1…`".to_owned(),
        OpsError::Terms { member: "until" } => "write a day to come: `--until 2027-01-31`".to_owned(),
        OpsError::Terms { .. } => "say why in one line of up to 200 signs, without a name: it is archived".to_owned(),
        OpsError::NothingSealed => "run `greffe log` to see which entries there are".to_owned(),
        OpsError::Grant { .. } => {
            "name your identity with `--identity FILE`, or ask for a new grant".to_owned()
        }
        OpsError::SealedHere { .. } => {
            "open it where the vault and its owner's key are, or ask for a grant".to_owned()
        }
        OpsError::SealedDiffers { .. } => "run `greffe verify \"$(greffe head)\" --open`".to_owned(),
        OpsError::Exists(path) => format!("choose another name, or move {} away", path.display()),
        OpsError::ImportFork { .. } | OpsError::ImportOtherChain { .. } => {
            "keep both files: two versions of one chain are evidence".to_owned()
        }
        _ => return None,
    })
}

fn vault_hint(error: &VaultError) -> Option<String> {
    Some(match error {
        VaultError::Missing(_) => {
            "restore it from its backup, name another with `--vault URL`, or make one with `greffe vault init`"
                .to_owned()
        }
        VaultError::Exists(_) => "use it as it is, or name another with `--vault URL`".to_owned(),
        VaultError::Url => "write it like `sqlite:greffe.vault.db` or `postgres://user@host/name`".to_owned(),
        VaultError::Owner(_) => "name the identity of the vault's owner with `--vault-key SOURCE`".to_owned(),
        VaultError::Damaged(_) => {
            "run `greffe vault import FILE` with its newest backup; a file that is no vault any more is moved away first, and \
             one made with `greffe vault init`"
                .to_owned()
        }
        VaultError::HoldExists(hold) => {
            format!("choose another name, or run `greffe vault release {hold}` first")
        }
        VaultError::Destroyed(_) => "what is sealed now needs another month: look at this machine's clock".to_owned(),
        VaultError::Backup(_) => "give a file that `greffe vault export` wrote, and its owner's identity".to_owned(),
        VaultError::BackupTooOld => "give the newest backup; keep older ones no longer than `vault.backup-retention`".to_owned(),
        VaultError::Erased(_) => "choose a new pseudonym and write it as `actor.pseudonym`".to_owned(),
        VaultError::BackupYetToCome(_) => {
            "look at this machine's clock; if it is right, the file is not one that `greffe vault export` wrote".to_owned()
        }
        VaultError::Database { .. } => {
            "look whether it can be reached, read and written, or name another with `--vault URL`".to_owned()
        }
    })
}

fn database_hint(error: &DatabaseError) -> Option<String> {
    Some(match error {
        DatabaseError::Missing(_) => {
            "run `greffe apply` to create it, or name another with `--database URL`".to_owned()
        }
        DatabaseError::Locked { .. } => {
            "wait for the other run, or wait longer with `--lock-wait 5m`".to_owned()
        }
        DatabaseError::Held { .. } => {
            "wait for that run, give `--lock-wait` more time, or end its session on the server".to_owned()
        }
        DatabaseError::LockLost(_) | DatabaseError::Lost(_) => {
            "run the command again: it looks at what was done before it goes on".to_owned()
        }
        DatabaseError::Interrupted { .. } => {
            "run `greffe status`: it says how to go on with a script that was cut short".to_owned()
        }
        DatabaseError::TooLong { .. } => {
            "split the script, or raise max_allowed_packet on the server".to_owned()
        }
        DatabaseError::TooPowerful { .. } => {
            "name a role that can only make databases: on PostgreSQL `CREATE ROLE replay LOGIN CREATEDB`, on MariaDB \
             and MySQL a user with ``GRANT ALL ON `greffe\\_replay\\_%`.*``"
                .to_owned()
        }
        DatabaseError::Administers { roles } => {
            format!("replay as a role that made none; if an earlier replay left them: {}", drop_roles(roles))
        }
        DatabaseError::PasswordChanged => {
            "give it another as an administrator, with `ALTER ROLE … PASSWORD`, before anyone else logs in".to_owned()
        }
        DatabaseError::TookTooLong { .. } => {
            "give scripts more time with `--statement-timeout 1h`, if they deserve it".to_owned()
        }
        DatabaseError::OtherReplay => {
            "run it again when the other one has ended, or name another role with `--on URL`".to_owned()
        }
        DatabaseError::RolesLeft { roles, .. } => {
            format!("look at what depends on them, then: {}", drop_roles(roles))
        }
        DatabaseError::NotEmpty => "name a database that has nothing in it".to_owned(),
        DatabaseError::RowDiffers { .. } => {
            "nothing was signed of it: find what changed greffe's own table, then run `greffe audit`".to_owned()
        }
        DatabaseError::HistoryDamaged { .. } => {
            "greffe's own table was changed by something else: restore it from a backup, then run `greffe audit`"
                .to_owned()
        }
        DatabaseError::Concurrent => "run the command again: it reads the history anew".to_owned(),
        DatabaseError::TransactionEnded => {
            "remove BEGIN, COMMIT and ROLLBACK from the script; `greffe status` shows what came of it"
                .to_owned()
        }
        DatabaseError::RowGone => {
            "restore the database from a backup: its history was written by a script".to_owned()
        }
        DatabaseError::LongText { table, .. } => {
            format!("no tool writes such a row: find out who wrote it, and take it out of {table}")
        }
        DatabaseError::Url(_) => "write it like `sqlite:app.db`, `postgres://user@host/name` or `mysql://user@host/name`; \
                                  a replay takes `--on` of the chain's own engine"
            .to_owned(),
        _ => return None,
    })
}

fn drop_roles(roles: &[String]) -> String {
    let roles: Vec<String> = roles.iter().map(|role| format!("\"{}\"", role.replace('"', "\"\""))).collect();
    format!("run `DROP ROLE {}`", roles.join(", "))
}

fn archive_hint(error: &ArchiveError) -> Option<String> {
    Some(match error {
        ArchiveError::NotFound { .. } => {
            "run `greffe init` to begin a chain, or `greffe import FILE.car`".to_owned()
        }
        ArchiveError::InUse { .. } => {
            "wait for the other run, or wait longer with `--lock-wait 5m`".to_owned()
        }
        ArchiveError::Exists { .. } => {
            "choose another name with `--name`, or another folder with `--archive`".to_owned()
        }
        ArchiveError::Damaged { path, .. } | ArchiveError::Corrupt { path, .. } => format!(
            "keep the file as evidence, run `greffe verify {}` to see what is damaged, and import a sound copy",
            path.display()
        ),
        ArchiveError::HeadMoved { .. } | ArchiveError::Poisoned { .. } => "run the command again".to_owned(),
        _ => return None,
    })
}

fn of_problems(problems: Vec<Problem>) -> CliError {
    let [first, rest @ ..] = problems.as_slice() else {
        return CliError::new(Exit::Findings, "something stands in the way");
    };
    let mut error = CliError::new(Exit::Findings, first.to_string());
    error.causes.extend(problem_details(first));
    for problem in rest {
        error.causes.push(format!("also: {problem}"));
        error.causes.extend(problem_details(problem));
    }
    error.hint = Some(problem_hint(first));
    error.problems = problems;
    error
}

/// What differs in a problem, both values.
pub fn problem_details(problem: &Problem) -> Vec<String> {
    match problem {
        Problem::Edited { archived, on_disk, .. } => {
            vec![format!("archived: sha256:{archived}"), format!("on disk:  sha256:{on_disk}")]
        }
        Problem::Drifted { expected, found } => {
            vec![format!("recorded: sha256:{expected}"), format!("found:    sha256:{found}")]
        }
        Problem::RowDiffers { history, archive, .. } => {
            let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".to_owned());
            vec![format!("archive: {}", shown(archive)), format!("history: {}", shown(history))]
        }
        Problem::NotInArchive { expected, found, .. } => {
            let found = found.map_or_else(|| "nothing".to_owned(), |found| found.to_string());
            vec![format!("archive: {found}"), format!("history: {expected}")]
        }
        Problem::OwnObject { expected, found, .. } => differing_lines(expected.as_deref(), found.as_deref()),
        _ => Vec::new(),
    }
}

/// Lines of one text alone, with `-` those of the first and with `+` those of the second; not more than a screen.
fn differing_lines(first: Option<&str>, second: Option<&str>) -> Vec<String> {
    const SHOWN: usize = 20;
    let [first, second] = [first, second].map(|text| text.unwrap_or_default().lines().collect::<Vec<_>>());
    let only = |sign: &str, some: &[&str], others: &[&str]| {
        let lines = some.iter().filter(|line| !others.contains(line));
        lines.map(|line| format!("{sign} {line}")).collect::<Vec<_>>()
    };
    let mut lines = only("-", &first, &second);
    lines.extend(only("+", &second, &first));
    let left_out = lines.len().saturating_sub(SHOWN);
    lines.truncate(SHOWN);
    lines.extend((left_out > 0).then(|| format!("and {left_out} more lines")));
    lines
}

/// What to do about a problem.
pub fn problem_hint(problem: &Problem) -> String {
    let shown = |seq: &Option<u64>| seq.map_or_else(|| "SEQ".to_owned(), |seq| seq.to_string());
    match problem {
        Problem::Edited { seq, version, .. } => format!(
            "add a new migration instead of editing this one; `greffe show {} --script` prints what ran, and \
             `greffe repair {version} --applied` records the edit",
            shown(seq)
        ),
        Problem::Cosmetic { seq, .. } => format!("`greffe show {} --script` prints what ran", shown(seq)),
        Problem::DownEdited { seq, .. } => {
            format!("`greffe show {} --json` names the archived way down", shown(seq))
        }
        Problem::Missing { seq, .. } => {
            format!("bring the script back: `greffe show {} --script` prints it", shown(seq))
        }
        Problem::OutOfOrder { .. } => {
            "give the script a higher version, or run `greffe apply --allow-out-of-order`".to_owned()
        }
        Problem::HalfApplied { version, .. } => format!(
            "look at the database, finish or undo the rest by hand, then run `greffe repair {version} --applied` or \
             `greffe repair {version} --rolled-back`"
        ),
        Problem::ToolDiffers { archive: false, .. } => {
            "run `greffe audit` to see what differs; `greffe record -- true` archives what the tool did, and \
             `greffe baseline` all that it did before greffe came"
                .to_owned()
        }
        Problem::ToolDiffers { .. } => {
            "run `greffe audit` to see what differs; `greffe record -- true` archives what the tool's table says now"
                .to_owned()
        }
        Problem::ToolFailed { version, .. } => format!(
            "look at the database, finish or undo the rest by hand, then run `greffe repair {version} --applied` or \
             `greffe repair {version} --rolled-back`; `greffe audit` says what differs"
        ),
        Problem::TransactionControl { .. } => {
            "remove BEGIN, COMMIT and ROLLBACK, or begin the script with the line `-- no-transaction`"
                .to_owned()
        }
        Problem::RefusedStatement { .. } => {
            "change the script as it says, then run `greffe status`".to_owned()
        }
        Problem::NotInArchive { .. } => {
            "name the archive that belongs to this database with `--archive PATH`, or bring it here with \
             `greffe import FILE.car`"
                .to_owned()
        }
        Problem::HistoryBehind { .. } => HISTORY_BEHIND.to_owned(),
        Problem::Secret { .. } => {
            "take the secret out of the script, and change it where it is in use: what ran once is in logs".to_owned()
        }
        Problem::Personal { rule, .. } => format!(
            "take it out of the script, or say why it stands there in the script's header: \
             `-- waiver: {rule} YYYY-MM-DD REASON`; the script is archived sealed then"
        ),
        Problem::ConfidentialName { .. } => "rename the script: names are not sealed everywhere".to_owned(),
        Problem::DataPublished { .. } => {
            "publish less: set `publish = \"schema\"` or `\"sealed\"` below `[privacy]`".to_owned()
        }
        Problem::OwnTable { .. } => {
            "take it out of the script; `greffe repair VERSION` records what a version counts as".to_owned()
        }
        Problem::Drifted { .. } => {
            "find out who changed the schema; `greffe audit --record` records it as a signed event, and without it \
             `greffe verify` reports it where it happened"
                .to_owned()
        }
        Problem::Comments { seq, .. } => format!("`greffe show {} --script` prints what ran", shown(seq)),
        Problem::NotAsRecorded { .. } => {
            "the history was changed by hand: `greffe log` lists what was signed; restore it from a backup"
                .to_owned()
        }
        Problem::Reordered { seq, .. } => format!(
            "`greffe show {seq} --json` says who applied it and when; where it was meant, run \
             `greffe audit --allow-out-of-order`"
        ),
        Problem::AppliedDiffers { seq, .. } => format!(
            "`greffe show {} --json` prints what was signed; restore the history from a backup where it was changed by \
             hand, or record the restored database with `greffe repair --restored`",
            shown(seq)
        ),
        Problem::RowDiffers { seq, .. } | Problem::RowTwice { seq, .. } | Problem::RowReordered { seq, .. } => {
            format!(
                "the history was changed by hand: `greffe show {seq} --json` prints what was signed; restore it from a \
                 backup"
            )
        }
        Problem::PositionGap { .. } => {
            "a row was removed by hand: `greffe log` lists what was signed; restore the history from a backup"
                .to_owned()
        }
        Problem::RowDamaged { .. } => {
            "the history was changed by hand: `greffe log` lists what was signed; restore it from a backup before the \
             next run"
                .to_owned()
        }
        Problem::NoRow { seq, .. } => format!(
            "its row was removed by hand: `greffe show {seq} --json` prints what was signed; restore the history from a \
             backup"
        ),
        Problem::OwnObject { .. } => "someone made or changed it by hand, and it may change what greffe writes: find out \
                                      who, then drop it, or restore greffe's tables from a backup"
            .to_owned(),
    }
}
