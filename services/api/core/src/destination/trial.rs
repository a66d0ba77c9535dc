//! What a test delivery goes to: a stored destination, changed or not, or one that nobody has made.

use auditrelay_model::Timestamp;
use auditrelay_model::config::OrgConfig;
use auditrelay_model::destination::{Destination, LogFormat, SealedSecret, TlsPolicy};
use auditrelay_model::id::DestinationId;
use auditrelay_model::secret::Secret;

use super::draft::{format, parse_authorization, parse_endpoint};
use super::{DestinationPatch, SEND_AGAIN};
use crate::address::AddressRules;
use crate::body::{Reader, Unknown};
use crate::command::Denial;
use crate::endpoint::Endpoint;
use crate::fault::{Fault, Wrong};

/// A destination that is tried before it is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trial {
    endpoint: Endpoint,
    authorization: Secret,
    log_format: LogFormat,
    tls: TlsPolicy,
}

impl Trial {
    /// Reads the body of a request to try one. A name may be there and is not looked at.
    pub fn parse(body: &[u8], rules: &AddressRules) -> Result<Self, Vec<Fault>> {
        let mut reader = Reader::parse(body)?;
        let _name = reader.value("name");
        let endpoint = reader.required("endpoint");
        let endpoint = parse_endpoint(&mut reader, endpoint, rules);
        let authorization = reader.required("authorization");
        let authorization = parse_authorization(&mut reader, authorization);
        let log_format = format(&mut reader).value().unwrap_or(LogFormat::Cef);
        let skip = reader.flag("skip_ssl_verification").value().unwrap_or(false);
        reader.finish(Unknown::Refused)?;
        let (Some(endpoint), Some(authorization)) = (endpoint, authorization) else {
            return Err(vec![Fault::body("body", Wrong::Syntax)]);
        };
        Ok(Self { endpoint, authorization, log_format, tls: TlsPolicy::from_skip(skip) })
    }

    /// The value that must be sealed before it travels.
    pub const fn authorization(&self) -> &Secret {
        &self.authorization
    }

    /// The destination as it would be; it is stored nowhere.
    pub fn sealed(
        self,
        id: DestinationId,
        authorization: SealedSecret,
        now: Timestamp,
    ) -> Destination {
        Destination {
            id,
            name: String::new(),
            endpoint: self.endpoint.as_str().to_owned(),
            authorization,
            log_format: self.log_format,
            tls: self.tls,
            created_at: now,
            updated_at: now,
            implicit: true,
        }
    }
}

/// A stored destination as it would be after a change.
pub fn tried(
    config: &OrgConfig,
    id: DestinationId,
    patch: &DestinationPatch,
) -> Result<Destination, Denial> {
    let stored = config.destinations.get(&id).ok_or(Denial::NotFound)?;
    if patch.carries_secret_away(stored) {
        return Err(Denial::fault("authorization", SEND_AGAIN));
    }
    Ok(patch.applied(stored))
}
