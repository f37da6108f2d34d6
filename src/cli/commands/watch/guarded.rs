//! The look at what the guard of the database noted.

use super::looks::nobody;
use crate::cli::context::{block_on, look_at_database, project};
use crate::cli::error::CliError;
use crate::cli::settings::Settings;
use crate::database::{Database, Target as _};
use crate::model::Engine;
use crate::ops::guard::{Guarded, changes_since};
use crate::ops::{OpsError, Project, now};
use crate::watch::{Facts, Found, GuardMemory, rules};

/// Reads what was noted since `before`. Other engines than PostgreSQL have no guard, and nothing is found.
///
/// # Errors
/// Those of database and archive.
pub fn look(settings: &Settings, before: &GuardMemory) -> Result<Found, CliError> {
    if settings.database_url.is_none()
        || Database::engine(settings.database_url()?.expose()) != Some(Engine::Postgresql)
    {
        return Ok(Found::default());
    }
    let project = Project { owner: nobody(), ..project(settings)? };
    let read = block_on(async {
        let Some(mut database) = look_at_database(settings).await? else { return Ok((None, false)) };
        let read = read(&project, &mut database, before).await;
        database.close().await;
        Ok::<_, CliError>(read?)
    })?;
    let (seen, is_set_back) = read?;
    let (findings, memory) = rules::of_guard(seen.as_ref(), before, is_set_back, now());
    Ok(Found { findings, facts: Facts { guard: Some(memory), ..Facts::default() } })
}

/// What was noted since, and whether notes that were read are gone; all of it where the cursor tells nothing.
async fn read(
    project: &Project,
    database: &mut Database,
    before: &GuardMemory,
) -> Result<(Option<Guarded>, bool), OpsError> {
    let seen = changes_since(project, database, before.cursor.clone()).await?;
    let is_set_back = seen.as_ref().is_some_and(|seen| seen.is_set_back);
    let is_other = |seen: &Guarded| seen.id.is_some() && seen.id != before.guard;
    if before.cursor.is_some() && (is_set_back || seen.as_ref().is_some_and(is_other)) {
        return Ok((changes_since(project, database, None).await?, is_set_back));
    }
    Ok((seen, is_set_back))
}
