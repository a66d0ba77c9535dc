//! The broker's own words, for what no service of ours would say.

use std::collections::VecDeque;

use auditrelay_testkit::stack::Stack;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

/// Where pieces of a snapshot go.
pub(crate) const PIECES: &str = "wire.pieces";

/// A connection to the broker.
pub(crate) struct Wire {
    stream: BufReader<TcpStream>,
    /// Where answers go.
    answers: String,
    /// Pieces that came before the answer to what they were asked by.
    early: VecDeque<Message>,
}

/// What came, without its head.
pub(crate) struct Message {
    subject: String,
    /// Where an answer is awaited; empty for nowhere.
    pub(crate) reply: String,
    pub(crate) payload: Vec<u8>,
}

impl Wire {
    pub(crate) async fn to(stack: &Stack) -> Self {
        let address = stack.nats.url("api").trim_start_matches("nats://").to_owned();
        let mut stream = TcpStream::connect(address).await.unwrap();
        let options = "{\"verbose\":false,\"headers\":true}";
        let answers = format!("wire.answers.{}", auditrelay_runtime::ids::uuid_v4());
        let hello = format!("CONNECT {options}\r\nSUB {answers} 1\r\nSUB {PIECES} 2\r\n");
        stream.write_all(hello.as_bytes()).await.unwrap();
        Self { stream: BufReader::new(stream), answers, early: VecDeque::new() }
    }

    /// What is answered.
    pub(crate) async fn ask(&mut self, subject: &str, payload: &[u8]) -> Vec<u8> {
        self.say(&format!("{subject} {}", self.answers), payload).await;
        self.answer().await
    }

    /// What is answered to something with a head: lines of names and values.
    pub(crate) async fn ask_with(&mut self, to: &str, head: &str, payload: &[u8]) -> Vec<u8> {
        let head = format!("NATS/1.0\r\n{head}\r\n");
        let (of_head, of_all) = (head.len(), head.len() + payload.len());
        let first = format!("HPUB {to} {} {of_head} {of_all}\r\n{head}", self.answers);
        self.stream.write_all(&[first.as_bytes(), payload, b"\r\n"].concat()).await.unwrap();
        self.answer().await
    }

    async fn answer(&mut self) -> Vec<u8> {
        loop {
            let message = self.hear().await;
            if message.subject == self.answers {
                return message.payload;
            }
            self.early.push_back(message);
        }
    }

    /// The next piece.
    pub(crate) async fn piece(&mut self) -> Message {
        match self.early.pop_front() {
            Some(piece) => piece,
            None => self.hear().await,
        }
    }

    /// Asks the broker itself, which must not refuse.
    pub(crate) async fn manage(&mut self, what: &str, request: &Value) -> Value {
        let answer = self.ask(&format!("$JS.API.{what}"), request.to_string().as_bytes()).await;
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        assert_eq!(answer["error"], Value::Null, "{what}: {answer}");
        answer
    }

    pub(crate) async fn say(&mut self, to: &str, payload: &[u8]) {
        let head = format!("PUB {to} {}\r\n", payload.len());
        self.stream.write_all(&[head.as_bytes(), payload, b"\r\n"].concat()).await.unwrap();
    }

    async fn hear(&mut self) -> Message {
        let mut line = String::new();
        while !line.contains("MSG ") {
            assert!(!line.starts_with("-ERR"), "{line}");
            line.clear();
            assert_ne!(self.stream.read_line(&mut line).await.unwrap(), 0, "the broker hung up");
        }
        // MSG subject id [reply] bytes, and with a head HMSG subject id [reply] of-head of-all.
        let words: Vec<&str> = line.split_whitespace().collect();
        let lengths = if words[0] == "HMSG" { 2 } else { 1 };
        let (words, numbers) = words.split_at(words.len() - lengths);
        let number = |word: &str| word.parse::<usize>().unwrap();
        let whole = number(numbers[lengths - 1]);
        let head = if lengths == 2 { number(numbers[0]) } else { 0 };
        let mut bytes = vec![0; whole + 2];
        self.stream.read_exact(&mut bytes).await.unwrap();
        Message {
            subject: words[1].to_owned(),
            reply: words.get(3).copied().unwrap_or_default().to_owned(),
            payload: bytes[head..whole].to_vec(),
        }
    }
}
