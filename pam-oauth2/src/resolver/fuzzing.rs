//! What is read here, for `crate::fuzzing`.

use super::message::{self, Family, Name, Outcome};
use super::resolv_conf::ResolvConf;
use super::{hosts, in_turn};

/// `kind` says what `data` is.
pub(crate) fn read(kind: u8, data: &[u8]) {
    match kind {
        b'h' => assert!(hosts::addresses(data, "info.example.com").len() <= data.len()),
        b'r' => {
            let conf = ResolvConf::parse(data, "db1.example.com", |_| Some(1));
            assert!((1..=3).contains(&conf.servers.len()));
            assert!((1..=30).contains(&conf.timeout.as_secs()) && (1..=5).contains(&conf.attempts));
            let names = conf.candidates("info");
            assert!(names.contains(&"info".to_owned()));
            names.iter().for_each(|name| drop(Name::parse(name)));
        }
        _ => {
            let Some(name) = Name::parse("info.example.com") else { return };
            for family in [Family::V4, Family::V6] {
                let answer = message::answer(data, 7, &name, family);
                if let Ok(Outcome::Addresses(addresses)) = answer {
                    assert!((1..=64).contains(&addresses.len()));
                    let fits =
                        |address: &std::net::IpAddr| address.is_ipv4() == (family == Family::V4);
                    assert!(addresses.iter().all(fits));
                    assert!(!in_turn(addresses).is_empty());
                }
            }
        }
    }
}
