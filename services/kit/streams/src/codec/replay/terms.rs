//! What a job is asked for beyond its window.

use auditrelay_model::destination::LogFormat;
use auditrelay_model::event::EventKind;
use auditrelay_model::replay::{Remainder, Target, Terms};
use auditrelay_proto::replay::v1 as wire;

use super::{place_from_wire, place_to_wire};
use crate::codec::{DecodeError, parse};

pub(super) fn to_wire(terms: &Terms) -> wire::Terms {
    let Terms { name, kinds, unacknowledged_only, target, remainder } = terms;
    wire::Terms {
        name: name.clone().unwrap_or_default(),
        kinds: kinds.iter().map(|kind| kind.name().to_owned()).collect(),
        unacknowledged_only: *unacknowledged_only,
        destination_id: target.destination.map(|id| id.to_string()).unwrap_or_default(),
        log_format: target.log_format.map(|format| format.name().to_owned()).unwrap_or_default(),
        remainder_of: remainder.map(|rest| rest.of.to_string()).unwrap_or_default(),
        after: remainder.and_then(|rest| rest.after).map(place_to_wire),
    }
}

/// A filter that is not understood must not be passed over: more than was asked for would go out.
pub(super) fn from_wire(terms: Option<wire::Terms>) -> Result<Terms, DecodeError> {
    let terms = terms.unwrap_or_default();
    let kind = |name: &String| EventKind::from_name(name).ok_or(DecodeError::Field("kinds"));
    let format = |name: &str| LogFormat::from_name(name).ok_or(DecodeError::Field("log_format"));
    let given = |text: String| Some(text).filter(|text| !text.is_empty());
    let destination = given(terms.destination_id);
    let remainder_of = given(terms.remainder_of);
    let after = terms.after.map(place_from_wire);
    Ok(Terms {
        name: given(terms.name),
        kinds: terms.kinds.iter().map(kind).collect::<Result<_, _>>()?,
        unacknowledged_only: terms.unacknowledged_only,
        target: Target {
            destination: destination.map(|id| parse(&id, "destination_id")).transpose()?,
            log_format: given(terms.log_format).map(|name| format(&name)).transpose()?,
        },
        remainder: remainder_of
            .map(|job| Ok(Remainder { of: parse(&job, "remainder_of")?, after }))
            .transpose()?,
    })
}
