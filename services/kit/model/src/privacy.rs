//! What of an organization's events is not stored as it came.

use std::collections::BTreeMap;

use crate::event::named;

named! {
    /// What events say of a person.
    PrivateField {
        /// The client's address.
        ClientIp = "client_ip",
        /// Who did it.
        PrincipalId = "principal_id",
        /// The principal's name.
        PrincipalName = "principal_name",
        /// On whose behalf.
        ActorId = "actor_id",
        /// The client's user agent.
        UserAgent = "user_agent",
        /// Path and query of the request.
        Uri = "uri",
        /// The query of a request through a gateway.
        Query = "query",
    }
}

named! {
    /// What becomes of such a value at admission.
    Treatment {
        /// It is hidden.
        Mask = "mask",
        /// A hash takes its place: the same for the same value, by a key of the organization's own.
        Hash = "hash",
    }
}

/// The fields that are treated; all others are stored as they come.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Privacy(pub BTreeMap<PrivateField, Treatment>);

impl Privacy {
    /// What becomes of a field.
    pub fn of(&self, field: PrivateField) -> Option<Treatment> {
        self.0.get(&field).copied()
    }

    /// Whether a key is needed.
    pub fn hashes(&self) -> bool {
        self.0.values().any(|treatment| *treatment == Treatment::Hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_hashes_need_the_secret_that_makes_them() {
        for (treatments, hashes) in [
            (&[][..], false),
            (&[Treatment::Mask], false),
            (&[Treatment::Mask, Treatment::Hash], true),
        ] {
            let fields = PrivateField::ALL.iter().copied();
            let privacy = Privacy(fields.zip(treatments.iter().copied()).collect());
            assert_eq!(privacy.hashes(), hashes, "{privacy:?}");
        }
    }
}
