use super::{Step, step};

#[test]
fn a_primary_that_stays_lets_the_others_go() {
    assert_eq!(step(1, 3, Some(0), true), Step::Go);
    assert_eq!(step(2, 3, Some(1), true), Step::Go);
}

#[test]
fn a_primary_that_goes_hands_over_first() {
    assert_eq!(step(1, 3, Some(1), true), Step::HandOver);
    assert_eq!(step(2, 3, Some(2), true), Step::HandOver);
}

#[test]
fn nobody_goes_while_the_primary_is_not_known() {
    assert_eq!(step(1, 3, None, true), Step::Wait);
}

#[test]
fn pods_that_never_had_a_role_go_without_a_primary() {
    assert_eq!(step(1, 3, None, false), Step::Go);
}

#[test]
fn whoever_wants_none_or_more_waits_for_nobody() {
    assert_eq!(step(0, 3, None, true), Step::Go);
    assert_eq!(step(0, 3, Some(2), true), Step::Go);
    assert_eq!(step(4, 3, Some(2), true), Step::Go);
    assert_eq!(step(3, 3, None, true), Step::Go);
}
