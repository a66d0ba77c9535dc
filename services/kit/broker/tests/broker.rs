//! The broker with a real nats-server.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "the helpers of tests may fail as tests do"
)]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use auditrelay_broker::{Binary, Broker, BrokerError, BrokerOptions, Ended, find_or_provide};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

const PATIENCE: Duration = Duration::from_secs(15);

async fn binary() -> Binary {
    find_or_provide().await.unwrap()
}

fn store() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

/// What the server says of itself to whoever connects.
async fn info(broker: &Broker) -> String {
    let address = broker.url().replace("nats://", "");
    let mut stream = TcpStream::connect(address).await.unwrap();
    let mut bytes = [0; 4_096];
    let read = stream.read(&mut bytes).await.unwrap();
    String::from_utf8(bytes[..read].to_vec()).unwrap()
}

fn pid(pid: u32) -> Pid {
    Pid::from_raw(i32::try_from(pid).unwrap())
}

fn lives(process: u32) -> bool {
    kill(pid(process), None).is_ok()
}

async fn wait_until_dead(process: u32) {
    let dead = async {
        while lives(process) {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, dead).await.unwrap_or_else(|_| panic!("{process} still lives"));
}

fn parent_of(process: u32) -> u32 {
    let said = Command::new("ps").args(["-o", "ppid=", "-p", &process.to_string()]).output();
    String::from_utf8(said.unwrap().stdout).unwrap().trim().parse().unwrap()
}

#[tokio::test]
async fn a_broker_serves_jetstream_and_stops_cleanly_and_quickly() {
    let (binary, store) = (binary().await, store());
    let mut options = BrokerOptions::new(store.path());
    options.monitor = true;
    options.max_file_store = Some(1 << 30);
    let broker = Broker::start(&binary, options).await.unwrap();
    let (said, process) = (info(&broker).await, broker.pid());
    assert!(said.starts_with("INFO ") && said.contains("\"jetstream\":true"), "{said}");
    assert!(said.contains("\"max_payload\":1048576"), "{said}");
    assert!(broker.monitor_url().unwrap().starts_with("http://127.0.0.1:"));
    let supervisor = parent_of(process);
    assert_ne!(supervisor, std::process::id());

    let asked = Instant::now();
    assert_eq!(broker.stop().await, Ended::Clean);
    assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
    assert!(!lives(process) && !lives(supervisor));
}

#[tokio::test]
async fn a_killed_broker_starts_again_on_the_same_store_and_port() {
    let (binary, store) = (binary().await, store());
    let first = Broker::start(&binary, BrokerOptions::new(store.path())).await.unwrap();
    let (again, url, process) = (first.same_again(), first.url(), first.pid());
    first.kill().await;
    assert!(!lives(process));
    let second = Broker::start(&binary, again).await.unwrap();
    assert_eq!(second.url(), url);
    assert_ne!(second.pid(), process);
    assert!(info(&second).await.contains("\"jetstream\":true"));
    second.stop().await;
}

#[tokio::test]
async fn a_crash_of_the_server_is_noticed_and_it_can_be_started_again() {
    let (binary, store) = (binary().await, store());
    let first = Broker::start(&binary, BrokerOptions::new(store.path())).await.unwrap();
    kill(pid(first.pid()), Signal::SIGKILL).unwrap();
    timeout(PATIENCE, first.ended()).await.unwrap();
    let again = first.same_again();
    assert_eq!(first.stop().await, Ended::Clean);
    Broker::start(&binary, again).await.unwrap().stop().await;
}

#[tokio::test]
async fn two_brokers_never_share_a_store() {
    let (binary, store) = (binary().await, store());
    let first = Broker::start(&binary, BrokerOptions::new(store.path())).await.unwrap();
    let refused = Broker::start(&binary, BrokerOptions::new(store.path())).await.unwrap_err();
    assert!(matches!(refused, BrokerError::StoreInUse { .. }), "{refused}");
    assert!(info(&first).await.starts_with("INFO "));
    first.stop().await;
}

#[tokio::test]
async fn a_server_that_does_not_start_is_explained_by_its_own_words() {
    let (binary, store) = (binary().await, store());
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut options = BrokerOptions::new(store.path());
    options.port = Some(taken.local_addr().unwrap().port());
    let refused = Broker::start(&binary, options).await.unwrap_err().to_string();
    assert!(refused.contains("address already in use"), "{refused}");
}

#[tokio::test]
async fn a_dropped_broker_ends_its_server() {
    let (binary, store) = (binary().await, store());
    let broker = Broker::start(&binary, BrokerOptions::new(store.path())).await.unwrap();
    let process = broker.pid();
    drop(broker);
    wait_until_dead(process).await;
}

#[tokio::test]
async fn a_killed_supervisor_does_not_leave_the_server_behind() {
    let (binary, store) = (binary().await, store());
    for signal in [Signal::SIGKILL, Signal::SIGTERM] {
        let broker = Broker::start(&binary, BrokerOptions::new(store.path())).await.unwrap();
        let process = broker.pid();
        kill(pid(parent_of(process)), signal).unwrap();
        timeout(PATIENCE, broker.ended()).await.unwrap();
        wait_until_dead(process).await;
        broker.stop().await;
    }
}

#[tokio::test]
async fn a_killed_parent_leaves_nothing_behind_and_the_store_free() {
    let store = store();
    let (mut parent, server) = parent(store.path());
    let supervisor = parent_of(server);
    assert!(lives(server) && lives(supervisor));
    parent.kill().unwrap();
    parent.wait().unwrap();
    // At once: the start waits for the old server's end.
    let options = BrokerOptions::new(store.path());
    let next = Broker::start(&binary().await, options).await.unwrap();
    wait_until_dead(server).await;
    wait_until_dead(supervisor).await;
    next.stop().await;
}

#[tokio::test]
async fn an_interrupt_of_the_terminal_does_not_reach_the_server() {
    let store = store();
    let (mut parent, server) = parent(store.path());
    let group = |process| nix::unistd::getpgid(Some(pid(process))).unwrap();
    assert_ne!(group(server), group(parent.id()));
    parent.kill().unwrap();
    parent.wait().unwrap();
    wait_until_dead(server).await;
}

/// Another process with a broker, and the id of its server.
fn parent(store: &Path) -> (std::process::Child, u32) {
    let mut parent = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "be_a_parent", "--nocapture", "--test-threads=1"])
        .env("AUDITRELAY_TEST_STORE", store)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(parent.stdout.take().unwrap()).lines();
    let server = lines
        .map_while(Result::ok)
        .find_map(|line| line.split_once("server=")?.1.trim().parse().ok())
        .unwrap();
    (parent, server)
}

#[tokio::test]
#[ignore = "run by other tests as a process of its own"]
async fn be_a_parent() {
    let Some(store) = std::env::var_os("AUDITRELAY_TEST_STORE") else { return };
    let broker = Broker::start(&binary().await, BrokerOptions::new(store)).await.unwrap();
    println!("server={}", broker.pid());
    std::future::pending::<()>().await;
}
