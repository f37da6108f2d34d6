//! `/ipfs/{cid}`: a block, or what stands below it, as the Trustless Gateway specification has it.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::{Path, RawQuery, State};
use axum::http::header::{
    ACCEPT, ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, ETAG,
    HeaderMap, HeaderName, VARY,
};
use axum::http::{Method, StatusCode, Version};
use axum::response::Response;

use super::answer::{
    Asked, FOR_EVER, Refusal, accepted, answer, is_known, not_modified, range, set, set_text,
};
use super::car::{Scope, stream};
use super::site::{Client, Site};
use crate::model::Cid;

/// The longest text that is read as a CID: three times that of this format's.
const LONGEST_CID: usize = 180;
const RAW: &str = "application/vnd.ipld.raw";
const CAR: &str = "application/vnd.ipld.car; version=1; order=dfs; dups=n";
const PATH: HeaderName = HeaderName::from_static("x-ipfs-path");
const ROOTS: HeaderName = HeaderName::from_static("x-ipfs-roots");

/// A CID of whatever kind.
#[derive(Debug, PartialEq, Eq)]
pub enum AnyCid {
    /// One that an archive may have.
    Ours(Cid),
    /// The identity of no bytes, by which clients ask whether this is a gateway.
    Probe,
    Foreign,
}

impl AnyCid {
    /// Reads a CID in any spelling.
    ///
    /// # Errors
    /// `400` when it is none.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if text.len() > LONGEST_CID || !text.bytes().all(plain) {
            return Err(Refusal::bad("this is not a CID"));
        }
        if let Ok(cid) = text.parse() {
            return Ok(Self::Ours(cid));
        }
        let cid = cid::Cid::try_from(text).map_err(|_| Refusal::bad("this is not a CID"))?;
        if cid.hash().code() == 0 && cid.hash().digest().is_empty() {
            return Ok(Self::Probe);
        }
        Ok(Cid::try_from(&cid).map_or(Self::Foreign, Self::Ours))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Raw,
    Car(Scope),
}

impl Format {
    fn content_type(self) -> &'static str {
        match self {
            Self::Raw => RAW,
            Self::Car(_) => CAR,
        }
    }

    fn tag(self, cid: &Cid) -> String {
        match self {
            Self::Raw => format!("\"{cid}.raw\""),
            // The bytes of a CAR are not what its address fixes.
            Self::Car(scope) => format!("W/\"{cid}.car.{}\"", scope.as_str()),
        }
    }
}

/// Reads which form is asked for; the query goes before `Accept`.
fn format(query: Option<&str>, headers: &HeaderMap) -> Result<Format, Refusal> {
    let query: Vec<(String, String)> =
        url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()).into_owned().collect();
    let asked = |name: &str| query.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str());
    let format = match asked("format") {
        Some("raw") => Format::Raw,
        Some("car") => Format::Car(Scope::All),
        Some(_) => return Err(Refusal::new(StatusCode::NOT_ACCEPTABLE, "offered are `raw` and `car`")),
        None if !headers.contains_key(ACCEPT) => {
            return Err(Refusal::bad("say `?format=raw` or `?format=car`"));
        }
        None => accepted(headers, |media| match media.name.as_str() {
            RAW => Some(Format::Raw),
            "application/vnd.ipld.car" => {
                let asked =
                    |name, values: &[&str]| media.parameter(name).is_none_or(|value| values.contains(&value));
                (asked("version", &["1"]) && asked("order", &["dfs", "unk"]) && asked("dups", &["n"]))
                    .then_some(Format::Car(Scope::All))
            }
            _ => None,
        })
        .ok_or(Refusal::new(StatusCode::NOT_ACCEPTABLE, "offered are `?format=raw` and `?format=car`"))?,
    };
    if format == Format::Raw {
        return Ok(format);
    }
    for (name, values) in [("car-version", &["1"][..]), ("car-order", &["dfs", "unk"]), ("car-dups", &["n"])]
    {
        if asked(name).is_some_and(|value| !values.contains(&value)) {
            return Err(Refusal::new(StatusCode::NOT_ACCEPTABLE, "CARs are `version=1; order=dfs; dups=n`"));
        }
    }
    if asked("entity-bytes").is_some() {
        return Err(Refusal::bad("`entity-bytes` is not offered: leave it out"));
    }
    let scope = asked("dag-scope").map_or(Some(Scope::All), Scope::parse);
    scope.map(Format::Car).ok_or(Refusal::bad("`dag-scope` is `block`, `entity` or `all`"))
}

/// Answers `GET` and `HEAD`.
pub async fn get(
    State(site): State<Arc<Site>>,
    Extension(client): Extension<Client>,
    Path(text): Path<String>,
    RawQuery(query): RawQuery,
    method: Method,
    version: Version,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let cid = match AnyCid::parse(&text)? {
        AnyCid::Ours(cid) => cid,
        AnyCid::Probe => return Ok(answer(RAW, FOR_EVER, Body::empty())),
        AnyCid::Foreign => return Err(absent(&headers)),
    };
    let format = format(query.as_deref(), &headers)?;
    let permit = match format {
        Format::Car(_) if version < Version::HTTP_11 => {
            let reason = "without HTTP/1.1 the end of a CAR could not be told from its being cut short";
            return Err(Refusal::new(StatusCode::HTTP_VERSION_NOT_SUPPORTED, reason));
        }
        Format::Car(_) if method == Method::GET => Some(site.stream(client.0).await?),
        _ => None,
    };
    let found = site.read(move |site| site.shelf.get(&cid).map_err(|error| site.broken(error))).await?;
    let found = found.ok_or_else(|| absent(&headers))?;
    let mut answer = begin(&cid, format);
    if is_known(&headers, &format.tag(&cid)) {
        return Ok(not_modified(answer));
    }
    Ok(match (format, permit) {
        (Format::Raw, _) => raw(answer, found.bytes, &cid, &method, &headers),
        (Format::Car(scope), Some(permit)) => {
            set(&mut answer, ACCEPT_RANGES, "none");
            *answer.body_mut() = stream(&site, cid, found, scope, permit);
            answer
        }
        (Format::Car(_), None) => {
            // As `GET` would have it, of a length that is not known before.
            set(&mut answer, ACCEPT_RANGES, "none");
            *answer.body_mut() =
                Body::from_stream(futures_util::stream::empty::<Result<Bytes, Infallible>>());
            answer
        }
    })
}

/// `404`, or what `only-if-cached` asks for: whoever says that wants nothing to be fetched from elsewhere, and
/// nothing ever is.
fn absent(headers: &HeaderMap) -> Refusal {
    let said = headers.get_all(CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    let mut words = said.flat_map(|text| text.split(',')).map(str::trim);
    if words.any(|word| word.eq_ignore_ascii_case("only-if-cached")) {
        return Refusal::new(StatusCode::PRECONDITION_FAILED, "the block is not here");
    }
    Refusal::absent("the block is not here")
}

/// An answer with the headers that both forms and all conditions have.
fn begin(cid: &Cid, format: Format) -> Response {
    let mut answer = answer(format.content_type(), FOR_EVER, Body::empty());
    let extension = if format == Format::Raw { "bin" } else { "car" };
    set_text(&mut answer, CONTENT_DISPOSITION, &format!("attachment; filename=\"{cid}.{extension}\""));
    set_text(&mut answer, ETAG, &format.tag(cid));
    set_text(&mut answer, PATH, &format!("/ipfs/{cid}"));
    set_text(&mut answer, ROOTS, &cid.to_string());
    set(&mut answer, VARY, "Accept");
    answer
}

fn raw(mut answer: Response, bytes: Vec<u8>, cid: &Cid, method: &Method, headers: &HeaderMap) -> Response {
    set(&mut answer, ACCEPT_RANGES, "bytes");
    let length = bytes.len();
    if method == Method::HEAD {
        set_text(&mut answer, CONTENT_LENGTH, &length.to_string());
        return answer;
    }
    match range(headers, &Format::Raw.tag(cid), length) {
        Asked::All => *answer.body_mut() = bytes.into(),
        Asked::Part(part) => {
            *answer.status_mut() = StatusCode::PARTIAL_CONTENT;
            let said = format!("bytes {}-{}/{length}", part.start, part.end - 1);
            set_text(&mut answer, CONTENT_RANGE, &said);
            *answer.body_mut() = Bytes::from(bytes).slice(part).into();
        }
        Asked::Nothing => {
            let reason = "the block has no such bytes";
            answer = axum::response::IntoResponse::into_response(Refusal::new(
                StatusCode::RANGE_NOT_SATISFIABLE,
                reason,
            ));
            set_text(&mut answer, CONTENT_RANGE, &format!("bytes */{length}"));
        }
    }
    answer
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;
    use crate::model::Codec;

    #[test]
    fn cids_have_many_spellings() {
        let cid = Cid::of(Codec::DagCbor, b"x");
        assert_eq!(AnyCid::parse(&cid.to_string()), Ok(AnyCid::Ours(cid)));
        let other = cid::Cid::from(cid);
        let upper = cid.to_string().to_uppercase();
        assert_eq!(AnyCid::parse(&upper), Ok(AnyCid::Ours(cid)), "{other}");
        assert_eq!(AnyCid::parse("bafkqaaa"), Ok(AnyCid::Probe));
        assert_eq!(AnyCid::parse("QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n"), Ok(AnyCid::Foreign));
        for text in ["", "b", "x", "bafk", "..", "é", "a/b", &"b".repeat(181), &"Qm".repeat(80)] {
            assert!(AnyCid::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_query_goes_before_the_header() {
        let headers = |text: &str| HeaderMap::from_iter([(ACCEPT, HeaderValue::from_str(text).unwrap())]);
        let car = |scope| Ok(Format::Car(scope));
        for (query, accept, expected) in [
            (Some("format=raw"), CAR, Ok(Format::Raw)),
            (None, RAW, Ok(Format::Raw)),
            (None, CAR, car(Scope::All)),
            (Some("dag-scope=block"), CAR, car(Scope::Block)),
            (Some("format=car&dag-scope=entity"), "*/*", car(Scope::Entity)),
            (None, "application/vnd.ipld.car;dups=y, application/vnd.ipld.raw;q=0.1", Ok(Format::Raw)),
        ] {
            assert_eq!(format(query, &headers(accept)), expected, "{query:?} {accept}");
        }
        for (query, accept, status) in [
            (Some("format=html"), RAW, 406),
            (None, "*/*", 406),
            (None, "application/vnd.ipld.car; version=2", 406),
            (Some("format=car&car-dups=y"), "*/*", 406),
            (Some("format=car&dag-scope=every"), "*/*", 400),
            (Some("format=car&entity-bytes=0:1"), "*/*", 400),
        ] {
            let refusal = format(query, &headers(accept)).unwrap_err();
            assert_eq!(refusal.status.as_u16(), status, "{query:?} {accept}");
        }
        assert_eq!(format(None, &HeaderMap::new()).unwrap_err().status, StatusCode::BAD_REQUEST);
    }
}
