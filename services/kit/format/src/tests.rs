//! Golden lines, the documentation's samples, and hostile texts.

mod reading;

use std::collections::BTreeMap;
use std::path::Path;
use std::{env, fs};

use auditrelay_model::Timestamp;
use auditrelay_model::event::AuthenticationType;
use auditrelay_model::id::{EventId, OrgId, PortalId};
use auditrelay_model::text::is_unsafe;
use proptest::prelude::*;

use super::*;
use reading::parse_cef;

const ORG: &str = "998db3e4-5cb7-4dd5-b51c-9878096a6999";
const PORTAL: &str = "3e551b39-227d-4297-b911-e68fd5d77c17";
const EVENT: &str = "01890a5d-ac96-774b-bcce-b302099a8057";
const SIGNATURE: &str =
    "KbLaBhQFnggT_8CyC95b777R1_fGvvLVDn7awjZK8eZLdGPrSvnS-sxJw63j930eKr-VTsQv8-TQTD_GVmAPAQ";

/// Line for line in `golden/*.txt`; `UPDATE=1` writes them anew.
#[test]
fn lines_are_as_committed() {
    for format in LogFormat::ALL {
        let mut text = String::new();
        for (number, (scope, event)) in (1..).zip(samples()) {
            let place = Place { epoch: 1, number };
            let line = render_placed(&event, scope, place, *format, &Vendor::default());
            text.push_str(&seal_line(line, *format, SIGNATURE));
            text.push('\n');
        }
        let path =
            Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("src/golden/{}.txt", format.name()));
        if env::var_os("UPDATE").is_some() {
            fs::write(&path, &text).unwrap();
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), text, "{}", format.name());
    }
}

/// The collect-audit-logs how-to's line; only the time at its head is the one that its `rt` says.
#[test]
fn the_how_to_sample_comes_out_byte_for_byte() {
    let sample = "2025-06-18T21:01:06Z konghq.com CEF:0|KongInc|Konnect|1.0|konnect|\
        Authz.control-planes|1|rt=1750280466889 src=127.0.0.6 action=list granted=true \
        org_id=777db3e4-5cb7-4dd5-b51c-9878096a6999 \
        principal_id=eb999f01-5976-4f4b-9fbc-dd5d514bd675 trace_id=3959872677347089807 \
        user_agent=grpc-node-js/1.12.4";
    let event = AuditEvent {
        ts: Timestamp::from_nanos(1_750_280_466_889_000_000),
        client_ip: Some("127.0.0.6".parse().unwrap()),
        principal_id: "eb999f01-5976-4f4b-9fbc-dd5d514bd675".to_owned(),
        trace_id: "3959872677347089807".to_owned(),
        user_agent: "grpc-node-js/1.12.4".to_owned(),
        ..event(authorization("konnect", "control-planes", "list", true))
    };
    let scope = Scope::Organization("777db3e4-5cb7-4dd5-b51c-9878096a6999".parse().unwrap());
    let line = render(&event, scope, LogFormat::Cef, &Vendor::default());
    assert_eq!(line, format!("{sample} externalId={EVENT}"));
    assert_eq!(
        seal_line(line, LogFormat::Cef, SIGNATURE),
        format!("{sample} externalId={EVENT} sig={SIGNATURE}")
    );
}

#[test]
fn the_portal_sample_comes_out_byte_for_byte() {
    let (scope, event) = portal_login();
    assert_eq!(
        render(&event, scope, LogFormat::Cef, &Vendor::default()),
        format!(
            "2025-06-23T14:28:47Z konghq.com CEF:0|KongInc|Dev-Portal|1.0|\
             AUTHENTICATION_TYPE_BASIC|AUTHENTICATION_OUTCOME_SUCCESS|0|rt=1750688927556 \
             src=172.71.232.22 request=/api/v2/developer/authenticate success=true org_id={ORG} \
             portal_id={PORTAL} principal_id=a3d2699a-0ed3-4417-bb10-d8e74a1513a4 \
             trace_id=3360194145499877252 user_agent= externalId={EVENT}"
        )
    );
}

#[test]
fn the_signature_can_be_taken_out_again() {
    for (scope, event) in samples() {
        let line = |format| render(&event, scope, format, &Vendor::default());
        let sealed = |format| seal_line(line(format), format, SIGNATURE);
        let part = format!(r#","sig":"{SIGNATURE}""#);
        assert_eq!(sealed(LogFormat::Json).replace(&part, ""), line(LogFormat::Json));
        assert_eq!(sealed(LogFormat::Cps).replace(&part, ""), line(LogFormat::Cps));
        let part = format!(" sig={SIGNATURE}");
        assert_eq!(sealed(LogFormat::Cef).replace(&part, ""), line(LogFormat::Cef));
    }
}

#[test]
fn severities_are_as_documented() {
    let of = |status_code| {
        severity(&Detail::Access(Access {
            method: String::new(),
            status_code,
            query: String::new(),
        }))
    };
    assert_eq!([200, 404, 401, 403, 500, 503].map(of), [1, 1, 6, 6, 10, 10]);
    let of = |outcome| severity(&authentication(AuthenticationType::Basic, outcome));
    let all: Vec<u8> = AuthenticationOutcome::ALL.iter().map(|outcome| of(*outcome)).collect();
    assert_eq!(all, [0, 1, 1, 1, 6, 6, 7]);
    assert_eq!(severity(&authorization("", "", "", false)), 6);
}

#[test]
fn a_vendor_is_printable() {
    assert_eq!(
        Vendor::parse("ExampleOrg").map(|vendor| vendor.name().to_owned()),
        Ok("ExampleOrg".to_owned())
    );
    for bad in ["", " ", "a\nb", "ä", &"x".repeat(64)] {
        assert_eq!(Vendor::parse(bad), Err(NotAVendor), "{bad:?}");
        assert_eq!(bad.parse::<Vendor>(), Err(NotAVendor), "{bad:?}");
    }
    let longest = "x".repeat(Vendor::LEN_MAX);
    assert_eq!(longest.parse::<Vendor>().as_ref().map(Vendor::name), Ok(longest.as_str()));
    let vendor = Vendor::parse(r#"a|b\"c"#).unwrap();
    let (scope, event) = portal_login();
    assert!(render(&event, scope, LogFormat::Cef, &vendor).contains(r#"CEF:0|a\|b\\"c|Dev-"#));
    assert!(render(&event, scope, LogFormat::Json, &vendor).contains(r#"r":"a|b\\\"c","#));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn one_event_is_one_line_without_control_characters(event in any_event()) {
        for format in LogFormat::ALL {
            for scope in [org(), portal()] {
                let line = render(&event, scope, *format, &Vendor::default());
                prop_assert!(!line.chars().any(is_unsafe), "{line:?}");
            }
        }
    }

    #[test]
    fn a_place_is_said_where_its_keys_belong(
        event in any_event(),
        (epoch, number) in any::<(u64, u64)>(),
    ) {
        let place = Place { epoch, number };
        let placed = |format| render_placed(&event, org(), place, format, &Vendor::default());
        let object: BTreeMap<String, serde_json::Value> =
            serde_json::from_str(&placed(LogFormat::Json)).unwrap();
        prop_assert_eq!(object["event_epoch"].as_u64(), Some(epoch));
        prop_assert_eq!(object["event_number"].as_u64(), Some(number));
        let cef = placed(LogFormat::Cef);
        prop_assert_eq!(&parse_cef(&cef).1["event_number"], &number.to_string());
        let plain = |format| render(&event, org(), format, &Vendor::default());
        let without = placed(LogFormat::Json)
            .replacen(&format!(r#","event_epoch":{epoch}"#), "", 1)
            .replacen(&format!(r#","event_number":{number}"#), "", 1);
        prop_assert_eq!(without, plain(LogFormat::Json));
        let tail = format!(" event_epoch={epoch} event_number={number}");
        prop_assert_eq!(cef, plain(LogFormat::Cef) + &tail);
    }

    #[test]
    fn json_says_what_the_event_says_in_sorted_keys(event in any_event()) {
        let line = render(&event, org(), LogFormat::Json, &Vendor::default());
        let object: BTreeMap<String, serde_json::Value> = serde_json::from_str(&line).unwrap();
        prop_assert_eq!(object["user_agent"].as_str(), Some(&*event.user_agent));
        prop_assert_eq!(object["principal_id"].as_str(), Some(&*event.principal_id));
        prop_assert_eq!(object["rt"].as_i64(), Some(event.ts.millis()));
        let at = |key: &String| line.find(&format!("\"{key}\":")).unwrap();
        let keys: Vec<usize> = object.keys().map(at).collect();
        prop_assert!(keys.is_sorted() || contains_keys(&event), "{line}");
        let cps = render(&event, org(), LogFormat::Cps, &Vendor::default());
        prop_assert_eq!(cps, format!("{{\"event\":{line}}}"));
    }
}

/// A value that looks like a key would be found before the real one.
fn contains_keys(event: &AuditEvent) -> bool {
    format!("{event:?}").contains("\\\":")
}

prop_compose! {
    fn any_event()(
        texts in prop::array::uniform9(hostile()),
        nanos in any::<i64>(),
        flags in any::<[bool; 3]>(),
        status_code in any::<u16>(),
        kind in 0..3,
        ip in any::<Option<std::net::IpAddr>>(),
    ) -> AuditEvent {
        let [principal_id, principal_name, actor_id, uri, user_agent, trace_id, a, b, c] = texts;
        let detail = match kind {
            0 => authentication(AuthenticationType::Sso, AuthenticationOutcome::Locked),
            1 => authorization(&a, &b, &c, flags[0]),
            _ => Detail::Access(Access { method: a, status_code, query: b }),
        };
        AuditEvent {
            ts: Timestamp::from_nanos(nanos),
            principal_id, principal_name, actor_id, uri, user_agent, trace_id,
            platform_initiated: flags[1],
            client_ip: ip,
            ..event(detail)
        }
    }
}

fn hostile() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[ -~]{0,30}",
        "[|=\\\\ \n\r\t\0\u{7f}\u{85}\u{2028}\u{202e}\"{}:a]{0,20}",
        Just(" sig=AAAA externalId=x".to_owned()),
        Just(",\"sig\":\"AAAA\"}".to_owned()),
        Just(String::new()),
    ]
}

fn samples() -> Vec<(Scope, AuditEvent)> {
    let hostile = "a|b=c\\d\ne\r\"f\"\0g\th\u{2028}i\u{202e}j sig=AAAA";
    vec![
        portal_login(),
        (
            org(),
            event(authentication(AuthenticationType::Pat, AuthenticationOutcome::InvalidPassword)),
        ),
        (
            org(),
            AuditEvent {
                actor_id: PORTAL.to_owned(),
                principal_id: ORG.to_owned(),
                principal_name: "Ada Lovelace".to_owned(),
                platform_initiated: true,
                client_ip: Some("2001:db8::1".parse().unwrap()),
                trace_id: "4bf92f3577b34da6a3ce929d0e0e4736".to_owned(),
                user_agent: "grpc-node/1.24.11 grpc-c/8.0.0 (linux; chttp2; ganges)".to_owned(),
                ..event(authorization("identity", "control-planes/*", "retrieve", false))
            },
        ),
        (
            org(),
            AuditEvent {
                uri: "/konnect-api/api/vitals/v1/explore".to_owned(),
                principal_id: "87655c36-8d63-48fe-9a1e-53b28dfbc19b".to_owned(),
                client_ip: Some("127.0.0.6".parse().unwrap()),
                trace_id: "1146381705542353508".to_owned(),
                user_agent: "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)".to_owned(),
                ..event(Detail::Access(Access {
                    method: "POST".to_owned(),
                    status_code: 200,
                    query: r#"{"end":"1684270800","start":"1684098000"}"#.to_owned(),
                }))
            },
        ),
        (
            org(),
            AuditEvent {
                uri: "/v3/users?a=b&c=d".to_owned(),
                user_agent: hostile.to_owned(),
                ..event(authorization(hostile, hostile, hostile, true))
            },
        ),
    ]
}

fn portal_login() -> (Scope, AuditEvent) {
    let event = AuditEvent {
        ts: Timestamp::from_nanos(1_750_688_927_556_000_000),
        client_ip: Some("172.71.232.22".parse().unwrap()),
        uri: "/api/v2/developer/authenticate".to_owned(),
        principal_id: "a3d2699a-0ed3-4417-bb10-d8e74a1513a4".to_owned(),
        trace_id: "3360194145499877252".to_owned(),
        ..event(authentication(AuthenticationType::Basic, AuthenticationOutcome::Success))
    };
    (portal(), event)
}

fn event(detail: Detail) -> AuditEvent {
    AuditEvent::new(
        EVENT.parse::<EventId>().unwrap(),
        Timestamp::from_nanos(1_750_280_556_123_456_789),
        detail,
    )
}

fn authentication(method: AuthenticationType, outcome: AuthenticationOutcome) -> Detail {
    let success = outcome == AuthenticationOutcome::Success;
    Detail::Authentication(Authentication { method, outcome, success })
}

fn authorization(service: &str, resource: &str, action: &str, granted: bool) -> Detail {
    Detail::Authorization(Authorization {
        service: service.to_owned(),
        resource: resource.to_owned(),
        action: action.to_owned(),
        granted,
    })
}

fn org() -> Scope {
    Scope::Organization(ORG.parse::<OrgId>().unwrap())
}

fn portal() -> Scope {
    Scope::Portal(ORG.parse::<OrgId>().unwrap(), PORTAL.parse::<PortalId>().unwrap())
}
