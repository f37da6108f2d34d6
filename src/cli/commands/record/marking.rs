//! Has the sessions of a tool say for which run of greffe they work, where a guard of the schema listens.

use crate::cli::context::{Context, block_on, look_at_database, takes_run};
use crate::cli::output::remark;
use crate::cli::settings::Settings;
use crate::database::Target as _;
use crate::model::EventId;

/// What drivers that are libpq, or do as it does, give to the server when a session begins.
const VARIABLE: &str = "PGOPTIONS";

/// Variables for the tool; none where nobody listens, or where such a session could not begin.
pub fn variables(context: &Context, settings: &Settings, run: EventId) -> Vec<(String, String)> {
    match block_on(is_guarded(settings)) {
        Ok(true) => {}
        // Whatever keeps it from being seen is told by what looks at the database for the run's own sake.
        Ok(false) | Err(_) => return Vec::new(),
    }
    if !block_on(takes_run(settings, run)).unwrap_or(false) {
        if !context.quiet {
            remark(
                "note: no session with options of its own can begin here, so the guard cannot tell this run from others\n\
                 hint: let the pooler pass `options`, or name the server itself as `database.url`",
            );
        }
        return Vec::new();
    }
    let own = context.environment.get(VARIABLE).and_then(|value| value.to_str()).unwrap_or_default();
    vec![(VARIABLE.to_owned(), format!("{own} -c greffe.run={run}").trim_start().to_owned())]
}

async fn is_guarded(settings: &Settings) -> bool {
    let Ok(Some(mut database)) = look_at_database(settings).await else { return false };
    let found = database.guard().await;
    database.close().await;
    matches!(found, Ok(Some(_)))
}
