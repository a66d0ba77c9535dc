//! auditrelay-webhook-sender-core
