//! auditrelay-webhook-sender
