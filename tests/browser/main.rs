//! The console as people see it: in a chromium, with its script running.
//!
//! Needs chromium and chromedriver. Where they are not, the tests say so and end, unless
//! `AUDITRELAY_BROWSER_REQUIRED` is set.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "this is test code"
)]

mod answers;
mod axe;
mod driver;
mod forms;
mod hands;
mod how_to;
mod pages;
mod portrait;
mod provider;
mod scene;
mod visitors;

use auditrelay_testkit::stack::{Org, Stack};

use crate::driver::{Browser, Look};

/// A window on a desk.
pub(crate) const DESK: Look = Look { width: 1280, scheme: "light" };

/// Signs in as the organization's administrator.
pub(crate) async fn sign_in(browser: &Browser, stack: &Stack, org: &Org) {
    browser.go(&format!("{}/", stack.console())).await;
    browser.fill("API token", &org.admin).await;
    browser.leave(browser.click("Sign in")).await;
}
