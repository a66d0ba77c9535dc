//! The call sequences of kongctl, in its order.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, World, destination};

#[tokio::test]
async fn listen_binds_and_cleans_up() {
    let (_world, api) = World::admin().await;
    let guard = api.get("/v2/audit-log-webhook").await.expect(200);
    assert_eq!((&guard["enabled"], &guard["endpoint"]), (&json!(false), &json!("unconfigured")));
    assert_eq!(guard["updated_at"], "0001-01-01T00:00:00Z");
    let all = api.get("/v3/audit-log-destinations").await.expect(200);
    assert_eq!(all["data"], json!([]));
    let made = api.post("/v3/audit-log-destinations", &destination("kongctl-host-1")).await;
    let made = made.expect(201);
    let id = made["id"].as_str().unwrap();
    for other in ["audit_log_destination_id", "destination_id", "authorization"] {
        assert!(made.get(other).is_none(), "{other}");
    }
    let bind = json!({"audit_log_destination_id": id, "enabled": true});
    let bound = api.patch("/v3/audit-log-webhook", &bind).await.expect(200);
    assert_eq!(bound, bind);
    let shown = api.get("/v2/audit-log-webhook").await.expect(200);
    assert_eq!(shown["endpoint"], "https://example.com/kongctl-host-1");
    assert_eq!((&shown["enabled"], &shown["audit_log_destination_id"]), (&json!(true), &json!(id)));
    // Too early: the webhook still names it.
    let path = format!("/v2/audit-log-destinations/{id}");
    let early = api.delete(&path).await.expect(409);
    assert!(early.to_string().to_lowercase().contains("destination is in use"));
    let off = api.patch("/v2/audit-log-webhook", &json!({"enabled": false})).await.expect(200);
    assert_eq!(off["endpoint"], "https://example.com/kongctl-host-1");
    api.delete("/v3/audit-log-webhook").await.expect(204);
    api.delete(&path).await.expect(204);
    assert_eq!(api.get("/v2/audit-log-webhook").await.expect(200), guard);
    api.delete("/v3/audit-log-webhook").await.expect(404);
    api.delete(&path).await.expect(404);
}

#[tokio::test]
async fn unpaged_lists_hold_everything_and_pages_lead_through() {
    let (_world, api) = World::admin().await;
    let mut names = Vec::new();
    for number in 0..23 {
        let name = format!("siem-{number:02}");
        api.destination(&name).await;
        names.push(name);
    }
    let listed = |page: &Value| -> Vec<String> {
        let data = page["data"].as_array().unwrap();
        data.iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect()
    };
    let all = api.get("/v3/audit-log-destinations").await.expect(200);
    assert_eq!(listed(&all), names);
    assert_eq!(all["meta"], json!({"size": 23, "next": null, "previous": null}));
    let mut path = "/v2/audit-log-destinations?page%5Bsize%5D=10".to_owned();
    let mut seen = Vec::new();
    loop {
        let page = api.get(&path).await.expect(200);
        seen.extend(listed(&page));
        let Some(next) = page["meta"]["next"].as_str() else { break };
        assert!(next.starts_with("/v2/audit-log-destinations?"), "{next}");
        path = next.to_owned();
    }
    assert_eq!(seen, names);
    for query in ["filter[name][eq]=siem-07", "filter%5Bname%5D%5Beq%5D=siem-07"] {
        let one = api.get(&format!("/v3/audit-log-destinations?{query}")).await.expect(200);
        assert_eq!(listed(&one), ["siem-07"]);
    }
    let some = api.get("/v3/audit-log-destinations?filter[name][contains]=-1").await.expect(200);
    assert_eq!(listed(&some).len(), 10);
    let forged = api.get("/v3/audit-log-destinations?page[after]=AAAA").await;
    assert_eq!(forged.faults(), [("page[after]".to_owned(), "is not a valid cursor".to_owned())]);
}

/// The end-to-end scenario `portal/audit-log-webhook`, with the reset.
#[tokio::test]
async fn the_declarative_scenario_runs_through() {
    let (_world, api) = World::admin().await;
    for path in [
        "/v3/apis",
        "/v3/portals",
        "/v3/portals/email-domains",
        "/v3/audit-log-destinations",
        "/v3/system-accounts",
        "/v3/teams",
        "/v2/application-auth-strategies",
        "/v2/dcr-providers",
        "/v2/control-planes",
        "/v2/dashboards",
        "/v1/catalog-services",
        "/v1/event-gateways",
        "/v1/ai-gateways",
    ] {
        let reset = api.get(&format!("{path}?page[size]=100&page[number]=1")).await.expect(200);
        assert_eq!(reset["data"], json!([]), "{path}");
    }
    let (first, second) = (api.destination("first").await, api.destination("second").await);
    let body = json!({"authentication_enabled": false, "auto_approve_applications": false,
        "auto_approve_developers": false, "display_name": "D", "name": "n", "rbac_enabled": false,
        "labels": {"KONGCTL-namespace": "default"}, "sipr_enabled": false,
        "notifications_developer_pii_visibility_enabled": false});
    let portal = api.post("/v3/portals", &body).await.expect(201);
    let portal = format!("/v3/portals/{}", portal["id"].as_str().unwrap());
    let webhook = format!("{portal}/audit-log-webhook");
    let unset = api.get(&webhook).await.expect(200);
    assert_eq!(unset, json!({"enabled": false}));
    let on = json!({"enabled": true, "audit_log_destination_id": first});
    assert_eq!(api.patch(&webhook, &on).await.expect(200), on);
    let listed = api.get("/v3/portals?page[number]=1&page[size]=100").await.expect(200);
    assert_eq!(listed["meta"], json!({"page": {"number": 1, "size": 100, "total": 1}}));
    for (key, value) in body.as_object().unwrap() {
        assert_eq!(&listed["data"][0][key], value, "{key}");
    }
    children(&api, &portal).await;
    let moved = api.patch(&webhook, &json!({"audit_log_destination_id": second})).await;
    let moved = moved.expect(200);
    assert_eq!(moved, json!({"enabled": true, "audit_log_destination_id": second}));
    let off = api.patch(&webhook, &json!({"enabled": false})).await.expect(200);
    assert_eq!(off, json!({"enabled": false, "audit_log_destination_id": second}));
    // Dump: by name, then pages until one is empty.
    let filter = "filter%5Bname%5D%5Beq%5D=n&page%5Bsize%5D=10";
    let dump = api.get(&format!("/v3/portals?{filter}&page%5Bnumber%5D=1")).await.expect(200);
    assert_eq!(dump["data"].as_array().unwrap().len(), 1);
    let end = api.get(&format!("/v3/portals?{filter}&page%5Bnumber%5D=2")).await.expect(200);
    assert_eq!(end["data"], json!([]));
    api.delete(&webhook).await.expect(204);
    api.delete(&webhook).await.expect(404);
    assert_eq!(api.get(&webhook).await.expect(200), unset);
    api.patch(&webhook, &on).await.expect(200);
    api.delete(&format!("{portal}?force=true")).await.expect(204);
    api.get(&webhook).await.expect(404);
    for id in [first, second] {
        api.delete(&format!("/v2/audit-log-destinations/{id}")).await.expect(204);
    }
}

async fn children(api: &crate::support::Client, portal: &str) {
    let numbered = json!({"data": [], "meta": {"page": {"total": 0, "size": 100, "number": 1}}});
    let flat = json!({"data": [], "meta": {"next": null, "previous": null, "size": 100}});
    for (child, expected) in [
        ("pages", json!({"data": []})),
        ("snippets?page[number]=1&page[size]=100", numbered.clone()),
        ("ip-allow-list?page[size]=100", flat),
        ("identity-providers", json!([])),
        ("teams?page[number]=1&page[size]=100", numbered),
    ] {
        assert_eq!(api.get(&format!("{portal}/{child}")).await.expect(200), expected, "{child}");
    }
    for child in ["email-config", "custom-domain", "assets/logo", "customization"] {
        api.get(&format!("{portal}/{child}")).await.expect(404);
    }
    api.delete(&format!("{portal}/custom-domain")).await.expect(404);
    let gone = "/v3/portals/00000000-0000-4000-8000-000000000000/pages";
    api.get(gone).await.expect(404);
}

#[tokio::test]
async fn accept_headers_and_hosts_never_matter() {
    let (_world, api) = World::admin().await;
    let request = |accept: &str, host: &str| {
        let request = api.request(Method::GET, "/v3/audit-log-webhook").bearer_auth(&api.token);
        request.header("accept", accept).header("host", host)
    };
    let accept = "application/json;q=1, application/problem+json;q=0";
    Answer::of(request(accept, "global.api.konghq.com")).await.expect(404);
    Answer::of(request("text/html", "eu.api.konghq.com")).await.expect(404);
}
