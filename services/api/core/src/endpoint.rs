//! A destination's URL, checked and then kept byte for byte.
//!
//! The URL parser repairs a lot (`https:host`, `\`, tabs, `%61`, `①`), so what it makes of the
//! text is compared with the text itself: a URL that reads differently to a person than to a
//! client is refused.

use std::net::{IpAddr, Ipv6Addr};

use url::{Host, Url};

use crate::address::AddressRules;
use crate::fault::Wrong;

/// Most bytes of an endpoint.
const LENGTH_MAX: usize = 2048;

/// A URL that may be called, as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint(String);

impl Endpoint {
    /// Checks the text against what may be called.
    pub fn parse(text: &str, rules: &AddressRules) -> Result<Self, Wrong> {
        if text.trim().is_empty() {
            return Err(Wrong::Blank);
        }
        if text.len() > LENGTH_MAX {
            return Err(Wrong::MaxLength(2048));
        }
        if text.chars().any(|c| c.is_whitespace() || c.is_control() || c == '\\') {
            return Err(Wrong::Url);
        }
        let (scheme, authority) = split(text).ok_or(Wrong::Url)?;
        let url = Url::parse(text).map_err(|_| Wrong::Url)?;
        if authority.contains('@') {
            return Err(Wrong::Invalid("must not contain credentials"));
        }
        let host = url.host().ok_or(Wrong::Url)?;
        check_host(&host, host_text(authority), rules)?;
        if url.port() == Some(0) {
            return Err(Wrong::Url);
        }
        if scheme == Scheme::Http && !rules.allow_http {
            return Err(Wrong::Invalid("must use https"));
        }
        Ok(Self(text.to_owned()))
    }

    /// The text as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether two stored endpoints lead to the same scheme, host and port.
pub fn same_origin(one: &str, other: &str) -> bool {
    match (Url::parse(one), Url::parse(other)) {
        (Ok(one), Ok(other)) => one.origin() == other.origin(),
        (Ok(_) | Err(_), Err(_)) | (Err(_), Ok(_)) => false,
    }
}

#[derive(PartialEq, Eq)]
enum Scheme {
    Http,
    Https,
}

/// The scheme and the text between `://` and the path; none when either is missing.
fn split(text: &str) -> Option<(Scheme, &str)> {
    let (scheme, rest) = text.split_once("://")?;
    let scheme = if scheme.eq_ignore_ascii_case("https") {
        Scheme::Https
    } else if scheme.eq_ignore_ascii_case("http") {
        Scheme::Http
    } else {
        return None;
    };
    let authority = rest.split(['/', '?', '#']).next().filter(|authority| !authority.is_empty())?;
    Some((scheme, authority))
}

/// The authority without its port.
fn host_text(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        Some(_) | None => authority,
    }
}

fn check_host(host: &Host<&str>, written: &str, rules: &AddressRules) -> Result<(), Wrong> {
    let (admitted, as_written) = match host {
        Host::Ipv4(address) => (rules.admits(IpAddr::V4(*address)), written == address.to_string()),
        Host::Ipv6(address) => (rules.admits(IpAddr::V6(*address)), is_ipv6(written, *address)),
        Host::Domain(name) => (rules.admits_name(name), is_same_name(written, name)),
    };
    // Odd digits (`0x7f.1`) are an address all the same; `%61` and `ⓔ` are no way to write a host.
    let plain = written.is_ascii() && !written.contains('%');
    if !as_written && !plain {
        Err(Wrong::Url)
    } else if !admitted {
        Err(Wrong::PrivateAddress)
    } else if as_written {
        Ok(())
    } else {
        Err(Wrong::Url)
    }
}

fn is_ipv6(written: &str, address: Ipv6Addr) -> bool {
    let inner = written.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    inner.and_then(|text| text.parse::<Ipv6Addr>().ok()) == Some(address)
}

/// Each label is what was written, or the punycode of letters that ASCII does not have.
fn is_same_name(written: &str, name: &str) -> bool {
    let mut labels = name.split('.');
    let same = written.split('.').all(|written| {
        labels.next().is_some_and(|label| {
            if written.is_ascii() {
                written.eq_ignore_ascii_case(label)
            } else {
                label.starts_with("xn--")
            }
        })
    });
    same && labels.next().is_none()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn whatever_is_accepted_is_kept_and_leads_where_it_says(
            scheme in "https?://|[a-z:/]{0,9}",
            host in r"[a-zA-Z0-9.①ü%\\@:\[\]-]{0,24}",
            path in r"([/?#][ -~]{0,9})?",
        ) {
            let text = format!("{scheme}{host}{path}");
            if let Ok(endpoint) = Endpoint::parse(&text, &AddressRules::default()) {
                prop_assert_eq!(endpoint.as_str(), &text);
                let url = Url::parse(&text).unwrap();
                prop_assert_eq!(url.scheme(), "https");
                prop_assert_eq!((url.username(), url.password()), ("", None));
                let shown = url.host_str().unwrap().to_lowercase();
                prop_assert!(shown.contains("xn--") || text.to_lowercase().contains(&shown));
            }
        }
    }

    fn check(text: &str) -> Result<(), Wrong> {
        let endpoint = Endpoint::parse(text, &AddressRules::default())?;
        assert_eq!(endpoint.as_str(), text);
        Ok(())
    }

    #[test]
    fn endpoints_are_kept_byte_for_byte() {
        for text in [
            "https://example.com",
            "https://example.com/",
            "HTTPS://EXAMPLE.com/A?b=c#d",
            "https://example.com:8443/audit-logs",
            "https://example.com:443/%7euser",
            "https://xn--80ak6aa92e.com/",
            "https://bücher.example/",
            "https://does-not-resolve.example/",
            "https://[2606:2800:220:0001::1]:8443/x",
            "https://93.184.216.34/",
        ] {
            assert_eq!(check(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn what_is_not_plainly_a_url_is_refused() {
        for text in [
            "example.com",
            "//example.com/x",
            "https://",
            "ftp://example.com/",
            "file:///etc/passwd",
            "javascript:alert(1)",
            "data:text/plain,x",
            "unix:/x",
            "gopher://example.com/",
            "https:example.com",
            "https:///x",
            "https:/example.com",
            " https://example.com/ ",
            "https://exa\tmple.com/",
            "https://example.com/\r\nX: y",
            "https://exa mple.com/",
            "https://example.com/a b",
            "https://example.com/\u{1}",
            "https://example.com%00.evil/",
            "https://ex%61mple.com/",
            "https://ⓔxample.com/",
            "https://host\\@evil.com/",
            "https://[fe80::1%25eth0]/",
            "https://1.1.1.1.1/",
            "https://256.1.1.1/",
            "https://example.com:99999/",
            "https://example.com:0/",
            "https://0x08080808/",
            "https://a。b.example/",
            "https://ü。example/",
            "https://?x",
            "https://:443/",
            "https://①②⑦.0.0.1/",
        ] {
            assert_eq!(check(text), Err(Wrong::Url), "{text}");
        }
        let credentials = Wrong::Invalid("must not contain credentials");
        for text in ["https://user:pw@host/", "https://user@host/", "https://@host/"] {
            assert_eq!(check(text), Err(credentials), "{text}");
        }
    }

    #[test]
    fn private_addresses_are_refused_however_they_are_spelled() {
        for text in [
            "https://127.0.0.1/",
            "https://127.1/",
            "https://0x7f.1/",
            "https://2130706433/",
            "https://0177.0.0.1/",
            "https://localhost/",
            "https://LOCALHOST./",
            "https://foo.localhost/",
            "https://ip6-localhost/",
            "https://169.254.169.254/",
            "https://metadata.google.internal/",
            "https://[::1]/",
            "https://[fd00:ec2::254]/",
            "https://10.1.2.3:8443/x",
            "https://[::ffff:127.0.0.1]/",
            "https://[64:ff9b::7f00:1]/",
            "https://0/",
            "http://127.0.0.1/",
        ] {
            assert_eq!(check(text), Err(Wrong::PrivateAddress), "{text}");
        }
    }

    #[test]
    fn length_and_scheme_have_their_own_answers() {
        let long = format!("https://example.com/{}", "x".repeat(2049 - 20));
        assert_eq!(check(&long), Err(Wrong::MaxLength(2048)));
        assert_eq!(check(&long[..2048]), Ok(()));
        assert_eq!(check("http://example.com/"), Err(Wrong::Invalid("must use https")));
        assert_eq!(check("  "), Err(Wrong::Blank));
    }

    #[test]
    fn the_operator_may_allow_plain_http_on_this_machine() {
        let allowed = "127.0.0.0/8, ::1".parse().unwrap();
        let rules = AddressRules { allow_http: true, allowed };
        for text in ["http://127.0.0.1:19090/audit-logs", "http://localhost:1/", "http://[::1]/"] {
            assert!(Endpoint::parse(text, &rules).is_ok(), "{text}");
        }
        assert_eq!(Endpoint::parse("http://10.0.0.1/", &rules), Err(Wrong::PrivateAddress));
    }
}
