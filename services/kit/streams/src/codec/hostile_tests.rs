//! What a disk, a stranger or a newer version may leave where our messages belong. It is read or
//! refused; nothing panics, and nothing takes memory that a length only promises.

use super::{event, readers_of};

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

#[test]
fn every_beginning_of_a_message_is_read_or_refused() {
    for message in CORPUS {
        for end in 0..message.len() {
            readers_of(&message[..end]);
        }
    }
    assert!(readers_of(CORPUS[0]) > 0, "a whole record is read");
    assert!(event::decode_record(&[]).is_err(), "nothing is no record");
}

#[test]
fn every_changed_byte_of_a_message_is_read_or_refused() {
    for message in CORPUS {
        let mut changed = message.to_vec();
        for at in 0..changed.len() {
            for flip in [0x01, 0x07, 0x80, 0xff] {
                changed[at] ^= flip;
                readers_of(&changed);
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
        assert_eq!(readers_of(&lie), 0, "field {field}");
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
        readers_of(&nested);
    }
}

#[test]
fn another_format_is_refused() {
    for text in [r#"{"id":"x"}"#, "CEF:0|", "\u{feff}", "\0\0\0\0", "not protobuf at all"] {
        assert_eq!(readers_of(text.as_bytes()), 0, "{text:?}");
    }
}
