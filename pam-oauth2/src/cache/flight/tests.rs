use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU32, Ordering};

use super::super::scratch::{Scratch, in_a_process, workplace};
use super::super::{Access, LARGEST};
use super::*;

const KEY_A: [u8; 32] = [0xaa; 32];
/// In the same slot.
const KEY_B: [u8; 32] = {
    let mut key = KEY_A;
    key[31] = 0xbb;
    key
};
const SLOT: &str = "flight-aaa";

fn soon() -> Instant {
    Instant::now() + Duration::from_millis(60)
}

fn later() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

fn nothing() -> Option<()> {
    None
}

fn leads(directory: &Directory, key: &[u8; 32]) -> Guard {
    let Lead::Ours(Some(guard)) = try_lead(directory, key) else { panic!("{directory:?}") };
    guard
}

#[test]
fn the_first_leads_and_the_second_waits_until_it_is_too_late() {
    let scratch = Scratch::new();
    let directory = scratch.directory();
    let guard = leads(&directory, &KEY_A);
    assert!(matches!(try_lead(&directory, &KEY_A), Lead::Theirs));
    let until = soon();
    assert!(matches!(take_turn(&directory, &KEY_A, until, nothing), Turn::Late));
    assert!(Instant::now() >= until && Instant::now() < until + Duration::from_millis(500));
    drop(guard);
    drop(leads(&directory, &KEY_A));
    assert!(matches!(take_turn(&directory, &KEY_A, later(), nothing), Turn::Ours(Some(_))));
}

#[test]
fn an_answer_that_is_there_needs_no_lock() {
    let scratch = Scratch::new();
    let directory = scratch.directory();
    assert!(matches!(take_turn(&directory, &KEY_A, later(), || Some(7)), Turn::Theirs(7)));
    assert!(scratch.names().is_empty());
}

#[test]
fn an_answer_that_came_just_before_the_lock_is_found() {
    let scratch = Scratch::new();
    let directory = scratch.directory();
    let mut looks = 0;
    let turn = take_turn(&directory, &KEY_A, later(), || {
        looks += 1;
        (looks == 2).then_some(looks)
    });
    assert!(matches!(turn, Turn::Theirs(2)));
    // And the lock, which was not needed, is free.
    drop(leads(&directory, &KEY_A));
}

#[test]
fn who_waits_finds_the_answer_while_the_holder_still_holds() {
    let scratch = Scratch::new();
    let directory = scratch.directory();
    let _guard = leads(&directory, &KEY_A);
    let mut looks = 0;
    let turn = take_turn(&directory, &KEY_A, later(), || {
        looks += 1;
        (looks == 4).then_some(looks)
    });
    assert!(matches!(turn, Turn::Theirs(4)));
}

#[test]
fn however_late_it_is_there_is_one_try() {
    let scratch = Scratch::new();
    let directory = scratch.directory();
    let past = Instant::now();
    assert!(matches!(take_turn(&directory, &KEY_A, past, || Some(7)), Turn::Theirs(7)));
    let turn = take_turn(&directory, &KEY_A, past, nothing);
    assert!(matches!(turn, Turn::Ours(Some(_))));
    assert!(matches!(take_turn(&directory, &KEY_A, past, nothing), Turn::Late));
}

#[test]
fn different_keys_in_one_slot_do_not_wait_for_each_other() {
    let scratch = Scratch::new();
    let directory = scratch.directory();
    let _guard = leads(&directory, &KEY_A);
    let start = Instant::now();
    assert!(matches!(try_lead(&directory, &KEY_B), Lead::Ours(None)));
    assert!(matches!(take_turn(&directory, &KEY_B, later(), nothing), Turn::Ours(None)));
    assert!(start.elapsed() < Duration::from_secs(1));
    assert_eq!(scratch.names(), [SLOT]);
}

#[test]
fn different_slots_know_nothing_of_each_other() {
    let scratch = Scratch::new();
    let directory = scratch.directory();
    let _guard = leads(&directory, &KEY_A);
    let _other = leads(&directory, &[0; 32]);
    let _last = leads(&directory, &[0xff; 32]);
    assert_eq!(scratch.names(), ["flight-000", SLOT, "flight-fff"]);
}

#[test]
fn a_slot_says_for_what_it_is_held_and_nothing_afterwards() {
    let scratch = Scratch::new();
    let directory = scratch.directory();
    let guard = leads(&directory, &KEY_A);
    assert_eq!(fs::read(scratch.file(SLOT)).unwrap(), "aa".repeat(32).as_bytes());
    drop(guard);
    assert_eq!(fs::read(scratch.file(SLOT)).unwrap(), BLANK);
}

#[test]
fn what_a_killed_holder_wrote_is_in_nobodys_way() {
    let scratch = Scratch::new();
    let directory = scratch.directory();
    for stale in ["aa".repeat(32), "bb".repeat(32), "bb".repeat(500), "a".to_owned()] {
        drop(directory.open_to_lock(SLOT).unwrap());
        fs::write(scratch.file(SLOT), &stale).unwrap();
        let guard = leads(&directory, &KEY_A);
        assert!(matches!(try_lead(&directory, &KEY_A), Lead::Theirs), "{stale}");
        assert!(matches!(try_lead(&directory, &KEY_B), Lead::Ours(None)), "{stale}");
        drop(guard);
    }
}

#[test]
fn who_does_not_say_for_what_he_holds_a_slot_is_not_waited_for_long() {
    let scratch = Scratch::new();
    let directory = scratch.directory();
    for content in [&b""[..], b"aaaa", &BLANK] {
        let file = directory.open_to_lock(SLOT).unwrap();
        fs::write(scratch.file(SLOT), content).unwrap();
        let Ok(Locked::Held(_lock)) = try_lock(file) else { panic!() };
        assert!(matches!(try_lead(&directory, &KEY_A), Lead::Theirs));
        assert!(matches!(take_turn(&directory, &KEY_A, soon(), nothing), Turn::Late));
    }
    let Ok(Locked::Held(_lock)) = try_lock(directory.open_to_lock(SLOT).unwrap()) else { panic!() };
    let start = Instant::now();
    assert!(matches!(take_turn(&directory, &KEY_A, later(), nothing), Turn::Ours(None)));
    assert!(start.elapsed() > NAMELESS && start.elapsed() < 8 * NAMELESS);
}

#[test]
fn turns_that_change_hands_are_not_taken_for_one_without_a_name() {
    let scratch = Scratch::new();
    let directory = scratch.directory();
    let Ok(Locked::Held(lock)) = try_lock(directory.open_to_lock(SLOT).unwrap()) else { panic!() };
    // Blank at first, then ours for long, then blank for a moment.
    let name = "aa".repeat(32);
    let blank_again = Instant::now() + NAMELESS + NAMELESS / 4;
    let until = blank_again + Duration::from_millis(30);
    let mut looks = 0;
    let turn = take_turn(&directory, &KEY_A, until, || {
        looks += 1;
        let is_named = looks > 1 && Instant::now() < blank_again;
        let content = if is_named { name.as_bytes() } else { &BLANK };
        lock.file().write_all_at(content, 0).unwrap();
        nothing()
    });
    assert!(matches!(turn, Turn::Late));
}

#[test]
fn without_locks_everybody_goes_ahead() {
    let scratch = Scratch::new();
    let _guard = leads(&scratch.directory(), &KEY_A);
    for directory in [scratch.read_only(), Scratch::unwritable()] {
        assert!(matches!(try_lead(&directory, &KEY_A), Lead::Ours(None)));
        assert!(matches!(take_turn(&directory, &KEY_A, later(), nothing), Turn::Ours(None)));
        assert!(matches!(take_turn(&directory, &KEY_A, later(), || Some(7)), Turn::Theirs(7)));
    }
}

#[test]
fn of_two_hundred_at_once_one_asks_and_all_get_its_answer() {
    const CROWD: u32 = 200;
    let scratch = Scratch::new();
    let (asked, got) = (AtomicU32::new(0), AtomicU32::new(0));
    let start = Barrier::new(CROWD as usize);
    std::thread::scope(|scope| {
        for _ in 0..CROWD {
            let directory = scratch.directory();
            let (asked, got, start) = (&asked, &got, &start);
            scope.spawn(move || {
                let look = || directory.read("answer", LARGEST);
                start.wait();
                match take_turn(&directory, &KEY_A, later(), look) {
                    Turn::Ours(guard) => {
                        assert!(guard.is_some());
                        asked.fetch_add(1, Ordering::Relaxed);
                        pause(Duration::from_millis(50));
                        directory.write("answer", b"yes").unwrap();
                    }
                    Turn::Theirs(answer) => {
                        assert_eq!(answer, b"yes");
                        got.fetch_add(1, Ordering::Relaxed);
                    }
                    Turn::Late => panic!(),
                }
            });
        }
    });
    assert_eq!((asked.into_inner(), got.into_inner()), (1, CROWD - 1));
}

#[test]
fn when_the_first_finds_no_answer_the_others_ask_one_after_the_other() {
    const CROWD: u32 = 20;
    let scratch = Scratch::new();
    let (asking, asked) = (AtomicU32::new(0), AtomicU32::new(0));
    std::thread::scope(|scope| {
        for _ in 0..CROWD {
            let directory = scratch.directory();
            let (asking, asked) = (&asking, &asked);
            scope.spawn(move || {
                let turn = take_turn(&directory, &KEY_A, later(), nothing);
                let Turn::Ours(Some(_guard)) = turn else { panic!("{turn:?}") };
                assert_eq!(asking.fetch_add(1, Ordering::SeqCst), 0);
                pause(Duration::from_millis(2));
                asking.fetch_sub(1, Ordering::SeqCst);
                asked.fetch_add(1, Ordering::Relaxed);
            });
        }
    });
    assert_eq!(asked.into_inner(), CROWD);
}

#[test]
fn a_killed_holder_frees_the_turn() {
    if let Some(folder) = workplace() {
        let directory = Directory::open(&folder.join("cache"), Access::ReadWrite).unwrap();
        let _guard = leads(&directory, &KEY_A);
        directory.write("ready", b"").unwrap();
        pause(Duration::from_secs(30));
        return;
    }
    let scratch = Scratch::new();
    let directory = scratch.directory();
    let test = "flight::tests::a_killed_holder_frees_the_turn";
    let mut command = in_a_process(test, scratch.folder(), "");
    let mut holder = command.stdout(Stdio::null()).spawn().unwrap();
    let ready: PathBuf = scratch.file("ready");
    let until = later();
    while !ready.exists() {
        assert!(Instant::now() < until && holder.try_wait().unwrap().is_none());
        pause(Duration::from_millis(2));
    }
    assert!(matches!(take_turn(&directory, &KEY_A, soon(), nothing), Turn::Late));
    assert!(matches!(take_turn(&directory, &KEY_B, later(), nothing), Turn::Ours(None)));
    // SIGKILL.
    holder.kill().unwrap();
    holder.wait().unwrap();
    assert!(matches!(take_turn(&directory, &KEY_A, later(), nothing), Turn::Ours(Some(_))));
}
