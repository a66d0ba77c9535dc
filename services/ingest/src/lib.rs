//! auditrelay-ingest
