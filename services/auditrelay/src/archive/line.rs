//! What a delivered line says about its event and its log.

use std::borrow::Cow;

use auditrelay_signing::manifest::Place;
use serde::Deserialize;
use uuid::Uuid;

/// Whose log it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LogName {
    /// The organization.
    pub(crate) org: String,
    /// The portal; none for the organization's own log.
    pub(crate) portal: Option<String>,
}

/// One event as a line names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) log: LogName,
    pub(super) id: Uuid,
    /// None in lines that are older than the numbers in them.
    pub(super) place: Option<Place>,
    /// When it happened, in milliseconds since 1970.
    pub(super) at: i64,
}

#[derive(Deserialize)]
struct Document {
    org_id: String,
    portal_id: Option<String>,
    event_id: Uuid,
    event_epoch: Option<u64>,
    event_number: Option<u64>,
    rt: i64,
}

#[derive(Deserialize)]
struct Wrapped {
    event: Document,
}

/// Where collectors put the text that they received.
#[derive(Deserialize)]
#[serde(untagged)]
enum Export {
    Splunk {
        #[serde(rename = "_raw")]
        text: String,
    },
    Message {
        message: String,
    },
    Event {
        event: String,
    },
    Log {
        log: String,
    },
}

/// The text as it was received, out of the document that a collector may have put around it.
pub(super) fn unwrapped(text: &str) -> Cow<'_, str> {
    if text.starts_with('{') && !text.contains(r#","sig":""#) {
        let inner = match serde_json::from_str(text) {
            Ok(Export::Splunk { text }) => text,
            Ok(Export::Message { message }) => message,
            Ok(Export::Event { event }) => event,
            Ok(Export::Log { log }) => log,
            Err(_) => return Cow::Borrowed(text),
        };
        return Cow::Owned(inner.trim().to_owned());
    }
    Cow::Borrowed(text)
}

/// Reads a line in any of the three formats; none when it is no event's line.
pub(super) fn parse(text: &str) -> Option<Event> {
    if !text.starts_with('{') {
        return parse_cef(text);
    }
    let document: Option<Document> = serde_json::from_str(text).ok();
    let document =
        document.or_else(|| serde_json::from_str(text).ok().map(|wrapped: Wrapped| wrapped.event));
    document.map(Document::event)
}

impl Document {
    fn event(self) -> Event {
        let place = self.event_epoch.zip(self.event_number);
        Event {
            log: LogName { org: self.org_id, portal: self.portal_id },
            id: self.event_id,
            place: place.map(|(epoch, number)| Place { epoch, number }),
            at: self.rt,
        }
    }
}

/// An `=` in a value is escaped, so no value can look like one of these keys.
fn parse_cef(text: &str) -> Option<Event> {
    let extensions = extensions(text.split_once("CEF:0|")?.1)?;
    let field = |key: &str| {
        let (_, rest) = extensions.split_once(key)?;
        rest.split(' ').next()
    };
    let number = |key| field(key).and_then(|text| text.parse().ok());
    let document = Document {
        org_id: field(" org_id=")?.to_owned(),
        portal_id: field(" portal_id=").map(str::to_owned),
        event_id: field(" externalId=")?.parse().ok()?,
        event_epoch: number(" event_epoch="),
        event_number: number(" event_number="),
        rt: extensions.strip_prefix("rt=")?.split(' ').next()?.parse().ok()?,
    };
    Some(document.event())
}

/// What follows the six header fields after the version; a `|` in one of them is escaped.
fn extensions(header: &str) -> Option<&str> {
    let mut escaped = false;
    let ends = header.char_indices().filter(|(_, c)| {
        let ends = *c == '|' && !escaped;
        escaped = *c == '\\' && !escaped;
        ends
    });
    let (end, _) = ends.take(6).last()?;
    header.get(end + 1..)
}
