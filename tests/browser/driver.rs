//! A real chromium, spoken to with the `WebDriver` protocol.

use std::panic::{AssertUnwindSafe, resume_unwind};
use std::process::Stdio;
use std::time::Duration;

use auditrelay_testkit::wait;
use futures::FutureExt;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// What the tests look with, where it is not on the `PATH`.
const CHROMEDRIVER: &str = "CHROMEDRIVER_BIN";
/// With this the tests fail where there is no browser, instead of saying so.
const REQUIRED: &str = "AUDITRELAY_BROWSER_REQUIRED";

/// How a window looks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look {
    pub(crate) width: u32,
    pub(crate) scheme: &'static str,
}

/// One window of one browser.
pub(crate) struct Browser {
    http: reqwest::Client,
    session: String,
}

/// Runs a test in a browser of its own, which is closed however the test ends.
pub(crate) async fn in_browser(look: Look, test: impl AsyncFnOnce(&Browser)) {
    let Some((mut driver, url)) = start().await else { return };
    let browser = Browser::open(&url, look).await;
    let ended = AssertUnwindSafe(test(&browser)).catch_unwind().await;
    browser.call("DELETE", "", &json!({})).await;
    let _ = driver.kill().await;
    if let Err(panic) = ended {
        resume_unwind(panic);
    }
}

/// The bytes that a base64 text stands for.
pub(crate) fn from_base64(text: &str) -> Vec<u8> {
    let value = |byte: u8| match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let digits: Vec<u32> =
        text.bytes().filter(|byte| *byte != b'=').map(|byte| u32::from(value(byte))).collect();
    let triples = digits.chunks(4).flat_map(|four| {
        let word =
            four.iter().enumerate().fold(0, |word, (at, digit)| word | digit << (18 - 6 * at));
        word.to_be_bytes().into_iter().skip(1).take(four.len() - 1)
    });
    triples.collect()
}

/// Whether tests must fail where they cannot look.
pub(crate) fn is_required() -> bool {
    std::env::var_os(REQUIRED).is_some()
}

async fn start() -> Option<(Child, String)> {
    let binary = std::env::var(CHROMEDRIVER).unwrap_or_else(|_| "chromedriver".to_owned());
    let mut command = Command::new(&binary);
    command.args(["--port=0", "--allowed-ips=127.0.0.1"]).kill_on_drop(true);
    let mut child = match command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn() {
        Ok(child) => child,
        Err(error) => {
            assert!(!is_required(), "{binary}: {error}");
            eprintln!("not tested: no {binary} here ({error}); {CHROMEDRIVER} may name one");
            return None;
        }
    };
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let port = wait::soon("chromedriver", async {
        loop {
            let line = lines.next_line().await.unwrap().unwrap();
            if let Some((_, rest)) = line.split_once("started successfully on port ") {
                return rest.trim_end_matches('.').to_owned();
            }
        }
    });
    let port = port.await;
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    Some((child, format!("http://127.0.0.1:{port}")))
}

impl Browser {
    async fn open(driver: &str, look: Look) -> Self {
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_mins(1));
        let http = client.build().unwrap();
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
        ];
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": { "args": arguments },
            "goog:loggingPrefs": { "browser": "ALL" },
        }}});
        let mut browser = Self { http, session: format!("{driver}/session") };
        let made = browser.call("POST", "", &wanted).await;
        let id = made["sessionId"].as_str().unwrap_or_else(|| panic!("no session: {made}"));
        browser.session = format!("{driver}/session/{id}");
        browser.look(look).await;
        browser
    }

    async fn call(&self, method: &str, path: &str, body: &Value) -> Value {
        let called = self.try_call(method, path, body).await;
        called.unwrap_or_else(|why| panic!("{method} {path} {body}: {why:#}"))
    }

    async fn try_call(&self, method: &str, path: &str, body: &Value) -> Result<Value, Value> {
        let request = self.http.request(method.parse().unwrap(), format!("{}{path}", self.session));
        let request = match body {
            Value::Null => request,
            body => request.header("content-type", "application/json").body(body.to_string()),
        };
        let answer = request.send().await.unwrap().text().await.unwrap();
        let mut answer: Value = serde_json::from_str(&answer).unwrap();
        let value = answer["value"].take();
        if value.get("error").is_some() { Err(value) } else { Ok(value) }
    }

    async fn devtools(&self, command: &str, parameters: Value) {
        self.ask_devtools(command, parameters).await;
    }

    async fn ask_devtools(&self, command: &str, parameters: Value) -> Value {
        let body = json!({"cmd": command, "params": parameters});
        self.call("POST", "/goog/cdp/execute", &body).await
    }

    pub(crate) async fn go(&self, url: &str) {
        self.call("POST", "/url", &json!({ "url": url })).await;
    }

    /// What a function's body returns in the page.
    pub(crate) async fn run(&self, script: &str) -> Value {
        self.call("POST", "/execute/sync", &json!({"script": script, "args": []})).await
    }

    /// What a function's body hands to its last argument.
    pub(crate) async fn run_async(&self, script: &str) -> Value {
        self.call("POST", "/execute/async", &json!({"script": script, "args": []})).await
    }

    /// Presses keys one after another; `\u{e004}` is Tab, `\u{e007}` Enter, `\u{e00d}` Space.
    pub(crate) async fn press(&self, keys: &str) {
        let strokes = keys.chars().flat_map(|key| {
            ["keyDown", "keyUp"].map(|way| json!({"type": way, "value": key.to_string()}))
        });
        let strokes: Vec<_> = strokes.collect();
        let body = json!({"actions": [{"type": "key", "id": "keys", "actions": strokes}]});
        self.call("POST", "/actions", &body).await;
    }

    /// Opens a second tab of the same browser and goes there.
    pub(crate) async fn new_tab(&self) -> String {
        let made = self.call("POST", "/window/new", &json!({"type": "tab"})).await;
        made["handle"].as_str().unwrap().to_owned()
    }

    /// The tab that is looked at.
    pub(crate) async fn this_tab(&self) -> String {
        self.call("GET", "/window", &Value::Null).await.as_str().unwrap().to_owned()
    }

    /// Looks at another tab.
    pub(crate) async fn look_at_tab(&self, handle: &str) {
        self.call("POST", "/window", &json!({"handle": handle})).await;
    }

    pub(crate) async fn forget_cookies(&self) {
        self.call("DELETE", "/cookie", &Value::Null).await;
    }

    /// Where the tab is.
    pub(crate) async fn url(&self) -> String {
        self.call("GET", "/url", &Value::Null).await.as_str().unwrap().to_owned()
    }

    /// Looks through other eyes from here on.
    pub(crate) async fn look(&self, look: Look) {
        let Look { width, scheme } = look;
        let size = json!({"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false});
        self.devtools("Emulation.setDeviceMetricsOverride", size).await;
        let scheme = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.devtools("Emulation.setEmulatedMedia", scheme).await;
    }

    /// From here on pages have to do without their script.
    pub(crate) async fn without_scripts(&self) {
        self.devtools("Emulation.setScriptExecutionDisabled", json!({"value": true})).await;
    }

    /// Lives somewhere else from here on.
    pub(crate) async fn zone(&self, name: &str) {
        self.devtools("Emulation.setTimezoneOverride", json!({ "timezoneId": name })).await;
    }

    /// The whole page as PNG, in base64.
    pub(crate) async fn picture(&self) -> String {
        let height = self.run("return document.documentElement.scrollHeight").await;
        let width = self.run("return innerWidth").await;
        let clip = json!({"x": 0, "y": 0, "width": width, "height": height, "scale": 1});
        let shot = json!({"captureBeyondViewport": true, "clip": clip});
        let shot = self.ask_devtools("Page.captureScreenshot", shot).await;
        shot["data"].as_str().unwrap().to_owned()
    }

    async fn element(&self, path: &str) -> String {
        let body = json!({"using": "xpath", "value": path});
        let found = self.call("POST", "/element", &body).await;
        found.as_object().unwrap().values().next().unwrap().as_str().unwrap().to_owned()
    }

    /// Does something that leads to another page, and waits until it is there.
    pub(crate) async fn leave(&self, doing: impl Future<Output = ()>) {
        let body = json!({"using": "xpath", "value": "//footer | //body[@class='alone']"});
        let page = async || self.try_call("POST", "/element", &body).await;
        let before = page().await.ok();
        doing.await;
        wait::until("another page", async || match page().await {
            Ok(now) if Some(&now) != before.as_ref() => Ok(()),
            Ok(_) => Err(self.url().await),
            Err(why) => Err(why.to_string()),
        })
        .await;
    }

    async fn click_at(&self, path: &str) {
        let element = self.element(path).await;
        self.call("POST", &format!("/element/{element}/click"), &json!({})).await;
    }

    /// Clicks the link or button that says this; inside a part of the page if one is named.
    pub(crate) async fn click(&self, words: &str) {
        self.click_at(&format!("(//a|//button)[normalize-space(.)='{words}']")).await;
    }

    /// Clicks a tab.
    pub(crate) async fn tab(&self, words: &str) {
        self.click_at(&format!("//main//nav//a[normalize-space(.)='{words}']")).await;
    }

    /// Clicks a label.
    pub(crate) async fn tick(&self, label: &str) {
        self.click_at(&format!("//label[normalize-space(.)='{label}']")).await;
    }

    pub(crate) async fn fill(&self, label: &str, text: &str) {
        let path = format!("//*[@id=//label[normalize-space(.)='{label}']/@for]");
        let element = self.element(&path).await;
        self.call("POST", &format!("/element/{element}/clear"), &json!({})).await;
        let body = json!({ "text": text });
        self.call("POST", &format!("/element/{element}/value"), &body).await;
    }

    /// Where the keyboard is, as a person would name it.
    pub(crate) async fn focused(&self) -> String {
        let named = "const at = document.activeElement; \
                     return (at.labels?.[0] ?? at).textContent.trim() || at.id || at.tagName";
        let named = self.run(named).await;
        named.as_str().unwrap().split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// Chooses the menu's entry that begins with this.
    pub(crate) async fn choose(&self, label: &str, entry: &str) {
        let menu = format!("//select[@id=//label[normalize-space(.)='{label}']/@for]");
        let entry = format!("{menu}/option[starts-with(normalize-space(.),'{entry}')]");
        self.click_at(&entry).await;
    }

    /// What people read on the page.
    pub(crate) async fn text(&self) -> String {
        let text = self.run("return document.body.innerText").await;
        text.as_str().unwrap().split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// Waits until people read this, without doing anything.
    pub(crate) async fn sees(&self, words: &str) {
        wait::until(&format!("{words:?} on the page"), async || {
            let text = self.text().await;
            if text.contains(words) { Ok(()) } else { Err(text) }
        })
        .await;
    }

    /// What the browser itself complained about, but for refused forms.
    pub(crate) async fn complaints(&self) -> Vec<String> {
        let log = self.call("POST", "/se/log", &json!({"type": "browser"})).await;
        let severe = log.as_array().unwrap().iter().filter(|entry| entry["level"] == "SEVERE");
        let told = severe.map(|entry| entry["message"].as_str().unwrap().to_owned());
        told.filter(|message| !message.contains("responded with a status of 4")).collect()
    }
}
