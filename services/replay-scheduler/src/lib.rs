//! auditrelay-replay-scheduler
