//! The command that mends an error, by what went wrong.

use crate::chain::RestoreError;
use crate::database::DatabaseError;
use crate::database::guard::GuardError;
use crate::ops::OpsError;
use crate::ops::hooks::HooksError;
use crate::ops::promotion::PromotionError;
use crate::scripts::FolderError;
use crate::scripts::tools::plain::{PLAIN, PlainError};
use crate::store::{ArchiveError, ReadError, WriteError};
use crate::vault::VaultError;

/// Where the archive knows more than the database.
pub const HISTORY_BEHIND: &str = "the database was restored from an older backup, or is another one: restore its newest \
                              backup, record what it lost with `greffe repair --restored`, or name the archive that \
                              belongs to it with `--archive PATH`";

pub fn hint(error: &OpsError) -> Option<String> {
    Some(match error {
        OpsError::Key(unavailable) | OpsError::OwnerKey(unavailable) => unavailable.hint.clone(),
        OpsError::Clearance(error) => super::clearance::hint(error).to_owned(),
        OpsError::Promotion(error) => promotion_hint(error).to_owned(),
        OpsError::NotAPlan(_) => "run `greffe log` to see which entries are plans".to_owned(),
        OpsError::Hooks(HooksError::Folder { .. }) => {
            "make the folder, or name another with `--hooks-folder PATH`".to_owned()
        }
        OpsError::Hooks(HooksError::Wrong { .. }) => {
            "rename them, or set them aside with a `_` before the name; `greffe hooks list --events` has all events".to_owned()
        }
        OpsError::Denied(denied) => {
            format!("the hook is in {}; `greffe hooks list` has all that are asked", denied.folder.display())
        }
        OpsError::TooManyAnswers(_) => "apply in parts: `greffe apply --to VERSION`".to_owned(),
        OpsError::NothingToPlan => "run `greffe status` to see what is applied".to_owned(),
        OpsError::Folder(FolderError::Missing { .. }) => {
            "create the folder, or name another with `--migrations PATH`".to_owned()
        }
        OpsError::Plain(PlainError::Tool(_)) => {
            format!("run `greffe record -- COMMAND` with the tool's own command; greffe applies for {}", PLAIN.join(", "))
        }
        OpsError::Plain(_) => {
            "change the script, or let the tool run it: `greffe record -- COMMAND`".to_owned()
        }
        OpsError::Policy(_) => {
            "mend the pack or `[policy]` in greffe.toml; `greffe policy list` shows the packs, docs/policy.md explains them"
                .to_owned()
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
            "sign with keys that the trust document lists as signers: name one with `--key SOURCE`, and where several \
             have to sign the others as `key.also` or with `--key-also SOURCE`"
                .to_owned()
        }
        OpsError::Append(crate::chain::AppendError::SignsNoHead { .. }) => {
            "the first key signs the head: name one that the trust document lists as signer as `key.source` or with \
             `--key SOURCE` (`greffe trust show` lists them)"
                .to_owned()
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
        OpsError::NoRelease(_) => {
            "run `greffe log --json` to see `run.ci` of each entry, or name entries with `--since-seq` and `--until-seq`"
                .to_owned()
        }
        OpsError::NoThread(_) => "allow more memory or threads: `ulimit -v`, `ulimit -u`".to_owned(),
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

pub fn vault_hint(error: &VaultError) -> Option<String> {
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

pub fn database_hint(error: &DatabaseError) -> Option<String> {
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
        DatabaseError::Guard(error) => return guard_hint(error),
        DatabaseError::LongText { table, .. } => {
            format!("no tool writes such a row: find out who wrote it, and take it out of {table}")
        }
        DatabaseError::Url(_) => "write it like `sqlite:app.db`, `postgres://user@host/name` or `mysql://user@host/name`; \
                                  a replay takes `--on` of the chain's own engine"
            .to_owned(),
        _ => return None,
    })
}

fn guard_hint(error: &GuardError) -> Option<String> {
    Some(match error {
        GuardError::Engine => {
            "`greffe audit` and `greffe verify --live` find what was changed when they are run; \
                               run them often, and `greffe audit --record` signs what they found"
                .to_owned()
        }
        GuardError::Rights { role, .. } => format!(
            "have an administrator run what `greffe guard install --print-sql --reader {role}` prints, or name a role that \
             has these rights with `--database URL`"
        ),
        GuardError::Standby => "name the primary server with `--database URL`".to_owned(),
        GuardError::Foreign { what, .. } => {
            format!("look who made {what}, have an administrator drop it, and install again")
        }
        GuardError::Failed(_) => return None,
    })
}

fn drop_roles(roles: &[String]) -> String {
    let roles: Vec<String> = roles.iter().map(|role| format!("\"{}\"", role.replace('"', "\"\""))).collect();
    format!("run `DROP ROLE {}`", roles.join(", "))
}

pub fn archive_hint(error: &ArchiveError) -> Option<String> {
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

const fn promotion_hint(error: &PromotionError) -> &'static str {
    match error {
        PromotionError::NotAtHand { .. } => {
            "bring it here with `greffe import FILE.car` or `greffe mirror CID --from URL`, or name a file of it with \
             `--promotion-file FILE.car`"
        }
        PromotionError::OwnChain { .. } => "name the chain of staging in `promotion.from`",
        PromotionError::NotVerified { .. } => {
            "run `greffe verify` on that chain to see what is wrong with it"
        }
        PromotionError::NotApplied { .. } => {
            "apply it on staging, and bring the newest archive of staging here"
        }
        PromotionError::HalfUndone { .. } => {
            "mend staging with `greffe repair VERSION --rolled-back`, apply it there again, and bring that archive here"
        }
        PromotionError::NotReplayed { .. } => "run `greffe replay` on that chain to see where it stops",
        PromotionError::NotRolledBack { .. } => {
            "roll it back on staging and apply it again, then bring that archive here"
        }
        PromotionError::Differs { .. } | PromotionError::Unknown { .. } => {
            "apply on staging what is to run here: a script is promoted as it is, or not at all"
        }
        PromotionError::Sealed { .. } => {
            "let both projects use one vault, or archive what is schema only in clear on staging: `publish = \"schema\"`"
        }
    }
}
