//! Names that change their addresses.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use auditrelay_model::test_delivery::TestPhase;
use auditrelay_webhook_sender::resolver::{Lookup, Resolve};
use auditrelay_webhook_sender::transport::{Transport, TransportConfig};
use auditrelay_webhook_sender_core::outcome::{FailureKind, Outcome};

use super::receiver::Receiver;
use super::{EMPTY, answered, config, outgoing};

/// Answers each question for a name with the next of its answers; the last one stays.
#[derive(Debug, Default)]
struct Script(Mutex<HashMap<String, VecDeque<Option<Vec<SocketAddr>>>>>);

impl Script {
    fn says(self, host: &str, answers: &[Option<&[SocketAddr]>]) -> Arc<Self> {
        let answers = answers.iter().map(|found| found.map(<[_]>::to_vec)).collect();
        self.0.lock().unwrap().insert(host.to_owned(), answers);
        Arc::new(self)
    }
}

impl Resolve for Script {
    fn resolve<'a>(&'a self, host: &'a str, _: u16) -> Lookup<'a> {
        let mut script = self.0.lock().unwrap();
        let answers = script.get_mut(host).unwrap();
        let last = answers.len() == 1;
        let found = if last { answers[0].clone() } else { answers.pop_front().unwrap() };
        Box::pin(async move { found.ok_or_else(|| io::Error::other("name not known")) })
    }
}

/// Never answers.
#[derive(Debug)]
struct Silence;

impl Resolve for Silence {
    fn resolve<'a>(&'a self, _: &'a str, _: u16) -> Lookup<'a> {
        Box::pin(std::future::pending())
    }
}

#[tokio::test]
async fn a_name_that_is_never_answered_for_is_given_up_in_time() {
    let config = TransportConfig { connect_wait: Duration::from_millis(200), ..config(None) };
    let transport = Transport::with_resolver(config, Arc::new(Silence)).unwrap();
    let message = "dns: no answer in time".to_owned();
    let expected = Outcome::Failed { kind: FailureKind::Dns, message };
    assert_eq!(transport.post(outgoing("http://siem.test/")).await, expected);
}

fn transport(script: Arc<Script>, allowed: &str) -> Transport {
    let config = TransportConfig { policy: allowed.parse().unwrap(), ..config(None) };
    Transport::with_resolver(config, script).unwrap()
}

fn private(receiver: &Receiver) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], receiver.port()))
}

#[tokio::test]
async fn a_name_that_is_mended_works_at_once() {
    let receiver = Receiver::answering(EMPTY).await;
    let address = private(&receiver);
    let script = Script::default().says("siem.test", &[None, Some(&[]), Some(&[address])]);
    let transport = transport(script, "127.0.0.0/8");
    for words in ["dns: name not known", "dns: the name has no address"] {
        let expected = Outcome::Failed { kind: FailureKind::Dns, message: words.to_owned() };
        assert_eq!(transport.post(outgoing("http://siem.test/")).await, expected);
    }
    assert_eq!(transport.post(outgoing("http://siem.test/")).await, answered(200, ""));
}

/// The first answer is checked and dialled; what the name says a moment later is checked anew.
#[tokio::test]
async fn a_name_that_turns_private_is_not_followed_there() {
    let inner = Receiver::answering(EMPTY).await;
    // Nobody listens at the first address, which the policy permits.
    let public: SocketAddr = "127.0.0.9:1".parse().unwrap();
    let script = Script::default()
        .says("siem.test", &[Some(&[public]), Some(&[private(&inner)]), Some(&[public])]);
    let transport = transport(script, "127.0.0.9");
    for kind in [FailureKind::Connect, FailureKind::Blocked, FailureKind::Connect] {
        let outcome = transport.post(outgoing("http://siem.test/")).await;
        let Outcome::Failed { kind: found, .. } = &outcome else { panic!("{outcome:?}") };
        assert_eq!(*found, kind, "{outcome:?}");
    }
    assert_eq!(inner.connections(), 0);
}

#[tokio::test]
async fn of_mixed_addresses_only_permitted_ones_are_dialled_in_any_spelling() {
    let inner = Receiver::answering(EMPTY).await;
    let port = inner.port();
    let spellings = ["127.0.0.1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "::1"];
    let spellings: Vec<SocketAddr> =
        spellings.iter().map(|text| SocketAddr::new(text.parse().unwrap(), port)).collect();
    let script = Script::default().says("siem.test", &[Some(&spellings)]);
    let closed = transport(Arc::clone(&script), "");
    let outcome = closed.post(outgoing("http://siem.test/")).await;
    assert!(matches!(outcome, Outcome::Failed { kind: FailureKind::Blocked, .. }), "{outcome:?}");
    assert_eq!(inner.connections(), 0);
    let seen = closed.probe(outgoing("http://siem.test/")).await;
    let lookup = seen.lookup.unwrap();
    assert_eq!((lookup.addresses.len(), lookup.refused), (0, 5), "which they are is not told");
    assert_eq!(seen.failure.unwrap().phase, TestPhase::Connect);
    let open = transport(script, "127.0.0.1");
    assert_eq!(open.post(outgoing("http://siem.test/")).await, answered(200, ""));
}

#[tokio::test]
async fn a_receiver_that_moves_is_found_when_its_old_connection_ends() {
    let closes = EMPTY.replace("content-length", "connection: close\r\ncontent-length");
    let (old, new) = (Receiver::answering(&closes).await, Receiver::answering(EMPTY).await);
    let script =
        Script::default().says("siem.test", &[Some(&[private(&old)]), Some(&[private(&new)])]);
    let transport = transport(script, "127.0.0.0/8");
    for _ in 0..3 {
        assert_eq!(transport.post(outgoing("http://siem.test/")).await, answered(200, ""));
    }
    assert_eq!((old.requests().len(), new.requests().len()), (1, 2));
}
