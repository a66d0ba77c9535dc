//! Why a request is refused: facts that the shell words for its wire.

use std::borrow::Cow;
use std::fmt;

/// Where in a request something is: the body itself, an item of an array, or a line of NDJSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Place {
    /// The body: a single event, or the request as a whole.
    Body,
    /// An item of a JSON array, counted from 0.
    Item(usize),
    /// A line of NDJSON, counted from 1.
    Line(usize),
}

impl Place {
    /// The path of one of the place's properties.
    pub fn property(self, name: &str) -> String {
        match self {
            Self::Body => name.to_owned(),
            Self::Item(_) | Self::Line(_) => format!("{self}.{name}"),
        }
    }
}

/// `body`, `[3]` or `line 4`.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Body => f.write_str("body"),
            Self::Item(index) => write!(f, "[{index}]"),
            Self::Line(number) => write!(f, "line {number}"),
        }
    }
}

/// One thing that is wrong with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// Path of what is wrong: `granted`, `[3].granted`, `line 4`, `body`.
    pub field: String,
    /// What is wrong with it.
    pub kind: RejectionKind,
}

impl Rejection {
    /// Something is wrong with the place itself.
    pub fn at(place: Place, kind: RejectionKind) -> Self {
        Self { field: place.to_string(), kind }
    }
}

/// The ways in which a request can be wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RejectionKind {
    /// Not JSON.
    Syntax,
    /// The property is there twice: nobody can tell which one was meant.
    Repeated,
    /// No such property.
    Unknown,
    /// Missing.
    Required,
    /// There, but empty.
    Blank,
    /// Of another JSON type than this one.
    Type(JsonType),
    /// None of these.
    Choice(Vec<&'static str>),
    /// Longer than so many characters (bytes for a whole event).
    MaxLength(u64),
    /// More than so many items.
    MaxItems(u64),
    /// Fewer than so many items.
    MinItems(u64),
    /// Above this number.
    Max(u64),
    /// Below this number.
    Min(u64),
    /// Not an RFC 3339 date-time.
    DateTime,
    /// Names something that does not exist.
    Reference,
    /// Wrong for the reason given.
    Invalid(Cow<'static, str>),
}

/// The JSON types that properties may be asked to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JsonType {
    /// A text.
    String,
    /// `true` or `false`.
    Boolean,
    /// A whole number.
    Integer,
    /// A map of properties.
    Object,
    /// A list.
    Array,
}

impl JsonType {
    /// The lower-case name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Boolean => "boolean",
            Self::Integer => "integer",
            Self::Object => "object",
            Self::Array => "array",
        }
    }
}

/// A bounded list: an answer must not become much larger than the request that caused it.
#[derive(Debug, Default)]
pub struct Rejections(Vec<Rejection>);

/// So many rejections are named in one answer; a request with more has its first ones named.
pub const MAX_REJECTIONS: usize = 1_000;

impl Rejections {
    /// Adds one, unless the list is full.
    pub fn push(&mut self, rejection: Rejection) {
        if self.0.len() < MAX_REJECTIONS {
            self.0.push(rejection);
        }
    }

    /// Adds several, as far as the list has room.
    pub fn extend(&mut self, rejections: impl IntoIterator<Item = Rejection>) {
        rejections.into_iter().for_each(|rejection| self.push(rejection));
    }

    /// Whether it is listed already.
    pub fn contains(&self, rejection: &Rejection) -> bool {
        self.0.contains(rejection)
    }

    /// Whether nothing is wrong so far.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The list; empty when nothing is wrong.
    pub fn into_vec(self) -> Vec<Rejection> {
        self.0
    }
}
