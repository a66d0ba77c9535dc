use uuid::Uuid;

use super::*;
use crate::command::Action;
use crate::command::fixture::Org;
use crate::fault::Fault;
use crate::filter::Operator;
use crate::query::Query;

fn id(number: u128) -> PortalId {
    PortalId::from_uuid(Uuid::from_u128(number))
}

fn create(org: &mut Org, number: u128, body: &str) -> Result<usize, Denial> {
    let draft = Draft::parse(body.as_bytes()).map_err(Denial::Invalid)?;
    org.run(Action::CreatePortal(draft.portal(id(number))))
}

fn update(org: &mut Org, number: u128, body: &str) -> Result<usize, Denial> {
    let patch = PortalPatch::parse(body.as_bytes()).map_err(Denial::Invalid)?;
    org.run(Action::UpdatePortal(id(number), patch))
}

fn shown(org: &Org, number: u128) -> Value {
    Value::Object(view(&org.config.portals[&id(number)]))
}

#[test]
fn a_portal_shows_every_key() {
    let mut org = Org::new();
    create(&mut org, 0xabc, r#"{"name":"n","description":null,"labels":null,"x":1}"#).unwrap();
    let domain = "000000000abc.portals.auditrelay.internal";
    let expected = json!({
        "id": "00000000-0000-0000-0000-000000000abc", "name": "n", "display_name": "n",
        "description": null, "created_at": "1970-01-01T00:00:01Z",
        "updated_at": "1970-01-01T00:00:01Z", "authentication_enabled": true,
        "rbac_enabled": false, "sipr_enabled": false, "default_api_visibility": "private",
        "default_page_visibility": "private", "default_application_auth_strategy_id": null,
        "auto_approve_developers": false, "auto_approve_applications": false,
        "default_domain": domain, "canonical_domain": domain, "labels": {},
        "notifications_developer_pii_visibility_enabled": false,
    });
    assert_eq!(shown(&org, 0xabc), expected);
}

#[test]
fn what_kongctl_sends_is_read_back() {
    let mut org = Org::new();
    let body = json!({"authentication_enabled": false, "auto_approve_applications": false,
        "auto_approve_developers": false, "display_name": "D", "name": "n",
        "labels": {"KONGCTL-namespace": "default", "KONGCTL-protected": "false"},
        "notifications_developer_pii_visibility_enabled": false, "rbac_enabled": false,
        "sipr_enabled": false, "default_api_visibility": "public"});
    create(&mut org, 1, &body.to_string()).unwrap();
    let shown = shown(&org, 1);
    for (key, value) in body.as_object().unwrap() {
        assert_eq!(&shown[key], value, "{key}");
    }
}

#[test]
fn a_patch_merges_labels_and_clears_texts() {
    let mut org = Org::new();
    create(&mut org, 1, r#"{"name":"n","description":"d","labels":{"a":"1","b":"2"}}"#).unwrap();
    assert_eq!(update(&mut org, 1, r#"{"labels":{"a":null,"c":"3"}}"#), Ok(1));
    assert_eq!(shown(&org, 1)["labels"], json!({"b": "2", "c": "3"}));
    assert_eq!(shown(&org, 1)["description"], json!("d"));
    assert_eq!(update(&mut org, 1, r#"{"description":null,"rbac_enabled":null}"#), Ok(1));
    assert_eq!(shown(&org, 1)["description"], Value::Null);
    assert_eq!(update(&mut org, 1, r#"{"name":"n","labels":{"b":"2"}}"#), Ok(0));
    assert_eq!(update(&mut org, 1, r#"{"display_name":"D"}"#), Ok(1));
    assert_eq!(update(&mut org, 1, r#"{"rbac_enabled":true}"#), Ok(1));
    assert_eq!(
        (&shown(&org, 1)["name"], &shown(&org, 1)["display_name"]),
        (&json!("n"), &json!("D"))
    );
    assert_eq!(update(&mut org, 2, "{}"), Err(Denial::NotFound));
}

#[test]
fn names_are_unique_and_have_a_length() {
    let mut org = Org::new();
    create(&mut org, 1, r#"{"name":"n"}"#).unwrap();
    let taken = Denial::fault("name", Wrong::Invalid("is already the name of another portal"));
    assert_eq!(create(&mut org, 2, r#"{"name":"n"}"#), Err(taken));
    create(&mut org, 2, r#"{"name":"m"}"#).unwrap();
    let conflict = Denial::Conflict("A portal with this name already exists");
    assert_eq!(update(&mut org, 2, r#"{"name":"n"}"#), Err(conflict));
    let long = format!(r#"{{"name":"{}"}}"#, "x".repeat(256));
    assert_eq!(create(&mut org, 3, &long), Err(Denial::fault("name", Wrong::MaxLength(255))));
    assert_eq!(create(&mut org, 3, "{}"), Err(Denial::fault("name", Wrong::Required)));
}

#[test]
fn labels_have_a_form() {
    let label = || Err(Denial::Invalid(vec![Fault::body("labels", Wrong::Label)]));
    let mut org = Org::new();
    for labels in [
        r#"{"kong-x":"1"}"#,
        r#"{"_x":"1"}"#,
        r#"{"a b":"1"}"#,
        r#"{"a":""}"#,
        r#"{"a":"x-"}"#,
        r#"{"a":"-x"}"#,
        r#"{"a":"x y"}"#,
        r#"{"a":5}"#,
        r#"{"":"1"}"#,
    ] {
        let body = format!(r#"{{"name":"n","labels":{labels}}}"#);
        assert_eq!(create(&mut org, 1, &body), label(), "{labels}");
    }
    let many: Vec<String> = (0..51).map(|n| format!(r#""k{n}":"v""#)).collect();
    let body = format!(r#"{{"name":"n","labels":{{{}}}}}"#, many.join(","));
    let too_many = Err(Denial::fault("labels", Wrong::MaxItems(50)));
    assert_eq!(create(&mut org, 1, &body), too_many);
    let most = format!(r#"{{"name":"n","labels":{{{}}}}}"#, many[..50].join(","));
    assert_eq!(create(&mut org, 1, &most), Ok(1));
    assert_eq!(update(&mut org, 1, r#"{"labels":{"k0":"w"}}"#), Ok(1), "still 50");
    assert_eq!(update(&mut org, 1, r#"{"labels":{"one_more":"v"}}"#), too_many);
}

#[test]
fn lists_are_filtered() {
    let mut org = Org::new();
    create(&mut org, 1, r#"{"name":"beta"}"#).unwrap();
    create(&mut org, 2, r#"{"name":"alpha","rbac_enabled":true}"#).unwrap();
    let names = |raw: &str| -> Vec<String> {
        let filter = Filter::parse(&Query::parse(Some(raw)), FILTER_FIELDS, Operator::ALL).unwrap();
        let views = list(&org.config, &filter, Query::parse(Some(raw)).get("sort"));
        views.iter().map(|view| view["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(""), ["beta", "alpha"]);
    assert_eq!(names("filter[name][eq]=beta"), ["beta"]);
    assert_eq!(names("filter[name][contains]=lph"), ["alpha"]);
    assert_eq!(names(&format!("filter[id][eq]={}", id(1))), ["beta"]);
    assert_eq!(names("filter[rbac_enabled]=true"), ["alpha"]);
    assert_eq!(names("sort=name"), ["alpha", "beta"]);
    assert_eq!(names("sort=name desc"), ["beta", "alpha"]);
    assert_eq!(names("sort=-created_at"), ["alpha", "beta"]);
    assert_eq!(names("filter[name][eq]=gamma"), [] as [&str; 0]);
}
