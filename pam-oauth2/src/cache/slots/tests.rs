use std::collections::BTreeMap;
use std::fs;

use proptest::prelude::*;
use serde::Deserialize;

use super::super::lock::Locked;
use super::super::scratch::Scratch;
use super::*;

const NOW: f64 = 1_753_000_000.25;

fn at(seconds: f64) -> Timestamp {
    Timestamp::from_seconds(NOW + seconds)
}

/// Keys with one `slot` share a file.
fn key(slot: u16, number: u8) -> [u8; 32] {
    let mut key = [number; 32];
    key[..2].copy_from_slice(&(slot << 6).to_be_bytes());
    key
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
struct Value {
    text: String,
    number: f64,
}

fn value(text: &str) -> Value {
    Value { text: text.to_owned(), number: 0.1 }
}

#[test]
fn what_was_stored_is_found_until_it_ends() {
    let scratch = Scratch::new();
    let directory = scratch.directory();
    let slots = Slots::new(&directory, "verdicts");
    let odd = value("a line\nand \"another\" \u{2028} \0 \u{1f418}");
    slots.store(&key(5, 1), &odd, at(10.0), at(0.0)).unwrap();
    let find = |now| slots.find::<Value>(&key(5, 1), at(now));
    assert_eq!(find(0.0), Some(odd.clone()));
    assert_eq!(find(9.75), Some(odd));
    assert_eq!(find(10.0), None);
    assert_eq!(find(10.25), None);
    assert_eq!(slots.find::<Value>(&key(5, 2), at(0.0)), None);
    assert_eq!(slots.find::<Value>(&key(6, 1), at(0.0)), None);
}

#[test]
fn kinds_are_apart() {
    let scratch = Scratch::new();
    let directory = scratch.directory();
    let (verdicts, denials) =
        (Slots::new(&directory, "verdicts"), Slots::new(&directory, "denials"));
    verdicts.store(&key(1023, 1), &1, at(10.0), at(0.0)).unwrap();
    denials.store(&key(1023, 1), &2, at(10.0), at(0.0)).unwrap();
    assert_eq!(verdicts.find(&key(1023, 1), at(0.0)), Some(1));
    assert_eq!(denials.find(&key(1023, 1), at(0.0)), Some(2));
    let names = ["denials-3ff", "lock-denials-3ff", "lock-verdicts-3ff", "verdicts-3ff"];
    assert_eq!(scratch.names(), names);
}

#[test]
fn the_last_value_of_a_key_counts() {
    let scratch = Scratch::new();
    let directory = scratch.directory();
    let slots = Slots::new(&directory, "verdicts");
    slots.store(&key(5, 1), &1, at(100.0), at(0.0)).unwrap();
    slots.store(&key(5, 1), &2, at(10.0), at(0.0)).unwrap();
    assert_eq!(slots.find(&key(5, 1), at(0.0)), Some(2));
    assert_eq!(slots.find::<i32>(&key(5, 1), at(20.0)), None);
    // Also one that is over already.
    slots.store(&key(5, 1), &3, at(0.0), at(0.0)).unwrap();
    assert_eq!(slots.find::<i32>(&key(5, 1), at(0.0)), None);
    assert_eq!(slots.find::<i32>(&key(5, 1), at(-100.0)), None);
}

#[test]
fn all_of_the_key_is_compared() {
    let scratch = Scratch::new();
    let directory = scratch.directory();
    let slots = Slots::new(&directory, "verdicts");
    let stored = key(5, 1);
    slots.store(&stored, &1, at(10.0), at(0.0)).unwrap();
    for byte in 0..32 {
        let mut other = stored;
        other[byte] ^= 1;
        assert_eq!(slots.find::<i32>(&other, at(0.0)), None, "byte {byte}");
    }
}

#[test]
fn an_entry_from_the_future_is_not_believed() {
    let scratch = Scratch::new();
    let directory = scratch.directory();
    let slots = Slots::new(&directory, "verdicts");
    slots.store(&key(5, 1), &1, at(10_000.0), at(0.0)).unwrap();
    assert_eq!(slots.find(&key(5, 1), at(-299.75)), Some(1));
    assert_eq!(slots.find(&key(5, 1), at(-300.0)), Some(1));
    assert_eq!(slots.find::<i32>(&key(5, 1), at(-300.25)), None);
    // Nor does it take the place of others.
    slots.store(&key(5, 2), &2, at(0.0), at(-3600.0)).unwrap();
    assert_eq!(slots.find::<i32>(&key(5, 1), at(0.0)), None);
    assert_eq!(slots.find(&key(5, 2), at(-3600.0)), Some(2));
}

#[test]
fn nothing_is_kept_without_an_end_or_by_a_clock_that_tells_no_time() {
    let scratch = Scratch::new();
    let directory = scratch.directory();
    let slots = Slots::new(&directory, "verdicts");
    let never = Timestamp::from_seconds(f64::INFINITY);
    slots.store(&key(5, 1), &1, never, at(0.0)).unwrap();
    assert_eq!(slots.find::<i32>(&key(5, 1), at(0.0)), None);
    slots.store(&key(5, 1), &1, never, never).unwrap();
    slots.store(&key(5, 2), &1, Timestamp::from_seconds(f64::NAN), at(0.0)).unwrap();
    for now in [at(0.0), never] {
        assert_eq!(slots.find::<i32>(&key(5, 1), now), None);
        assert_eq!(slots.find::<i32>(&key(5, 2), now), None);
    }
}

#[test]
fn a_ninth_entry_takes_the_place_of_the_one_that_ends_first() {
    let scratch = Scratch::new();
    let directory = scratch.directory();
    let slots = Slots::new(&directory, "verdicts");
    for number in 0..8 {
        // Entry 3 ends first.
        let end = if number == 3 { 50.0 } else { 100.0 - f64::from(number) };
        slots.store(&key(5, number), &number, at(end), at(0.0)).unwrap();
    }
    // The new one stays although it ends before all others.
    slots.store(&key(5, 8), &8, at(10.0), at(0.0)).unwrap();
    let found = |now| (0..10).filter(|n| slots.find(&key(5, *n), now) == Some(*n)).collect();
    let all: Vec<u8> = found(at(0.0));
    assert_eq!(all, [0, 1, 2, 4, 5, 6, 7, 8]);
    // What is over goes before what holds.
    slots.store(&key(5, 9), &9, at(200.0), at(10.0)).unwrap();
    assert_eq!(found(at(10.0)), [0, 1, 2, 4, 5, 6, 7, 9]);
}

#[test]
fn a_value_that_is_too_large_is_an_error_and_nothing_else() {
    let scratch = Scratch::new();
    let directory = scratch.directory();
    let slots = Slots::new(&directory, "verdicts");
    let largest = "x".repeat(LARGEST_VALUE - 2);
    for number in 0..8 {
        slots.store(&key(5, number), &largest, at(10.0), at(0.0)).unwrap();
    }
    slots.store(&key(5, 0), &format!("{largest}x"), at(10.0), at(0.0)).unwrap_err();
    for number in 0..8 {
        assert_eq!(slots.find(&key(5, number), at(0.0)), Some(largest.clone()));
    }
}

#[test]
fn a_value_of_another_type_is_absent() {
    let scratch = Scratch::new();
    let directory = scratch.directory();
    let slots = Slots::new(&directory, "verdicts");
    slots.store(&key(5, 1), &"text", at(10.0), at(0.0)).unwrap();
    assert_eq!(slots.find::<Value>(&key(5, 1), at(0.0)), None);
}

#[test]
fn lines_that_are_no_entries_are_passed_over_and_vanish() {
    let scratch = Scratch::new();
    let directory = scratch.directory();
    let slots = Slots::new(&directory, "verdicts");
    let (good, bad) = (hex(&key(5, 1)), hex(&key(5, 2)));
    let until = NOW + 10.0;
    let text = format!(
        "\n{bad}\n{bad} {NOW} {until}\n{bad} now {until} 7\n{bad} {NOW} inf 7\n\
         {bad} NaN {until} 7\n{bad} {NOW} {until} \n{bad} {NOW} {until} [7\n{good} {NOW} {until} 7"
    );
    directory.write("verdicts-005", text.as_bytes()).unwrap();
    assert_eq!(slots.find(&key(5, 1), at(0.0)), Some(7));
    assert_eq!(slots.find::<i32>(&key(5, 2), at(0.0)), None);
    slots.store(&key(5, 2), &8, at(10.0), at(0.0)).unwrap();
    let payload = String::from_utf8(directory.read("verdicts-005", LARGEST).unwrap()).unwrap();
    assert_eq!(payload, format!("{good} {NOW} {until} 7\n{bad} {NOW} {until} 8\n"));
    // So does a file that is no text.
    directory.write("verdicts-005", b"\xff").unwrap();
    assert_eq!(slots.find::<i32>(&key(5, 1), at(0.0)), None);
    slots.store(&key(5, 1), &9, at(10.0), at(0.0)).unwrap();
    assert_eq!(slots.find(&key(5, 1), at(0.0)), Some(9));
}

#[test]
fn a_damaged_file_is_empty_and_healed_by_the_next_value() {
    let scratch = Scratch::new();
    let directory = scratch.directory();
    let slots = Slots::new(&directory, "verdicts");
    slots.store(&key(5, 1), &1, at(10.0), at(0.0)).unwrap();
    fs::write(scratch.file("verdicts-005"), "rubbish").unwrap();
    assert_eq!(slots.find::<i32>(&key(5, 1), at(0.0)), None);
    slots.store(&key(5, 2), &2, at(10.0), at(0.0)).unwrap();
    assert_eq!(slots.find(&key(5, 2), at(0.0)), Some(2));
}

#[test]
fn who_cannot_get_the_lock_stores_all_the_same() {
    let scratch = Scratch::new();
    let directory = scratch.directory();
    let slots = Slots::new(&directory, "verdicts");
    let Locked::Held(_stopped) = lock(&directory, "lock-verdicts-005", PATIENCE) else { panic!() };
    slots.store(&key(5, 1), &1, at(10.0), at(0.0)).unwrap();
    assert_eq!(slots.find(&key(5, 1), at(0.0)), Some(1));
}

#[test]
fn where_nothing_can_be_written_nothing_is_found() {
    let scratch = Scratch::new();
    scratch.directory();
    let directory = Scratch::unwritable();
    let slots = Slots::new(&directory, "verdicts");
    slots.store(&key(5, 1), &1, at(10.0), at(0.0)).unwrap_err();
    assert_eq!(slots.find::<i32>(&key(5, 1), at(0.0)), None);
    let directory = scratch.read_only();
    let slots = Slots::new(&directory, "verdicts");
    slots.store(&key(5, 1), &1, at(10.0), at(0.0)).unwrap();
    assert_eq!(slots.find::<i32>(&key(5, 1), at(0.0)), None);
    assert!(scratch.names().is_empty());
}

#[test]
fn what_many_store_at_once_in_one_file_is_all_there() {
    let scratch = Scratch::new();
    std::thread::scope(|scope| {
        for number in 0..8 {
            let directory = scratch.directory();
            scope.spawn(move || {
                let patience = Duration::from_secs(60);
                let slots = Slots { patience, ..Slots::new(&directory, "verdicts") };
                for round in 0..10 {
                    slots.store(&key(5, number), &round, at(10.0), at(0.0)).unwrap();
                    assert_eq!(slots.find(&key(5, number), at(0.0)), Some(round));
                }
            });
        }
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Against a map that forgets nothing: what is found is the last that was stored, and while
    /// no more than eight keys share a file, everything that holds is found.
    #[test]
    fn the_store_finds_what_a_map_would(
        steps in prop::collection::vec((0u16..3, 0u8..8, 1u16..100, 0u8..10), 1..60),
    ) {
        let scratch = Scratch::new();
        let directory = scratch.directory();
        let slots = Slots::new(&directory, "verdicts");
        let mut map = BTreeMap::new();
        let mut time = 0.0;
        for (n, (slot, number, keep, pass)) in steps.into_iter().enumerate() {
            time += f64::from(pass);
            let end = time + f64::from(keep);
            slots.store(&key(slot, number), &n, at(end), at(time)).unwrap();
            map.insert(key(slot, number), (n, end));
            for (key, (n, end)) in &map {
                let expected = (*end > time).then_some(*n);
                prop_assert_eq!(slots.find(key, at(time)), expected);
            }
        }
    }
}
