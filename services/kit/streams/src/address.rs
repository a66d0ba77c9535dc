//! Where the broker is and who we are there, as one setting: URLs, separated by commas.

use async_nats::ServerAddr;

/// The addresses of a setting.
pub(crate) fn addresses(setting: &str) -> std::io::Result<Vec<ServerAddr>> {
    setting.split(',').map(|url| url.trim().parse()).collect()
}

/// User and password of the first address that has them: the client itself does not look there.
pub(crate) fn user(addresses: &[ServerAddr]) -> Option<(String, String)> {
    let user =
        addresses.iter().find_map(|address| Some((address.username()?, address.password()?)));
    user.map(|(user, password)| (unescaped(user), unescaped(password)))
}

/// Where answers to this user's requests go, so that the broker can keep other users from hearing
/// them; none for a name that is no token of a subject.
pub(crate) fn inbox_prefix(user: &str) -> Option<String> {
    let lawful = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    (!user.is_empty() && user.chars().all(lawful)).then(|| format!("_INBOX.{user}"))
}

/// The setting without its passwords, for errors and logs.
pub(crate) fn shown(setting: &str) -> String {
    let one = |url: &str| {
        let (scheme, rest) = url.split_once("://").unwrap_or(("nats", url));
        let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
        format!("{scheme}://{host}")
    };
    setting.split(',').map(|url| one(url.trim())).collect::<Vec<_>>().join(",")
}

/// `%40` is `@`; a `%` before anything else stands for itself.
fn unescaped(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        bytes.extend_from_slice(before.as_bytes());
        let byte = after.get(..2).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        bytes.push(byte.unwrap_or(b'%'));
        rest = if byte.is_some() { after.get(2..).unwrap_or_default() } else { after };
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_go_where_only_the_user_that_asked_may_listen() {
        assert_eq!(inbox_prefix("api"), Some("_INBOX.api".to_owned()));
        assert_eq!(inbox_prefix("web-hook_2"), Some("_INBOX.web-hook_2".to_owned()));
        for name in ["", "a.b", "*", ">", "a b", "ä"] {
            assert_eq!(inbox_prefix(name), None, "{name}");
        }
    }

    #[test]
    fn a_user_is_read_from_the_address() {
        let found = |setting| user(&addresses(setting).unwrap());
        let known = |user: &str, password: &str| Some((user.to_owned(), password.to_owned()));
        assert_eq!(found("nats://127.0.0.1:4222"), None);
        assert_eq!(found("nats://api:s3cret@a:4222"), known("api", "s3cret"));
        assert_eq!(found("nats://a, nats://api:p%40ss%25@b"), known("api", "p@ss%"));
    }

    #[test]
    fn a_password_is_not_shown() {
        assert_eq!(shown("nats://api:s3cret@a:4222"), "nats://a:4222");
        assert_eq!(shown("a, tls://u:p@ss@b"), "nats://a,tls://b");
    }

    #[test]
    fn a_percent_sign_that_escapes_nothing_stays() {
        assert_eq!(unescaped("100%"), "100%");
        assert_eq!(unescaped("a%zzb%4"), "a%zzb%4");
        assert_eq!(unescaped("%c3%a9"), "é");
    }
}
