//! One thing wrong with one parameter.

use std::borrow::Cow;

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

/// A parameter that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidParameter {
    /// Where it is: `name`, `[3].granted`, `page[after]`.
    pub field: String,
    /// The rule that it broke.
    pub rule: Option<Rule>,
    /// The same in words, without the value.
    pub reason: Cow<'static, str>,
    /// `body`, `query`, `path` or `header`.
    pub source: &'static str,
}

/// The rules of Kong's error format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rule {
    /// A rule that its name says all about: `required`, `is_uuid`.
    Named(Cow<'static, str>),
    /// `min`, `min_length`, `min_items`.
    Minimum(&'static str, u64),
    /// `max`, `max_length`, `max_items`.
    Maximum(&'static str, u64),
    /// `enum`.
    Choices(Vec<String>),
}

impl InvalidParameter {
    /// A parameter that broke `rule`.
    pub fn new(field: impl Into<String>, rule: Rule, reason: impl Into<Cow<'static, str>>) -> Self {
        Self { field: field.into(), rule: Some(rule), reason: reason.into(), source: "body" }
    }

    /// The body cannot be read.
    pub fn body() -> Self {
        Self::unreadable("body")
    }

    /// This part of the body (`line 4`) cannot be read.
    pub fn unreadable(field: impl Into<String>) -> Self {
        let reason = "request format is invalid".into();
        Self { field: field.into(), rule: None, reason, source: "body" }
    }

    /// It is not there.
    pub fn required(field: impl Into<String>) -> Self {
        Self::named(field, "required", "is a required field")
    }

    /// It is there but empty.
    pub fn blank(field: impl Into<String>) -> Self {
        Self::named(field, "required", "cannot be blank")
    }

    /// It is not a `kind` (string, boolean, integer, object, array).
    pub fn type_(field: impl Into<String>, kind: &str) -> Self {
        let article = if kind.starts_with(['a', 'e', 'i', 'o']) { "an" } else { "a" };
        let rule = Rule::Named(format!("is_{kind}").into());
        Self::new(field, rule, format!("must be {article} {kind}"))
    }

    /// It is none of `choices`.
    pub fn choices(field: impl Into<String>, choices: &[&str]) -> Self {
        let choices = choices.iter().map(|choice| (*choice).to_owned()).collect();
        Self::new(field, Rule::Choices(choices), "must be one of the choices")
    }

    /// A text longer than `n`.
    pub fn max_length(field: impl Into<String>, n: u64) -> Self {
        let reason = format!("length must be at most {n}");
        Self::new(field, Rule::Maximum("max_length", n), reason)
    }

    /// A text shorter than `n`.
    pub fn min_length(field: impl Into<String>, n: u64) -> Self {
        let reason = format!("length must be at least {n}");
        Self::new(field, Rule::Minimum("min_length", n), reason)
    }

    /// A number above `n`.
    pub fn max(field: impl Into<String>, n: u64) -> Self {
        Self::new(field, Rule::Maximum("max", n), format!("must be at most {n}"))
    }

    /// A number below `n`.
    pub fn min(field: impl Into<String>, n: u64) -> Self {
        Self::new(field, Rule::Minimum("min", n), format!("must be at least {n}"))
    }

    /// More than `n` items.
    pub fn max_items(field: impl Into<String>, n: u64) -> Self {
        let reason = format!("must have at most {n} items");
        Self::new(field, Rule::Maximum("max_items", n), reason)
    }

    /// Fewer than `n` items.
    pub fn min_items(field: impl Into<String>, n: u64) -> Self {
        let reason = format!("must have at least {n} items");
        Self::new(field, Rule::Minimum("min_items", n), reason)
    }

    /// No property has this name.
    pub fn unknown(field: impl Into<String>) -> Self {
        Self::named(field, "unknown_property", "is not a known property")
    }

    /// Not a date-time.
    pub fn date_time(field: impl Into<String>) -> Self {
        Self::named(field, "is_date_time", "must be an RFC 3339 date-time")
    }

    /// Not a UUID.
    pub fn uuid(field: impl Into<String>) -> Self {
        Self::named(field, "is_uuid", "must be a UUID")
    }

    /// What it names does not exist.
    pub fn missing_reference(field: impl Into<String>) -> Self {
        Self::named(field, "missing_reference", "does not exist")
    }

    /// Wrong in a way that has no rule of its own.
    pub fn invalid(field: impl Into<String>, why: impl Into<Cow<'static, str>>) -> Self {
        Self::new(field, Rule::Named("invalid".into()), why)
    }

    /// The same, found elsewhere than in the body.
    #[must_use]
    pub const fn from(mut self, source: &'static str) -> Self {
        self.source = source;
        self
    }

    /// The same below `prefix`: `[3].` makes `granted` into `[3].granted`.
    #[must_use]
    pub fn within(mut self, prefix: &str) -> Self {
        self.field.insert_str(0, prefix);
        self
    }

    /// The detail of a problem that starts with this parameter.
    pub(super) fn detail(&self) -> &'static str {
        let Some(rule) = &self.rule else { return "Could not parse request body" };
        match rule {
            Rule::Named(name) => match name.as_ref() {
                "required" => "Required field missing",
                "unknown_property" => "Unknown property",
                "missing_reference" => "Invalid reference",
                _ => "Invalid parameter",
            },
            Rule::Minimum(..) | Rule::Maximum(..) | Rule::Choices(_) => "Invalid parameter",
        }
    }

    fn named(field: impl Into<String>, rule: &'static str, reason: &'static str) -> Self {
        Self::new(field, Rule::Named(rule.into()), reason)
    }
}

impl Serialize for InvalidParameter {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("field", &self.field)?;
        match &self.rule {
            None => {}
            Some(Rule::Named(name)) => map.serialize_entry("rule", name)?,
            Some(Rule::Minimum(name, n)) => {
                map.serialize_entry("rule", name)?;
                map.serialize_entry("minimum", n)?;
            }
            Some(Rule::Maximum(name, n)) => {
                map.serialize_entry("rule", name)?;
                map.serialize_entry("maximum", n)?;
            }
            Some(Rule::Choices(choices)) => {
                map.serialize_entry("rule", "enum")?;
                map.serialize_entry("choices", choices)?;
            }
        }
        map.serialize_entry("reason", &self.reason)?;
        map.serialize_entry("source", self.source)?;
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn parameters_read_as_kong_writes_them() {
        let cases = [
            (
                InvalidParameter::type_("granted", "boolean").within("[3]."),
                json!({"field": "[3].granted", "rule": "is_boolean",
                       "reason": "must be a boolean", "source": "body"}),
            ),
            (
                InvalidParameter::type_("body", "object"),
                json!({"field": "body", "rule": "is_object",
                       "reason": "must be an object", "source": "body"}),
            ),
            (
                InvalidParameter::choices("type", &["a", "b"]),
                json!({"field": "type", "rule": "enum", "choices": ["a", "b"],
                       "reason": "must be one of the choices", "source": "body"}),
            ),
            (
                InvalidParameter::max_items("body", 1_000),
                json!({"field": "body", "rule": "max_items", "maximum": 1_000,
                       "reason": "must have at most 1000 items", "source": "body"}),
            ),
            (
                InvalidParameter::min("page[size]", 1).from("query"),
                json!({"field": "page[size]", "rule": "min", "minimum": 1,
                       "reason": "must be at least 1", "source": "query"}),
            ),
        ];
        for (parameter, wanted) in cases {
            assert_eq!(serde_json::to_value(parameter).unwrap(), wanted);
        }
    }
}
