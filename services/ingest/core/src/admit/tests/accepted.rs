//! What is taken, and how it looks afterwards.

use super::*;

fn one(body: &str) -> Admitted {
    admit_all(body, &Media::Json).unwrap_or_else(|wrong| panic!("{body}: {wrong:?}")).remove(0)
}

#[test]
fn each_kind_of_event_is_taken() {
    let detail = Detail::Authorization(Authorization {
        service: "konnect".to_owned(),
        resource: "control-planes/*".to_owned(),
        action: "list".to_owned(),
        granted: true,
    });
    assert_eq!(one(&format!("{{{AUTHORIZATION}}}")).event.detail, detail);
    let detail = |success| {
        Detail::Authentication(Authentication {
            method: AuthenticationType::Basic,
            outcome: AuthenticationOutcome::Success,
            success,
        })
    };
    assert_eq!(one(&format!("{{{AUTHENTICATION}}}")).event.detail, detail(true));
    assert_eq!(one(&with(AUTHENTICATION, "\"successful\":false")).event.detail, detail(false));
    let access = one(&with(ACCESS, "\"query\":\"{}\"")).event;
    let detail = Detail::Access(Access {
        method: "GET".to_owned(),
        status_code: 200,
        query: "{}".to_owned(),
    });
    assert_eq!((access.detail, access.uri.as_str()), (detail, "/x"));
}

#[test]
fn common_properties_are_kept() {
    let admitted = one(&with(
        AUTHORIZATION,
        &format!(
            r#""id":"{PORTAL}","org_id":"{ORG}","portal_id":"{PORTAL}","principal_id":"p","principal_name":"n",
            "actor_id":"a","client_ip":"::ffff:1.2.3.4","uri":"/u","user_agent":"ua","trace_id":"t","kong_initiated":true"#
        ),
    ));
    let (org, portal) = (ORG.parse().unwrap(), PORTAL.parse().unwrap());
    assert_eq!(admitted.scope, Scope::Portal(org, portal));
    assert!(admitted.supplied_id && admitted.event.platform_initiated);
    assert_eq!(admitted.event.id.to_string(), PORTAL);
    assert_eq!(admitted.event.client_ip, Some("1.2.3.4".parse().unwrap()));
    let AuditEvent { principal_id, principal_name, actor_id, uri, user_agent, trace_id, .. } =
        admitted.event;
    assert_eq!(
        [&*principal_id, &principal_name, &actor_id, &uri, &user_agent, &trace_id],
        ["p", "n", "a", "/u", "ua", "t"]
    );
}

#[test]
fn an_event_without_an_id_is_given_one() {
    let admitted = one(&format!("{{{AUTHORIZATION}}}"));
    assert!(!admitted.supplied_id);
    assert_eq!(admitted.event.id, EventId::from_uuid(Uuid::from_u128(1)));
    assert_eq!(admitted.scope, Scope::Organization(ORG.parse().unwrap()));
}

#[test]
fn strange_but_lawful_texts_are_kept_as_they_are() {
    for text in [
        r"\u0000",
        r"\n",
        r"\r\n2026-01-01 CEF:0|",
        r"=|\\\\",
        r"\u001b[2J",
        r"\u2028",
        r"\u202e",
        r"\ud83d\ude00",
        "ä",
    ] {
        let admitted =
            one(&with(AUTHORIZATION, &format!("\"user_agent\":\"{text}\",\"uri\":\"{text}\"")));
        assert_eq!(admitted.event.uri, admitted.event.user_agent);
        assert!(!admitted.event.uri.is_empty(), "{text}");
    }
}

#[test]
fn every_spelling_of_a_time_is_taken() {
    let at = |text: &str| {
        one(&replaced(AUTHORIZATION, "ts", &format!("\"{text}\""))).event.ts.to_string()
    };
    for text in [
        "2025-06-18T21:02:36Z",
        "2025-06-18t21:02:36z",
        "2025-06-18 21:02:36-00:00",
        "2025-06-18T23:02:36+02:00",
    ] {
        assert_eq!(at(text), "2025-06-18T21:02:36Z");
    }
    assert_eq!(at("2025-06-18T21:02:36.1234567891Z"), "2025-06-18T21:02:36.123456789Z");
    assert_eq!(at("2025-06-18T21:07:36Z"), "2025-06-18T21:07:36Z");
    assert_eq!(at("2025-06-17T21:02:36Z"), "2025-06-17T21:02:36Z");
}

#[test]
fn the_first_and_the_last_status_are_taken() {
    for status in [100, 599] {
        let body = replaced(ACCESS, "status_code", &status.to_string());
        let Detail::Access(access) = one(&body).event.detail else { panic!("another kind") };
        assert_eq!(access.status_code, status);
    }
}

#[test]
fn length_is_counted_in_characters() {
    let text = "ä".repeat(256);
    assert_eq!(
        one(&with(AUTHORIZATION, &format!("\"principal_name\":\"{text}\""))).event.principal_name,
        text
    );
}

#[test]
fn a_full_request_is_taken_whole() {
    let body = format!("[{}]", vec![format!("{{{ACCESS}}}"); 1_000].join(","));
    assert_eq!(admit_all(&body, &Media::Json).unwrap().len(), 1_000);
    let too_many = format!("[{}]", vec![format!("{{{ACCESS}}}"); 1_001].join(","));
    assert_eq!(rejections(&too_many), [("body".to_owned(), RejectionKind::MaxItems(1_000))]);
}

/// An admitted event as a draft that names everything it has.
fn draft(event: &AuditEvent) -> String {
    let mut draft = serde_json::json!({
        "type": event.kind().name(), "id": event.id.to_string(), "ts": event.ts.to_string(),
        "principal_id": event.principal_id, "principal_name": event.principal_name,
        "actor_id": event.actor_id, "uri": event.uri, "user_agent": event.user_agent,
        "trace_id": event.trace_id, "kong_initiated": event.platform_initiated,
    });
    if let Some(address) = event.client_ip {
        draft["client_ip"] = address.to_string().into();
    }
    let detail = match &event.detail {
        Detail::Authentication(detail) => serde_json::json!({
            "authentication_type": detail.method.name(), "outcome": detail.outcome.name(),
            "successful": detail.success,
        }),
        Detail::Authorization(detail) => serde_json::json!({
            "service": detail.service, "resource": detail.resource, "action": detail.action,
            "granted": detail.granted,
        }),
        Detail::Access(detail) => serde_json::json!({
            "method": detail.method, "status_code": detail.status_code, "query": detail.query,
        }),
    };
    draft.as_object_mut().unwrap().extend(detail.as_object().unwrap().clone());
    draft.to_string()
}

fn details() -> impl Strategy<Value = Detail> {
    let text = || "\\PC{1,20}";
    prop_oneof![
        (0..AuthenticationType::ALL.len(), 0..AuthenticationOutcome::ALL.len(), any::<bool>())
            .prop_map(|(method, outcome, success)| {
                let method = AuthenticationType::ALL[method];
                let outcome = AuthenticationOutcome::ALL[outcome];
                Detail::Authentication(Authentication { method, outcome, success })
            }),
        (text(), text(), text(), any::<bool>()).prop_map(|(service, resource, action, granted)| {
            Detail::Authorization(Authorization { service, resource, action, granted })
        }),
        (text(), 100_u16..600, any::<String>()).prop_map(|(method, status_code, query)| {
            Detail::Access(Access { method, status_code, query })
        }),
    ]
}

proptest! {
    #[test]
    fn an_admitted_event_is_what_was_sent(
        texts in prop::array::uniform5(any::<String>()),
        (uri, id, client_ip, platform_initiated) in ("/\\PC{0,20}", any::<u128>(), any::<Option<std::net::Ipv6Addr>>(), any::<bool>()),
        late in 0_i64..86_000_000_000_000,
        detail in details(),
    ) {
        let now = Timestamp::parse_rfc3339("2025-06-18T21:02:36Z").unwrap();
        let [principal_id, principal_name, actor_id, user_agent, trace_id] = texts;
        let event = AuditEvent {
            id: EventId::from_uuid(Uuid::from_u128(id)),
            ts: Timestamp::from_nanos(now.nanos() - late),
            principal_id, principal_name, actor_id,
            client_ip: client_ip.map(|address| std::net::IpAddr::V6(address).to_canonical()),
            uri, user_agent, trace_id, platform_initiated,
            traceparent: String::new(),
            detail,
        };
        prop_assert_eq!(one(&draft(&event)).event, event);
    }
}
