//! A shop that is migrated by the real Flask-Migrate, under `greffe record`.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::project::Project;

/// The folder of the shop's sources.
const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/shop");

/// A shop whose chain is begun, with no revisions yet.
pub struct Shop {
    pub project: Project,
    /// What holds its database, where that is a file.
    _folder: Option<TempDir>,
}

impl Shop {
    /// On the database at `url`, as SQLAlchemy writes it and as greffe does.
    pub fn on(alchemy: &str, url: &str) -> Self {
        let mut project = Project::empty().publishing("schema");
        let programs = programs();
        project.variables.push(("PATH".to_owned(), format!("{}:/usr/bin:/bin", programs.display())));
        project.variables.push(("SHOP_DATABASE".to_owned(), alchemy.to_owned()));
        project.variables.push(("PYTHONDONTWRITEBYTECODE".to_owned(), "1".to_owned()));
        project.variables.push(("DATABASE_URL".to_owned(), url.to_owned()));
        std::fs::remove_dir(project.path("migrations")).unwrap();
        std::fs::copy(Path::new(SOURCES).join("app.py"), project.path("app.py")).unwrap();
        let shop = Self { project, _folder: None };
        shop.flask(&["db", "init"]);
        shop.project.ok(["init", "--name", "shop", "--database", "env:DATABASE_URL"]);
        shop
    }

    /// On a file of SQLite.
    pub fn in_a_file() -> Self {
        let folder = tempfile::Builder::new().prefix("greffe-shop-").tempdir().unwrap();
        let file = folder.path().join("shop.db");
        let mut shop =
            Self::on(&format!("sqlite:///{}", file.display()), &format!("sqlite:{}", file.display()));
        shop.project.variables.push(("SHOP_FILE".to_owned(), file.display().to_string()));
        shop._folder = Some(folder);
        shop
    }

    /// Runs Flask by itself, without greffe.
    pub fn flask(&self, arguments: &[&str]) -> String {
        let mut flask = Command::new(programs().join("flask"));
        self.project.prepare(&mut flask);
        let output = flask.args(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Adds revisions, by the first letters of their files.
    pub fn add(&self, revisions: &[&str]) {
        for revision in revisions {
            let sources = std::fs::read_dir(Path::new(SOURCES).join("versions")).unwrap();
            let mut names = sources.map(|entry| entry.unwrap().file_name().into_string().unwrap());
            let name = names.find(|name| name.starts_with(revision)).unwrap();
            let bytes = std::fs::read(Path::new(SOURCES).join("versions").join(&name)).unwrap();
            self.project.write(&format!("migrations/versions/{name}"), bytes);
        }
    }
}

/// Where the tools of Python are.
pub fn programs() -> PathBuf {
    let found = std::env::var_os("GREFFE_TEST_TOOLS").map(PathBuf::from);
    found.expect("GREFFE_TEST_TOOLS names no folder with `flask` and `alembic`: run `./tests/run`")
}
