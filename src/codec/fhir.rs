//! Accesses as FHIR R4 (4.0.1) `AuditEvent` resources, for audit repositories of hospitals. Pseudonyms and CIDs alone: who
//! somebody is stands in the vault.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::model::{Access, AccessFailure, AccessKind, Cid, Event, Pseudonym};

/// Systems of the identifiers that are greffe's own.
const PSEUDONYM: &str = "urn:greffe:pseudonym";
const RECIPIENT: &str = "urn:greffe:age-recipient";
const CHAIN: &str = "urn:greffe:chain";
/// The system of identifiers that are URIs.
const URI: &str = "urn:ietf:rfc:3986";
const LIFECYCLE: &str = "http://terminology.hl7.org/CodeSystem/iso-21089-lifecycle";
const ENTITY_TYPE: &str = "http://terminology.hl7.org/CodeSystem/audit-entity-type";

/// An access as a resource. `chain`: manifest 0 of the access chain, `entry`: the manifest of the event in it, `about`:
/// the manifests whose content was opened or granted.
#[must_use]
pub fn audit_event(chain: &Cid, entry: &Cid, event: &Event, about: &[Cid], access: &Access) -> Value {
    let (code, display, action) = match access.kind {
        AccessKind::Open | AccessKind::Serve => ("access", "Access/View Record Lifecycle Event", "R"),
        AccessKind::Grant => ("disclose", "Disclose Record Lifecycle Event", "E"),
    };
    let mut agents = vec![json!({
        "role": [{ "text": event.actor.role }],
        "who": { "identifier": { "system": PSEUDONYM, "value": event.actor.pseudonym } },
        "requestor": true,
    })];
    if let Some(recipient) = &access.recipient {
        agents.push(json!({
            "who": { "identifier": { "system": RECIPIENT, "value": recipient } },
            "requestor": false,
        }));
    }
    // Whoever holds the tokens of a server, each once.
    let holders: BTreeSet<Pseudonym> = access.served.iter().filter_map(|served| served.holder).collect();
    agents.extend(holders.iter().map(|holder| {
        json!({
            "who": { "identifier": { "system": PSEUDONYM, "value": holder } },
            "requestor": true,
        })
    }));
    let (outcome, said) = outcome(access);
    let mut resource = json!({
        "resourceType": "AuditEvent",
        "id": event.id,
        "type": { "system": LIFECYCLE, "code": code, "display": display },
        "action": action,
        "recorded": event.finished_at,
        "outcome": outcome,
        "purposeOfEvent": [{ "text": access.purpose }],
        "agent": agents,
        "source": {
            "observer": {
                "identifier": { "system": CHAIN, "value": chain },
                "display": format!("{} {}", event.executor.name, event.executor.version),
            },
        },
        "entity": entities(entry, about, access),
    });
    if let Some(said) = said {
        resource["outcomeDesc"] = said.into();
    }
    resource
}

/// What came of it: FHIR's code, and why where it failed.
fn outcome(access: &Access) -> (&'static str, Option<&'static str>) {
    match access.failure {
        None => ("0", None),
        Some(AccessFailure::NoKey) => ("4", Some("no key that opens it was there")),
        Some(AccessFailure::Damaged) => ("4", Some("it, or its key, is not what was sealed")),
        Some(AccessFailure::Refused) => ("4", Some("the grant was refused")),
    }
}

/// What was opened, by the entries whose content it is; then the entry that says so.
fn entities(entry: &Cid, about: &[Cid], access: &Access) -> Vec<Value> {
    let entity = |cid: &Cid, name: &str, details: Vec<Value>| {
        json!({
            "what": { "identifier": { "system": URI, "value": format!("ipfs://{cid}") } },
            "type": { "system": ENTITY_TYPE, "code": "4", "display": "Other" },
            "name": name,
            "detail": details,
        })
    };
    let detail = |kind: &str, value: String| json!({ "type": kind, "valueString": value });
    let mut of_chain = vec![detail("chain", access.chain.to_string())];
    of_chain.extend(access.until.map(|until| detail("until", until.to_string())));
    let served = access.served.iter().map(|served| {
        let holder = served.holder.map_or_else(|| "nobody known".to_owned(), |holder| holder.to_string());
        detail("served", format!("{} {} x{} to {holder}", served.what, served.status, served.count))
    });
    let opened = about.iter().map(|cid| entity(cid, "entry whose sealed content it is", of_chain.clone()));
    let of_event = detail("event", "the signed record of this access".to_owned());
    let said = entity(entry, "entry of the access chain", [of_event].into_iter().chain(served).collect());
    opened.chain([said]).collect()
}

/// Resources as a `Bundle` of the type `collection`.
#[must_use]
pub fn bundle(resources: Vec<Value>) -> Value {
    let entry = |resource: Value| {
        let id = resource["id"].as_str().unwrap_or_default().to_owned();
        json!({ "fullUrl": format!("urn:uuid:{id}"), "resource": resource })
    };
    let entries: Vec<Value> = resources.into_iter().map(entry).collect();
    // An empty list is no value in FHIR.
    match entries.is_empty() {
        true => json!({ "resourceType": "Bundle", "type": "collection" }),
        false => json!({ "resourceType": "Bundle", "type": "collection", "entry": entries }),
    }
}
