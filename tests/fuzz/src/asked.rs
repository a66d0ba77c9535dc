//! What people and identity providers send.

use std::net::IpAddr;
use std::time::Duration;

use auditrelay_api_core::address::AddressRules;
use auditrelay_api_core::audit_log::{At, Wish};
use auditrelay_api_core::endpoint::Endpoint;
use auditrelay_api_core::oidc::{Rules, judge};
use auditrelay_api_core::page::CursorKey;
use auditrelay_api_core::{destination, organization, portal, privacy, replay, token, webhook};
use auditrelay_model::Scope;
use auditrelay_model::address::AddressPolicy;
use auditrelay_model::id::OrgId;
use serde_json::{Map, Value};
use url::{Host, Url};
use uuid::Uuid;

use crate::{NOW, text};

/// A body of every route that takes one.
pub(crate) fn documents(data: &[u8]) {
    let rules = AddressRules::default();
    if let Ok(draft) = destination::Draft::parse(data, &rules) {
        // It becomes one header, whole, and nothing else.
        let value = draft.authorization().expose();
        assert!(value.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()), "{value:?}");
        assert!(!value.is_empty() && value.trim() == value && value.len() <= 8_192, "{value:?}");
        assert!(http::HeaderValue::from_str(value).is_ok(), "{value:?}");
    }
    let _ = destination::PatchDraft::parse(data, &rules);
    let _ = webhook::WebhookPatch::parse(data);
    let _ = replay::parse_window(data, NOW);
    let _ = replay::JobWish::parse(data, NOW);
    let _ = replay::CancelRequest::parse(data);
    let _ = portal::Draft::parse(data);
    let _ = organization::parse(data);
    let _ = privacy::parse(data);
    let _ = token::Draft::parse(data, NOW);
}

/// What a destination may be called by.
pub(crate) fn endpoint(data: &[u8]) {
    let text = text(data);
    let Ok(endpoint) = Endpoint::parse(&text, &AddressRules::default()) else { return };
    assert_eq!(endpoint.as_str(), text);
    let url = Url::parse(&text).expect("what is kept is a URL");
    assert_eq!((url.scheme(), url.username(), url.password()), ("https", "", None), "{text}");
    let address = match url.host().expect("a host") {
        Host::Ipv4(address) => IpAddr::V4(address),
        Host::Ipv6(address) => IpAddr::V6(address),
        Host::Domain(name) => {
            let last = name.trim_end_matches('.').rsplit('.').next();
            assert_ne!(last, Some("localhost"), "{text}");
            return;
        }
    };
    assert!(AddressPolicy::default().permits(address), "{text}");
}

/// A query of the log: a cursor that nobody sealed opens nothing.
pub(crate) fn query(data: &[u8]) {
    let (text, key) = (text(data), CursorKey::derive(b"a key that is not known outside"));
    let scope = Scope::Organization(OrgId::from_uuid(Uuid::from_u128(7)));
    if let Ok(wish) = Wish::parse(Some(&text), scope, NOW, &key) {
        assert_eq!(wish.at, At::Start, "{text}");
        assert!((1..=1_000).contains(&wish.size), "{text}");
        assert!(wish.window.start() <= wish.window.end(), "{text}");
    }
}

/// Claims whose signature is good.
pub(crate) fn claims(data: &[u8]) {
    let Ok(claims) = serde_json::from_slice::<Map<String, Value>>(data) else { return };
    let rules = Rules {
        issuer: "https://id.example".to_owned(),
        audience: "auditrelay".to_owned(),
        organization_claim: "org".to_owned(),
        role_claim: "roles".to_owned(),
        admins: vec!["admin".to_owned()],
        viewers: vec!["viewer".to_owned()],
        operators: vec!["operator".to_owned()],
        clock_skew: Duration::from_mins(1),
    };
    if judge(&claims, &rules, NOW).is_ok() {
        assert_eq!(claims.get("iss").and_then(Value::as_str), Some("https://id.example"));
        assert!(claims.get("exp").is_some_and(Value::is_number), "{claims:?}");
        assert!(claims.get("aud").is_some_and(|aud| aud.to_string().contains("auditrelay")));
    }
}
