//! How states read.

use askama::Template;
use askama::filters::HtmlSafe;

/// A state in a word, with a colour that repeats what the word says.
#[derive(Template)]
#[template(source = r#"<span class="badge {{ tone }}">{{ word }}</span>"#, ext = "html")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Badge {
    pub(super) word: &'static str,
    pub(super) tone: &'static str,
}

impl HtmlSafe for Badge {}

impl Badge {
    /// A webhook's status.
    pub(super) fn of_webhook(status: &str) -> Self {
        match status {
            "active" => Self { word: "Active", tone: "good" },
            "inactive" => Self { word: "Inactive", tone: "bad" },
            _ => Self { word: "Unconfigured", tone: "quiet" },
        }
    }

    /// The switch, which is a wish.
    pub(super) const fn of_switch(enabled: bool) -> Self {
        if enabled {
            Self { word: "Enabled", tone: "good" }
        } else {
            Self { word: "Disabled", tone: "quiet" }
        }
    }

    /// A replay job's state.
    pub(super) fn of_replay(state: &str) -> Self {
        match state {
            "queued" => Self { word: "Queued", tone: "busy" },
            "paused" => Self { word: "Paused", tone: "warn" },
            "accepted" => Self { word: "Accepted", tone: "busy" },
            "pending" => Self { word: "Pending", tone: "busy" },
            "running" => Self { word: "Running", tone: "busy" },
            "completed" => Self { word: "Completed", tone: "good" },
            "failed" => Self { word: "Failed", tone: "bad" },
            "cancelled" => Self { word: "Cancelled", tone: "warn" },
            _ => Self { word: "Unconfigured", tone: "quiet" },
        }
    }
}

/// What a replay job's state means.
pub(super) fn replay_description(state: &str) -> &'static str {
    match state {
        "queued" => "The job waits until another one of this log has ended.",
        "paused" => "The job is paused and goes on where it stopped when somebody resumes it.",
        "accepted" => "The job has been accepted for scheduling.",
        "pending" => "The job has been scheduled.",
        "running" => "The job is in progress.",
        "completed" => "The job has finished with no errors.",
        "failed" => "The job has failed.",
        "cancelled" => "The job was cancelled before it finished.",
        _ => "The job has not been set up. This is the job's initial state.",
    }
}
