//! Alerts to an Alertmanager (version 2 of its interface). It forgets what it is not told again, so it is told of all that
//! is open after each round; for who is told in the end that is one message.

use reqwest::Method;
use serde_json::{Value, json};

use super::super::{Alert, Happened};
use super::{ANSWER_LIMIT, AlertError};
use crate::lang::Words;
use crate::model::Timestamp;
use crate::store::remote::Http;

/// What is not said again for so long counts as over: three days, so that a watch that is down for a weekend, or runs once
/// a day, ends nothing.
const LASTS: i64 = 3 * 86_400 * 1_000_000;
/// Of what happened and is over, people are told for a day.
const HAPPENED_FOR: i64 = 86_400 * 1_000_000;

/// Posts alerts, once.
pub async fn send(http: &Http, alerts: &[Alert], words: &Words) -> Result<(), AlertError> {
    let body = serde_json::to_vec(&alerts.iter().map(|alert| of(alert, words)).collect::<Vec<Value>>())?;
    let request = http.request(Method::POST, "api/v2/alerts", &[])?;
    let request = request.header("content-type", "application/json").body(body);
    http.answer(request, ANSWER_LIMIT).await?.require_success()?;
    Ok(())
}

fn of(alert: &Alert, words: &Words) -> Value {
    let finding = &alert.finding;
    let after = |from: Timestamp, lasts: i64| {
        Timestamp::from_microseconds(from.as_microseconds().saturating_add(lasts)).unwrap_or(from)
    };
    let ends = match alert.happened {
        Happened::Begun if finding.happened => after(alert.since, HAPPENED_FOR),
        Happened::Begun => after(alert.at, LASTS),
        Happened::Ended => alert.at,
    };
    json!({
        "labels": {
            "alertname": "GreffeFinding",
            "chain": alert.name,
            "code": finding.code,
            "severity": finding.code.severity(),
            "subject": finding.subject,
        },
        "annotations": { "summary": finding.text(words), "description": finding.code.rule(words) },
        "startsAt": alert.since.to_string(),
        "endsAt": ends.to_string(),
    })
}
