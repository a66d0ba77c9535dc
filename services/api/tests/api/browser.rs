//! A browser without JavaScript: it clicks links and buttons by what they say and fills fields in
//! by their labels, as a person with a how-to does.

#![expect(clippy::panic, reason = "what is not on the page ends the test, with the page")]

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::header::{COOKIE, HeaderMap, LOCATION, SET_COOKIE};
use reqwest::{Client, Method, RequestBuilder, redirect};

use crate::support::{Answer, Client as ApiClient};

/// One browser, looking at one page.
pub(crate) struct Browser {
    client: Client,
    base: String,
    pub(crate) cookies: BTreeMap<String, String>,
    pub(crate) path: String,
    pub(crate) page: Answer,
    typed: BTreeMap<String, String>,
}

impl Browser {
    pub(crate) async fn open(api: &ApiClient, path: &str) -> Self {
        let (base, path) = (api.base.clone(), path.to_owned());
        let page = Answer { status: 0, headers: HeaderMap::new(), text: String::new() };
        let (cookies, typed) = (BTreeMap::new(), BTreeMap::new());
        let client = Client::builder().no_proxy().timeout(Duration::from_secs(20));
        let client = client.redirect(redirect::Policy::none()).build().unwrap();
        let mut browser = Self { client, base, cookies, path: path.clone(), page, typed };
        browser.go(&path).await;
        browser
    }

    /// Signed in with the client's token.
    pub(crate) async fn signed_in(api: &ApiClient) -> Self {
        let mut browser = Self::open(api, "/").await;
        browser.fill("API token", &api.token);
        browser.press("Sign in").await;
        assert_eq!(browser.page.status, 200, "{}", browser.page.text);
        browser
    }

    pub(crate) async fn go(&mut self, path: &str) {
        self.typed.clear();
        let request = self.request(Method::GET, path);
        self.follow(path, request).await;
    }

    /// A request of this browser that is not shown.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let cookies = self.cookies.iter().map(|(name, value)| format!("{name}={value}"));
        let cookies: Vec<String> = cookies.collect();
        let request = self.client.request(method, format!("{}{path}", self.base));
        request.header(COOKIE, cookies.join("; "))
    }

    async fn follow(&mut self, path: &str, request: RequestBuilder) {
        path.clone_into(&mut self.path);
        self.page = Answer::of(request).await;
        for _ in 0..5 {
            self.keep_cookies();
            let Some(to) = self.page.headers.get(LOCATION) else { return };
            to.to_str().unwrap().clone_into(&mut self.path);
            self.page = Answer::of(self.request(Method::GET, &self.path)).await;
        }
        panic!("too many redirects: {}", self.path);
    }

    fn keep_cookies(&mut self) {
        for line in self.page.headers.get_all(SET_COOKIE) {
            let line = line.to_str().unwrap();
            let (name, value) = line.split(';').next().unwrap().split_once('=').unwrap();
            if line.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
    }

    /// Follows the first link that says this.
    #[track_caller]
    fn link(&self, says: &str) -> String {
        let links = self.page.text.split("<a ").skip(1).map(|rest| rest.split("</a>").next());
        let mut links = links.map(|link| link.unwrap().split_once('>').unwrap());
        let found = links.find(|(_, inside)| text(inside) == says);
        let (tag, _) = found.unwrap_or_else(|| panic!("no link {says:?}: {}", self.page.text));
        attribute(tag, "href").unwrap()
    }

    pub(crate) async fn click(&mut self, says: &str) {
        let to = self.link(says);
        self.go(&to).await;
        assert_eq!(self.page.status, 200, "{says}");
    }

    /// The name of the field with this label.
    #[track_caller]
    fn field(&self, label: &str) -> String {
        let mut labels = self.page.text.split("<label ").skip(1);
        let found = labels.find(|rest| {
            let inside = rest.split("</label>").next().unwrap().split_once('>').unwrap().1;
            text(inside) == label
        });
        let found = found.unwrap_or_else(|| panic!("no field {label:?}: {}", self.page.text));
        attribute(found, "for").unwrap()
    }

    #[track_caller]
    pub(crate) fn fill(&mut self, label: &str, value: &str) {
        self.typed.insert(self.field(label), value.to_owned());
    }

    #[track_caller]
    pub(crate) fn tick(&mut self, label: &str) {
        self.typed.insert(self.field(label), "on".to_owned());
    }

    /// Chooses a menu's entry that begins with this.
    #[track_caller]
    pub(crate) fn choose(&mut self, label: &str, entry: &str) {
        let name = self.field(label);
        let menu = self.menu(&name);
        let found = menu.into_iter().find(|(_, says, _)| says.starts_with(entry));
        let (value, ..) = found.unwrap_or_else(|| panic!("no entry {entry:?} in {label:?}"));
        self.typed.insert(name, value);
    }

    /// Value, text and whether it is chosen, of each entry.
    fn menu(&self, name: &str) -> Vec<(String, String, bool)> {
        let begins = format!("<select id=\"{name}\"");
        let menu = self.page.text.split(&begins).nth(1).unwrap().split("</select>").next().unwrap();
        let entries = menu.split("<option ").skip(1).map(|entry| {
            let (tag, rest) = entry.split_once('>').unwrap();
            let says = text(rest.split("</option>").next().unwrap());
            (attribute(tag, "value").unwrap(), says, tag.contains("selected"))
        });
        entries.collect()
    }

    /// What the form with this button would send, and where.
    #[track_caller]
    pub(crate) fn form(&self, button: &str) -> (String, Vec<(String, String)>) {
        let mut forms = self.page.text.split("<form ").skip(1);
        let form = forms.find(|form| {
            let form = form.split("</form>").next().unwrap();
            form.split("<button").skip(1).any(|rest| {
                let inside = rest.split("</button>").next().unwrap().split_once('>').unwrap().1;
                text(inside) == button
            })
        });
        let form = form.unwrap_or_else(|| panic!("no button {button:?}: {}", self.page.text));
        let form = form.split("</form>").next().unwrap();
        let mut fields: BTreeMap<String, String> = BTreeMap::new();
        for input in form.split("<input ").skip(1) {
            let tag = input.split('>').next().unwrap();
            let checkbox = attribute(tag, "type").as_deref() == Some("checkbox");
            let value = attribute(tag, "value").unwrap_or_default();
            if !checkbox || tag.contains(" checked") {
                let value = if checkbox { "on".to_owned() } else { value };
                fields.insert(attribute(tag, "name").unwrap(), value);
            }
        }
        for menu in form.split("<select ").skip(1) {
            let name = attribute(menu, "name").unwrap();
            let entries = self.menu(&name);
            let chosen = entries.iter().find(|(.., chosen)| *chosen).or(entries.first());
            fields.insert(name, chosen.unwrap().0.clone());
        }
        fields.extend(self.typed.clone());
        (attribute(form, "action").unwrap(), fields.into_iter().collect())
    }

    /// Sends the form that has this button.
    pub(crate) async fn press(&mut self, button: &str) {
        let (action, fields) = self.form(button);
        self.typed.clear();
        let request = self.post(&action, &fields);
        self.follow(&action, request).await;
    }

    /// A form that may or may not be one of ours.
    pub(crate) fn post(&self, path: &str, fields: &[(String, String)]) -> RequestBuilder {
        let pairs =
            fields.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value)));
        let body = pairs.collect::<Vec<_>>().join("&");
        let request = self.request(Method::POST, path);
        request.header("content-type", "application/x-www-form-urlencoded").body(body)
    }

    /// Whether people read this on the page.
    #[track_caller]
    pub(crate) fn sees(&self, words: &str) {
        let read = text(&self.page.text);
        assert!(read.contains(words), "no {words:?} in {read}");
    }
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let tag = tag.split('>').next().unwrap();
    let begins = format!("{name}=\"");
    let rest = tag.split(' ').find_map(|_| tag.split_once(begins.as_str()))?.1;
    Some(unescape(rest.split('"').next().unwrap()))
}

/// What people read: no tags, single spaces.
fn text(html: &str) -> String {
    let mut read = String::new();
    for part in html.split('<') {
        read.push_str(part.split_once('>').map_or(part, |(_, after)| after));
        read.push(' ');
    }
    unescape(&read.split_whitespace().collect::<Vec<_>>().join(" "))
}

fn unescape(text: &str) -> String {
    let mut text = text.to_owned();
    for (from, to) in
        [("&#60;", "<"), ("&#62;", ">"), ("&#34;", "\""), ("&#39;", "'"), ("&#38;", "&")]
    {
        text = text.replace(from, to);
    }
    text
}

fn encode(text: &str) -> String {
    let bytes = text.bytes().map(|byte| format!("%{byte:02X}"));
    bytes.collect::<Vec<_>>().concat()
}
