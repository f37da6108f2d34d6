//! Who this is among peers: the key and the private network of the settings.

use super::context::open_node_key;
use super::error::CliError;
use super::settings::{KeySource, Settings};
use crate::crypto::parse_private_key;
use crate::ops::OpsError;
use crate::store::remote::bitswap::Identity;

/// The identity of `node.key`, or one for this run alone.
pub fn identity(settings: &Settings) -> Result<Identity, CliError> {
    let mut identity = Identity::fresh();
    if settings.node_key.is_some() {
        let key = open_node_key(settings).map_err(OpsError::from)?;
        // A signing key that has a passphrase is not asked for.
        let signing = settings.key_text().ok().and_then(|text| parse_private_key(text.expose(), None).ok());
        let source = settings.key_source.as_ref().and_then(KeySource::text);
        if settings.node_key.as_ref() == source
            || signing.is_some_and(|signing| signing.public() == key.public())
        {
            return Err(CliError::usage("`node.key` is the key that signs events")
                .hint("run `greffe key generate --out greffe.node.pem`, and set `node.key` to `file:greffe.node.pem`"));
        }
        identity = Identity::of_seed(key.seed())
            .ok_or_else(|| CliError::usage("the key of `node.key` is no key of a peer"))?;
    }
    match settings.swarm_key_text()? {
        None => Ok(identity),
        Some(text) => identity.in_network(text.expose()).map_err(|error| {
            CliError::usage(format!("`node.swarm-key`: {error}"))
                .hint("name the `swarm.key` that the network's nodes have, as `file:PATH`")
        }),
    }
}
