//! auditrelay-testkit
