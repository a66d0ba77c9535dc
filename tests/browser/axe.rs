//! axe-core, which finds what keeps people from using a page.
//!
//! It is fetched once with npm into the user's cache. Where there is no npm, or no registry, the
//! tests say so and go on without it.

use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;

use serde_json::Value;

use crate::driver::{Browser, is_required};

const VERSION: &str = "4.14.1";

/// The script itself; none where it cannot be had.
static SOURCE: LazyLock<Option<String>> = LazyLock::new(|| match fetch() {
    Ok(source) => Some(source),
    Err(why) => {
        assert!(!is_required(), "axe-core: {why}");
        eprintln!("accessibility not tested: no axe-core here ({why})");
        None
    }
});

fn fetch() -> Result<String, String> {
    let home = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")));
    let folder = home.ok_or("no cache folder")?.join(format!("auditrelay/axe-core-{VERSION}"));
    let script = folder.join("node_modules/axe-core/axe.min.js");
    if !script.exists() {
        let mut npm = Command::new("npm");
        npm.args(["install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix"]);
        npm.arg(&folder).arg(format!("axe-core@{VERSION}"));
        let ended = npm.output().map_err(|why| format!("npm: {why}"))?;
        if !ended.status.success() {
            return Err(String::from_utf8_lossy(&ended.stderr).into_owned());
        }
    }
    std::fs::read_to_string(&script).map_err(|why| format!("{}: {why}", script.display()))
}

/// Everything that axe-core finds on the page; each with the first element that it is about.
pub(crate) async fn findings(browser: &Browser) -> Vec<String> {
    let Some(source) = SOURCE.as_ref() else { return Vec::new() };
    browser.run(source).await;
    let run = "const done = arguments[arguments.length - 1]; \
               axe.run().then((found) => done(found.violations.map((one) => \
               `${one.impact} ${one.id}: ${one.help}: ${one.nodes[0].html} \
               ${one.nodes[0].any.map((any) => any.message).join()}`)), \
               (error) => done([String(error)]))";
    let found: Value = browser.run_async(run).await;
    let found = found.as_array().unwrap().iter();
    found.map(|one| one.as_str().unwrap().to_owned()).collect()
}
