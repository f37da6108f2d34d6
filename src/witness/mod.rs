//! A witness for other people's logs (C2SP tlog-witness): cosigns a checkpoint when it continues the one that it
//! cosigned last.
//!
//! What it saw last is all that it keeps, in SQLite, and that is checked and kept in one transaction, durable before
//! anything is signed. Its promise is worth what its memory is: it does not begin anew with a key that has signed
//! before. No archive is opened here, and no log is believed.

mod answer;
mod logs;
mod state;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use self::logs::{Logs, LogsError};
pub use self::state::{State, StateError};
use crate::codec::cosignature::cosign;
use crate::codec::note::NoteSignature;
use crate::codec::vkey::Vkey;
#[cfg(feature = "post-quantum")]
use crate::crypto::MlDsaPrivateKey;
use crate::crypto::PrivateKey;
use crate::server::{Limits, Listener, ServeError, Stop};

/// Says something to whoever runs the witness.
pub type Report = Arc<dyn Fn(&str) + Send + Sync>;

/// The keys of a witness.
#[derive(Clone)]
pub struct Cosigner {
    vkey: Vkey,
    key: PrivateKey,
    #[cfg(feature = "post-quantum")]
    post_quantum: Option<(Vkey, MlDsaPrivateKey)>,
}

impl Cosigner {
    /// A witness of this name; `None` when it is not one that a key can have.
    #[must_use]
    pub fn new(name: &str, key: PrivateKey) -> Option<Self> {
        let vkey = Vkey::cosignature(name, *key.public())?;
        Some(Self {
            vkey,
            key,
            #[cfg(feature = "post-quantum")]
            post_quantum: None,
        })
    }

    /// The same, which also cosigns with ML-DSA-44 under its name.
    #[cfg(feature = "post-quantum")]
    #[must_use]
    pub fn with_post_quantum(self, key: MlDsaPrivateKey) -> Self {
        let vkey = Vkey::ml_dsa(self.vkey.name(), key.public());
        Self { post_quantum: vkey.map(|vkey| (vkey, key)), ..self }
    }

    /// The keys by which others know it.
    #[must_use]
    pub fn vkeys(&self) -> Vec<&Vkey> {
        #[cfg(feature = "post-quantum")]
        let more = self.post_quantum.as_ref().map(|(vkey, _)| vkey);
        #[cfg(not(feature = "post-quantum"))]
        let more = None;
        [Some(&self.vkey), more].into_iter().flatten().collect()
    }

    /// The lines that say that it has seen this checkpoint.
    fn cosign(&self, time: u64, text: &str) -> Vec<NoteSignature> {
        #[cfg(feature = "post-quantum")]
        let more = self
            .post_quantum
            .as_ref()
            .and_then(|(vkey, key)| crate::codec::cosignature::cosign_ml_dsa(vkey, key, time, text));
        #[cfg(not(feature = "post-quantum"))]
        let more = None;
        [Some(cosign(&self.vkey, &self.key, time, text)), more].into_iter().flatten().collect()
    }
}

/// What is witnessed, where, and for how many at once.
pub struct Options {
    pub listen: SocketAddr,
    /// Its memory.
    pub state: PathBuf,
    pub logs: Logs,
    pub cosigner: Cosigner,
    pub behind_proxy: bool,
    pub limits: Limits,
}

/// Why there is no witness.
#[derive(Debug, thiserror::Error)]
pub enum WitnessError {
    #[error(transparent)]
    State(#[from] StateError),
    #[error(transparent)]
    Serve(#[from] ServeError),
}

/// A witness that listens and does not yet answer.
pub struct Witness {
    listener: Listener,
    desk: Arc<answer::Desk>,
}

impl Witness {
    /// Opens its memory and listens.
    ///
    /// # Errors
    /// [`WitnessError`]; [`StateError::Missing`] and [`StateError::OtherKey`] where it has no memory of what its key
    /// signed.
    pub fn bind(options: Options, report: Report) -> Result<Self, WitnessError> {
        let state = blocking(State::open(&options.state, &options.cosigner.vkey))?;
        let listener = Listener::bind(options.listen, options.limits, options.behind_proxy)?.taking_bodies();
        let Options { logs, cosigner, limits, .. } = options;
        let desk = Arc::new(answer::Desk::new(state, logs, cosigner, limits.request, report));
        Ok(Self { listener, desk })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// Those of the system.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.address()
    }

    /// Answers until it is stopped, and then as long as the grace lasts.
    ///
    /// # Errors
    /// Those of the system.
    pub fn run(self, stop: &Stop) -> std::io::Result<()> {
        self.listener.run(answer::routes(&self.desk), stop)
    }
}

/// Makes the memory of a witness that has signed nothing yet.
///
/// # Errors
/// [`StateError`]; there may be none before.
pub fn create_state(path: &Path, cosigner: &Cosigner) -> Result<(), StateError> {
    blocking(State::create(path, &cosigner.vkey))
}

/// The key that a memory belongs to.
///
/// # Errors
/// [`StateError`].
pub fn vkey_of_state(path: &Path) -> Result<Vkey, StateError> {
    blocking(State::vkey(path))
}

fn blocking<T>(work: impl Future<Output = Result<T, StateError>>) -> Result<T, StateError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    runtime.map_err(|error| StateError::Runtime(error.to_string()))?.block_on(work)
}
