//! Portals as clients send them.

use std::collections::BTreeMap;

use auditrelay_model::Timestamp;
use auditrelay_model::id::PortalId;
use auditrelay_model::portal::Portal;
use serde_json::{Map, Value, json};

use super::labels;
use crate::body::{Given, Reader, Unknown};
use crate::command::Denial;
use crate::fault::{Fault, Wrong};
use crate::text;

/// Switches, and how they stand when nobody says.
const FLAGS: &[(&str, bool)] = &[
    ("authentication_enabled", true),
    ("rbac_enabled", false),
    ("sipr_enabled", false),
    ("auto_approve_developers", false),
    ("auto_approve_applications", false),
    ("notifications_developer_pii_visibility_enabled", false),
];
const VISIBILITIES: &[&str] = &["default_api_visibility", "default_page_visibility"];
const VISIBILITY: &[&str] = &["public", "private"];
const DESCRIPTION_LENGTH_MAX: u64 = 512;

/// The attributes of a portal about which nobody said anything.
pub(super) fn defaults() -> Map<String, Value> {
    let flags = FLAGS.iter().map(|(name, value)| ((*name).to_owned(), json!(value)));
    let visibilities = VISIBILITIES.iter().map(|name| ((*name).to_owned(), json!("private")));
    let texts = ["description", "default_application_auth_strategy_id"];
    let texts = texts.into_iter().map(|name| (name.to_owned(), Value::Null));
    flags.chain(visibilities).chain(texts).collect()
}

/// A portal that somebody wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    name: String,
    patch: PortalPatch,
}

impl Draft {
    /// Reads the body of a request to create one; null means the default.
    pub fn parse(body: &[u8]) -> Result<Self, Vec<Fault>> {
        let mut reader = Reader::parse(body)?;
        let name = reader.required("name");
        let name = reader.name("name", name);
        let patch = PortalPatch::read(&mut reader);
        reader.finish(Unknown::Ignored)?;
        Ok(Self { name: name.unwrap_or_default(), patch })
    }

    /// The portal to be made; its times are set by the decision.
    pub fn portal(self, id: PortalId) -> Portal {
        let mut attributes = self.patch.attributes;
        attributes.retain(|_, value| !value.is_null());
        let labels = self.patch.labels.into_iter();
        Portal {
            id,
            display_name: self.patch.display_name.unwrap_or_else(|| self.name.clone()),
            name: self.name,
            attributes_json: Value::Object(attributes).to_string(),
            labels: labels.filter_map(|(key, value)| Some((key, value?))).collect(),
            created_at: Timestamp::default(),
            updated_at: Timestamp::default(),
        }
    }
}

/// What is to change of a portal.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PortalPatch {
    name: Option<String>,
    display_name: Option<String>,
    /// By name; null for the default.
    attributes: Map<String, Value>,
    /// By key; none takes the label away.
    labels: BTreeMap<String, Option<String>>,
}

impl PortalPatch {
    /// Reads the body of a request to change one.
    pub fn parse(body: &[u8]) -> Result<Self, Vec<Fault>> {
        let mut reader = Reader::parse(body)?;
        let name = reader.text("name").value();
        let name = reader.name("name", name);
        let patch = Self::read(&mut reader);
        reader.finish(Unknown::Ignored)?;
        Ok(Self { name, ..patch })
    }

    fn read(reader: &mut Reader) -> Self {
        let display_name = reader.text("display_name").value();
        let display_name = reader.name("display_name", display_name);
        let labels = labels::read(reader);
        Self { name: None, display_name, attributes: attributes(reader), labels }
    }

    /// The portal after the change, with the same times.
    pub(super) fn applied(&self, to: &Portal) -> Result<Portal, Denial> {
        let mut attributes = super::attributes(to);
        for (name, value) in &self.attributes {
            if value.is_null() {
                attributes.remove(name);
            } else {
                attributes.insert(name.clone(), value.clone());
            }
        }
        let mut labels = to.labels.clone();
        for (key, value) in &self.labels {
            match value {
                Some(value) => labels.insert(key.clone(), value.clone()),
                None => labels.remove(key),
            };
        }
        if labels.len() > labels::COUNT_MAX {
            return Err(Denial::fault("labels", labels::TOO_MANY));
        }
        Ok(Portal {
            name: self.name.clone().unwrap_or_else(|| to.name.clone()),
            display_name: self.display_name.clone().unwrap_or_else(|| to.display_name.clone()),
            attributes_json: Value::Object(attributes).to_string(),
            labels,
            ..to.clone()
        })
    }
}

/// The attributes that are given; null clears the two texts and leaves everything else alone.
fn attributes(reader: &mut Reader) -> Map<String, Value> {
    let mut given = Map::new();
    for (name, _) in FLAGS {
        if let Given::Value(flag) = reader.flag(name) {
            given.insert((*name).to_owned(), json!(flag));
        }
    }
    for name in VISIBILITIES {
        let parse = |text: &str| VISIBILITY.iter().find(|known| **known == text).copied();
        if let Given::Value(visibility) = reader.choice(name, VISIBILITY, parse) {
            given.insert((*name).to_owned(), json!(visibility));
        }
    }
    let mut text = |name: &'static str, check: fn(&str) -> Option<Wrong>| match reader.text(name) {
        Given::Absent => {}
        Given::Null => {
            given.insert(name.to_owned(), Value::Null);
        }
        Given::Value(text) => match check(&text) {
            Some(wrong) => reader.fault(name, wrong),
            None => {
                given.insert(name.to_owned(), json!(text));
            }
        },
    };
    text("description", |text| {
        let long = text::longer(text, DESCRIPTION_LENGTH_MAX);
        long.then_some(Wrong::MaxLength(DESCRIPTION_LENGTH_MAX))
    });
    text("default_application_auth_strategy_id", |text| {
        // Any UUID: strategies live elsewhere.
        text.parse::<PortalId>().err().map(|_| Wrong::Invalid("is not a UUID"))
    });
    given
}
