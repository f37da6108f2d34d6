//! Alerts by webhook: a CloudEvent in the body, signed with a secret that both sides know.

use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::Method;
use sha2::Sha256;
use url::Url;
use zeroize::Zeroizing;

use super::event::cloud_event;
use super::{ANSWER_LIMIT, Alert, AlertError, RemoteError};
use crate::lang::Words;
use crate::store::remote::Http;

/// `sha256=` and HMAC-SHA-256 of the body, in hexadecimal digits.
pub const SIGNATURE: &str = "greffe-signature";

/// A service that takes events.
pub struct Webhook {
    http: Http,
    url: Url,
    secret: Option<Zeroizing<Vec<u8>>>,
}

impl Webhook {
    /// `http`: a client of the service at `url`.
    pub const fn new(http: Http, url: Url, secret: Option<Zeroizing<Vec<u8>>>) -> Self {
        Self { http, url, secret }
    }

    /// Posts an alert, once.
    pub async fn send(&self, alert: &Alert, words: &Words) -> Result<(), AlertError> {
        let body = serde_json::to_vec(&cloud_event(alert, words))?;
        let mut request = self.http.request(Method::POST, self.url.as_str(), &[])?;
        if let Some(secret) = &self.secret {
            request = request.header(SIGNATURE, signature(secret, &body)?);
        }
        let request =
            request.header("content-type", "application/cloudevents+json; charset=utf-8").body(body);
        self.http.answer(request, ANSWER_LIMIT).await?.require_success()?;
        Ok(())
    }
}

fn signature(secret: &[u8], body: &[u8]) -> Result<String, RemoteError> {
    let mac = Hmac::<Sha256>::new_from_slice(secret);
    let mut mac = mac.map_err(|_| RemoteError::Unsupported("the secret is no key"))?;
    mac.update(body);
    Ok(format!("sha256={}", HEXLOWER.encode(&mac.finalize().into_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4231 §4.3.
    #[test]
    fn the_signature_is_that_of_the_standard() {
        assert_eq!(
            signature(b"Jefe", b"what do ya want for nothing?").unwrap(),
            "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }
}
