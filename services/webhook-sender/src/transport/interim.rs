//! Interim heads (1xx): an answer may come after some of them, but not after any number.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use auditrelay_webhook_sender_core::outcome::{FailureKind, Outcome};
use http::Request;
use tokio_util::sync::CancellationToken;

use super::failed;

/// A receiver that is at work says so now and then; one that says it all the time is not.
const INTERIM_HEADS_MAX: usize = 16;

/// Counts the interim heads of one exchange.
pub(super) struct Interim(CancellationToken);

impl Interim {
    pub(super) fn count<B>(request: &mut Request<B>) -> Self {
        let (exceeded, count) = (CancellationToken::new(), Arc::new(AtomicUsize::new(0)));
        let told = exceeded.clone();
        hyper::ext::on_informational(request, move |_| {
            if count.fetch_add(1, Ordering::Relaxed) >= INTERIM_HEADS_MAX {
                told.cancel();
            }
        });
        Self(exceeded)
    }

    /// Returns when there were too many.
    pub(super) async fn exceeded(&self) {
        self.0.cancelled().await;
    }

    pub(super) fn is_exceeded(&self) -> bool {
        self.0.is_cancelled()
    }
}

pub(super) fn too_many() -> Outcome {
    failed(FailureKind::Protocol, &format!("more than {INTERIM_HEADS_MAX} interim heads"))
}
