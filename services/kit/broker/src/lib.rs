//! auditrelay-broker
