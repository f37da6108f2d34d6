//! What is done about every request that has a path: whether its client is let in, which headers its answer has, and what is
//! written down of it.

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::extract::rejection::RawPathParamsRejection;
use axum::extract::{Extension, RawPathParams, Request, State};
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ALLOW, CACHE_CONTROL, HeaderName, VARY,
};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodRouter, any};

use super::answer::{NOT_KEPT, Refusal, set};
use super::gateway::AnyCid;
use super::guard::Who;
use super::journal::line;
use super::site::{Client, Site};
use super::table::{NOTHING, ROUTES, Route};
use crate::model::{ChainName, IpnsName};

/// What may be asked for.
const METHODS: &str = "GET, HEAD, OPTIONS";
/// What the access chain calls tokens that were refused where everything needs one.
const READ: &str = "read";

/// A route with what it needs to be entered.
#[derive(Clone)]
struct Entrance {
    site: Arc<Site>,
    route: &'static Route,
}

/// All that is served, entered as it has to be.
pub fn routes(site: &Arc<Site>) -> Router {
    let mut router = Router::new();
    for route in &ROUTES {
        let handlers = (route.handler)().options(options).fallback(not_allowed);
        router = router.route(route.path, entered(site, route, handlers));
    }
    let nothing: MethodRouter = entered(site, &NOTHING, any(absent)).with_state(Arc::clone(site));
    router.with_state(Arc::clone(site)).fallback_service(nothing)
}

fn entered(
    site: &Arc<Site>,
    route: &'static Route,
    handlers: MethodRouter<Arc<Site>>,
) -> MethodRouter<Arc<Site>> {
    handlers.layer(from_fn_with_state(Entrance { site: Arc::clone(site), route }, enter))
}

async fn absent() -> Refusal {
    Refusal::absent("there is nothing here; `/ipfs/CID?format=raw` is a block")
}

async fn not_allowed() -> Response {
    let refusal = Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "this server is read, and nothing else");
    let mut answer = refusal.into_response();
    set(&mut answer, ALLOW, METHODS);
    answer
}

/// What may be asked for; browsers ask before they read from another site.
async fn options() -> Response {
    let mut answer = Response::new(Body::empty());
    *answer.status_mut() = StatusCode::NO_CONTENT;
    set(&mut answer, ALLOW, METHODS);
    answer
}

async fn enter(
    State(Entrance { site, route }): State<Entrance>,
    Extension(client): Extension<Client>,
    parameters: Result<RawPathParams, RawPathParamsRejection>,
    request: Request,
    next: Next,
) -> Response {
    let begun = Instant::now();
    let method = named(request.method());
    let what =
        parameters.ok().filter(|_| site.journal.is_some()).and_then(|found| what(&site, route, &found));
    let asks = request.method() == Method::OPTIONS;
    let (who, admitted) = match asks {
        // Browsers show no token when they ask what they may do.
        true => (Who::default(), Ok(())),
        false => site.guard.admit(route.scope, client.0, request.headers(), request.uri().query()),
    };
    let admitted = admitted.and_then(|()| if asks { Ok(()) } else { site.require_recording(route.scope) });
    let named = site.names.admit(request.version(), request.uri(), request.headers());
    let mut answer = match named.and(admitted) {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    };
    dress(&site, route, asks, &mut answer);
    let status = answer.status().as_u16();
    if let Some(noted) = &site.noted
        && (who.refused || (who.holder.is_some() && route.scope.is_some()))
    {
        noted.add(who.holder, route.scope.map_or(READ, |scope| scope.as_str()), status);
    }
    if let Some(journal) = &site.journal {
        let mut line = line(method, if route.path.is_empty() { "none" } else { route.path }, status);
        (line.holder, line.token, line.what) = (who.holder, who.token, what);
        line.microseconds = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
        journal.add(client.0, line);
    }
    answer
}

fn named(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// What a path names, however that is spelled, if it can be read and so is no secret that somebody put there.
fn what(site: &Site, route: &Route, parameters: &RawPathParams) -> Option<String> {
    let of = |wanted: &str| parameters.iter().find(|(name, _)| *name == wanted).map(|(_, text)| text);
    if let Some(text) = of("cid") {
        return AnyCid::parse(text).is_ok().then(|| text.to_owned());
    }
    let text = of("name")?;
    let known = |name: ChainName| site.shelf.archives().iter().any(|(other, _)| *other == name);
    let readable = match route.path.contains("ipns") {
        true => text.len() <= 100 && text.parse::<IpnsName>().is_ok(),
        false => text.parse().is_ok_and(known),
    };
    readable.then(|| text.to_owned())
}

/// What depends on who may read it: other sites in a browser, and caches.
fn dress(site: &Site, route: &Route, asks: bool, answer: &mut Response) {
    answer.headers_mut().entry(CACHE_CONTROL).or_insert(HeaderValue::from_static(NOT_KEPT));
    if site.guard.needs(route.scope).is_some() {
        keep_private(answer);
    } else if site.cross_origin {
        set(answer, ACCESS_CONTROL_ALLOW_ORIGIN, "*");
        set(answer, HeaderName::from_static("cross-origin-resource-policy"), "cross-origin");
        if asks {
            set(answer, ACCESS_CONTROL_ALLOW_METHODS, METHODS);
            set(
                answer,
                ACCESS_CONTROL_ALLOW_HEADERS,
                "Accept, Cache-Control, If-None-Match, If-Range, Range",
            );
            set(answer, ACCESS_CONTROL_MAX_AGE, "86400");
        } else {
            let said = "Content-Length, Content-Range, ETag, X-Ipfs-Path, X-Ipfs-Roots";
            set(answer, ACCESS_CONTROL_EXPOSE_HEADERS, said);
        }
    }
}

/// What was given for a token is kept by no cache that others read.
fn keep_private(answer: &mut Response) {
    let headers = answer.headers_mut();
    if let Some(kept) = headers.get(CACHE_CONTROL).and_then(|value| value.to_str().ok())
        && let Some(rest) = kept.strip_prefix("public")
        && let Ok(private) = HeaderValue::from_str(&format!("private{rest}"))
    {
        headers.insert(CACHE_CONTROL, private);
    }
    headers.append(VARY, HeaderValue::from_static("Authorization"));
}
