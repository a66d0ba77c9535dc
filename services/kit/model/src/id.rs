//! Ids: one type per kind of thing, so that no two can be mixed up. All are UUIDs.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

/// The text is not a UUID in its usual 8-4-4-4-12 form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a UUID")]
pub struct NotAUuid;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// Wraps a UUID that is known to be of this kind.
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The bare UUID.
            pub const fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0.as_hyphenated(), f)
            }
        }

        impl FromStr for $name {
            type Err = NotAUuid;

            fn from_str(text: &str) -> Result<Self, NotAUuid> {
                parse_hyphenated(text).map(Self)
            }
        }
    )*};
}

ids! {
    /// An organization.
    OrgId;
    /// A developer portal of an organization.
    PortalId;
    /// A destination: where a SIEM listens.
    DestinationId;
    /// An audit event; the key by which a receiver drops duplicates.
    EventId;
    /// A stored record.
    RecordId;
    /// A batch; the same over all its attempts.
    BatchId;
    /// A replay job.
    JobId;
    /// An API token.
    TokenId;
    /// A session of the console.
    SessionId;
    /// A command; a retried command finds its own fact by it.
    CommandId;
}

/// Only the hyphenated form: `Uuid::parse_str` alone also takes braces, URNs and bare hex.
fn parse_hyphenated(text: &str) -> Result<Uuid, NotAUuid> {
    if text.len() != uuid::fmt::Hyphenated::LENGTH {
        return Err(NotAUuid);
    }
    Uuid::parse_str(text).map_err(|_| NotAUuid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_hyphenated_form_is_taken() {
        let text = "998db3e4-5cb7-4dd5-b51c-9878096a6999";
        assert_eq!(text.parse::<OrgId>().map(|id| id.to_string()), Ok(text.to_owned()));
        for bad in
            ["", "x", "998db3e45cb74dd5b51c9878096a6999", "{998db3e4-5cb7-4dd5-b51c-9878096a6999}"]
        {
            assert_eq!(bad.parse::<OrgId>(), Err(NotAUuid), "{bad}");
        }
    }
}
