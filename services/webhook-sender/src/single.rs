//! A request that holds one event and belongs to no lane.

use auditrelay_format::{render, render_placed, seal_line};
use auditrelay_model::destination::Destination;
use auditrelay_model::event::AuditEvent;
use auditrelay_model::record::Place;
use auditrelay_model::{Scope, Timestamp};
use http::{HeaderName, HeaderValue};

use crate::gzip::gzip;
use crate::headers::{Stamp, headers, unix_seconds};
use crate::sender::Sender;
use crate::transport::Outgoing;

/// One event on its way, and how its request says why it is sent.
pub(crate) struct Single<'a> {
    pub(crate) scope: Scope,
    pub(crate) destination: &'a Destination,
    pub(crate) event: &'a AuditEvent,
    /// Where it stands in its log; none when it is made up.
    pub(crate) place: Option<Place>,
    pub(crate) mark: (HeaderName, HeaderValue),
}

impl Single<'_> {
    /// The request as a delivery of this one event would be, with its mark. Its id is the event's,
    /// so that it is the same however often it is sent.
    pub(crate) fn outgoing(&self, sender: &Sender, at: Timestamp) -> anyhow::Result<Outgoing> {
        let (destination, key) = (self.destination, sender.keys.signing.current());
        let format = destination.log_format;
        let (event, scope, vendor) = (self.event, self.scope, &sender.config.vendor);
        let line = match self.place {
            None => render(event, scope, format, vendor),
            Some(place) => render_placed(event, scope, place, format, vendor),
        };
        let signature = key.sign(line.as_bytes());
        let body = seal_line(line, format, &signature);
        let message_id = format!("msg_{}", self.event.id);
        let signature = key.sign_webhook(&message_id, unix_seconds(at), body.as_bytes());
        let stamp = Stamp { message_id: &message_id, at, signature: &signature };
        let mut headers = headers(sender, destination, &stamp)?;
        let (name, value) = self.mark.clone();
        headers.insert(name, value);
        Ok(Outgoing {
            org: self.scope.org(),
            url: destination.endpoint.clone(),
            tls: destination.tls,
            headers,
            body: gzip(body.as_ref()),
            deadline: sender.command_deadline(),
        })
    }
}
