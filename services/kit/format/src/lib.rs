//! How an event is written for a receiver: one line, and where the signature goes in it.
//!
//! The three formats say the same. CEF keeps the documented order of its extensions, JSON sorts
//! its keys, CPS is the JSON object inside `{"event": …}`. Every line carries the event's id
//! (`externalId` in CEF, `event_id` otherwise): the key by which a receiver drops duplicates.
//! A delivered line also says where the event stands in its scope's log (`event_epoch`,
//! `event_number`): within an epoch the numbers have no gap, so whoever holds 1 to n holds all.
//!
//! A line never holds a raw line break or another control character, whatever a producer sent.
//! JSON escapes them and loses nothing. CEF knows only `\n` and `\r`, so every other control
//! character, line separator and change of writing direction becomes a space there.
//!
//! Texts that an event does not have stay as empty values, as receivers' parsers expect; only what
//! is documented as optional (`principal_name`, `actor_id`, `portal_id`, `kong_initiated`) is left
//! out.

mod cef;
mod json;
mod text;

use auditrelay_model::Scope;
use auditrelay_model::destination::LogFormat;
use auditrelay_model::event::{
    Access, AuditEvent, Authentication, AuthenticationOutcome, Authorization, Detail,
};
use auditrelay_model::record::Place;

/// What every line calls its maker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vendor(String);

/// The text cannot name a vendor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to {} printable ASCII characters", Vendor::LEN_MAX)]
pub struct NotAVendor;

impl Vendor {
    /// Longest name.
    pub const LEN_MAX: usize = 63;

    /// Takes a name of printable ASCII.
    pub fn parse(name: &str) -> Result<Self, NotAVendor> {
        let printable = name.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
        if name.trim().is_empty() || name.len() > Self::LEN_MAX || !printable {
            return Err(NotAVendor);
        }
        Ok(Self(name.to_owned()))
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.0
    }
}

/// The name that receivers' parsers for Konnect look for.
impl Default for Vendor {
    fn default() -> Self {
        Self("KongInc".to_owned())
    }
}

impl std::str::FromStr for Vendor {
    type Err = NotAVendor;

    fn from_str(name: &str) -> Result<Self, NotAVendor> {
        Self::parse(name)
    }
}

/// The event's line without its signature; without a line break at its end.
pub fn render(event: &AuditEvent, scope: Scope, format: LogFormat, vendor: &Vendor) -> String {
    write(&Subject { event, scope, place: None }, format, vendor)
}

/// The same with the event's place in its scope's log, by which a receiver sees that none is
/// missing.
pub fn render_placed(
    event: &AuditEvent,
    scope: Scope,
    place: Place,
    format: LogFormat,
    vendor: &Vendor,
) -> String {
    write(&Subject { event, scope, place: Some(place) }, format, vendor)
}

/// What a line is about.
struct Subject<'a> {
    event: &'a AuditEvent,
    scope: Scope,
    place: Option<Place>,
}

fn write(subject: &Subject<'_>, format: LogFormat, vendor: &Vendor) -> String {
    let mut line = String::with_capacity(room(subject.event));
    match format {
        LogFormat::Cef => cef::write(&mut line, subject, vendor),
        LogFormat::Json => json::write(&mut line, subject, vendor),
        LogFormat::Cps => {
            line.push_str(r#"{"event":"#);
            json::write(&mut line, subject, vendor);
            line.push('}');
        }
    }
    line
}

/// Puts the signature of a rendered line where receivers look for it: last.
pub fn seal_line(mut line: String, format: LogFormat, signature: &str) -> String {
    match format {
        LogFormat::Cef => {
            line.push_str(" sig=");
            line.push_str(signature);
        }
        LogFormat::Json => close_with_signature(&mut line, "}", signature),
        LogFormat::Cps => close_with_signature(&mut line, "}}", signature),
    }
    line
}

fn close_with_signature(line: &mut String, braces: &str, signature: &str) {
    line.truncate(line.len().saturating_sub(braces.len()));
    line.push_str(r#","sig":""#);
    line.push_str(signature);
    line.push('"');
    line.push_str(braces);
}

/// Enough for the names of a line, its signature and texts that need no escaping.
fn room(event: &AuditEvent) -> usize {
    let detail = match &event.detail {
        Detail::Authentication(_) => 0,
        Detail::Authorization(detail) => {
            detail.service.len() + detail.resource.len() + detail.action.len()
        }
        Detail::Access(detail) => detail.method.len() + detail.query.len(),
    };
    let texts = [
        &event.principal_id,
        &event.principal_name,
        &event.actor_id,
        &event.uri,
        &event.user_agent,
        &event.trace_id,
    ];
    768 + detail + texts.iter().map(|text| text.len()).sum::<usize>()
}

const fn product(scope: Scope) -> &'static str {
    match scope {
        Scope::Organization(_) => "Konnect",
        Scope::Portal(..) => "Dev-Portal",
    }
}

/// 0 to 10. Answers of 5xx count as 500 does: a failed request is a failed request.
const fn severity(detail: &Detail) -> u8 {
    match detail {
        Detail::Authentication(Authentication { outcome, .. }) => match outcome {
            AuthenticationOutcome::Success => 0,
            AuthenticationOutcome::NotFound
            | AuthenticationOutcome::InvalidPassword
            | AuthenticationOutcome::TokenExpired => 1,
            AuthenticationOutcome::Locked | AuthenticationOutcome::Disabled => 6,
            AuthenticationOutcome::Invalid => 7,
        },
        Detail::Authorization(Authorization { granted: true, .. }) => 1,
        Detail::Authorization(Authorization { granted: false, .. }) => 6,
        Detail::Access(Access { status_code, .. }) => match *status_code {
            401 | 403 => 6,
            500..=599 => 10,
            _ => 1,
        },
    }
}

#[cfg(test)]
mod tests;
