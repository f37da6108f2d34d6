//! Signs through an SSH agent: the key stays there.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::settings::AgentKeyName;
use crate::codec::ssh_agent::{
    AgentError, AgentKeyKind, MESSAGE_LIMIT, decode_identities, decode_signature, encode_fingerprint,
    encode_identities_request, encode_sign_request,
};
use crate::crypto::{PublicKey, SignError, Signature, Signer};
use crate::ops::KeyUnavailable;

/// How long an agent may take to say which keys it has.
const LISTING: Duration = Duration::from_secs(10);
/// How long it may take to sign: somebody may have to confirm it, or to touch a token.
const SIGNING: Duration = Duration::from_secs(120);

/// Which key of the agent.
pub enum Wanted<'a> {
    Named(&'a AgentKeyName),
    Public(&'a PublicKey),
}

/// A key that an agent has.
#[derive(Debug)]
pub struct AgentKey {
    socket: PathBuf,
    public: PublicKey,
}

impl AgentKey {
    /// Finds the key in the agent that listens at `socket`.
    pub fn open(socket: Option<&Path>, wanted: &Wanted<'_>) -> Result<Self, KeyUnavailable> {
        let unavailable = |message: String, hint: &str| KeyUnavailable { message, hint: hint.to_owned() };
        let Some(socket) = socket else {
            return Err(unavailable(
                "the signing key is in an SSH agent, and none is at hand: SSH_AUTH_SOCK is not set"
                    .to_owned(),
                "start an agent with `eval \"$(ssh-agent)\"`, and add the key with `ssh-add FILE`",
            ));
        };
        let asked = ask(socket, &encode_identities_request(), LISTING)
            .and_then(|body| decode_identities(&body).map_err(|error| error.to_string()));
        let identities = asked.map_err(|reason| {
            unavailable(
                format!("the SSH agent does not answer: {reason}"),
                "run `ssh-add -l` to see whether it runs",
            )
        })?;
        let is_wanted = |kind: &AgentKeyKind, fingerprint| match (wanted, kind) {
            (Wanted::Named(AgentKeyName::Fingerprint(named)), _) => *named == fingerprint,
            (Wanted::Named(AgentKeyName::Key(id)), AgentKeyKind::Ed25519(public)) => public.id() == *id,
            (Wanted::Public(named), AgentKeyKind::Ed25519(public)) => **named == **public,
            _ => false,
        };
        let found = identities.iter().find(|identity| is_wanted(&identity.kind, identity.fingerprint));
        match found.map(|identity| &identity.kind) {
            Some(AgentKeyKind::Ed25519(public)) => Ok(Self { socket: socket.to_owned(), public: **public }),
            Some(AgentKeyKind::SecurityKey) => Err(unavailable(
                "the signing key is one of a security key (sk-ssh-ed25519), which signs flags and a counter with what it is \
                 given; no DSSE signature comes of that"
                    .to_owned(),
                "name a key of type ssh-ed25519, such as `ssh-keygen -t ed25519` makes, or one of a PKCS#11 token",
            )),
            Some(AgentKeyKind::Other) => Err(unavailable(
                "the signing key in the SSH agent is not an Ed25519 key".to_owned(),
                "name a key of type ssh-ed25519, such as `ssh-keygen -t ed25519` makes",
            )),
            None => {
                let fits = |kind: &AgentKeyKind| matches!(kind, AgentKeyKind::Ed25519(_));
                let listed = identities.iter().filter(|identity| fits(&identity.kind));
                let listed: Vec<String> =
                    listed.map(|identity| encode_fingerprint(&identity.fingerprint)).collect();
                let listed = if listed.is_empty() { "none".to_owned() } else { listed.join(", ") };
                Err(unavailable(
                    format!("the SSH agent does not have the signing key; its Ed25519 keys: {listed}"),
                    "add it with `ssh-add FILE`, and name it by the fingerprint that `ssh-add -l` prints",
                ))
            }
        }
    }
}

impl Signer for AgentKey {
    fn public(&self) -> &PublicKey {
        &self.public
    }

    fn sign(&self, message: &[u8]) -> Result<Signature, SignError> {
        let failed = |reason: String| SignError { keyid: self.public.id(), reason };
        let request = encode_sign_request(&self.public, message);
        // What is longer, the agent would hang up on.
        if request.len() > MESSAGE_LIMIT {
            return Err(failed("the event is larger than what an SSH agent signs".to_owned()));
        }
        let body = ask(&self.socket, &request, SIGNING).map_err(failed)?;
        let signature = decode_signature(&body).map_err(|error| {
            failed(match error {
                AgentError::Refused => "the SSH agent refused to sign, or nobody confirmed it".to_owned(),
                other => other.to_string(),
            })
        })?;
        // What an agent hands out is believed when it holds.
        if self.public.verify(message, &signature) {
            Ok(signature)
        } else {
            Err(failed("what the SSH agent returned is no signature by this key".to_owned()))
        }
    }
}

/// One question and its answer, without its length, within a time.
fn ask(socket: &Path, request: &[u8], within: Duration) -> Result<Vec<u8>, String> {
    let until = Instant::now() + within;
    let failed = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut => {
            format!("no answer within {} s", within.as_secs())
        }
        _ => error.to_string(),
    };
    let mut stream = UnixStream::connect(socket).map_err(failed)?;
    stream.set_write_timeout(Some(LISTING)).map_err(failed)?;
    stream.write_all(request).map_err(failed)?;
    let mut length = [0; 4];
    read_exact(&mut stream, &mut length, until).map_err(failed)?;
    let length = u32::from_be_bytes(length) as usize;
    if length == 0 || length > MESSAGE_LIMIT {
        return Err(format!("its answer would have {length} bytes"));
    }
    let mut body = vec![0; length];
    read_exact(&mut stream, &mut body, until).map_err(failed)?;
    Ok(body)
}

/// Fills `bytes`; who sends byte for byte has no more time than others.
fn read_exact(stream: &mut UnixStream, bytes: &mut [u8], until: Instant) -> std::io::Result<()> {
    let mut filled = 0;
    while filled < bytes.len() {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(std::io::ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut bytes[filled..]) {
            Ok(0) => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => filled += read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
