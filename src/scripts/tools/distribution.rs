//! How each tool reaches a machine, and so where its version stands. It is looked for elsewhere; nothing is run here.

/// How a tool reaches a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Distribution {
    /// A package of Python, and the scripts that run it besides Python itself.
    Python { package: &'static str, programs: &'static [&'static str] },
    /// A package of npm, and its programs.
    Node { package: &'static str, programs: &'static [&'static str] },
    /// A program of this name, which prints its version and does nothing else when it is asked with `--version`.
    Program(&'static str),
    /// No package tells, and asking it takes long or may do more than answer.
    Untold,
}

impl Distribution {
    /// That of the tool that settings call `name`.
    #[must_use]
    pub fn of(name: &str) -> Self {
        let python = |package, programs| Self::Python { package, programs };
        let node = |package, programs| Self::Node { package, programs };
        match name {
            "alembic" => python("alembic", &["alembic", "flask"]),
            "django" => python("Django", &["django-admin", "manage.py"]),
            "yoyo" => python("yoyo-migrations", &["yoyo", "yoyo-migrate"]),
            "knex" => node("knex", &["knex"]),
            "sequelize" => node("sequelize-cli", &["sequelize", "sequelize-cli"]),
            "typeorm" => node("typeorm", &["typeorm", "typeorm-ts-node-commonjs", "typeorm-ts-node-esm"]),
            "drizzle" => node("drizzle-kit", &["drizzle-kit"]),
            "prisma" => node("prisma", &["prisma"]),
            "node-pg-migrate" => node("node-pg-migrate", &["node-pg-migrate"]),
            "dbmate" => Self::Program("dbmate"),
            "goose" => Self::Program("goose"),
            "golang-migrate" => Self::Program("migrate"),
            "sqlx" => Self::Program("sqlx"),
            "diesel" => Self::Program("diesel"),
            "refinery" => Self::Program("refinery"),
            _ => Self::Untold,
        }
    }
}
