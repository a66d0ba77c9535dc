//! A broker that cannot be used, and addresses that cannot be had: said where an operator looks.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use auditrelay_broker::find_or_provide;

use crate::fleet::get;
use crate::process::{self, Running};

const PATIENCE: Duration = Duration::from_mins(1);

/// A nats-server with other flags than ours ever has.
struct Foreign {
    child: Child,
    address: String,
    _store: tempfile::TempDir,
}

impl Foreign {
    async fn start(flags: &[&str]) -> Self {
        let (store, address) = (tempfile::tempdir().unwrap(), process::closed_address());
        let child = Command::new(find_or_provide().await.unwrap().path)
            .args(["--addr", "127.0.0.1", "--port", &address.port().to_string()])
            .args(["--store_dir", store.path().to_str().unwrap()])
            .args(flags)
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { child, address: address.to_string(), _store: store }
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until the service says that it is not ready, in these words.
async fn says(name: &str, mut command: Command, words: &str) {
    let admin = process::closed_address();
    command.env("AUDITRELAY_ADMIN_LISTEN", admin.to_string());
    let mut service = Running::start(command);
    let begun = Instant::now();
    loop {
        let seen = get(admin, "/ready", "*/*").await;
        match &seen {
            Some((503, said)) if said.contains(words) => break,
            _ => assert!(begun.elapsed() < PATIENCE, "{name}: {seen:?}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(service.is_running(), "{name}: it waits");
    let seen = get(admin, "/ready", "*/*").await.unwrap().1;
    assert!(!seen.contains("hunter2"), "{name}: {seen}");
    service.terminate();
    assert_eq!(service.wait(Duration::from_secs(10)), Some(0), "{name}");
}

#[tokio::test]
async fn a_broker_that_cannot_be_used_is_named_while_the_service_waits() {
    let bare = Foreign::start(&[]).await;
    let guarded = Foreign::start(&["--jetstream", "--user", "relay", "--pass", "right"]).await;
    let folder = tempfile::tempdir().unwrap();
    let kept = |name: &str, text: &str| {
        let file = folder.path().join(name);
        std::fs::write(&file, text).unwrap();
        file.display().to_string()
    };
    let garbage = kept("garbage.creds", "hunter2");
    let guarded_url = || format!("nats://{}", guarded.address);
    let rows = [
        ("no JetStream", format!("nats://{}", bare.address), "", "is JetStream enabled?"),
        (
            "a wrong password",
            format!("nats://relay:hunter2@{}", guarded.address),
            "",
            "authorization violation",
        ),
        ("no user", format!("nats://{}", guarded.address), "", "authorization violation"),
        (
            "no such credentials",
            format!("nats://{}", guarded.address),
            "/nowhere.creds",
            "/nowhere.creds cannot be read",
        ),
        (
            "credentials that are none",
            format!("nats://{}", guarded.address),
            &garbage,
            "garbage.creds cannot be read",
        ),
        ("empty credentials", guarded_url(), &kept("empty.creds", ""), "cannot be read"),
        ("no seed", guarded_url(), &kept("jwt.creds", JWT), "cannot be read"),
        ("no JWT", guarded_url(), &kept("seed.creds", &seed(USER)), "cannot be read"),
        (
            "a seed that is cut",
            guarded_url(),
            &kept("cut.creds", &[JWT, &seed(&USER[..40])].concat()),
            "Bad seed length",
        ),
        (
            "the seed of an account",
            guarded_url(),
            &kept("account.creds", &[JWT, &seed(ACCOUNT)].concat()),
            "authorization violation",
        ),
        // Nothing is wrong with the file: the broker does not know this user.
        (
            "blank lines at the end",
            guarded_url(),
            &kept("whole.creds", &[JWT, &seed(USER), "\r\n\n"].concat()),
            "authorization violation",
        ),
    ];
    for (name, url, credentials, words) in rows {
        let mut command = process::command(&["retention"]);
        command.env("AUDITRELAY_NATS_URL", url);
        if !credentials.is_empty() {
            command.env("AUDITRELAY_NATS_CREDENTIALS", credentials);
        }
        says(name, command, words).await;
    }
}

/// Names nobody.
const JWT: &str = "-----BEGIN NATS USER JWT-----\neyJ0eXAiOiJKV1QifQ.eyJzdWIiOiJ1In0.c2ln\n------END NATS USER JWT------\n\n";
/// Of the bytes 0 to 31.
const USER: &str = "SUAAAAICAMCAKBQHBAEQUCYMBUHA6EARCIJRIFIWC4MBSGQ3DQOR4H776Y";
const ACCOUNT: &str = "SAAAAAICAMCAKBQHBAEQUCYMBUHA6EARCIJRIFIWC4MBSGQ3DQOR4HYMHI";

fn seed(seed: &str) -> String {
    format!("-----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n")
}

/// A user that may look at streams and make none.
const LOOKER: &str = r#"
jetstream: enabled
authorization {
  users: [{
    user: relay, password: hunter2
    permissions {
      publish { allow: ["$JS.API.INFO", "$JS.API.STREAM.INFO.*"] }
      subscribe { allow: ["_INBOX.relay.>"] }
    }
  }]
}
"#;

#[tokio::test]
async fn a_broker_whose_messages_are_too_small_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("nats.conf");
    std::fs::write(&file, "jetstream: enabled\nmax_payload: 100KB\n").unwrap();
    let broker = Foreign::start(&["--config", file.to_str().unwrap()]).await;
    let mut command = process::command(&["retention"]);
    command.env("AUDITRELAY_NATS_URL", format!("nats://{}", broker.address));
    says("small messages", command, "at most 102400 bytes (max_payload)").await;
}

#[tokio::test]
async fn what_the_broker_does_not_allow_is_named_by_its_subject() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("nats.conf");
    std::fs::write(&file, LOOKER).unwrap();
    let broker = Foreign::start(&["--config", file.to_str().unwrap()]).await;
    let mut command = process::command(&["retention"]);
    command.env("AUDITRELAY_NATS_URL", format!("nats://relay:hunter2@{}", broker.address));
    says("no right to make streams", command, "$JS.API.STREAM.CREATE.").await;
}

#[tokio::test]
async fn an_address_that_cannot_be_had_is_named_and_ends_with_74() {
    let broker = Foreign::start(&["--jetstream"]).await;
    let twice = process::closed_address().to_string();
    let rows = [
        // Reserved for documentation (RFC 5737): no machine has it.
        ("not of this machine", "203.0.113.1:8081".to_owned(), "127.0.0.1:0".to_owned()),
        ("the admin port's", twice.clone(), twice),
    ];
    for (name, listen, admin) in rows {
        let output = process::command(&["ingest"])
            .env("AUDITRELAY_NATS_URL", format!("nats://{}", broker.address))
            .env("AUDITRELAY_ADMIN_LISTEN", admin)
            .env("AUDITRELAY_INGEST_LISTEN", &listen)
            .output()
            .unwrap();
        let said = process::stderr(&output);
        assert_eq!(process::code(&output), 74, "{name}: {said}");
        assert!(said.contains(&format!("cannot listen on {listen}")), "{name}: {said}");
    }
}
