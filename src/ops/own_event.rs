//! Appends an event that no database tells of: an erasure, or an access to sealed content.

use std::sync::Arc;

use super::chain::OpenChain;
use super::event::executor;
use super::gate::require_clean;
use super::sealing::Sealing;
use super::{OpenKey, OpsError, Project, now};
use crate::chain::{Block, NewFile};
use crate::crypto::Signer;
use crate::model::{Actor, Cid, Details, Event, EventId, EventKind, Run, Timestamp};

/// An event of `kind` at `at`; its place is filled in when it is appended.
#[must_use]
pub fn own_event(kind: EventKind, actor: &Actor, at: Timestamp, details: Details) -> Event {
    Event {
        chain: None,
        seq: 0,
        prev: None,
        event: kind,
        id: EventId::generate(at),
        started_at: at,
        finished_at: at,
        database_clock: None,
        actor: actor.clone(),
        target: None,
        executor: executor(),
        run: Run { id: EventId::generate(at), ci: None },
        details,
    }
}

/// A chain that is open, with the key that signs what is appended.
pub struct Pen {
    pub chain: OpenChain,
    key: Arc<dyn Signer>,
    actor: Actor,
}

impl Pen {
    /// Opens the project's chain and key.
    ///
    /// # Errors
    /// Those of archive and key, before anything was changed.
    pub fn open(project: &Project, open_key: OpenKey) -> Result<Self, OpsError> {
        let key = open_key()?;
        let chain = OpenChain::open(&project.archive, &project.name, project.lock_wait, None)?;
        super::session::require_same_chain(project, chain.reader.root())?;
        chain.appender.require_signers(&*key)?;
        Ok(Self { chain, key, actor: project.actor.clone() })
    }

    /// As [`Pen::open`] with what is open already.
    #[must_use]
    pub const fn with(chain: OpenChain, key: Arc<dyn Signer>, actor: Actor) -> Self {
        Self { chain, key, actor }
    }

    /// Lets the chain go, and keeps the key for when it is opened again.
    #[must_use]
    pub fn release(self) -> Arc<dyn Signer> {
        self.key
    }

    /// Appends an event; gives its number, its manifest and the new head. Times do not run backwards.
    ///
    /// # Errors
    /// [`OpsError::Unpublishable`] and those of the archive; nothing was appended then.
    pub fn append(&mut self, kind: EventKind, details: Details) -> Result<(u64, Cid, Cid), OpsError> {
        self.append_with(kind, details, Vec::new())
    }

    /// The same with files, none of them to be sealed.
    ///
    /// # Errors
    /// As [`Pen::append`].
    pub fn append_with(
        &mut self,
        kind: EventKind,
        details: Details,
        files: Vec<NewFile>,
    ) -> Result<(u64, Cid, Cid), OpsError> {
        let event = self.event(kind, details)?;
        self.add(event, files)
    }

    /// The same with files, of which those are sealed that are marked so.
    ///
    /// # Errors
    /// As [`Pen::append`], and [`OpsError::Vault`].
    pub async fn append_files(
        &mut self,
        kind: EventKind,
        details: Details,
        files: Vec<NewFile>,
        mut sealing: Sealing,
    ) -> Result<(u64, Cid, Cid), OpsError> {
        let event = self.event(kind, details)?;
        let root = self.chain.reader.root();
        let (event, files) = sealing.seal_marked(root, event, files).await?;
        sealing.keep().await?;
        self.add(event, files)
    }

    fn event(&self, kind: EventKind, details: Details) -> Result<Event, OpsError> {
        let (newest, _) = self.chain.reader.newest()?;
        let newest = self.chain.reader.entry(&newest)?.statement.event.finished_at;
        Ok(own_event(kind, &self.actor, now().max(newest), details))
    }

    fn add(&mut self, event: Event, files: Vec<NewFile>) -> Result<(u64, Cid, Cid), OpsError> {
        let (_, manifest) = self.chain.reader.newest()?;
        let mut blocks: Vec<Block> = Vec::new();
        let cid = self.chain.appender.append(event, files, &[&*self.key], &mut |block| blocks.push(block))?;
        require_clean(&cid, &blocks)?;
        let head = self.chain.store(blocks, &*self.key)?;
        Ok((manifest.seq + 1, cid, head))
    }
}
