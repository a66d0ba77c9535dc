use auditrelay_model::Window;

use super::*;

const MEBIBYTE: usize = 1024 * 1024;

fn large() -> String {
    "x".repeat(MEBIBYTE)
}

fn page_of(one: &AuditEvent) -> Page {
    let (peek, _) = log(1).remove(0);
    let mut gather = Forward::new(parse("page[size]=1000").unwrap(), Reach::default());
    assert_eq!(gather.look(&peek), Look::Decode);
    gather.take(&peek, vec![one.clone(); 10]);
    gather.finish()
}

#[test]
fn a_page_ends_at_eight_mebibytes_whichever_texts_are_long() {
    let ts = NOW - Duration::from_secs(1);
    let plain = event(ts, access());
    let authorization = |service: String, resource: String, action: String| {
        Detail::Authorization(Authorization { service, resource, action, granted: true })
    };
    let none = String::new;
    let access = |method, query| Detail::Access(Access { method, status_code: 200, query });
    let mut long = vec![
        event(ts, authorization(large(), none(), none())),
        event(ts, authorization(none(), large(), none())),
        event(ts, authorization(none(), none(), large())),
        event(ts, access(large(), none())),
        event(ts, access(none(), large())),
    ];
    let fields: [fn(&mut AuditEvent) -> &mut String; 6] = [
        |event| &mut event.principal_id,
        |event| &mut event.principal_name,
        |event| &mut event.actor_id,
        |event| &mut event.uri,
        |event| &mut event.user_agent,
        |event| &mut event.trace_id,
    ];
    long.extend(fields.map(|field| {
        let mut event = plain.clone();
        *field(&mut event) = large();
        event
    }));
    for one in long {
        let page = page_of(&one);
        assert_eq!((page.events.len(), page.next.unwrap().number), (7, 7));
    }
    assert_eq!(page_of(&plain).events.len(), 10);
}

#[test]
fn an_event_that_is_larger_than_a_page_has_one_of_its_own() {
    let huge =
        AuditEvent { uri: large().repeat(9), ..event(NOW - Duration::from_secs(1), access()) };
    let page = page_of(&huge);
    assert_eq!((page.events.len(), page.next.unwrap().number), (1, 1));
}

#[test]
fn only_what_happened_to_the_organization_itself_is_its_trail() {
    let made_of_facts = EventId::from_uuid(uuid::Builder::from_custom_bytes([7; 16]).into_uuid());
    let login = Detail::Authentication(Authentication {
        method: AuthenticationType::Sso,
        outcome: AuthenticationOutcome::Success,
        success: true,
    });
    let plain = event(NOW - Duration::from_secs(1), access());
    let told = AuditEvent { id: made_of_facts, ..plain.clone() };
    let other = AuditEvent { detail: login, ..told.clone() };
    assert!(told.is_trail() && !plain.is_trail() && !other.is_trail());
    let (peek, _) = log(1).remove(0);
    let mut gather = Forward::new(parse("filter[trail]=true").unwrap(), Reach::default());
    gather.take(&peek, vec![plain, told.clone(), other]);
    assert_eq!(gather.finish().events, [told]);
}

#[test]
fn nothing_is_read_that_was_stored_too_early_or_too_late() {
    let (peek, _) = log(1).remove(0);
    let mut wish = parse("").unwrap();
    wish.window = Window::stored(NOW, NOW);
    let stored = |stored_at| Peek { stored_at, ..peek };
    let nano = Duration::from_nanos(1);
    let (begins, ends) = (Reach::default().begins(wish.window), Reach::default().ends(wish.window));
    let forward = |peek: Peek| Forward::new(wish.clone(), Reach::default()).look(&peek);
    assert_eq!(forward(stored(ends)), Look::Done);
    assert_ne!(forward(stored(ends - nano)), Look::Done);
    let backward =
        |peek: Peek| Backward::new(wish.clone(), peek.at(10), Reach::default()).look(&peek);
    assert_eq!(backward(stored(begins - nano)), Look::Done);
    assert_ne!(backward(stored(begins)), Look::Done);
}

#[test]
fn a_walk_back_is_as_bounded_as_one_ahead_and_says_where_it_was() {
    let log = log(2);
    let wish = parse("filter[type]=authentication").unwrap();
    let before = log[1].0.at(20);
    let mut gather = Backward::new(wish.clone(), before, Reach::default());
    assert!(!gather.has_met());
    let large = Peek { bytes: 200 * MEBIBYTE, may_hold: false, ..log[1].0 };
    assert_eq!(gather.look(&large), Look::Skip, "nothing of the kind is in it");
    assert!(gather.has_met());
    assert_eq!(gather.look(&log[0].0), Look::Done);
    let page = gather.finish();
    assert_eq!((page.previous, page.next), (Some(large.at(11)), Some(log[1].0.at(19))));
}

#[test]
fn a_cursor_of_another_life_of_the_chain_expires_at_the_first_record() {
    let log = log(1);
    let wish = with(&parse("").unwrap(), At::After(Position { epoch: 0, number: 10, sequence: 1 }));
    let mut gather = Forward::new(wish, Reach::default());
    assert_eq!(gather.look(&log[0].0), Look::Expired);
}
