//! Pages of what is read from the newest back.

use auditrelay_api_core::query::Query;
use axum::response::Response;
use http::Uri;
use serde::Serialize;
use serde_json::json;

use super::response::ok;

/// A page, and the id that the next one comes after when more may follow.
pub(crate) struct Page<V> {
    pub(crate) data: Vec<V>,
    pub(crate) next: Option<u64>,
}

impl<V: Serialize> Page<V> {
    /// As it is answered to somebody who asked for so many.
    pub(super) fn answer(&self, uri: &Uri, query: &Query, size: usize) -> Response {
        let next = self.next.map(|id| {
            let query = query.with(&["page[after]"], &[("page[after]", &id.to_string())]);
            format!("{}?{query}", uri.path())
        });
        ok(&json!({ "data": self.data, "meta": { "size": size, "next": next } }))
    }
}
