//! The HTTP client of the command line: what `curl` would do, with the errors in words.

mod refusal;

use std::time::Duration;

use http::{Method, StatusCode};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use serde_json::Value;
use url::Url;

pub(crate) use self::refusal::Refusal;
use crate::failure::Failure;
use crate::retry::{self, Try};
use crate::system;

/// Where the server is and who asks. Without a token, a server on this machine is asked with the
/// one that `dev` keeps here.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ServerArgs {
    /// Where auditrelay listens
    #[arg(
        long,
        env = "AUDITRELAY_URL",
        default_value = "http://127.0.0.1:8080",
        value_name = "URL",
        value_parser = server_url
    )]
    pub(crate) url: Url,

    /// Read the token from this file instead of the environment
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<std::path::PathBuf>,
}

/// Where a server may be.
pub(crate) fn server_url(text: &str) -> Result<Url, &'static str> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    url.ok_or("expected an http or https URL such as http://127.0.0.1:8080")
}

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// The largest answer that is read: lists and pages are far smaller.
const ANSWER_MAX: usize = 16 * 1024 * 1024;

/// Speaks to one server with one token.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    base: Url,
    bearer: HeaderValue,
}

/// One request, still to be made.
#[derive(Debug, Clone)]
pub(crate) struct Call<'a> {
    pub(crate) method: Method,
    pub(crate) path: &'a str,
    pub(crate) body: Option<String>,
    pub(crate) idempotency_key: Option<String>,
}

/// A complete answer, whatever it says.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) retry_after: Option<Duration>,
    /// Null when the body is empty.
    pub(crate) body: Value,
}

/// Why there is no answer that a command can use.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    /// The server said no.
    #[error("{0}")]
    Refused(Box<Refusal>),
    /// Nobody answered.
    #[error("cannot reach {url}: {reason}")]
    Unreachable {
        /// What was asked.
        url: String,
        /// Why it failed.
        reason: String,
    },
    /// An answer that is not of this API.
    #[error("the answer of {url} is not what this API says: {reason}")]
    Unreadable {
        /// What was asked.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl Client {
    /// For people's commands: the token from its file or `AUDITRELAY_TOKEN`.
    pub(crate) fn from_args(args: &ServerArgs) -> Result<Self, Failure> {
        Self::from_env(args, "AUDITRELAY_TOKEN")
    }

    /// The same with another variable for the token. Never a flag: the process list shows flags.
    pub(crate) fn from_env(args: &ServerArgs, variable: &str) -> Result<Self, Failure> {
        let token = if let Some(path) = &args.token_file {
            std::fs::read_to_string(path).map_err(Failure::io(path.display().to_string()))?
        } else {
            let kept = || is_loopback(&args.url).then(|| system::kept_token(variable)).flatten();
            let set = std::env::var(variable).ok().filter(|token| !token.trim().is_empty());
            set.or_else(kept).ok_or_else(|| {
                Failure::Usage(format!("set {variable}, or name a file with --token-file"))
            })?
        };
        Self::new(&args.url, token.trim())
    }

    /// Speaks to the server at `base` with `token`.
    pub(crate) fn new(base: &Url, token: &str) -> Result<Self, Failure> {
        let mut bearer = HeaderValue::from_str(&format!("Bearer {token}"))
            .map_err(|_| Failure::Usage("the token holds characters no token has".to_owned()))?;
        bearer.set_sensitive(true);
        Ok(Self { http: http_client(base)?, base: base.clone(), bearer })
    }

    /// Makes the request once. Any answer is an answer; only silence is an error.
    pub(crate) async fn once(&self, call: &Call<'_>) -> Result<Answer, ClientError> {
        let url = self.url(call.path);
        let silence = |error: reqwest::Error| ClientError::Unreachable {
            url: url.clone(),
            reason: deepest(&error),
        };
        let mut request =
            self.http.request(call.method.clone(), &url).header(AUTHORIZATION, self.bearer.clone());
        if let Some(key) = &call.idempotency_key {
            request = request.header("Idempotency-Key", key);
        }
        if let Some(body) = &call.body {
            request = request.header(CONTENT_TYPE, "application/json").body(body.clone());
        }
        let mut response = request.send().await.map_err(silence)?;
        let status = response.status();
        let retry_after = response.headers().get(RETRY_AFTER);
        let retry_after =
            retry_after.and_then(|value| value.to_str().ok()).and_then(retry::retry_after);
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(silence)? {
            if bytes.len() + chunk.len() > ANSWER_MAX {
                let reason = format!("longer than {ANSWER_MAX} bytes");
                return Err(ClientError::Unreadable { url, reason });
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(Answer { status, retry_after, body: read(status, &bytes, &url)? })
    }

    /// Asks until the answer is final or `patience` is over; tells `waiting` before each pause.
    pub(crate) async fn patiently(
        &self,
        call: &Call<'_>,
        patience: Duration,
        mut waiting: impl FnMut(&str, Duration),
    ) -> Result<Answer, ClientError> {
        let began = tokio::time::Instant::now();
        let mut failed = 0;
        loop {
            let answer = self.once(call).await;
            let (outcome, words) = match &answer {
                Ok(answer) => (
                    Try::Answered(answer.status, answer.retry_after),
                    format!("{} from {}", answer.status.as_u16(), self.base),
                ),
                Err(error @ ClientError::Unreachable { .. }) => (Try::NoAnswer, error.to_string()),
                Err(_) => return answer,
            };
            match retry::wait(outcome, failed) {
                Some(pause) if began.elapsed() + pause <= patience => {
                    waiting(&words, pause);
                    tokio::time::sleep(pause).await;
                    failed += 1;
                }
                _ => return answer,
            }
        }
    }

    /// `GET`, which must succeed.
    pub(crate) async fn get(&self, path: &str) -> Result<Value, ClientError> {
        self.expect(Method::GET, path, None).await
    }

    /// A request with a JSON body or none, which must succeed.
    pub(crate) async fn expect(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, ClientError> {
        let body = body.map(Value::to_string);
        let call = Call { method, path, body, idempotency_key: None };
        self.once(&call).await?.success(&call)
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base.as_str().trim_end_matches('/'))
    }
}

impl Answer {
    /// The body of a `2xx`; anything else is a refusal.
    pub(crate) fn success(self, call: &Call<'_>) -> Result<Value, ClientError> {
        if self.status.is_success() {
            return Ok(self.body);
        }
        let call = format!("{} {}", call.method, call.path);
        Err(ClientError::Refused(Box::new(Refusal {
            call,
            status: self.status,
            document: self.body,
        })))
    }
}

/// Loopback is never asked through a proxy, whatever the environment says.
fn http_client(base: &Url) -> Result<reqwest::Client, Failure> {
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("auditrelay/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(REQUEST_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none());
    if is_loopback(base) {
        builder = builder.no_proxy();
    }
    builder.build().map_err(|error| Failure::Other(error.into()))
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// An error page of something in between is kept as its text; a success must be JSON.
fn read(status: StatusCode, bytes: &[u8], url: &str) -> Result<Value, ClientError> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok(Value::Null);
    }
    match serde_json::from_slice(bytes) {
        Ok(value) => Ok(value),
        Err(error) if status.is_success() => {
            Err(ClientError::Unreadable { url: url.to_owned(), reason: error.to_string() })
        }
        Err(_) => {
            let text: String = String::from_utf8_lossy(bytes).chars().take(200).collect();
            Ok(serde_json::json!({ "status": status.as_u16(), "detail": text }))
        }
    }
}

/// The innermost cause says what happened; the outer ones repeat the URL.
fn deepest(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
