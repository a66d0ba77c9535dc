//! What sdk-konnect-go decodes: exact codes, exact types.

use auditrelay_model::delivery::{DeliveryEvent, DeliveryFact, Lane, LaneState, LastAttempt};
use auditrelay_model::{Clock, Scope};
use auditrelay_runtime::clock::SystemClock;
use serde_json::json;

use crate::support::{Answer, World};

#[tokio::test]
async fn a_status_names_what_happened_and_nothing_else() {
    let (world, api) = World::admin().await;
    let unset = json!({"webhook_enabled": false, "webhook_status": "unconfigured"});
    for path in ["/v2/audit-log-webhook/status", "/v3/audit-log-webhook/status"] {
        assert_eq!(api.get(path).await.expect(200), unset);
    }
    let portal = api.portal("p").await;
    let status = format!("/v3/portals/{portal}/audit-log-webhook/status");
    assert_eq!(api.get(&status).await.expect(200), unset);
    let destination = api.destination("d").await;
    let on = json!({"audit_log_destination_id": destination, "enabled": true});
    api.patch(&format!("/v3/portals/{portal}/audit-log-webhook"), &on).await.expect(200);
    let untried = json!({"webhook_enabled": true, "webhook_status": "active"});
    assert_eq!(api.get(&status).await.expect(200), untried);
    let org = org_of(&api).await;
    let scope = Scope::Portal(org, portal.parse().unwrap());
    let at = SystemClock.now();
    let message = "no".to_owned();
    let attempt = LastAttempt { at, delivered: false, status: Some(503), message };
    let state = LaneState { last_attempt: Some(attempt), ..LaneState::default() };
    let fact = DeliveryFact::CaughtUp;
    let sender = "s".to_owned();
    let event = DeliveryEvent { at, scope, lane: Lane::Live, sender, fact, state };
    world.streams.append_delivery(&event, 0).await.unwrap();
    let failed = api.get(&status).await.expect(200);
    let expected = json!({"webhook_enabled": true, "webhook_status": "inactive",
        "last_attempt_at": at.to_string(), "last_response_code": 503, "last_response_message": "no"});
    assert_eq!(failed, expected);
    let detail = api.get(&format!("/v1/webhooks/{portal}/delivery")).await.expect(200);
    assert_eq!((&detail["webhook_status"], &detail["hold"]), (&json!("inactive"), &json!(null)));
    let own = api.get("/v1/webhooks/org/delivery").await.expect(200);
    assert_eq!(own["webhook_status"], "unconfigured");
    api.get("/v1/webhooks/other/delivery").await.expect(404);
}

/// The only organization that there is.
async fn org_of(api: &crate::support::Client) -> auditrelay_model::id::OrgId {
    let platform = api.with_token(crate::support::PLATFORM);
    let all = platform.get("/v1/organizations").await.expect(200);
    all["data"][0]["id"].as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn the_key_set_is_public() {
    let (_world, api) = World::admin().await;
    let request = api.request(reqwest::Method::GET, "/v2/audit-log-webhook/jwks.json");
    let keys = Answer::of(request).await.expect(200);
    let key = &keys["keys"][0];
    assert_eq!(
        (&key["kty"], &key["crv"], &key["alg"]),
        (&json!("OKP"), &json!("Ed25519"), &json!("EdDSA"))
    );
    assert_eq!(key["x"].as_str().unwrap().len(), 43);
    assert!(keys.to_string().find("seed").is_none());
}

#[tokio::test]
async fn an_unset_replay_job_has_zero_times() {
    let (_world, api) = World::admin().await;
    let zero = "0001-01-01T00:00:00Z";
    let unset =
        json!({"status": "unconfigured", "start_at": zero, "end_at": zero, "updated_at": zero});
    let portal = format!("/v3/portals/{}/audit-log-replay-job", api.portal("p").await);
    for path in ["/v2/audit-log-replay-job", "/v3/audit-log-replay-job?foo", &portal] {
        assert_eq!(api.get(path).await.expect(200), unset, "{path}");
    }
}
