//! A refusal, in words.

use std::fmt;

use http::StatusCode;
use serde_json::Value;

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
        for parameter in parameters.into_iter().flatten() {
            let part = |key: &str| parameter.get(key).and_then(Value::as_str).unwrap_or("?");
            write!(f, "\n  {}: {}", part("field"), part("reason"))?;
            if let Some(choices) = parameter.get("choices").and_then(Value::as_array) {
                let choices: Vec<&str> = choices.iter().filter_map(Value::as_str).collect();
                write!(f, " ({})", choices.join(", "))?;
            }
        }
        match (self.status, text("instance")) {
            (StatusCode::UNAUTHORIZED, _) => {
                f.write_str("\n  set AUDITRELAY_TOKEN, or name a file with --token-file")
            }
            (status, Some(instance)) if status.is_server_error() => write!(f, "\n  {instance}"),
            _ => Ok(()),
        }
    }
}
