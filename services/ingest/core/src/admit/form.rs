//! Reading a draft's properties one by one, keeping every problem.

use std::borrow::Cow;

use auditrelay_model::Timestamp;

use crate::draft::{Draft, Field, Value};
use crate::rejection::{JsonType, Place, Rejection, RejectionKind};

/// A draft that is being read. Each property is read once; what is left at the end belongs to no
/// event of the kind.
pub(super) struct Form<'a> {
    place: Place,
    draft: Draft<'a>,
    rejections: Vec<Rejection>,
}

impl<'a> Form<'a> {
    pub(super) const fn new(place: Place, draft: Draft<'a>) -> Self {
        Self { place, draft, rejections: Vec::new() }
    }

    /// What is wrong already; true when there is nothing to read beside it.
    pub(super) fn is_hopeless(&mut self) -> bool {
        let (wrong, hopeless) = self.draft.take_wrong();
        for (name, kind) in wrong {
            self.refuse_name(&name, kind);
        }
        hopeless
    }

    /// What the sender calls the event by, when that is no UUID.
    pub(super) fn foreign_id(&self) -> Option<&str> {
        self.draft.foreign_id()
    }

    /// Ends the reading. While the kind is unknown nobody can tell what does not belong to it.
    pub(super) fn finish(mut self, kind_is_known: bool) -> Result<(), Vec<Rejection>> {
        for name in std::mem::take(&mut self.draft.unknown) {
            self.refuse_name(&name, RejectionKind::Unknown);
        }
        if kind_is_known {
            for field in Field::ALL.iter().copied().filter(|field| self.draft.is_left_over(*field))
            {
                let field = self.place.property(self.draft.name(field));
                self.rejections.push(Rejection { field, kind: RejectionKind::Unknown });
            }
        }
        if self.rejections.is_empty() { Ok(()) } else { Err(self.rejections) }
    }

    /// A text; empty when there is none.
    pub(super) fn text(&mut self, field: Field, max: usize) -> String {
        self.bounded(field, max).map(Cow::into_owned).unwrap_or_default()
    }

    /// A text that must be there and not be empty.
    pub(super) fn required_text(&mut self, field: Field, max: usize) -> String {
        if !self.draft.has(field) {
            self.refuse(field, RejectionKind::Required);
            return String::new();
        }
        let text = self.bounded(field, max);
        if text.as_deref() == Some("") {
            self.refuse(field, RejectionKind::Blank);
        }
        text.map(Cow::into_owned).unwrap_or_default()
    }

    /// A boolean.
    pub(super) fn flag(&mut self, field: Field) -> Option<bool> {
        match self.draft.take(field)? {
            Value::Flag(flag) => Some(flag),
            Value::Text(_) | Value::Integer(_) | Value::Time(_) | Value::Other => {
                self.refuse(field, RejectionKind::Type(JsonType::Boolean));
                None
            }
        }
    }

    /// A boolean that must be there.
    pub(super) fn required_flag(&mut self, field: Field) -> Option<bool> {
        self.require(field);
        self.flag(field)
    }

    /// A whole number that must be there and lie within bounds.
    pub(super) fn required_integer(&mut self, field: Field, min: u16, max: u16) -> Option<u16> {
        self.require(field);
        let Value::Integer(number) = self.draft.take(field)? else {
            self.refuse(field, RejectionKind::Type(JsonType::Integer));
            return None;
        };
        if number < i128::from(min) {
            self.refuse(field, RejectionKind::Min(min.into()));
        } else if number > i128::from(max) {
            self.refuse(field, RejectionKind::Max(max.into()));
        }
        u16::try_from(number).ok().filter(|number| (min..=max).contains(number))
    }

    /// One of `all`, by name; it must be there.
    pub(super) fn choice<T: Copy>(
        &mut self,
        field: Field,
        all: &[T],
        name: fn(T) -> &'static str,
    ) -> Option<T> {
        self.require(field);
        let value = self.draft.take(field)?;
        let found = match &value {
            Value::Text(text) => all.iter().copied().find(|one| name(*one) == text.as_ref()),
            Value::Flag(_) | Value::Integer(_) | Value::Time(_) | Value::Other => None,
        };
        if found.is_none() {
            let choices = all.iter().copied().map(name).collect();
            self.refuse(field, RejectionKind::Choice(choices));
        }
        found
    }

    /// A text with a meaning of its own.
    pub(super) fn parsed<T>(
        &mut self,
        field: Field,
        parse: impl FnOnce(&str) -> Result<T, RejectionKind>,
    ) -> Option<T> {
        let text = self.take_text(field)?;
        parse(&text).map_err(|kind| self.refuse(field, kind)).ok()
    }

    /// A moment that must be there, as a text or counted.
    pub(super) fn required_time(
        &mut self,
        field: Field,
        parse: impl FnOnce(&str) -> Result<Timestamp, RejectionKind>,
        check: impl FnOnce(Timestamp) -> Result<(), RejectionKind>,
    ) -> Option<Timestamp> {
        self.require(field);
        let ts = match self.draft.take(field)? {
            Value::Text(text) => parse(&text),
            Value::Time(ts) => Ok(ts),
            Value::Flag(_) | Value::Integer(_) | Value::Other => {
                Err(RejectionKind::Type(JsonType::String))
            }
        };
        let checked = ts.and_then(|ts| check(ts).map(|()| ts));
        checked.map_err(|kind| self.refuse(field, kind)).ok()
    }

    fn require(&mut self, field: Field) {
        if !self.draft.has(field) {
            self.refuse(field, RejectionKind::Required);
        }
    }

    fn bounded(&mut self, field: Field, max: usize) -> Option<Cow<'a, str>> {
        let text = self.take_text(field)?;
        // A text has at most as many characters as bytes.
        if text.len() > max && text.chars().count() > max {
            self.refuse(field, RejectionKind::MaxLength(max as u64));
            return None;
        }
        Some(text)
    }

    fn take_text(&mut self, field: Field) -> Option<Cow<'a, str>> {
        match self.draft.take(field)? {
            Value::Text(text) => Some(text),
            Value::Flag(_) | Value::Integer(_) | Value::Time(_) | Value::Other => {
                self.refuse(field, RejectionKind::Type(JsonType::String));
                None
            }
        }
    }

    fn refuse(&mut self, field: Field, kind: RejectionKind) {
        self.refuse_name(self.draft.name(field), kind);
    }

    fn refuse_name(&mut self, name: &str, kind: RejectionKind) {
        self.rejections.push(Rejection { field: self.place.property(name), kind });
    }
}
