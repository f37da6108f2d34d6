//! Alerts to an Alertmanager (version 2 of its interface). It holds an alert until it is told its end.

use reqwest::Method;
use serde_json::{Value, json};

use super::super::{Alert, Happened};
use super::{ANSWER_LIMIT, AlertError};
use crate::model::Timestamp;
use crate::store::remote::Http;

/// An alert that nobody ends: an Alertmanager would else end it after minutes, and `greffe watch` tells it once.
const LASTS: i64 = 365 * 86_400 * 1_000_000;
/// Of what happened and is over, people are told for a day.
const HAPPENED_FOR: i64 = 86_400 * 1_000_000;

/// Posts an alert, once.
pub async fn send(http: &Http, alert: &Alert) -> Result<(), AlertError> {
    let body = serde_json::to_vec(&json!([of(alert)]))?;
    let request = http.request(Method::POST, "api/v2/alerts", &[])?;
    let request = request.header("content-type", "application/json").body(body);
    http.answer(request, ANSWER_LIMIT).await?.require_success()?;
    Ok(())
}

fn of(alert: &Alert) -> Value {
    let finding = &alert.finding;
    let lasts = if finding.happened { HAPPENED_FOR } else { LASTS };
    let ends = match alert.happened {
        Happened::Begun => {
            let end = Timestamp::from_microseconds(alert.since.as_microseconds().saturating_add(lasts));
            end.unwrap_or(alert.since)
        }
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
        "annotations": { "summary": finding.text(), "description": finding.code.rule() },
        "startsAt": alert.since.to_string(),
        "endsAt": ends.to_string(),
    })
}
