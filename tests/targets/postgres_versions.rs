//! The tests of PostgreSQL's adapter again, on each version that is named.

use crate::servers::Postgres;

#[test]
fn every_version_keeps_the_contract() {
    Postgres::on_each_version(
        &["contract::on_postgres::", "postgres::", "postgres_fingerprint::", "postgres_told::"],
        "contract::on_postgres::script_and_row",
    );
}
