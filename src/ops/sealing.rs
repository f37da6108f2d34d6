//! Seals what is not to be published, before it becomes part of a manifest. Content keys are durable in the vault
//! before anything that they seal is in the archive; a crash in between leaves keys that open nothing.

use super::{OpsError, Project, now};
use crate::chain::NewFile;
use crate::codec::sealed::{SealedFile, seal};
use crate::codec::unixfs::build_file;
use crate::model::{Cid, Details, Event, FileName, MigrationName, Role};
use crate::privacy::publish::found_in;
use crate::privacy::{Judged, Publish};
use crate::scripts::Dialect;
use crate::vault::{Batch, NewKey, Vault};

/// Seals the files of a run.
pub struct Sealing {
    publish: Publish,
    dialect: Dialect,
    place: VaultPlace,
    /// Opened when something has to be sealed.
    open: Option<(Vault, Batch)>,
    /// Keys that are not in the vault yet.
    keys: Vec<NewKey>,
}

/// Where a vault is.
#[derive(Clone)]
pub struct VaultPlace {
    /// With its password.
    pub url: zeroize::Zeroizing<String>,
    /// As messages may show it.
    pub shown: String,
}

impl std::fmt::Debug for VaultPlace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "VaultPlace({})", self.shown)
    }
}

impl VaultPlace {
    /// Opens the vault.
    ///
    /// # Errors
    /// [`OpsError::Vault`].
    pub async fn open(&self) -> Result<Vault, OpsError> {
        Ok(Vault::open(&self.url, &self.shown).await?)
    }
}

impl Sealing {
    /// For a project; nothing is opened yet.
    #[must_use]
    pub fn new(project: &Project) -> Self {
        let (publish, dialect, place) = (project.publish, project.dialect, project.vault.clone());
        Self { publish, dialect, place, open: None, keys: Vec::new() }
    }

    /// Opens the vault where one of these files is to be sealed, so that nothing runs which could not be archived.
    ///
    /// # Errors
    /// [`OpsError::Vault`].
    pub async fn prepare<'a>(
        &mut self,
        chain: Cid,
        mut files: impl Iterator<Item = (&'a str, &'a [u8])>,
    ) -> Result<(), OpsError> {
        if files.any(|(name, bytes)| self.seals(name, bytes)) {
            self.require(chain).await?;
        }
        Ok(())
    }

    /// Whether a file with this name and these bytes is sealed.
    #[must_use]
    pub fn seals(&self, name: &str, bytes: &[u8]) -> bool {
        self.publish == Publish::Sealed || self.publish.seals(&Judged::of(self.dialect, name, bytes))
    }

    /// Opens the vault, where it is not open yet.
    ///
    /// # Errors
    /// [`OpsError::Vault`].
    pub async fn require(&mut self, chain: Cid) -> Result<(), OpsError> {
        if self.open.is_none() {
            let mut vault = self.place.open().await?;
            let batch = vault.begin_batch(chain, now()).await?;
            self.open = Some((vault, batch));
        }
        Ok(())
    }

    /// The event and its files as they may be published. Their keys are kept by [`Sealing::keep`], which comes before
    /// anything is stored. `hides`: what came before of the same migration was sealed, so this is too, whatever is
    /// published by now.
    ///
    /// # Errors
    /// [`OpsError::Vault`].
    pub async fn seal(
        &mut self,
        chain: Cid,
        mut event: Event,
        files: Vec<NewFile>,
        hides: bool,
    ) -> Result<(Event, Vec<NewFile>), OpsError> {
        let seals = |file: &NewFile| self.seals(file.name.as_str(), &file.bytes);
        let marked: Vec<(bool, NewFile)> = files.into_iter().map(|file| (seals(&file), file)).collect();
        // A way down in clear would tell the name of the script that is sealed.
        let all = hides || marked.iter().any(|(seals, file)| *seals && file.role == Role::Up);
        let (mut sealed, mut published) = (Vec::with_capacity(marked.len()), Vec::new());
        for (seals, file) in marked {
            if all || seals { &mut sealed } else { &mut published }.push(file);
        }
        self.withhold(&mut event, all);
        self.seal_all(chain, event, sealed, published).await
    }

    /// The event of which exactly those files are sealed that are marked so, whatever is published. Their keys are kept
    /// by [`Sealing::keep`].
    ///
    /// # Errors
    /// [`OpsError::Vault`].
    pub async fn seal_marked(
        &mut self,
        chain: Cid,
        event: Event,
        files: Vec<NewFile>,
    ) -> Result<(Event, Vec<NewFile>), OpsError> {
        let (sealed, published) = files.into_iter().partition(|file| file.sealed);
        self.seal_all(chain, event, sealed, published).await
    }

    async fn seal_all(
        &mut self,
        chain: Cid,
        mut event: Event,
        sealed: Vec<NewFile>,
        mut published: Vec<NewFile>,
    ) -> Result<(Event, Vec<NewFile>), OpsError> {
        if sealed.is_empty() {
            return Ok((event, published));
        }
        self.require(chain).await?;
        for (number, file) in sealed.into_iter().enumerate() {
            let (role, plain) = (file.role, file.name.clone());
            let file = seal(event.id, number, file.name, file.bytes);
            commit(&mut event, &plain, &file);
            published.push(self.add(&event, role, file));
        }
        Ok((event, published))
    }

    /// Takes out of an event what people wrote and must not be published.
    fn withhold(&self, event: &mut Event, script_is_sealed: bool) {
        let publish = if script_is_sealed { Publish::Sealed } else { self.publish };
        let migration = match &mut event.details {
            Details::Migration(details) => Some(&mut details.migration),
            Details::Repair { migration, .. } => migration.as_mut(),
            _ => None,
        };
        let Some(MigrationName { name, purpose, impact, depends_on, sectors, .. }) = migration else {
            return;
        };
        for list in [depends_on, sectors] {
            list.retain(|word| found_in(word).is_none());
        }
        for text in [name, purpose, impact] {
            if text.as_ref().is_some_and(|text| publish.withholds(text)) {
                *text = None;
            }
        }
    }

    fn add(&mut self, event: &Event, role: Role, file: SealedFile) -> NewFile {
        let SealedFile { name, bytes, kid, key, .. } = file;
        let cid = build_file(&bytes, &mut |_| ());
        self.keys.push(NewKey {
            kid,
            key,
            event: event.id,
            pseudonym: event.actor.pseudonym,
            role,
            file: name.to_string(),
            cid,
            sealed_at: event.finished_at,
        });
        NewFile { name, role, bytes, sealed: true }
    }

    /// Makes the keys durable of all that was sealed so far.
    ///
    /// # Errors
    /// [`OpsError::Vault`]; nothing may be stored then.
    pub async fn keep(&mut self) -> Result<(), OpsError> {
        let keys = std::mem::take(&mut self.keys);
        match &mut self.open {
            Some((vault, batch)) if !keys.is_empty() => Ok(vault.keep(batch, &keys).await?),
            _ => Ok(()),
        }
    }
}

/// Puts the commitment in the place of the digests.
fn commit(event: &mut Event, plain: &FileName, file: &SealedFile) {
    if let Details::Migration(details) = &mut event.details {
        details.digests.remove(plain.as_str());
    }
    if let Some(commitments) = event.commitments_mut() {
        commitments.insert(file.name.to_string(), file.commitment.clone());
    }
}
