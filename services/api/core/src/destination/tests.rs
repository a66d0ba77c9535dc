use auditrelay_model::id::DestinationId;
use auditrelay_model::scope::Scope;
use uuid::Uuid;

use super::draft::FORMATS;
use super::*;
use crate::address::AddressRules;
use crate::body::Given;
use crate::command::Action;
use crate::command::fixture::{ORG, Org};
use crate::fault::Fault;
use crate::webhook::WebhookPatch;

fn sealed(byte: u8) -> SealedSecret {
    SealedSecret { key_id: "k".to_owned(), nonce: vec![0; 12], ciphertext: vec![byte] }
}

fn id(number: u128) -> DestinationId {
    DestinationId::from_uuid(Uuid::from_u128(number))
}

fn body(name: &str) -> String {
    format!(
        r#"{{"name":"{name}","endpoint":"https://example.com/x","authorization":"Bearer t",
            "log_format":"json","skip_ssl_verification":true,"id":"ignored"}}"#
    )
}

fn parse(body: &str) -> Result<Draft, Vec<Fault>> {
    Draft::parse(body.as_bytes(), &AddressRules::default())
}

fn new(number: u128, name: &str) -> Action {
    let draft = parse(&body(name)).unwrap();
    Action::CreateDestination(draft.sealed(id(number), sealed(1)))
}

fn patch(body: &str) -> Result<DestinationPatch, Vec<Fault>> {
    PatchDraft::parse(body.as_bytes(), &AddressRules::default()).map(|draft| {
        let secret = draft.authorization().map(|_| sealed(2));
        draft.sealed(secret, false)
    })
}

#[test]
fn a_destination_needs_a_name_an_endpoint_and_an_authorization() {
    let required = |field| Fault::body(field, Wrong::Required);
    let all = vec![required("name"), required("endpoint"), required("authorization")];
    assert_eq!(parse("{}").unwrap_err(), all);
    let nulls = r#"{"name":null,"endpoint":null,"authorization":null}"#;
    assert_eq!(parse(nulls).unwrap_err(), all);
    assert_eq!(parse(r#"{"endpont":"x"}"#).unwrap_err(), all, "unknown properties are ignored");
}

#[test]
fn format_and_certificate_check_have_defaults() {
    for extra in ["", r#","log_format":null,"skip_ssl_verification":null"#] {
        let body = format!(
            r#"{{"name":" a ","endpoint":"https://a.example","authorization":"t"{extra}}}"#
        );
        let made = parse(&body).unwrap().sealed(id(1), sealed(1));
        assert_eq!((made.log_format, made.tls), (LogFormat::Cef, TlsPolicy::Verify));
        assert_eq!(made.name, " a ", "kept as it was sent");
    }
}

#[test]
fn each_bad_value_has_its_answer() {
    let long_name = format!("\"{}\"", "x".repeat(256));
    let long_value = format!("\"{}\"", "x".repeat(8193));
    assert_eq!(authorization_fault(&long_value[2..8194]), None);
    for (field, value, wrong) in [
        ("name", "\"\"", Wrong::Blank),
        ("name", "\"  \"", Wrong::Blank),
        ("name", "5", Wrong::Type("string")),
        ("name", long_name.as_str(), Wrong::MaxLength(255)),
        ("endpoint", "\"\"", Wrong::Blank),
        ("endpoint", "\"example.com\"", Wrong::Url),
        ("endpoint", "\"https://127.0.0.1/\"", Wrong::PrivateAddress),
        ("authorization", "\"\"", Wrong::Blank),
        ("authorization", "\"Bearer x\\r\\nX-Evil: 1\"", Wrong::Header),
        ("authorization", "\" x\"", Wrong::Header),
        ("authorization", "\"x\\t\"", Wrong::Header),
        ("authorization", "\"Bearer é\"", Wrong::Header),
        ("authorization", long_value.as_str(), Wrong::MaxLength(8192)),
        ("authorization", "{}", Wrong::Type("string")),
        ("log_format", "\"CEF\"", Wrong::Choices(FORMATS)),
        ("log_format", "5", Wrong::Choices(FORMATS)),
        ("skip_ssl_verification", "\"false\"", Wrong::Type("boolean")),
        ("skip_ssl_verification", "0", Wrong::Type("boolean")),
    ] {
        let mut object: serde_json::Map<_, _> = serde_json::from_str(&body("a")).unwrap();
        object.insert(field.to_owned(), serde_json::from_str(value).unwrap());
        let text = serde_json::to_string(&object).unwrap();
        let expected = vec![Fault::body(field, wrong)];
        assert_eq!(parse(&text).unwrap_err(), expected, "create {value}");
        assert_eq!(patch(&text).unwrap_err(), expected, "patch {value}");
    }
}

#[test]
fn names_are_unique() {
    let mut org = Org::new();
    assert_eq!(org.run(new(1, "a")), Ok(1));
    assert_eq!(org.run(new(1, "a")), Ok(0), "the same command decided again");
    let taken = Denial::fault("name", Wrong::Invalid("is already the name of another destination"));
    assert_eq!(org.run(new(2, "a")), Err(taken.clone()));
    assert_eq!(org.run(new(2, "b")), Ok(1));
    let rename = patch(r#"{"name":"a"}"#).unwrap();
    assert_eq!(org.run(Action::UpdateDestination(id(2), rename.clone())), Err(taken));
    assert_eq!(org.run(Action::UpdateDestination(id(1), rename)), Ok(0));
}

#[test]
fn a_patch_changes_what_it_names_and_nothing_else() {
    let mut org = Org::new();
    org.run(new(1, "a")).unwrap();
    let made = org.config.destinations[&id(1)].clone();
    let nulls = r#"{"authorization":null,"endpoint":null,"log_format":"json","name":"n2"}"#;
    org.run(Action::UpdateDestination(id(1), patch(nulls).unwrap())).unwrap();
    let renamed = org.config.destinations[&id(1)].clone();
    assert_eq!(renamed.name, "n2");
    assert!(renamed.updated_at > made.updated_at);
    assert_eq!(
        Destination { name: made.name.clone(), updated_at: made.updated_at, ..renamed },
        made
    );
    for same in ["{}", r#"{"name":"n2","endpoint":"https://example.com/x"}"#] {
        assert_eq!(
            org.run(Action::UpdateDestination(id(1), patch(same).unwrap())),
            Ok(0),
            "{same}"
        );
    }
    let secret = patch(r#"{"authorization":"Bearer u"}"#).unwrap();
    assert_eq!(org.run(Action::UpdateDestination(id(1), secret)), Ok(1));
    assert_eq!(org.config.destinations[&id(1)].authorization, sealed(2));
    let gone = org.run(Action::UpdateDestination(id(9), DestinationPatch::default()));
    assert_eq!(gone, Err(Denial::NotFound));
}

fn strict(body: &str) -> DestinationPatch {
    let draft = PatchDraft::parse(body.as_bytes(), &AddressRules::default()).unwrap();
    draft.sealed(None, true)
}

#[test]
fn a_stored_authorization_may_be_kept_from_another_host() {
    let mut org = Org::new();
    org.run(new(1, "a")).unwrap();
    let moved = patch(r#"{"endpoint":"https://other.example/"}"#).unwrap();
    let strict = strict(r#"{"endpoint":"https://other.example/"}"#);
    let refused = Err(Denial::fault("authorization", SEND_AGAIN));
    assert_eq!(org.run(Action::UpdateDestination(id(1), strict)), refused);
    let same_host = self::strict(r#"{"endpoint":"https://example.com:443/other"}"#);
    assert_eq!(org.run(Action::UpdateDestination(id(1), same_host)), Ok(1));
    assert_eq!(org.run(Action::UpdateDestination(id(1), moved)), Ok(1));
}

#[test]
fn a_destination_in_use_stays() {
    let mut org = Org::new();
    org.run(new(1, "a")).unwrap();
    let scope = Scope::Organization(ORG);
    let bind = WebhookPatch { destination: Given::Value(id(1)), enabled: Some(false) };
    org.run(Action::PatchWebhook(scope, bind)).unwrap();
    let in_use = Err(Denial::Conflict("Destination is in use by a webhook"));
    assert_eq!(org.run(Action::DeleteDestination(id(1))), in_use);
    org.run(Action::RemoveWebhook(scope)).unwrap();
    assert_eq!(org.run(Action::DeleteDestination(id(1))), Ok(1));
    assert_eq!(org.run(Action::DeleteDestination(id(1))), Err(Denial::NotFound));
}

#[test]
fn an_organization_holds_a_bounded_number_of_destinations() {
    let mut org = Org::new();
    for number in 1..=1000 {
        org.run(new(number, &number.to_string())).unwrap();
    }
    let full = Err(Denial::fault("body", Wrong::MaxItems(1000)));
    assert_eq!(org.run(new(1001, "one more")), full);
}
