//! `auditrelay.retention.v1`.

use auditrelay_model::Timestamp;
use auditrelay_proto::retention::v1 as wire;
use prost::Message;
use wire::retention_event::Fact;

use crate::retention::RetentionFact;

pub(crate) fn encode(at: Timestamp, fact: &RetentionFact) -> Vec<u8> {
    let fact = match fact {
        RetentionFact::StreamChanged { stream, changes } => {
            Fact::StreamChanged(wire::StreamChanged {
                stream: stream.clone(),
                changes: changes.clone(),
            })
        }
        RetentionFact::Coverage(state) => Fact::Coverage(wire::Coverage {
            first_sequence: state.first_sequence,
            last_sequence: state.last_sequence,
            records: state.messages,
            bytes: state.bytes,
            oldest_ns: state.oldest.map(Timestamp::nanos).unwrap_or_default(),
        }),
        RetentionFact::Risk { kind, detail } => {
            Fact::Risk(wire::Risk { kind: kind.clone(), detail: detail.clone() })
        }
    };
    wire::RetentionEvent { at_ns: at.nanos(), fact: Some(fact) }.encode_to_vec()
}
