//! auditrelay-streams
