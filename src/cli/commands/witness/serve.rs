use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use serde::Serialize;

use super::{Parts, open_cosigner};
use crate::cli::context::Context;
use crate::cli::error::CliError;
use crate::cli::output::{Clean, Reply, remark};
use crate::cli::{CommandResult, Exit};
use crate::server::{Limits, ServeError, Stop};
use crate::witness::{Logs, Options, Witness, vkey_of_state};

/// A list of logs is no larger.
const LIST_LIMIT: u64 = 64 << 20;

/// Cosign checkpoints of the logs that are named, over HTTP, until a signal ends it
///
/// `POST /add-checkpoint` and `GET /HASH/checkpoint` are those of C2SP tlog-witness. What was cosigned is kept before it
/// is answered. See docs/witness.md.
#[derive(Args)]
pub struct Serve {
    #[command(flatten)]
    parts: Parts,
    /// A log's verifier key
    #[arg(long, value_name = "VKEY")]
    log: Vec<String>,
    /// A file with a log's verifier key on each line; `ORIGIN VKEY` where the key has another name than the log
    #[arg(long, value_name = "FILE")]
    logs: Option<PathBuf>,
    /// Where to listen; port 0 takes any that is free
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8091")]
    listen: SocketAddr,
    /// Listen where other machines can reach it
    #[arg(long)]
    public: bool,
    /// Requests of one address each second; 0 for any number
    #[arg(long, value_name = "N", default_value_t = 50)]
    rate: u32,
    /// Connections at once
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..=60_000))]
    connections: u32,
    /// All requests come from a proxy: no share of connections for each address
    #[arg(long)]
    behind_proxy: bool,
    /// Where 64 hexadecimal digits are, the seed of an ML-DSA-44 key that cosigns too: `file:PATH` or `env:NAME`
    #[cfg(feature = "post-quantum")]
    #[arg(long, value_name = "SOURCE")]
    ml_dsa_seed: Option<String>,
}

/// What `--json` prints when the witness listens.
#[derive(Serialize)]
struct Listening {
    command: &'static str,
    address: String,
    public: bool,
    vkeys: Vec<String>,
    logs: Vec<String>,
}

pub fn run(context: &Context, arguments: &Serve) -> CommandResult {
    let settings = context.settings()?;
    if !arguments.listen.ip().is_loopback() && !arguments.public {
        let text = format!("{} can be reached from other machines", arguments.listen);
        return Err(
            CliError::usage(text).hint("pass `--public`, or listen on 127.0.0.1 behind a proxy with TLS")
        );
    }
    let logs = read_logs(arguments)?;
    let Parts { witness_key, state } = &arguments.parts;
    let vkey = vkey_of_state(state)?;
    let cosigner = open_cosigner(&settings, vkey.name(), witness_key)?;
    #[cfg(feature = "post-quantum")]
    let cosigner = match &arguments.ml_dsa_seed {
        None => cosigner,
        Some(seed) => cosigner.with_post_quantum(open_seed(&settings, seed)?),
    };
    let listening_logs: Vec<String> = logs.origins().map(str::to_owned).collect();
    let vkeys = cosigner.vkeys().iter().map(ToString::to_string).collect();
    let options = Options {
        listen: arguments.listen,
        state: state.clone(),
        logs,
        cosigner,
        behind_proxy: arguments.behind_proxy,
        limits: Limits {
            rate: arguments.rate,
            connections: arguments.connections as usize,
            ..Limits::default()
        },
    };
    let stop = Stop::by_signal().map_err(ServeError::from)?;
    let witness = Witness::bind(options, Arc::new(remark))?;
    let address = format!("http://{}", witness.address().map_err(ServeError::from)?);
    let listening = Listening {
        command: "witness serve",
        address,
        public: arguments.public,
        vkeys,
        logs: listening_logs,
    };
    if context.json {
        Reply::new(listening, |_, _| Ok(()))
            .write(true)
            .map_err(|error| CliError::new(Exit::Unfinished, format!("cannot write the result: {error}")))?;
    } else {
        let (count, vkeys) = (listening.logs.len(), listening.vkeys.join(" "));
        remark(&format!("witness {vkeys} listening on {} for {count} log(s)", listening.address));
    }
    witness.run(&stop).map_err(ServeError::from)?;
    Ok(Reply::silent(Exit::Done))
}

fn read_logs(arguments: &Serve) -> Result<Logs, CliError> {
    let mut logs = Logs::default();
    for vkey in &arguments.log {
        logs.read(vkey).map_err(|error| {
            CliError::usage(format!("`--log`: {error}")).hint("give the key that `greffe witness log` prints")
        })?;
    }
    if let Some(path) = &arguments.logs {
        let shown = path.display().to_string();
        let failed = |error: String| {
            CliError::usage(format!("{}: {error}", Clean(&shown)))
                .hint("write a log's verifier key on each line, as `greffe witness log` prints it")
        };
        let size = std::fs::metadata(path).map_err(|error| failed(error.to_string()))?.len();
        if size > LIST_LIMIT {
            return Err(failed(format!("it has more than {LIST_LIMIT} bytes")));
        }
        let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
        logs.read(&text).map_err(|error| failed(error.to_string()))?;
    }
    if logs.origins().next().is_none() {
        return Err(CliError::usage("no log is named, so there is nothing to witness")
            .hint("name one with `--log VKEY`, or several with `--logs FILE`"));
    }
    Ok(logs)
}

#[cfg(feature = "post-quantum")]
fn open_seed(
    settings: &crate::cli::settings::Settings,
    text: &str,
) -> Result<crate::crypto::MlDsaPrivateKey, CliError> {
    let refused = || {
        CliError::usage("`--ml-dsa-seed` leads to no seed (not shown here)")
            .hint("make one with `openssl rand -hex 32 > witness.seed`, and write `--ml-dsa-seed file:witness.seed`")
    };
    let source = crate::cli::settings::SecretSource::parse(text, std::path::Path::new(""));
    let secret = settings.secret(&source.ok_or_else(refused)?).map_err(|_| refused())?;
    let seed = crate::crypto::Digest::parse_hex(secret.expose().trim()).ok_or_else(refused)?;
    Ok(crate::crypto::MlDsaPrivateKey::from_seed(&seed.0))
}
