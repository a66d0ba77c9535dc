//! Where a request may go.
//!
//! A destination's name and address are a customer's choice, so that a request must never reach
//! what only we can reach: loopback, private networks, link-local services such as a cloud's
//! metadata, and everything else that is not the public internet (the special-purpose registries
//! of IANA). IPv6 addresses that carry an IPv4 address are another way to write it: they are
//! refused, unless the operator names their network and the carried address may be called too.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// The public internet, and the networks that the operator adds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AddressPolicy {
    also: Vec<IpNet>,
}

/// A part of the text is not a network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a network such as 10.0.0.0/8 or fd00::/8")]
pub struct NotANetwork(pub String);

impl AddressPolicy {
    /// The public internet and the given networks.
    pub const fn allowing(also: Vec<IpNet>) -> Self {
        Self { also }
    }

    /// Whether the address is in one of the given networks.
    pub fn lists(&self, address: IpAddr) -> bool {
        self.also.iter().any(|net| net.contains(&address))
    }

    /// Whether the given networks leave nothing out, or let requests reach the service that tells
    /// a cloud's machines their own secrets.
    pub fn is_wide_open(&self) -> bool {
        const METADATA: IpAddr = IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254));
        self.lists(METADATA) || self.also.iter().any(|net| net.prefix_len() == 0)
    }

    /// Whether a request may go to the address.
    pub fn permits(&self, address: IpAddr) -> bool {
        let named = self.lists(address);
        match address {
            IpAddr::V4(address) => named || is_public_v4(address),
            IpAddr::V6(address) => match carried(address) {
                Some(carried) => named && self.permits(IpAddr::V4(carried)),
                None => named || is_public_v6(address),
            },
        }
    }
}

/// Networks, separated by commas; a single address stands for itself.
impl FromStr for AddressPolicy {
    type Err = NotANetwork;

    fn from_str(text: &str) -> Result<Self, NotANetwork> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        let also = parts.map(|part| {
            part.parse::<IpNet>()
                .or_else(|_| part.parse::<IpAddr>().map(IpNet::from))
                .map_err(|_| NotANetwork(part.to_owned()))
        });
        also.collect::<Result<_, _>>().map(Self::allowing)
    }
}

/// The IPv4 address that really gets the packets: mapped ones never leave the machine as IPv6, and
/// IPv6-only networks may translate `64:ff9b::/96`.
fn carried(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let mapped = address.to_ipv4_mapped();
    let [.., a, b, c, d] = address.octets();
    mapped.or_else(|| NAT64.contains(&address).then(|| Ipv4Addr::new(a, b, c, d)))
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    !SPECIAL_V4.iter().any(|net| net.contains(&address))
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [.., flags, isatap, _, _] = address.segments();
    GLOBAL_V6.contains(&address)
        && !SPECIAL_V6.iter().any(|net| net.contains(&address))
        // ISATAP hides an IPv4 address in the host part of any prefix.
        && !(matches!(flags, 0 | 0x200) && isatap == 0x5efe)
}

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6(a: u16, b: u16, c: u16, prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0), prefix)
}

const SPECIAL_V4: [Ipv4Net; 19] = [
    // "This network"; 0.0.0.0 is the machine itself.
    v4(0, 0, 0, 0, 8),
    v4(10, 0, 0, 0, 8),
    // Shared by carriers, and by a cloud for its metadata.
    v4(100, 64, 0, 0, 10),
    v4(127, 0, 0, 0, 8),
    // A public address at which a cloud's machines find its wire server.
    v4(168, 63, 129, 16, 32),
    // Link-local: metadata services.
    v4(169, 254, 0, 0, 16),
    v4(172, 16, 0, 0, 12),
    // IETF protocol assignments.
    v4(192, 0, 0, 0, 24),
    // Documentation.
    v4(192, 0, 2, 0, 24),
    // AS112: answers to lost queries of private networks.
    v4(192, 31, 196, 0, 24),
    // Automatic multicast tunnelling.
    v4(192, 52, 193, 0, 24),
    // 6to4 relays.
    v4(192, 88, 99, 0, 24),
    v4(192, 168, 0, 0, 16),
    // AS112.
    v4(192, 175, 48, 0, 24),
    // Benchmarks.
    v4(198, 18, 0, 0, 15),
    // Documentation.
    v4(198, 51, 100, 0, 24),
    v4(203, 0, 113, 0, 24),
    // Multicast.
    v4(224, 0, 0, 0, 4),
    // Reserved, and broadcast.
    v4(240, 0, 0, 0, 4),
];

const NAT64: Ipv6Net = v6(0x64, 0xff9b, 0, 96);
/// All that IANA hands out; loopback, IPv4-compatible, unique local, link-local, site-local,
/// multicast and segment routing lie outside.
const GLOBAL_V6: Ipv6Net = v6(0x2000, 0, 0, 3);

const SPECIAL_V6: [Ipv6Net; 6] = [
    // IETF protocol assignments; Teredo, which carries an IPv4 address, is the first of them.
    v6(0x2001, 0, 0, 23),
    // Documentation.
    v6(0x2001, 0xdb8, 0, 32),
    // 6to4: carries an IPv4 address.
    v6(0x2002, 0, 0, 16),
    // AS112.
    v6(0x2001, 0x4, 0x112, 48),
    v6(0x2620, 0x4f, 0x8000, 48),
    // Documentation.
    v6(0x3fff, 0, 0, 20),
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const REFUSED: &str = "127.0.0.1 127.255.255.255 0.0.0.0 0.1.2.3 10.1.2.3 172.16.0.1 \
        172.31.255.255 192.168.1.1 100.64.0.1 100.100.100.200 100.127.255.255 169.254.169.254 \
        168.63.129.16 192.0.0.1 192.0.2.1 192.88.99.1 198.18.0.1 198.19.255.255 198.51.100.1 \
        203.0.113.1 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255 \
        :: ::1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::127.0.0.1 ::8.8.8.8 64:ff9b::7f00:1 \
        64:ff9b::a00:1 64:ff9b:1::1 64:ff9b:1::808:808 2002:7f00:1:: 2002:808:808:: 2001::1 \
        2001:0:808:808::1 2001:2::1 2001:10::1 2001:20::1 fe80::1 fec0::1 fc00::1 fd00:ec2::254 \
        ff02::1 5f00::1 100::1 2001:db8::1 3fff::1 ::5efe:7f00:1 2600::5efe:7f00:1 \
        2600::200:5efe:a00:1 2620:4f:8000::1 ::ffff:8.8.8.8 64:ff9b::808:808 192.0.0.8 \
        172.31.0.1";
    const PERMITTED: &str = "1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 \
        126.255.255.255 128.0.0.0 169.253.255.255 172.15.255.255 172.32.0.0 192.0.1.1 \
        192.167.255.255 198.17.255.255 198.20.0.0 223.255.255.255 168.63.129.17 \
        2606:4700::1111 2001:4860:4860::8888 2a00:1450::1 3ffe::1 \
        93.184.216.34 100.63.0.1 2606:2800:220:1::1";

    #[test]
    fn only_the_public_internet_is_permitted() {
        let policy = AddressPolicy::default();
        for text in REFUSED.split_whitespace() {
            assert!(!policy.permits(text.parse().unwrap()), "{text}");
        }
        for text in PERMITTED.split_whitespace() {
            assert!(policy.permits(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn the_operator_adds_networks() {
        let policy: AddressPolicy = "127.0.0.0/8, ::1, 10.1.0.0/16,".parse().unwrap();
        for text in ["127.0.0.1", "::1", "10.1.2.3", "8.8.8.8"] {
            assert!(policy.permits(text.parse().unwrap()), "{text}");
        }
        for text in ["10.2.0.1", "::2", "2002:7f00:1::", "::ffff:127.0.0.1"] {
            assert!(!policy.permits(text.parse().unwrap()), "{text}");
        }
        assert_eq!("".parse(), Ok(AddressPolicy::default()));
        assert_eq!(
            "10.0.0.0/8,localhost".parse::<AddressPolicy>(),
            Err(NotANetwork("localhost".to_owned()))
        );
    }

    #[test]
    fn everything_and_the_metadata_service_are_wide() {
        for (text, is_wide_open) in [
            ("", false),
            ("10.0.0.0/8, fd00::/8", false),
            ("10.0.0.0/8, 0.0.0.0/0", true),
            ("::/0", true),
            ("169.254.169.254", true),
        ] {
            let policy: AddressPolicy = text.parse().unwrap();
            assert_eq!(policy.is_wide_open(), is_wide_open, "{text}");
        }
    }

    #[test]
    fn a_translated_network_leads_only_where_its_carried_address_may_go() {
        let policy: AddressPolicy = "64:ff9b::/96, 10.1.0.0/16".parse().unwrap();
        assert!(policy.permits("64:ff9b::808:808".parse().unwrap()));
        assert!(policy.permits("64:ff9b::a01:203".parse().unwrap()));
        for text in ["64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "::ffff:8.8.8.8"] {
            assert!(!policy.permits(text.parse().unwrap()), "{text}");
        }
    }

    proptest! {
        #[test]
        fn std_agrees_on_what_is_special(bits in any::<u32>(), high in any::<u128>()) {
            let policy = AddressPolicy::default();
            let v4 = Ipv4Addr::from(bits);
            if policy.permits(IpAddr::V4(v4)) {
                prop_assert!(!v4.is_private() && !v4.is_loopback() && !v4.is_link_local());
                prop_assert!(!v4.is_multicast() && !v4.is_broadcast() && !v4.is_unspecified());
                prop_assert!(!v4.is_documentation());
            }
            prop_assert!(!policy.permits(IpAddr::V6(v4.to_ipv6_mapped())));
            let v6 = Ipv6Addr::from(high);
            if policy.permits(IpAddr::V6(v6)) {
                prop_assert!(!v6.is_loopback() && !v6.is_multicast() && !v6.is_unspecified());
                prop_assert!(!v6.is_unique_local() && !v6.is_unicast_link_local());
            }
        }
    }
}
