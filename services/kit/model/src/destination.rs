//! Where a SIEM listens.

use crate::Timestamp;
use crate::id::DestinationId;

crate::event::named! {
    /// How a batch is written.
    LogFormat {
        /// Common Event Format, one line an event.
        Cef = "cef",
        /// One flat JSON object a line.
        Json = "json",
        /// The JSON object inside `{"event": …}`.
        Cps = "cps",
    }
}

/// Where a SIEM listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// Its id.
    pub id: DestinationId,
    /// Unique in the organization.
    pub name: String,
    /// URL, byte for byte as the administrator wrote it.
    pub endpoint: String,
    /// Value of the `Authorization` header, sealed.
    pub authorization: SealedSecret,
    /// How batches are written.
    pub log_format: LogFormat,
    /// Whether the receiver's certificate is checked.
    pub tls: TlsPolicy,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Made by the webhook call that carries its endpoint inline; not listed.
    pub implicit: bool,
}

/// Whether a receiver's certificate is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TlsPolicy {
    /// Chain, name and time are checked.
    Verify,
    /// Any certificate is taken (`skip_ssl_verification`).
    SkipVerification,
}

impl TlsPolicy {
    /// The policy that `skip_ssl_verification` asks for.
    pub const fn from_skip(skip: bool) -> Self {
        if skip { Self::SkipVerification } else { Self::Verify }
    }

    /// The value of `skip_ssl_verification`.
    pub const fn skips(self) -> bool {
        matches!(self, Self::SkipVerification)
    }
}

/// An encrypted secret: AES-256-GCM, the destination's id as associated data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedSecret {
    /// Which key sealed it.
    pub key_id: String,
    /// 12 bytes.
    pub nonce: Vec<u8>,
    /// Ciphertext and tag.
    pub ciphertext: Vec<u8>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verification_is_skipped_only_where_it_was_asked_for() {
        for skip in [true, false] {
            assert_eq!(TlsPolicy::from_skip(skip).skips(), skip);
        }
    }
}
