//! Every seed, and with them every input that once broke something, holds.

use std::fs;
use std::path::Path;

use super::*;

#[test]
fn every_seed_keeps_what_is_promised_and_still_fits() {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds");
    for (name, target) in TARGETS {
        let seeds = fs::read_dir(seeds.join(name)).unwrap().map(|seed| seed.unwrap().path());
        let seeds: Vec<_> = seeds.collect();
        assert!(!seeds.is_empty(), "{name}");
        seeds.iter().for_each(|seed| target(&fs::read(seed).unwrap()));
    }
    // Those of the cache are found by hashes. Who lets in whom while nobody answers: the verdict,
    // the keys.
    let cases = [
        ("good", [true, true]),
        ("stale", [true, true]),
        ("denied", [false, false]),
        ("unsealed", [false, false]),
        ("nothing", [false, false]),
    ];
    for (name, let_in) in cases {
        let seed = fs::read(seeds.join("cache").join(name)).unwrap();
        assert_eq!(cache::lets_in(&seed), let_in, "{name}");
    }
    fs::remove_dir_all(folder()).unwrap();
}

#[test]
fn the_good_tokens_of_the_fixture_are_accepted() {
    let line = format!("{ISSUER} uid --verify=jwt --audience={AUDIENCE} --jwks={ISSUER}/keys");
    for token in Fixture::TOKENS {
        let login = login(policy(&line), token.trim_end().as_bytes()).unwrap();
        let keys = Scripted(Some((200, Fixture::KEYS.as_bytes())));
        drop(decide(&login, &keys, None).unwrap());
    }
}
