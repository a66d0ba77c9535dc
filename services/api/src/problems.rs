//! How refusals read on the wire.

use std::time::Duration;

use auditrelay_api_core::authz::Refusal;
use auditrelay_api_core::fault::Source;
use auditrelay_api_core::{Denial, Fault, Wrong};
use auditrelay_runtime::problem::{InvalidParameter, Problem, Rule};
use auditrelay_streams::{ExecuteError, ReadError};

/// How soon to ask again when the broker does not answer.
const BROKER_RETRY: Duration = Duration::from_secs(5);
/// How soon to ask again when others were quicker.
const CONTENDED_RETRY: Duration = Duration::from_secs(1);

/// 400 with everything that is wrong.
pub(crate) fn invalid(faults: &[Fault]) -> Problem {
    let detail = faults.first().map_or("Invalid parameter", Fault::detail);
    Problem::bad_request(detail, faults.iter().map(parameter).collect())
}

/// A lawful refusal.
pub(crate) fn denied(denial: &Denial) -> Problem {
    match denial {
        Denial::Invalid(faults) => invalid(faults),
        Denial::NotFound => Problem::not_found(),
        Denial::Conflict(detail) => Problem::conflict(*detail),
    }
}

/// A refusal because of who asks.
pub(crate) fn refused(refusal: Refusal) -> Problem {
    match refusal {
        Refusal::Forbidden => Problem::forbidden(),
        Refusal::NotFound => Problem::not_found(),
    }
}

/// Something could not be read.
pub(crate) fn unread(error: &ReadError) -> Problem {
    match error {
        ReadError::Unavailable(reason) => unavailable(reason),
        ReadError::Corrupt(reason) => {
            tracing::error!(reason, "stored data cannot be read");
            Problem::internal()
        }
        ReadError::Newer(_) => unavailable(&error.to_string()),
    }
}

/// A command was not carried out.
pub(crate) fn unexecuted(error: &ExecuteError<Denial>) -> Problem {
    match error {
        ExecuteError::Denied(denial) => denied(denial),
        ExecuteError::Unavailable(reason) => unavailable(reason),
        ExecuteError::Contended => {
            Problem::unavailable("Too many others change the same organization", CONTENDED_RETRY)
        }
        ExecuteError::Newer => Problem::unavailable(
            "A newer version of this service has changed it; try again until an upgrade is complete",
            CONTENDED_RETRY,
        ),
    }
}

/// Nobody can tell whether a token of the identity provider counts.
pub(crate) fn no_provider(error: &anyhow::Error) -> Problem {
    tracing::warn!(error = format!("{error:#}"), "the identity provider cannot be asked");
    Problem::unavailable("The identity provider is not reachable", BROKER_RETRY)
}

/// The broker does not answer.
pub(crate) fn unavailable(reason: &str) -> Problem {
    tracing::warn!(reason, "the broker is not reachable");
    Problem::unavailable("The event store is not reachable", BROKER_RETRY)
}

fn parameter(fault: &Fault) -> InvalidParameter {
    let field = fault.field.clone();
    let named = |rule: &'static str, reason: &'static str| {
        InvalidParameter::new(fault.field.clone(), Rule::Named(rule.into()), reason)
    };
    let parameter = match fault.wrong {
        Wrong::Syntax => InvalidParameter::body(),
        Wrong::Required => InvalidParameter::required(field),
        Wrong::Blank => InvalidParameter::blank(field),
        Wrong::Type(kind) => InvalidParameter::type_(field, kind),
        Wrong::Choices(choices) => InvalidParameter::choices(field, choices),
        Wrong::MaxLength(n) => InvalidParameter::max_length(field, n),
        Wrong::Max(n) => InvalidParameter::max(field, n),
        Wrong::Min(n) => InvalidParameter::min(field, n),
        Wrong::MaxItems(n) => InvalidParameter::max_items(field, n),
        Wrong::Unknown => InvalidParameter::unknown(field),
        Wrong::DateTime => InvalidParameter::date_time(field),
        Wrong::DestinationId => named("is_uuid", "destination id format is invalid"),
        Wrong::Url => named("invalid", "must be a valid URL"),
        Wrong::PrivateAddress => {
            named("invalid", "must not point to a private or reserved address")
        }
        Wrong::Header => named("matches_regex", "must contain only visible ASCII and spaces"),
        Wrong::Label => named("is_label", "must be a label"),
        Wrong::Missing(reason) => named("missing_reference", reason),
        Wrong::Cursor => named("invalid", "is not a valid cursor"),
        Wrong::Invalid(reason) => named("invalid", reason),
    };
    match fault.source {
        Source::Body => parameter,
        Source::Query => parameter.from("query"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn body(faults: &[Fault]) -> Value {
        serde_json::from_str(&invalid(faults).body("t")).unwrap()
    }

    #[test]
    fn details_and_reasons_are_those_that_clients_know() {
        for (fault, detail, expected) in [
            (
                Fault::body("body", Wrong::Syntax),
                "Could not parse request body",
                json!({"field": "body", "reason": "request format is invalid", "source": "body"}),
            ),
            (
                Fault::body("endpoint", Wrong::Url),
                "Invalid endpoint",
                json!({"field": "endpoint", "rule": "invalid", "reason": "must be a valid URL",
                    "source": "body"}),
            ),
            (
                Fault::body("audit_log_destination_id", Wrong::DestinationId),
                "Could not parse destination id",
                json!({"field": "audit_log_destination_id", "rule": "is_uuid",
                    "reason": "destination id format is invalid", "source": "body"}),
            ),
            (
                Fault::query("page[after]", Wrong::Cursor),
                "Invalid cursor",
                json!({"field": "page[after]", "rule": "invalid",
                    "reason": "is not a valid cursor", "source": "query"}),
            ),
            (
                Fault::body("log_format", Wrong::Choices(&["cef", "json", "cps"])),
                "Invalid parameter",
                json!({"field": "log_format", "rule": "enum", "source": "body",
                    "choices": ["cef", "json", "cps"], "reason": "must be one of the choices"}),
            ),
        ] {
            let body = body(&[fault]);
            assert_eq!(body["detail"], detail);
            assert_eq!(body["invalid_parameters"], json!([expected]));
        }
    }
}
