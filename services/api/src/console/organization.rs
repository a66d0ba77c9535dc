//! The organization: what there is to set up in it, and how much of it is.

use askama::Template;
use auditrelay_model::config::OrgConfig;

use super::keys;
use super::moment::number;
use super::page::{self, Frame, Section};
use super::visit::{Answer, Visit};

#[derive(Template)]
#[template(path = "organization.html")]
struct Page {
    frame: Frame,
    id: String,
    tiles: [Tile; 4],
}

/// A link with what lies behind it.
struct Tile {
    name: &'static str,
    href: &'static str,
    what: &'static str,
    state: String,
}

pub(super) async fn show(visit: Visit) -> Answer {
    let frame = visit.frame("Organization", Section::Organization)?;
    let tiles = tiles(&visit);
    Ok(page::ok(&Page { frame, id: visit.org.to_string(), tiles }))
}

fn tiles(visit: &Visit) -> [Tile; 4] {
    let config: &OrgConfig = &visit.config;
    let destinations = config.destinations.values().filter(|one| !one.implicit).count();
    let enabled = config.webhooks.values().filter(|webhook| webhook.enabled).count();
    let signs = keys::all(visit.api()).next().map(|key| key.kid().to_owned()).unwrap_or_default();
    let counted = |count: usize, what: &str| {
        format!("{} {what}{}", number(count), if count == 1 { "" } else { "s" })
    };
    [
        Tile {
            name: "Audit Logs Setup",
            href: page::SETUP,
            what: "Which log goes to which endpoint, and replays.",
            state: format!(
                "{}, {} on",
                counted(destinations, "destination"),
                counted(enabled, "webhook")
            ),
        },
        Tile {
            name: "Access",
            href: "/console/access",
            what: "Who may call the API, send events and sign in here.",
            state: counted(config.tokens.len(), "token"),
        },
        Tile {
            name: "Signing Keys",
            href: "/console/keys",
            what: "What receivers check signatures with.",
            state: format!("{signs} signs"),
        },
        Tile {
            name: "Dev Portals",
            href: "/console/portals",
            what: "The developer portals whose audit logs are relayed.",
            state: counted(config.portals.len(), "portal"),
        },
    ]
}
