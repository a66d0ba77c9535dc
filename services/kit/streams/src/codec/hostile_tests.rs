//! What a disk, a stranger or a newer version may leave where our messages belong. It is read or
//! refused; nothing panics, and nothing takes memory that a length only promises.

use super::{access, config, delivery, event, quarantine, replay, test_delivery};

/// Real messages of every kind, as they are kept for ever.
const CORPUS: [&[u8]; 8] = [
    include_bytes!("../../../../../proto/rust/tests/golden/record.binpb"),
    include_bytes!("../../../../../proto/rust/tests/golden/config_event.binpb"),
    include_bytes!("../../../../../proto/rust/tests/golden/delivery_event.binpb"),
    include_bytes!("../../../../../proto/rust/tests/golden/replay_event.binpb"),
    include_bytes!("../../../../../proto/rust/tests/golden/retention_event.binpb"),
    include_bytes!("../../../../../proto/rust/tests/golden/parked.binpb"),
    include_bytes!("../../../../../proto/rust/tests/golden/released_resent.binpb"),
    include_bytes!("../../../../../proto/rust/tests/golden/released_discarded.binpb"),
];

/// How many of the readers took it.
fn read_by_all(bytes: &[u8]) -> usize {
    [
        event::decode_record(bytes).is_ok(),
        access::decode(bytes).is_ok(),
        config::decode(bytes).is_ok(),
        delivery::decode(bytes).is_ok(),
        replay::decode(bytes).is_ok(),
        replay::decode_command(bytes).is_ok(),
        replay::decode_reply(bytes).is_ok(),
        quarantine::decode_parked(bytes).is_ok(),
        quarantine::decode_released(bytes).is_ok(),
        quarantine::decode_command(bytes).is_ok(),
        quarantine::decode_reply(bytes).is_ok(),
        test_delivery::decode_command(bytes).is_ok(),
        test_delivery::decode_reply(bytes).is_ok(),
    ]
    .into_iter()
    .filter(|taken| *taken)
    .count()
}

#[test]
fn every_beginning_of_a_message_is_read_or_refused() {
    for message in CORPUS {
        for end in 0..message.len() {
            read_by_all(&message[..end]);
        }
    }
    assert!(read_by_all(CORPUS[0]) > 0, "a whole record is read");
    assert!(event::decode_record(&[]).is_err(), "nothing is no record");
}

#[test]
fn every_changed_byte_of_a_message_is_read_or_refused() {
    for message in CORPUS {
        let mut changed = message.to_vec();
        for at in 0..changed.len() {
            for flip in [0x01, 0x07, 0x80, 0xff] {
                changed[at] ^= flip;
                read_by_all(&changed);
                changed[at] ^= flip;
            }
        }
    }
}

#[test]
fn lengths_that_lie_and_nesting_without_end_are_refused() {
    for field in 1..=20_u8 {
        // Length-delimited, 2^63 long, with nothing behind it.
        let mut lie = vec![field << 3 | 2];
        lie.extend([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]);
        assert_eq!(read_by_all(&lie), 0, "field {field}");
        let mut nested = Vec::new();
        for _ in 0..2_000 {
            let mut outer = vec![field << 3 | 2];
            let mut length = nested.len();
            while length >= 0x80 {
                outer.push(u8::try_from(length & 0x7f).unwrap() | 0x80);
                length >>= 7;
            }
            outer.push(u8::try_from(length).unwrap());
            outer.extend(&nested);
            nested = outer;
            if nested.len() > 4_000 {
                break;
            }
        }
        read_by_all(&nested);
    }
}

#[test]
fn another_format_is_refused() {
    for text in [r#"{"id":"x"}"#, "CEF:0|", "\u{feff}", "\0\0\0\0", "not protobuf at all"] {
        assert_eq!(read_by_all(text.as_bytes()), 0, "{text:?}");
    }
}
