//! A scope's switch.

use crate::Timestamp;
use crate::id::DestinationId;

/// The scope's webhook: which destination, and whether to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Webhook {
    /// Where to send; none until one is chosen.
    pub destination: Option<DestinationId>,
    /// The administrator's wish.
    pub enabled: bool,
    /// When it first could send (enabled, with a destination): its log begins there. Kept while
    /// it is disabled, so that enabling goes on where it left off.
    pub since: Option<Timestamp>,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

crate::event::named! {
    /// What the last attempts say.
    WebhookStatus {
        /// Never tried, or the last attempt was delivered.
        Active = "active",
        /// The last attempt failed.
        Inactive = "inactive",
        /// No webhook.
        Unconfigured = "unconfigured",
    }
}
