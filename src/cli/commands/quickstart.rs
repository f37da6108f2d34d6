use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::cli::context::Context;
use crate::cli::error::CliError;
use crate::cli::output::Reply;
use crate::cli::settings::Environment;
use crate::cli::{CommandResult, Exit, run_with};

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

/// Text of a sample script that the tampered copy has with one bit flipped.
const TARGET: &[u8] = b"order_number";

pub fn run(_: &Context, arguments: &Quickstart) -> CommandResult {
    let folder = arguments.folder.clone().unwrap_or_else(|| {
        std::env::temp_dir().join(format!("greffe-quickstart-{}", crate::model::Pseudonym::generate()))
    });
    let failed = |path: &Path, error: std::io::Error| {
        CliError::new(Exit::Unfinished, format!("{} cannot be written: {error}", path.display()))
            .hint("name a folder that does not exist yet: `greffe quickstart FOLDER`")
    };
    if let Some(parent) = folder.parent() {
        std::fs::create_dir_all(parent).map_err(|error| failed(&folder, error))?;
    }
    // A folder that is there could hold somebody's work.
    std::fs::create_dir(&folder).map_err(|error| failed(&folder, error))?;
    let migrations = folder.join("migrations");
    std::fs::create_dir(&migrations).map_err(|error| failed(&migrations, error))?;
    for (name, text) in SAMPLES {
        let path = migrations.join(name);
        std::fs::write(&path, text).map_err(|error| failed(&path, error))?;
    }
    std::env::set_current_dir(&folder).map_err(|error| failed(&folder, error))?;
    say(&format!("In {}, with sample migrations of a clinic, a school and a shop:", folder.display()));
    play(&failed)
}

fn play(failed: &dyn Fn(&Path, std::io::Error) -> CliError) -> CommandResult {
    let passphrase = crate::model::Pseudonym::generate().to_string();
    let environment = Environment::from_iter([("GREFFE_KEY_PASSPHRASE", passphrase)]);
    let command = |line: &str, expected: Exit| -> Result<(), CliError> {
        say(&format!("\n$ greffe {line}"));
        let words = std::iter::once("greffe").chain(line.split(' ')).map(OsString::from);
        let exit = run_with(words, environment.clone());
        if exit == expected {
            return Ok(());
        }
        Err(CliError::new(Exit::Unfinished, format!("`greffe {line}` did not end as it should")))
    };
    command("init --name quickstart --database sqlite:app.db --migrations migrations", Exit::Done)?;
    command("apply", Exit::Done)?;
    command("export --out quickstart.car", Exit::Done)?;
    command("verify quickstart.car", Exit::Done)?;
    let (car, copy) = (Path::new("quickstart.car"), Path::new("tampered.car"));
    let mut bytes = std::fs::read(car).map_err(|error| failed(car, error))?;
    let position = bytes.windows(TARGET.len()).position(|window| window == TARGET).unwrap_or(bytes.len() - 1);
    bytes[position] ^= 1;
    std::fs::write(copy, bytes).map_err(|error| failed(copy, error))?;
    say(&format!("\nNow one bit of a copy is flipped: byte {position}, in the script of the shop."));
    command("verify tampered.car", Exit::Findings)?;
    say("\nThe database, the archive and both files stay where they are, to be looked at.");
    Ok(Reply::silent(Exit::Done))
}

/// A line on standard output; a closed pipe is not an error.
fn say(line: &str) {
    writeln!(std::io::stdout(), "{line}").ok();
}
