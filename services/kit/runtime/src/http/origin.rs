//! Where a request came from.

use std::net::{IpAddr, SocketAddr};

use auditrelay_model::origin::Origin;
use axum::extract::ConnectInfo;
use http::HeaderMap;
use http::header::USER_AGENT;
use http::request::Parts;
use ipnet::IpNet;

use crate::settings::Settings;
use crate::telemetry;

/// Characters of a text that a client chose.
const TEXT_MAX: usize = 1_024;

/// Proxies in front of us: what they say of a client's address is true.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proxies(Vec<IpNet>);

impl Proxies {
    /// Reads a list of networks (`10.0.0.0/8`) or addresses.
    pub fn parse(settings: &mut Settings, key: &str) -> Self {
        let mut networks = Vec::new();
        for text in settings.list(key) {
            let single = || text.parse::<IpAddr>().ok().map(IpNet::from);
            match text.parse().ok().or_else(single) {
                Some(network) => networks.push(network),
                None => settings.mistake(key, "must be a list of networks (10.0.0.0/8)".to_owned()),
            }
        }
        Self(networks)
    }

    fn has(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address.to_canonical()))
    }

    /// The nearest address on the way here that is none of the proxies.
    fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        if !self.has(peer) {
            return peer;
        }
        let lines = headers.get_all("x-forwarded-for").iter().rev();
        let hops = lines.filter_map(|line| line.to_str().ok()).flat_map(|line| line.rsplit(','));
        let mut nearest = peer;
        for hop in hops {
            // What stands beyond something unreadable was said by nobody we trust.
            let Ok(address) = hop.trim().parse::<IpAddr>() else { break };
            nearest = address.to_canonical();
            if !self.has(nearest) {
                break;
            }
        }
        nearest
    }
}

/// Where the request came from; who asked is for the caller to say.
pub fn origin(head: &Parts, proxies: &Proxies) -> Origin {
    let peer = head.extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip());
    let agent = head.headers.get(USER_AGENT).and_then(|agent| agent.to_str().ok());
    Origin {
        principal_name: String::new(),
        client_ip: peer.map(|peer| proxies.client(peer.to_canonical(), &head.headers)),
        user_agent: cut(agent.unwrap_or_default()),
        method: head.method.as_str().chars().take(64).collect(),
        uri: cut(head.uri.path()),
        traceparent: telemetry::traceparent().unwrap_or_default(),
    }
}

fn cut(text: &str) -> String {
    text.chars().take(TEXT_MAX).collect()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn only_trusted_proxies_are_believed() {
        let proxies = Proxies(vec!["10.0.0.0/8".parse().unwrap()]);
        let client = |peer: &str, said: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for line in said {
                headers.append("x-forwarded-for", HeaderValue::from_static(line));
            }
            proxies.client(peer.parse().unwrap(), &headers).to_string()
        };
        assert_eq!(client("192.0.2.9", &["198.51.100.7"]), "192.0.2.9");
        assert_eq!(client("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(client("10.0.0.1", &["203.0.113.1, 198.51.100.7, 10.0.0.2"]), "198.51.100.7");
        assert_eq!(client("10.0.0.1", &["203.0.113.1", "198.51.100.7"]), "198.51.100.7");
        assert_eq!(client("10.0.0.1", &["198.51.100.7, nonsense"]), "10.0.0.1");
        assert_eq!(client("10.0.0.1", &["::ffff:198.51.100.7"]), "198.51.100.7");
    }
}
