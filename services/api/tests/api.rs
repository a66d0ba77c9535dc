//! The API as its clients call it: over HTTP, against a real nats-server.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "this is test code")]

#[path = "api/support.rs"]
mod support;

#[path = "api/audit_logs.rs"]
mod audit_logs;
#[path = "api/browser.rs"]
mod browser;
#[path = "api/console.rs"]
mod console;
#[path = "api/console_sessions.rs"]
mod console_sessions;
#[path = "api/console_speed.rs"]
mod console_speed;
#[path = "api/guesses.rs"]
mod guesses;
#[path = "api/inputs.rs"]
mod inputs;
#[path = "api/kongctl.rs"]
mod kongctl;
#[path = "api/latency.rs"]
mod latency;
#[path = "api/log.rs"]
mod log;
#[path = "api/observed.rs"]
mod observed;
#[path = "api/oidc.rs"]
mod oidc;
#[path = "api/openapi.rs"]
mod openapi;
#[path = "api/own.rs"]
mod own;
#[path = "api/properties.rs"]
mod properties;
#[path = "api/pulls.rs"]
mod pulls;
#[path = "api/replay.rs"]
mod replay;
#[path = "api/replicas.rs"]
mod replicas;
#[path = "api/roles.rs"]
mod roles;
#[path = "api/sdk.rs"]
mod sdk;
#[path = "api/terraform.rs"]
mod terraform;
#[path = "api/test_delivery.rs"]
mod test_delivery;
