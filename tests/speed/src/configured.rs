//! An organization's configuration as it grows.

use auditrelay_model::Timestamp;
use auditrelay_model::config::{ConfigChange, ConfigEvent, OrgConfig};
use auditrelay_model::id::{CommandId, PortalId};
use auditrelay_model::portal::Portal;

use crate::uuid;

/// An organization with portals.
#[derive(Debug, Clone)]
pub struct Configured(OrgConfig);

impl Configured {
    /// With so many.
    pub fn with(portals: usize) -> Self {
        let mut configured = Self(OrgConfig::default());
        (0..portals).for_each(|number| configured.add(number));
        configured
    }

    /// Folds the fact that another portal was made.
    pub fn add(&mut self, number: usize) {
        let at = Timestamp::from_nanos(0);
        let portal = Portal {
            id: PortalId::from_uuid(uuid(number)),
            name: format!("portal {number}"),
            display_name: String::new(),
            attributes_json: "{}".to_owned(),
            labels: [("team".to_owned(), "identity".to_owned())].into(),
            created_at: at,
            updated_at: at,
        };
        let event = ConfigEvent {
            at,
            actor: "platform".to_owned(),
            command: CommandId::from_uuid(uuid(number)),
            changes: vec![ConfigChange::PortalCreated(portal)],
            origin: None,
            summary: String::new(),
        };
        self.0.evolve(&event).unwrap();
    }
}
