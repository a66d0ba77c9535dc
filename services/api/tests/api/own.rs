//! Secrets stay where they are, and what is stored can be opened by whom it is for.

use auditrelay_streams::{ConfigFold, Projection};
use serde_json::json;
use std::time::Duration;

use crate::support::World;

#[tokio::test]
async fn an_authorization_value_is_sealed_for_its_destination() {
    let (world, api) = World::admin().await;
    let id = api.destination("d").await;
    let inline = json!({"endpoint": "https://siem.example", "authorization": "Bearer very-secret"});
    let inline = api.patch("/v2/audit-log-webhook", &inline).await.expect(200);
    let drain = &world.context.drain;
    let configs = Projection::<ConfigFold>::start(&world.streams, &drain.hard, &drain.tasks);
    configs.caught_up(Duration::from_secs(5)).await.unwrap();
    let (_, config) = configs.all().remove(0);
    let keys = world.config.sealing.clone().unwrap();
    for id in [id.as_str(), inline["audit_log_destination_id"].as_str().unwrap()] {
        let destination = &config.destinations[&id.parse().unwrap()];
        let sealed = &destination.authorization;
        assert!(!String::from_utf8_lossy(&sealed.ciphertext).contains("very-secret"));
        let (key, nonce, text) = (&sealed.key_id, &sealed.nonce, &sealed.ciphertext);
        let opened = keys.open_text(key, nonce, text, id.as_bytes()).unwrap();
        assert_eq!(opened.as_str(), "Bearer very-secret");
        assert!(keys.open_text(key, nonce, text, b"elsewhere").is_err());
    }
}

#[tokio::test]
async fn organizations_are_the_operators() {
    let world = World::new().await;
    let api = world.api().await;
    let (one, other) = (api.organization("One").await, api.organization("Other").await);
    let listed = api.get("/v1/organizations").await.expect(200);
    let expected = json!([{"id": one, "name": "One"}, {"id": other, "name": "Other"}]);
    assert_eq!(listed["data"], expected);
    let again = api.post("/v1/organizations", &json!({"name": "One"})).await;
    let taken = "is already the name of another organization";
    assert_eq!(again.faults(), [("name".to_owned(), taken.to_owned())]);
    let wrong = api.post("/v1/organizations", &json!({"name": "", "plan": "gold"})).await;
    let fields: Vec<String> = wrong.faults().into_iter().map(|(field, _)| field).collect();
    assert_eq!(fields, ["name", "plan"]);
}
