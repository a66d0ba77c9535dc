//! auditrelay-ingest-core
