//! The console: pages for people, at `/console`.
//!
//! Cast: the `gate` stands before every page (sessions, foreign origins, security headers);
//! `session` is a sealed cookie that every replica can open; `provider` is the way to an identity
//! provider and back; `kept` is a form that came when its session was over; a [`visit::Visit`] is somebody signed
//! in, as every handler takes it; `form` reads what a browser sends and turns refusals into words
//! beside fields; one file a page beyond that, each with its template in `templates/`.
//!
//! Invariants: a page decides nothing. It writes the body that the JSON API would get and calls
//! the same functions, so rules, roles and answers are the same. Whatever is shown is escaped by
//! the templates; an endpoint is never a link; an authorization value is in no page. Every page
//! works without JavaScript, and no page asks another host for anything.

mod access;
mod assets;
mod attempts;
mod behind;
mod chart;
mod coverage;
mod delivery;
mod destinations;
mod entry;
mod event;
mod events;
mod feed;
mod form;
mod gate;
mod glance;
mod jobs;
mod kept;
mod keys;
mod lanes;
mod live;
mod moment;
mod organization;
mod overview;
mod pace;
mod page;
mod pager;
mod place;
mod portals;
mod preview;
mod provider;
mod quarantine;
mod replay;
mod requests;
mod session;
mod sign_in;
mod tail;
mod tested;
mod theme;
mod visit;
mod webhook;
mod words;

pub(crate) use lanes::LaneMemory;

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
        .route("/console/sign-in/provider", get(provider::begin).post(provider::begin_again))
        .route(crate::oidc::BACK, get(provider::back))
        .route("/console/sign-out", post(sign_in::leave))
        .route("/console/theme", post(theme::choose))
        .route("/console/organization", get(organization::show))
        .route("/console/keys", get(keys::show).post(keys::check))
        .route("/console/portals", get(portals::all).post(portals::create))
        .route("/console/portals/new", get(portals::new))
        .route("/console/setup", get(page::setup))
        .route("/console/setup/portals", get(portals::logs).post(portals::save_log))
        .route("/console/setup/portals/new", get(portals::new_log))
        .route("/console/overview", get(overview::show))
        .route("/console/events", get(events::list))
        .route("/console/events/{log}/{sequence}/{number}", get(event::show))
        .route("/console/live/{scope}/watch", get(live::watch))
        .route("/console/live/{scope}/tail", get(tail::follow))
        .route("/console/live/{scope}/{panel}", get(live::panel))
        .merge(access())
        .merge(destinations());
    for base in PLACES {
        pages = pages
            .route(base, get(webhook::show).post(webhook::save))
            .route(&format!("{base}/replay"), get(replay::show).post(replay::send))
            .route(&format!("{base}/replay/estimate"), post(replay::estimate))
            .route(&format!("{base}/replay/cancel"), post(jobs::cancel))
            .route(&format!("{base}/replay/pause"), post(jobs::pause))
            .route(&format!("{base}/replay/resume"), post(jobs::resume))
            .route(&format!("{base}/replay/{{job}}/retry"), post(jobs::retry))
            .route(&format!("{base}/replay/{{job}}/report"), get(jobs::report))
            .route(&format!("{base}/quarantine"), get(quarantine::list))
            .route(&format!("{base}/quarantine/{{parked}}/resend"), post(quarantine::resend))
            .route(&format!("{base}/quarantine/{{parked}}/discard"), post(quarantine::discard))
            .route(&format!("{base}/requests"), get(requests::list))
            .route(&format!("{base}/requests/{{sequence}}"), get(requests::show));
    }
    let pages = pages.layer(from_fn_with_state(api.clone(), gate::around));
    pages.route("/console/assets/{version}/{name}", get(assets::get))
}

fn access() -> Router<Api> {
    Router::new()
        .route("/console/access", get(access::list).post(access::create))
        .route("/console/access/new", get(access::new))
        .route("/console/access/{id}/revoke", get(access::ask_revoke).post(access::revoke))
}

fn destinations() -> Router<Api> {
    Router::new()
        .route("/console/setup/destinations", get(destinations::list).post(destinations::create))
        .route("/console/setup/destinations/new", get(destinations::new))
        .route("/console/setup/destinations/test", post(destinations::try_new))
        .route("/console/setup/destinations/{id}/test", post(destinations::try_stored))
        .route("/console/setup/destinations/{id}", get(destinations::edit).post(destinations::save))
        .route(
            "/console/setup/destinations/{id}/delete",
            get(destinations::ask_delete).post(destinations::delete),
        )
}
