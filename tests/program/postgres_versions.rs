//! The tests of the program with PostgreSQL again, on each version that is named.

use crate::servers::Postgres;

#[test]
fn every_version_keeps_the_promises() {
    Postgres::on_each_version(
        &[
            "engines::postgres",
            "engines::audits::postgres",
            "engines::replays::postgres",
            "engines::together::postgres",
            "guard::kept",
            "guard::what_comes_through_greffe",
            "hostile_replay::postgres",
            "watch::noted",
        ],
        "engines::postgres::the_whole_story_is_told_verified_and_replayed",
    );
}
