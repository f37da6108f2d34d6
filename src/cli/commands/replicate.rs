use std::io::{self, Write};
use std::path::Path;

use clap::Args;
use serde::Serialize;

use crate::cli::context::{Context, block_on, replicas};
use crate::cli::error::CliError;
use crate::cli::output::{Clean, Reply, remark};
use crate::cli::places::require_as_many;
use crate::cli::settings::{ReplicaSettings, Settings};
use crate::cli::{CommandResult, Exit};
use crate::ops::ChainReader;
use crate::ops::replicate::{ReplicaState, Replicated, answering, replicate};
use crate::privacy::Publish;
use crate::store::remote::{NamedReplica, Remedy};

/// Bring the archive's head to every replica that does not have it
///
/// Replicas are the `[[replica]]` entries of the settings. Exits with 4 when one of them is still owed the
/// head; everything that was archived is safe on this machine then. Exits with 1 when one has a head that this archive
/// does not know.
#[derive(Args)]
pub struct Replicate {}

#[derive(Serialize)]
struct Shown {
    command: &'static str,
    #[serde(flatten)]
    replicated: Replicated,
}

pub fn run(context: &Context, _: &Replicate) -> CommandResult {
    let settings = context.settings()?;
    require_assessment(&settings)?;
    let replicas = some_replicas(&settings)?;
    let reader = context.reader()?;
    let replicated = deliver(context, &settings, &reader, &replicas)?;
    remark_unreadable(context, replicated.unreadable.as_deref());
    let ahead = replicated.replicas.iter().any(|replica| replica.ahead);
    let exit = if ahead { Exit::Findings } else { owed(&settings, &replicated.replicas) };
    Ok(Reply::new(Shown { command: "replicate", replicated }, show).with_exit(exit))
}

/// Replicas that files in clear would go to without an impact assessment, and that are public for all one knows.
fn unassessed(settings: &Settings) -> impl Iterator<Item = &ReplicaSettings> {
    let is_sought = settings.publish != Publish::Sealed && settings.dpia.is_none();
    settings.replicas.iter().filter(move |replica| is_sought && replica.public != Some(false))
}

/// Refuses to bring more than sealed files to a public replica as long as nobody has assessed what that means for people.
pub fn require_assessment(settings: &Settings) -> Result<(), CliError> {
    let Some(replica) = unassessed(settings).next() else { return Ok(()) };
    if replica.public.is_none() {
        let text = format!(
            "whether replica {} is public is not said, and files are published in clear (`publish = \"{}\"`)",
            replica.name, settings.publish
        );
        return Err(CliError::usage(text).hint(
            "write `public = false` in its `[[replica]]` where nobody else can fetch from it, as from a node that is \
             connected to no others, or else `public = true`; or set `publish = \"sealed\"`",
        ));
    }
    let text = format!(
        "replica {} is public, files are published in clear (`publish = \"{}\"`), and no impact assessment is named",
        replica.name, settings.publish
    );
    Err(CliError::usage(text).hint(
        "begin one with `greffe gdpr dpia` and set its reference, `dpia = \"REF\"` below `[privacy]`; or set \
         `publish = \"sealed\"`, or `public = false` where nobody else can fetch from it",
    ))
}

/// The replicas of the settings, which there have to be.
pub fn some_replicas(settings: &Settings) -> Result<Vec<NamedReplica>, CliError> {
    let replicas = replicas(settings)?;
    if replicas.is_empty() {
        return Err(CliError::usage("there is no replica in the settings")
            .hint("add a `[[replica]]` with `name` and `url` to greffe.toml; see docs/replicas.md"));
    }
    require_as_many(settings)?;
    Ok(replicas)
}

/// Says that it is not known what replicas were given.
pub fn remark_unreadable(context: &Context, notes: Option<&Path>) {
    let Some(path) = notes.filter(|_| !context.quiet) else { return };
    let path = path.display().to_string();
    remark(&format!(
        "note: {} cannot be read: heads that are noted there may stay pinned at replicas\nhint: look at it, take such \
         pins away, and remove the file",
        Clean(&path)
    ));
}

/// What is to be done for a replica that was not brought the head.
const fn hint(remedy: Option<Remedy>) -> &'static str {
    match remedy {
        None | Some(Remedy::Time) => "run `greffe replicate` later",
        Some(Remedy::Repair) => "run `greffe replicas --repair`",
        Some(Remedy::Mount) => {
            "mount its disk and run `greffe replicate`, or run `greffe replicas --repair` to make it anew"
        }
        Some(Remedy::Entries) => {
            "bring its entries here with `greffe import FILE.car` or `greffe mirror CID --from URL`, or restore the newer \
             archive"
        }
        Some(Remedy::Attention) => "mend that there or in greffe.toml, then run `greffe replicate`",
    }
}

fn deliver(
    context: &Context,
    settings: &Settings,
    reader: &ChainReader,
    replicas: &[NamedReplica],
) -> Result<Replicated, CliError> {
    let mut progress = context.progress();
    let mut show = |what: &str, done, total| progress.show(what, done, total);
    let deadline = settings.replication_deadline;
    Ok(block_on(replicate(reader, settings.name()?, replicas, deadline, &mut show))??)
}

/// What a process ends with when the rest went well: whether enough replicas have the head.
pub fn owed(settings: &Settings, replicas: &[ReplicaState]) -> Exit {
    let current = replicas.iter().filter(|replica| replica.current).count();
    let needed = match settings.replication_required {
        0 => replicas.len(),
        required => required,
    };
    if current >= needed { Exit::Done } else { Exit::Undelivered }
}

/// Where what a run archives goes: settings and replicas as they were when it began.
pub struct Destinations {
    settings: Settings,
    replicas: Vec<NamedReplica>,
}

impl Destinations {
    /// Reads the settings of replicas, so that what cannot work is refused before anything runs.
    pub fn open(context: &Context) -> Result<Self, CliError> {
        let settings = context.settings()?;
        require_assessment(&settings)?;
        let replicas = replicas(&settings)?;
        require_as_many(&settings)?;
        Ok(Self { settings, replicas })
    }

    /// The same without the public replicas that nothing may go to.
    pub fn assessed(context: &Context) -> Result<Self, CliError> {
        let settings = context.settings()?;
        let unassessed = unassessed(&settings).any(|_| true);
        let is_public =
            |name: &str| settings.replicas.iter().any(|one| one.name == name && one.public != Some(false));
        let mut replicas = replicas(&settings)?;
        replicas.retain(|replica| !unassessed || !is_public(&replica.name));
        Ok(Self { settings, replicas })
    }

    /// Refuses to go on while fewer replicas answer than are required.
    pub fn require_answers(&self) -> Result<(), CliError> {
        let required = self.settings.replication_required;
        if required == 0 {
            return Ok(());
        }
        let (directory, name) = (&self.settings.archive_directory, self.settings.name()?);
        let deadline = self.settings.replication_deadline;
        let answers = block_on(answering(directory, name, &self.replicas, required, deadline))?;
        let count = answers.iter().filter(|(_, failure)| failure.is_none()).count();
        if count >= required {
            return Ok(());
        }
        let text = format!(
            "{count} of {} replicas answer, and {required} must before anything is applied",
            self.replicas.len()
        );
        let mut error = CliError::new(Exit::Unfinished, text)
            .hint("mend them (`greffe replicas`), or lower `replication.required`; nothing was applied");
        let failed = answers.into_iter().filter_map(|(name, failure)| Some(format!("{name}: {}", failure?)));
        error.causes = failed.collect();
        Err(error)
    }

    /// Brings what a run archived to the replicas, where there are any, and says what stays owed. `exit`: what the run
    /// itself came to, which goes before; what keeps it from being brought is no failure of the run.
    pub fn bring(&self, context: &Context, exit: Exit) -> Exit {
        if self.replicas.is_empty() {
            return exit;
        }
        let owed = |text: &str, remedy| {
            remark(&format!("note: archived, not yet replicated{text}\nhint: {}", hint(remedy)));
        };
        let settings = &self.settings;
        let replicated = self.deliver_from_archive(context);
        let delivered = match replicated {
            Ok(replicated) => {
                for replica in replicated.replicas.iter().filter(|replica| !replica.current && !context.quiet)
                {
                    let why = replica.failure.as_deref().unwrap_or("not delivered");
                    owed(&format!(" to {}: {}", replica.name, Clean(why)), replica.remedy);
                }
                remark_unreadable(context, replicated.unreadable.as_deref());
                self::owed(settings, &replicated.replicas)
            }
            Err(CliError { message, causes, .. }) => {
                owed(&format!(": {}", Clean(&[vec![message], causes].concat().join(", because "))), None);
                Exit::Undelivered
            }
        };
        if exit == Exit::Done { delivered } else { exit }
    }

    fn deliver_from_archive(&self, context: &Context) -> Result<Replicated, CliError> {
        let reader = ChainReader::open(&self.settings.archive_directory, self.settings.name()?)?;
        deliver(context, &self.settings, &reader, &self.replicas)
    }
}

fn show(shown: &Shown, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "head {}", shown.replicated.head)?;
    show_states(&shown.replicated.replicas, out)
}

/// A line for each replica.
pub fn show_states(replicas: &[ReplicaState], out: &mut dyn Write) -> io::Result<()> {
    for replica in replicas {
        let (word, detail) = match (replica.current, &replica.failure, &replica.head) {
            (true, ..) if replica.delivered > 0 => {
                ("current", format!("{} blocks brought", replica.delivered))
            }
            (true, ..) => ("current", String::new()),
            (false, Some(failure), _) => ("owed", Clean(failure).to_string()),
            (false, None, Some(head)) => ("owed", format!("has {head}")),
            (false, None, None) => ("owed", "was given nothing yet".to_owned()),
        };
        writeln!(out, "{word:<8} {} ({}) {detail}", replica.name, Clean(&replica.url))?;
    }
    Ok(())
}
