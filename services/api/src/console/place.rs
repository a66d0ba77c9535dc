//! Whose audit log a page is about: the organization's own, or a Dev Portal's.

use auditrelay_model::Scope;
use auditrelay_model::config::OrgConfig;
use auditrelay_model::id::{OrgId, PortalId};
use auditrelay_runtime::problem::Problem;
use axum::extract::{FromRequestParts, RawPathParams};
use http::request::Parts;

use super::page::Section;
use super::visit::Refusal;
use crate::api::Api;

/// Where the organization's own log is set up.
pub(super) const KONNECT: &str = "/console/setup/konnect";

/// The place that the path names.
#[derive(Debug, Clone, Copy)]
pub(super) enum Named {
    Organization,
    Portal(PortalId),
}

impl FromRequestParts<Api> for Named {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Refusal> {
        let params = RawPathParams::from_request_parts(parts, api).await;
        let params = params.map_err(|_| Problem::not_found())?;
        match params.iter().find(|(name, _)| *name == "portal") {
            None => Ok(Self::Organization),
            Some((_, id)) => Ok(Self::Portal(id.parse().map_err(|_| Problem::not_found())?)),
        }
    }
}

/// A place that exists.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) scope: Scope,
    /// What people call it.
    pub(super) name: String,
    /// The path of its settings.
    pub(super) base: String,
}

impl Place {
    /// The place, if it exists in the organization.
    pub(super) fn find(named: Named, org: OrgId, config: &OrgConfig) -> Result<Self, Problem> {
        match named {
            Named::Organization => Ok(Self::organization(org)),
            Named::Portal(id) => {
                let portal = config.portals.get(&id).ok_or_else(Problem::not_found)?;
                Ok(Self::portal(org, id, &portal.display_name))
            }
        }
    }

    /// The place by its name in paths and queries: `org`, or a portal's id.
    pub(super) fn named(token: &str, org: OrgId, config: &OrgConfig) -> Result<Self, Problem> {
        let named = match Scope::from_token(org, token).ok_or_else(Problem::not_found)? {
            Scope::Organization(_) => Named::Organization,
            Scope::Portal(_, portal) => Named::Portal(portal),
        };
        Self::find(named, org, config)
    }

    pub(super) fn organization(org: OrgId) -> Self {
        let (name, base) = ("Konnect".to_owned(), KONNECT.to_owned());
        Self { scope: Scope::Organization(org), name, base }
    }

    pub(super) fn portal(org: OrgId, id: PortalId, name: &str) -> Self {
        let base = format!("/console/setup/portals/{id}");
        Self { scope: Scope::Portal(org, id), name: name.to_owned(), base }
    }

    pub(super) const fn section(&self) -> Section {
        match self.scope {
            Scope::Organization(_) => Section::Konnect,
            Scope::Portal(..) => Section::PortalLogs,
        }
    }

    /// Whether it is a Dev Portal.
    pub(super) fn is_portal(&self) -> bool {
        self.scope.portal().is_some()
    }

    /// Where a script asks about it.
    pub(super) fn live(&self) -> String {
        format!("/console/live/{}", self.scope.token())
    }
}
