use super::super::needle::Needle;
use super::*;
use crate::fault::Wrong;
use auditrelay_model::event::EventKind;

#[test]
fn a_wish_has_its_defaults_and_is_read_in_both_spellings() {
    let wish = parse("page[size]=&page[after]=").unwrap();
    assert_eq!((wish.size, wish.at, wish.kind), (20, At::Start, None));
    assert_eq!((wish.window.start(), wish.window.end()), (NOW - Duration::from_hours(168), NOW));
    let wish = parse("filter%5Btype%5D=authorization&page%5Bsize%5D=1000").unwrap();
    assert_eq!((wish.size, wish.kind), (1000, Some(EventKind::Authorization)));
    let hour = NOW - Duration::from_hours(1);
    let raw = format!("filter[ts][gte]={hour}&filter[ts][lte]={hour}");
    let wish = parse(&raw).unwrap();
    assert!(wish.window.contains(hour));
    assert_eq!(wish.window.start(), wish.window.end());
    let longest = "x".repeat(200);
    let wish = parse(&format!("filter[text]={longest}&filter[trail]=true")).unwrap();
    assert_eq!((wish.text, wish.trail), (Some(Needle::new(&longest)), true));
    assert_eq!(parse("filter[trail]=false").map(|wish| wish.trail), Ok(false));
    let ever = "filter[ts][gte]=0001-01-01T00:00:00Z&filter[ts][lte]=9999-12-31T23:59:59Z";
    assert_eq!(parse(ever).unwrap().window, parse("").unwrap().window);
}

#[test]
fn every_mistake_in_a_query_is_told() {
    let invalid = Wrong::Invalid;
    let many = "a=1&".repeat(200);
    let most = "a=1&".repeat(20);
    let long = format!("filter[text]={}", "x".repeat(201));
    for (raw, field, wrong) in [
        ("page[size]=0", "page[size]", Wrong::Min(1)),
        ("page[size]=-1", "page[size]", Wrong::Min(1)),
        ("page[size]=1.5", "page[size]", Wrong::Type("integer")),
        ("page[size]=%2B5", "page[size]", Wrong::Type("integer")),
        ("page[size]=0x10", "page[size]", Wrong::Type("integer")),
        ("page[size]=１０", "page[size]", Wrong::Type("integer")),
        ("page[size]=1001", "page[size]", Wrong::Max(1000)),
        ("page[size]=99999999999999999999", "page[size]", Wrong::Max(1000)),
        ("page[size]=5&page[size]=9", "page[size]", invalid("is repeated")),
        ("page[after]=x", "page[after]", Wrong::Cursor),
        ("page[before]=..%2F%00'", "page[before]", Wrong::Cursor),
        ("page[number]=2", "page[number]", Wrong::Unknown),
        ("filter[ts][gte]=x", "filter[ts][gte]", Wrong::DateTime),
        ("filter[ts][gte]=2026-01-01T00:00:00+05:30", "filter[ts][gte]", Wrong::DateTime),
        ("filter[ts]=2026-01-01T00:00:00Z", "filter[ts]", invalid("needs an operator")),
        (
            "filter[ts][gte]=2026-01-02T00:00:00Z&filter[ts][lte]=2026-01-01T00:00:00Z",
            "filter[ts][lte]",
            invalid("must not be before filter[ts][gte]"),
        ),
        ("filter[type]=Authorization", "filter[type]", Wrong::Choices(super::super::wish::KINDS)),
        ("filter[type]=", "filter[type]", Wrong::Choices(super::super::wish::KINDS)),
        (
            "filter[type]=authorization&filter[type]=authorization",
            "filter[type]",
            invalid("is repeated"),
        ),
        ("filter[type][eq]=authentication", "filter[type][eq]", Wrong::Unknown),
        ("filter[org_id]=1", "filter[org_id]", Wrong::Unknown),
        ("FILTER[TYPE]=authorization", "FILTER[TYPE]", Wrong::Unknown),
        ("filter[ts[gte]=x", "filter[ts[gte]", Wrong::Unknown),
        ("access_token=x", "access_token", Wrong::Unknown),
        ("a=%zz", "query", invalid("is not valid percent-encoding")),
        ("a=%", "query", invalid("is not valid percent-encoding")),
        ("a=%ff", "query", invalid("is not valid percent-encoding")),
        ("a=%+1", "query", invalid("is not valid percent-encoding")),
        (many.as_str(), "query", invalid("has too many parameters")),
        (most.as_str(), "a", Wrong::Unknown),
        ("filter[trail]=yes", "filter[trail]", Wrong::Choices(&["true", "false"])),
        (long.as_str(), "filter[text]", invalid("is longer than 200 characters")),
    ] {
        assert_eq!(parse(raw), Err(vec![Fault::query(field, wrong)]), "{raw}");
    }
    assert_eq!(parse("page[size]=0&filter[type]=x&x=1").unwrap_err().len(), 3);
}

#[test]
fn a_cursor_belongs_to_its_log_and_filter() {
    let at = Position { epoch: 1, number: 5, sequence: 9 };
    let cursor = parse("filter[type]=authorization").unwrap().seal(&key(), at);
    let same = parse(&format!("page[after]={cursor}&filter[type]=authorization&page[size]=3"));
    assert_eq!(same.unwrap().at, At::After(at));
    let before = parse(&format!("page[before]={cursor}&filter[type]=authorization"));
    assert_eq!(before.unwrap().at, At::Before(at));
    let refused = Err(vec![Fault::query("page[after]", Wrong::Cursor)]);
    assert_eq!(parse(&format!("page[after]={cursor}")), refused);
    let raw = format!("page[after]={cursor}&filter[type]=authorization");
    assert_eq!(Wish::parse(Some(&raw), org(2), NOW, &key()), refused);
    let bounded = format!("{raw}&filter[ts][lte]={NOW}");
    assert_eq!(parse(&bounded), refused);
    for more in ["filter[text]=x", "filter[trail]=true"] {
        assert_eq!(parse(&format!("{raw}&{more}")), refused, "{more}");
    }
    let sought = parse("filter[text]=x").unwrap().seal(&key(), at);
    assert_eq!(parse(&format!("page[after]={sought}&filter[text]=y")), refused);
    let both = format!("{raw}&page[before]={cursor}");
    assert_eq!(parse(&both).unwrap_err()[0].field, "page");
}
