//! What is served: the one table from which both the routes and the OpenAPI document are made.

use std::sync::Arc;

use axum::routing::{MethodRouter, get};

use super::site::Site;
use super::{api, gateway, log, openapi, routing};
use crate::model::Scope;

/// A path, who may ask for it, and what is answered to `GET` and `HEAD`.
pub struct Route {
    /// As axum writes it.
    pub path: &'static str,
    /// What the operation is called.
    pub name: &'static str,
    /// The scope that a token needs; `None` for what is public.
    pub scope: Option<Scope>,
    pub says: &'static str,
    pub parameters: &'static [Parameter],
    /// Types of content with status 200.
    pub content: &'static [&'static str],
    /// What stands in JSON of it.
    pub members: &'static [Member],
    /// Further answers, beside those that every path has.
    pub others: &'static [Status],
    pub handler: fn() -> MethodRouter<Arc<Site>>,
}

/// A status, and what it says.
pub struct Status(pub u16, pub &'static str);

/// A member of an answer in JSON, and its type by JSON Schema.
pub struct Member(pub &'static str, pub &'static str);

/// A parameter of a path or a query.
pub struct Parameter {
    pub name: &'static str,
    pub says: &'static str,
    pub form: Form,
}

/// Where a parameter stands and what it may be.
pub enum Form {
    /// In the path: text that this pattern fits.
    Path(&'static str),
    /// In the query: one of these.
    OneOf(&'static [&'static str]),
    Day,
    Number {
        most: usize,
    },
}

const CID: Parameter =
    Parameter { name: "cid", says: "a CID, in any base", form: Form::Path("^[A-Za-z0-9_-]{1,180}$") };
const CHAIN: Parameter =
    Parameter { name: "name", says: "the name of a chain", form: Form::Path("^[A-Za-z0-9._-]{1,64}$") };
const TILE: Parameter = Parameter {
    name: "path",
    says: "`checkpoint`, or a tile such as `tile/0/000.p/5`",
    form: Form::Path("^(checkpoint|tile/(entries|[0-9]{1,2})/(x[0-9]{3}/){0,3}[0-9]{3}(\\.p/[0-9]{1,3})?)$"),
};
const IPNS: Parameter = Parameter {
    name: "name",
    says: "an IPNS name of an Ed25519 key",
    form: Form::Path("^[A-Za-z0-9]{1,100}$"),
};

const MODIFIED: Status = Status(304, "the client has it already");
const FORMAT: Status = Status(406, "a format that is not offered");
const RECORD: &str = "application/vnd.ipfs.ipns-record";

/// All that is served.
pub static ROUTES: [Route; 13] = [
    Route {
        path: "/ipfs/{cid}",
        name: "getBlock",
        scope: None,
        says: "A block, or what stands below it, as Trustless Gateways have it",
        parameters: &[
            CID,
            Parameter {
                name: "format",
                says: "which form; else by `Accept`",
                form: Form::OneOf(&["raw", "car"]),
            },
            Parameter {
                name: "dag-scope",
                says: "how much of a CAR",
                form: Form::OneOf(&["block", "entity", "all"]),
            },
        ],
        content: &["application/vnd.ipld.raw", "application/vnd.ipld.car"],
        members: &[],
        others: &[
            Status(206, "a part of a block"),
            MODIFIED,
            FORMAT,
            Status(412, "not here, and asked with `Cache-Control: only-if-cached`"),
            Status(416, "a range outside the block"),
            Status(505, "a CAR by HTTP/1.0"),
        ],
        handler: || get(gateway::get),
    },
    Route {
        path: "/ipns/{name}",
        name: "getRecord",
        scope: None,
        says: "The newest record of an IPNS name",
        parameters: &[
            IPNS,
            Parameter {
                name: "format",
                says: "the record itself; else by `Accept`",
                form: Form::OneOf(&["ipns-record"]),
            },
        ],
        content: &[RECORD],
        members: &[],
        others: &[MODIFIED, FORMAT],
        handler: || get(routing::ipns_record),
    },
    Route {
        path: "/log/{*path}",
        name: "getTile",
        scope: None,
        says: "The log of the chain of the settings, as C2SP tlog-tiles have it",
        parameters: &[TILE],
        content: &["application/octet-stream", "text/plain"],
        members: &[],
        others: &[],
        handler: || get(log::own),
    },
    Route {
        path: "/logs/{name}/{*path}",
        name: "getTileOfChain",
        scope: None,
        says: "The log of a chain by its name, as C2SP tlog-tiles have it",
        parameters: &[CHAIN, TILE],
        content: &["application/octet-stream", "text/plain"],
        members: &[],
        others: &[],
        handler: || get(log::named),
    },
    Route {
        path: "/routing/v1/providers/{cid}",
        name: "findProviders",
        scope: None,
        says: "Who has a block, as Delegated Routing V1 has it: this server, or nobody",
        parameters: &[CID],
        content: &["application/json", "application/x-ndjson"],
        members: &[],
        others: &[],
        handler: || get(routing::providers),
    },
    Route {
        path: "/routing/v1/ipns/{name}",
        name: "findRecord",
        scope: None,
        says: "The newest record of an IPNS name, as Delegated Routing V1 has it",
        parameters: &[IPNS],
        content: &[RECORD],
        members: &[],
        others: &[MODIFIED],
        handler: || get(routing::ipns),
    },
    Route {
        path: "/openapi.json",
        name: "describe",
        scope: None,
        says: "This document",
        parameters: &[],
        content: &[api::JSON],
        members: &[Member("openapi", "string"), Member("paths", "object")],
        others: &[],
        handler: || get(openapi::get),
    },
    Route {
        path: "/api/v1/chains",
        name: "listChains",
        scope: Some(Scope::Status),
        says: "The chains that are served, with head and size",
        parameters: &[],
        content: &[api::JSON],
        members: &[Member("chains", "array")],
        others: &[],
        handler: || get(api::chains),
    },
    Route {
        path: "/api/v1/chains/{name}",
        name: "getChain",
        scope: Some(Scope::Status),
        says: "One chain, with head and size",
        parameters: &[CHAIN],
        content: &[api::JSON],
        members: &[
            Member("name", "string"),
            Member("chain", "string"),
            Member("head", "string"),
            Member("entries", "integer"),
        ],
        others: &[],
        handler: || get(api::chain),
    },
    Route {
        path: "/api/v1/chains/{name}/heads",
        name: "listHeads",
        scope: Some(Scope::Heads),
        says: "The heads of a chain, the newest first, and who vouched for them: as `greffe head --all`",
        parameters: &[
            CHAIN,
            Parameter { name: "limit", says: "how many", form: Form::Number { most: api::HEADS } },
        ],
        content: &[api::JSON],
        members: &[Member("head", "string"), Member("chain", "string"), Member("heads", "array")],
        others: &[],
        handler: || get(api::chain_heads),
    },
    Route {
        path: "/api/v1/chains/{name}/report",
        name: "getReport",
        scope: Some(Scope::Report),
        says: "The report of the verification of a chain: as `greffe verify --json`",
        parameters: &[CHAIN],
        content: &[api::JSON],
        members: &[
            Member("verified", "boolean"),
            Member("established", "object"),
            Member("findings", "array"),
        ],
        others: &[],
        handler: || get(api::report),
    },
    Route {
        path: "/api/v1/chains/{name}/queue",
        name: "getQueue",
        scope: Some(Scope::Queue),
        says: "Which replicas lack the head of a chain, by what is known here",
        parameters: &[CHAIN],
        content: &[api::JSON],
        members: &[Member("head", "string"), Member("behind", "integer"), Member("replicas", "array")],
        others: &[],
        handler: || get(api::queue),
    },
    Route {
        path: "/api/v1/chains/{name}/accesses",
        name: "listAccesses",
        scope: Some(Scope::Accesses),
        says: "Who opened what of a chain, as FHIR R4 AuditEvents, the newest 1000 of them",
        parameters: &[
            CHAIN,
            Parameter { name: "since", says: "the first day, UTC", form: Form::Day },
            Parameter { name: "until", says: "the last day, UTC", form: Form::Day },
        ],
        content: &[api::JSON],
        members: &[Member("events", "array"), Member("more", "integer")],
        others: &[],
        handler: || get(api::accesses),
    },
];

/// What is not served.
pub static NOTHING: Route = Route {
    path: "",
    name: "nothing",
    scope: None,
    says: "",
    parameters: &[],
    content: &[],
    members: &[],
    others: &[],
    handler: MethodRouter::new,
};
