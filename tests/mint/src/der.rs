//! As much of DER (X.690) as keys and signatures need.

/// The content of the element at the front, which has this tag; `input` moves behind it.
pub(crate) fn take<'a>(input: &mut &'a [u8], tag: u8) -> &'a [u8] {
    assert_eq!(input[0], tag, "another element");
    let (length, start) = match input[1] {
        short @ 0..0x80 => (usize::from(short), 2),
        long => {
            let end = 2 + usize::from(long & 0x7f);
            let length = input[2..end].iter();
            (length.fold(0, |length, byte| length << 8 | usize::from(*byte)), end)
        }
    };
    let (element, rest) = input.split_at(start + length);
    *input = rest;
    &element[start..]
}

/// An element.
pub(crate) fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let significant = without_leading_zeros(&length);
    let mut head = vec![tag];
    if content.len() >= 0x80 {
        head.push(0x80 | u8::try_from(significant.len()).expect("a short length"));
    }
    head.extend_from_slice(if content.is_empty() { &[0] } else { significant });
    [&head, content].concat()
}

pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const SEQUENCE: u8 = 0x30;

/// An INTEGER that is not negative.
pub(crate) fn unsigned(number: &[u8]) -> Vec<u8> {
    let number = without_leading_zeros(number);
    let sign: &[u8] = if number.first().is_none_or(|first| first & 0x80 != 0) { &[0] } else { &[] };
    element(INTEGER, &[sign, number].concat())
}

pub(crate) fn without_leading_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    &number[zeros..]
}
