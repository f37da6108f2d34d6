//! The access chain: each grant and each opening of sealed content is an event in a chain of its own, beside the one whose
//! content it is. It says which entries, why, and by whose pseudonym; never what was in them.

use super::chain::OpenChain;
use super::own_event::Pen;
use super::{OpenKey, OpsError, Project, init};
use crate::model::{Access, ChainName, Cid, Details, EventKind};
use crate::store::ArchiveError;

/// What the name of an access chain ends with.
const SUFFIX: &str = "-access";
/// The most characters of a chain's name.
const NAME_LIMIT: usize = 64;

/// The name of the access chain of `name`.
///
/// # Errors
/// [`OpsError::Name`] never for a name that is one.
pub fn access_name(name: &ChainName) -> Result<ChainName, OpsError> {
    let front: String = name.as_str().chars().take(NAME_LIMIT - SUFFIX.len()).collect();
    Ok(format!("{front}{SUFFIX}").parse()?)
}

/// Records an access before what it opens is handed out; the access chain is begun where there is none. Gives its head.
///
/// # Errors
/// Those of archive and key: nothing may be shown then.
pub fn record_access(
    project: &Project,
    open_key: OpenKey,
    about: Vec<Cid>,
    access: Access,
) -> Result<Cid, OpsError> {
    let key = open_key()?;
    let name = access_name(&project.name)?;
    let open = || OpenChain::open(&project.archive, &name, project.lock_wait, None);
    let chain = match open() {
        Err(OpsError::Archive(ArchiveError::NotFound { .. })) => {
            match init::init(&project.archive, &name, &project.actor, &key) {
                // Another program may have begun it in between.
                Ok(_) | Err(OpsError::Archive(ArchiveError::Exists { .. })) => open()?,
                Err(error) => return Err(error),
            }
        }
        chain => chain?,
    };
    chain.appender.require_signers(&[&key])?;
    let details = Details::Attach { about, access: Some(Box::new(access)) };
    let (_, _, head) = Pen::with(chain, key, project.actor.clone()).append(EventKind::Attach, details)?;
    Ok(head)
}
