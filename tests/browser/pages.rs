//! Every page, through many eyes.

use serde_json::json;

use crate::axe;
use crate::driver::{Browser, Look, in_browser};
use crate::scene::{Scene, is_hacked};

/// No page is larger than this, everything that belongs to it included.
const PAGE_BYTES_MAX: u64 = 100_000;
/// Where pictures of all pages are put, to be looked at.
const PICTURES: &str = "AUDITRELAY_BROWSER_PICTURES";

/// Where what is shown is not a page: parts of pages, ways elsewhere, and a file.
const NO_PAGES: [&str; 9] = [
    "/",
    "/console",
    "/console/",
    "/console/setup",
    "/console/sign-in/provider",
    "/console/live/{scope}/watch",
    "/console/live/{scope}/tail",
    "/console/live/{scope}/{panel}",
    "{base}/replay/{{job}}/report",
];

/// Narrow and wide, light and dark: nothing is wider than its window, comes from elsewhere, runs
/// what was typed or shows a secret; and axe-core finds nothing.
#[tokio::test]
async fn pages_fit_can_be_used_by_all_ask_nobody_else_and_run_nothing_that_was_typed() {
    in_browser(Look { width: 1280, scheme: "light" }, async |browser| {
        let scene = Scene::start().await;
        let pages = scene.pages(browser).await;
        assert_eq!(missing(&pages), [""; 0], "pages that nobody looks at");
        let looks = [(1280, "light"), (1280, "dark"), (360, "light"), (360, "dark")];
        for (width, scheme) in looks {
            browser.look(Look { width, scheme }).await;
            for page in &pages {
                browser.go(&scene.address(page)).await;
                // What is wide is the same to it as what is narrow, but for colours.
                if (width == 1280) == (scheme == "light") {
                    judge(browser, &scene, page, Look { width, scheme }).await;
                } else {
                    check(browser, &scene, page).await;
                    keep_picture(browser, page, width, scheme).await;
                }
            }
        }
        assert_eq!(browser.complaints().await, [""; 0]);
    })
    .await;
}

/// The console's routes that none of these pages belongs to.
fn missing(pages: &[String]) -> Vec<String> {
    let source = include_str!("../../services/api/src/console.rs");
    let routes = source.split(".route(").skip(1).filter(|route| route.contains("get("));
    // A path, or what the paths of a place begin with.
    let path = |route: &'static str| {
        route.split(',').next().unwrap().split('"').nth(1).unwrap_or("{base}")
    };
    let paths = routes.map(path);
    let paths = paths.filter(|path| !NO_PAGES.contains(path) && !path.contains("/assets/"));
    let paths = paths.map(|path| path.replace("{base}", "/console/setup/portals/{portal}"));
    let fits = |route: &str, page: &str| {
        let page = page.split('?').next().unwrap().split('/');
        let route = route.trim_start_matches("/console/").split('/');
        let (page, route): (Vec<_>, Vec<_>) = (page.collect(), route.collect());
        let same = |(known, said): (&&str, &&str)| known.starts_with('{') || known == said;
        page.len() == route.len() && route.iter().zip(&page).all(same)
    };
    paths.filter(|route| pages.iter().all(|page| !fits(route, page))).collect()
}

/// Everything that is asked of a page that is there.
pub(crate) async fn judge(browser: &Browser, scene: &Scene, page: &str, look: Look) {
    check(browser, scene, page).await;
    assert_eq!(axe::findings(browser).await, [""; 0], "{page} {look:?}");
    keep_picture(browser, page, look.width, look.scheme).await;
}

async fn check(browser: &Browser, scene: &Scene, page: &str) {
    let wide = "const all = document.documentElement; return all.scrollWidth - all.clientWidth";
    assert_eq!(browser.run(wide).await, 0, "{page} is wider than its window");
    assert!(!is_hacked(browser).await, "{page}");
    let elsewhere = "return performance.getEntriesByType('resource').map((one) => one.name)\
                     .filter((name) => !name.startsWith(location.origin))";
    assert_eq!(browser.run(elsewhere).await, json!([]), "{page}");
    let bytes = "return [...performance.getEntriesByType('navigation'), \
                 ...performance.getEntriesByType('resource')]\
                 .reduce((sum, one) => sum + one.decodedBodySize, 0)";
    let bytes = browser.run(bytes).await.as_u64().unwrap();
    assert!(bytes > 1_000 && bytes < PAGE_BYTES_MAX, "{page}: {bytes} bytes");
    let html = browser.run("return document.documentElement.outerHTML").await;
    for secret in [scene.org.admin.as_str(), scene.org.producer.as_str(), "very-secret"] {
        assert!(!html.as_str().unwrap().contains(secret), "{page}");
    }
    let headings = browser.run("return document.querySelectorAll('h1').length").await;
    assert_eq!(headings, 1, "{page}");
}

async fn keep_picture(browser: &Browser, page: &str, width: u32, scheme: &str) {
    let Some(folder) = std::env::var_os(PICTURES) else { return };
    let short: Vec<_> = page.split(['/', '?']).filter(|part| part.len() < 30).collect();
    let name = format!("{}-{width}-{scheme}.png", short.join("-"));
    let picture = browser.picture().await;
    let path = std::path::Path::new(&folder).join(name);
    std::fs::write(path, crate::driver::from_base64(&picture)).unwrap();
}
