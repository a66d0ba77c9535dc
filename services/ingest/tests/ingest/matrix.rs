//! What is strange and lawful is stored as it is. What is refused stands in
//! `tests/e2e/bad_input/ingest.toml`.

use crate::support::{World, event};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strange_but_lawful_bodies_are_stored_as_they_are() {
    let world = World::new().await;
    let instance = world.instance().await;
    let text = |value: &str| event(&format!(r#","user_agent":{value}"#));
    let strange = [
        ("I-10", text(r#""a\u0000b""#), "a\0b"),
        ("I-63", text(r#""a\r\n2026-01-01 CEF:0|""#), "a\r\n2026-01-01 CEF:0|"),
        ("I-64", text(r#""=|\\\u001b[2J\u2028\u202e""#), "=|\\\u{1b}[2J\u{2028}\u{202e}"),
    ];
    for (name, body, _) in &strange {
        assert_eq!(instance.post(body.clone()).await.ids().len(), 1, "{name}");
    }
    instance.post(event(r#","client_ip":"::ffff:1.2.3.4""#)).await.ids();
    let records = world.records(world.scope()).await;
    let stored: Vec<_> = records.into_iter().flat_map(|stored| stored.record.events).collect();
    for ((name, _, wanted), event) in strange.iter().zip(&stored) {
        assert_eq!(event.user_agent, *wanted, "{name}");
    }
    assert_eq!(stored[3].client_ip.unwrap().to_string(), "1.2.3.4", "I-62");
}
