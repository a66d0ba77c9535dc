//! Audit events.

use std::net::IpAddr;

use crate::Timestamp;
use crate::id::EventId;

/// A closed set of values, each with its name on the wire.
macro_rules! named {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$vdoc])* $variant,)*
        }

        impl $name {
            /// Every value, in the order of the wire's numbers.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The lower-case name on the wire.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }

            /// The value that [`Self::name`] names.
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.name() == name)
            }
        }
    };
}

pub(crate) use named;

/// One admitted audit event; never changed afterwards. Texts may be empty where a producer has
/// nothing to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEvent {
    /// Unique for ever.
    pub id: EventId,
    /// When it happened, by the producer's clock.
    pub ts: Timestamp,
    /// Who did it.
    pub principal_id: String,
    /// Human readable name of the principal.
    pub principal_name: String,
    /// On whose behalf the principal acted.
    pub actor_id: String,
    /// Where the request came from.
    pub client_ip: Option<IpAddr>,
    /// Path and query of the request that caused the event.
    pub uri: String,
    /// The client's user agent.
    pub user_agent: String,
    /// The producer's own correlation id.
    pub trace_id: String,
    /// Caused by the platform itself and no user.
    pub platform_initiated: bool,
    /// W3C `traceparent` of the request that brought the event in; empty when there was none.
    pub traceparent: String,
    /// What happened.
    pub detail: Detail,
}

impl AuditEvent {
    /// An event of which no more is known than this; all its other texts are empty.
    pub const fn new(id: EventId, ts: Timestamp, detail: Detail) -> Self {
        Self {
            id,
            ts,
            principal_id: String::new(),
            principal_name: String::new(),
            actor_id: String::new(),
            client_ip: None,
            uri: String::new(),
            user_agent: String::new(),
            trace_id: String::new(),
            platform_initiated: false,
            traceparent: String::new(),
            detail,
        }
    }

    /// Which of the three kinds it is.
    pub const fn kind(&self) -> EventKind {
        match self.detail {
            Detail::Authentication(_) => EventKind::Authentication,
            Detail::Authorization(_) => EventKind::Authorization,
            Detail::Access(_) => EventKind::Access,
        }
    }

    /// Whether it tells of the organization itself: such events are made of stored facts, and their
    /// ids too, which no clock and no chance have a part in.
    pub fn is_trail(&self) -> bool {
        self.id.uuid().get_version_num() == 8 && self.kind() == EventKind::Access
    }

    /// About as many bytes as its line takes in any format, signature included.
    pub fn weight(&self) -> usize {
        let detail = match &self.detail {
            Detail::Authentication(_) => 0,
            Detail::Authorization(a) => a.service.len() + a.resource.len() + a.action.len(),
            Detail::Access(a) => a.method.len() + a.query.len(),
        };
        LINE_OVERHEAD
            + self.principal_id.len()
            + self.principal_name.len()
            + self.actor_id.len()
            + self.uri.len()
            + self.user_agent.len()
            + self.trace_id.len()
            + detail
    }
}

/// Names of fields, id, times, ids of organization and portal, signature.
const LINE_OVERHEAD: usize = 700;

/// What is particular to each kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Detail {
    /// A login, or an attempt at one.
    Authentication(Authentication),
    /// A permission check.
    Authorization(Authorization),
    /// A request through a gateway.
    Access(Access),
}

/// A login, or an attempt at one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authentication {
    /// How the principal tried to prove itself.
    pub method: AuthenticationType,
    /// What came of it.
    pub outcome: AuthenticationOutcome,
    /// Whether access was given.
    pub success: bool,
}

/// A permission check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authorization {
    /// The service that asked, for example `konnect`.
    pub service: String,
    /// What was touched, for example `control-planes/*`.
    pub resource: String,
    /// What was to be done with it.
    pub action: String,
    /// Whether it was allowed.
    pub granted: bool,
}

/// A request through a gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// HTTP method.
    pub method: String,
    /// HTTP status, 100 to 599.
    pub status_code: u16,
    /// Query as the producer gave it.
    pub query: String,
}

named! {
    /// How a principal tried to prove itself.
    AuthenticationType {
        /// Could not be told.
        Invalid = "invalid",
        /// Name and password.
        Basic = "basic",
        /// Single sign-on.
        Sso = "sso",
        /// Personal access token.
        Pat = "pat",
        /// System account's token.
        Spat = "spat",
        /// Google account.
        Google = "google",
        /// GitHub account.
        Github = "github",
        /// Microsoft account.
        Windowslive = "windowslive",
        /// Another identity provider.
        Federated = "federated",
    }
}

named! {
    /// What came of a login.
    AuthenticationOutcome {
        /// The principal is who it says.
        Success = "success",
        /// Nobody of that name.
        NotFound = "not_found",
        /// Wrong password.
        InvalidPassword = "invalid_password",
        /// The token's time is over.
        TokenExpired = "token_expired",
        /// The account is locked.
        Locked = "locked",
        /// The account is disabled.
        Disabled = "disabled",
        /// Anything else that is not in order.
        Invalid = "invalid",
    }
}

named! {
    /// The three kinds of audit events, by the names that producers and the pull API use.
    EventKind {
        /// A login, or an attempt at one.
        Authentication = "authentication",
        /// A permission check.
        Authorization = "authorization",
        /// A request through a gateway.
        Access = "gateway_access",
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn every_text_of_an_event_counts_in_its_weight() {
        let text = |length: usize| "x".repeat(length);
        let authentication = Authentication {
            method: AuthenticationType::Basic,
            outcome: AuthenticationOutcome::Success,
            success: true,
        };
        let authorization = Authorization {
            service: text(64),
            resource: text(128),
            action: text(256),
            granted: true,
        };
        let access = Access { method: text(64), status_code: 200, query: text(128) };
        for (detail, weight) in [
            (Detail::Authentication(authentication), 0),
            (Detail::Authorization(authorization), 64 + 128 + 256),
            (Detail::Access(access), 64 + 128),
        ] {
            let bare =
                AuditEvent::new(EventId::from_uuid(Uuid::nil()), Timestamp::default(), detail);
            let event = AuditEvent {
                principal_id: text(1),
                principal_name: text(2),
                actor_id: text(4),
                uri: text(8),
                user_agent: text(16),
                trace_id: text(32),
                ..bare.clone()
            };
            assert_eq!(bare.weight(), LINE_OVERHEAD + weight);
            assert_eq!(event.weight(), LINE_OVERHEAD + weight + 63);
        }
    }
}
