//! auditrelay-proto
