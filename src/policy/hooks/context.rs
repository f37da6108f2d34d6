//! What a hook is told: one JSON document, the same for every hook of an event. Its schema is [`super::SCHEMA`].
//!
//! It says what would run and what came of it. It never holds a secret, a value of a row, a person's name, a script's text,
//! or what a migration says of itself in words.

use serde::Serialize;

use super::HookEvent;
use crate::crypto::Digest;
use crate::model::{Cid, Direction, Engine, EventId, Timestamp};

/// The version of the document.
const VERSION: &str = "hook/1";
const WEEKDAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
const DAY: i64 = 86_400_000_000;

/// The document. All members are always there, in this order; what does not apply is null.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Context {
    greffe: &'static str,
    pub event: HookEvent,
    /// The run's identifier; its events in the archive have the same.
    pub run: Option<EventId>,
    /// The chain's name.
    pub project: String,
    pub chain: Option<Cid>,
    pub environment: Option<String>,
    /// Those of the settings and of the migrations, folded, each once.
    pub sectors: Vec<String>,
    pub at: Moment,
    pub target: Option<Target>,
    pub direction: Option<Direction>,
    pub counts: Counts,
    /// What the run is about, in its order; empty for an event of each migration.
    pub migrations: Vec<Migration>,
    /// What an event of each migration is about.
    pub migration: Option<Migration>,
    /// The schema's fingerprint, as far as it was taken.
    pub schema: Option<Schema>,
    /// Digest of the plan.
    #[serde(serialize_with = "prefixed")]
    pub plan: Option<Digest>,
    /// What came of it; null before it began.
    pub outcome: Option<Outcome>,
}

/// A time in UTC. A hook has no clock, so that it can be asked again later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Moment {
    pub time: Timestamp,
    pub weekday: &'static str,
    pub hour: u8,
}

impl Moment {
    /// The moment of a time.
    #[must_use]
    pub fn of(time: Timestamp) -> Self {
        let microseconds = time.as_microseconds();
        // 1970 began on a Thursday.
        let weekday = usize::try_from((microseconds.div_euclid(DAY) + 3).rem_euclid(7)).unwrap_or_default();
        let hour = u8::try_from(microseconds.rem_euclid(DAY) / (DAY / 24)).unwrap_or_default();
        Self { time, weekday: WEEKDAYS[weekday], hour }
    }
}

/// The database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Target {
    pub name: String,
    pub engine: Engine,
    /// Of the server, where it was asked.
    pub version: Option<String>,
}

/// How many.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Migrations that count as applied when the run begins.
    pub applied: u64,
    /// Migrations that the run is about.
    pub migrations: u64,
    /// Statements in their scripts.
    pub statements: u64,
}

/// A migration, as far as the archive tells of it in clear.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Migration {
    pub version: String,
    pub sectors: Vec<String>,
    pub depends_on: Vec<String>,
    pub documented: Documented,
    /// Whether there is a way down.
    pub has_down: bool,
    /// Whether the script runs in a transaction.
    pub transaction: bool,
    /// The kinds of its statements, each once, in their order, such as `CREATE TABLE`.
    pub kinds: Vec<String>,
    pub statements: u64,
}

/// What the script's header says something about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Documented {
    pub purpose: bool,
    pub impact: bool,
    pub rollback: bool,
}

/// The schema's fingerprint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Schema {
    pub algorithm: String,
    #[serde(serialize_with = "prefixed")]
    pub fingerprint: Option<Digest>,
}

/// How something ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    /// `succeeded`, `failed`, or `denied` by a hook.
    pub result: &'static str,
    /// Versions that the run applied or rolled back.
    pub done: Vec<String>,
    /// How many events are in the archive by it.
    pub archived: u64,
    pub head: Option<Cid>,
    pub error: Option<Failure>,
}

/// Why a script failed, without the database's text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// Of the script, where it was one.
    pub version: Option<String>,
    /// SQLSTATE or the engine's own number; otherwise a word.
    pub code: String,
    /// Which statement, from 1.
    pub statement: Option<u64>,
}

impl Context {
    /// A document that says nothing but the event, the project and the time.
    #[must_use]
    pub fn new(event: HookEvent, project: &str, at: Timestamp) -> Self {
        Self {
            greffe: VERSION,
            event,
            run: None,
            project: project.to_owned(),
            chain: None,
            environment: None,
            sectors: Vec::new(),
            at: Moment::of(at),
            target: None,
            direction: None,
            counts: Counts::default(),
            migrations: Vec::new(),
            migration: None,
            schema: None,
            plan: None,
            outcome: None,
        }
    }

    /// The same for another event: its list for an event of the run, one migration for an event of each.
    #[must_use]
    pub fn at_event(&self, event: HookEvent, migration: Option<&Migration>) -> Self {
        Self {
            greffe: self.greffe,
            event,
            run: self.run,
            project: self.project.clone(),
            chain: self.chain,
            environment: self.environment.clone(),
            sectors: self.sectors.clone(),
            at: self.at.clone(),
            target: self.target.clone(),
            direction: self.direction,
            counts: self.counts.clone(),
            // Not copied for each of them: that would be the square of their number.
            migrations: if event.is_each() { Vec::new() } else { self.migrations.clone() },
            migration: migration.cloned(),
            schema: self.schema.clone(),
            plan: self.plan,
            outcome: self.outcome.clone(),
        }
    }

    /// Its bytes: one line of JSON.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// An example, of a run that applies two migrations, for trying a hook.
    #[must_use]
    pub fn example(event: HookEvent) -> Self {
        let migration = |version: &str, kinds: &[&str]| Migration {
            version: version.to_owned(),
            sectors: vec!["sante".to_owned()],
            depends_on: Vec::new(),
            documented: Documented { purpose: true, impact: true, rollback: true },
            has_down: true,
            transaction: true,
            kinds: kinds.iter().map(|kind| (*kind).to_owned()).collect(),
            statements: kinds.len() as u64,
        };
        let migrations =
            vec![migration("1", &["CREATE TABLE"]), migration("2", &["ALTER TABLE", "CREATE INDEX"])];
        // A Monday, at ten.
        let at = Timestamp::from_seconds(1_796_637_600).unwrap_or_else(|| Moment::epoch().time);
        let mut context = Self::new(event, "example", at);
        let first = event.is_each().then(|| migrations[0].clone());
        context.environment = Some("staging".to_owned());
        context.sectors = vec!["sante".to_owned()];
        context.target = Some(Target {
            name: "example".to_owned(),
            engine: Engine::Postgresql,
            version: Some("18.0".to_owned()),
        });
        context.direction = Some(Direction::Up);
        context.counts = Counts { applied: 0, migrations: 2, statements: 3 };
        context.migrations = migrations;
        if !event.is_before() {
            let result = if event.to_string().starts_with("afterError") { "failed" } else { "succeeded" };
            let outcome = Outcome { result, done: Vec::new(), archived: 0, head: None, error: None };
            context.outcome = Some(outcome);
        }
        context.at_event(event, first.as_ref())
    }
}

impl Moment {
    fn epoch() -> Self {
        Self {
            time: Timestamp::from_microseconds(0).expect("1970 is a year that can be written"),
            weekday: "thursday",
            hour: 0,
        }
    }
}

fn prefixed<S: serde::Serializer>(digest: &Option<Digest>, serializer: S) -> Result<S::Ok, S::Error> {
    match digest {
        Some(digest) => serializer.serialize_str(&digest.to_prefixed()),
        None => serializer.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn moments_have_weekday_and_hour_in_utc() {
        for (time, weekday, hour) in [
            ("1970-01-01T00:00:00.000000Z", "thursday", 0),
            ("1969-12-31T23:59:59.999999Z", "wednesday", 23),
            ("2026-11-23T15:20:00.000001Z", "monday", 15),
            ("2024-02-29T12:00:00.000000Z", "thursday", 12),
        ] {
            let moment = Moment::of(at(time));
            assert_eq!((moment.weekday, moment.hour), (weekday, hour), "{time}");
        }
    }

    #[test]
    fn every_document_follows_its_schema() {
        let schema: Value = serde_json::from_str(super::super::SCHEMA).unwrap();
        for event in HookEvent::all() {
            let document: Value = serde_json::from_slice(&Context::example(event).to_bytes()).unwrap();
            follows(&schema, &schema, &document, "");
        }
        let events: Vec<String> = HookEvent::all().map(|event| event.to_string()).collect();
        assert_eq!(schema["properties"]["event"]["enum"], serde_json::json!(events));
    }

    /// Whether a document follows the words of JSON Schema that our schema uses.
    fn follows(root: &Value, schema: &Value, value: &Value, path: &str) {
        if let Some(reference) = schema["$ref"].as_str() {
            let name = reference.strip_prefix("#/$defs/").unwrap();
            return follows(root, &root["$defs"][name], value, path);
        }
        if let Some(any) = schema["anyOf"].as_array() {
            let found = if value.is_null() { &any[1] } else { &any[0] };
            return follows(root, found, value, path);
        }
        let kind = match value {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Number(_) => "integer",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        };
        let allowed = |wanted: &Value| match wanted {
            Value::Array(kinds) => kinds.contains(&kind.into()),
            wanted => *wanted == kind,
        };
        assert!(schema.get("type").is_none_or(allowed), "{path} is of type {kind}");
        if let Some(allowed) = schema["enum"].as_array() {
            assert!(allowed.contains(value), "{path} is {value}");
        }
        assert!(schema.get("const").is_none_or(|constant| constant == value), "{path} is {value}");
        if let Value::Object(members) = value {
            let known = schema["properties"].as_object().unwrap();
            let required: Vec<&str> =
                schema["required"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
            assert_eq!(known.keys().len(), required.len(), "{path}: all members are always there");
            assert!(required.iter().all(|name| members.contains_key(*name)), "{path} lacks a member");
            for (name, member) in members {
                let described =
                    known.get(name).unwrap_or_else(|| panic!("{path}/{name} is not in the schema"));
                follows(root, described, member, &format!("{path}/{name}"));
            }
        }
        for item in value.as_array().into_iter().flatten() {
            follows(root, &schema["items"], item, &format!("{path}[]"));
        }
    }

    #[test]
    fn the_same_document_has_the_same_bytes() {
        let context = Context::example("beforeMigrate".parse().unwrap());
        assert_eq!(context.to_bytes(), context.clone().to_bytes());
        let text = String::from_utf8(context.to_bytes()).unwrap();
        assert!(
            text.starts_with(r#"{"greffe":"hook/1","event":"beforeMigrate","run":null,"project":"example","#),
            "{text}"
        );
        assert!(!text.contains('\n'));
    }

    #[test]
    fn an_event_of_each_migration_is_about_one() {
        let run = Context::example("beforeMigrate".parse().unwrap());
        let each = run.at_event("beforeEachMigrate".parse().unwrap(), run.migrations.first());
        assert_eq!((run.migrations.len(), each.migrations.len()), (2, 0));
        assert_eq!(each.migration.unwrap().version, "1");
    }
}
