//! The OpenAPI 3.1 document of what is served, made from the table of routes.

use std::sync::LazyLock;

use axum::body::Bytes;
use axum::response::Response;
use serde_json::{Map, Value, json};

use super::answer::answer;
use super::api::JSON;
use super::table::{Form, Parameter, ROUTES, Route};
use crate::model::Scope;

/// For a document that another version of the program may change.
const AN_HOUR: &str = "public, max-age=3600";
/// Answers that every path has.
const ALWAYS: [(u16, &str); 8] = [
    (400, "the request cannot be read"),
    (401, "a token is needed, or the one that was shown does not count"),
    (403, "the token is not for this"),
    (404, "it is not here"),
    (413, "no request here has a body"),
    (421, "asked for by a name that is not this server's"),
    (429, "too many requests, or too many tokens that do not count: `Retry-After` says when to ask again"),
    (503, "too much at once, or something is missing here: `Retry-After` says when to ask again"),
];

/// Answers with the document.
pub async fn get() -> Response {
    static TEXT: LazyLock<Bytes> = LazyLock::new(|| Bytes::from(document().to_string()));
    answer(JSON, AN_HOUR, TEXT.clone())
}

/// The document.
#[must_use]
pub fn document() -> Value {
    let mut paths = Map::new();
    for route in &ROUTES {
        paths
            .insert(path(route), json!({ "get": operation(route, "get"), "head": operation(route, "head") }));
    }
    let scopes = Scope::ALL.map(Scope::as_str).join("`, `");
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "greffe serve",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "A decentralized audit archive for database migrations, read only",
            "license": { "name": "AGPL-3.0-or-later", "identifier": "AGPL-3.0-or-later" },
        },
        "servers": [{ "url": "/" }],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": format!("made by `greffe token new`; its scopes are among `{scopes}`"),
                },
            },
        },
    })
}

/// The path as OpenAPI writes it, which has no word for several segments.
pub fn path(route: &Route) -> String {
    route.path.replace("{*", "{")
}

fn operation(route: &Route, method: &str) -> Value {
    let mut answers = Map::new();
    let text = json!({ "text/plain": { "schema": { "type": "string" } } });
    let mut add = |status: u16, says: &str, content: Value| {
        let mut said = json!({ "description": says });
        if method != "head" && content != Value::Null {
            said["content"] = content;
        }
        answers.insert(status.to_string(), said);
    };
    add(200, route.says, content(route));
    for (status, says) in ALWAYS {
        add(status, says, text.clone());
    }
    for status in route.others {
        let content = match status.0 {
            304 => Value::Null,
            206 => content(route),
            _ => text.clone(),
        };
        add(status.0, status.1, content);
    }
    add(500, "the archive is damaged here", text);
    // Without a scope a token is asked for where `--require-token` says so.
    let token = |scope: Scope| json!({ "token": [scope.as_str()] });
    let security = match route.scope {
        Some(scope) => json!([token(scope)]),
        None => json!([{}, token(Scope::Read)]),
    };
    json!({
        "operationId": if method == "head" { format!("{}Head", route.name) } else { route.name.to_owned() },
        "summary": route.says,
        "parameters": route.parameters.iter().map(parameter).collect::<Vec<_>>(),
        "responses": answers,
        "security": security,
    })
}

fn content(route: &Route) -> Value {
    let types = route.content.iter().map(|content| {
        let schema = match (route.members.is_empty(), *content) {
            (false, _) => members(route),
            (true, "application/json") => json!({ "type": "object" }),
            (true, _) => json!({}),
        };
        ((*content).to_owned(), json!({ "schema": schema }))
    });
    Value::Object(types.collect())
}

fn members(route: &Route) -> Value {
    let of = |member: &super::table::Member| (member.0.to_owned(), json!({ "type": member.1 }));
    let required: Vec<&str> = route.members.iter().map(|member| member.0).collect();
    json!({
        "type": "object",
        "properties": route.members.iter().map(of).collect::<Map<_, _>>(),
        "required": required,
    })
}

fn parameter(parameter: &Parameter) -> Value {
    let (place, schema) = match parameter.form {
        Form::Path(pattern) => ("path", json!({ "type": "string", "pattern": pattern })),
        Form::OneOf(words) => ("query", json!({ "type": "string", "enum": words })),
        Form::Day => ("query", json!({ "type": "string", "format": "date" })),
        Form::Number { most } => ("query", json!({ "type": "integer", "minimum": 1, "maximum": most })),
    };
    json!({
        "name": parameter.name,
        "in": place,
        "required": place == "path",
        "description": parameter.says,
        "schema": schema,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_is_in_the_document_and_nothing_else_is() {
        let document = document();
        let paths = document["paths"].as_object().unwrap();
        let mut expected: Vec<String> = ROUTES.iter().map(path).collect();
        let mut found: Vec<String> = paths.keys().cloned().collect();
        expected.sort();
        found.sort();
        assert_eq!(found, expected);
        for route in &ROUTES {
            let asked: Vec<&str> = route
                .path
                .split('/')
                .filter_map(|part| part.strip_prefix('{')?.trim_start_matches('*').strip_suffix('}'))
                .collect();
            let in_path = route.parameters.iter().filter(|one| matches!(one.form, Form::Path(_)));
            let named: Vec<&str> = in_path.map(|one| one.name).collect();
            assert_eq!(named, asked, "{}", route.path);
            let operation = &paths[&path(route)]["get"];
            assert_eq!(operation["operationId"], route.name);
            let needs = operation["security"].as_array().unwrap();
            assert_eq!(needs.iter().any(|need| *need == json!({})), route.scope.is_none());
        }
    }

    #[test]
    fn operations_have_names_of_their_own() {
        let mut names: Vec<&str> = ROUTES.iter().map(|route| route.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ROUTES.len());
    }
}
