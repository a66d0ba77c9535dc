//! `send`: audit events to ingest, each accepted or told why not.

mod input;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use auditrelay_model::Clock;
use auditrelay_model::event::EventKind;
use auditrelay_model::id::{EventId, PortalId};
use auditrelay_runtime::clock::SystemClock;
use auditrelay_runtime::ids;
use http::Method;
use serde_json::{Value, json};
use tokio::time::Instant;
use url::Url;

use self::input::Batches;
use crate::client::{Answer, Call, Client, ClientError, ServerArgs, server_url};
use crate::failure::Failure;
use crate::output::{self, Output};
use crate::sample::Sample;
use crate::span;

const EXAMPLES: &str = "\
Examples:
  auditrelay send                                   ten samples of all kinds
  auditrelay send --count 5000 --rate 200           a steady stream
  auditrelay send --portal 3e551b39-… --count 100   logins of a developer portal
  auditrelay send --file events.ndjson --output json
  my-exporter | auditrelay send --file -

Every event carries its own id and every request an Idempotency-Key: what is tried again after
a lost answer is never stored twice.";

/// What to send.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct SendArgs {
    #[command(flatten)]
    server: ServerArgs,

    /// Where ingest listens, when that is another address than the API's
    #[arg(long, env = "AUDITRELAY_INGEST_URL", value_name = "URL", value_parser = server_url)]
    ingest_url: Option<Url>,

    /// Events from this file (- for stdin): JSON objects, an array of them, or one a line
    #[arg(long, value_name = "FILE", conflicts_with_all = ["count", "kind"])]
    file: Option<PathBuf>,

    /// How many samples
    #[arg(long, default_value_t = 10, value_name = "N")]
    count: u64,

    /// Events a second; without it as fast as they are accepted
    #[arg(long, value_name = "R", value_parser = clap::value_parser!(u32).range(1..))]
    rate: Option<u32>,

    /// The portal the events belong to; without it they are the organization's own
    #[arg(long, value_name = "ID")]
    portal: Option<PortalId>,

    /// Most events of a request
    #[arg(long, default_value_t = 100, value_name = "N",
          value_parser = clap::value_parser!(u16).range(1..=1000))]
    batch: u16,

    #[arg(long, value_parser = kind,
          help = "Only this kind of sample: authentication, authorization or gateway_access")]
    kind: Option<EventKind>,

    /// How long to go on trying when the server is busy or away
    #[arg(long, default_value = "60s", value_name = "TIME", value_parser = span::parse)]
    patience: Duration,
}

fn kind(text: &str) -> Result<EventKind, String> {
    EventKind::from_name(text).ok_or_else(|| {
        let names: Vec<&str> = EventKind::ALL.iter().map(|kind| kind.name()).collect();
        format!("expected one of {}", names.join(", "))
    })
}

/// What has been sent so far.
#[derive(Debug, Default)]
struct Sent {
    accepted: u64,
    ids: Vec<Value>,
    requests: u64,
    retries: u64,
}

/// Sends everything, or stops at the first refusal and says how far it came.
pub(crate) async fn run(args: SendArgs, output: Output) -> Result<ExitCode, Failure> {
    let url = args.ingest_url.clone().unwrap_or_else(|| args.server.url.clone());
    let client = Client::from_args(&ServerArgs { url, ..args.server.clone() })?;
    let mut batches = batches(&args)?;
    let mut sent = Sent::default();
    let began = Instant::now();
    let result = loop {
        let Some(batch) = batches.next() else { break Ok(()) };
        if let Some(rate) = args.rate {
            tokio::time::sleep_until(began + due(sent.accepted, rate)).await;
        }
        match post(&client, batch, args.patience, &mut sent).await {
            Ok(answer) => sent.note(&answer, output),
            Err(error) => break Err(error),
        }
    };
    sent.tell(output, result.is_err());
    result.map(|()| ExitCode::SUCCESS).map_err(Failure::from)
}

fn batches(args: &SendArgs) -> Result<Batches, Failure> {
    let events: Box<dyn Iterator<Item = Value> + Send> = if let Some(path) = &args.file {
        Box::new(input::read(path, args.portal)?.into_iter())
    } else {
        let sample = Sample { portal: args.portal, kind: args.kind };
        Box::new((0..args.count).map(move |number| {
            sample.draft(number, EventId::from_uuid(ids::uuid_v7()), SystemClock.now())
        }))
    };
    // No more at once than what a second may bring.
    let most = u32::from(args.batch).min(args.rate.unwrap_or(u32::MAX));
    Ok(Batches::new(events, usize::try_from(most).unwrap_or(usize::MAX)))
}

/// When the event after `sent` others is due.
fn due(sent: u64, rate: u32) -> Duration {
    let nanos = u128::from(sent) * 1_000_000_000 / u128::from(rate.max(1));
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

async fn post(
    client: &Client,
    batch: Vec<Value>,
    patience: Duration,
    sent: &mut Sent,
) -> Result<Value, ClientError> {
    let call = Call {
        method: Method::POST,
        path: "/v1/audit-events",
        body: Some(Value::Array(batch).to_string()),
        idempotency_key: Some(ids::uuid_v7().to_string()),
    };
    let retries = &mut sent.retries;
    let answer: Answer = client
        .patiently(&call, patience, |why, pause| {
            *retries += 1;
            output::note(&format!("{why}; again in {} ms", pause.as_millis()));
        })
        .await?;
    answer.success(&call)
}

impl Sent {
    fn note(&mut self, answer: &Value, output: Output) {
        self.requests += 1;
        self.accepted += answer.get("accepted").and_then(Value::as_u64).unwrap_or(0);
        // Only programs are told the ids; a long run for people keeps no list.
        if let (Output::Json, Some(ids)) = (output, answer.get("ids").and_then(Value::as_array)) {
            self.ids.extend_from_slice(ids);
        }
    }

    fn tell(&self, output: Output, failed: bool) {
        match output {
            Output::Json => output::json(&json!({
                "accepted": self.accepted,
                "ids": self.ids,
                "requests": self.requests,
                "retries": self.retries,
            })),
            Output::Text if failed && self.accepted == 0 => {}
            Output::Text => {
                let events = if self.accepted == 1 { "event" } else { "events" };
                let requests = if self.requests == 1 { "request" } else { "requests" };
                output::line(&format!(
                    "accepted {} {events} in {} {requests}",
                    self.accepted, self.requests
                ));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_spreads_events_evenly() {
        assert_eq!(due(0, 50), Duration::ZERO);
        assert_eq!(due(100, 50), Duration::from_secs(2));
        assert_eq!(due(1, 3), Duration::from_nanos(333_333_333));
    }

    #[test]
    fn kinds_are_named_as_producers_name_them() {
        assert_eq!(kind("gateway_access"), Ok(EventKind::Access));
        assert!(kind("access").unwrap_err().contains("gateway_access"));
    }
}
