//! Destinations: where SIEMs listen.

mod draft;
mod trial;

use auditrelay_model::Timestamp;
use auditrelay_model::config::{ConfigChange, OrgConfig};
use auditrelay_model::destination::{Destination, LogFormat, SealedSecret, TlsPolicy};
use auditrelay_model::id::DestinationId;
use serde::Serialize;

pub use draft::{Draft, PatchDraft, authorization_fault};
pub use trial::{Trial, tried};

use crate::command::{Decided, Denial, check_room};
use crate::endpoint::{Endpoint, same_origin};
use crate::fault::Wrong;

/// A destination to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDestination {
    /// A new id.
    pub id: DestinationId,
    /// Its name.
    pub name: String,
    /// Its URL.
    pub endpoint: Endpoint,
    /// Value of the `Authorization` header, sealed for this id.
    pub authorization: SealedSecret,
    /// How batches are written.
    pub log_format: LogFormat,
    /// Whether the certificate is checked.
    pub tls: TlsPolicy,
}

/// What is to change; what is none stays.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DestinationPatch {
    /// Its name.
    pub name: Option<String>,
    /// Its URL.
    pub endpoint: Option<Endpoint>,
    /// Value of the `Authorization` header, sealed for the destination's id.
    pub authorization: Option<SealedSecret>,
    /// How batches are written.
    pub log_format: Option<LogFormat>,
    /// Whether the certificate is checked.
    pub tls: Option<TlsPolicy>,
    /// A new host needs the authorization value again, so that nobody who cannot read the stored
    /// one has it sent to a host of theirs.
    pub new_host_needs_authorization: bool,
}

impl DestinationPatch {
    /// The destination after the change, with the same times.
    pub(crate) fn applied(&self, to: &Destination) -> Destination {
        Destination {
            name: self.name.clone().unwrap_or_else(|| to.name.clone()),
            endpoint: match &self.endpoint {
                Some(endpoint) => endpoint.as_str().to_owned(),
                None => to.endpoint.clone(),
            },
            authorization: self.authorization.clone().unwrap_or_else(|| to.authorization.clone()),
            log_format: self.log_format.unwrap_or(to.log_format),
            tls: self.tls.unwrap_or(to.tls),
            ..to.clone()
        }
    }

    /// Whether the stored authorization would go to a host it was not given for.
    pub(crate) fn carries_secret_away(&self, from: &Destination) -> bool {
        let moves =
            self.endpoint.as_ref().is_some_and(|to| !same_origin(to.as_str(), &from.endpoint));
        self.new_host_needs_authorization && moves && self.authorization.is_none()
    }
}

/// The answer to a stored authorization value that would go to another host.
pub(crate) const SEND_AGAIN: Wrong = Wrong::Invalid("must be sent again when the host changes");

/// Decides on a new destination.
pub(crate) fn create(config: &OrgConfig, at: Timestamp, new: &NewDestination) -> Decided {
    if config.destinations.contains_key(&new.id) {
        return Ok(Vec::new());
    }
    check_room(config.destinations.len())?;
    check_name(config, new.id, &new.name)?;
    Ok(vec![ConfigChange::DestinationCreated(Destination {
        id: new.id,
        name: new.name.clone(),
        endpoint: new.endpoint.as_str().to_owned(),
        authorization: new.authorization.clone(),
        log_format: new.log_format,
        tls: new.tls,
        created_at: at,
        updated_at: at,
        implicit: false,
    })])
}

/// Decides on a changed destination.
pub(crate) fn update(
    config: &OrgConfig,
    at: Timestamp,
    id: DestinationId,
    patch: &DestinationPatch,
) -> Decided {
    let old = config.destinations.get(&id).ok_or(Denial::NotFound)?;
    if let Some(name) = &patch.name {
        check_name(config, id, name)?;
    }
    if patch.carries_secret_away(old) {
        return Err(Denial::fault("authorization", SEND_AGAIN));
    }
    let new = patch.applied(old);
    if new == *old {
        return Ok(Vec::new());
    }
    Ok(vec![ConfigChange::DestinationUpdated(Destination { updated_at: at, ..new })])
}

/// Decides on the end of a destination.
pub(crate) fn delete(config: &OrgConfig, id: DestinationId) -> Decided {
    if !config.destinations.contains_key(&id) {
        return Err(Denial::NotFound);
    }
    if is_in_use(config, id) {
        // Clients look for "Destination is in use" and try again.
        return Err(Denial::Conflict("Destination is in use by a webhook"));
    }
    Ok(vec![ConfigChange::DestinationDeleted(id)])
}

/// Whether any webhook names the destination, enabled or not.
pub(crate) fn is_in_use(config: &OrgConfig, id: DestinationId) -> bool {
    config.webhooks.values().any(|webhook| webhook.destination == Some(id))
}

fn check_name(config: &OrgConfig, id: DestinationId, name: &str) -> Result<(), Denial> {
    let mut others = config.destinations.values().filter(|other| other.id != id && !other.implicit);
    if others.any(|other| other.name == name) {
        let taken = Wrong::Invalid("is already the name of another destination");
        return Err(Denial::fault("name", taken));
    }
    Ok(())
}

/// A destination on the wire: everything but its authorization value.
#[derive(Debug, Serialize)]
pub struct View {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its URL, byte for byte as it was written.
    pub endpoint: String,
    /// How batches are written.
    pub log_format: &'static str,
    /// Whether any certificate is taken.
    pub skip_ssl_verification: bool,
    /// When it was made.
    pub created_at: String,
    /// When it was last changed.
    pub updated_at: String,
}

impl From<&Destination> for View {
    fn from(destination: &Destination) -> Self {
        Self {
            id: destination.id.to_string(),
            name: destination.name.clone(),
            endpoint: destination.endpoint.clone(),
            log_format: destination.log_format.name(),
            skip_ssl_verification: destination.tls.skips(),
            created_at: destination.created_at.to_string(),
            updated_at: destination.updated_at.to_string(),
        }
    }
}

#[cfg(test)]
mod tests;
