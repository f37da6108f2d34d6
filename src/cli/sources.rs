//! Where blocks are asked for, as flags say it.

use std::path::Path;
use std::time::Duration;

use clap::Args;

use super::Exit;
use super::context::{Context, replicas};
use super::error::CliError;
use super::output::{Clean, remark};
use super::settings::{Settings, parse_duration};
use crate::model::{Cid, IpnsName};
use crate::ops::fetch::SourceState;
use crate::ops::publish::{Passed, resolve};
use crate::store::remote::{
    Endpoint, EndpointError, Http, Kubo, NamedReplica, NamedSource, Names, Patience, RemoteError, ReplicaUrl,
    Router, SourceUrl,
};

/// How many requests' time one block may take in all.
const TRIES: u32 = 3;

/// Sources beside the archive and the replicas of the settings.
#[derive(Args, Clone)]
pub struct SourceArguments {
    /// Where blocks may be fetched: a gateway (`https://…`), a replica (`kubo:http://127.0.0.1:5001`), or a Bitswap
    /// peer (`/ip4/…/tcp/…/p2p/ID`); may be given more than once
    #[arg(long, value_name = "URL")]
    pub from: Vec<String>,
    /// A source may be on another machine and not encrypted; all that it sends is hashed
    #[arg(long)]
    insecure: bool,
    /// How long a source may be silent
    #[arg(long, value_name = "DURATION", default_value = "10s", hide_short_help = true)]
    source_timeout: String,
}

impl SourceArguments {
    /// How long the sources of `--from` are waited for.
    pub fn patience(&self) -> Result<Patience, CliError> {
        let request = parse_duration(&self.source_timeout).filter(|request| !request.is_zero());
        let request: Duration = request.ok_or_else(|| {
            CliError::usage("`--source-timeout` is no duration").hint("write it like `500ms`, `10s` or `1m`")
        })?;
        Ok(Patience { request, total: request * TRIES })
    }

    /// The replicas of the settings, then what `--from` names.
    pub fn open(&self, settings: &Settings) -> Result<Vec<NamedSource>, CliError> {
        let patience = self.patience()?;
        let replicas = replicas(settings)?.into_iter().filter(|replica| replica.replica.gives_blocks());
        let mut sources: Vec<NamedSource> = replicas.map(Into::into).collect();
        for text in &self.from {
            #[cfg(feature = "bitswap")]
            if let Ok(SourceUrl::Peer(address)) = SourceUrl::parse(text, Path::new(""), false) {
                let identity = super::peers::identity(settings)?;
                sources.push(NamedSource::peer(&address, identity, patience));
                continue;
            }
            let url =
                SourceUrl::parse(text, Path::new(""), self.insecure).map_err(|error| refused_url(&error))?;
            sources.push(NamedSource::new(&url, patience).map_err(refused)?);
        }
        Ok(sources)
    }

    /// The CID that a target names: an IPNS name (`/ipns/k51…`) is asked for at the gateways, routers and Kubo nodes of
    /// `--from` and the settings, and the record with the highest sequence counts; any other text stays what it is.
    pub async fn resolve(&self, settings: &Settings, target: &str) -> Result<String, CliError> {
        let Some(name) = parse_name(target)? else { return Ok(target.to_owned()) };
        let places = self.names(settings)?;
        if places.is_empty() {
            return Err(no_names());
        }
        let resolved = resolve(name, &places).await.map_err(|error| {
            CliError::new(Exit::Unfinished, error.to_string())
                .hint("run `greffe publish` where the chain is written, or give the CID of its head")
        })?;
        for (place, failure) in &resolved.failures {
            remark(&format!("note: {}: {failure}", Clean(place)));
        }
        if let Some(Passed { place, sequence, until }) = &resolved.passed {
            remark(&format!(
                "note: {}: its record has sequence {sequence}, which is later than the {} that is followed, and \
                 expired at {until}: what it led to may be newer",
                Clean(place),
                resolved.record.sequence
            ));
        }
        Ok(resolved.record.head.to_string())
    }

    /// Where IPNS names are asked for: at the Kubo nodes of the settings, and what `--from` names.
    pub fn names(&self, settings: &Settings) -> Result<Vec<(String, Names)>, CliError> {
        let patience = self.patience()?;
        let mut places = Vec::new();
        for replica in replicas(settings)? {
            let NamedReplica { name, replica, .. } = replica;
            places.extend(replica.into_kubo().map(|kubo| (name, Names::Kubo(Box::new(kubo)))));
        }
        for text in &self.from {
            let names = match SourceUrl::parse(text, Path::new(""), self.insecure) {
                Ok(SourceUrl::Gateway(Endpoint::Url(base))) => {
                    Names::Router(Router::new(Http::new(base, None, patience).map_err(refused)?))
                }
                Ok(SourceUrl::Replica(ReplicaUrl::Kubo(endpoint))) => {
                    Names::Kubo(Box::new(Kubo::new(&endpoint, None, patience).map_err(refused)?))
                }
                _ => continue,
            };
            places.push((text.clone(), names));
        }
        Ok(places)
    }

    /// The gateways of `--from`, which may be a log's, too.
    pub fn gateways(&self) -> Result<Vec<(String, Http)>, CliError> {
        let patience = self.patience()?;
        let parsed =
            self.from.iter().map(|text| (text, SourceUrl::parse(text, Path::new(""), self.insecure)));
        let gateways = parsed.filter_map(|(text, url)| match url {
            Ok(SourceUrl::Gateway(Endpoint::Url(base))) => Some((text, base)),
            _ => None,
        });
        let open = |(text, base): (&String, _)| {
            Ok((text.clone(), Http::new(base, None, patience).map_err(refused)?))
        };
        gateways.map(open).collect()
    }
}

fn refused(error: RemoteError) -> CliError {
    CliError::usage(format!("`--from` cannot be used: {error}")).hint(FROM)
}

/// Nobody can be asked for an IPNS name.
pub fn no_names() -> CliError {
    CliError::usage("an IPNS name is asked for at gateways, routers and Kubo nodes, and none is named")
        .hint("add `--from https://gateway.example.org`")
}

const FROM: &str =
    "write it like `--from https://gateway.example.org` or `--from kubo:http://127.0.0.1:5001`";

/// A flag has no further keys, as a replica in the settings has.
fn refused_url(error: &EndpointError) -> CliError {
    let (text, hint) = match error {
        EndpointError::Password => (
            "it holds a user or password, which every user of this machine could read there".to_owned(),
            "name the place as a `[[replica]]` of greffe.toml, with `authorization = \"env:NAME\"`",
        ),
        EndpointError::Plain => (
            "plain `http:` to another machine can be read and changed on the way".to_owned(),
            "use `https:` or a tunnel, or pass `--insecure`: all that is sent is hashed",
        ),
        error => (error.to_string(), FROM),
    };
    CliError::usage(format!("`--from` cannot be used: {text}")).hint(hint)
}

/// The name in `/ipns/NAME`, `ipns://NAME` or `k51…`; `None` for what does not look like one.
pub fn parse_name(text: &str) -> Result<Option<IpnsName>, CliError> {
    let looks = text.starts_with("/ipns/") || text.starts_with("ipns://") || text.starts_with("k51");
    if !looks || Path::new(text).exists() {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|error| CliError::usage(format!("{}: {error}", Clean(text))))
}

/// The CID in `ipfs://CID`, `/ipfs/CID` or `CID`.
pub fn parse_cid(text: &str) -> Option<Cid> {
    let cid = text.strip_prefix("ipfs://").or_else(|| text.strip_prefix("/ipfs/")).unwrap_or(text);
    cid.trim_end_matches('/').parse().ok()
}

/// Says which sources did something wrong.
pub fn remark_faults(context: &Context, sources: &[SourceState]) {
    for source in sources.iter().filter(|_| !context.quiet) {
        let Some(fault) = &source.fault else { continue };
        let then = if source.dropped { "; it was not asked again" } else { "" };
        remark(&format!("note: {}: {}{then}", Clean(&source.name), Clean(fault)));
    }
}
