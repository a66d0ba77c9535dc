//! Drafts: what a producer sent, before admission.
//!
//! A draft is decoded property by property, so that a duplicate is seen (a generic JSON value
//! would keep the last one), every unknown name is kept for the answer, and nothing is copied
//! that need not be. Whether a value is lawful is not decided here but in [`crate::admit`].

use std::borrow::Cow;

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
    /// Null, a fraction, an array or an object: of no use in a draft.
    Other,
}

/// One event as it was sent: its properties, whatever their values.
#[derive(Debug, Default)]
pub struct Draft<'a> {
    values: [Option<Value<'a>>; Field::ALL.len()],
    /// Names that are no property of any draft, cut to a sensible length.
    pub unknown: Vec<String>,
    /// Names of properties that came twice.
    pub repeated: Vec<String>,
    /// Bytes of the draft as compact JSON with its escapes decoded.
    pub size: usize,
}

impl<'a> Draft<'a> {
    /// Whether the property was sent.
    pub fn has(&self, field: Field) -> bool {
        self.values.get(field as usize).is_some_and(Option::is_some)
    }

    /// Takes the property's value out.
    pub fn take(&mut self, field: Field) -> Option<Value<'a>> {
        self.values.get_mut(field as usize).and_then(Option::take)
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
