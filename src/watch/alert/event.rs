//! An alert as CloudEvents 1.0 (structured content mode, JSON).

use serde_json::{Value, json};

use super::super::{Alert, Happened};
use crate::lang::Words;

/// The event; its `text` is in the language of `words`. Its `id` is the same whenever it is sent again.
#[must_use]
pub fn cloud_event(alert: &Alert, words: &Words) -> Value {
    let chain = alert.chain.map(|chain| chain.to_string());
    let kind = match alert.happened {
        Happened::Begun => "greffe.finding.begun",
        Happened::Ended => "greffe.finding.ended",
    };
    let source =
        chain.as_deref().map_or_else(|| "/greffe".to_owned(), |chain| format!("/greffe/chains/{chain}"));
    json!({
        "specversion": "1.0",
        "id": alert.id,
        "source": source,
        "type": kind,
        "subject": alert.finding.subject,
        "time": alert.at.to_string(),
        "datacontenttype": "application/json",
        "data": {
            "name": alert.name,
            "chain": chain,
            "code": alert.finding.code,
            "severity": alert.finding.code.severity(),
            "subject": alert.finding.subject,
            "parameters": alert.finding.parameters,
            "since": alert.since.to_string(),
            "text": alert.finding.text(words),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::super::super::{Code, Finding};
    use super::*;
    use crate::lang::Language;

    #[test]
    fn it_has_what_the_specification_requires() {
        let alert = Alert {
            id: "1".to_owned(),
            happened: Happened::Begun,
            chain: None,
            name: "demo".to_owned(),
            finding: Finding::new(Code::Fork, "a and b"),
            since: "2026-11-23T20:00:00.000000Z".parse().unwrap(),
            at: "2026-11-23T20:00:00.000000Z".parse().unwrap(),
        };
        let event = cloud_event(&alert, &Words::of(Language::English));
        for member in ["specversion", "id", "source", "type"] {
            assert!(event[member].as_str().is_some_and(|text| !text.is_empty()), "{member}");
        }
        assert_eq!(
            (&event["data"]["code"], &event["data"]["severity"]),
            (&"fork".into(), &"critical".into())
        );
    }
}
