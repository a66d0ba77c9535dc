//! Drafts: what a producer sent, before admission.
//!
//! A draft is decoded property by property, so that a duplicate is seen (a generic JSON value
//! would keep the last one), every unknown name is kept for the answer, and nothing is copied
//! that need not be. Whether a value is lawful is not decided here but in [`crate::admit`].

use std::borrow::Cow;

use auditrelay_model::Timestamp;

use crate::rejection::RejectionKind;

mod decode;

pub use decode::DraftSeed;
pub(crate) use decode::Skip;
pub(crate) use decode::draft as from_map;

macro_rules! fields {
    ($($variant:ident = $name:literal,)*) => {
        /// The properties of a draft.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Field {
            $(#[doc = concat!("`", $name, "`.")] $variant,)*
        }

        impl Field {
            /// Every property.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The property's name on the wire.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// The property of that name.
            pub fn from_name(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$variant),)*
                    _ => None,
                }
            }

            /// The path of the property in the data of an event of `CloudEvents`.
            pub const fn data_name(self) -> &'static str {
                match self {
                    $(Self::$variant => concat!("data.", $name),)*
                }
            }

            /// The path of the property in the attributes of a log record.
            pub const fn attribute_name(self) -> &'static str {
                match self {
                    $(Self::$variant => concat!("attributes.audit.", $name),)*
                }
            }
        }
    };
}

fields! {
    Type = "type",
    Id = "id",
    Ts = "ts",
    OrgId = "org_id",
    PortalId = "portal_id",
    PrincipalId = "principal_id",
    PrincipalName = "principal_name",
    ActorId = "actor_id",
    ClientIp = "client_ip",
    Uri = "uri",
    UserAgent = "user_agent",
    TraceId = "trace_id",
    KongInitiated = "kong_initiated",
    AuthenticationType = "authentication_type",
    Outcome = "outcome",
    Successful = "successful",
    Service = "service",
    Resource = "resource",
    Action = "action",
    Granted = "granted",
    Method = "method",
    StatusCode = "status_code",
    Query = "query",
}

/// A property's value, as far as a draft can use it.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    /// A text, borrowed from the body unless it had escapes.
    Text(Cow<'a, str>),
    /// A boolean.
    Flag(bool),
    /// A whole number.
    Integer(i128),
    /// A moment, from a format that counts it.
    Time(Timestamp),
    /// Null, a fraction, an array or an object: of no use in a draft.
    Other,
}

impl Value<'_> {
    /// The text that it is.
    pub(crate) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Flag(_) | Self::Integer(_) | Self::Time(_) | Self::Other => None,
        }
    }
}

/// One event as it was sent: its properties, whatever their values.
#[derive(Debug)]
pub struct Draft<'a> {
    values: [Option<Value<'a>>; Field::ALL.len()],
    /// Where values come from that the draft itself does not have.
    origins: Vec<(Field, &'static str)>,
    names: fn(Field) -> &'static str,
    wrong: Vec<(String, RejectionKind)>,
    hopeless: bool,
    foreign_id: Option<String>,
    /// Names that are no property of any draft, cut to a sensible length.
    pub unknown: Vec<String>,
    /// Names of properties that came twice.
    pub repeated: Vec<String>,
    /// Bytes of the draft as it was sent; of our own as compact JSON with its escapes decoded.
    pub size: usize,
}

impl Default for Draft<'_> {
    fn default() -> Self {
        Self {
            values: [const { None }; Field::ALL.len()],
            origins: Vec::new(),
            names: Field::name,
            wrong: Vec::new(),
            hopeless: false,
            foreign_id: None,
            unknown: Vec::new(),
            repeated: Vec::new(),
            size: 0,
        }
    }
}

impl<'a> Draft<'a> {
    /// An empty draft that took so many bytes.
    pub(crate) fn of_size(size: usize) -> Self {
        Self { size, ..Self::default() }
    }

    /// Whether the property was sent.
    pub fn has(&self, field: Field) -> bool {
        self.values.get(field as usize).is_some_and(Option::is_some)
    }

    /// Takes the property's value out.
    pub fn take(&mut self, field: Field) -> Option<Value<'a>> {
        self.values.get_mut(field as usize).and_then(Option::take)
    }

    /// How the sender calls the property.
    pub fn name(&self, field: Field) -> &'static str {
        self.origin(field).unwrap_or_else(|| (self.names)(field))
    }

    /// Whether the property does not belong to its event: it is still there although everything
    /// that belongs to one was taken. What a format offers of its own accord does no harm.
    pub fn is_left_over(&self, field: Field) -> bool {
        self.has(field) && self.origin(field).is_none()
    }

    fn origin(&self, field: Field) -> Option<&'static str> {
        self.origins.iter().find(|(of, _)| *of == field).map(|(_, name)| *name)
    }

    /// What is wrong with the draft beside its values; and whether it is no use to read these.
    pub fn take_wrong(&mut self) -> (Vec<(String, RejectionKind)>, bool) {
        (std::mem::take(&mut self.wrong), self.hopeless)
    }

    /// What the sender calls the event by, when that is no UUID.
    pub fn foreign_id(&self) -> Option<&str> {
        self.foreign_id.as_deref()
    }

    pub(crate) fn has_foreign_id(&mut self, parts: &[&str]) {
        self.foreign_id = Some(parts.join("\n"));
    }

    pub(crate) fn names_are(&mut self, names: fn(Field) -> &'static str) {
        self.names = names;
    }

    /// A value of the sender's own.
    pub(crate) fn give(&mut self, field: Field, value: Value<'a>) {
        self.insert(field, value);
    }

    /// A value from elsewhere in the format, unless there is one already.
    pub(crate) fn put(&mut self, field: Field, value: Value<'a>, origin: &'static str) {
        if self.has(field) {
            return;
        }
        if let Some(slot) = self.values.get_mut(field as usize) {
            *slot = Some(value);
            self.origins.push((field, origin));
        }
    }

    pub(crate) fn is_wrong(&mut self, name: &'static str, kind: RejectionKind) {
        self.wrong.push((name.to_owned(), kind));
    }

    /// The same where the sender chose the name: it is told up to a sensible length.
    pub(crate) fn is_wrong_at(&mut self, name: &str, kind: RejectionKind) {
        if self.wrong.len() < MAX_UNKNOWN {
            self.wrong.push((name.chars().take(MAX_NAME).collect(), kind));
        }
    }

    /// It has no values that could be read.
    pub(crate) const fn is_hopeless(&mut self) {
        self.hopeless = true;
    }

    fn insert(&mut self, field: Field, value: Value<'a>) {
        match self.values.get_mut(field as usize) {
            Some(slot @ None) => *slot = Some(value),
            Some(Some(_)) | None => self.repeated.push(field.name().to_owned()),
        }
    }

    fn insert_unknown(&mut self, name: &str) {
        let name: String = name.chars().take(MAX_NAME).collect();
        if self.unknown.contains(&name) {
            self.repeated.push(name);
        } else if self.unknown.len() < MAX_UNKNOWN {
            self.unknown.push(name);
        }
    }
}

/// An unknown property's name is told up to so many characters.
const MAX_NAME: usize = 128;

/// So many unknown properties of a draft are told.
const MAX_UNKNOWN: usize = 100;
