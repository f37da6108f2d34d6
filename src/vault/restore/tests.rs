use super::*;
use crate::codec::sealed::{ContentKeys as _, Found};
use crate::crypto::ContentKey;
use crate::model::{Codec, ContentKeyId, EventId, Role};
use crate::vault::{AgeOwner, Batch, Hold, NewKey, Person, owner};

const DAY: i64 = 86_400_000_000;

fn at(days: i64) -> Timestamp {
    Timestamp::from_microseconds(1_790_000_000_000_000 + days * DAY).unwrap()
}

fn chain() -> Cid {
    Cid::of(Codec::DagCbor, b"chain")
}

/// A folder for vaults of one owner.
struct Ground {
    folder: tempfile::TempDir,
    identity: zeroize::Zeroizing<String>,
}

impl Ground {
    fn new() -> Self {
        let identity = AgeOwner::generate().encode(None).unwrap();
        Self { folder: tempfile::tempdir().unwrap(), identity }
    }

    fn owner(&self) -> AgeOwner {
        AgeOwner::parse(self.identity.as_bytes(), None).unwrap()
    }

    fn url(&self, name: &str) -> String {
        format!("sqlite:{}", self.folder.path().join(name).display())
    }

    async fn vault(&self, name: &str) -> Vault {
        Vault::create(&self.url(name), name, &self.owner().recipient(), at(0)).await.unwrap()
    }

    async fn finds(&self, vault: &mut Vault, kid: &ContentKeyId) -> Found {
        vault.keyring(&chain(), Box::new(self.owner())).await.unwrap().find(kid)
    }
}

/// What a chain says of itself when it says nothing.
#[derive(Default)]
struct Said {
    erased: HashSet<String>,
    forgotten: BTreeSet<Pseudonym>,
}

impl Said {
    async fn restore(
        &self,
        ground: &Ground,
        vault: &mut Vault,
        backup: &[u8],
        oldest: Timestamp,
    ) -> Result<Restored, VaultError> {
        let chain = chain();
        let (erased, forgotten) = (&self.erased, &self.forgotten);
        let wanted = Wanted { chain: &chain, erased, forgotten, oldest, now: at(3) };
        vault.restore(backup, &ground.owner(), &wanted).await
    }
}

async fn seal(vault: &mut Vault, batch: &Batch, name: &[u8], who: Pseudonym) -> (ContentKeyId, Cid) {
    let (kid, cid) = (ContentKeyId::generate(), Cid::of(Codec::Raw, name));
    let key = NewKey {
        kid,
        key: ContentKey::generate(),
        event: EventId::generate(at(0)),
        pseudonym: who,
        role: Role::Up,
        file: "0.sealed".to_owned(),
        cid,
        sealed_at: at(0),
    };
    vault.keep(batch, &[key]).await.unwrap();
    (kid, cid)
}

fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
}

async fn execute(vault: &mut Vault, sql: &'static str) {
    let Connection::Sqlite(connection) = &mut vault.connection else { panic!("SQLite") };
    sqlx::query(sql).execute(connection).await.unwrap();
}

async fn text(vault: &mut Vault, sql: &'static str) -> String {
    let Connection::Sqlite(connection) = &mut vault.connection else { panic!("SQLite") };
    let rows: Vec<(String,)> = sqlx::query_as(sql).fetch_all(connection).await.unwrap();
    rows.into_iter().map(|(text,)| text).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_backup_brings_keys_back_but_none_that_was_destroyed() {
    run(async {
        let (ground, said, who) = (Ground::new(), Said::default(), Pseudonym::generate());
        let mut first = ground.vault("a.db").await;
        let batch = first.begin_batch(chain(), at(0)).await.unwrap();
        let (kept, _) = seal(&mut first, &batch, b"one", who).await;
        let (gone, cid) = seal(&mut first, &batch, b"two", who).await;
        let backup = first.backup(at(1)).await.unwrap();
        assert_eq!(first.last_backup().await.unwrap(), Some(at(1)));
        first.destroy(&chain(), &[cid.to_string()], at(2)).await.unwrap();
        assert_eq!(said.restore(&ground, &mut first, &backup, at(0)).await.unwrap(), Restored::default());
        assert!(matches!(ground.finds(&mut first, &kept).await, Found::Key(_)));
        assert!(matches!(ground.finds(&mut first, &gone).await, Found::Gone));
        // Elsewhere, where nobody knows of the erasure, the backup must not be too old.
        let mut other = ground.vault("b.db").await;
        let refused = said.restore(&ground, &mut other, &backup, at(2)).await;
        assert!(matches!(refused, Err(VaultError::BackupTooOld)));
        assert_eq!(said.restore(&ground, &mut other, &backup, at(1)).await.unwrap().keys, 2);
        assert_eq!(other.last_backup().await.unwrap(), Some(at(1)), "an erasure waits for this backup too");
        // Nobody else's backup is taken, nor for anybody else.
        let stranger = Ground::new();
        assert!(said.restore(&stranger, &mut other, &backup, at(0)).await.is_err());
        let mut third = stranger.vault("c.db").await;
        assert!(said.restore(&ground, &mut third, &backup, at(0)).await.is_err());
        assert!(said.restore(&stranger, &mut third, b"no age file", at(0)).await.is_err());
    });
}

#[test]
fn a_backup_brings_nothing_back_that_the_chain_says_to_be_gone() {
    run(async {
        let (ground, who, other) = (Ground::new(), Pseudonym::generate(), Pseudonym::generate());
        let mut first = ground.vault("a.db").await;
        let batch = first.begin_batch(chain(), at(0)).await.unwrap();
        let (kept, _) = seal(&mut first, &batch, b"one", who).await;
        let (gone, cid) = seal(&mut first, &batch, b"two", who).await;
        let elsewhere = first.begin_batch(Cid::of(Codec::DagCbor, b"other"), at(0)).await.unwrap();
        let (foreign, _) = seal(&mut first, &elsewhere, b"three", other).await;
        first.name_person(&who, "Jeanne").await.unwrap();
        first.name_person(&other, "Marie").await.unwrap();
        let backup = first.backup(at(1)).await.unwrap();
        let said = Said { erased: [cid.to_string()].into(), forgotten: [who].into() };
        // Also where the keys are still there, or there again.
        let mut lost = ground.vault("b.db").await;
        for vault in [&mut first, &mut lost] {
            let restored = said.restore(&ground, vault, &backup, at(0)).await.unwrap();
            assert_eq!(restored.elsewhere, 1);
            assert!(matches!(ground.finds(vault, &kept).await, Found::Key(_)));
            assert!(matches!(ground.finds(vault, &gone).await, Found::Gone));
            assert_eq!(vault.person(&who, &ground.owner()).await.unwrap(), Person::Erased);
            assert!(matches!(vault.name_person(&who, "Jeanne").await, Err(VaultError::Erased(_))));
        }
        assert_eq!(lost.person(&other, &ground.owner()).await.unwrap(), Person::Unknown);
        assert_eq!(text(&mut lost, "SELECT hex(kid) FROM vault_content_key").await.lines().count(), 2);
        assert!(matches!(ground.finds(&mut lost, &foreign).await, Found::Gone));
    });
}

#[test]
fn a_month_that_has_another_key_by_now_gets_its_old_files_back() {
    run(async {
        let (ground, said, who) = (Ground::new(), Said::default(), Pseudonym::generate());
        let mut first = ground.vault("a.db").await;
        let batch = first.begin_batch(chain(), at(0)).await.unwrap();
        let (old, _) = seal(&mut first, &batch, b"one", who).await;
        let backup = first.backup(at(1)).await.unwrap();
        let mut second = ground.vault("b.db").await;
        let batch = second.begin_batch(chain(), at(0)).await.unwrap();
        let (new, _) = seal(&mut second, &batch, b"two", who).await;
        for came in [1, 0] {
            let restored = said.restore(&ground, &mut second, &backup, at(0)).await.unwrap();
            assert_eq!((restored.keys, restored.unusable), (came, 0));
            for kid in [&old, &new] {
                assert!(matches!(ground.finds(&mut second, kid).await, Found::Key(_)));
            }
        }
        // What was restored into such a month before by a version that did not look is mended.
        execute(&mut second, "UPDATE vault_batch SET wrapped = x'00'").await;
        assert!(matches!(ground.finds(&mut second, &old).await, Found::Damaged));
        assert_eq!(said.restore(&ground, &mut second, &backup, at(0)).await.unwrap().unusable, 0);
        assert!(matches!(ground.finds(&mut second, &old).await, Found::Key(_)));
        assert!(matches!(ground.finds(&mut second, &new).await, Found::Damaged));
    });
}

#[test]
fn a_backup_mends_what_was_overwritten() {
    run(async {
        let (ground, said, who) = (Ground::new(), Said::default(), Pseudonym::generate());
        let mut vault = ground.vault("a.db").await;
        let batch = vault.begin_batch(chain(), at(0)).await.unwrap();
        let (kid, _) = seal(&mut vault, &batch, b"one", who).await;
        let backup = vault.backup(at(1)).await.unwrap();
        for sql in [
            "UPDATE vault_period SET identity = x'00'",
            "UPDATE vault_content_key SET wrapped = x'00'",
            "DELETE FROM vault_content_key",
        ] {
            execute(&mut vault, sql).await;
            assert!(!matches!(ground.finds(&mut vault, &kid).await, Found::Key(_)), "{sql}");
            said.restore(&ground, &mut vault, &backup, at(0)).await.unwrap();
            assert!(matches!(ground.finds(&mut vault, &kid).await, Found::Key(_)), "{sql}");
        }
    });
}

/// Writes a backup of one's own making, which everybody can who knows the owner's public key.
fn forged(ground: &Ground, backup: &[u8], change: impl FnOnce(&mut serde_json::Value)) -> Vec<u8> {
    let mut contents = serde_json::from_slice(&ground.owner().unwrap(backup).unwrap()).unwrap();
    change(&mut contents);
    owner::wrap(&ground.owner().recipient(), &serde_json::to_vec(&contents).unwrap()).unwrap()
}

#[test]
fn a_backup_that_somebody_made_up_seals_nothing_for_them() {
    run(async {
        let (ground, said, who) = (Ground::new(), Said::default(), Pseudonym::generate());
        let mut first = ground.vault("a.db").await;
        let batch = first.begin_batch(chain(), at(0)).await.unwrap();
        seal(&mut first, &batch, b"one", who).await;
        let backup = first.backup(at(1)).await.unwrap();
        let thief = AgeOwner::generate();
        let identity = owner::wrap(first.recipient(), thief.encode(None).unwrap().as_bytes()).unwrap();
        let month = |period: &str, recipient: &str| {
            let identity = data_encoding::BASE64.encode(&identity);
            serde_json::json!({"chain": chain(), "period": period, "recipient": recipient,
                "identity": identity, "destroyed_at": null})
        };
        let mut second = ground.vault("b.db").await;
        let other = AgeOwner::generate().recipient();
        let planted = forged(&ground, &backup, |all| {
            all["periods"].as_array_mut().unwrap().push(month("2026-12", &other));
        });
        let refused = said.restore(&ground, &mut second, &planted, at(0)).await;
        assert!(matches!(refused, Err(VaultError::Backup(_))));
        let planted = forged(&ground, &backup, |all| {
            all["periods"].as_array_mut().unwrap().push(month("2026-12", &thief.recipient()));
        });
        said.restore(&ground, &mut second, &planted, at(0)).await.unwrap();
        assert!(!text(&mut second, "SELECT recipient FROM vault_period").await.contains(&thief.recipient()));
        let late = at(4).as_microseconds();
        let planted = forged(&ground, &backup, |all| all["made_at"] = late.into());
        let refused = said.restore(&ground, &mut second, &planted, at(0)).await;
        assert!(matches!(refused, Err(VaultError::BackupYetToCome(_))));
        let planted = forged(&ground, &backup, |all| all["periods"] = serde_json::json!([]));
        let refused = said.restore(&ground, &mut second, &planted, at(0)).await;
        assert!(matches!(refused, Err(VaultError::Backup(_))));
    });
}

#[test]
fn holds_that_were_released_stay_so_and_each_chain_has_its_own() {
    run(async {
        let (ground, said) = (Ground::new(), Said::default());
        let mut vault = ground.vault("a.db").await;
        let hold = |placed_at| Hold {
            hold: "case".to_owned(),
            event: None,
            reason: "lawsuit".to_owned(),
            placed_at,
        };
        vault.place_hold(&chain(), &hold(at(0))).await.unwrap();
        vault.place_hold(&Cid::of(Codec::DagCbor, b"other"), &hold(at(0))).await.unwrap();
        let again = vault.place_hold(&chain(), &hold(at(0))).await;
        assert!(matches!(again, Err(VaultError::HoldExists(name)) if name == "case"));
        let backup = vault.backup(at(1)).await.unwrap();
        assert!(vault.release_hold(&chain(), "case", at(2)).await.unwrap());
        assert!(!vault.release_hold(&chain(), "case", at(2)).await.unwrap());
        assert!(said.restore(&ground, &mut vault, &backup, at(0)).await.unwrap().holds.is_empty());
        assert!(vault.holds(&chain()).await.unwrap().is_empty());
        let mut other = ground.vault("b.db").await;
        assert_eq!(said.restore(&ground, &mut other, &backup, at(0)).await.unwrap().holds, ["case"]);
        vault.place_hold(&chain(), &hold(at(2))).await.unwrap();
        assert_eq!(vault.holds(&chain()).await.unwrap(), [hold(at(2))]);
    });
}

#[test]
fn a_month_that_is_destroyed_opens_nothing_and_takes_nothing() {
    run(async {
        let (ground, said, who) = (Ground::new(), Said::default(), Pseudonym::generate());
        let mut vault = ground.vault("a.db").await;
        let batch = vault.begin_batch(chain(), at(0)).await.unwrap();
        let (kid, _) = seal(&mut vault, &batch, b"one", who).await;
        let backup = vault.backup(at(1)).await.unwrap();
        let months = vault.periods(&chain()).await.unwrap();
        vault.destroy_period(&chain(), &months[0], at(400)).await.unwrap();
        assert_eq!(said.restore(&ground, &mut vault, &backup, at(0)).await.unwrap().keys, 0);
        assert!(matches!(ground.finds(&mut vault, &kid).await, Found::Gone));
        assert!(matches!(vault.begin_batch(chain(), at(0)).await, Err(VaultError::Destroyed(_))));
        assert!(vault.begin_batch(chain(), at(400)).await.is_ok());
        // A backup of a vault whose month is destroyed says so elsewhere too.
        let backup = vault.backup(at(2)).await.unwrap();
        let mut other = ground.vault("b.db").await;
        assert_eq!(said.restore(&ground, &mut other, &backup, at(0)).await.unwrap(), Restored::default());
        assert!(matches!(other.begin_batch(chain(), at(0)).await, Err(VaultError::Destroyed(_))));
        assert!(matches!(ground.finds(&mut other, &kid).await, Found::Gone));
    });
}

#[test]
fn keys_are_found_by_their_file_without_reading_all_others() {
    run(async {
        let ground = Ground::new();
        let mut vault = ground.vault("a.db").await;
        let Connection::Sqlite(connection) = &mut vault.connection else { panic!("SQLite") };
        let plan: Vec<(i64, i64, i64, String)> = sqlx::query_as(
            "EXPLAIN QUERY PLAN UPDATE vault_content_key SET wrapped = NULL, destroyed_at = 1 \
             WHERE chain = 'c' AND cid = 'f' AND wrapped IS NOT NULL",
        )
        .fetch_all(connection)
        .await
        .unwrap();
        assert!(plan.iter().any(|(.., step)| step.contains("vault_content_key_cid")), "{plan:?}");
    });
}

#[test]
fn a_vault_of_the_first_version_is_brought_up_to_date_with_all_that_is_in_it() {
    run(async {
        let (ground, said) = (Ground::new(), Said::default());
        let mut vault = ground.vault("a.db").await;
        let batch = vault.begin_batch(chain(), at(0)).await.unwrap();
        let (kid, _) = seal(&mut vault, &batch, b"one", Pseudonym::generate()).await;
        let backup = vault.backup(at(1)).await.unwrap();
        // As the first version left it.
        let down = include_str!("../../../migrations/vault/sqlite/20261123000007_holds.down.sql");
        for sql in down.split(";\n").filter(|sql| !sql.trim().is_empty()) {
            execute(&mut vault, sql).await;
        }
        execute(&mut vault, "DELETE FROM vault_migrations WHERE version = 20261123000007").await;
        execute(&mut vault, "INSERT INTO vault_hold VALUES ('case', 'c', NULL, 'lawsuit', 0)").await;
        vault.close().await;
        let mut vault = Vault::open(&ground.url("a.db"), "a.db").await.unwrap();
        assert!(matches!(ground.finds(&mut vault, &kid).await, Found::Key(_)));
        assert_eq!(text(&mut vault, "SELECT hold FROM vault_hold WHERE released_at IS NULL").await, "case");
        assert_eq!(text(&mut vault, "SELECT 'broken' FROM pragma_foreign_key_check").await, "");
        // So is its backup, which knew neither of other backups nor of released holds.
        let old = forged(&ground, &backup, |all| {
            all["backup"] = 1.into();
            all.as_object_mut().unwrap().remove("backups");
        });
        let mut other = ground.vault("b.db").await;
        assert_eq!(said.restore(&ground, &mut other, &old, at(0)).await.unwrap().keys, 1);
        assert_eq!(other.last_backup().await.unwrap(), Some(at(1)));
        let later = forged(&ground, &backup, |all| all["backup"] = 3.into());
        assert!(said.restore(&ground, &mut other, &later, at(0)).await.is_err());
    });
}

#[test]
fn a_database_of_something_else_is_not_touched() {
    run(async {
        let ground = Ground::new();
        let path = ground.folder.path().join("app.db");
        std::fs::write(&path, []).unwrap();
        for _ in 0..2 {
            let before = std::fs::read(&path).unwrap();
            assert!(matches!(
                Vault::open(&ground.url("app.db"), "app.db").await,
                Err(VaultError::Missing(_))
            ));
            assert_eq!(std::fs::read(&path).unwrap(), before);
            let mut vault = ground.vault("other.db").await;
            execute(&mut vault, "ALTER TABLE vault_migrations RENAME TO migrations").await;
            vault.close().await;
            std::fs::rename(ground.folder.path().join("other.db"), &path).unwrap();
        }
        std::fs::write(&path, [b'x'; 4096]).unwrap();
        assert!(matches!(Vault::open(&ground.url("app.db"), "app.db").await, Err(VaultError::Damaged(_))));
    });
}
