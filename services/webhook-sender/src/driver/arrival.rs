//! From what the broker brought to what a lane takes in.

use std::sync::Arc;

use auditrelay_model::record::{Position, Record};
use auditrelay_model::replay::Stretch;
use auditrelay_streams::{Pulled, Undecodable};
use auditrelay_webhook_sender_core::lane::{Arrival, Body};

use super::Supply;

/// Larger records are decoded away from the threads that serve sockets.
const DECODE_INLINE_MAX: usize = 32 * 1024;

/// Reads a record, unless its head already says that nothing of it is selected.
pub(super) async fn read(pulled: Pulled, supply: &Supply, ended: Vec<Position>) -> Arrival {
    let head = pulled.head.clone();
    let numbers = Stretch { epoch: head.epoch, first: head.first_number, last: head.last_number };
    let selected = supply
        .selection()
        .is_none_or(|selection| selection.touches(numbers, head.ts_min, head.ts_max));
    let body = if selected { decode(pulled).await } else { Body::NotSelected };
    Arrival {
        sequence: head.sequence,
        stored_at: head.stored_at,
        oldest: supply.oldest(),
        epoch: head.epoch,
        first_number: head.first_number,
        last_number: head.last_number,
        body,
        ended,
        lost: head.lost,
    }
}

async fn decode(pulled: Pulled) -> Body {
    if pulled.len() <= DECODE_INLINE_MAX {
        return checked(&pulled, pulled.decode());
    }
    let away = pulled.clone();
    match tokio::task::spawn_blocking(move || away.decode()).await {
        Ok(decoded) => checked(&pulled, decoded),
        // The runtime is stopping: nobody else waits for this thread.
        Err(_) => checked(&pulled, pulled.decode()),
    }
}

/// The numbers in the head are what completeness is judged by: the record must agree.
fn checked(pulled: &Pulled, decoded: Result<Record, Undecodable>) -> Body {
    let head = &pulled.head;
    match decoded {
        Err(error) => Body::Corrupt(error.to_string()),
        Ok(record)
            if (record.epoch, record.first_number, record.last_number())
                == (head.epoch, head.first_number, head.last_number)
                && record.scope == head.scope
                && !record.events.is_empty() =>
        {
            Body::Record(Arc::new(record))
        }
        Ok(_) => Body::Corrupt("its numbers are not those of its head".to_owned()),
    }
}
