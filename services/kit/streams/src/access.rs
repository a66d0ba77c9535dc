//! Uses of tokens and denied calls.

mod log;

use std::collections::BTreeMap;

use auditrelay_model::Timestamp;
use auditrelay_model::access::{AccessEvent, Principal};
use auditrelay_model::id::{OrgId, TokenId};
use futures::StreamExt;

use crate::append::Outgoing;
use crate::codec;
use crate::connect::{REQUEST_TIMEOUT, Streams};
use crate::error::{AppendError, ReadError};
use crate::header;
use crate::subject;
use crate::topology::StreamName;

pub use log::AccessLog;

/// Services that check credentials.
const SERVICES: [&str; 2] = ["api", "ingest"];
/// Tokens that are asked about at once; the broker takes 1,024 subjects.
const TOKENS_AT_ONCE: usize = 500;

impl Streams {
    /// Stores what a service noticed about a caller.
    pub async fn append_access(
        &self,
        service: &str,
        event: &AccessEvent,
    ) -> Result<u64, AppendError> {
        self.append(Outgoing {
            subject: subject::access(service, event.org, &event.principal, &event.fact),
            payload: codec::access::encode(event).into(),
            ..Outgoing::default()
        })
        .await
    }

    /// When each of these tokens was last said to be used; tokens that never were are left out.
    pub async fn last_uses(
        &self,
        org: OrgId,
        tokens: &[TokenId],
    ) -> Result<BTreeMap<TokenId, Timestamp>, ReadError> {
        let mut last = BTreeMap::new();
        for some in tokens.chunks(TOKENS_AT_ONCE) {
            let subjects: Vec<String> = some
                .iter()
                .flat_map(|token| SERVICES.map(|service| subject::uses(service, org, *token)))
                .collect();
            let found = tokio::time::timeout(REQUEST_TIMEOUT, self.uses(&subjects));
            let found = found.await.map_err(ReadError::unavailable)??;
            for event in found {
                let Principal::Token(token) = event.principal else {
                    continue;
                };
                let at = last.entry(token).or_insert(event.at);
                *at = event.at.max(*at);
            }
        }
        Ok(last)
    }

    async fn uses(&self, subjects: &[String]) -> Result<Vec<AccessEvent>, ReadError> {
        let request = serde_json::json!({ "multi_last": subjects }).to_string();
        let client = self.context.client();
        let inbox = client.new_inbox();
        let mut answers = client.subscribe(inbox.clone()).await.map_err(ReadError::unavailable)?;
        let asked = format!("$JS.API.DIRECT.GET.{}", StreamName::Access);
        client
            .publish_with_reply(asked, inbox, request.into())
            .await
            .map_err(ReadError::unavailable)?;
        let mut found = Vec::new();
        while let Some(answer) = answers.next().await {
            // Every message says how many follow it; any status ends the answer.
            if answer.status.is_some() {
                break;
            }
            found.extend(codec::access::decode(&answer.payload).ok());
            let pending = answer.headers.as_ref().and_then(|some| header::text(some, PENDING));
            if pending == Some("0") {
                break;
            }
        }
        Ok(found)
    }
}

const PENDING: &str = "Nats-Num-Pending";
