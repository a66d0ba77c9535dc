use auditrelay_model::Timestamp;
use auditrelay_model::destination::{LogFormat, SealedSecret, TlsPolicy};
use auditrelay_model::id::OrgId;
use auditrelay_model::portal::Portal;
use auditrelay_model::token::{Role, Token};
use auditrelay_model::webhook::Webhook;
use uuid::Uuid;

use super::*;

fn destination(name: &str, secret: &[u8]) -> Destination {
    let authorization =
        SealedSecret { key_id: "k".to_owned(), nonce: vec![1], ciphertext: secret.to_vec() };
    Destination {
        id: DestinationId::from_uuid(Uuid::from_u128(1)),
        name: name.to_owned(),
        endpoint: "https://siem.example/in?token=hidden".to_owned(),
        authorization,
        log_format: LogFormat::Json,
        tls: TlsPolicy::Verify,
        created_at: Timestamp::from_nanos(0),
        updated_at: Timestamp::from_nanos(0),
        implicit: false,
    }
}

fn told(config: &OrgConfig, change: ConfigChange) -> Value {
    serde_json::from_str(&of(config, &[change])).unwrap()
}

#[test]
fn a_change_tells_what_differs_and_no_secret() {
    let mut config = OrgConfig::default();
    let old = destination("a", b"one");
    let made = told(&config, ConfigChange::DestinationCreated(old.clone()));
    assert_eq!(made["changes"][0]["new"]["endpoint"], "https://siem.example/in?…");
    assert_eq!(made["changes"][0]["new"]["authorization"], "set");
    config.destinations.insert(old.id, old.clone());
    let renamed = Destination { name: "b".to_owned(), ..old.clone() };
    let changed = told(&config, ConfigChange::DestinationUpdated(renamed));
    let expected = json!({"changes": [{"what": "destination", "id": old.id.to_string(),
        "old": {"name": "a"}, "new": {"name": "b"}}]});
    assert_eq!(changed, expected);
    let secret = told(&config, ConfigChange::DestinationUpdated(destination("a", b"two")));
    assert_eq!(secret["changes"][0]["new"], json!({"authorization": "changed"}));
    let gone = told(&config, ConfigChange::DestinationDeleted(old.id));
    assert_eq!(gone["changes"][0]["old"]["name"], "a");
    assert_eq!(gone["changes"][0].get("new"), None);
}

#[test]
fn what_would_be_too_long_is_cut() {
    let portal = |description: &str| Portal {
        id: PortalId::from_uuid(Uuid::from_u128(2)),
        name: "p".to_owned(),
        display_name: "p".to_owned(),
        attributes_json: json!({ "description": description }).to_string(),
        labels: std::collections::BTreeMap::new(),
        created_at: Timestamp::from_nanos(0),
        updated_at: Timestamp::from_nanos(0),
    };
    let summary =
        of(&OrgConfig::default(), &[ConfigChange::PortalCreated(portal(&"x".repeat(40_000)))]);
    assert!(summary.len() < 2_000, "{}", summary.len());
    let told: Value = serde_json::from_str(&summary).unwrap();
    let shown = told["changes"][0]["new"]["description"].as_str().unwrap();
    assert_eq!(shown.chars().count(), VALUE_MAX + 1);
    let many = |count| {
        let changes: Vec<_> =
            (0..count).map(|_| ConfigChange::PortalCreated(portal("y"))).collect();
        let summary = of(&OrgConfig::default(), &changes);
        assert!(summary.chars().count() <= LENGTH_MAX);
        serde_json::from_str::<Value>(&summary).unwrap()
    };
    assert_eq!(many(100)["changes"][99]["new"], MORE, "what changed is said, without how");
    assert_eq!(many(900), json!({"changes": 900}));
}

#[test]
fn whatever_ends_is_told_as_it_was() {
    let org = OrgId::from_uuid(Uuid::from_u128(9));
    let portal = Portal {
        id: PortalId::from_uuid(Uuid::from_u128(2)),
        name: "p".to_owned(),
        display_name: "p".to_owned(),
        attributes_json: "{}".to_owned(),
        labels: std::collections::BTreeMap::new(),
        created_at: Timestamp::from_nanos(0),
        updated_at: Timestamp::from_nanos(0),
    };
    let token = Token {
        id: TokenId::from_uuid(Uuid::from_u128(3)),
        name: "ci".to_owned(),
        sha256: [7; 32],
        prefix: "art_x".to_owned(),
        role: Role::Viewer,
        expires_at: None,
    };
    let scope = Scope::Portal(org, portal.id);
    let at = Timestamp::from_nanos(0);
    let webhook = Webhook { destination: None, enabled: true, since: None, updated_at: at };
    let mut config = OrgConfig::default();
    config.portals.insert(portal.id, portal.clone());
    config.tokens.insert(token.id, token.clone());
    config.webhooks.insert(scope, webhook);
    let old = |change| {
        let told = told(&config, change)["changes"][0].clone();
        assert!(told["id"].is_string() && told.get("new").is_none(), "{told}");
        (told["what"].clone(), told["old"].clone())
    };
    let (what, gone) = old(ConfigChange::PortalDeleted(portal.id));
    assert_eq!((what, &gone["name"]), (json!("portal"), &json!("p")));
    let (what, gone) = old(ConfigChange::TokenRevoked(token.id));
    assert_eq!(
        (what, &gone["name"], &gone["role"]),
        (json!("token"), &json!("ci"), &json!("viewer"))
    );
    let (what, gone) = old(ConfigChange::WebhookRemoved(scope));
    assert_eq!((what, &gone["enabled"]), (json!("webhook"), &json!(true)));
}
