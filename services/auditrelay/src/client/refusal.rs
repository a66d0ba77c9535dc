//! A refusal, in words.

use std::fmt;

use http::StatusCode;
use serde_json::Value;

/// How many parameters at fault are told; a batch may hold a thousand.
const PARAMETERS_MAX: usize = 10;

/// A refusal as the server wrote it (RFC 9457).
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) call: String,
    pub(crate) status: StatusCode,
    pub(crate) document: Value,
}

/// What was asked, what came back, and each parameter that is at fault on a line of its own.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |key: &str| self.document.get(key).and_then(Value::as_str);
        let detail = text("detail").or_else(|| text("title")).unwrap_or("no explanation given");
        write!(f, "{}: {} {detail}", self.call, self.status.as_u16())?;
        let parameters = self.document.get("invalid_parameters").and_then(Value::as_array);
        let parameters: Vec<&Value> = parameters.into_iter().flatten().collect();
        for parameter in parameters.iter().take(PARAMETERS_MAX) {
            let part = |key: &str| parameter.get(key).and_then(Value::as_str).unwrap_or("?");
            write!(f, "\n  {}: {}", part("field"), part("reason"))?;
            if let Some(choices) = parameter.get("choices").and_then(Value::as_array) {
                let choices: Vec<&str> = choices.iter().filter_map(Value::as_str).collect();
                write!(f, " ({})", choices.join(", "))?;
            }
        }
        if let Some(more) = parameters.len().checked_sub(PARAMETERS_MAX).filter(|more| *more > 0) {
            write!(f, "\n  and {more} more")?;
        }
        match (self.status, text("instance")) {
            (StatusCode::UNAUTHORIZED, _) => {
                let operator = self.call.contains(" /v1/organizations");
                let variable = if operator { "AUDITRELAY_PLATFORM_TOKEN" } else { "AUDITRELAY_TOKEN" };
                write!(f, "\n  set {variable} to a token that is valid there, or name a file with --token-file")
            }
            (StatusCode::NOT_FOUND, _) if self.call.ends_with(" /v1/audit-events") => f.write_str(
                "\n  ingest does not listen there: name its own address with AUDITRELAY_URL or --url",
            ),
            (status, Some(instance)) if status.is_server_error() => write!(f, "\n  {instance}"),
            _ => Ok(()),
        }
    }
}
