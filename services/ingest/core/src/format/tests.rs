//! What holds for every format, whatever comes.

use proptest::prelude::*;

use crate::admit::tests::sort;
use crate::admit::{LONG, SHORT, Sorted};
use crate::request::Media;

const ACCESS: &str = r#"{"type":"gateway_access","ts":"2025-06-18T21:02:36Z","method":"GET","uri":"/x","status_code":200,"principal_id":"p","client_ip":"10.0.0.1"}"#;
const CLOUD_EVENT: &str = r#"{"specversion":"1.0","id":"7","source":"/s","type":"a.gateway_access","time":"2025-06-18T21:02:36Z","data":{"method":"GET","uri":"/x","status_code":200}}"#;
const LOG: &str = r#"{"request":{"id":"a","method":"GET","uri":"/x","headers":{"user-agent":"u"}},"response":{"status":200},"client_ip":"10.0.0.1","started_at":1750280556123}"#;
const OTLP: &str = r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"1750280556000000000","eventName":"gateway_access","attributes":[{"key":"http.request.method","value":{"stringValue":"GET"}},{"key":"url.path","value":{"stringValue":"/x"}},{"key":"http.response.status_code","value":{"intValue":"200"}}]}]}]}]}"#;

fn lawful() -> Vec<(Media, Vec<u8>)> {
    // One event with only a time and an access detail, as the contract writes it.
    let access = [0x1a, 3, b'G', b'E', b'T'];
    let protobuf = [&[0x0a, 7, 0x12][..], &access].concat();
    vec![
        (Media::Json, format!("[{ACCESS},{ACCESS}]").into_bytes()),
        (Media::Ndjson, format!("{ACCESS}\n{ACCESS}\n").into_bytes()),
        (Media::CloudEvent, CLOUD_EVENT.into()),
        (Media::CloudEvents, format!("[{CLOUD_EVENT}]").into_bytes()),
        (Media::CloudEventData(binary()), ACCESS.into()),
        (Media::HttpLog, format!("[{LOG}]").into_bytes()),
        (Media::OtlpJson, OTLP.into()),
        (Media::Protobuf, protobuf.clone()),
        (Media::OtlpProtobuf, protobuf),
    ]
}

fn binary() -> Vec<(String, String)> {
    let attributes = [("specversion", "1.0"), ("id", "7"), ("source", "/s"), ("type", "x")];
    attributes.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

/// What the mapping forbids is nowhere in what is admitted, and nothing vanishes silently.
fn holds(sorted: &Sorted, body: &[u8]) -> Result<(), TestCaseError> {
    prop_assert!(sorted.admitted.len() <= 1_000);
    prop_assert!(sorted.admitted.len() + sorted.refused <= body.len() + 1);
    if sorted.unreadable || sorted.refused > 0 {
        prop_assert!(!sorted.rejections.is_empty());
    }
    for one in &sorted.admitted {
        let event = &one.event;
        prop_assert!(event.principal_id.chars().count() <= SHORT);
        prop_assert!(event.uri.chars().count() <= LONG);
        prop_assert!(event.user_agent.chars().count() <= LONG);
    }
    Ok(())
}

#[test]
fn the_bodies_that_are_changed_below_are_lawful_themselves() {
    for (media, body) in lawful() {
        if !matches!(media, Media::Protobuf | Media::OtlpProtobuf) {
            let sorted = sort(&body, &media);
            assert_eq!(sorted.rejections, [], "{media:?}");
            assert!(!sorted.admitted.is_empty(), "{media:?}");
        }
    }
}

proptest! {
    #[test]
    fn no_bytes_break_a_decoder(body in prop::collection::vec(any::<u8>(), 0..300)) {
        for (media, _) in lawful() {
            holds(&sort(&body, &media), &body)?;
        }
    }

    #[test]
    fn no_change_of_a_lawful_body_breaks_a_decoder(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3_u8), 1..6),
    ) {
        for (media, mut body) in lawful() {
            for (at, byte, how) in &changes {
                let at = at.index(body.len().max(1)).min(body.len().saturating_sub(1));
                match how {
                    0 if !body.is_empty() => body[at] = *byte,
                    1 => body.insert(at, *byte),
                    _ => body.truncate(at),
                }
            }
            holds(&sort(&body, &media), &body)?;
        }
    }

    #[test]
    fn json_of_any_shape_is_answered(
        keys in prop::collection::vec("[a-z_.]{0,12}|type|ts|data|request|resourceLogs|uri|id", 0..8),
        values in prop::collection::vec(r#"null|true|-?[0-9]{1,40}|[0-9]e[0-9]{1,3}|"[^"\\\x00-\x1f]{0,20}"|\[\]|\{\}|\[\[\{\}\]\]"#, 8),
    ) {
        let members: Vec<_> = keys.iter().zip(&values).map(|(k, v)| format!("\"{k}\":{v}")).collect();
        let object = format!("{{{}}}", members.join(","));
        for body in [object.clone(), format!("[{object},{object}]"), format!("{{\"data\":{object}}}")] {
            for (media, _) in lawful() {
                holds(&sort(body.as_bytes(), &media), body.as_bytes())?;
            }
        }
    }
}
