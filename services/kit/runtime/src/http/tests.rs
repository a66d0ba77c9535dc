mod unread;

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Request};
use axum::routing::{get, post};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::pace::UNREAD;
use super::serve::{Bounds, serve_within};
use super::*;
use crate::lifecycle::{Drain, Stopped};
use crate::metrics::Metrics;
use crate::problem::Problem;

const GRACE: Duration = Duration::from_secs(20);

async fn read(request: Request) -> Result<String, Problem> {
    let bytes = body(request.into_body(), 8, Duration::from_millis(200)).await?;
    Ok(format!("read {}", bytes.len()))
}

async fn panics() -> &'static str {
    panic!("on purpose")
}

async fn slow() -> &'static str {
    tokio::time::sleep(Duration::from_millis(300)).await;
    "slow but done"
}

fn router() -> Router {
    let routes = Router::new()
        .route("/read", post(read))
        .route("/panics", get(panics))
        .route("/slow", get(slow))
        .route("/items/{id}", get(async |Path(id): Path<u32>| id.to_string()));
    // Both layered and merged, as the all-in-one does.
    let other = layer(Router::new().route("/other", get(async || "other")), "other");
    layer(routes, "test").merge(other)
}

async fn start() -> (SocketAddr, Drain) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let drain = Drain::new();
    drain.spawn("http", serve(listener, router(), drain.clone()));
    (address, drain)
}

/// Everything that comes until the connection closes.
async fn exchange(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let read = tokio::time::timeout(GRACE, stream.read_to_end(&mut answer));
    // A peer that closes before it has read all resets the connection after its answer.
    let _ = read.await.unwrap();
    String::from_utf8(answer).unwrap()
}

async fn ask(address: SocketAddr, line: &str, headers: &str) -> String {
    let request = format!("{line} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{headers}\r\n");
    exchange(address, &request).await
}

fn assert_problem(answer: &str, status: &str, detail: &str) {
    assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
    assert!(answer.contains("content-type: application/problem+json; charset=utf-8"), "{answer}");
    assert!(answer.contains(&format!("\"detail\":\"{detail}\"")), "{answer}");
    assert!(answer.contains("\"instance\":\"kong:trace:"), "{answer}");
}

#[tokio::test]
async fn what_no_handler_answers_is_a_problem() {
    let (address, _drain) = start().await;
    assert_problem(&ask(address, "GET /nowhere", "").await, "404", "Not found");
    let wrong_method = ask(address, "DELETE /items/7", "").await;
    assert_problem(&wrong_method, "405", "Method not allowed");
    assert!(wrong_method.contains("allow: GET,HEAD\r\n"), "{wrong_method}");
    let extractor = ask(address, "GET /items/seven", "").await;
    assert_problem(&extractor, "400", "Could not parse request body");
    assert!(ask(address, "GET /items/7", "").await.ends_with("\r\n\r\n7"));
    assert!(ask(address, "GET /other", "").await.ends_with("\r\n\r\nother"));
}

#[tokio::test]
async fn a_panic_is_a_problem_and_the_server_goes_on() {
    let (address, _drain) = start().await;
    let answer = ask(address, "GET /panics", "").await;
    assert_problem(&answer, "500", "Something went wrong on our side");
    assert!(!answer.contains("purpose"), "{answer}");
    assert!(ask(address, "GET /other", "").await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn bodies_have_a_limit_and_a_deadline() {
    let (address, _drain) = start().await;
    let fits = ask(address, "POST /read", "Content-Length: 8\r\n\r\n12345678").await;
    assert!(fits.contains("read 8"), "{fits}");
    let announced = ask(address, "POST /read", "Content-Length: 9\r\n").await;
    assert_problem(&announced, "413", "Request body exceeds 8 bytes");
    assert!(announced.contains("connection: close"), "{announced}");
    let chunks = "Transfer-Encoding: chunked\r\n\r\n9\r\n123456789\r\n0\r\n";
    let grown = ask(address, "POST /read", chunks).await;
    assert_problem(&grown, "413", "Request body exceeds 8 bytes");
    let silent = ask(address, "POST /read", "Content-Length: 5\r\n").await;
    assert_problem(&silent, "408", "Request body timed out");
}

#[tokio::test]
async fn heads_have_a_limit() {
    let (address, _drain) = start().await;
    let long = format!("GET /{}", "a".repeat(9_000));
    assert_problem(&ask(address, &long, "").await, "414", "URI exceeds 8192 bytes");
    // hyper's own answer: it reads no more than its buffer, whatever fills it.
    let longer = ask(address, &format!("GET /{}", "a".repeat(70_000)), "").await;
    assert!(longer.starts_with("HTTP/1.1 431") && longer.ends_with("\r\n\r\n"), "{longer}");
    let large = format!("X-Large: {}\r\n", "a".repeat(17_000));
    let answer = ask(address, "GET /other", &large).await;
    assert_problem(&answer, "431", "Header fields exceed 16384 bytes");
    let expects = ask(address, "GET /other", "Expect: 200-maybe\r\n").await;
    assert_problem(&expects, "417", "Expectation not supported");
}

#[tokio::test]
async fn a_connection_that_says_nothing_or_half_a_head_is_closed() {
    let (address, _drain) = start().await;
    let started = tokio::time::Instant::now();
    // "PRI" could still become HTTP/2.
    let (nothing, preface, half) = tokio::join!(
        exchange(address, ""),
        exchange(address, "PRI"),
        exchange(address, "GET / HTTP/1.1\r\nHost:")
    );
    assert!(started.elapsed() >= Duration::from_secs(4));
    assert!(started.elapsed() < Duration::from_secs(9));
    for answer in [nothing, preface, half] {
        assert!(!answer.contains("200 OK"), "{answer}");
    }
}

#[tokio::test]
async fn a_resting_connection_is_kept_and_a_slow_second_head_is_not() {
    let (address, _drain) = start().await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let mut answer = [0; 4_096];
    for _ in 0..2 {
        stream.write_all(b"GET /other HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
        assert!(stream.read(&mut answer).await.unwrap() > 100);
        tokio::time::sleep(Duration::from_secs(6)).await;
    }
    stream.write_all(b"GET /other HTTP/1.1\r\nHost").await.unwrap();
    let closed = tokio::time::timeout(GRACE, stream.read(&mut answer)).await.unwrap();
    assert_eq!(closed.unwrap_or(0), 0);
}

#[tokio::test]
async fn those_who_say_nothing_hold_their_places_only_for_a_while() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let drain = Drain::new();
    let bounds = Bounds { connections: 2, unread: UNREAD };
    drain.spawn("http", serve_within(bounds, listener, router(), drain.clone()));
    let mut silent = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET /other HTTP/1.1\r\n").await.unwrap();
        silent.push(stream);
    }
    let started = tokio::time::Instant::now();
    let answer = ask(address, "GET /other", "").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(started.elapsed() >= Duration::from_secs(4), "there was no place before");
}

/// Requests that are called off as soon as they are made cost their sender the connection.
#[tokio::test]
async fn a_flood_of_resets_ends_its_own_connection_and_no_other() {
    let (address, _drain) = start().await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let mut flood = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec();
    for stream in (1..4_000_u32).step_by(2) {
        let id = stream.to_be_bytes();
        // HEADERS that end the request: GET, /, http, and an authority of one letter.
        flood.extend([0, 0, 6, 1, 5]);
        flood.extend(id);
        flood.extend([0x82, 0x84, 0x86, 0x41, 1, b'a']);
        // RST_STREAM: CANCEL.
        flood.extend([0, 0, 4, 3, 0]);
        flood.extend(id);
        flood.extend([0, 0, 0, 8]);
    }
    let _ = stream.write_all(&flood).await;
    let mut heard = Vec::new();
    let _ = tokio::time::timeout(GRACE, stream.read_to_end(&mut heard)).await.unwrap();
    // GOAWAY on stream 0, and somewhere in it ENHANCE_YOUR_CALM.
    let goaway = heard.windows(9).position(|head| head[3] == 7 && head[5..9] == [0; 4]).unwrap();
    assert_eq!(heard[goaway + 13..goaway + 17], [0, 0, 0, 11]);
    assert!(ask(address, "GET /other", "").await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_body_with_two_lengths_is_the_last_of_its_connection() {
    let (address, _drain) = start().await;
    let smuggled = "GET /other HTTP/1.1\r\nHost: a\r\n\r\n";
    let request = format!(
        "POST /read HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n\
         0\r\n\r\n{smuggled}"
    );
    let answer = exchange(address, &request).await;
    assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{answer}");
}

#[tokio::test]
async fn http_2_is_spoken_and_drained() {
    let (address, drain) = start().await;
    let stream = TokioIo::new(TcpStream::connect(address).await.unwrap());
    let (mut client, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await.unwrap();
    let connection = tokio::spawn(connection);
    let request = || Request::get(format!("http://{address}/slow")).body(Body::empty()).unwrap();
    let (first, second) = tokio::join!(client.send_request(request()), async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        drain.stop(GRACE).await
    });
    let body = axum::body::to_bytes(Body::new(first.unwrap().into_body()), 100).await.unwrap();
    assert_eq!((body.as_ref(), second), (&b"slow but done"[..], Stopped::Clean));
    connection.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_drain_lets_the_request_finish_and_closes_what_is_idle() {
    let (address, drain) = start().await;
    let mut idle = TcpStream::connect(address).await.unwrap();
    idle.write_all(b"GET /other HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    let mut head = [0; 12];
    idle.read_exact(&mut head).await.unwrap();
    let mut busy = TcpStream::connect(address).await.unwrap();
    busy.write_all(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;

    assert_eq!(drain.stop(GRACE).await, Stopped::Clean);

    let mut answer = String::new();
    busy.read_to_string(&mut answer).await.unwrap();
    assert!(answer.ends_with("slow but done"), "{answer}");
    let mut rest = Vec::new();
    idle.read_to_end(&mut rest).await.unwrap();
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn a_hard_stop_cuts_requests_off() {
    let (address, drain) = start().await;
    let mut busy = TcpStream::connect(address).await.unwrap();
    busy.write_all(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(drain.stop(Duration::ZERO).await, Stopped::Forced);
    let mut answer = Vec::new();
    let _ = busy.read_to_end(&mut answer).await;
    assert!(answer.is_empty());
}

#[tokio::test]
async fn requests_are_counted_by_route_and_not_by_path() {
    let (address, _drain) = start().await;
    for id in 1_000..1_003 {
        ask(address, &format!("GET /items/{id}"), "").await;
    }
    ask(address, "BREW /items/1", "").await;
    let text = Metrics::default().encode();
    let name = "auditrelay_http_server_request_duration_seconds_count";
    let labels = "service=\"test\",method=\"GET\",route=\"/items/{id}\",status=\"200\"";
    assert!(text.contains(&format!("{name}{{{labels}}}")), "{text}");
    assert!(text.contains("method=\"_OTHER\"") && !text.contains("/items/1000"), "{text}");
}

#[tokio::test]
async fn every_answer_of_a_body_reader_keeps_its_bytes() {
    let read = body(Body::from("12345678"), 8, GRACE).await.unwrap();
    assert_eq!(read, "12345678");
}
