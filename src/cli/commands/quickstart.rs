use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::{Args, Parser as _};
use serde::Serialize;

use super::Arguments;
use crate::cli::context::Context;
use crate::cli::error::CliError;
use crate::cli::output::Reply;
use crate::cli::settings::Environment;
use crate::cli::{CommandResult, Exit, execute};
use crate::model::Pseudonym;

/// See the whole of it in a fresh folder: apply, archive, verify, tamper, find
///
/// Writes sample migrations of a clinic, a school and a shop, runs the commands that are shown, then
/// flips one bit in a copy of the archive and shows what verification finds.
#[derive(Args)]
pub struct Quickstart {
    /// The folder to make [default: a new one for temporary files]
    #[arg(value_name = "FOLDER")]
    folder: Option<PathBuf>,
}

macro_rules! samples {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("../../../migrations/quickstart/", $name)))),*]
    };
}

/// Sample migrations, by file name.
const SAMPLES: [(&str, &str); 6] = samples![
    "20260105090000_patients.up.sql",
    "20260105090000_patients.down.sql",
    "20260112090000_grades.up.sql",
    "20260112090000_grades.down.sql",
    "20260119090000_payments.up.sql",
    "20260119090000_payments.down.sql",
];

/// How a sealed file begins; the tampered copy has one bit flipped behind the last of them.
const SEALED: &[u8] = b"\x83\x44\xa1\x01\x18\x18\xa2\x04\x50";
/// So many bytes behind its beginning a sealed file is ciphertext.
const INSIDE: usize = 100;

/// What is shown: the commands with what they printed.
#[derive(Serialize)]
struct Played {
    command: &'static str,
    folder: PathBuf,
    steps: Vec<Step>,
}

#[derive(Serialize)]
struct Step {
    line: String,
    exit: u8,
    result: serde_json::Value,
}

pub fn run(context: &Context, arguments: &Quickstart) -> CommandResult {
    let folder = arguments
        .folder
        .clone()
        .unwrap_or_else(|| std::env::temp_dir().join(format!("greffe-quickstart-{}", Pseudonym::generate())));
    make(&folder)?;
    let mut player = Player {
        environment: Environment::from_iter([("GREFFE_KEY_PASSPHRASE", Pseudonym::generate().to_string())]),
        json: context.json,
        steps: Vec::new(),
    };
    player.say(&format!("In {}, with sample migrations of a clinic, a school and a shop:", folder.display()));
    player.play()?;
    player.say("\nThe database, the archive and both files stay where they are, to be looked at.");
    if !context.json {
        return Ok(Reply::silent(Exit::Done));
    }
    Ok(Reply::new(Played { command: "quickstart", folder, steps: player.steps }, |_, _| Ok(())))
}

/// Makes the folder with the sample migrations, and goes there.
fn make(folder: &Path) -> Result<(), CliError> {
    let parent = folder.parent().map_or(Ok(()), std::fs::create_dir_all);
    // A folder that is there could hold somebody's work.
    parent.and_then(|()| std::fs::create_dir(folder)).map_err(|error| failed(folder, &error))?;
    let migrations = folder.join("migrations");
    std::fs::create_dir(&migrations).map_err(|error| failed(&migrations, &error))?;
    for (name, text) in SAMPLES {
        let path = migrations.join(name);
        std::fs::write(&path, text).map_err(|error| failed(&path, &error))?;
    }
    std::env::set_current_dir(folder).map_err(|error| failed(folder, &error))
}

fn failed(path: &Path, error: &std::io::Error) -> CliError {
    CliError::new(Exit::Unfinished, format!("{} cannot be written: {error}", path.display()))
        .hint("name a folder that does not exist yet: `greffe quickstart FOLDER`")
}

/// Runs commands as if they were typed.
struct Player {
    environment: Environment,
    json: bool,
    steps: Vec<Step>,
}

impl Player {
    fn play(&mut self) -> Result<(), CliError> {
        self.command("init --name quickstart --database sqlite:app.db --migrations migrations", Exit::Done)?;
        self.command("apply", Exit::Done)?;
        self.command("export --out quickstart.car", Exit::Done)?;
        self.command("verify quickstart.car", Exit::Done)?;
        self.command("verify quickstart.car --open", Exit::Done)?;
        let (car, copy) = (Path::new("quickstart.car"), Path::new("tampered.car"));
        let mut bytes = std::fs::read(car).map_err(|error| failed(car, &error))?;
        let begin = bytes.windows(SEALED.len()).rposition(|window| window == SEALED);
        let position = begin.map_or(bytes.len() - 1, |begin| begin + INSIDE);
        bytes[position] ^= 1;
        std::fs::write(copy, bytes).map_err(|error| failed(copy, &error))?;
        self.say(&format!("\nNow one bit of a copy is flipped: byte {position}, in a sealed script."));
        self.command("verify tampered.car", Exit::Findings)
    }

    fn command(&mut self, line: &str, expected: Exit) -> Result<(), CliError> {
        self.say(&format!("\n$ greffe {line}"));
        let words = std::iter::once("greffe").chain(line.split(' '));
        let arguments =
            Arguments::try_parse_from(words).map_err(|error| CliError::usage(error.to_string()))?;
        let reply = execute(arguments, self.environment.clone(), self.json)?;
        if self.json {
            let exit = reply.exit.code();
            self.steps.push(Step { line: format!("greffe {line}"), exit, result: reply.json() });
        } else {
            // A closed pipe is not an error.
            reply.write(false).ok();
        }
        if reply.exit == expected {
            return Ok(());
        }
        Err(CliError::new(Exit::Unfinished, format!("`greffe {line}` did not end as it should")))
    }

    /// A line on standard output; a closed pipe is not an error.
    fn say(&self, line: &str) {
        if !self.json {
            writeln!(std::io::stdout(), "{line}").ok();
        }
    }
}
