//! Protobuf's wire format, read in place: nothing is copied, and a message of a million empty parts
//! takes no more memory than one without any.

/// One field's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wire<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    Fixed32(u32),
}

/// Not protobuf, or cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed;

/// The fields of a message, in the order in which they stand. Ends after the first mistake.
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u64, Wire<'a>), Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_none() {
            self.0 = &[];
        }
        Some(field.ok_or(Malformed))
    }
}

impl<'a> Fields<'a> {
    fn field(&mut self) -> Option<(u64, Wire<'a>)> {
        let key = self.varint()?;
        let number = key >> 3;
        if number == 0 || number > 0x1fff_ffff {
            return None;
        }
        let value = match key & 7 {
            0 => Wire::Varint(self.varint()?),
            1 => Wire::Fixed64(u64::from_le_bytes(self.array()?)),
            2 => {
                let length = usize::try_from(self.varint()?).ok()?;
                Wire::Bytes(self.bytes(length)?)
            }
            5 => Wire::Fixed32(u32::from_le_bytes(self.array()?)),
            // Groups: nothing of ours has any.
            _ => return None,
        };
        Some((number, value))
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for shift in (0..70).step_by(7) {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            // The tenth byte has one bit left to give.
            if shift == 63 && *byte > 1 {
                return None;
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn bytes(&mut self, length: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.bytes(N)?.try_into().ok()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_kind_of_value_is_read() {
        let message = [
            &[0x08, 0x96, 0x01][..],
            &[0x11, 1, 0, 0, 0, 0, 0, 0, 0],
            &[0x1a, 2, b'h', b'i'],
            &[0x25, 2, 0, 0, 0],
        ]
        .concat();
        let fields: Result<Vec<_>, _> = Fields(&message).collect();
        let wanted = vec![
            (1, Wire::Varint(150)),
            (2, Wire::Fixed64(1)),
            (3, Wire::Bytes(b"hi")),
            (4, Wire::Fixed32(2)),
        ];
        assert_eq!(fields, Ok(wanted));
    }

    #[test]
    fn what_is_cut_or_impossible_is_malformed() {
        for bad in [
            &[0x08][..],
            &[0x08, 0x80],
            &[0x11, 1, 2],
            &[0x1a, 5, b'h'],
            &[0x00, 1],
            &[0x0b],
            &[0x0f, 1],
            &[0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02],
            &[0x1a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
        ] {
            assert_eq!(Fields(bad).last(), Some(Err(Malformed)), "{bad:?}");
        }
        assert_eq!(Fields(&[]).next(), None);
    }

    proptest! {
        #[test]
        fn any_bytes_come_to_an_end(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            prop_assert!(Fields(&bytes).count() <= bytes.len());
        }
    }

    fn varint(mut value: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        while value > 0x7f {
            bytes.push(u8::try_from(value & 0x7f).unwrap() | 0x80);
            value >>= 7;
        }
        bytes.push(u8::try_from(value).unwrap());
        bytes
    }

    #[test]
    fn the_largest_number_of_a_field_is_read_and_none_beyond() {
        for (number, is_read) in [(0, false), (1, true), (0x1fff_ffff, true), (1 << 29, false)] {
            let field = [varint(number << 3), vec![7]].concat();
            let read = Fields(&field).next();
            assert_eq!(matches!(read, Some(Ok((n, Wire::Varint(7)))) if n == number), is_read);
        }
    }

    #[test]
    fn a_varint_has_at_most_64_bits() {
        let largest = [vec![8], varint(u64::MAX)].concat();
        assert!(matches!(Fields(&largest).next(), Some(Ok((1, Wire::Varint(u64::MAX))))));
        let mut larger = largest;
        *larger.last_mut().unwrap() = 2;
        assert!(matches!(Fields(&larger).next(), Some(Err(Malformed))));
    }
}
