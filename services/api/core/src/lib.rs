//! auditrelay-api-core
