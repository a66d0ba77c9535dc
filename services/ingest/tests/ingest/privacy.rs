//! What an organization does not want to be stored is stored nowhere.

use std::path::Path;

use auditrelay_ingest::Config;
use auditrelay_model::config::ConfigChange;
use auditrelay_model::privacy::{Privacy, PrivateField, Treatment};
use auditrelay_model::secret::Secret;
use reqwest::StatusCode;

use crate::support::{Answer, Instance, PRODUCER, World, event};

const CLEAR: [&str; 5] =
    ["198.51.100.77", "ada-lovelace", "Ada King", "noel-byron", "difference/1"];

fn keyed() -> Config {
    Config { privacy_key: Some(Secret::new("k".repeat(40))), ..Config::default() }
}

fn personal() -> String {
    let [address, id, name, actor, agent] = CLEAR;
    event(&format!(
        r#","client_ip":"{address}","principal_id":"{id}","principal_name":"{name}","actor_id":"{actor}","user_agent":"{agent}","uri":"/marker""#
    ))
}

async fn wants(world: &World, treatment: Treatment) {
    let fields = PrivateField::ALL.iter().filter(|field| **field != PrivateField::Uri);
    let privacy = Privacy(fields.map(|field| (*field, treatment)).collect());
    world.change(ConfigChange::PrivacyChanged(privacy)).await;
}

fn is_treated(text: &str, treatment: Treatment) -> bool {
    match treatment {
        Treatment::Hash => text.starts_with("hmac:"),
        Treatment::Mask => text == "***",
    }
}

/// Until the instance has heard what the organization wants.
async fn until_treated(world: &World, instance: &Instance, treatment: Treatment) {
    for _ in 0..200 {
        instance.post(event(r#","principal_id":"somebody""#)).await.ids();
        let records = world.records(world.scope()).await;
        let last = records.last().unwrap().record.events.last().unwrap().principal_id.clone();
        if is_treated(&last, treatment) {
            return;
        }
    }
    panic!("events are not treated");
}

/// Whether the text is in any file of the broker's store.
fn is_on_disk(folder: &Path, text: &str) -> bool {
    std::fs::read_dir(folder).unwrap().flatten().any(|entry| {
        let path = entry.path();
        if path.is_dir() {
            return is_on_disk(&path, text);
        }
        let bytes = std::fs::read(&path).unwrap_or_default();
        bytes.windows(text.len()).any(|part| part == text.as_bytes())
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hashed_and_masked_values_are_nowhere_in_the_store() {
    let world = World::new().await;
    let instance = world.instance_with(keyed()).await;
    for treatment in [Treatment::Hash, Treatment::Mask] {
        wants(&world, treatment).await;
        until_treated(&world, &instance, treatment).await;
        for _ in 0..2 {
            instance.post(personal()).await.ids();
        }
        // The same in another format, where the values have other names.
        let log = format!(
            r#"{{"started_at":{},"request":{{"method":"GET","uri":"/marker","headers":{{"user-agent":"{}"}}}},"response":{{"status":200}},"client_ip":"{}","consumer":{{"id":"{}","username":"{}"}}}}"#,
            auditrelay_model::Clock::now(&auditrelay_runtime::clock::SystemClock).millis(),
            CLEAR[4],
            CLEAR[0],
            CLEAR[1],
            CLEAR[2],
        );
        let url = format!("http://{}/v1/http-log", instance.address);
        let request = reqwest::Client::new().post(url).bearer_auth(PRODUCER);
        let request = request.header("content-type", "application/json").body(log);
        Answer::of(request.send().await.unwrap()).await.ids();
        let records = world.records(world.scope()).await;
        let stored: Vec<_> = records.into_iter().flat_map(|stored| stored.record.events).collect();
        let [.., first, second, third] = stored.as_slice() else { unreachable!() };
        assert_eq!(first.principal_id, second.principal_id, "the same value is recognised");
        assert_eq!(first.principal_id, third.principal_id, "in every format");
        assert_eq!(first.client_ip, third.client_ip);
        assert!(is_treated(&first.principal_id, treatment), "{first:?}");
        let network = first.client_ip.unwrap().to_string() == "198.51.100.0";
        assert_eq!(network, treatment == Treatment::Mask);
    }
    assert!(is_on_disk(world.store(), "/marker"), "what is not treated is there to be found");
    for text in CLEAR {
        assert!(!is_on_disk(world.store(), text), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_key_nothing_is_stored_in_clear() {
    let world = World::new().await;
    wants(&world, Treatment::Hash).await;
    let instance = world.instance().await;
    let refused = instance.post(personal()).await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(refused.body["detail"], "Fields of this organization cannot be hashed");
    assert!(world.stored_ids(world.scope()).await.is_empty());
}
