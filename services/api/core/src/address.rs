//! What an endpoint may name: the addresses of the shared policy, and names that lead there.

use std::net::{IpAddr, Ipv4Addr};

use auditrelay_model::address::AddressPolicy;

/// What the operator allows beyond public addresses over TLS.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AddressRules {
    /// `http://` endpoints may be saved.
    pub allow_http: bool,
    /// Which addresses may be named.
    pub allowed: AddressPolicy,
}

impl AddressRules {
    /// Whether the address may be called.
    pub fn admits(&self, address: IpAddr) -> bool {
        self.allowed.permits(address)
    }

    /// Whether the host name may be called, as far as the name alone tells.
    pub fn admits_name(&self, name: &str) -> bool {
        let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
        if is_loopback_name(&name) {
            return self.admits(IpAddr::V4(Ipv4Addr::LOCALHOST));
        }
        // The metadata service of Google's cloud; others are only known by address.
        name != "metadata.google.internal" || self.admits(IpAddr::V4(METADATA))
    }
}

const METADATA: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);

fn is_loopback_name(name: &str) -> bool {
    matches!(name, "localhost" | "localhost.localdomain" | "ip6-localhost" | "ip6-loopback")
        || name.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_operator_may_allow_networks() {
        let rules = AddressRules { allow_http: false, allowed: "127.0.0.0/8".parse().unwrap() };
        assert!(rules.admits("127.0.0.1".parse().unwrap()));
        assert!(rules.admits_name("localhost"));
        assert!(!rules.admits("10.0.0.1".parse().unwrap()));
        assert!(!AddressRules::default().admits_name("LOCALHOST."));
        assert!(!AddressRules::default().admits_name("metadata.google.internal"));
        assert!(AddressRules::default().admits_name("siem.example.com"));
    }
}
