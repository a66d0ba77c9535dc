//! Events as people hand them over, and requests of the right size.

use std::io::Read;
use std::path::Path;

use auditrelay_model::id::PortalId;
use auditrelay_runtime::ids;
use serde_json::{Map, Value, json};

use crate::failure::Failure;

/// The largest input that is read at once.
const INPUT_MAX: u64 = 256 * 1024 * 1024;
/// Ingest takes bodies of 1 MiB.
const REQUEST_BYTES_MAX: usize = 1_000_000;

/// Reads all events of a file, or of stdin for `-`.
pub(super) fn read(path: &Path, portal: Option<PortalId>) -> Result<Vec<Value>, Failure> {
    let name = path.display().to_string();
    let mut text = String::new();
    let read = if name == "-" {
        std::io::stdin().lock().take(INPUT_MAX + 1).read_to_string(&mut text)
    } else {
        std::fs::File::open(path)
            .and_then(|file| file.take(INPUT_MAX + 1).read_to_string(&mut text))
    };
    read.map_err(Failure::io(name.clone()))?;
    if u64::try_from(text.len()).is_ok_and(|length| length > INPUT_MAX) {
        return Err(Failure::Usage(format!("{name}: larger than {INPUT_MAX} bytes, split it")));
    }
    parse(&text, portal).map_err(|reason| Failure::Usage(format!("{name}: {reason}")))
}

/// Objects one after the other, arrays of them, or both. Each gets an id when it has none, so
/// that trying again is safe, and the portal when one is named and it says nothing itself.
fn parse(text: &str, portal: Option<PortalId>) -> Result<Vec<Value>, String> {
    let mut events = Vec::new();
    for document in serde_json::Deserializer::from_str(text).into_iter::<Value>() {
        match document.map_err(|error| error.to_string())? {
            Value::Array(items) => {
                for item in items {
                    events.push(complete(item, portal)?);
                }
            }
            other => events.push(complete(other, portal)?),
        }
    }
    if events.is_empty() {
        return Err("holds no events".to_owned());
    }
    Ok(events)
}

fn complete(event: Value, portal: Option<PortalId>) -> Result<Value, String> {
    let Value::Object(mut members) = event else {
        return Err("an event is a JSON object".to_owned());
    };
    or_insert(&mut members, "id", || json!(ids::uuid_v7().to_string()));
    if let Some(portal) = portal {
        or_insert(&mut members, "portal_id", || json!(portal.to_string()));
    }
    Ok(Value::Object(members))
}

fn or_insert(members: &mut Map<String, Value>, name: &str, value: impl FnOnce() -> Value) {
    if !members.contains_key(name) {
        members.insert(name.to_owned(), value());
    }
}

/// Cuts events into requests by count and by bytes.
pub(super) struct Batches {
    events: Box<dyn Iterator<Item = Value> + Send>,
    /// Did not fit into the request before.
    held: Option<Value>,
    most: usize,
}

impl Batches {
    pub(super) fn new(events: Box<dyn Iterator<Item = Value> + Send>, most: usize) -> Self {
        Self { events, held: None, most }
    }
}

impl Iterator for Batches {
    type Item = Vec<Value>;

    fn next(&mut self) -> Option<Vec<Value>> {
        let mut batch = Vec::new();
        let mut bytes = 0;
        while batch.len() < self.most {
            let Some(event) = self.held.take().or_else(|| self.events.next()) else { break };
            bytes += event.to_string().len() + 1;
            if bytes > REQUEST_BYTES_MAX && !batch.is_empty() {
                self.held = Some(event);
                break;
            }
            batch.push(event);
        }
        (!batch.is_empty()).then_some(batch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(events: Vec<Value>, most: usize) -> Vec<usize> {
        Batches::new(Box::new(events.into_iter()), most).map(|batch| batch.len()).collect()
    }

    #[test]
    fn objects_arrays_and_lines_are_all_taken() {
        for text in [r#"{"id":"a"} "#, r#"[{"id":"a"}]"#, "{\n  \"id\": \"a\"\n}\n"] {
            assert_eq!(parse(text, None).unwrap(), [json!({"id": "a"})], "{text}");
        }
        assert_eq!(parse("{\"id\":\"a\"}\n{\"id\":\"b\"}\n", None).unwrap().len(), 2);
    }

    #[test]
    fn an_event_without_an_id_gets_one_and_keeps_its_own_portal() {
        let portal: PortalId = "3e551b39-227d-4297-b911-e68fd5d77c17".parse().unwrap();
        let events = parse(r#"{} {"portal_id":"mine"}"#, Some(portal)).unwrap();
        assert_eq!(events[0]["id"].as_str().unwrap().len(), 36);
        assert_eq!(events[0]["portal_id"], portal.to_string());
        assert_eq!(events[1]["portal_id"], "mine");
    }

    #[test]
    fn nonsense_is_named() {
        assert!(parse("", None).unwrap_err().contains("no events"));
        assert!(parse("{\"a\":1}\n{broken", None).unwrap_err().contains("line 2"));
        assert!(parse("[1]", None).unwrap_err().contains("JSON object"));
    }

    #[test]
    fn requests_are_cut_by_count_and_by_bytes() {
        assert_eq!(sizes(vec![json!({}); 5], 2), [2, 2, 1]);
        let large = json!({ "uri": "x".repeat(400_000) });
        assert_eq!(sizes(vec![large; 5], 100), [2, 2, 1]);
        let huge = json!({ "uri": "x".repeat(REQUEST_BYTES_MAX + 1) });
        assert_eq!(sizes(vec![huge; 2], 100), [1, 1]);
    }
}
