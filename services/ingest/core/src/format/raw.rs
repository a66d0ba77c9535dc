//! JSON bodies whose records are looked at one by one, each as its own text.

use std::fmt;

use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// Hands each item of a JSON array to `each` until it says stop; says whether all of it was JSON.
pub(super) fn array<'a>(body: &'a [u8], each: &mut dyn FnMut(&'a RawValue)) -> bool {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let read = deserializer.deserialize_seq(Items(each));
    read.and_then(|()| deserializer.end()).is_ok()
}

/// The same for what is either an array or a single item.
pub(super) fn one_or_many<'a>(body: &'a [u8], each: &mut dyn FnMut(&'a RawValue)) -> bool {
    if is_array(body) {
        return array(body, each);
    }
    let one = serde_json::from_slice::<&RawValue>(body);
    one.map(&mut *each).is_ok()
}

/// Whether the body begins like an array.
pub(super) fn is_array(body: &[u8]) -> bool {
    body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[')
}

struct Items<'e, 'a>(&'e mut dyn FnMut(&'a RawValue));

impl<'de> Visitor<'de> for Items<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while let Some(item) = seq.next_element()? {
            (self.0)(item);
        }
        Ok(())
    }
}

/// A value whose presence alone matters.
pub(super) type Present = Option<IgnoredAny>;
