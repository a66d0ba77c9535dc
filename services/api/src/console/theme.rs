//! Light, dark, or as the reader's system has it: chosen on any page, kept in a cookie, so that a
//! page comes in its colours at once and without a script.

use axum::response::Response;
use http::header::{HOST, REFERER, SET_COOKIE};
use http::{HeaderMap, HeaderValue, Uri};

use super::form::Form;
use super::gate;
use super::page;
use super::sign_in::is_page;
use super::visit::Answer;

/// The cookie's name; it says nothing about anybody.
const COOKIE: &str = "auditrelay-theme";
/// A year.
const KEPT_SECONDS: u32 = 365 * 86_400;
const CHOICES: [&str; 3] = ["system", "light", "dark"];

tokio::task_local! {
    /// The request's; every page shows it, those that say no included.
    static THEME: &'static str;
}

/// Answers a request in the colours that its cookie asks for.
pub(super) async fn within<T>(headers: &HeaderMap, answer: impl Future<Output = T>) -> T {
    let asked = gate::cookie(headers, COOKIE);
    THEME.scope(asked.map_or("system", known), answer).await
}

/// The theme of the page that is being written.
pub(super) fn chosen() -> &'static str {
    THEME.try_with(|theme| *theme).unwrap_or("system")
}

fn known(name: &str) -> &'static str {
    CHOICES.into_iter().find(|choice| *choice == name).unwrap_or("system")
}

pub(super) async fn choose(headers: HeaderMap, form: Form) -> Answer {
    let theme = known(form.text("theme"));
    let mut response = page::see(&back(&headers));
    keep(&mut response, theme);
    Ok(response)
}

fn keep(response: &mut Response, theme: &str) {
    let age = if theme == "system" { 0 } else { KEPT_SECONDS };
    let line = format!("{COOKIE}={theme}; Path=/; Max-Age={age}; HttpOnly; SameSite=Strict");
    if let Ok(line) = HeaderValue::try_from(line) {
        response.headers_mut().append(SET_COOKIE, line);
    }
}

/// The page that the form stood on, with its query; never another host.
fn back(headers: &HeaderMap) -> String {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let from = text(REFERER).and_then(|from| from.parse::<Uri>().ok());
    let ours = from.filter(|from| from.authority().map(http::uri::Authority::as_str) == text(HOST));
    let path = ours.filter(|from| is_page(from.path()));
    let path = path.and_then(|from| from.path_and_query().map(ToString::to_string));
    path.unwrap_or_else(|| page::HOME.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_back_leads_to_our_own_pages_only() {
        let back = |referer: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, HeaderValue::from_static("here:1"));
            headers.insert(REFERER, HeaderValue::from_static(referer));
            back(&headers)
        };
        assert_eq!(back("http://here:1/console/events?text=a"), "/console/events?text=a");
        for elsewhere in ["http://evil/console/events", "http://here:1//evil/", "x", ""] {
            assert_eq!(back(elsewhere), page::HOME, "{elsewhere}");
        }
    }

    #[tokio::test]
    async fn a_cookie_that_is_none_of_the_choices_means_the_system() {
        for (cookie, theme) in [
            ("auditrelay-theme=dark", "dark"),
            ("a=b; auditrelay-theme=light", "light"),
            ("auditrelay-theme=\"><script>", "system"),
            ("", "system"),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(http::header::COOKIE, HeaderValue::from_str(cookie).unwrap());
            assert_eq!(within(&headers, async { chosen() }).await, theme, "{cookie}");
        }
    }
}
