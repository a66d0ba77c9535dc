//! The call sequences of terraform-provider-konnect: every key in every body, nulls included.

use serde_json::json;

use crate::support::World;

const ZERO: &str = "0001-01-01T00:00:00Z";

#[tokio::test]
async fn a_destination_lives_through_version_two() {
    let (_world, api) = World::admin().await;
    let list = "/v2/audit-log-destinations";
    let body = json!({"authorization": "Bearer sometoken", "endpoint": "https://example.com/audit-logs",
        "log_format": "cef", "name": "My Destination ", "skip_ssl_verification": false});
    let made = api.post(list, &body).await.expect(201);
    let path = format!("{list}/{}", made["id"].as_str().unwrap());
    for key in ["endpoint", "log_format", "name", "skip_ssl_verification"] {
        assert_eq!(made[key], body[key], "{key}");
    }
    assert_eq!(made["created_at"], made["updated_at"]);
    assert_eq!(api.get(&path).await.expect(200), made);
    let rename = json!({"authorization": null, "endpoint": null, "log_format": "cef", "name": "n2",
        "skip_ssl_verification": false});
    let renamed = api.patch(&path, &rename).await.expect(200);
    assert_eq!((&renamed["name"], &renamed["endpoint"]), (&json!("n2"), &body["endpoint"]));
    assert_ne!(renamed["updated_at"], made["updated_at"]);
    assert_eq!(api.patch(&path, &rename).await.expect(200), renamed, "nothing changed");
    assert_eq!(api.get(&path.replace("/v2/", "/v3/")).await.expect(200), renamed);
    api.delete(&path).await.expect(204);
    api.get(&path).await.expect(404);
    api.patch(&path, &rename).await.expect(404);
}

#[tokio::test]
async fn the_inline_webhook_is_switched_off_but_stays() {
    let (_world, api) = World::admin().await;
    let path = "/v2/audit-log-webhook";
    let body = json!({"authorization": null, "enabled": true, "endpoint": "https://siem.example",
        "log_format": "cef", "skip_ssl_verification": false});
    let made = api.patch(path, &body).await.expect(200);
    for key in ["enabled", "endpoint", "log_format", "skip_ssl_verification"] {
        assert_eq!(made[key], body[key], "{key}");
    }
    assert_ne!(made["updated_at"], ZERO);
    assert!(made.get("authorization").is_none());
    let bound = api.get("/v3/audit-log-webhook").await.expect(200);
    assert_eq!(bound["audit_log_destination_id"], made["audit_log_destination_id"]);
    let listed = api.get("/v3/audit-log-destinations").await.expect(200);
    assert_eq!(listed["data"], json!([]), "the webhook's own destination is not listed");
    let secret =
        json!({"authorization": "Bearer very-secret", "endpoint": "https://siem.example/"});
    let changed = api.patch(path, &secret).await.expect(200);
    assert_eq!(changed["endpoint"], "https://siem.example/");
    let off = api.patch(path, &json!({"enabled": false})).await.expect(200);
    assert_eq!((&off["enabled"], &off["endpoint"]), (&json!(false), &changed["endpoint"]));
}

#[tokio::test]
async fn a_portal_webhook_is_applied_changed_and_destroyed() {
    let (_world, api) = World::admin().await;
    let portal = json!({"authentication_enabled": true, "auto_approve_applications": false,
        "auto_approve_developers": false, "default_application_auth_strategy_id": null,
        "description": null, "name": "n", "notifications_developer_pii_visibility_enabled": false,
        "rbac_enabled": false, "sipr_enabled": false});
    let portal = api.post("/v3/portals", &portal).await.expect(201);
    for required in [
        "id",
        "created_at",
        "updated_at",
        "name",
        "display_name",
        "default_api_visibility",
        "default_page_visibility",
        "default_domain",
        "canonical_domain",
    ] {
        assert!(portal[required].is_string(), "{required}");
    }
    let path = format!("/v3/portals/{}", portal["id"].as_str().unwrap());
    let webhook = format!("{path}/audit-log-webhook");
    let (primary, secondary) = (api.destination("primary").await, api.destination("other").await);
    for state in [
        json!({"audit_log_destination_id": primary, "enabled": true}),
        json!({"audit_log_destination_id": secondary, "enabled": false}),
        json!({"audit_log_destination_id": null, "enabled": false}),
    ] {
        assert_eq!(api.patch(&webhook, &state).await.expect(200), state);
        assert_eq!(api.get(&webhook).await.expect(200), state);
        assert_eq!(api.get(&path).await.expect(200), portal, "an empty plan");
    }
    api.patch(&webhook, &json!({"audit_log_destination_id": primary})).await.expect(200);
    // Destroy: the webhook first, then everything else at once.
    api.delete(&webhook).await.expect(204);
    let (one, other) =
        (format!("/v2/audit-log-destinations/{primary}"), format!("{path}?force=false"));
    let (one, other) = tokio::join!(api.delete(&one), api.delete(&other));
    one.expect(204);
    other.expect(204);
    api.delete(&path).await.expect(404);
}

#[tokio::test]
async fn a_portal_is_patched() {
    let (_world, api) = World::admin().await;
    let path = format!("/v3/portals/{}", api.portal("n").await);
    let labels = json!({"labels": {"team": "a", "env": "prod"}, "description": "d"});
    api.patch(&path, &labels).await.expect(200);
    let patched = api.patch(&path, &json!({"labels": {"env": null}, "description": null})).await;
    let patched = patched.expect(200);
    assert_eq!(
        (&patched["labels"], &patched["description"]),
        (&json!({"team": "a"}), &json!(null))
    );
    api.portal("m").await;
    api.patch(&path, &json!({"name": "m"})).await.expect(409);
    let twice = api.post("/v3/portals", &json!({"name": "m"})).await;
    assert_eq!(twice.faults()[0].0, "name");
}
