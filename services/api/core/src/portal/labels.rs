//! Labels: keys of other programs begin with names that are kept for the platform, but only in
//! lower case (`KONGCTL-namespace` is a label like any other).

use std::collections::BTreeMap;

use serde_json::Value;

use crate::body::{Given, Reader};
use crate::fault::Wrong;

/// Most labels of a portal.
pub(super) const COUNT_MAX: usize = 50;
/// The answer to more.
pub(super) const TOO_MANY: Wrong = Wrong::MaxItems(50);
const LENGTH_MAX: usize = 63;
const RESERVED: &[&str] = &["kong", "konnect", "mesh", "kic", "_"];

/// Reads the labels that are given; null takes a label away.
pub(super) fn read(reader: &mut Reader) -> BTreeMap<String, Option<String>> {
    let Given::Value(given) = reader.object("labels") else { return BTreeMap::new() };
    let mut labels = BTreeMap::new();
    let mut wrong = None;
    for (key, value) in given {
        let value = match value {
            Value::Null => None,
            Value::String(text) if is_label(&text) => Some(text),
            Value::String(_)
            | Value::Bool(_)
            | Value::Number(_)
            | Value::Array(_)
            | Value::Object(_) => {
                wrong = Some(Wrong::Label);
                continue;
            }
        };
        if !is_label(&key) || RESERVED.iter().any(|reserved| key.starts_with(reserved)) {
            wrong = Some(Wrong::Label);
        }
        labels.insert(key, value);
    }
    if labels.len() > COUNT_MAX {
        wrong = Some(TOO_MANY);
    }
    if let Some(wrong) = wrong {
        reader.fault("labels", wrong);
    }
    labels
}

/// `^[a-z0-9A-Z]{1}([a-z0-9A-Z-._]*[a-z0-9A-Z]+)?$`, at most 63 characters.
fn is_label(text: &str) -> bool {
    let bytes = text.as_bytes();
    let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    bytes.len() <= LENGTH_MAX
        && edge(bytes.first())
        && edge(bytes.last())
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(byte))
}
