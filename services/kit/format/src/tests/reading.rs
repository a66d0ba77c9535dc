//! Lines read back by a parser that shares nothing with their writer: what comes out is what the
//! event says, field by field, and nothing else. So no text of a producer's can pass for a field.

use serde_json::{Map, Value, json};

use super::*;

type Fields = BTreeMap<String, String>;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn cef_reads_back_as_exactly_what_the_event_says(
        event in any_event(),
        of_portal in any::<bool>(),
        (epoch, number) in any::<(u64, u64)>(),
    ) {
        let scope = if of_portal { portal() } else { org() };
        let place = Place { epoch, number };
        let line = render_placed(&event, scope, place, LogFormat::Cef, &Vendor::default());
        let (header, fields) = parse_cef(&seal_line(line, LogFormat::Cef, SIGNATURE));
        let (class, name) = class_and_name(&event);
        let at = at(&event);
        let severity = severity(&event.detail).to_string();
        let expected = [&*format!("{at} konghq.com CEF:0"), "KongInc", product(scope), "1.0",
            &in_header(&class), &in_header(&name), &*severity];
        prop_assert_eq!(header, expected);
        let mut expected = says(&event, scope);
        let own = [("externalId", EVENT.to_owned()), ("event_epoch", epoch.to_string()),
            ("event_number", number.to_string()), ("sig", SIGNATURE.to_owned())];
        expected.extend(own.map(|(key, value)| (key.to_owned(), value)));
        let expected: Fields = expected.into_iter().map(|(key, text)| (key, shown(&text))).collect();
        prop_assert_eq!(fields, expected);
    }

    #[test]
    fn json_and_cps_read_back_as_exactly_what_the_event_says(
        event in any_event(),
        of_portal in any::<bool>(),
        (epoch, number) in any::<(u64, u64)>(),
    ) {
        let scope = if of_portal { portal() } else { org() };
        let read = |format| {
            let place = Place { epoch, number };
            let line = render_placed(&event, scope, place, format, &Vendor::default());
            serde_json::from_str::<Value>(&seal_line(line, format, SIGNATURE)).unwrap()
        };
        let (class, name) = class_and_name(&event);
        let at = at(&event);
        let mut expected = Map::new();
        for (key, text) in says(&event, scope) {
            let value = match &*key {
                "rt" | "status" => text.parse::<i64>().unwrap().into(),
                "success" | "granted" => (text == "true").into(),
                _ => Value::from(text),
            };
            expected.insert(key, value);
        }
        let own = json!({
            "cef_version": 0, "event_class_id": class, "event_epoch": epoch, "event_id": EVENT,
            "event_number": number, "event_product": product(scope), "event_ts": at,
            "event_vendor": "KongInc", "event_version": "1.0", "name": name,
            "severity": severity(&event.detail), "sig": SIGNATURE,
        });
        expected.extend(own.as_object().unwrap().clone());
        let expected = Value::Object(expected);
        prop_assert_eq!(read(LogFormat::Json), expected.clone());
        prop_assert_eq!(read(LogFormat::Cps), json!({ "event": expected }));
    }
}

#[test]
fn every_character_that_means_something_is_escaped() {
    let table = [
        ('\\', r"\\", r"\\"),
        ('=', r"\=", "="),
        ('|', "|", "|"),
        ('"', "\"", "\\\""),
        ('\n', r"\n", r"\n"),
        ('\r', r"\r", r"\r"),
        ('\t', " ", r"\t"),
        ('\0', " ", r"\u0000"),
        ('\u{1b}', " ", r"\u001b"),
        ('\u{7f}', " ", r"\u007f"),
        ('\u{85}', " ", r"\u0085"),
        ('\u{2028}', " ", r"\u2028"),
        ('\u{202e}', " ", r"\u202e"),
        ('ä', "ä", "ä"),
    ];
    for (c, cef, json) in table {
        let said = AuditEvent {
            user_agent: format!("a{c}b"),
            ..event(authorization(&format!("s{c}t"), "x", "y", true))
        };
        let line = |format| render(&said, org(), format, &Vendor::default());
        let found = line(LogFormat::Cef);
        assert!(found.contains(&format!(" user_agent=a{cef}b externalId=")), "{c:?}: {found}");
        let in_header = match c {
            '|' => r"\|",
            '=' => "=",
            '\n' | '\r' => " ",
            _ => cef,
        };
        assert!(found.contains(&format!("|1.0|s{in_header}t|Authz.x|")), "{c:?}: {found}");
        let found = line(LogFormat::Json);
        assert!(found.contains(&format!(r#""user_agent":"a{json}b""#)), "{c:?}: {found}");
    }
}

/// What a line of the event must say besides its header, by the names of the documentation.
fn says(event: &AuditEvent, scope: Scope) -> Fields {
    let mut fields = vec![
        ("rt", event.ts.millis().to_string()),
        ("src", event.client_ip.map(|ip| ip.to_string()).unwrap_or_default()),
        ("org_id", ORG.to_owned()),
        ("principal_id", event.principal_id.clone()),
        ("trace_id", event.trace_id.clone()),
        ("user_agent", event.user_agent.clone()),
    ];
    if scope.portal().is_some() {
        fields.push(("portal_id", PORTAL.to_owned()));
    }
    let optional =
        [("principal_name", &event.principal_name), ("actor_id", &event.actor_id)].into_iter();
    fields.extend(
        optional.filter(|(_, text)| !text.is_empty()).map(|(key, text)| (key, text.clone())),
    );
    match &event.detail {
        Detail::Authentication(detail) => {
            fields.push(("request", event.uri.clone()));
            fields.push(("success", detail.success.to_string()));
        }
        Detail::Authorization(detail) => {
            fields.push(("action", detail.action.clone()));
            fields.push(("granted", detail.granted.to_string()));
        }
        Detail::Access(detail) => {
            fields.push(("request", event.uri.clone()));
            fields.push(("act", detail.method.clone()));
            fields.push(("status", detail.status_code.to_string()));
            fields.push(("query", detail.query.clone()));
        }
    }
    let may_be_ours = !matches!(event.detail, Detail::Authentication(_));
    if may_be_ours && event.platform_initiated {
        fields.push(("kong_initiated", "true".to_owned()));
    }
    fields.into_iter().map(|(key, text)| (key.to_owned(), text)).collect()
}

fn class_and_name(event: &AuditEvent) -> (String, String) {
    match &event.detail {
        // The only one that is made here.
        Detail::Authentication(_) => {
            ("AUTHENTICATION_TYPE_SSO".to_owned(), "AUTHENTICATION_OUTCOME_LOCKED".to_owned())
        }
        Detail::Authorization(detail) => {
            (detail.service.clone(), format!("Authz.{}", detail.resource))
        }
        Detail::Access(_) => ("KongGateway".to_owned(), "Ingress".to_owned()),
    }
}

/// To the second.
fn at(event: &AuditEvent) -> String {
    let whole = event.ts.nanos().div_euclid(1_000_000_000).saturating_mul(1_000_000_000);
    Timestamp::from_nanos(whole).to_string()
}

fn in_header(text: &str) -> String {
    shown(text).replace(['\n', '\r'], " ")
}

/// Seven fields end at an unescaped pipe; a value ends before the last space in front of the next
/// unescaped equals sign.
pub(super) fn parse_cef(line: &str) -> (Vec<String>, BTreeMap<String, String>) {
    let mut header = vec![String::new()];
    let mut chars = line.chars();
    while header.len() < 8 {
        let c = chars.next().unwrap();
        match c {
            '\\' => header.last_mut().unwrap().push(chars.next().unwrap()),
            '|' => header.push(String::new()),
            c => header.last_mut().unwrap().push(c),
        }
    }
    header.pop();
    let mut fields = BTreeMap::new();
    let (mut key, mut value) = (None::<String>, String::new());
    while let Some(c) = chars.next() {
        match c {
            '\\' => value.push(match chars.next().unwrap() {
                'n' => '\n',
                'r' => '\r',
                other => other,
            }),
            '=' => {
                let (before, next) = match value.rsplit_once(' ') {
                    Some((before, next)) => (before.to_owned(), next.to_owned()),
                    None => (String::new(), value.clone()),
                };
                if let Some(key) = key.replace(next) {
                    assert!(fields.insert(key, before).is_none(), "twice in {line}");
                }
                value.clear();
            }
            c => value.push(c),
        }
    }
    fields.insert(key.unwrap(), value);
    (header, fields)
}

fn shown(text: &str) -> String {
    text.chars().map(|c| if is_unsafe(c) && c != '\n' && c != '\r' { ' ' } else { c }).collect()
}
