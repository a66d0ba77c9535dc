//! Messages that no service of ours would store.

use std::time::Duration;

use auditrelay_model::delivery::Lane;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::World;

impl World {
    /// Stores nonsense behind the live lane's last fact.
    pub(crate) async fn tear_facts(&self) {
        let (org, scope) = (self.scope.org(), self.scope.token());
        self.publish(&format!("audit.delivery.{org}.{scope}.live")).await;
        while self.streams.last_delivery(self.scope, Lane::Live).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Stores nonsense behind the last record.
    pub(crate) async fn tear_log(&self) {
        let (group, org, scope) = (self.scope.group(), self.scope.org(), self.scope.token());
        self.publish(&format!("audit.events.{}.{}.{org}.{scope}", group / 8, group % 8)).await;
        while self.streams.last_record(self.scope).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Stores a record of so many events that cannot be read.
    pub(crate) async fn append_torn(&self, events: usize) {
        let numbers = self.log.torn(events);
        let (group, org, scope) = (self.scope.group(), self.scope.org(), self.scope.token());
        let subject = format!("audit.events.{}.{}.{org}.{scope}", group / 8, group % 8);
        let head = format!(
            "NATS/1.0\r\nAuditrelay-Numbers: {numbers}\r\nAuditrelay-Ts-Min: 0\r\n\
             Auditrelay-Ts-Max: 0\r\n\r\n"
        );
        let (of_head, of_all) = (head.len(), head.len() + 3);
        self.say(&format!("HPUB {subject} {of_head} {of_all}\r\n{head}???\r\n")).await;
    }

    async fn publish(&self, subject: &str) {
        self.say(&format!("PUB {subject} 3\r\n\u{7f}\u{7f}\u{7f}\r\n")).await;
    }

    /// Says something to the broker in its own words, and waits until it has heard it.
    async fn say(&self, words: &str) {
        let address = self.broker.lock().await.as_ref().unwrap().url();
        let address = address.trim_start_matches("nats://").to_owned();
        let mut socket = tokio::net::TcpStream::connect(address).await.unwrap();
        let options = "CONNECT {\"verbose\":false,\"headers\":true}";
        let text = format!("{options}\r\n{words}PING\r\n");
        socket.write_all(text.as_bytes()).await.unwrap();
        let mut answer = [0; 4096];
        while !String::from_utf8_lossy(&answer).contains("PONG") {
            assert_ne!(socket.read(&mut answer).await.unwrap(), 0);
        }
    }
}
