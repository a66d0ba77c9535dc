//! What a delivery holds, without any I/O but reading its body.

use std::io::Read;

use axum::body::Body;
use flate2::read::MultiGzDecoder;
use futures::StreamExt;
use http::{HeaderMap, StatusCode, header};
use serde_json::Value;

/// A request that is not taken.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) status: StatusCode,
    pub(super) reason: String,
}

impl Refused {
    pub(super) fn new(status: StatusCode, reason: &str) -> Self {
        Self { status, reason: reason.to_owned() }
    }
}

/// The header must equal the expected value; white space around it does not count.
pub(super) fn authorize(headers: &HeaderMap, expected: &str) -> Result<(), Refused> {
    let given = headers.get(header::AUTHORIZATION).map(|value| value.as_bytes().trim_ascii());
    if given == Some(expected.trim().as_bytes()) {
        return Ok(());
    }
    Err(Refused::new(StatusCode::UNAUTHORIZED, "unauthorized"))
}

/// Reads the body up to a limit.
pub(super) async fn read(body: Body, max: usize) -> Result<Vec<u8>, Refused> {
    let mut chunks = body.into_data_stream();
    let mut bytes = Vec::new();
    while let Some(chunk) = chunks.next().await {
        let chunk =
            chunk.map_err(|_| Refused::new(StatusCode::BAD_REQUEST, "the body broke off"))?;
        if bytes.len() + chunk.len() > max {
            return Err(Refused::new(StatusCode::PAYLOAD_TOO_LARGE, "request body too large"));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// Unpacks the body and cuts it into lines; blank ones are dropped.
pub(super) fn lines(headers: &HeaderMap, body: &[u8], max: usize) -> Result<Vec<String>, Refused> {
    let unpacked = if is_gzip(headers) { gunzip(body, max)? } else { body.to_vec() };
    let text = String::from_utf8(unpacked)
        .map_err(|_| Refused::new(StatusCode::BAD_REQUEST, "the body is not UTF-8"))?;
    let lines = text.split('\n').map(str::trim).filter(|line| !line.is_empty());
    Ok(lines.map(str::to_owned).collect())
}

/// What the sender says, signed, that the request holds.
pub(super) fn manifest(headers: &HeaderMap) -> Vec<String> {
    let text = headers.get("x-auditrelay-manifest").and_then(|value| value.to_str().ok());
    text.map(str::to_owned).into_iter().collect()
}

fn is_gzip(headers: &HeaderMap) -> bool {
    let encodings = headers.get_all(header::CONTENT_ENCODING).iter();
    encodings
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|token| token.trim().eq_ignore_ascii_case("gzip"))
}

fn gunzip(body: &[u8], max: usize) -> Result<Vec<u8>, Refused> {
    let limit = u64::try_from(max).unwrap_or(u64::MAX).saturating_add(1);
    let mut unpacked = Vec::new();
    MultiGzDecoder::new(body)
        .take(limit)
        .read_to_end(&mut unpacked)
        .map_err(|_| Refused::new(StatusCode::BAD_REQUEST, "the gzip body is broken"))?;
    if unpacked.len() > max {
        let reason = "decoded request body too large";
        return Err(Refused::new(StatusCode::PAYLOAD_TOO_LARGE, reason));
    }
    Ok(unpacked)
}

/// The id by which a receiver drops duplicates: `event_id` in JSON and CPS, `externalId` in CEF.
pub(crate) fn event_id(line: &str) -> Option<String> {
    if line.starts_with('{') {
        let document: Value = serde_json::from_str(line).ok()?;
        let flat = document.get("event_id");
        let nested = document.get("event").and_then(|event| event.get("event_id"));
        return flat.or(nested).and_then(Value::as_str).map(str::to_owned);
    }
    // An `=` inside a value is escaped, so the name cannot stand in one.
    let (_, rest) = line.split_once(" externalId=")?;
    rest.split_ascii_whitespace().next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use http::HeaderValue;

    use super::*;

    fn gzip(text: &str) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    }

    fn encoded(encoding: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(header::CONTENT_ENCODING, HeaderValue::from_static(encoding))])
    }

    #[test]
    fn lines_are_trimmed_and_blank_ones_dropped() {
        let body = "one\r\n\n  two \n";
        assert_eq!(lines(&HeaderMap::new(), body.as_bytes(), 100).unwrap(), ["one", "two"]);
        assert_eq!(lines(&encoded("GZip"), &gzip(body), 100).unwrap(), ["one", "two"]);
        assert_eq!(lines(&encoded("identity, gzip"), &gzip(body), 100).unwrap(), ["one", "two"]);
        assert!(lines(&HeaderMap::new(), b"", 100).unwrap().is_empty());
    }

    #[test]
    fn the_limit_counts_again_when_unpacked() {
        let body = gzip(&"a".repeat(101));
        assert_eq!(
            lines(&encoded("gzip"), &body, 100).unwrap_err().status,
            StatusCode::PAYLOAD_TOO_LARGE
        );
    }

    #[test]
    fn broken_bodies_are_refused() {
        let cut = gzip("line");
        for body in [&b"not gzip"[..], &cut[..cut.len() - 3]] {
            let refused = lines(&encoded("gzip"), body, 100).unwrap_err();
            assert_eq!(refused.status, StatusCode::BAD_REQUEST);
        }
        assert!(lines(&HeaderMap::new(), &[0xff, 0xfe], 100).is_err());
    }

    #[test]
    fn ids_are_found_in_every_format() {
        let id = Some("018f".to_owned());
        for line in [
            r#"{"a":1,"event_id":"018f","sig":"x"}"#,
            r#"{"event":{"event_id":"018f","sig":"x"}}"#,
            "2025-06-23T14:28:47Z konghq.com CEF:0|K|D|1.0|a|b|0|rt=1 externalId=018f user_agent= sig=x",
        ] {
            assert_eq!(event_id(line), id, "{line}");
        }
        assert_eq!(event_id("CEF:0|x|externalId\\=9"), None);
        assert_eq!(event_id("{broken"), None);
    }

    #[test]
    fn authorization_is_compared_whole() {
        let headers = |value: &'static str| {
            HeaderMap::from_iter([(header::AUTHORIZATION, HeaderValue::from_static(value))])
        };
        assert!(authorize(&headers("Splunk abc"), " Splunk abc ").is_ok());
        for wrong in [headers("Splunk abcd"), headers("splunk abc"), HeaderMap::new()] {
            let refused = authorize(&wrong, "Splunk abc").unwrap_err();
            assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
        }
    }
}
