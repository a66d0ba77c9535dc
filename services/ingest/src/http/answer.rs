//! Answers: what the core found, in the words of the wire.

use std::time::Duration;

use auditrelay_ingest_core::rejection::{Rejection, RejectionKind};
use auditrelay_model::id::EventId;
use auditrelay_runtime::problem::{InvalidParameter, Problem};
use axum::Json;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Serialize;

use crate::appender::Failure;

/// 503: the broker is away, or nobody knows whether it stored the events.
pub(crate) fn not_reachable() -> Problem {
    Problem::unavailable("The event store is not reachable", Duration::from_secs(5))
}

/// Why events were not stored, or may not have been.
pub(super) fn failure(failure: Failure) -> Problem {
    match failure {
        Failure::Unavailable => not_reachable(),
        Failure::Full => Problem::unavailable("The event store is full", Duration::from_mins(1)),
        Failure::Busy => {
            Problem::unavailable("Too many requests are held at once", Duration::from_secs(1))
        }
        Failure::KeyTaken => Problem::conflict("Idempotency-Key was used for another request"),
    }
}

/// 400 with everything that is wrong.
pub(super) fn refusal(rejections: Vec<Rejection>) -> Problem {
    Problem::invalid(rejections.into_iter().map(invalid).collect())
}

pub(super) fn invalid(Rejection { field, kind }: Rejection) -> InvalidParameter {
    match kind {
        RejectionKind::Syntax => InvalidParameter::unreadable(field),
        RejectionKind::Repeated => InvalidParameter::invalid(field, "is given more than once"),
        RejectionKind::Unknown => InvalidParameter::unknown(field),
        RejectionKind::Required => InvalidParameter::required(field),
        RejectionKind::Blank => InvalidParameter::blank(field),
        RejectionKind::Type(wanted) => InvalidParameter::type_(field, wanted.name()),
        RejectionKind::Choice(choices) => InvalidParameter::choices(field, &choices),
        RejectionKind::MaxLength(max) => InvalidParameter::max_length(field, max),
        RejectionKind::MaxItems(max) => InvalidParameter::max_items(field, max),
        RejectionKind::MinItems(min) => InvalidParameter::min_items(field, min),
        RejectionKind::Max(max) => InvalidParameter::max(field, max),
        RejectionKind::Min(min) => InvalidParameter::min(field, min),
        RejectionKind::DateTime => InvalidParameter::date_time(field),
        RejectionKind::Reference => InvalidParameter::missing_reference(field),
        RejectionKind::Invalid(why) => InvalidParameter::invalid(field, why),
    }
}

/// 202: every event is stored.
#[derive(Debug, Serialize)]
pub(super) struct Accepted {
    #[serde(rename = "accepted")]
    count: usize,
    ids: Vec<String>,
    /// How many were stored by an earlier request already.
    #[serde(skip_serializing_if = "is_zero")]
    duplicates: usize,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_zero(number: &usize) -> bool {
    *number == 0
}

impl Accepted {
    pub(super) fn new(ids: &[EventId], duplicates: usize) -> Self {
        let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
        Self { count: ids.len(), ids, duplicates }
    }
}

impl IntoResponse for Accepted {
    fn into_response(self) -> Response {
        (StatusCode::ACCEPTED, Json(self)).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_names_the_ids_and_duplicates_only_when_there_are_any() {
        let id: EventId = "3e551b39-227d-4297-b911-e68fd5d77c17".parse().unwrap();
        let text = |duplicates| serde_json::to_string(&Accepted::new(&[id], duplicates)).unwrap();
        let ids = r#""ids":["3e551b39-227d-4297-b911-e68fd5d77c17"]"#;
        assert_eq!(text(0), format!(r#"{{"accepted":1,{ids}}}"#));
        assert_eq!(text(1), format!(r#"{{"accepted":1,{ids},"duplicates":1}}"#));
    }

    #[test]
    fn what_is_unreadable_is_told_in_the_words_of_the_catalogue() {
        let field = "line 4".to_owned();
        let problem = refusal(vec![Rejection { field, kind: RejectionKind::Syntax }]);
        assert_eq!(problem.detail, "Could not parse request body");
        assert_eq!(problem.invalid[0].field, "line 4");
        assert_eq!(problem.invalid[0].reason, "request format is invalid");
    }
}
