use super::*;

const ID: u16 = 0xbeef;

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

/// An answer to a question for `a.example`, with these counts and this rest.
fn message(flags: u16, answers: u16, rest: &[u8]) -> Vec<u8> {
    let header: Vec<u8> =
        [ID, flags, 1, answers, 0, 0].iter().flat_map(|f| f.to_be_bytes()).collect();
    [&header, b"\x01a\x07example\0\0\x01\0\x01".as_slice(), rest].concat()
}

fn record(owner: &[u8], kind: u16, data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len()).unwrap();
    [owner, &kind.to_be_bytes(), &[0, 1, 0, 0, 0, 60], &length.to_be_bytes(), data].concat()
}

fn read(message: &[u8]) -> Result<Outcome, Unusable> {
    answer(message, ID, &name("A.example"), Family::V4)
}

fn addresses(list: &[[u8; 4]]) -> Result<Outcome, Unusable> {
    Ok(Outcome::Addresses(list.iter().map(|a| IpAddr::from(*a)).collect()))
}

const OWNER: &[u8] = &[0xc0, 12];

#[test]
fn a_question_is_what_the_rfc_draws() {
    let expected = b"\xbe\xef\x01\0\0\x01\0\0\0\0\0\0\x01a\x07example\0\0\x1c\0\x01";
    assert_eq!(question(ID, &name("a.example."), Family::V6), expected);
}

#[test]
fn names_that_dns_cannot_hold_are_none() {
    let long = ["a"; 128].join(".");
    for text in ["", ".", "a..b", &"a".repeat(64), &long] {
        assert_eq!(Name::parse(text), None, "{text}");
    }
    assert!(Name::parse(&["a"; 127].join(".")).is_some());
    assert!(Name::parse(&"a".repeat(63)).is_some());
}

#[test]
fn addresses_of_the_name_are_taken_and_others_are_not() {
    let records = [
        record(OWNER, 1, &[192, 0, 2, 1]),
        record(b"\x01A\x07EXAMPLE\0", 1, &[192, 0, 2, 2]),
        record(b"\x04evil\0", 1, &[192, 0, 2, 3]),
        record(OWNER, 28, &[0; 16]),
        record(OWNER, 16, b"text"),
    ];
    let answer = message(0x8180, 5, &records.concat());
    assert_eq!(read(&answer), addresses(&[[192, 0, 2, 1], [192, 0, 2, 2]]));
}

#[test]
fn aliases_are_followed_to_their_end_and_not_in_circles() {
    // a.example -> b.example -> c.example; `example` lies 14 bytes into the message.
    let records = [
        record(b"\x01b\xc0\x0e", 5, b"\x01c\xc0\x0e"),
        record(OWNER, 5, b"\x01b\xc0\x0e"),
        record(b"\x01c\xc0\x0e", 1, &[192, 0, 2, 7]),
        record(OWNER, 1, &[192, 0, 2, 8]),
    ];
    assert_eq!(read(&message(0x8180, 4, &records.concat())), addresses(&[[192, 0, 2, 7]]));
    let circle = [record(OWNER, 5, b"\x01b\xc0\x0e"), record(b"\x01b\xc0\x0e", 5, OWNER)];
    assert_eq!(read(&message(0x8180, 2, &circle.concat())), Ok(Outcome::Absent));
}

#[test]
fn codes_and_the_truncation_bit_are_heeded() {
    assert_eq!(read(&message(0x8180, 0, &[])), Ok(Outcome::Absent));
    assert_eq!(read(&message(0x8183, 0, &[])), Ok(Outcome::Absent));
    assert_eq!(read(&message(0x8182, 0, &[])), Err(Unusable::Refused(2)));
    assert_eq!(read(&message(0x8185, 0, &[])), Err(Unusable::Refused(5)));
    assert_eq!(read(&message(0x8380, 0, &[])), Err(Unusable::Truncated));
    // A referral, which is no answer; the same from a server that recurses is one.
    assert_eq!(read(&message(0x8100, 0, &[])), Err(Unusable::Refused(5)));
    assert_eq!(read(&message(0x8500, 0, &[])), Ok(Outcome::Absent));
    // A bare header.
    let bare = |code: u8| [0xbe, 0xef, 0x81, 0x80 | code, 0, 0, 0, 0, 0, 0, 0, 0];
    assert_eq!(read(&bare(5)), Err(Unusable::Refused(5)));
    assert_eq!(read(&bare(1)), Err(Unusable::Refused(1)));
    assert_eq!(read(&bare(3)), Err(Unusable::Foreign));
    assert_eq!(read(&bare(0)), Err(Unusable::Foreign));
}

#[test]
fn an_answer_to_another_question_is_foreign() {
    let good = message(0x8180, 1, &record(OWNER, 1, &[192, 0, 2, 1]));
    assert!(read(&good).is_ok());
    assert_eq!(answer(&good, ID ^ 1, &name("a.example"), Family::V4), Err(Unusable::Foreign));
    assert_eq!(answer(&good, ID, &name("b.example"), Family::V4), Err(Unusable::Foreign));
    assert_eq!(answer(&good, ID, &name("a.example"), Family::V6), Err(Unusable::Foreign));
    // A question instead of an answer, another kind of message, no question or two.
    for (at, value) in [(2, 0x01), (2, 0x89), (5, 0), (5, 2)] {
        let mut bad = good.clone();
        bad[at] = value;
        assert_eq!(read(&bad), Err(Unusable::Foreign), "byte {at} = {value:#x}");
    }
}

#[test]
fn a_pointer_may_only_point_backwards() {
    let itself = u8::try_from(message(0, 0, &[]).len()).unwrap();
    // The third is a well-formed name, further on.
    for target in [itself, itself + 1, itself + 2, 0xff] {
        let looped = record(&[0xc0, target], 1, &[192, 0, 2, 1]);
        assert_eq!(read(&message(0x8180, 1, &looped)), Err(Unusable::Foreign), "{target}");
    }
    for label in [0x40, 0x80] {
        let odd = record(&[label, 1, 0], 1, &[192, 0, 2, 1]);
        assert_eq!(read(&message(0x8180, 1, &odd)), Err(Unusable::Foreign), "{label:#x}");
    }
}

#[test]
fn a_name_follows_a_limited_number_of_pointers() {
    // A ladder of pointers, each to the one before, behind the question and in a record that
    // does not matter; then a record whose owner is its end.
    for (rungs, readable) in [(100, true), (126, true), (200, false)] {
        let mut ladder = Vec::new();
        let start = message(0, 0, &[]).len() + 12;
        for rung in 0..rungs {
            let target = if rung == 0 { 12 } else { start + 2 * (rung - 1) };
            ladder.extend((0xc000 | u16::try_from(target).unwrap()).to_be_bytes());
        }
        let end = 0xc000 | u16::try_from(start + 2 * (rungs - 1)).unwrap();
        let records = [record(OWNER, 16, &ladder), record(&end.to_be_bytes(), 1, &[192, 0, 2, 1])];
        let answer = read(&message(0x8180, 2, &records.concat()));
        assert_eq!(answer.is_ok(), readable, "{rungs}");
    }
}

#[test]
fn only_so_many_addresses_are_taken() {
    let records: Vec<u8> = (0..200).flat_map(|n| record(OWNER, 1, &[192, 0, 2, n])).collect();
    match read(&message(0x8180, 200, &records)) {
        Ok(Outcome::Addresses(addresses)) => assert_eq!(addresses.len(), ADDRESSES),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_address_of_the_wrong_length_is_no_address() {
    for data in [&[][..], &[1, 2, 3], &[1, 2, 3, 4, 5]] {
        assert_eq!(read(&message(0x8180, 1, &record(OWNER, 1, data))), Err(Unusable::Foreign));
    }
}

#[test]
fn no_cut_and_no_flipped_byte_makes_the_reader_panic_or_invent_an_address() {
    let records =
        [record(OWNER, 5, b"\x01b\xc0\x0e"), record(b"\x01b\xc0\x0e", 1, &[192, 0, 2, 7])];
    let good = message(0x8180, 2, &records.concat());
    for length in 0..good.len() {
        assert_eq!(read(&good[..length]), Err(Unusable::Foreign), "{length} bytes");
    }
    for at in 0..good.len() {
        for value in 0..=255 {
            let mut bad = good.clone();
            bad[at] = value;
            let _any_outcome = read(&bad);
        }
    }
}
