//! auditrelay-api
