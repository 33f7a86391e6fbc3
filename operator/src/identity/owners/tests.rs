use std::collections::BTreeSet;

use super::{Wrong, names, query, statement};

fn wrong(grantor: Option<&str>) -> Wrong {
    Wrong {
        owner: "bar_owner".to_owned(),
        additional: "cron\"; drop role x; --".to_owned(),
        grantor: grantor.map(str::to_owned),
    }
}

#[test]
fn a_membership_is_revoked_from_the_one_who_has_it_as_granted_by_whoever_granted_it() {
    let before_16 = "revoke \"bar_owner\" from \"cron\"\"; drop role x; --\"";
    assert_eq!(statement(&wrong(None)), before_16);
    let by = format!("{before_16} granted by \"postgres\"");
    assert_eq!(statement(&wrong(Some("postgres"))), by);
}

#[test]
fn names_are_looked_for_as_literals() {
    let (owners, additional) = (names(["o'b"].into_iter()), names(["cron_admin"].into_iter()));
    let query = query(&owners, &additional);
    assert!(query.contains("owner.rolname in ('o''b')"), "{query}");
    assert!(query.contains("additional.rolname in ('cron_admin')"), "{query}");
    assert_eq!(names(std::iter::empty()), BTreeSet::new());
}
