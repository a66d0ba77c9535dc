//! Every spelling of an address that is not on the public internet is refused.

use std::net::{IpAddr, Ipv4Addr};

use auditrelay_model::address::AddressPolicy;

const INNER: &str = "127.0.0.1 127.255.255.255 0.0.0.0 10.0.0.1 10.255.255.255 172.16.0.1 172.31.255.255 \
    192.168.0.1 192.168.255.255 100.64.0.1 100.100.100.200 169.254.169.254 168.63.129.16 192.0.2.1 \
    198.18.0.1 224.0.0.1 240.0.0.1 255.255.255.255";

/// As it is, and inside of every address that carries another.
fn spellings(inner: Ipv4Addr) -> [String; 9] {
    let [a, b, c, d] = inner.octets();
    let (high, low) = (format!("{a:x}{b:02x}"), format!("{c:x}{d:02x}"));
    [
        inner.to_string(),
        format!("::ffff:{inner}"),
        format!("0:0:0:0:0:FFFF:{high}:{low}"),
        format!("::{inner}"),
        format!("64:ff9b::{inner}"),
        format!("64:ff9b:1::{inner}"),
        format!("2002:{high}:{low}::1"),
        format!("2600::5efe:{inner}"),
        format!("2001:0:{high}:{low}::1"),
    ]
}

#[test]
fn no_spelling_of_an_inner_address_is_permitted() {
    let policy = AddressPolicy::default();
    let inner: Vec<Ipv4Addr> = INNER.split_whitespace().map(|one| one.parse().unwrap()).collect();
    let mut refused = 0;
    for spelling in inner.into_iter().flat_map(spellings) {
        let address: IpAddr = spelling.parse().unwrap();
        assert!(!policy.permits(address), "{spelling}");
        refused += 1;
    }
    assert_eq!(refused, 162);
}
