//! `/v1/coverage`: what of the organization's log is really held now.

use auditrelay_api_core::authz::Ask;
use auditrelay_api_core::coverage::{EdgeView, LogView, View};
use auditrelay_model::Timestamp;

use super::request::organization_scope;
use super::response::{Answer, ok};
use crate::auth::Signed;
use crate::problems;

pub(super) async fn get(signed: Signed) -> Answer {
    let (scope, _) = organization_scope(&signed, Ask::ReadEvents)?;
    let streams = &signed.api.streams;
    let beginning = Timestamp::from_nanos(0);
    let read = tokio::try_join!(
        streams.events_state(),
        streams.first_record_at(scope, beginning),
        streams.last_head(scope),
    );
    let (state, oldest, newest) = read.map_err(|error| problems::unread(&error))?;
    let log = oldest.zip(newest).map(|(oldest, newest)| LogView {
        oldest: EdgeView::of(oldest.epoch, oldest.first_number, oldest.stored_at),
        newest: EdgeView::of(newest.epoch, newest.last_number, newest.stored_at),
    });
    Ok(ok(&View::of(state.oldest, log)))
}
