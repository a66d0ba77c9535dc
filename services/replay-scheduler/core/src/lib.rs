//! auditrelay-replay-scheduler-core
