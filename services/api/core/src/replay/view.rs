//! How a job reads on the compatible wire.

use auditrelay_model::replay::{Job, Phase};
use serde::Serialize;

use crate::webhook::inline::ZERO_TIME;

/// A job on the compatible wire, which knows no pause: a paused job reads `running`.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct View {
    /// First instant that is sent again.
    pub start_at: String,
    /// Last instant that is sent again.
    pub end_at: String,
    /// How far it is; a cancelled job reads `failed`, which clients know.
    pub status: &'static str,
    /// When it last changed.
    pub updated_at: String,
}

impl View {
    /// A scope's newest job, or what stands for none.
    pub fn of(job: Option<&Job>) -> Self {
        let Some(job) = job else {
            return Self {
                start_at: ZERO_TIME.to_owned(),
                end_at: ZERO_TIME.to_owned(),
                status: "unconfigured",
                updated_at: ZERO_TIME.to_owned(),
            };
        };
        Self {
            start_at: job.window.start().to_string(),
            end_at: job.window.end().to_string(),
            status: match job.phase {
                Phase::Accepted | Phase::Pending(_) if job.paused.is_some() => "running",
                Phase::Accepted => "accepted",
                Phase::Pending(_) => "pending",
                Phase::Running { .. } => "running",
                Phase::Completed(_) => "completed",
                Phase::Failed { .. } | Phase::Cancelled { .. } => "failed",
            },
            updated_at: job.updated_at.to_string(),
        }
    }
}
