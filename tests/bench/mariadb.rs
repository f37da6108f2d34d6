//! What the fingerprint of a MariaDB schema costs.

mod measure;
#[allow(dead_code, unused_imports, reason = "benchmarks use a part")]
#[path = "../program/servers/mod.rs"]
mod servers;
#[allow(dead_code, reason = "benchmarks use a part")]
#[path = "../program/tools.rs"]
mod tools;

use greffe::database::{Access, Database, Options, Target as _};
use measure::{alternate, at_most, headline};
use servers::MariaDb;

const ROUNDS: usize = 5;

fn main() {
    headline("mariadb: the fingerprint of 2,000 tables with 20,000 columns");
    let database = MariaDb::shared().database("many");
    let columns: String =
        (0..9).map(|column| format!(", c{column} varchar(40) NOT NULL DEFAULT ''")).collect();
    let table = |table: usize| format!("CREATE TABLE t{table} (id int PRIMARY KEY{columns}, KEY (c1));\n");
    database.sql(&(0..2000).map(table).collect::<String>());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let [read] = alternate(
        ROUNDS,
        [&mut || {
            runtime.block_on(async {
                let opened = Database::open(&database.url(), Options::new(Access::Read)).await;
                let mut target = opened.expect("a database");
                let begin = std::time::Instant::now();
                target.fingerprint().await.expect("a fingerprint");
                let took = begin.elapsed();
                target.close().await;
                took
            })
        }],
    );
    at_most("fingerprint", read.median(), 1.0, " s");
}
