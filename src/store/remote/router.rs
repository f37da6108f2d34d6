//! Where IPNS records are: delegated routers and gateways (Delegated Routing V1, Trustless Gateway), and Kubo nodes.

use reqwest::Method;
use reqwest::header::{ACCEPT, CONTENT_TYPE};

use super::{Http, Kubo, RemoteError};
use crate::codec::ipns::{IPNS_RECORD_LIMIT, decode_record};
use crate::model::{IpnsName, IpnsRecord};

/// The media type of a record.
const RECORD: &str = "application/vnd.ipfs.ipns-record";

/// Where records are put and asked for.
#[derive(Clone)]
pub struct Router {
    http: Http,
}

impl Router {
    /// The router or gateway of a client.
    #[must_use]
    pub const fn new(http: Http) -> Self {
        Self { http }
    }

    /// Hands a record over.
    ///
    /// # Errors
    /// [`RemoteError`].
    pub async fn put(&self, name: &IpnsName, record: &[u8]) -> Result<(), RemoteError> {
        let path = format!("routing/v1/ipns/{name}");
        let make = || {
            let request = self.http.request(Method::PUT, &path, &[])?;
            Ok(request.header(CONTENT_TYPE, RECORD).body(record.to_vec()))
        };
        self.http.succeed(make, 0).await.map(drop)
    }

    /// The record that is found there, whose signature holds; `None` where there is none.
    ///
    /// # Errors
    /// [`RemoteError`]; [`RemoteError::Malformed`] for what the name's key did not sign.
    pub async fn get(&self, name: &IpnsName) -> Result<Option<IpnsRecord>, RemoteError> {
        // Gateways and routers have it under different paths, and other things under that of the other.
        let mut failure = None;
        for (path, query) in [
            (format!("routing/v1/ipns/{name}"), None),
            (format!("ipns/{name}"), Some(("format", "ipns-record"))),
        ] {
            let make = || {
                let request = self.http.request(Method::GET, &path, query.as_slice())?;
                Ok(request.header(ACCEPT, RECORD))
            };
            match self.http.succeed(make, IPNS_RECORD_LIMIT as u64).await {
                Ok(answer) => match signed(&answer.body, name) {
                    Ok(record) => return Ok(Some(record)),
                    Err(error) => failure = failure.or(Some(error)),
                },
                Err(RemoteError::Refused { status: 400..=499, .. }) => {}
                Err(error @ (RemoteError::NobodyListens | RemoteError::TimedOut(_))) => return Err(error),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        failure.map_or(Ok(None), Err)
    }
}

/// Where a name is asked for.
pub enum Names {
    Router(Router),
    /// Whatever the node's routing finds.
    Kubo(Box<Kubo>),
}

impl Names {
    /// The record that is found there, whose signature holds; `None` where there is none.
    ///
    /// # Errors
    /// Those of [`Router::get`].
    pub async fn get(&self, name: &IpnsName) -> Result<Option<IpnsRecord>, RemoteError> {
        match self {
            Self::Router(router) => router.get(name).await,
            Self::Kubo(kubo) => {
                let record = kubo.get_name(name).await?;
                record.map(|record| signed(&record, name)).transpose()
            }
        }
    }
}

fn signed(record: &[u8], name: &IpnsName) -> Result<IpnsRecord, RemoteError> {
    decode_record(record, name).map_err(|error| RemoteError::Malformed(error.to_string()))
}
