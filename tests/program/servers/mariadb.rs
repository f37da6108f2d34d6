//! MariaDB, from Debian's package or from the folder that `GREFFE_TEST_MARIADB_BIN` names; MySQL, which Debian
//! does not have, from the folder that `GREFFE_TEST_MYSQL_BIN` names.

use std::io::Read;
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use super::process::Home;
use super::{Dump, Engine, Login, Programs, Server};

/// MariaDB.
pub struct MariaDb;

/// MySQL.
pub struct MySql;

impl MariaDb {
    /// The server of this test process.
    pub fn shared() -> &'static Server {
        static SHARED: OnceLock<Server> = OnceLock::new();
        SHARED.get_or_init(Self::own)
    }

    /// A server for one test.
    pub fn own() -> Server {
        let debian = || ["/usr/sbin", "/usr/bin"].map(PathBuf::from).to_vec();
        let names = ["mariadbd", "mariadb", "mariadb-dump"];
        Server::start(Family { programs: Programs::of("GREFFE_TEST_MARIADB_BIN", debian), names })
    }
}

impl MySql {
    /// The server of this test process, where a developer has named one.
    pub fn shared() -> Option<&'static Server> {
        static SHARED: OnceLock<Option<Server>> = OnceLock::new();
        SHARED.get_or_init(Self::own).as_ref()
    }

    /// A server for one test, where a developer has named one.
    pub fn own() -> Option<Server> {
        let variable = "GREFFE_TEST_MYSQL_BIN";
        std::env::var_os(variable)?;
        let programs = Programs::of(variable, Vec::new);
        Some(Server::start(Family { programs, names: ["mysqld", "mysql", "mysqldump"] }))
    }
}

/// What both have in common, which is nearly all.
struct Family {
    programs: Programs,
    /// Server, client, and program for dumps.
    names: [&'static str; 3],
}

impl Family {
    fn is_mysql(&self) -> bool {
        self.names[0] == "mysqld"
    }

    fn client(&self, name: &str, port: u16, login: &Login) -> Command {
        let mut command = self.programs.client(name);
        // Settings of the developer's own would be read without the first option, which has to be the first.
        command.args([
            "--no-defaults",
            "--host=127.0.0.1",
            "--protocol=tcp",
            "--default-character-set=utf8mb4",
        ]);
        command.args([format!("--port={port}"), format!("--user={}", login.user)]);
        command.env("MYSQL_PWD", &login.password);
        command
    }
}

impl Engine for Family {
    fn scheme(&self) -> &'static str {
        "mysql"
    }

    fn account(&self) -> &'static str {
        "mysql"
    }

    fn signal(&self) -> &'static str {
        "KILL"
    }

    fn administrator(&self) -> &'static str {
        "root"
    }

    /// The server reads statements before it takes connections, so that there is no time without a password.
    fn initialise(&self, home: &Home, administrator: &Login, user: &Login) {
        let text = format!(
            "ALTER USER {}@localhost IDENTIFIED BY '{}';\nCREATE USER IF NOT EXISTS {}@localhost IDENTIFIED BY '{}';\n",
            administrator.user, administrator.password, user.user, user.password
        );
        home.write("users.sql", &text);
        let mut options = vec!["--no-defaults".to_owned()];
        options.push(format!("--datadir={}", home.path("data").display()));
        // A server that starts removes what it takes for leftovers of its own in the folder for temporary files.
        options.push(format!("--tmpdir={}", home.path("").display()));
        if self.is_mysql() {
            options.push("--initialize-insecure".to_owned());
            home.run(&self.programs.path("mysqld"), &options, "");
        } else {
            options.extend(["--skip-test-db", "--auth-root-authentication-method=normal"].map(str::to_owned));
            options.push(SMALL_LOG.to_owned());
            home.run(&self.programs.path("mariadb-install-db"), &options, "");
        }
    }

    fn server(&self, home: &Home, port: u16) -> (PathBuf, Vec<String>) {
        let mut arguments = vec![
            "--no-defaults".to_owned(),
            format!("--datadir={}", home.path("data").display()),
            format!("--tmpdir={}", home.path("").display()),
            format!("--socket={}", home.path("socket").display()),
            format!("--pid-file={}", home.path("server.pid").display()),
            format!("--init-file={}", home.path("users.sql").display()),
            format!("--port={port}"),
            "--bind-address=127.0.0.1".to_owned(),
            "--max-connections=60".to_owned(),
            "--innodb-buffer-pool-size=24M".to_owned(),
            "--key-buffer-size=1M".to_owned(),
        ];
        if self.is_mysql() {
            arguments.push("--mysqlx=OFF".to_owned());
        } else {
            arguments.extend([SMALL_LOG, "--aria-pagecache-buffer-size=8M"].map(str::to_owned));
        }
        (self.programs.path(self.names[0]), arguments)
    }

    /// A server that is ready speaks first.
    fn is_ready(&self, _home: &Home, port: u16, _pid: u32) -> bool {
        let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return false };
        stream.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
        stream.read_exact(&mut [0]).is_ok()
    }

    fn first_database(&self) -> &'static str {
        "mysql"
    }

    fn create_database(&self, database: &str, owner: &str) -> String {
        // The name in a grant is a pattern.
        let pattern = database.replace('\\', "\\\\").replace('_', "\\_").replace('%', "\\%");
        format!(
            "CREATE DATABASE {} CHARACTER SET utf8mb4; GRANT ALL ON {}.* TO {owner}@localhost;",
            quoted(database),
            quoted(&pattern)
        )
    }

    fn drop_database(&self, database: &str) -> String {
        format!("DROP DATABASE {};", quoted(database))
    }

    fn shell(&self, port: u16, login: &Login, database: &str) -> Command {
        let mut command = self.client(self.names[1], port, login);
        command.args(["--batch", "--raw", "--skip-column-names", "--"]).arg(database);
        command
    }

    fn dump(&self, port: u16, login: &Login, database: &str, dump: Dump) -> Command {
        let mut command = self.client(self.names[2], port, login);
        command.args(["--single-transaction", "--routines", "--triggers", "--events", "--skip-comments"]);
        match dump {
            Dump::Full => {}
            Dump::Schema => _ = command.arg("--no-data"),
            Dump::Custom => panic!("{} has no format of its own", self.names[2]),
        }
        command.arg("--").arg(database);
        command
    }

    fn restore(&self, port: u16, login: &Login, database: &str, _dump: &[u8]) -> Command {
        self.shell(port, login, database)
    }
}

/// New files of 96 megabytes for each server are slow to write.
const SMALL_LOG: &str = "--innodb-log-file-size=16M";

fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}
