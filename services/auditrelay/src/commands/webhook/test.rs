//! `webhook test`: one made-up event, and every step on its way.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use auditrelay_model::destination::LogFormat;
use auditrelay_model::id::DestinationId;
use http::Method;
use serde_json::{Value, json};

use super::ScopeArgs;
use crate::client::{Call, Client};
use crate::commands::org::{items, text};
use crate::failure::Failure;
use crate::output::{self, Output};

/// What is tested.
#[derive(Debug, clap::Args)]
pub(super) struct TestArgs {
    #[command(flatten)]
    scope: ScopeArgs,
    /// A stored destination; without it that of the webhook
    #[arg(long, value_name = "ID", conflicts_with_all = ["portal", "endpoint"])]
    destination: Option<DestinationId>,
    /// The URL of a destination that is not made yet
    #[arg(long, value_name = "URL", conflicts_with = "portal", requires = "authorization_file")]
    endpoint: Option<String>,
    /// File with the value of its Authorization header
    #[arg(long, value_name = "FILE", requires = "endpoint")]
    authorization_file: Option<PathBuf>,
    /// How it wants events: cef, json or cps
    #[arg(long, value_name = "FORMAT", default_value = "cef", value_parser = format)]
    format: LogFormat,
    /// Take any certificate of it
    #[arg(long, requires = "endpoint")]
    skip_ssl_verification: bool,
}

fn format(name: &str) -> Result<LogFormat, String> {
    LogFormat::from_name(name).ok_or_else(|| "expected cef, json or cps".to_owned())
}

/// Does it.
pub(super) async fn run(
    client: &Client,
    args: TestArgs,
    output: Output,
) -> Result<ExitCode, Failure> {
    let (path, body) = request(client, args).await?;
    let call = Call {
        method: Method::POST,
        path: &path,
        body: Some(body.to_string()),
        idempotency_key: None,
    };
    let report = client.once(&call).await?.success(&call)?;
    match output {
        Output::Json => output::json(&report),
        Output::Text => output::line(told(&report).trim_end()),
    }
    let delivered = report.get("delivered").and_then(Value::as_bool).unwrap_or(false);
    Ok(if delivered { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn request(client: &Client, args: TestArgs) -> Result<(String, Value), Failure> {
    if let (Some(endpoint), Some(file)) = (args.endpoint, args.authorization_file) {
        let secret = std::fs::read_to_string(&file);
        let secret = secret.map_err(Failure::io(file.display().to_string()))?;
        let body = json!({
            "endpoint": endpoint,
            "authorization": secret.trim(),
            "log_format": args.format.name(),
            "skip_ssl_verification": args.skip_ssl_verification,
        });
        return Ok(("/v1/destination-tests".to_owned(), body));
    }
    let id = match args.destination {
        Some(id) => id.to_string(),
        None => bound(client, &args.scope).await?,
    };
    Ok((format!("/v1/destinations/{id}/test"), json!({})))
}

/// The destination of the scope's webhook.
async fn bound(client: &Client, scope: &ScopeArgs) -> Result<String, Failure> {
    let path = match scope.portal {
        None => "/v3/audit-log-webhook".to_owned(),
        Some(portal) => format!("/v3/portals/{portal}/audit-log-webhook"),
    };
    let webhook = client.get(&path).await?;
    let id = webhook.get("audit_log_destination_id").and_then(Value::as_str);
    id.map(ToOwned::to_owned).filter(|id| !id.is_empty()).ok_or_else(|| {
        Failure::Usage("the webhook has no destination: name one with --destination".to_owned())
    })
}

/// The report for people.
fn told(report: &Value) -> String {
    let mut lines = String::new();
    let member = |name: &str| report.get(name).filter(|value| !value.is_null());
    match member("failure") {
        None => {
            let _ = writeln!(lines, "delivered in {}", took(report));
        }
        Some(failure) => {
            let _ = writeln!(
                lines,
                "failed at {}: {}",
                text(failure, "phase"),
                text(failure, "reason")
            );
        }
    }
    let mut step = |name: &str, what: &str, of: &Value| {
        let _ = writeln!(lines, "  {name:11} {what} ({})", took(of));
    };
    if let Some(dns) = member("dns") {
        step("dns", &addresses(dns), dns);
    }
    if let Some(connection) = member("connection") {
        step("connection", text(connection, "address"), connection);
    }
    if let Some(tls) = member("tls") {
        step("tls", &session(tls), tls);
    }
    if let Some(answer) = member("answer") {
        let status = answer.get("status").and_then(Value::as_u64).unwrap_or_default();
        let said = format!("{status} {} {}", text(answer, "version"), text(answer, "message"));
        step("answer", said.trim_end(), answer);
    }
    let chain = member("tls").and_then(|tls| tls.get("chain"));
    for certificate in chain.into_iter().flat_map(items) {
        let _ = writeln!(
            lines,
            "  certificate {}, signed by {}, until {}",
            text(certificate, "subject"),
            text(certificate, "issuer"),
            text(certificate, "not_after"),
        );
    }
    for warning in member("warnings").into_iter().flat_map(items).filter_map(Value::as_str) {
        let _ = writeln!(lines, "warning: {warning}");
    }
    lines
}

fn addresses(dns: &Value) -> String {
    let found = dns.get("addresses").into_iter().flat_map(items).filter_map(Value::as_str);
    let found = found.collect::<Vec<_>>().join(" ");
    match dns.get("refused").and_then(Value::as_u64).unwrap_or_default() {
        0 => found,
        refused => format!("{found} and {refused} that may not be dialled").trim_start().to_owned(),
    }
}

fn session(tls: &Value) -> String {
    let trusted = tls.get("trusted").and_then(Value::as_bool).unwrap_or(false);
    let words = ["version", "cipher_suite", "application_protocol"];
    let words = words.into_iter().filter_map(|word| tls.get(word)?.as_str());
    let trust = if trusted { "trusted" } else { "not trusted" };
    words.chain([trust]).collect::<Vec<_>>().join(", ")
}

fn took(of: &Value) -> String {
    format!("{} ms", of.get("duration_ms").and_then(Value::as_f64).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_told_step_by_step() {
        let report = json!({
            "delivered": false, "duration_ms": 31.5,
            "failure": { "phase": "tls", "reason": "tls: the certificate expired" },
            "warnings": ["old"],
            "dns": { "addresses": ["203.0.113.7"], "refused": 1, "duration_ms": 1.5 },
            "connection": { "address": "203.0.113.7:443", "duration_ms": 10 },
            "tls": { "version": null, "trusted": false, "duration_ms": 20, "chain": [
                { "subject": "CN=siem", "issuer": "CN=ca", "not_after": "2020-01-01T00:00:00Z" },
            ] },
            "answer": null,
        });
        let expected = "failed at tls: tls: the certificate expired
  dns         203.0.113.7 and 1 that may not be dialled (1.5 ms)
  connection  203.0.113.7:443 (10 ms)
  tls         not trusted (20 ms)
  certificate CN=siem, signed by CN=ca, until 2020-01-01T00:00:00Z
warning: old
";
        assert_eq!(told(&report), expected);
    }
}
