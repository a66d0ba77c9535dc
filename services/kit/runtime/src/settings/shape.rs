//! What a setting can be, for those who write it.

use std::collections::BTreeMap;

use super::{Settings, variable};

/// What was asked for under a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    /// A number, a duration, a secret; for other things what they must be: `a socket address`.
    pub kind: String,
    /// What holds when it is not set, where that can be written down.
    pub default: Option<String>,
    /// The least and the most, with units.
    pub bounds: Option<(String, String)>,
    /// The environment variable.
    pub variable: String,
}

impl Settings {
    /// Every setting that was asked for so far.
    pub fn shapes(&self) -> &BTreeMap<String, Shape> {
        &self.shapes
    }

    pub(super) fn is(&mut self, key: &str, kind: &str, default: Option<String>) {
        self.note(key, kind, default, None);
    }

    pub(super) fn is_between<T>(
        &mut self,
        key: &str,
        kind: &str,
        default: &T,
        range: &std::ops::RangeInclusive<T>,
        show: impl Fn(&T) -> String,
    ) {
        let bounds = (show(range.start()), show(range.end()));
        self.note(key, kind, Some(show(default)), Some(bounds));
    }

    fn note(
        &mut self,
        key: &str,
        kind: &str,
        default: Option<String>,
        bounds: Option<(String, String)>,
    ) {
        let (kind, variable) = (kind.to_owned(), variable(key));
        self.shapes.insert(key.to_owned(), Shape { kind, default, bounds, variable });
    }
}
