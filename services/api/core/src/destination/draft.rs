//! Destinations as clients send them.

use auditrelay_model::destination::{LogFormat, SealedSecret, TlsPolicy};
use auditrelay_model::id::DestinationId;
use auditrelay_model::secret::Secret;

use super::{DestinationPatch, NewDestination};
use crate::address::AddressRules;
use crate::body::{Given, Reader, Unknown};
use crate::endpoint::Endpoint;
use crate::fault::{Fault, Wrong};

/// Names of the log formats.
pub(super) const FORMATS: &[&str] = &["cef", "json", "cps"];
/// Most bytes of an authorization value.
const AUTHORIZATION_LENGTH_MAX: usize = 8192;

/// A destination that somebody wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    name: String,
    endpoint: Endpoint,
    authorization: Secret,
    log_format: LogFormat,
    tls: TlsPolicy,
}

impl Draft {
    /// Reads the body of a request to create one. Format and certificate check have defaults.
    pub fn parse(body: &[u8], rules: &AddressRules) -> Result<Self, Vec<Fault>> {
        let mut reader = Reader::parse(body)?;
        let name = reader.required("name");
        let name = reader.name("name", name);
        let endpoint = reader.required("endpoint");
        let endpoint = parse_endpoint(&mut reader, endpoint, rules);
        let authorization = reader.required("authorization");
        let authorization = parse_authorization(&mut reader, authorization);
        let log_format = format(&mut reader).value().unwrap_or(LogFormat::Cef);
        let skip = reader.flag("skip_ssl_verification").value().unwrap_or(false);
        reader.finish(Unknown::Ignored)?;
        let (Some(name), Some(endpoint), Some(authorization)) = (name, endpoint, authorization)
        else {
            return Err(vec![Fault::body("body", Wrong::Syntax)]);
        };
        Ok(Self { name, endpoint, authorization, log_format, tls: TlsPolicy::from_skip(skip) })
    }

    /// The value that must be sealed before it is stored.
    pub const fn authorization(&self) -> &Secret {
        &self.authorization
    }

    /// The destination to be made.
    pub fn sealed(self, id: DestinationId, authorization: SealedSecret) -> NewDestination {
        NewDestination {
            id,
            name: self.name,
            endpoint: self.endpoint,
            authorization,
            log_format: self.log_format,
            tls: self.tls,
        }
    }
}

/// What somebody wants changed; null means the same as absent, because imported configurations
/// have nulls where they do not know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatchDraft {
    patch: DestinationPatch,
    authorization: Option<Secret>,
}

impl PatchDraft {
    /// Reads the body of a request to change one.
    pub fn parse(body: &[u8], rules: &AddressRules) -> Result<Self, Vec<Fault>> {
        let mut reader = Reader::parse(body)?;
        let name = reader.text("name").value();
        let name = reader.name("name", name);
        let draft = Self::read(&mut reader, rules);
        reader.finish(Unknown::Ignored)?;
        Ok(Self { patch: DestinationPatch { name, ..draft.patch }, ..draft })
    }

    /// Reads the properties that destinations and inline webhooks share.
    pub(crate) fn read(reader: &mut Reader, rules: &AddressRules) -> Self {
        let endpoint = reader.nonblank_text("endpoint").value();
        let endpoint = parse_endpoint(reader, endpoint, rules);
        let authorization = reader.nonblank_text("authorization").value();
        let authorization = parse_authorization(reader, authorization);
        let patch = DestinationPatch {
            endpoint,
            log_format: format(reader).value(),
            tls: reader.flag("skip_ssl_verification").map(TlsPolicy::from_skip).value(),
            ..DestinationPatch::default()
        };
        Self { patch, authorization }
    }

    /// The value that must be sealed before it is stored.
    pub const fn authorization(&self) -> Option<&Secret> {
        self.authorization.as_ref()
    }

    /// The change to be made.
    pub fn sealed(
        self,
        authorization: Option<SealedSecret>,
        new_host_needs_authorization: bool,
    ) -> DestinationPatch {
        DestinationPatch { authorization, new_host_needs_authorization, ..self.patch }
    }
}

pub(super) fn format(reader: &mut Reader) -> Given<LogFormat> {
    reader.choice("log_format", FORMATS, LogFormat::from_name)
}

pub(super) fn parse_endpoint(
    reader: &mut Reader,
    text: Option<String>,
    rules: &AddressRules,
) -> Option<Endpoint> {
    match Endpoint::parse(&text?, rules) {
        Ok(endpoint) => Some(endpoint),
        Err(wrong) => {
            reader.fault("endpoint", wrong);
            None
        }
    }
}

pub(super) fn parse_authorization(reader: &mut Reader, text: Option<String>) -> Option<Secret> {
    let text = text?;
    match authorization_fault(&text) {
        None => Some(Secret::new(text)),
        Some(wrong) => {
            reader.fault("authorization", wrong);
            None
        }
    }
}

/// What is wrong with an authorization value: it goes into a header as it is.
pub fn authorization_fault(text: &str) -> Option<Wrong> {
    if text.len() > AUTHORIZATION_LENGTH_MAX {
        return Some(Wrong::MaxLength(8192));
    }
    let printable = text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
    let padded = text.starts_with(' ') || text.ends_with(' ');
    (!printable || padded).then_some(Wrong::Header)
}
