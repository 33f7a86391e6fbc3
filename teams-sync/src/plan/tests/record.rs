//! Our line of a comment.

use proptest::collection::btree_set;
use proptest::prelude::*;

use super::super::record::{Kind, Record};
use super::now;

fn record() -> impl Strategy<Value = Record> {
    let kind = prop_oneof![Just(Kind::Person), Just(Kind::Robot), Just(Kind::Static)];
    let list = || btree_set(any::<String>(), 0..4);
    let time = || {
        prop::option::of(
            (0..4_000_000_000_i64)
                .prop_map(|seconds| jiff::Timestamp::from_second(seconds).unwrap()),
        )
    };
    let role = prop::option::of(any::<String>());
    (kind, list(), list(), list(), role, time(), time()).prop_map(
        |(kind, teams, roles, parameters, rotated_from, since, left)| Record {
            kind,
            teams,
            roles,
            parameters,
            rotated_from,
            since,
            left,
        },
    )
}

proptest! {
    #[test]
    fn whatever_is_noted_is_read_back_and_what_others_wrote_stays(
        record in record(),
        later in record(),
        foreign in "[a-z \n\r\u{e9}]{0,40}",
    ) {
        let first = record.in_comment(&foreign);
        prop_assert_eq!(Record::find(&first), Some(record));
        let second = later.in_comment(&first);
        prop_assert_eq!(Record::find(&second), Some(later));
        let behind = second.split_once('\n').map_or("", |(_, behind)| behind);
        prop_assert_eq!(behind, foreign);
    }
}

#[test]
fn what_cannot_be_read_whole_is_not_read_at_all() {
    for comment in [
        "",
        "somebody wrote this",
        "teams-sync:",
        "teams-sync: ",
        "teams-sync: pirate teams=acid",
        "teams-sync: person teams",
        "teams-sync: person teams=%ff",
        "teams-sync: person since=yesterday",
        "teams-sync: person later=1",
        "teams-sync: person  teams=acid",
        " teams-sync: person teams=acid",
        "teams-sync: pirate\nteams-sync: person teams=acid",
    ] {
        assert_eq!(Record::find(comment), None, "{comment:?}");
    }
}

#[test]
fn only_our_own_line_is_replaced() {
    let record = Record { since: Some(now()), ..Record::new(Kind::Robot) };
    assert_eq!(
        record.in_comment("of the team acid\nteams-sync: damaged\n\nteams-sync: twice\ncall 110"),
        "teams-sync: robot since=2026-11-25T12:00:00Z\nof the team acid\n\ncall 110"
    );
    assert_eq!(record.in_comment(""), "teams-sync: robot since=2026-11-25T12:00:00Z");
}
