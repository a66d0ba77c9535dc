//! What a receiver is told to check of a request, done as the document says it.

use std::io::Write as _;
use std::process::{Command, Stdio};

use auditrelay_testkit::builders::some;
use auditrelay_testkit::siem::Siem;
use auditrelay_testkit::stack::Stack;
use serde_json::{Value, json};

const README: &str = include_str!("../../services/webhook-sender/README.md");

/// Asks the document's function about each case.
const ASK: &str = r#"
import json, sys
for case in json.load(sys.stdin):
    body = gzip.compress(case["body"].encode()) if case["packed"] else case["body"].encode()
    print(is_genuine(case["headers"], body, case["jwks"], now=lambda: case["now"]))
"#;

fn answers(cases: &Value) -> Option<Vec<String>> {
    let (_, code) = README.split_once("```python\n").unwrap();
    let (code, _) = code.split_once("```").unwrap();
    let mut python = Command::new("python3");
    python.arg("-c").arg(format!("{code}{ASK}"));
    python.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut python = python.spawn().ok()?;
    python.stdin.take().unwrap().write_all(cases.to_string().as_bytes()).unwrap();
    let output = python.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if said.contains("No module named 'cryptography'") {
        return None;
    }
    assert!(output.status.success(), "{said}");
    let answered = String::from_utf8(output.stdout).unwrap();
    Some(answered.lines().map(ToOwned::to_owned).collect())
}

#[tokio::test]
async fn the_documents_check_takes_what_is_sent_and_refuses_what_is_old_or_changed() {
    let stack = Stack::start().await;
    let (org, siem) = (stack.org().await, Siem::start().await);
    org.deliver_to(&siem, "json").await;
    siem.wait_for_live(&org.send(&some(3)).await).await;
    let delivery = siem.taken().pop().unwrap();
    let jwks = org.get("/v3/audit-log-webhook/jwks.json").await.must(200).body;
    let at = delivery.header("webhook-timestamp");
    let now: i64 = at.parse().unwrap();
    let signed = ["webhook-id", "webhook-timestamp", "webhook-signature"];
    let headers: Value = signed.map(|name| (name, delivery.header(name))).into_iter().collect();
    let genuine = json!({ "headers": headers, "body": delivery.body, "packed": true,
        "jwks": jwks, "now": now });
    let with = |pointer: &str, value: Value| {
        let mut case = genuine.clone();
        *case.pointer_mut(pointer).unwrap() = value;
        case
    };
    let mut fresh = with("/now", json!(now + 3_600));
    fresh["headers"]["webhook-timestamp"] = json!((now + 3_600).to_string());
    let mut bare = genuine.clone();
    bare["headers"].as_object_mut().unwrap().remove("webhook-signature");
    let mut other = genuine.clone();
    other["jwks"]["keys"][0]["x"] = json!("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
    let cases = [
        ("as it came", genuine.clone(), true),
        ("five minutes later", with("/now", json!(now + 300)), true),
        ("somewhat later", with("/now", json!(now + 301)), false),
        ("from the future", with("/now", json!(now - 301)), false),
        ("old, with a new time on it", fresh, false),
        ("another body", with("/body", json!(delivery.body.replace("GET", "PUT") + " ")), false),
        ("another id", with("/headers/webhook-id", json!("msg_x")), false),
        ("no time", with("/headers/webhook-timestamp", json!("")), false),
        ("no signature", bare, false),
        ("a signature of nothing", with("/headers/webhook-signature", json!("v1a,")), false),
        ("not packed", with("/packed", json!(false)), false),
        ("another key", other, false),
    ];
    let asked: Vec<_> = cases.iter().map(|(_, case, _)| case).collect();
    let Some(answered) = answers(&json!(asked)) else {
        println!("skipped: python3 with the package cryptography is not installed");
        return;
    };
    assert_eq!(answered.len(), cases.len());
    for ((name, _, wanted), answer) in cases.iter().zip(&answered) {
        assert_eq!(answer == "True", *wanted, "{name}: {answer}");
    }
}
