use std::io::{self, Write};
use std::time::Duration;

use clap::Args;
use serde::Serialize;

use super::replicate::require_assessment;
use crate::cli::context::{Context, block_on, open_publish_key, replicas};
use crate::cli::error::CliError;
use crate::cli::output::{Clean, Reply};
use crate::cli::{CommandResult, Exit};
use crate::ops::OpsError;
use crate::ops::publish::{Published, publish};
use crate::store::remote::{Endpoint, Http, Patience, Router};

/// Point an IPNS name to the archive's head
///
/// Signs an IPNS record with a key of its own (`publish.key`), keeps it beside the archive, where `greffe serve` finds
/// it, and hands it to every Kubo replica and every router. Prints the name and the DNSLink record.
#[derive(Args)]
pub struct Publish {
    /// Also hand it to this delegated router; may be given several times
    #[arg(long, value_name = "URL")]
    router: Vec<String>,
    /// For how long the record holds: `12h`, `7d`
    #[arg(long, value_name = "DURATION", default_value = "7d", value_parser = parse_lifetime)]
    lifetime: Duration,
    /// A domain whose DNSLink record is shown
    #[arg(long, value_name = "DOMAIN", default_value = "example.org")]
    domain: String,
}

/// A place that was given the record.
#[derive(Serialize)]
struct Place {
    url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<String>,
}

#[derive(Serialize)]
struct Shown {
    command: &'static str,
    #[serde(flatten)]
    published: Published,
    /// As it stands in a zone file.
    dnslink: String,
    places: Vec<Place>,
}

/// Reads hours or days, from one hour to a year.
fn parse_lifetime(text: &str) -> Result<Duration, String> {
    let unit = |suffix: &str, hours: u64| text.strip_suffix(suffix)?.parse::<u64>().ok()?.checked_mul(hours);
    let hours = unit("h", 1).or_else(|| unit("d", 24)).filter(|hours| (1..=365 * 24).contains(hours));
    let hours =
        hours.ok_or_else(|| "write hours or days, for instance `12h` or `7d`, at most a year".to_owned())?;
    Ok(Duration::from_secs(hours * 3600))
}

pub fn run(context: &Context, arguments: &Publish) -> CommandResult {
    let settings = context.settings()?;
    require_assessment(&settings)?;
    let patience = Patience { request: Duration::from_secs(10), total: settings.replication_deadline };
    let routers = arguments.router.iter().map(|url| router(url, patience)).collect::<Result<Vec<_>, _>>()?;
    let replicas = replicas(&settings)?;
    let key = open_publish_key(&settings).map_err(OpsError::from)?;
    let published = publish(&settings.archive_directory, settings.name()?, &key, arguments.lifetime)?;
    let places = block_on(async {
        let mut places = Vec::new();
        for replica in &replicas {
            let failure = match replica.replica.put_name(&published.name, &published.record).await {
                Ok(None) => continue,
                Ok(Some(())) => None,
                Err(error) => Some(error.to_string()),
            };
            places.push(Place { url: replica.url.to_string(), failure });
        }
        for (url, router) in routers {
            let failure = router.put(&published.name, &published.record).await.err();
            places.push(Place { url, failure: failure.map(|error| error.to_string()) });
        }
        places
    })?;
    let dnslink =
        format!("_dnslink.{} IN TXT \"dnslink=/ipns/{}\"", Clean(&arguments.domain), published.name);
    let exit =
        if places.iter().all(|place| place.failure.is_none()) { Exit::Done } else { Exit::Undelivered };
    let shown = Shown { command: "publish", published, dnslink, places };
    Ok(Reply::new(shown, show).with_exit(exit))
}

/// The router at a URL.
pub fn router(text: &str, patience: Patience) -> Result<(String, Router), CliError> {
    let refuse = |error: String| CliError::usage(format!("{}: {error}", Clean(text)));
    let endpoint =
        Endpoint::parse(text, false).map_err(|error| CliError::usage(format!("`--router`: {error}")))?;
    let shown = endpoint.to_string();
    let Endpoint::Url(base) = endpoint else {
        return Err(refuse("a router is reached over HTTP".to_owned()));
    };
    let http = Http::new(base, None, patience).map_err(|error| refuse(error.to_string()))?;
    Ok((shown, Router::new(http)))
}

fn show(shown: &Shown, out: &mut dyn Write) -> io::Result<()> {
    let published = &shown.published;
    writeln!(out, "name     /ipns/{}", published.name)?;
    writeln!(out, "head     {}", published.head)?;
    writeln!(out, "sequence {}, valid until {}", published.sequence, published.valid_until)?;
    writeln!(out, "DNSLink  {}", shown.dnslink)?;
    for place in &shown.places {
        match &place.failure {
            None => writeln!(out, "given to {}", Clean(&place.url))?,
            Some(failure) => writeln!(out, "NOT given to {}: {}", Clean(&place.url), Clean(failure))?,
        }
    }
    Ok(())
}
