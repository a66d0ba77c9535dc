//! How somebody works with a page: with a mouse, or with nothing but the keyboard.

use auditrelay_testkit::wait;

use crate::driver::Browser;

pub(crate) const TAB: &str = "\u{e004}";
pub(crate) const ENTER: &str = "\u{e007}";
const SPACE: &str = "\u{e00d}";
/// Nothing is further away.
const STEPS_MAX: usize = 60;

/// What somebody works with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hands {
    Mouse,
    Keys,
    /// A mouse, in a browser that runs no script.
    MouseAlone,
}

impl Hands {
    /// Whether pages change by themselves.
    pub(crate) const fn is_live(self) -> bool {
        matches!(self, Self::Mouse | Self::Keys)
    }

    pub(crate) async fn fill(self, browser: &Browser, label: &str, text: &str) {
        if self != Self::Keys {
            return browser.fill(label, text).await;
        }
        reach(browser, label, "body").await;
        browser.press(text).await;
    }

    pub(crate) async fn choose(self, browser: &Browser, label: &str, entry: &str) {
        if self != Self::Keys {
            return browser.choose(label, entry).await;
        }
        reach(browser, label, "main").await;
        browser.press(entry).await;
    }

    pub(crate) async fn tick(self, browser: &Browser, label: &str) {
        if self != Self::Keys {
            return browser.tick(label).await;
        }
        reach(browser, label, "main").await;
        browser.press(SPACE).await;
    }

    /// A link or a button that leads on.
    pub(crate) async fn click(self, browser: &Browser, words: &str) {
        self.go_on(browser, words, "body").await;
    }

    /// The same inside the page's own tabs.
    pub(crate) async fn tab(self, browser: &Browser, words: &str) {
        if self != Self::Keys {
            return browser.leave(browser.tab(words)).await;
        }
        self.go_on(browser, words, "main nav").await;
    }

    async fn go_on(self, browser: &Browser, words: &str, within: &str) {
        if self != Self::Keys {
            return browser.leave(browser.click(words)).await;
        }
        reach(browser, words, within).await;
        browser.leave(browser.press(ENTER)).await;
    }

    /// Waits until people read this; where nothing changes by itself they load the page again.
    pub(crate) async fn sees(self, browser: &Browser, words: &str) {
        if self.is_live() {
            return browser.sees(words).await;
        }
        let url = browser.url().await;
        wait::until(&format!("{words:?} on the page"), async || {
            let text = browser.text().await;
            if text.contains(words) {
                return Ok(());
            }
            browser.go(&url).await;
            Err(text)
        })
        .await;
    }
}

/// Goes on with the keyboard until it is there.
pub(crate) async fn reach(browser: &Browser, wanted: &str, within: &str) {
    for _ in 0..STEPS_MAX {
        let inside = format!("return Boolean(document.activeElement.closest('{within}'))");
        if browser.focused().await == wanted && browser.run(&inside).await == true {
            return;
        }
        browser.press(TAB).await;
    }
    panic!("{wanted} is not reached by the keyboard");
}
