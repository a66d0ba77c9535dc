//! What of an organization's events is not stored as it came.

use std::collections::BTreeMap;

use auditrelay_model::config::{ConfigChange, OrgConfig};
use auditrelay_model::privacy::{Privacy, PrivateField, Treatment};
use serde::Serialize;

use crate::body::{Reader, Unknown};
use crate::fault::Fault;

const TREATMENTS: &[&str] = &["mask", "hash"];

/// Reads the body that says how each field is treated; one that is not there, or null, is not.
pub fn parse(body: &[u8]) -> Result<Privacy, Vec<Fault>> {
    let mut reader = Reader::parse(body)?;
    let mut fields = BTreeMap::new();
    for field in PrivateField::ALL {
        let treatment = reader.choice(field.name(), TREATMENTS, Treatment::from_name).value();
        fields.extend(treatment.map(|treatment| (*field, treatment)));
    }
    reader.finish(Unknown::Refused)?;
    Ok(Privacy(fields))
}

/// Decides on other treatments.
pub(crate) fn change(config: &OrgConfig, privacy: &Privacy) -> Vec<ConfigChange> {
    if config.privacy == *privacy {
        return Vec::new();
    }
    vec![ConfigChange::PrivacyChanged(privacy.clone())]
}

/// The treatments on the wire: every field, null where it is stored as it comes.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct View(BTreeMap<&'static str, Option<&'static str>>);

impl From<&Privacy> for View {
    fn from(privacy: &Privacy) -> Self {
        let shown = |field: &PrivateField| (field.name(), privacy.of(*field).map(Treatment::name));
        Self(PrivateField::ALL.iter().map(shown).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::Wrong;

    #[test]
    fn treatments_are_read_and_shown() {
        let privacy = parse(br#"{"client_ip":"mask","principal_id":"hash","uri":null}"#).unwrap();
        assert!(privacy.hashes());
        let shown = serde_json::to_value(View::from(&privacy)).unwrap();
        assert_eq!(shown["client_ip"], "mask");
        assert_eq!(shown["principal_id"], "hash");
        assert!(shown["uri"].is_null() && shown.as_object().unwrap().len() == 7);
        assert_eq!(parse(b"{}").unwrap(), Privacy::default());
    }

    #[test]
    fn anything_else_is_a_mistake() {
        let faults = parse(br#"{"client_ip":"drop","granted":"mask"}"#).unwrap_err();
        assert_eq!(
            faults,
            [
                Fault::body("client_ip", Wrong::Choices(TREATMENTS)),
                Fault::body("granted", Wrong::Unknown),
            ]
        );
    }

    #[test]
    fn what_is_so_already_changes_nothing() {
        let privacy = parse(br#"{"client_ip":"mask"}"#).unwrap();
        let config = OrgConfig { privacy: privacy.clone(), ..OrgConfig::default() };
        assert!(change(&config, &privacy).is_empty());
        let none = Privacy::default();
        assert_eq!(change(&config, &none), [ConfigChange::PrivacyChanged(none.clone())]);
    }
}
