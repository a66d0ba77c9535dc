use std::net::SocketAddr;

use super::*;

fn env(pairs: &[(&str, &str)]) -> Settings {
    load("", pairs).unwrap()
}

fn load(file: &str, pairs: &[(&str, &str)]) -> Result<Settings, Mistakes> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("auditrelay.toml");
    std::fs::write(&path, file).unwrap();
    let env = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Settings::load(Some(&path), env)
}

fn lines(settings: Settings) -> Vec<String> {
    let mistakes = settings.finish().unwrap_err();
    mistakes.to_string().lines().map(str::to_owned).collect()
}

fn listen(settings: &mut Settings) -> SocketAddr {
    let default = SocketAddr::from(([127, 0, 0, 1], 8081));
    settings.parse("ingest.listen", default, "a socket address")
}

#[test]
fn the_environment_wins_over_the_file_and_both_over_the_default() {
    let mut settings = load("", &[]).unwrap();
    assert_eq!(listen(&mut settings).port(), 8081);
    let file = "[ingest]\nlisten = \"0.0.0.0:1\"\n";
    let mut settings = load(file, &[("PATH", "/bin")]).unwrap();
    assert_eq!(listen(&mut settings).port(), 1);
    let mut settings = load(file, &[("AUDITRELAY_INGEST_LISTEN", "0.0.0.0:2")]).unwrap();
    assert_eq!(listen(&mut settings).port(), 2);
    settings.finish().unwrap();
}

#[test]
fn every_mistake_is_told_at_once_and_no_value_with_it() {
    let file = "[ingest]\nlisen = 1\nbatch = \"hunter2\"\n[api]\nwait = \"5\"\n";
    let mut settings = load(file, &[("AUDITRELAY_INGEST_LISTEN", "hunter2")]).unwrap();
    listen(&mut settings);
    assert_eq!(settings.number("ingest.batch", 3, 1..=9), 3);
    let bounds = Duration::from_secs(1)..=Duration::from_secs(9);
    assert_eq!(settings.duration("api.wait", Duration::from_secs(2), bounds).as_secs(), 2);
    settings.mistake("api", "must differ from ingest".to_owned());
    assert_eq!(
        lines(settings),
        [
            "config: ingest.listen: must be a socket address (set by AUDITRELAY_INGEST_LISTEN)",
            "config: ingest.batch: must be a whole number",
            "config: api.wait: must be a duration with its unit: 250ms, 5s, 10m, 24h or 7d",
            "config: api: must differ from ingest",
            "config: ingest.lisen: unknown key (did you mean ingest.listen?)",
        ]
    );
}

#[test]
fn an_unknown_variable_with_our_prefix_is_a_mistake() {
    let mut settings = env(&[("AUDITRELAY_INGEST_LISEN", "x"), ("AUDITRELAY_WHATEVER", "y")]);
    listen(&mut settings);
    assert_eq!(
        lines(settings),
        [
            "config: AUDITRELAY_INGEST_LISEN: unknown key (did you mean AUDITRELAY_INGEST_LISTEN?)",
            "config: AUDITRELAY_WHATEVER: unknown key",
        ]
    );
}

#[test]
fn what_kubernetes_sets_for_its_services_is_nobodys_typo() {
    env(&[
        ("AUDITRELAY_API_SERVICE_HOST", "10.0.0.1"),
        ("AUDITRELAY_API_SERVICE_PORT", "8080"),
        ("AUDITRELAY_API_SERVICE_PORT_HTTP", "8080"),
        ("AUDITRELAY_API_PORT", "tcp://10.0.0.1:8080"),
        ("AUDITRELAY_API_PORT_8080_TCP", "tcp://10.0.0.1:8080"),
        ("AUDITRELAY_API_PORT_8080_TCP_ADDR", "10.0.0.1"),
    ])
    .finish()
    .unwrap();
    assert_eq!(lines(env(&[("AUDITRELAY_API_PORT", "8080")])).len(), 1);
}

#[test]
fn other_services_sections_may_stand_in_a_shared_file() {
    let mut settings =
        load("[api]\nlisten = 1\n", &[("AUDITRELAY_API_WAIT", "1"), ("AUDITRELAY_CONFIG", "f")])
            .unwrap();
    settings.allow_section("api");
    settings.allow("config");
    settings.finish().unwrap();
}

#[test]
fn values_of_the_file_may_be_of_any_plain_kind() {
    let file = "\u{feff}a = 7\r\nb = true\r\nc = [\"x\", \"y\"]\r\nd = 2026-01-01\r\n[[e]]\r\n";
    let mut settings = load(file, &[]).unwrap();
    assert_eq!(settings.number("a", 0, 0..=9), 7);
    assert!(settings.flag("b", false));
    assert_eq!(settings.list("c"), ["x", "y"]);
    assert_eq!(settings.text("d", "default"), "default");
    assert_eq!(settings.size("a", 0, 0..=9), 7);
    settings.allow("e");
    assert_eq!(lines(settings), ["config: d: must not be a date"]);
}

#[test]
fn an_empty_variable_is_not_set() {
    let mut settings = env(&[("AUDITRELAY_INGEST_LISTEN", " ")]);
    assert_eq!(listen(&mut settings).port(), 8081);
    assert_eq!(settings.optional("ingest.name"), None);
    settings.finish().unwrap();
}

#[test]
fn a_secret_comes_from_a_value_or_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    std::fs::write(&path, "hunter2\r\n").unwrap();
    let path = path.to_str().unwrap();
    let file = ("AUDITRELAY_API_TOKEN_FILE", path);
    let value = ("AUDITRELAY_API_TOKEN", "hunter3");

    assert_eq!(env(&[]).secret("api.token"), None);
    assert_eq!(env(&[value]).secret("api.token").unwrap().expose(), "hunter3");
    assert_eq!(env(&[file]).secret("api.token").unwrap().expose(), "hunter2");

    let mut both = env(&[file, value]);
    assert_eq!(both.secret("api.token"), None);
    assert!(lines(both)[0].starts_with("config: api.token: is set twice"));

    let mut missing = env(&[("AUDITRELAY_API_TOKEN_FILE", "/nowhere/token")]);
    assert_eq!(missing.secret("api.token"), None);
    missing.mistake("api.token", "is needed".to_owned());
    let said = lines(missing);
    assert!(said[0].contains("api.token_file: /nowhere/token: No such file"), "{said:?}");
    assert_eq!(said.len(), 1, "one mistake, one line: {said:?}");

    let mut unusable = env(&[file]);
    assert!(unusable.secret("api.token").is_some());
    unusable.mistake("api.token", "not a token".to_owned());
    assert!(lines(unusable)[0].ends_with("not a token (set by AUDITRELAY_API_TOKEN_FILE)"));
}

#[test]
fn a_file_that_cannot_be_read_is_named_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let refused =
        |path: &Path| Settings::load(Some(path), std::iter::empty()).unwrap_err().to_string();
    let missing = folder.path().join("missing.toml");
    assert!(refused(&missing).contains("missing.toml: No such file"), "{}", refused(&missing));
    assert!(refused(folder.path()).contains("directory"), "{}", refused(folder.path()));

    let broken = folder.path().join("broken.toml");
    std::fs::write(&broken, "a = 1\ntoken = \"hunter2\n").unwrap();
    let said = refused(&broken);
    assert!(said.contains("broken.toml: line 2, column") && !said.contains("hunter2"), "{said}");

    let large = folder.path().join("large.toml");
    std::fs::write(&large, "#".repeat(1_048_577)).unwrap();
    assert!(refused(&large).contains("too large"), "{}", refused(&large));
}
