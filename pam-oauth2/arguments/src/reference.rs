//! docs/reference/pam-arguments.md against the grammar.

use std::collections::BTreeSet;
use std::time::Duration;

use ::reference::{Document, same, words};

use crate::{AuthLine, Error, duration_within};

const URL: &str = "https://info.example.com/?t=";
const ISSUER: &str = "https://idp.example.com";
const ANY: [Duration; 2] = [Duration::ZERO, Duration::MAX];
/// Each way to verify, with all that it needs.
const WAYS: [(&str, &str, &str); 4] = [
    ("tokeninfo", URL, ""),
    ("jwt", ISSUER, "--audience=a"),
    ("jwt,tokeninfo", URL, "--audience=a --issuer=https://idp.example.com"),
    ("introspection", ISSUER, "--client-id=us --client-secret-file=/secret"),
];

fn document() -> Document {
    Document::read("pam-arguments.md")
}

fn parse(line: &str) -> Result<AuthLine, Error> {
    AuthLine::parse(&line.split_whitespace().collect::<Vec<_>>())
}

/// A line of that way to verify, with this option, too.
fn line_of((way, url, needed): (&str, &str, &str), option: &str) -> String {
    let way = format!("--verify={way}");
    let all = [way.as_str(), "--cache-dir=/c"].into_iter().chain(needed.split_whitespace());
    // What is given twice would be an error.
    let name = |option: &str| option.split('=').next().map(str::to_owned);
    let others: Vec<&str> = all.filter(|other| name(other) != name(option)).collect();
    format!("{url} uid {} {option}", others.join(" "))
}

/// The words in quotes with which lines of the grammar begin.
fn arms(begin: &str) -> BTreeSet<String> {
    let lines = include_str!("options.rs").lines().map(str::trim);
    let arms = lines.filter(|line| line.starts_with(begin) && line.contains("=>"));
    arms.flat_map(|line| line.split("=>").next().unwrap().split('"').skip(1).step_by(2))
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_option_is_in_one_table_and_none_that_is_not_there() {
    let document = document();
    let tables = ["Options of the auth line", "A line with a file", "The account line"];
    let rows = tables.into_iter().flat_map(|table| document.table(table));
    let named: Vec<String> = rows.map(|row| words(&row[0])[0].to_owned()).collect();
    let names = named.iter().map(|option| option.split('=').next().unwrap().to_owned());
    same("options", names, arms("\"--"));
    for option in named {
        let (name, wants_value) = match option.split_once('=') {
            Some((name, _)) => (name, true),
            None => (option.as_str(), false),
        };
        let told = parse(&format!("{URL} uid {name}{}", if wants_value { "" } else { "=x" }));
        let missing = matches!(told, Err(Error::ValueMissing(_)));
        let unwanted = matches!(told, Err(Error::UnwantedValue(_)));
        assert_eq!((missing, unwanted), (wants_value, !wants_value), "{option}: {told:?}");
    }
}

#[test]
fn every_bare_word_is_in_the_table() {
    let rows = document().table("Bare words");
    let named: Vec<String> =
        rows.iter().flat_map(|row| words(&row[0])).map(str::to_owned).collect();
    let known = arms("\"").into_iter().filter(|word| !word.starts_with("--"));
    same("bare words", named.clone(), known);
    for word in named {
        assert!(parse(&format!("{URL} uid {word}")).is_ok(), "{word}");
    }
}

#[test]
fn every_way_to_verify_is_in_the_table() {
    let Err(Error::Value { fault, .. }) = parse(&format!("{URL} uid --verify=x")) else { panic!() };
    let fault = fault.to_string();
    let known: Vec<&str> = fault.split("there is: ").nth(1).unwrap().split(", ").collect();
    let rows = document().table("Ways to verify");
    let named: Vec<&str> = rows.iter().map(|row| words(&row[0])[0]).collect();
    same("ways", named, known);
}

#[test]
fn a_default_is_what_counts_where_nothing_is_said() {
    let mut seen = 0;
    for row in document().table("Options of the auth line") {
        let (name, default) = (words(&row[0])[0].split('=').next().unwrap(), words(&row[1]));
        let [default] = default[..] else { continue };
        let way = if name == "--typ" { WAYS[1] } else { WAYS[0] };
        let said = line_of(way, &format!("{name}={default}"));
        let unsaid = said.replace(&format!("{name}={default}"), "");
        assert_eq!(parse(&said).unwrap(), parse(&unsaid).unwrap(), "{name}");
        seen += 1;
    }
    assert_eq!(seen, 7);
}

#[test]
fn an_option_is_good_for_the_ways_that_its_row_names() {
    for row in document().table("Options of the auth line") {
        let name = words(&row[0])[0].split('=').next().unwrap();
        let value = match name {
            "--allow-http" => "",
            "--verify" => continue,
            "--audience" | "--client-id" => "=a",
            "--audit" => "=log",
            "--issuer" | "--jwks" => "=https://idp.example.com",
            "--on-outage" => "=deny",
            "--typ" => "=any",
            "--cache-ttl" | "--leeway" | "--timeout" => "=1s",
            _ => "=/path",
        };
        let only = words(&row[2]);
        for way in WAYS {
            let told = parse(&line_of(way, &format!("{name}{value}")));
            let has_effect = only.is_empty() || only.contains(&way.0);
            match has_effect {
                true => assert!(told.is_ok(), "{name}, {way:?}: {told:?}"),
                false => {
                    assert!(matches!(told, Err(Error::NoEffect(_))), "{name}, {way:?}: {told:?}")
                }
            }
        }
    }
}

#[test]
fn a_time_may_be_as_short_and_as_long_as_its_row_says() {
    let mut seen = 0;
    for row in document().table("Options of the auth line") {
        let Some((before, after)) = row[3].split_once("` to `") else { continue };
        let ends = [before.rsplit('`').next().unwrap(), after.split('`').next().unwrap()];
        let name = words(&row[0])[0].split('=').next().unwrap();
        let way = if name == "--on-outage" { "stale:" } else { "" };
        let told =
            |milliseconds: u128| parse(&line_of(WAYS[0], &format!("{name}={way}{milliseconds}ms")));
        let [least, most] = ends.map(|end| duration_within(end, ANY).unwrap().as_millis());
        assert!(told(least).is_ok() && told(most).is_ok(), "{name}");
        assert!(least == 0 || told(least - 1).is_err(), "{name}");
        assert!(told(most + 1).is_err(), "{name}");
        seen += 1;
    }
    assert_eq!(seen, 4);
}
