//! A request's body: a JSON object whose properties are read one by one, so that every mistake is
//! reported at once and "absent", "null" and "given" stay apart.

mod strict;

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use self::strict::Strict;
use crate::fault::{Fault, Wrong};
use crate::text;

/// A property as it was sent. In a merge patch the three mean leave, clear and set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Given<T> {
    /// Not there.
    #[default]
    Absent,
    /// There, and null.
    Null,
    /// There.
    Value(T),
}

impl<T> Given<T> {
    /// The value, where null means the same as absent.
    pub fn value(self) -> Option<T> {
        match self {
            Self::Absent | Self::Null => None,
            Self::Value(value) => Some(value),
        }
    }

    /// Changes the value inside.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Given<U> {
        match self {
            Self::Absent => Given::Absent,
            Self::Null => Given::Null,
            Self::Value(value) => Given::Value(change(value)),
        }
    }
}

/// What happens to properties that nobody asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unknown {
    /// Clients of the compatible routes send more than we know.
    Ignored,
    /// On our own routes an unknown property is a typing mistake.
    Refused,
}

/// Reads the properties of a body and collects what is wrong with them.
#[derive(Debug)]
pub struct Reader {
    object: Map<String, Value>,
    asked: BTreeSet<&'static str>,
    faults: Vec<Fault>,
}

impl Reader {
    /// Parses a body. A property that is there twice makes it unreadable: the two may differ.
    pub fn parse(body: &[u8]) -> Result<Self, Vec<Fault>> {
        match serde_json::from_slice(body) {
            Ok(Strict(Value::Object(object))) => {
                Ok(Self { object, asked: BTreeSet::new(), faults: Vec::new() })
            }
            Ok(_) => Err(vec![Fault::body("body", Wrong::Type("object"))]),
            Err(_) => Err(vec![Fault::body("body", Wrong::Syntax)]),
        }
    }

    /// Notes a mistake.
    pub fn fault(&mut self, field: impl Into<String>, wrong: Wrong) {
        self.faults.push(Fault::body(field, wrong));
    }

    /// A property of any type.
    pub fn value(&mut self, field: &'static str) -> Given<Value> {
        self.asked.insert(field);
        match self.object.get(field) {
            None => Given::Absent,
            Some(Value::Null) => Given::Null,
            Some(value) => Given::Value(value.clone()),
        }
    }

    /// A text.
    pub fn text(&mut self, field: &'static str) -> Given<String> {
        self.typed(field, "string", |value| match value {
            Value::String(text) => Some(text),
            _ => None,
        })
    }

    /// A text that must be there and must not be blank.
    pub fn required(&mut self, field: &'static str) -> Option<String> {
        let text = self.asked_before_fault(field)?;
        self.nonblank(field, text)
    }

    /// A text that must not be blank where it is given.
    pub fn nonblank_text(&mut self, field: &'static str) -> Given<String> {
        match self.text(field) {
            Given::Value(text) => self.nonblank(field, text).map_or(Given::Absent, Given::Value),
            other => other,
        }
    }

    /// A boolean.
    pub fn flag(&mut self, field: &'static str) -> Given<bool> {
        self.typed(field, "boolean", |value| value.as_bool())
    }

    /// An object.
    pub fn object(&mut self, field: &'static str) -> Given<Map<String, Value>> {
        self.typed(field, "object", |value| match value {
            Value::Object(object) => Some(object),
            _ => None,
        })
    }

    /// One of a closed set of words.
    pub fn choice<T>(
        &mut self,
        field: &'static str,
        names: &'static [&'static str],
        parse: impl Fn(&str) -> Option<T>,
    ) -> Given<T> {
        match self.value(field) {
            Given::Absent => Given::Absent,
            Given::Null => Given::Null,
            Given::Value(value) => {
                self.known(field, value.as_str().and_then(parse), Wrong::Choices(names))
            }
        }
    }

    /// A name: 1 to 255 characters, not blank, nothing that breaks a line.
    pub fn name(&mut self, field: &'static str, text: Option<String>) -> Option<String> {
        let name = text?;
        match text::name_fault(&name) {
            None => Some(name),
            Some(wrong) => {
                self.fault(field, wrong);
                None
            }
        }
    }

    /// Ends the reading: the mistakes, if there were any.
    pub fn finish(mut self, unknown: Unknown) -> Result<(), Vec<Fault>> {
        if unknown == Unknown::Refused {
            let strangers = self.object.keys().filter(|key| !self.asked.contains(key.as_str()));
            let strangers: Vec<_> =
                strangers.map(|key| Fault::body(text::cut(key, 64), Wrong::Unknown)).collect();
            self.faults.extend(strangers);
        }
        if self.faults.is_empty() { Ok(()) } else { Err(self.faults) }
    }

    fn typed<T>(
        &mut self,
        field: &'static str,
        kind: &'static str,
        take: impl Fn(Value) -> Option<T>,
    ) -> Given<T> {
        match self.value(field) {
            Given::Absent => Given::Absent,
            Given::Null => Given::Null,
            Given::Value(value) => self.known(field, take(value), Wrong::Type(kind)),
        }
    }

    fn known<T>(&mut self, field: &'static str, value: Option<T>, wrong: Wrong) -> Given<T> {
        if value.is_none() {
            self.fault(field, wrong);
        }
        value.map_or(Given::Absent, Given::Value)
    }

    fn asked_before_fault(&mut self, field: &'static str) -> Option<String> {
        let faults = self.faults.len();
        let text = self.text(field).value();
        if text.is_none() && self.faults.len() == faults {
            self.fault(field, Wrong::Required);
        }
        text
    }

    fn nonblank(&mut self, field: &'static str, text: String) -> Option<String> {
        if text.trim().is_empty() {
            self.fault(field, Wrong::Blank);
            return None;
        }
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(body: &str, read: impl Fn(&mut Reader)) -> Vec<Fault> {
        match Reader::parse(body.as_bytes()) {
            Ok(mut reader) => {
                read(&mut reader);
                reader.finish(Unknown::Refused).err().unwrap_or_default()
            }
            Err(faults) => faults,
        }
    }

    #[test]
    fn a_body_is_one_json_object() {
        let syntax = vec![Fault::body("body", Wrong::Syntax)];
        for body in ["", "{", "{} x", "{\"a\":1,\"a\":2}", "{\"a\":{\"b\":1,\"b\":1}}"] {
            assert_eq!(faults(body, |_| ()), syntax, "{body}");
        }
        for body in ["[]", "\"x\"", "5", "null", "true"] {
            let other = vec![Fault::body("body", Wrong::Type("object"))];
            assert_eq!(faults(body, |_| ()), other, "{body}");
        }
        assert_eq!(faults(&format!("{}1", "[".repeat(200)), |_| ()), syntax);
    }

    #[test]
    fn all_mistakes_are_told_at_once() {
        let found = faults(r#"{"name":5,"endpont":"x","size":"  "}"#, |reader| {
            reader.required("name");
            reader.required("endpoint");
            reader.required("size");
            reader.flag("enabled");
        });
        let expected = [
            Fault::body("name", Wrong::Type("string")),
            Fault::body("endpoint", Wrong::Required),
            Fault::body("size", Wrong::Blank),
            Fault::body("endpont", Wrong::Unknown),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn json_is_read_as_it_is_written() {
        let text = r#"{"a":[-1,1,1.5,-2.5e10,18446744073709551615,null,true,false,"x",{"b":[]}]}"#;
        let expected: Value = serde_json::from_str(text).unwrap();
        let mut reader = Reader::parse(text.as_bytes()).unwrap();
        assert_eq!(reader.value("a"), Given::Value(expected["a"].clone()));
    }

    #[test]
    fn absent_null_and_given_stay_apart() {
        let mut reader = Reader::parse(br#"{"a":null,"b":"x"}"#).unwrap();
        assert_eq!(reader.text("a"), Given::Null);
        assert_eq!(reader.text("b"), Given::Value("x".to_owned()));
        assert_eq!(reader.text("c"), Given::Absent);
        assert_eq!(reader.finish(Unknown::Refused), Ok(()));
    }
}
