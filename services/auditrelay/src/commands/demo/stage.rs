//! Shows what happens: prose, and every call to the API in one line each.

use http::{Method, StatusCode};
use serde_json::Value;

use crate::client::{Answer, Call, Client, ClientError};
use crate::output::{self, Output, Paint};

/// Longer bodies are cut when they are shown.
const BODY_SHOWN: usize = 96;

/// Where the story is told; silent for programs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stage {
    shown: bool,
    paint: Paint,
}

impl Stage {
    pub(super) fn new(output: Output) -> Self {
        Self { shown: output == Output::Text, paint: Paint::for_stdout() }
    }

    pub(super) fn title(self, text: &str) {
        self.line(&self.paint.bold(text));
    }

    /// Begins a part of the story.
    pub(super) fn part(self, number: u8, text: &str) {
        self.line(&format!("\n{}", self.paint.bold(&format!("{number}. {text}"))));
    }

    pub(super) fn say(self, text: &str) {
        self.line(&format!("   {text}"));
    }

    pub(super) fn good(self, text: &str) {
        self.line(&format!("   {} {text}", self.paint.green("✓")));
    }

    pub(super) fn bad(self, text: &str) {
        self.line(&format!("   {} {text}", self.paint.red("✗")));
    }

    /// Makes a call and shows it; it must succeed.
    pub(super) async fn call(
        self,
        client: &Client,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<Value, ClientError> {
        let (call, answer) = self.ask(client, method, path, body).await?;
        answer.success(&call)
    }

    /// Makes a call and shows it, whatever the answer.
    pub(super) async fn ask<'a>(
        self,
        client: &Client,
        method: Method,
        path: &'a str,
        body: Option<Value>,
    ) -> Result<(Call<'a>, Answer), ClientError> {
        let body = body.map(|body| body.to_string());
        let call = Call { method, path, body, idempotency_key: None };
        let answer = client.once(&call).await?;
        self.show(&call, answer.status);
        Ok((call, answer))
    }

    fn show(self, call: &Call<'_>, status: StatusCode) {
        let body = call.body.as_deref().map(shorten).unwrap_or_default();
        let line = format!("{} {} {body}", call.method, shorten_ids(call.path));
        let line = format!("{} → {}", line.trim_end(), status.as_u16());
        self.line(&format!("   {}", self.paint.dim(&line)));
    }

    fn line(self, text: &str) {
        if self.shown {
            output::line(text);
        }
    }
}

fn shorten(body: &str) -> String {
    let body = shorten_ids(body);
    if body.chars().count() <= BODY_SHOWN {
        return body;
    }
    let start: String = body.chars().take(BODY_SHOWN).collect();
    format!("{start}…")
}

/// UUIDs tell nothing and fill the line: eight characters are enough to recognise one.
fn shorten_ids(text: &str) -> String {
    const LENGTH: usize = 36;
    let mut short = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let id = rest.get(..LENGTH).filter(|part| uuid::Uuid::try_parse(part).is_ok());
        if let Some(id) = id {
            short.push_str(id.get(..8).unwrap_or(id));
            short.push('…');
            rest = rest.get(LENGTH..).unwrap_or_default();
        } else {
            short.push(first);
            rest = rest.get(first.len_utf8()..).unwrap_or_default();
        }
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_shortened_and_nothing_else() {
        assert_eq!(
            shorten_ids("/v3/portals/3e551b39-227d-4297-b911-e68fd5d77c17/audit-log-webhook"),
            "/v3/portals/3e551b39…/audit-log-webhook"
        );
        assert_eq!(shorten_ids("ä/ö"), "ä/ö");
        assert!(shorten(&"x".repeat(200)).chars().count() == BODY_SHOWN + 1);
    }
}
