use std::fs::File;
use std::io::{self, Read as _, Write};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use data_encoding::BASE64;
use serde::Serialize;

use crate::chain::proof::verify_consistency;
use crate::cli::context::Context;
use crate::cli::error::CliError;
use crate::cli::heads::{HeadArguments, Headed};
use crate::cli::output::{Clean, Reply};
use crate::cli::sources::parse_cid;
use crate::cli::{CommandResult, Exit};
use crate::codec::note::{NOTE_LIMIT, Note, decode_checkpoint};
use crate::crypto::Digest;
use crate::model::{Checkpoint, Cid};
use crate::ops::evidence::Tree;

/// Prove what the tree of a chain says
#[derive(Args)]
pub struct Proof {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    Consistency(Consistency),
}

/// Prove that a chain goes on from an older state of it, and changed nothing
///
/// Prints the consistency proof of RFC 6962 and verifies it. Exits with 1 when the older state is not the beginning of the
/// newer one: two versions of the chain were signed.
#[derive(Args)]
pub struct Consistency {
    /// The older state: how many entries it has, the CID of its head, or a file with its checkpoint
    #[arg(value_name = "SIZE|CID|NOTE")]
    old: String,
    /// The newer state
    #[arg(value_name = "SIZE|CID|NOTE")]
    new: String,
    #[command(flatten)]
    head: HeadArguments,
}

/// A state as it was named, and what is claimed of it.
enum State {
    Size(u64),
    Head(Cid),
    Note { path: PathBuf, checkpoint: Checkpoint },
}

#[derive(Serialize)]
struct Shown {
    command: &'static str,
    verified: bool,
    origin: String,
    old: Side,
    new: Side,
    /// Hashes of the proof, base64.
    path: Vec<String>,
    /// Why it is not verified.
    reason: Option<String>,
    /// Files whose signatures were not checked.
    unsigned: Vec<PathBuf>,
}

#[derive(Clone, Serialize)]
struct Side {
    size: u64,
    /// Base64.
    root: String,
}

pub fn run(context: &Context, arguments: &Proof) -> CommandResult {
    let Action::Consistency(arguments) = &arguments.action;
    let states = [State::parse(&arguments.old)?, State::parse(&arguments.new)?];
    let of_new = if let State::Head(head) = states[1] { Some(head) } else { None };
    let Headed { mut source, head, .. } = arguments.head.open(context, of_new)?;
    let mut tree = Tree::read(&mut source, head)?;
    let mut claims = Vec::new();
    let mut unsigned = Vec::new();
    for state in states {
        claims.push(match state {
            State::Size(size) => (size, None, tree.origin().to_owned()),
            State::Head(cid) if cid == head => (tree.size(), Some(tree.root()), tree.origin().to_owned()),
            State::Head(cid) => {
                let Headed { mut source, .. } = arguments.head.open(context, Some(cid))?;
                let other = Tree::read(&mut source, cid)?;
                (other.size(), Some(other.root()), other.origin().to_owned())
            }
            State::Note { path, checkpoint } => {
                unsigned.push(path);
                (checkpoint.size, Some(checkpoint.root), checkpoint.origin)
            }
        });
    }
    let [(old, old_root, old_origin), (new, new_root, new_origin)] = &claims[..] else {
        return Err(CliError::usage("two states are compared"));
    };
    if old > new || *new > tree.size() {
        let text = format!("entries {old} to {new} of a chain that has {}", tree.size());
        return Err(CliError::usage(text).hint("name the older state first, and a head that is new enough"));
    }
    let (proof, roots) = tree.consistency(&mut source, *old, *new)?;
    let [old_root, new_root] = [old_root.unwrap_or(roots[0]), new_root.unwrap_or(roots[1])];
    let same = old_origin == new_origin && new_origin == tree.origin();
    let held = verify_consistency(&old_root, &new_root, &proof).map_err(|error| error.to_string());
    let held = if same { held } else { Err("they are states of two chains".to_owned()) };
    let base64 = |hash: &Digest| BASE64.encode(&hash.0);
    let shown = Shown {
        command: "proof consistency",
        verified: held.is_ok(),
        origin: tree.origin().to_owned(),
        old: Side { size: *old, root: base64(&old_root) },
        new: Side { size: *new, root: base64(&new_root) },
        path: proof.path.iter().map(base64).collect(),
        reason: held.err(),
        unsigned,
    };
    let exit = if shown.verified { Exit::Done } else { Exit::Findings };
    Ok(Reply::new(shown, show).with_exit(exit))
}

impl State {
    fn parse(text: &str) -> Result<Self, CliError> {
        if let Ok(size) = text.parse() {
            return Ok(Self::Size(size));
        }
        if let Some(cid) = parse_cid(text) {
            return Ok(Self::Head(cid));
        }
        let refuse = |reason: String| {
            CliError::usage(format!("{}: {reason}", Clean(text)))
                .hint("give a number of entries, the CID of a head, or a file that holds a checkpoint's note")
        };
        let path = Path::new(text);
        let mut bytes = Vec::new();
        if !path.is_file() {
            return Err(refuse("neither a number, nor a CID, nor a file".to_owned()));
        }
        let read = File::open(path).and_then(|file| file.take(NOTE_LIMIT as u64 + 1).read_to_end(&mut bytes));
        read.map_err(|error| refuse(error.to_string()))?;
        let checkpoint = Note::decode(&bytes).and_then(|note| decode_checkpoint(&note.text));
        let checkpoint = checkpoint.map_err(|error| refuse(error.to_string()))?;
        Ok(Self::Note { path: path.to_owned(), checkpoint })
    }
}

fn show(shown: &Shown, out: &mut dyn Write) -> io::Result<()> {
    let (old, new) = (&shown.old, &shown.new);
    match &shown.reason {
        None => writeln!(
            out,
            "consistent: {}, {} entries begin with the first {}",
            shown.origin, new.size, old.size
        )?,
        Some(reason) => writeln!(
            out,
            "NOT consistent: {}, {} to {} entries: {}",
            shown.origin,
            old.size,
            new.size,
            Clean(reason)
        )?,
    }
    for path in &shown.unsigned {
        writeln!(out, "  unsigned    {}: its signatures were not checked", path.display())?;
    }
    writeln!(out, "  old         {} {}", old.size, old.root)?;
    writeln!(out, "  new         {} {}", new.size, new.root)?;
    for hash in &shown.path {
        writeln!(out, "  hash        {hash}")?;
    }
    Ok(())
}
