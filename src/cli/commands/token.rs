use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::Serialize;

use crate::cli::CommandResult;
use crate::cli::context::Context;
use crate::cli::error::CliError;
use crate::cli::modes::look_at_tokens;
use crate::cli::output::{Reply, remark};
use crate::cli::settings::{Retention, Settings, parse_retention};
use crate::model::{Pseudonym, Scope, Timestamp, TokenEntry};
use crate::ops::now;
use crate::ops::tokens::{TokenFile, TokenTerms};

/// The file of tokens, in the folder of the settings file unless another one is named.
const FILE: &str = "greffe.tokens";
/// Days for which a token counts at most.
const LONGEST: u32 = 366;
const DAY: i64 = 86_400_000_000;

/// Make, list and revoke the tokens of `greffe serve`
///
/// Who shows a token may read what its scopes name. It is shown once, when it is made: the file keeps its SHA-256. A
/// running server knows of a change within a second. See docs/serve.md.
#[derive(Args)]
pub struct Token {
    #[command(subcommand)]
    action: Action,
    /// The file of tokens, of mode 0600 [default: greffe.tokens beside the settings file]
    #[arg(long, global = true, value_name = "FILE")]
    tokens: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Action {
    /// Make a token and print it, this once
    New(New),
    /// Whose tokens there are, for what, and until when
    List,
    /// Have a token count no longer
    Revoke {
        /// What `greffe token list` calls it
        #[arg(value_name = "ID")]
        id: String,
    },
}

#[derive(Args)]
struct New {
    /// What its holder may read: `status`, `heads`, `report`, `queue`, `accesses`; `read` where all needs a token
    #[arg(long = "scope", value_name = "SCOPE", required = true, value_delimiter = ',', value_parser = parse_scope)]
    scopes: Vec<Scope>,
    /// Who holds it, by pseudonym [default: yours]
    #[arg(long, value_name = "PSEUDONYM")]
    holder: Option<Pseudonym>,
    /// How long it counts: `90d`, `6m` or `1y`, a year at most
    #[arg(long = "for", value_name = "TIME", default_value = "90d", value_parser = parse_time)]
    time: Retention,
}

fn parse_scope(text: &str) -> Result<Scope, String> {
    let words = || Scope::ALL.map(Scope::as_str).join("`, `");
    Scope::parse(text).ok_or_else(|| format!("scopes are `{}`", words()))
}

fn parse_time(text: &str) -> Result<Retention, String> {
    let time = parse_retention(text).filter(|time| (1..=LONGEST).contains(&time.in_days()));
    time.ok_or_else(|| format!("write a time such as `90d`, `6m` or `1y`, at most {LONGEST} days"))
}

/// What is said of a token; never the token itself.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct About {
    id: String,
    holder: Pseudonym,
    scopes: BTreeSet<Scope>,
    made_at: Timestamp,
    expires_at: Timestamp,
    revoked_at: Option<Timestamp>,
    /// Whether it counts now.
    counts: bool,
}

impl From<&TokenEntry> for About {
    fn from(entry: &TokenEntry) -> Self {
        let TokenEntry { id, holder, scopes, made_at, expires_at, revoked_at, .. } = entry.clone();
        Self { id, holder, scopes, made_at, expires_at, revoked_at, counts: entry.counts_at(now()) }
    }
}

#[derive(Serialize)]
struct Listed {
    command: &'static str,
    file: PathBuf,
    tokens: Vec<About>,
}

#[derive(Serialize)]
struct Made {
    command: &'static str,
    file: PathBuf,
    /// Shown here and nowhere else.
    token: String,
    #[serde(flatten)]
    about: About,
}

/// The file of tokens: the one that is named, else the one beside the settings file.
pub fn token_file(settings: &Settings, named: Option<&PathBuf>) -> TokenFile {
    let beside = || settings.file.as_ref().and_then(|file| file.parent()).map(|folder| folder.join(FILE));
    let path = named.cloned().or_else(beside).unwrap_or_else(|| FILE.into());
    look_at_tokens(&path);
    TokenFile::new(path)
}

pub fn run(context: &Context, arguments: &Token) -> CommandResult {
    let settings = context.settings()?;
    let file = token_file(&settings, arguments.tokens.as_ref());
    match &arguments.action {
        Action::New(new) => make(context, &settings, &file, new),
        Action::List => {
            let tokens = file.tokens()?.entries().iter().map(About::from).collect();
            let listed = Listed { command: "token", file: file.path().to_owned(), tokens };
            Ok(Reply::new(listed, show_list))
        }
        Action::Revoke { id } => {
            let missing = || {
                CliError::usage("there is no token of that name")
                    .hint("look at what `greffe token list` says")
            };
            // A file is not made for it.
            if file.tokens()?.entries().iter().all(|token| token.id != *id) {
                return Err(missing());
            }
            let revoked = file.change(|tokens| tokens.revoke(id, now()))?.ok_or_else(missing)?;
            let listed = Listed {
                command: "token",
                file: file.path().to_owned(),
                tokens: vec![About::from(&revoked)],
            };
            Ok(Reply::new(listed, show_list))
        }
    }
}

fn make(context: &Context, settings: &Settings, file: &TokenFile, new: &New) -> CommandResult {
    let holder = match new.holder {
        Some(holder) => holder,
        None => settings.actor_pseudonym()?,
    };
    let made_at = now();
    let until = made_at.as_microseconds().saturating_add(i64::from(new.time.in_days()) * DAY);
    let expires_at = Timestamp::from_microseconds(until).unwrap_or(made_at);
    let terms = TokenTerms { holder, scopes: new.scopes.iter().copied().collect(), made_at, expires_at };
    let (text, entry) = file.change(|tokens| tokens.make(terms))?.ok_or_else(|| {
        CliError::usage("there are as many tokens as may be")
            .hint("run `greffe token revoke ID` for those that nobody uses")
    })?;
    if !context.quiet && !context.json {
        remark(&format!(
            "token {} counts until {}; this is the only time that it is shown",
            entry.id, entry.expires_at
        ));
    }
    let made = Made {
        command: "token",
        file: file.path().to_owned(),
        token: text.to_string(),
        about: About::from(&entry),
    };
    Ok(Reply::new(made, |made, out| writeln!(out, "{}", made.token)))
}

fn show_list(listed: &Listed, out: &mut dyn Write) -> io::Result<()> {
    for token in &listed.tokens {
        let scopes: Vec<&str> = token.scopes.iter().map(|scope| scope.as_str()).collect();
        let standing = match (token.revoked_at, token.counts) {
            (Some(at), _) => format!("revoked {at}"),
            (None, true) => format!("until {}", token.expires_at),
            (None, false) => format!("ended {}", token.expires_at),
        };
        writeln!(out, "{}  {}  {}  {standing}", token.id, token.holder, scopes.join(","))?;
    }
    match listed.tokens.is_empty() {
        true => writeln!(out, "no token in {}", listed.file.display()),
        false => Ok(()),
    }
}
