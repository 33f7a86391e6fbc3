//! When passwords are renewed.

use super::*;
use crate::api::spec::Standby;
use crate::roles::vectors;

const NOW: &str = "2024-11-25T10:20:30.5Z";
const IN_90_DAYS: &str = "2025-02-23T10:20:30Z";

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn subject<'a>(next_rotation: Option<&'a str>) -> Subject<'a> {
    Subject {
        role: "foo_user",
        origin: Some(Origin::Manifest),
        is_database_owner: false,
        next_rotation,
        username: "foo_user",
        is_taken: &|_| false,
        follows: true,
    }
}

fn everybody() -> Config {
    let mut config = vectors::config();
    config.secrets.enable_password_rotation = true;
    config
}

fn spec() -> PostgresSpec {
    vectors::cluster().spec
}

fn names(all: &[&str]) -> Vec<String> {
    all.iter().map(|name| (*name).to_owned()).collect()
}

fn decided(subject: &Subject<'_>, spec: &PostgresSpec, config: &Config) -> Rotation {
    decide(subject, spec, config, time(NOW))
}

const DUE: Option<&str> = Some("2024-11-25T10:20:30Z");

fn rotated() -> Rotation {
    Rotation::Rotate { username: "foo_user241125".to_owned(), next: time(IN_90_DAYS) }
}

#[test]
fn nothing_is_rotated_before_its_time_is_written_down() {
    for unknown in [None, Some(""), Some("soon"), Some("2025-13-01T00:00:00Z")] {
        let decision = decided(&subject(unknown), &spec(), &everybody());
        assert_eq!(decision, Rotation::Schedule { next: time(IN_90_DAYS) }, "{unknown:?}");
    }
    assert_eq!(time(IN_90_DAYS).to_string(), IN_90_DAYS);
}

#[test]
fn a_password_is_renewed_when_it_is_due_and_not_before() {
    let later = subject(Some("2024-11-25T10:20:31Z"));
    assert_eq!(decided(&later, &spec(), &everybody()), Rotation::Leave);
    assert_eq!(decided(&subject(DUE), &spec(), &everybody()), rotated());
    let with_offset = subject(Some("2024-11-25T12:20:30+02:00"));
    assert_eq!(decided(&with_offset, &spec(), &everybody()), rotated());
}

#[test]
fn the_day_of_a_user_is_that_of_utc() {
    let decision = decide(&subject(DUE), &spec(), &everybody(), time("2024-12-31T23:30:00-01:00"));
    assert!(
        matches!(&decision, Rotation::Rotate { username, .. } if username == "foo_user250101"),
        "{decision:?}"
    );
}

#[test]
fn a_shorter_interval_takes_effect_at_once() {
    let decision = decided(&subject(Some("2025-02-23T10:20:31Z")), &spec(), &everybody());
    assert_eq!(decision, Rotation::Schedule { next: time(IN_90_DAYS) });
    let mut none = everybody();
    none.secrets.password_rotation_interval = 0;
    let decision = decided(&subject(None), &spec(), &none);
    assert_eq!(decision, Rotation::Schedule { next: time("2024-11-26T10:20:30Z") });
}

#[test]
fn in_place_the_user_stays() {
    let mut spec = spec();
    spec.users_with_in_place_secret_rotation = names(&["foo_user"]);
    let in_place = Rotation::InPlace { next: time(IN_90_DAYS) };
    assert_eq!(decided(&subject(DUE), &spec, &vectors::config()), in_place);
    // Also where somebody lists it for both.
    spec.users_with_secret_rotation = names(&["foo_user"]);
    assert_eq!(decided(&subject(DUE), &spec, &vectors::config()), in_place);
}

#[test]
fn owners_of_databases_are_rotated_only_where_they_are_listed() {
    let owner = Subject { is_database_owner: true, ..subject(DUE) };
    let mut spec = spec();
    assert_eq!(decided(&owner, &spec, &everybody()), Rotation::Unschedule);
    spec.users_with_secret_rotation = names(&["foo_user"]);
    assert_eq!(decided(&owner, &spec, &vectors::config()), rotated());
}

#[test]
fn who_ignores_rotation_is_left_even_if_listed_otherwise() {
    let mut spec = spec();
    spec.users_with_secret_rotation = names(&["foo_user"]);
    spec.users_ignoring_secret_rotation = names(&["foo_user"]);
    assert_eq!(decided(&subject(None), &spec, &everybody()), Rotation::Leave);
    assert_eq!(decided(&subject(DUE), &spec, &everybody()), Rotation::Unschedule);
}

#[test]
fn nothing_is_rotated_unless_somebody_says_so() {
    assert_eq!(decided(&subject(None), &spec(), &vectors::config()), Rotation::Leave);
}

#[test]
fn standbys_and_infrastructure_roles_are_left() {
    let mut spec = spec();
    spec.users_with_secret_rotation = names(&["foo_user"]);
    let robot = Subject { origin: None, ..subject(DUE) };
    assert_eq!(decided(&robot, &spec, &everybody()), Rotation::Leave);
    spec.standby = Some(Standby::default());
    assert_eq!(decided(&subject(DUE), &spec, &everybody()), Rotation::Leave);
    let before = Subject { username: "foo_user240101", ..subject(DUE) };
    assert_eq!(decided(&before, &spec, &vectors::config()), Rotation::Leave);
}

#[test]
fn system_roles_are_never_rotated_and_a_note_says_so() {
    let mut spec = spec();
    spec.users_with_secret_rotation = names(&["postgres", "foo_user"]);
    spec.users_with_in_place_secret_rotation = names(&["standby"]);
    for role in ["postgres", "standby"] {
        let system = Subject { role, username: role, ..subject(DUE) };
        assert_eq!(decided(&system, &spec, &everybody()), Rotation::Leave, "{role}");
    }
    let notes = notes(&spec, &everybody());
    assert_eq!(notes.len(), 2, "{notes:?}");
    assert!(notes[0].starts_with("the password of postgres is not rotated"));
    assert!(notes[1].starts_with("the password of standby is not rotated"));
}

#[test]
fn a_name_without_room_for_a_date_is_rotated_in_place_alone() {
    let long = "a".repeat(58);
    let mut spec = spec();
    spec.users_with_secret_rotation = vec![long.clone()];
    let role = Subject { role: &long, username: &long, ..subject(DUE) };
    assert_eq!(decided(&role, &spec, &everybody()), Rotation::Leave);
    assert!(notes(&spec, &everybody())[0].contains("no room for a date"));
    spec.users_with_in_place_secret_rotation = vec![long.clone()];
    assert!(matches!(decided(&role, &spec, &everybody()), Rotation::InPlace { .. }));
    assert!(notes(&spec, &everybody()).is_empty());
}

#[test]
fn a_rotation_that_is_switched_off_goes_back_to_the_role() {
    let rotated = Subject { username: "foo_user241101", ..subject(DUE) };
    assert_eq!(decided(&rotated, &spec(), &vectors::config()), Rotation::SwitchOff);
    for other in ["foo_user", "foo_user1", "bar", "foo_user241399"] {
        let other = Subject { username: other, ..subject(None) };
        assert_eq!(decided(&other, &spec(), &vectors::config()), Rotation::Leave);
    }
}

#[test]
fn users_of_former_passwords_go_after_the_retention() {
    // 180 days before the 25th of November are the 29th of May.
    let existing = [
        "foo_user",
        "foo_user240528",
        "foo_user240529",
        "foo_user2240101",
        "foo_user240230",
        "foo_user24010",
        "other240101",
        "foo_user230101",
    ];
    let gone = expired(existing, "foo_user", "foo_user230101", time(NOW), &vectors::config());
    assert_eq!(gone, ["foo_user240528"]);
}

#[test]
fn the_retention_is_at_least_two_intervals() {
    let mut config = vectors::config();
    config.secrets.password_rotation_user_retention = 1;
    let existing = ["foo_user240528", "foo_user240529"];
    let gone = expired(existing, "foo_user", "foo_user", time(NOW), &config);
    assert_eq!(gone, ["foo_user240528"]);
    config.secrets.password_rotation_interval = 100;
    assert!(expired(existing, "foo_user", "foo_user", time(NOW), &config).is_empty());
}

#[test]
fn the_own_password_of_a_role_is_former_by_the_day_on_which_its_secret_left_it() {
    let config = vectors::config();
    assert!(is_former(time("2024-05-28T23:59:59Z"), time(NOW), &config));
    assert!(!is_former(time("2024-05-29T00:00:00Z"), time(NOW), &config));
    assert!(!is_former(time("2030-01-01T00:00:00Z"), time(NOW), &config));
}

#[test]
fn no_password_is_renewed_while_the_database_would_not_follow() {
    let stays = |subject: Subject<'static>| Subject { follows: false, ..subject };
    assert_eq!(decided(&stays(subject(DUE)), &spec(), &everybody()), Rotation::Wait);
    let mut in_place = spec();
    in_place.users_with_in_place_secret_rotation = names(&["foo_user"]);
    assert_eq!(decided(&stays(subject(DUE)), &in_place, &everybody()), Rotation::Wait);
    let rotated = Subject { username: "foo_user241101", ..subject(DUE) };
    assert_eq!(decided(&stays(rotated), &spec(), &vectors::config()), Rotation::Wait);
    // A time that is written down locks nobody out.
    let next = time(IN_90_DAYS);
    let planned = decided(&stays(subject(None)), &spec(), &everybody());
    assert_eq!(planned, Rotation::Schedule { next });
    let later = stays(subject(Some("2024-11-25T10:20:31Z")));
    assert_eq!(decided(&later, &spec(), &everybody()), Rotation::Leave);
}

#[test]
fn nobody_elses_name_is_taken_for_the_user_of_the_day() {
    let taken = Subject { is_taken: &|name| name == "foo_user241125", ..subject(DUE) };
    let username = "foo_user241125".to_owned();
    assert_eq!(decided(&taken, &spec(), &everybody()), Rotation::NameTaken { username });
    let mut in_place = spec();
    in_place.users_with_in_place_secret_rotation = names(&["foo_user"]);
    assert!(matches!(decided(&taken, &in_place, &everybody()), Rotation::InPlace { .. }));
}

#[test]
fn a_time_that_nobody_plans_any_more_is_emptied_and_the_password_stays() {
    for planned in [DUE, Some("2030-01-01T00:00:00Z"), Some("soon")] {
        let decision = decided(&subject(planned), &spec(), &vectors::config());
        assert_eq!(decision, Rotation::Unschedule, "{planned:?}");
    }
    assert_eq!(decided(&subject(Some("")), &spec(), &vectors::config()), Rotation::Leave);
}

#[test]
fn the_password_of_a_pooler_is_renewed_in_place_and_only_where_it_is_listed() {
    let pooler = |next| Subject {
        role: "pooler",
        username: "pooler",
        origin: Some(Origin::Pooler),
        ..subject(next)
    };
    let mut spec = spec();
    spec.users_with_secret_rotation = names(&["pooler"]);
    assert_eq!(decided(&pooler(None), &spec, &everybody()), Rotation::Leave);
    spec.users_with_in_place_secret_rotation = names(&["pooler"]);
    let wanted = Rotation::InPlace { next: time(IN_90_DAYS) };
    assert_eq!(decided(&pooler(DUE), &spec, &everybody()), wanted);
}
