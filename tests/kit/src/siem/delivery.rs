//! A request as it came.

use std::io::Read;

use auditrelay_signing::manifest::{Manifest, digest_of};
use auditrelay_signing::{Verifier, line};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::HeaderMap;
use serde_json::Value;

/// One request, unpacked.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// All its headers.
    pub headers: HeaderMap,
    /// `Authorization`, empty when there was none.
    pub authorization: String,
    /// `webhook-id`, empty when there was none.
    pub webhook_id: String,
    /// The replay job that it belongs to; none for live delivery.
    pub replay_job: Option<String>,
    /// The body, unpacked.
    pub body: String,
    /// What it was answered; none while, or when, it got no answer.
    pub answered: Option<u16>,
}

/// One event as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The whole line.
    pub text: String,
    /// The event's id: `event_id` in JSON and CPS, `externalId` in CEF.
    pub id: String,
}

impl Delivery {
    pub(crate) fn of(headers: HeaderMap, packed: &Bytes) -> Self {
        let text = |name: &str| {
            let value = headers.get(name).and_then(|value| value.to_str().ok());
            value.unwrap_or_default().to_owned()
        };
        let replay_job = Some(text("x-auditrelay-replay-job")).filter(|job| !job.is_empty());
        Self {
            authorization: text("authorization"),
            webhook_id: text("webhook-id"),
            replay_job,
            body: unpacked(&text("content-encoding"), packed),
            answered: None,
            headers,
        }
    }

    /// A header's text, empty when there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The events in it.
    pub fn lines(&self) -> Vec<Line> {
        let lines = self.body.split('\n').filter(|line| !line.is_empty());
        lines.map(|text| Line { text: text.to_owned(), id: event_id(text) }).collect()
    }

    /// The ids of the events in it.
    pub fn ids(&self) -> Vec<String> {
        self.lines().into_iter().map(|line| line.id).collect()
    }

    /// Whether it brings this event.
    pub fn brings(&self, id: &str) -> bool {
        self.lines().iter().any(|line| line.id == id)
    }

    /// Fails unless every line and the request itself carry a signature of one of these keys; what
    /// its manifest says.
    pub fn assert_signed(&self, keys: &Verifier) -> Manifest {
        for Line { text, .. } in self.lines() {
            let split = line::split(&text);
            let good =
                split.is_some_and(|(signed, signature)| keys.verify(signed.as_bytes(), signature));
            assert!(good, "the signature of this line does not verify: {text}");
        }
        let message =
            format!("{}.{}.{}", self.webhook_id, self.header("webhook-timestamp"), self.body);
        let signature = self.header("webhook-signature").strip_prefix("v1a,");
        let signature = signature.and_then(|text| STANDARD.decode(text).ok()).unwrap_or_default();
        let good = keys.verify_bytes(message.as_bytes(), &signature);
        assert!(good, "the request's signature does not verify: {:?}", self.headers);
        let manifest = Manifest::verify(self.header("x-auditrelay-manifest"), keys);
        let manifest = manifest.unwrap_or_else(|why| panic!("{why}: {:?}", self.headers));
        assert_eq!(manifest.delivery.id, self.webhook_id);
        assert_eq!(manifest.digest, digest_of(self.ids()), "{manifest:?}");
        manifest
    }
}

/// A body that cannot be unpacked is kept as it came: the test that looks at it fails.
fn unpacked(encoding: &str, packed: &Bytes) -> String {
    let mut plain = Vec::new();
    let whole = match encoding {
        "gzip" => flate2::read::GzDecoder::new(packed.as_ref()).read_to_end(&mut plain).is_ok(),
        _ => false,
    };
    let bytes = if whole { plain.as_slice() } else { packed.as_ref() };
    String::from_utf8_lossy(bytes).into_owned()
}

fn event_id(line: &str) -> String {
    if line.starts_with('{') {
        let document: Value = serde_json::from_str(line).unwrap_or_default();
        let event = document.get("event").unwrap_or(&document);
        return event["event_id"].as_str().unwrap_or_default().to_owned();
    }
    let rest = line.split_once(" externalId=").map(|(_, rest)| rest);
    rest.and_then(|rest| rest.split(' ').next()).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_found_by_its_id_in_every_format() {
        for line in [
            r#"{"event_id":"018f","sig":"x"}"#,
            r#"{"event":{"event_id":"018f","sig":"x"}}"#,
            "2025-06-18T21:02:36Z konghq.com CEF:0|a|b|1.0|c|d|0|rt=1 externalId=018f user_agent= sig=x",
        ] {
            assert_eq!(event_id(line), "018f", "{line}");
        }
        assert_eq!(event_id("nonsense"), "");
    }
}
