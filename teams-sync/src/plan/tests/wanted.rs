//! What is looked up: everything that a plan looks at.

use super::super::wanted;
use super::*;
use crate::desired::tests::Members;

#[test]
fn everything_that_a_plan_looks_at_is_looked_up() {
    let desired = acid(Members(&["alice", "bob", "Bob"]));
    let wanted = wanted(&desired, &with_suffix());
    let expected = [
        "admin",
        "alice",
        "alice_deleted",
        "bob",
        "dora",
        "dora_deleted",
        "pg_read_all_data",
        "pg_write_all_data",
        "postgres",
        "reporting",
        "teams_sync_managed",
        "users",
    ];
    assert_eq!(wanted.names, expected.into_iter().map(name).collect());
    assert_eq!(wanted.members_of, BTreeSet::from([name("teams_sync_managed"), name("users")]));
    // Whatever is in the way of renaming somebody whom only the server knows.
    assert_eq!(wanted.suffix.as_deref(), Some("_deleted"));
}
