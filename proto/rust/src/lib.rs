//! What travels over the broker, and what producers may post, as Rust: the messages of `proto/auditrelay/**/*.proto`.
//!
//! The code in `src/gen` is generated and committed, so that nobody needs a compiler for protobuf
//! to build. `cargo test -p auditrelay-proto` fails when it differs from the contract;
//! `UPDATE=1 cargo test -p auditrelay-proto` writes it anew. Modules mirror the packages, with one
//! exception: `auditrelay.type` is [`types`], because `type` is a keyword.
//!
//! Only `auditrelay-streams` uses these messages; every other crate speaks `auditrelay-model`. What
//! producers post is read in place by ingest's core, whose tests compare it with what is here.

#![expect(
    missing_docs,
    clippy::doc_markdown,
    clippy::large_enum_variant,
    rustdoc::invalid_html_tags,
    reason = "generated: comments of the contract become docs where it has some"
)]

// Generated code finds the package by its own name.
use types as r#type;

/// `auditrelay.access`
pub mod access {
    /// `auditrelay.access.v1`: uses of tokens, denied calls.
    pub mod v1 {
        include!("gen/auditrelay.access.v1.rs");
    }
}

/// `auditrelay.config`
pub mod config {
    /// `auditrelay.config.v1`: how organizations are configured.
    pub mod v1 {
        include!("gen/auditrelay.config.v1.rs");
    }
}

/// `auditrelay.delivery`
pub mod delivery {
    /// `auditrelay.delivery.v1`: what the lanes do.
    pub mod v1 {
        include!("gen/auditrelay.delivery.v1.rs");
    }
}

/// `auditrelay.event`
pub mod event {
    /// `auditrelay.event.v1`: audit events and the records that hold them.
    pub mod v1 {
        include!("gen/auditrelay.event.v1.rs");
    }
}

/// `auditrelay.otlp`
pub mod otlp {
    /// `auditrelay.otlp.v1`: the part of OpenTelemetry's logs that ingest reads.
    pub mod v1 {
        include!("gen/auditrelay.otlp.v1.rs");
    }
}

/// `auditrelay.replay`
pub mod replay {
    /// `auditrelay.replay.v1`: replay jobs.
    pub mod v1 {
        include!("gen/auditrelay.replay.v1.rs");
    }
}

/// `auditrelay.retention`
pub mod retention {
    /// `auditrelay.retention.v1`: what the streams hold.
    pub mod v1 {
        include!("gen/auditrelay.retention.v1.rs");
    }
}

/// `auditrelay.type`
pub mod types {
    /// `auditrelay.type.v1`: words that several packages use.
    pub mod v1 {
        include!("gen/auditrelay.type.v1.rs");
    }
}
