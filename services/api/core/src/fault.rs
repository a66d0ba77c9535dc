//! What is wrong with a request, one entry a field; never the value itself.

/// One field and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Property, or query parameter.
    pub field: String,
    /// Where the field was sent.
    pub source: Source,
    /// What is wrong.
    pub wrong: Wrong,
}

/// Where a field was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// In the body.
    Body,
    /// In the query.
    Query,
}

/// What is wrong with a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrong {
    /// The body is not JSON.
    Syntax,
    /// Missing.
    Required,
    /// Empty, or nothing but spaces.
    Blank,
    /// Of another JSON type than this.
    Type(&'static str),
    /// None of these.
    Choices(&'static [&'static str]),
    /// Longer than this many characters (or bytes, where only ASCII is allowed).
    MaxLength(u64),
    /// A number above this.
    Max(u64),
    /// A number below this.
    Min(u64),
    /// More entries than this.
    MaxItems(u64),
    /// Nobody knows the property.
    Unknown,
    /// No RFC 3339 date-time.
    DateTime,
    /// No destination id.
    DestinationId,
    /// No URL that could be called.
    Url,
    /// An endpoint that may not be called.
    PrivateAddress,
    /// Not fit for an HTTP header.
    Header,
    /// No label.
    Label,
    /// Names something that does not exist or cannot be used.
    Missing(&'static str),
    /// A cursor that we did not make.
    Cursor,
    /// Something else.
    Invalid(&'static str),
}

impl Fault {
    /// A fault of a property of the body.
    pub fn body(field: impl Into<String>, wrong: Wrong) -> Self {
        Self { field: field.into(), source: Source::Body, wrong }
    }

    /// A fault of a query parameter.
    pub fn query(field: impl Into<String>, wrong: Wrong) -> Self {
        Self { field: field.into(), source: Source::Query, wrong }
    }

    /// The sentence that names the kind of mistake; the same for all mistakes of a kind.
    pub const fn detail(&self) -> &'static str {
        match self.wrong {
            Wrong::Syntax => "Could not parse request body",
            Wrong::Required | Wrong::Blank => "Required field missing",
            Wrong::Unknown => "Unknown property",
            Wrong::DestinationId => "Could not parse destination id",
            Wrong::Url | Wrong::PrivateAddress => "Invalid endpoint",
            Wrong::Missing(_) => "Invalid reference",
            Wrong::Cursor => "Invalid cursor",
            Wrong::Type(_)
            | Wrong::Choices(_)
            | Wrong::MaxLength(_)
            | Wrong::Max(_)
            | Wrong::Min(_)
            | Wrong::MaxItems(_)
            | Wrong::DateTime
            | Wrong::Header
            | Wrong::Label
            | Wrong::Invalid(_) => "Invalid parameter",
        }
    }
}
