//! What an operator can set.

use std::net::SocketAddr;
use std::time::Duration;

use auditrelay_api_core::address::AddressRules;
use auditrelay_api_core::oidc::{Client, Rules};
use auditrelay_api_core::page::CursorKey;
use auditrelay_format::Vendor;
use auditrelay_model::address::AddressPolicy;
use auditrelay_model::secret::Secret;
use auditrelay_runtime::http::Proxies;
use auditrelay_runtime::settings::Settings;
use auditrelay_signing::{KeySet, SealingKeys};

use crate::oidc::is_allowed;

/// Characters of the operator's token.
const PLATFORM_TOKEN_MIN: usize = 16;

/// The settings of the API.
#[derive(Clone)]
pub struct Config {
    /// Where it listens.
    pub listen: SocketAddr,
    /// The operator's own token; without it nobody can make organizations.
    pub platform_token: Option<Secret>,
    /// What seals destinations' authorization values.
    pub sealing: Option<SealingKeys>,
    /// Whose public halves are published.
    pub signing: Option<KeySet>,
    /// Signs cursors; the same on every replica.
    pub cursor_key: CursorKey,
    /// Which endpoints may be saved.
    pub rules: AddressRules,
    /// A destination that moves to another host needs its authorization value again.
    pub new_host_needs_authorization: bool,
    /// Where traces are looked at: a URL with `{trace_id}` in it.
    pub trace_url: Option<String>,
    /// What lines call their maker, for previews.
    pub vendor: Vendor,
    /// Whose tokens count beside our own, if anybody's.
    pub oidc: Option<Rules>,
    /// What the console is at that provider, if people sign in there.
    pub oidc_client: Option<Client>,
    /// Proxies whose word on a client's address is taken.
    pub proxies: Proxies,
    /// Empty lists for resources of the platform that we do not have, for clients that look.
    pub foreign_stubs: bool,
}

impl Config {
    /// Reads the settings; mistakes are recorded there.
    pub fn parse(settings: &mut Settings) -> Self {
        let listen = SocketAddr::from(([127, 0, 0, 1], 8080));
        let sealing_text = settings.secret("sealing.keys");
        let sealing = keys(settings, "sealing.keys", sealing_text.as_ref(), SealingKeys::from_json);
        let signing_text = settings.secret("signing.keys");
        let signing = keys(settings, "signing.keys", signing_text.as_ref(), KeySet::from_json);
        let cursor_secret = sealing_text.as_ref().map_or("", Secret::expose);
        Self {
            listen: settings.parse("api.listen", listen, "a socket address"),
            platform_token: platform_token(settings),
            sealing,
            signing,
            cursor_key: CursorKey::derive(cursor_secret.as_bytes()),
            rules: AddressRules {
                allow_http: settings.flag("api.allow_http_destinations", false),
                allowed: AddressPolicy::allowing(networks(
                    settings,
                    "api.allow_private_destinations",
                )),
            },
            new_host_needs_authorization: settings.flag("api.new_host_needs_authorization", false),
            trace_url: trace_url(settings),
            vendor: settings.parse("sender.vendor", Vendor::default(), "a vendor's name"),
            oidc: oidc(settings),
            oidc_client: oidc_client(settings),
            proxies: Proxies::parse(settings, "api.trusted_proxies"),
            foreign_stubs: settings.flag("api.foreign_stubs", false),
        }
    }
}

/// Only a web address may become a link.
fn trace_url(settings: &mut Settings) -> Option<String> {
    let key = "api.trace_url";
    let url = settings.optional(key)?;
    let web = url.starts_with("https://") || url.starts_with("http://");
    if !web || !url.contains("{trace_id}") {
        settings.mistake(key, "must be an http(s) address with {trace_id} in it".to_owned());
        return None;
    }
    Some(url)
}

/// The operator's token; one that could be guessed is a mistake.
fn platform_token(settings: &mut Settings) -> Option<Secret> {
    let token = settings.secret("api.platform_token")?;
    if token.expose().len() < PLATFORM_TOKEN_MIN {
        let short = format!("must have at least {PLATFORM_TOKEN_MIN} characters");
        settings.mistake("api.platform_token", short);
    }
    Some(token)
}

/// A key file's content; without it the API cannot work.
fn keys<T, E: std::fmt::Display>(
    settings: &mut Settings,
    key: &str,
    text: Option<&Secret>,
    parse: impl Fn(&str) -> Result<T, E>,
) -> Option<T> {
    let Some(text) = text else {
        settings.mistake(key, format!("must be set, or {key}_file"));
        return None;
    };
    match parse(text.expose()) {
        Ok(keys) => Some(keys),
        Err(error) => {
            settings.mistake(key, error.to_string());
            None
        }
    }
}

/// The identity provider; none without an issuer.
fn oidc(settings: &mut Settings) -> Option<Rules> {
    let issuer = settings.optional("api.oidc_issuer");
    let audience = settings.optional("api.oidc_audience");
    let minutes = Duration::ZERO..=Duration::from_mins(10);
    let rules = Rules {
        issuer: issuer.clone().unwrap_or_default(),
        audience: audience.clone().unwrap_or_default(),
        organization_claim: settings.text("api.oidc_organization_claim", "organization"),
        role_claim: settings.text("api.oidc_role_claim", "roles"),
        admins: settings.list("api.oidc_admins"),
        viewers: settings.list("api.oidc_viewers"),
        operators: settings.list("api.oidc_operators"),
        clock_skew: settings.duration("api.oidc_clock_skew", Duration::from_mins(1), minutes),
    };
    let issuer = issuer?;
    if !is_allowed(&issuer) {
        settings.mistake("api.oidc_issuer", "must be an https URL".to_owned());
    }
    if audience.is_none() {
        settings.mistake("api.oidc_audience", "must be set with api.oidc_issuer".to_owned());
    }
    if rules.admins.is_empty() && rules.viewers.is_empty() && rules.operators.is_empty() {
        let nobody = "must be set, or oidc_viewers or oidc_operators: nobody could do anything";
        settings.mistake("api.oidc_admins", nobody.to_owned());
    }
    Some(rules)
}

/// The console as a client of the identity provider; none without an id.
fn oidc_client(settings: &mut Settings) -> Option<Client> {
    let id = settings.optional("api.oidc_client_id");
    let secret = settings.secret("api.oidc_client_secret");
    let url = settings.optional("api.public_url");
    let url = url.map(|url| url.trim_end_matches('/').to_owned());
    if url.as_deref().is_some_and(|url| !is_origin(url)) {
        let origin = "must be where browsers come, without a path: https://audit.example";
        settings.mistake("api.public_url", origin.to_owned());
    }
    let id = id?;
    for (key, other) in [("api.oidc_issuer", None), ("api.public_url", Some(&url))] {
        let there = other.map_or_else(|| settings.optional(key).is_some(), Option::is_some);
        if !there {
            settings.mistake(key, "must be set with api.oidc_client_id".to_owned());
        }
    }
    Some(Client { id, secret, public_url: url? })
}

/// Whether a text is a scheme and an authority.
fn is_origin(url: &str) -> bool {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    rest.is_some_and(|host| !host.is_empty() && !host.contains(['/', '?', '#', '@']))
}

/// Networks as CIDR or single addresses.
fn networks(settings: &mut Settings, key: &str) -> Vec<ipnet::IpNet> {
    let mut networks = Vec::new();
    for text in settings.list(key) {
        let single = || text.parse().ok().map(|address: std::net::IpAddr| address.into());
        match text.parse().ok().or_else(single) {
            Some(network) => networks.push(network),
            None => settings.mistake(key, "must be a list of networks (10.0.0.0/8)".to_owned()),
        }
    }
    networks
}

#[cfg(test)]
mod tests {
    use auditrelay_signing::SystemRandom;

    use super::*;

    fn parse(extra: &[(&str, &str)]) -> Result<Config, Vec<String>> {
        let random = SystemRandom::new();
        let sealing = SealingKeys::generate("s1", &random).unwrap().to_json();
        let signing = KeySet::generate("k1", "2026-01-01T00:00:00Z", &random).unwrap().to_json();
        let keys = [
            ("AUDITRELAY_SEALING_KEYS", sealing.as_str()),
            ("AUDITRELAY_SIGNING_KEYS", signing.as_str()),
        ];
        let env = keys.iter().chain(extra).filter(|(_, value)| !value.is_empty());
        let env = env.map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        let mut settings = Settings::load(None, env).unwrap();
        let config = Config::parse(&mut settings);
        let told = |mistakes: auditrelay_runtime::settings::Mistakes| {
            mistakes.0.into_iter().map(|mistake| mistake.key).collect()
        };
        settings.finish().map(|()| config).map_err(told)
    }

    #[test]
    fn private_destinations_are_refused_unless_allowed() {
        let config = parse(&[]).unwrap();
        assert_eq!(config.rules, AddressRules::default());
        let allowed = ("AUDITRELAY_API_ALLOW_PRIVATE_DESTINATIONS", "127.0.0.0/8, ::1");
        let config = parse(&[allowed]).unwrap();
        assert!(config.rules.admits("::1".parse().unwrap()));
        assert!(config.rules.admits("127.9.9.9".parse().unwrap()));
    }

    #[test]
    fn mistakes_name_their_key() {
        let bad = [
            ("AUDITRELAY_API_LISTEN", "8080"),
            ("AUDITRELAY_API_ALLOW_PRIVATE_DESTINATIONS", "ten"),
            ("AUDITRELAY_API_TRACE_URL", "javascript:{trace_id}"),
            ("AUDITRELAY_API_PLATFORM_TOKEN", "short"),
            ("AUDITRELAY_API_OIDC_ISSUER", "http://id.example"),
        ];
        let keys = parse(&bad).err().unwrap();
        for key in [
            "api.listen",
            "api.allow_private_destinations",
            "api.trace_url",
            "api.platform_token",
            "api.oidc_issuer",
            "api.oidc_audience",
            "api.oidc_admins",
        ] {
            assert!(keys.iter().any(|told| told == key), "{keys:?}");
        }
    }
}
