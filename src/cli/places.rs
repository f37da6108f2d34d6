//! Where replicas are: a place that is another one's, or the archive's own, is no copy of it.

use std::path::{Component, Path, PathBuf};

use super::error::CliError;
use super::settings::Settings;
use crate::store::remote::ReplicaUrl;

/// Refuses to ask for more replicas than there are: they could never answer.
pub fn require_as_many(settings: &Settings) -> Result<(), CliError> {
    let (required, there) = (settings.replication_required, settings.replicas.len());
    if required <= there {
        return Ok(());
    }
    let text = format!("`replication.required` is {required}, and greffe.toml has {there} replica(s)");
    Err(CliError::usage(text).hint("lower it (`--required N`), or add a `[[replica]]`; see docs/replicas.md"))
}

/// Refuses a replica that is the archive itself, or where another one is.
pub fn require_apart(settings: &Settings) -> Result<(), CliError> {
    let own = settle(&archive_file(settings, &settings.archive_directory));
    let refused = |name: &str, of: &str| {
        let text = format!("replica {name}: its `url` is the place of {of}, so it is no other copy");
        Err(CliError::usage(text).hint("name a place on another disk or machine, or remove the replica"))
    };
    let mut places: Vec<(&str, Place)> = Vec::new();
    for replica in &settings.replicas {
        let place = match &replica.url {
            ReplicaUrl::Archive(folder) => Place::File(settle(&archive_file(settings, folder))),
            ReplicaUrl::Car(file) => Place::File(settle(file)),
            elsewhere => Place::Elsewhere(elsewhere.clone()),
        };
        if matches!(&place, Place::File(file) if *file == own) {
            return refused(&replica.name, "the archive itself");
        }
        if let Some((other, _)) = places.iter().find(|(_, other)| *other == place) {
            return refused(&replica.name, &format!("the replica {other}"));
        }
        places.push((&replica.name, place));
    }
    Ok(())
}

#[derive(PartialEq, Eq)]
enum Place {
    File(PathBuf),
    Elsewhere(ReplicaUrl),
}

/// The file of the chain's archive in a folder; without a name, of any.
fn archive_file(settings: &Settings, folder: &Path) -> PathBuf {
    let name = settings.name.as_ref().map(ToString::to_string).unwrap_or_default();
    folder.join(format!("{name}.car"))
}

/// The path without links and detours, also of what is not there yet.
fn settle(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut settled = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => _ = settled.pop(),
            part => settled.push(part),
        }
        if let Ok(found) = settled.canonicalize() {
            settled = found;
        }
    }
    settled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_the_same_however_it_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let at = |text: &str| settle(&folder.path().join(text));
        std::fs::create_dir(folder.path().join("archive")).unwrap();
        std::os::unix::fs::symlink("archive", folder.path().join("link")).unwrap();
        let here = at("archive/demo.car");
        for text in
            ["./archive/demo.car", "link/demo.car", "none/../archive/./demo.car", "link/../archive/demo.car"]
        {
            assert_eq!(at(text), here, "{text}");
        }
        assert_ne!(at("copy/demo.car"), here);
        assert_eq!(at("none/a/../b"), at("none/b"));
    }
}
