use super::*;

const BOUNDS: Bounds = Bounds { events: 9, event_bytes: 65_536 };

fn places(body: &str, media: &Media, max: usize) -> (Vec<Place>, Vec<Rejection>) {
    let mut places = Vec::new();
    let bounds = Bounds { events: max, ..BOUNDS };
    let rejections = read(body.as_bytes(), media, bounds, &mut |place, _| places.push(place));
    (places, rejections.into_vec())
}

fn rejection(field: &str, kind: RejectionKind) -> Rejection {
    Rejection { field: field.to_owned(), kind }
}

#[test]
fn one_object_an_array_and_lines_are_read() {
    assert_eq!(places("{}", &Media::Json, 9).0, [Place::Body]);
    assert_eq!(places(" [{}, {} ]\n", &Media::Json, 9).0, [Place::Item(0), Place::Item(1)]);
    let lines = "{}\r\n\n {} \n";
    assert_eq!(places(lines, &Media::Ndjson, 9).0, [Place::Line(1), Place::Line(3)]);
    assert_eq!(places("{}", &Media::Ndjson, 9).0, [Place::Line(1)]);
}

#[test]
fn what_is_not_json_is_told_alone() {
    let deep = format!("[{{\"foo\":{}{}}}]", "[".repeat(127), "]".repeat(127));
    for body in [
        "",
        " ",
        "{",
        "[{\"a\":1},]",
        "[{}{}]",
        "{} {}",
        "{'a':1}",
        "{/**/}",
        "[NaN]",
        "{\"a\":Infinity}",
        "{\"status_code\":1e400}",
        "{\"uri\":\"\\ud800\"}",
        "{\"foo\":[\"\\ud800\"]}",
        "{\"uri\":\"a\nb\"}",
        "\u{feff}{}",
        "[{}",
        "nul",
        "{\"a\":01}",
        &deep,
    ] {
        let (_, rejections) = places(body, &Media::Json, 9);
        assert_eq!(rejections, [rejection("body", RejectionKind::Syntax)], "{body}");
    }
    assert!(!read(b"\"\xff\"", &Media::Json, BOUNDS, &mut |_, _| {}).is_empty());
}

#[test]
fn a_scalar_is_no_event() {
    let wrong = RejectionKind::Type(JsonType::Object);
    for body in ["null", "true", "7", "-7", "7.5", "\"x\""] {
        assert_eq!(places(body, &Media::Json, 9).1, [rejection("body", wrong.clone())], "{body}");
    }
    let (places, rejections) = places("[{},7,[[1],2],{},null]", &Media::Json, 9);
    assert_eq!(places, [Place::Item(0), Place::Item(3)]);
    let fields: Vec<_> = rejections.iter().map(|rejection| rejection.field.as_str()).collect();
    assert_eq!(fields, ["[1]", "[2]", "[4]"]);
}

#[test]
fn a_request_has_at_least_one_event_and_at_most_so_many() {
    assert_eq!(places("[]", &Media::Json, 9).1, [rejection("body", RejectionKind::MinItems(1))]);
    let too_many = [rejection("body", RejectionKind::MaxItems(2))];
    assert_eq!(places("[{},{},{}]", &Media::Json, 2).1, too_many);
    assert_eq!(places("{}\n{}\n{}", &Media::Ndjson, 2).1, too_many);
    assert_eq!(places("[{},{}]", &Media::Json, 2).1, []);
    let syntax = [rejection("body", RejectionKind::Syntax)];
    assert_eq!(places("[{},{},{},}]", &Media::Json, 2).1, syntax);
}

#[test]
fn every_broken_line_is_named() {
    let body = "{}\n{}\n{}\n{\"a\":\n{}\nnope\n{} {}";
    let lines = ["line 4", "line 6", "line 7"].map(|line| rejection(line, RejectionKind::Syntax));
    assert_eq!(places(body, &Media::Ndjson, 9).1, lines);
    assert_eq!(places("\n \n", &Media::Ndjson, 9).1, [rejection("body", RejectionKind::Syntax)]);
}

#[test]
fn a_property_that_comes_twice_makes_the_body_unreadable() {
    let (_, rejections) = places(r#"[{},{"type":"x","type":"x"}]"#, &Media::Json, 9);
    let repeated = rejection("[1].type", RejectionKind::Repeated);
    assert_eq!(rejections, [rejection("body", RejectionKind::Syntax), repeated]);
    let (_, rejections) = places("{\"foo\":1,\"foo\":2}", &Media::Ndjson, 9);
    let repeated = rejection("line 1.foo", RejectionKind::Repeated);
    assert_eq!(rejections, [rejection("line 1", RejectionKind::Syntax), repeated]);
}

#[test]
fn an_event_is_as_large_as_its_compact_json() {
    for body in [
        "{}",
        r#"{"type":"x"}"#,
        r#"{"granted":true,"successful":false,"uri":""}"#,
        r#"{"status_code":0,"id":-12,"ts":18446744073709551615}"#,
        r#"{"uri":"ä"}"#,
    ] {
        let mut size = 0;
        read(body.as_bytes(), &Media::Json, BOUNDS, &mut |_, draft| size = draft.size);
        assert_eq!(size, body.len(), "{body}");
    }
}
