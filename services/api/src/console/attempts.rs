//! The requests that a webhook sent last.

use askama::Template;
use askama::filters::HtmlSafe;
use auditrelay_runtime::problem::Problem;

use super::place::Place;
use super::requests::{self, Row};
use super::visit::Visit;

/// How many are shown.
const SHOWN: usize = 8;

/// The list below a webhook's settings.
#[derive(Template)]
#[template(path = "attempts.html")]
pub(super) struct Panel {
    rows: Vec<Row>,
}

impl HtmlSafe for Panel {}

impl Panel {
    pub(super) async fn read(visit: &Visit, place: &Place) -> Result<Self, Problem> {
        Ok(Self { rows: requests::newest(visit, place, SHOWN).await? })
    }
}
