//! What a request's headers say about its body.

use auditrelay_ingest_core::request::Media;
use auditrelay_runtime::problem::{InvalidParameter, Problem, Rule};
use http::HeaderMap;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HeaderName};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const MAX_KEY: usize = 255;
const CE_SPECVERSION: HeaderName = HeaderName::from_static("ce-specversion");

/// How a body is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Identity,
    Gzip,
    Zstd,
}

/// What can be posted where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Route {
    /// `/v1/audit-events`: our own formats and `CloudEvents`.
    AuditEvents,
    /// `/v1/http-log`: what Kong Gateway's plugin of that name sends.
    HttpLog,
    /// `/v1/logs`: OTLP.
    Logs,
}

impl Route {
    /// Its media types, as `Accept-Post` lists them.
    const fn accepted(self) -> &'static str {
        match self {
            Self::AuditEvents => {
                "application/json, application/x-ndjson, application/x-protobuf, \
                 application/cloudevents+json, application/cloudevents-batch+json"
            }
            Self::HttpLog => "application/json",
            Self::Logs => "application/json, application/x-protobuf",
        }
    }

    fn media(self, name: &str, headers: &HeaderMap) -> Option<Media> {
        Some(match (self, name) {
            (Self::AuditEvents, "application/json") if headers.contains_key(CE_SPECVERSION) => {
                Media::CloudEventData(attributes(headers))
            }
            (Self::AuditEvents, "application/json") => Media::Json,
            (Self::AuditEvents, "application/x-ndjson") => Media::Ndjson,
            (Self::AuditEvents, "application/x-protobuf") => Media::Protobuf,
            (Self::AuditEvents, "application/cloudevents+json") => Media::CloudEvent,
            (Self::AuditEvents, "application/cloudevents-batch+json") => Media::CloudEvents,
            (Self::HttpLog, "application/json") => Media::HttpLog,
            (Self::Logs, "application/json") => Media::OtlpJson,
            (Self::Logs, "application/x-protobuf") => Media::OtlpProtobuf,
            (Self::AuditEvents | Self::HttpLog | Self::Logs, _) => return None,
        })
    }
}

/// How the body is written and packed; 415 for anything else than we can read.
pub(super) fn of(route: Route, headers: &HeaderMap) -> Result<(Media, Encoding), Problem> {
    let media = one(headers, &CONTENT_TYPE)
        .and_then(media_type)
        .and_then(|name| route.media(&name, headers));
    let encoding = if headers.contains_key(CONTENT_ENCODING) {
        one(headers, &CONTENT_ENCODING).and_then(encoding)
    } else {
        Some(Encoding::Identity)
    };
    media.zip(encoding).ok_or_else(|| {
        let accept_post = HeaderName::from_static("accept-post");
        let problem = Problem::unsupported_media_type().with(accept_post, route.accepted());
        problem.with(ACCEPT_ENCODING, "gzip, zstd, identity")
    })
}

/// The request's `Idempotency-Key`.
pub(super) fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    if !headers.contains_key(IDEMPOTENCY_KEY) {
        return Ok(None);
    }
    let field = "Idempotency-Key";
    let key = one(headers, &IDEMPOTENCY_KEY)
        .filter(|key| !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_graphic()));
    let wrong = match key {
        Some(key) if key.len() <= MAX_KEY => return Ok(Some(key.to_owned())),
        Some(_) => InvalidParameter::max_length(field, MAX_KEY as u64),
        None => {
            let rule = Rule::Named("matches_regex".into());
            InvalidParameter::new(field, rule, "must contain only visible ASCII")
        }
    };
    Err(Problem::invalid(vec![wrong.from("header")]))
}

/// The header's value, if it is there once.
fn one<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().filter(|_| values.next().is_none())?;
    value.to_str().ok().map(str::trim)
}

/// The media type in lower case, unless it is text in another charset than UTF-8.
pub(super) fn media_type(value: &str) -> Option<String> {
    let mut parts = value.split(';').map(str::trim);
    let media = parts.next()?.to_ascii_lowercase();
    let charsets_are_utf8 = parts.all(|parameter| match parameter.split_once('=') {
        Some((name, value)) if name.trim().eq_ignore_ascii_case("charset") => {
            value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
        }
        Some(_) | None => true,
    });
    charsets_are_utf8.then_some(media)
}

/// The attributes of an event of `CloudEvents` in binary mode; a value that is no text is none.
fn attributes(headers: &HeaderMap) -> Vec<(String, String)> {
    let named = headers.iter().filter_map(|(name, value)| {
        let name = name.as_str().strip_prefix("ce-")?;
        Some((name.to_owned(), percent_decoded(value.to_str().ok()?)?))
    });
    named.collect()
}

/// Header values are percent-encoded in `CloudEvents`; the result must be UTF-8.
fn percent_decoded(value: &str) -> Option<String> {
    let (mut bytes, mut rest) = (Vec::with_capacity(value.len()), value);
    while let Some((before, after)) = rest.split_once('%') {
        bytes.extend_from_slice(before.as_bytes());
        let (digits, behind) = after.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = behind;
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8(bytes).ok()
}

fn encoding(value: &str) -> Option<Encoding> {
    match value.to_ascii_lowercase().as_str() {
        "identity" => Some(Encoding::Identity),
        "gzip" | "x-gzip" => Some(Encoding::Gzip),
        "zstd" => Some(Encoding::Zstd),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn json_and_ndjson_are_read_plain_and_gzipped() {
        for (value, media) in [
            ("application/json", Media::Json),
            ("application/JSON", Media::Json),
            ("application/json;charset=UTF-8", Media::Json),
            ("application/json; charset=\"utf-8\"", Media::Json),
            ("application/x-ndjson", Media::Ndjson),
            ("application/x-protobuf", Media::Protobuf),
            ("application/cloudevents+json; charset=utf-8", Media::CloudEvent),
            ("application/cloudevents-batch+json", Media::CloudEvents),
        ] {
            let read = of(Route::AuditEvents, &headers(&[("content-type", value)])).unwrap();
            assert_eq!(read, (media, Encoding::Identity), "{value}");
        }
        let zstd = headers(&[("content-type", "application/json"), ("content-encoding", "zstd")]);
        assert_eq!(of(Route::AuditEvents, &zstd).unwrap(), (Media::Json, Encoding::Zstd));
        let gzip = headers(&[("content-type", "application/json"), ("content-encoding", "GZIP")]);
        assert_eq!(of(Route::AuditEvents, &gzip).unwrap(), (Media::Json, Encoding::Gzip));
        assert_eq!(of(Route::HttpLog, &gzip).unwrap(), (Media::HttpLog, Encoding::Gzip));
        assert_eq!(of(Route::Logs, &gzip).unwrap(), (Media::OtlpJson, Encoding::Gzip));
    }

    #[test]
    fn a_cloud_event_may_stand_in_headers() {
        let read = of(
            Route::AuditEvents,
            &headers(&[
                ("content-type", "application/json"),
                ("ce-specversion", "1.0"),
                ("ce-source", "/caf%C3%A9"),
                ("ce-subject", "100%"),
            ]),
        );
        let attribute = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let attributes = vec![attribute("specversion", "1.0"), attribute("source", "/café")];
        assert_eq!(read.unwrap().0, Media::CloudEventData(attributes));
    }

    #[test]
    fn anything_else_is_415() {
        let json = ("content-type", "application/json");
        for wrong in [
            &[][..],
            &[("content-type", "text/plain")],
            &[("content-type", "application/xml")],
            &[("content-type", "multipart/form-data")],
            &[("content-type", "application/json; charset=utf-16")],
            &[json, json],
            &[json, ("content-encoding", "gzip, gzip")],
            &[json, ("content-encoding", "gzip"), ("content-encoding", "gzip")],
            &[json, ("content-encoding", "br")],
            &[json, ("content-encoding", "deflate")],
            &[json, ("content-encoding", "zstd, gzip")],
            &[json, ("content-encoding", "foo")],
            &[json, ("content-encoding", "")],
        ] {
            let problem = of(Route::AuditEvents, &headers(wrong)).unwrap_err();
            assert_eq!(problem.status, http::StatusCode::UNSUPPORTED_MEDIA_TYPE, "{wrong:?}");
            assert!(problem.headers.contains_key("accept-post"));
            assert_eq!(problem.headers["accept-encoding"], "gzip, zstd, identity");
        }
    }

    #[test]
    fn an_idempotency_key_is_short_and_visible() {
        let key = |value: &str| {
            idempotency_key(&headers(&[("idempotency-key", value)]))
                .map_err(|problem| problem.invalid)
        };
        assert_eq!(key("a-B_7.~").unwrap().as_deref(), Some("a-B_7.~"));
        assert_eq!(idempotency_key(&HeaderMap::new()).unwrap(), None);
        let wrong = key(&"a".repeat(256)).unwrap_err().remove(0);
        assert_eq!(wrong.rule, Some(Rule::Maximum("max_length", 255)));
        for bad in ["", "a b", "a\tb", "\u{e4}"] {
            let wrong = key(bad).unwrap_err().remove(0);
            assert_eq!(
                (wrong.rule, wrong.source),
                (Some(Rule::Named("matches_regex".into())), "header")
            );
        }
    }
}
