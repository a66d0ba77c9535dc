//! Organizations.

use auditrelay_model::config::{ConfigChange, OrgConfig};
use auditrelay_model::id::OrgId;
use serde::Serialize;

use crate::body::{Reader, Unknown};
use crate::command::Denial;
use crate::fault::{Fault, Wrong};

/// Reads the body that makes an organization: its name.
pub fn parse(body: &[u8]) -> Result<String, Vec<Fault>> {
    let mut reader = Reader::parse(body)?;
    let name = reader.required("name");
    let name = reader.name("name", name);
    reader.finish(Unknown::Refused)?;
    Ok(name.unwrap_or_default())
}

/// Decides on a new organization. Its id is new, so a name that is there came from this command.
pub(crate) fn create(config: &OrgConfig, name: &str) -> Vec<ConfigChange> {
    if config.name.is_some() {
        return Vec::new();
    }
    vec![ConfigChange::OrganizationCreated { name: name.to_owned() }]
}

/// Whether another organization has the name.
pub fn check_name<'a>(
    name: &str,
    mut others: impl Iterator<Item = &'a OrgConfig>,
) -> Result<(), Denial> {
    if others.any(|other| other.name.as_deref() == Some(name)) {
        let taken = Wrong::Invalid("is already the name of another organization");
        return Err(Denial::fault("name", taken));
    }
    Ok(())
}

/// An organization on the wire.
#[derive(Debug, Serialize)]
pub struct View {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
}

impl View {
    /// An organization that exists.
    pub fn of(id: OrgId, config: &OrgConfig) -> Option<Self> {
        config.name.clone().map(|name| Self { id: id.to_string(), name })
    }
}
