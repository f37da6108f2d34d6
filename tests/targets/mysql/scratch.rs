//! Databases for replay.

use greffe::database::mysql::Mysql;
use greffe::database::{DatabaseError, Target};

use super::steps::{READ, WRITE, apply, database};

#[tokio::test]
async fn a_scratch_database_is_made_used_and_dropped() {
    let database = database("scratch");
    database.sql("ALTER DATABASE CHARACTER SET latin1 COLLATE latin1_bin");
    let mighty = database.url_as(database.administrator());
    let refused = Mysql::create_scratch(&mighty, WRITE).await;
    assert!(matches!(refused, Err(DatabaseError::TooPowerful { .. })));
    let url = database.url_as(&database.replayer());
    let mut scratch = Mysql::create_scratch(&url, WRITE).await.unwrap();
    scratch.prepare().await.unwrap();
    assert!(scratch.is_empty().await.unwrap());
    apply(&mut scratch, "1", "CREATE TABLE t AS SELECT DATABASE() AS name, @@collation_database AS c;\n")
        .await;
    assert!(!scratch.is_empty().await.unwrap());
    let names =
        "SELECT SCHEMA_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME LIKE 'greffe\\_replay\\_%'";
    let name = database.sql_as(database.administrator(), names).unwrap();
    assert_eq!(name.len(), "greffe_replay_".len() + 16);
    let seen = database.sql_as(database.administrator(), &format!("SELECT name, c FROM {name}.t")).unwrap();
    assert_eq!(seen, format!("{name}|latin1_bin"));
    assert_eq!(database.sql("SHOW TABLES"), "");
    scratch.drop_scratch().await.unwrap();
    assert_eq!(database.sql_as(database.administrator(), names).unwrap(), "");
}

#[tokio::test]
async fn only_what_greffe_made_is_dropped() {
    let database = database("kept");
    let target = Mysql::open(&database.url(), WRITE).await.unwrap();
    assert!(target.drop_scratch().await.is_err());
    assert!(Mysql::create_scratch(&database.url(), WRITE).await.is_err(), "the user may not");
    let mut target = Mysql::open(&database.url(), READ).await.unwrap();
    assert!(target.is_empty().await.unwrap());
    database.sql("CREATE PROCEDURE p() DO 1");
    assert!(!target.is_empty().await.unwrap());
}
