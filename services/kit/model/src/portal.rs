//! Developer portals.

use std::collections::BTreeMap;

use crate::Timestamp;
use crate::id::PortalId;

/// A developer portal, as far as its audit log needs it known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Portal {
    /// Its id.
    pub id: PortalId,
    /// Unique in the organization.
    pub name: String,
    /// What people read.
    pub display_name: String,
    /// The other writable attributes as clients sent them: a JSON object.
    pub attributes_json: String,
    /// Free labels.
    pub labels: BTreeMap<String, String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}
