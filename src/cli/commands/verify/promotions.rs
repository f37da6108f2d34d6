//! Where chains may be from which something was promoted.

use crate::cli::error::CliError;
use crate::cli::settings::Settings;
use crate::ops::ChainReader;
use crate::ops::promotion::Place;
use crate::ops::source::Source;

/// The file of the settings, and the archives beside this one.
pub fn promotion_places(settings: &Settings) -> Result<Vec<Place>, CliError> {
    let file = settings.promotion_file.as_deref().map(Source::file).transpose()?;
    let archives = ChainReader::all(&settings.archive_directory).into_iter().map(|reader| {
        let head = reader.head();
        Place::new(Source::archive(reader, head), Some(head))
    });
    Ok(file.map(|file| Place::new(file, None)).into_iter().chain(archives).collect())
}
