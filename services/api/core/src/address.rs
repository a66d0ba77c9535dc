//! Which addresses a destination may name: public ones, and those that the operator allows.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// What the operator allows beyond public addresses over TLS.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AddressRules {
    /// `http://` endpoints may be saved.
    pub allow_http: bool,
    /// Networks that may be named although they are private or reserved.
    pub allowed: Vec<IpNet>,
}

impl AddressRules {
    /// Whether the address may be called.
    pub fn admits(&self, address: IpAddr) -> bool {
        is_public(address) || self.allowed.iter().any(|net| net.contains(&address))
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

/// Whether the address belongs to the public internet.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !RESERVED_V4.iter().any(|net| net.contains(&address)),
        // Only 2000::/3 is handed out; everything else (mapped, translated, local, multicast) is
        // another way to write something that must not be called.
        IpAddr::V6(address) => {
            let [.., flags, isatap, _, _] = address.segments();
            // ISATAP hides an IPv4 address in the host part of any prefix.
            let hides_v4 = matches!(flags, 0 | 0x200) && isatap == 0x5efe;
            let reserved = RESERVED_V6.iter().any(|net| net.contains(&address));
            GLOBAL_V6.contains(&address) && !reserved && !hides_v4
        }
    }
}

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6(a: u16, b: u16, c: u16, prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0), prefix)
}

/// IANA's special-purpose registry, multicast and the reserved top.
const RESERVED_V4: &[Ipv4Net] = &[
    v4(0, 0, 0, 0, 8),
    v4(10, 0, 0, 0, 8),
    v4(100, 64, 0, 0, 10),
    v4(127, 0, 0, 0, 8),
    // A public address at which a cloud's machines find its wire server.
    v4(168, 63, 129, 16, 32),
    v4(169, 254, 0, 0, 16),
    v4(172, 16, 0, 0, 12),
    v4(192, 0, 0, 0, 24),
    v4(192, 0, 2, 0, 24),
    v4(192, 31, 196, 0, 24),
    v4(192, 52, 193, 0, 24),
    v4(192, 88, 99, 0, 24),
    v4(192, 168, 0, 0, 16),
    v4(192, 175, 48, 0, 24),
    v4(198, 18, 0, 0, 15),
    v4(198, 51, 100, 0, 24),
    v4(203, 0, 113, 0, 24),
    v4(224, 0, 0, 0, 4),
    v4(240, 0, 0, 0, 4),
];

const GLOBAL_V6: Ipv6Net = v6(0x2000, 0, 0, 3);

/// Inside `2000::/3`: Teredo and its neighbours, documentation, 6to4, AS112.
const RESERVED_V6: &[Ipv6Net] = &[
    v6(0x2001, 0, 0, 23),
    v6(0x2001, 0x0db8, 0, 32),
    v6(0x2002, 0, 0, 16),
    v6(0x2620, 0x4f, 0x8000, 48),
    v6(0x3fff, 0, 0, 20),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_addresses_are_not_public() {
        for address in [
            "127.0.0.1",
            "10.1.2.3",
            "172.31.0.1",
            "192.168.1.1",
            "100.64.0.1",
            "0.0.0.0",
            "100.100.100.200",
            "169.254.169.254",
            "192.0.0.8",
            "198.19.0.1",
            "192.88.99.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "::ffff:127.0.0.1",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "2002:7f00:1::",
            "2001::1",
            "fe80::1",
            "fec0::1",
            "fc00::1",
            "fd00:ec2::254",
            "ff02::1",
            "5f00::1",
            "100::1",
            "2001:db8::1",
            "3fff::1",
            "::5efe:7f00:1",
            "2600::5efe:7f00:1",
            "2620:4f:8000::1",
            "168.63.129.16",
        ] {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
        for address in ["93.184.216.34", "100.63.0.1", "172.32.0.1", "2606:2800:220:1::1"] {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn the_operator_may_allow_networks() {
        let rules =
            AddressRules { allow_http: false, allowed: vec!["127.0.0.0/8".parse().unwrap()] };
        assert!(rules.admits("127.0.0.1".parse().unwrap()));
        assert!(rules.admits_name("localhost"));
        assert!(!rules.admits("10.0.0.1".parse().unwrap()));
        assert!(!AddressRules::default().admits_name("LOCALHOST."));
        assert!(!AddressRules::default().admits_name("metadata.google.internal"));
        assert!(AddressRules::default().admits_name("siem.example.com"));
    }
}
