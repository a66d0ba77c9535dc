//! Panels alone, for the script that keeps them true while somebody looks.

use axum::extract::Path;

use auditrelay_model::Scope;
use auditrelay_runtime::problem::Problem;

use super::attempts;
use super::delivery;
use super::page;
use super::place::{Named, Place};
use super::replay;
use super::visit::{Answer, Visit};

pub(super) async fn attempts(visit: Visit, Path(scope): Path<String>) -> Answer {
    let place = place(&visit, &scope)?;
    Ok(page::ok(&attempts::Panel::read(&visit, &place).await?))
}

pub(super) async fn delivery(visit: Visit, Path(scope): Path<String>) -> Answer {
    let place = place(&visit, &scope)?;
    Ok(page::ok(&delivery::Panel::read(&visit, &place).await?))
}

pub(super) async fn replay(visit: Visit, Path(scope): Path<String>) -> Answer {
    let place = place(&visit, &scope)?;
    Ok(page::ok(&replay::Panel::read(&visit, &place).await?))
}

fn place(visit: &Visit, token: &str) -> Result<Place, Problem> {
    let named = match Scope::from_token(visit.org, token).ok_or_else(Problem::not_found)? {
        Scope::Organization(_) => Named::Organization,
        Scope::Portal(_, portal) => Named::Portal(portal),
    };
    Place::find(named, visit.org, &visit.config)
}
