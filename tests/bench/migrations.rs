//! Small migrations that SQLite and PostgreSQL both read.

use std::fs;
use std::path::Path;

/// Five migrations each.
pub const TABLES: usize = 100;

/// One CREATE TABLE, two ALTER TABLE and two CREATE INDEX for each table.
pub fn write_migrations(folder: &Path) {
    fs::create_dir(folder).expect("a folder");
    for table in 0..TABLES {
        let scripts = [
            format!(
                "CREATE TABLE table_{table} (\n    id INTEGER PRIMARY KEY,\n    name TEXT NOT NULL,\n    \
                 created_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP\n);\n"
            ),
            format!("ALTER TABLE table_{table} ADD COLUMN email TEXT;\n"),
            format!("ALTER TABLE table_{table} ADD COLUMN amount INTEGER NOT NULL DEFAULT 0;\n"),
            format!("CREATE INDEX table_{table}_name ON table_{table} (name);\n"),
            format!("CREATE INDEX table_{table}_email ON table_{table} (email, amount);\n"),
        ];
        for (step, script) in scripts.iter().enumerate() {
            let version = 20_260_101_000_000 + table * 5 + step;
            fs::write(folder.join(format!("{version}_table_{table}_{step}.sql")), script).expect("a script");
        }
    }
}
