//! What pages show stays true while somebody looks: panels alone, and as a stream of events that
//! brings each panel when it has changed.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};

use askama::Template;
use auditrelay_api_core::query::Query;
use auditrelay_runtime::problem::Problem;
use axum::extract::Path;
use axum::response::sse::Event;
use http::Uri;
use serde_json::json;
use tokio::time::{Duration, Instant};

use super::feed::{Feed, Source};
use super::place::Place;
use super::visit::{Answer, Visit};
use super::{attempts, delivery, jobs, pace, page, replay};

/// How often panels are looked at again.
const LOOK: Duration = Duration::from_millis(1_500);
/// Charts change slowly and cost more.
const LOOK_AT_CHARTS: Duration = Duration::from_secs(30);

/// A part of a page that changes by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Panel {
    Attempts,
    Delivery,
    History,
    Pace,
    Replay,
}

impl Panel {
    const ALL: [(Self, &'static str); 5] = [
        (Self::Attempts, "attempts"),
        (Self::Delivery, "delivery"),
        (Self::History, "history"),
        (Self::Pace, "pace"),
        (Self::Replay, "replay"),
    ];

    fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == name).map(|(panel, _)| *panel)
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Attempts => "attempts",
            Self::Delivery => "delivery",
            Self::History => "history",
            Self::Pace => "pace",
            Self::Replay => "replay",
        }
    }

    async fn html(self, visit: &Visit, place: &Place) -> Result<String, Problem> {
        match self {
            Self::Attempts => written(&attempts::Panel::read(visit, place).await?),
            Self::Delivery => written(&delivery::Panel::read(visit, place).await?),
            Self::History => written(&jobs::History::read(visit, place).await?),
            Self::Pace => written(&pace::Panel::read(visit, place).await?),
            Self::Replay => written(&replay::Panel::read(visit, place).await?),
        }
    }
}

fn written(panel: &impl Template) -> Result<String, Problem> {
    panel.render().map_err(|_| Problem::internal())
}

pub(super) async fn panel(visit: Visit, Path((scope, name)): Path<(String, String)>) -> Answer {
    let place = Place::named(&scope, visit.org, &visit.config)?;
    let panel = Panel::parse(&name).ok_or_else(Problem::not_found)?;
    Ok(page::fragment(panel.html(&visit, &place).await?))
}

/// A stream of panels.
pub(super) async fn watch(visit: Visit, Path(scope): Path<String>, uri: Uri) -> Answer {
    let place = Place::named(&scope, visit.org, &visit.config)?;
    let query = Query::parse(uri.query());
    let names = query.pairs().filter(|(key, _)| *key == "panel").map(|(_, name)| name);
    let mut watched: Vec<Watched> = Vec::new();
    for panel in names.filter_map(Panel::parse) {
        if watched.iter().all(|known| known.panel != panel) {
            watched.push(Watched { panel, sent: None, looked: None });
        }
    }
    Feed::open(visit, Watch { place, watched })
}

/// The panels of one page.
struct Watch {
    place: Place,
    watched: Vec<Watched>,
}

struct Watched {
    panel: Panel,
    /// What the reader has.
    sent: Option<u64>,
    looked: Option<Instant>,
}

impl Source for Watch {
    const EVERY: Duration = LOOK;

    async fn look(&mut self, visit: &Visit) -> Result<VecDeque<Event>, Problem> {
        let mut changed = VecDeque::new();
        for watched in &mut self.watched {
            let slow = watched.panel == Panel::Pace;
            let rested = watched.looked.is_none_or(|at| at.elapsed() >= LOOK_AT_CHARTS);
            if slow && !rested {
                continue;
            }
            watched.looked = Some(Instant::now());
            let html = watched.panel.html(visit, &self.place).await?;
            let essence = Some(essence(&html));
            if std::mem::replace(&mut watched.sent, essence) != essence {
                let data = json!({"panel": watched.panel.name(), "html": html}).to_string();
                changed.push_back(Event::default().event("panel").data(data));
            }
        }
        Ok(changed)
    }
}

/// What changes in a panel although it says the same: how long ago something was, and what forms
/// are sealed with.
const FLEETING: [(&str, &str); 2] =
    [("data-ago>", "</time>"), ("name=\"form_token\" value=\"", "\"")];

/// What a panel says, without what is fleeting.
fn essence(html: &str) -> u64 {
    let mut text = html.to_owned();
    for (from, to) in FLEETING {
        let mut parts = text.split(from);
        let mut kept = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            kept.push_str(part.split_once(to).map_or(part, |(_, rest)| rest));
        }
        text = kept;
    }
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_that_passes_is_no_change() {
        let html = |state: &str, ago: &str, rest: &str| {
            let ago = format!(r#"<time datetime="x" data-ago>{ago}</time>"#);
            let form = format!(r#"<input name="form_token" value="{}">"#, ago.len());
            format!("<p>{state} <time>exact</time> Tried {ago}, {rest}</p>{form}")
        };
        let first = essence(&html("running", "1 s ago", "200"));
        assert_eq!(first, essence(&html("running", "12 s ago", "200")));
        assert_ne!(first, essence(&html("running", "1 s ago", "500")));
        assert_ne!(first, essence(&html("completed", "1 s ago", "200")));
    }
}
