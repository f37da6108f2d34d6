//! Canaries: texts that stand nowhere else are planted wherever a project has texts, and everything that can be fetched of
//! it is searched for them in every spelling. None may be found.

use std::io::Write as _;
use std::process::Stdio;

use data_encoding::{BASE64, BASE64URL, HEXLOWER, HEXUPPER};
use greffe::codec::car::{decode_frame, decode_header};
use greffe::codec::dsse::Envelope;

use crate::project::{Project, Run};
use crate::serve::Served;
use crate::servers::{Database, Login, MariaDb, Postgres};
use crate::tools::tool;

/// A text that no other run has, of which no detector knows anything.
pub fn canary(place: &str) -> String {
    let mut bytes = [0; 10];
    getrandom::fill(&mut bytes).unwrap();
    let letters: String = bytes.iter().map(|byte| char::from(b'a' + byte % 26)).collect();
    format!("kanari{place}{letters}")
}

/// A text in every spelling that is looked for.
fn spellings(text: &str) -> Vec<Vec<u8>> {
    let bytes = text.as_bytes();
    let mut all =
        vec![bytes.to_vec(), HEXLOWER.encode(bytes).into_bytes(), HEXUPPER.encode(bytes).into_bytes()];
    all.push(text.encode_utf16().flat_map(u16::to_le_bytes).collect());
    all.push(text.encode_utf16().flat_map(u16::to_be_bytes).collect());
    for before in 0..3 {
        let shifted = [&vec![0; before], bytes].concat();
        // Signs that only stand for bytes of the text.
        let (from, to) = ((before * 8).div_ceil(6), shifted.len() * 8 / 6);
        for base in [BASE64, BASE64URL] {
            all.push(base.encode(&shifted).as_bytes()[from..to].to_vec());
        }
    }
    all
}

/// Which of these texts are in `bytes`, also behind a gzip and in the payload of an envelope.
fn found(bytes: &[u8], texts: &[String]) -> Vec<String> {
    let mut surfaces = vec![bytes.to_vec()];
    surfaces.extend(Envelope::decode(bytes).ok().map(|envelope| envelope.payload));
    let gzip = [0x1f, 0x8b, 0x08];
    let begins = bytes.windows(3).enumerate().filter(|(_, window)| *window == gzip);
    surfaces.extend(begins.map(|(at, _)| gunzip(&bytes[at..])));
    let is_in = |text: &String| {
        let spellings = spellings(text);
        surfaces.iter().any(|surface| {
            spellings.iter().any(|spelling| surface.windows(spelling.len()).any(|window| window == spelling))
        })
    };
    texts.iter().filter(|text| is_in(text)).cloned().collect()
}

/// As much as can be read; what only looks like a gzip gives nothing.
fn gunzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = tool("gzip");
    gzip.args(["-dc"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = gzip.spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let bytes = bytes.to_vec();
    let writer = std::thread::spawn(move || drop(input.write_all(&bytes)));
    let output = child.wait_with_output().unwrap().stdout;
    writer.join().unwrap();
    output
}

/// Everything of a project that leaves it: archives, each block of them, an export, and what a server answers.
fn published(project: &Project, served: bool) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for (name, bytes) in project.files() {
        if name.starts_with("archive") {
            if name.extension().is_some_and(|extension| extension == "car") {
                all.extend(blocks(&bytes).into_iter().map(|(_, block)| block));
            }
            all.push(bytes);
        }
    }
    project.ok(["export", "--out", "canary.car", "--force"]);
    let exported = project.read("canary.car");
    project.remove("canary.car");
    if served {
        let server = Served::start(project, &[]);
        let head = project.head();
        all.push(server.get("/").body);
        all.push(server.get("/logs/demo/checkpoint").body);
        let car = server.get(&format!("/ipfs/{head}?format=car")).body;
        assert!(car.len() > 1000);
        all.push(car);
        for (cid, block) in blocks(&exported) {
            assert!(server.get(&format!("/ipfs/{cid}?format=raw")).body == block);
        }
    }
    all.extend(blocks(&exported).into_iter().map(|(_, block)| block));
    all.push(exported);
    all
}

pub fn blocks(car: &[u8]) -> Vec<(String, Vec<u8>)> {
    let (_, mut at) = decode_header(car).unwrap();
    let mut blocks = Vec::new();
    while at < car.len() {
        let frame = decode_frame(&car[at..]).unwrap();
        blocks.push((frame.cid.to_string(), car[at + frame.prefix..at + frame.total()].to_vec()));
        at += frame.total();
    }
    blocks
}

pub fn require_none(project: &Project, served: bool, planted: &[String]) {
    let all = published(project, served);
    assert!(all.len() > 10);
    for bytes in &all {
        let found = found(bytes, planted);
        assert!(found.is_empty(), "{found:?} in {}", String::from_utf8_lossy(&bytes[..bytes.len().min(400)]));
    }
}

/// A project with a canary at every place, and the texts.
struct Planted {
    project: Project,
    texts: Vec<String>,
    _database: Option<Database>,
}

impl Planted {
    fn new(publish: &str, database: Option<(Database, &'static str)>) -> Self {
        let mut texts = Vec::new();
        let mut plant = |place: &str| {
            texts.push(canary(place));
            texts.last().unwrap().clone()
        };
        let mut project = Project::empty().publishing(publish);
        project.variables.push(("CANARY".to_owned(), plant("env")));
        project.variables.push(("USER".to_owned(), plant("user")));
        let url = match &database {
            None => format!("sqlite:{}.db", plant("file")),
            Some((database, create)) => {
                let login = Login { user: plant("account"), password: plant("password") };
                // The name in a grant of MariaDB is a pattern.
                let pattern = database.name().replace('_', "\\_");
                let create = create
                    .replace("{user}", &login.user)
                    .replace("{password}", &login.password)
                    .replace("{database}", database.name())
                    .replace("{pattern}", &pattern);
                database.sql_as(database.administrator(), &create).unwrap();
                project.variables.push(("DATABASE_URL".to_owned(), database.url_as(&login)));
                project.secrets.push(login.password);
                "env:DATABASE_URL".to_owned()
            }
        };
        project.ok(["init", "--name", "demo", "--database", &url]);
        project.script("1_plain.up.sql", "CREATE TABLE plain (id INTEGER PRIMARY KEY, name VARCHAR(80));");
        let (name, comment, literal) = (plant("name"), plant("comment"), plant("literal"));
        let (purpose, table, down) = (plant("purpose"), plant("table"), plant("down"));
        project.script(
            &format!("2_{name}.up.sql"),
            format!(
                "-- purpose: {purpose}\n-- impact: {purpose}\nCREATE TABLE {table} (id INTEGER);\n\
                 INSERT INTO plain (id, name) VALUES (1, '{literal}'); -- {comment}\n/* {comment} */\n"
            ),
        );
        // By itself this one is schema only.
        project.script(&format!("2_{name}.down.sql"), format!("DROP TABLE {table};\n"));
        project.script("3_update.up.sql", format!("UPDATE plain SET name = '{down}x' WHERE id = 1;"));
        project.script("3_update.down.sql", format!("DELETE FROM plain WHERE name = '{down}';"));
        let failing = plant("error");
        plant("reason");
        plant("person");
        project.script(
            "4_failing.up.sql",
            format!("INSERT INTO plain VALUES (2, '{failing}');\nINSERT INTO {failing} VALUES (1);\n"),
        );
        if let Some((database, _)) = &database {
            texts.push(database.name().to_owned());
        }
        Self { project, texts, _database: database.map(|(database, _)| database) }
    }

    /// The text that was planted at a place.
    fn text(&self, place: &str) -> &str {
        self.texts.iter().find(|text| text.starts_with(&format!("kanari{place}"))).unwrap()
    }

    /// Runs, fails, rolls back, grants, keeps, erases.
    fn live(&self) {
        let project = &self.project;
        project.ends(3, ["apply"]).prints(&["failed 4 as entry 4"]);
        project.remove("migrations/4_failing.up.sql");
        project.ok(["rollback", "--steps", "1"]);
        project.ok(["apply"]);
        // What was planted is really there, for those who have the key.
        project.ok(["show", "2", "--script"]).prints(&[self.text("literal")]);
        keep(project, self.text("reason"), self.text("person"));
        // The same script ran once more since.
        project.ends(1, ["erase", "--event", "3", "--basis", "art17.1.a", "--request", "R-1"]);
        refuses_people(project);
        project.verify();
    }
}

/// Grants and keeps what the vault has; what is told to it stays in it.
pub fn keep(project: &Project, reason: &str, person: &str) {
    let recipient = project.json(&["vault", "show"])["recipient"].as_str().unwrap().to_owned();
    let terms = ["--purpose", "audit 2026", "--until", "2099-01-01", "--out", "grant.age"];
    project.ok([&["grant", "--to", &recipient, "--events", "1..2"], &terms[..]].concat());
    project.ok(["open", "grant.age", "archive/demo.car", "--out", "read"]);
    project.ok(["vault", "hold", "case", "--event", "1", "--reason", reason]);
    let pseudonym = project.json(&["show", "1"])["event"]["actor"]["pseudonym"].as_str().unwrap().to_owned();
    project.fed(["vault", "person", &pseudonym], person);
    project.ok(["vault", "person", &pseudonym, "--show"]).prints(&[person]);
    project.ok(["vault", "export", "--out", "backup.age"]);
    project.ok(["vault", "import", "backup.age"]);
    project.ok(["vault", "release", "case"]);
    assert!(project.path("archive/demo-access.car").exists());
}

/// Texts that would be published are refused when they say something of a person.
fn refuses_people(project: &Project) {
    let recipient = project.json(&["vault", "show"])["recipient"].as_str().unwrap().to_owned();
    let mail = "jeanne.morel@mairie-lyon.fr";
    let erase = ["erase", "--event", "1", "--basis", "art17.1.a", "--request", mail];
    let grant = [
        "grant",
        "--to",
        &recipient,
        "--events",
        "2..2",
        "--purpose",
        mail,
        "--until",
        "2099-01-01",
        "--out",
        "g",
    ];
    for run in [project.ends(2, erase), project.ends(2, grant)] {
        let Run { stdout, stderr, .. } = &run;
        assert!(!stdout.contains("morel") && !stderr.contains("morel"), "{run:#?}");
    }
    let texts = [mail.to_owned()];
    assert!(published(project, false).iter().all(|bytes| found(bytes, &texts).is_empty()));
}

fn nothing_planted_is_published(database: Option<fn() -> (Database, &'static str)>) {
    for publish in ["sealed", "schema"] {
        let planted = Planted::new(publish, database.map(|make| make()));
        planted.live();
        require_none(&planted.project, true, &planted.texts);
    }
}

#[test]
fn sqlite() {
    nothing_planted_is_published(None);
}

#[test]
fn postgres() {
    nothing_planted_is_published(Some(|| {
        let create = "CREATE ROLE {user} LOGIN PASSWORD '{password}'; GRANT ALL ON DATABASE \"{database}\" TO {user}; \
                      GRANT ALL ON SCHEMA public TO {user}";
        (Postgres::shared().database("kanaribase"), create)
    }));
}

#[test]
fn mariadb() {
    nothing_planted_is_published(Some(|| {
        let create = "CREATE USER {user}@localhost IDENTIFIED BY '{password}'; GRANT ALL ON `{pattern}`.* TO {user}@localhost";
        (MariaDb::shared().database("kanaribase"), create)
    }));
}

#[test]
fn the_search_finds_what_is_there() {
    let text = canary("itself");
    let texts = [text.clone()];
    let base64 = |before: &str| BASE64.encode(format!("{before}{text}after").as_bytes()).into_bytes();
    let mut gzip = tool("gzip");
    let mut child = gzip.args(["-c"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(format!("a{text}b").as_bytes()).unwrap();
    let zipped = child.wait_with_output().unwrap().stdout;
    for bytes in [
        format!("a{text}b").into_bytes(),
        HEXLOWER.encode(text.as_bytes()).into_bytes(),
        HEXUPPER.encode(text.as_bytes()).into_bytes(),
        text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
        base64(""),
        base64("x"),
        base64("xy"),
        [b"before".as_slice(), &zipped, b"after"].concat(),
    ] {
        assert_eq!(found(&bytes, &texts), texts, "{}", String::from_utf8_lossy(&bytes));
    }
    assert!(found(b"nothing of it", &texts).is_empty());
    // And in a project where all is published that may be.
    let project = Project::with(&[("1_a.sql", "CREATE TABLE a (id INTEGER);")]);
    project.script("2_b.sql", format!("CREATE TABLE {text} (id INTEGER);"));
    project.ok(["apply"]);
    assert!(published(&project, false).iter().any(|bytes| !found(bytes, &texts).is_empty()));
}
