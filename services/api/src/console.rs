//! The console: pages for people, at `/console`.
//!
//! Cast: the `gate` stands before every page (sessions, foreign origins, security headers);
//! `session` is a sealed cookie that every replica can open; a [`visit::Visit`] is somebody signed
//! in, as every handler takes it; `form` reads what a browser sends and turns refusals into words
//! beside fields; one file a page beyond that, each with its template in `templates/`.
//!
//! Invariants: a page decides nothing. It writes the body that the JSON API would get and calls
//! the same functions, so rules, roles and answers are the same. Whatever is shown is escaped by
//! the templates; an endpoint is never a link; an authorization value is in no page. Every page
//! works without JavaScript, and no page asks another host for anything.

mod assets;
mod attempts;
mod delivery;
mod destinations;
mod form;
mod gate;
mod live;
mod moment;
mod organization;
mod page;
mod pager;
mod place;
mod portals;
mod replay;
mod session;
mod sign_in;
mod visit;
mod webhook;
mod words;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};

use crate::api::Api;

/// Where the audit logs of one place are set up; `{base}` is a place's own path.
const PLACES: [&str; 2] = [place::KONNECT, "/console/setup/portals/{portal}"];

/// Every page.
pub(crate) fn routes(api: &Api) -> Router<Api> {
    let mut pages = Router::new()
        .route("/", get(page::home))
        .route("/console", get(page::home))
        .route("/console/", get(page::home))
        .route("/console/{*rest}", get(page::missing).post(page::missing))
        .route("/console/sign-in", get(sign_in::show).post(sign_in::enter))
        .route("/console/sign-out", post(sign_in::leave))
        .route("/console/organization", get(organization::show))
        .route("/console/portals", get(portals::all).post(portals::create))
        .route("/console/portals/new", get(portals::new))
        .route("/console/setup", get(page::setup))
        .route("/console/setup/portals", get(portals::logs).post(portals::save_log))
        .route("/console/setup/portals/new", get(portals::new_log))
        .route("/console/live/{scope}/attempts", get(live::attempts))
        .route("/console/live/{scope}/delivery", get(live::delivery))
        .route("/console/live/{scope}/replay", get(live::replay))
        .merge(destinations());
    for base in PLACES {
        pages = pages
            .route(base, get(webhook::show).post(webhook::save))
            .route(&format!("{base}/replay"), get(replay::show).post(replay::send))
            .route(&format!("{base}/replay/cancel"), post(replay::cancel));
    }
    let gate = gate::Gate::new(api.clone());
    let pages = pages.layer(from_fn_with_state(gate, gate::around));
    pages.route("/console/assets/{version}/{name}", get(assets::get))
}

fn destinations() -> Router<Api> {
    Router::new()
        .route("/console/setup/destinations", get(destinations::list).post(destinations::create))
        .route("/console/setup/destinations/new", get(destinations::new))
        .route("/console/setup/destinations/{id}", get(destinations::edit).post(destinations::save))
        .route(
            "/console/setup/destinations/{id}/delete",
            get(destinations::ask_delete).post(destinations::delete),
        )
}
