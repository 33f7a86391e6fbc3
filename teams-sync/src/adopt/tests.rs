use super::*;
use crate::approve::{Limits, Releases, approve};
use crate::desired::tests::Members;
use crate::observed::tests::{name, role, server};
use crate::plan::tests::{acid, alice, dora, groups, now, style};

fn ghost(name: &str) -> CatalogRole {
    role(name).login().member_of("users").member_of("admin")
}

fn catalog(roles: impl IntoIterator<Item = CatalogRole>) -> Observed {
    server(15, groups().into_iter().chain(roles))
}

/// As the configuration of the server has it.
fn vocabulary() -> BTreeSet<RoleName> {
    crate::desired::tests::server().vocabulary
}

fn locked(desired: &Desired, observed: &Observed) -> Plan {
    let found = find(desired, observed, &style(), &vocabulary());
    locking(desired, observed, &found, &style(), &Checked::new().unwrap(), now())
}

#[test]
fn leavers_lose_what_a_sync_takes_and_nobody_else_is_touched() {
    // bob left as well, and a sync would lock him; that is not asked for here.
    let bob = crate::plan::tests::settled("bob", "acid");
    let observed = catalog([alice(), bob, dora(), ghost("ghost")]);
    let plan = locked(&acid(Members(&["alice"])), &observed);
    let lines: Vec<String> = plan.changes().map(ToString::to_string).collect();
    assert_eq!(
        lines,
        [
            "alter ghost: NOLOGIN",
            "revoke users from ghost",
            "revoke admin from ghost",
            "mark ghost as managed",
            "note in the comment of ghost",
        ]
    );
    assert_eq!(plan.out, BTreeSet::from([name("ghost")]));
    assert!(plan.roles[0].changes.iter().any(|own| {
        matches!(&own.change, Change::SetComment { comment } if comment.contains(" left="))
    }));
}

#[test]
fn a_group_in_the_pam_role_is_no_leaver_that_is_locked() {
    // Whoever is in `readers` logs in by it; who was locked or renamed before is out already.
    let readers = role("readers").member_of("users");
    let renamed = role("old_deleted").member_of("users");
    let observed = catalog([alice(), dora(), readers, renamed]);
    let plan = locked(&acid(Members(&["alice"])), &observed);
    assert_eq!(plan.changes().count(), 0, "{plan:?}");
}

#[test]
fn a_role_that_the_configuration_grants_is_nobody_who_left() {
    let reporting = role("reporting").login().member_of("users");
    let observed = catalog([alice(), dora(), reporting, ghost("ghost")]);
    let found = find(&acid(Members(&["alice"])), &observed, &style(), &vocabulary());
    assert_eq!(found.leavers().collect::<Vec<_>>(), [&name("ghost")]);
    let style = Style { vocabulary: BTreeSet::new(), ..style() };
    let found = find(&acid(Members(&["alice"])), &observed, &style, &BTreeSet::new());
    assert!(found.forgotten.contains(&name("reporting")), "{found:?}");
}

#[test]
fn many_leavers_at_once_wait_for_a_person() {
    let ghosts = ["g1", "g2", "g3", "g4"].map(ghost);
    let observed = catalog([alice(), dora()].into_iter().chain(ghosts));
    let desired = acid(Members(&["alice"]));
    let held = approve(locked(&desired, &observed), &Limits::default(), &Releases::default());
    assert!(held.plan().changes().next().is_none(), "four of six is too much");
    assert_eq!(held.held().len(), 4);
    let releases =
        Releases { by_person: held.id().cloned().into_iter().collect(), ..Releases::default() };
    let released = approve(locked(&desired, &observed), &Limits::default(), &releases);
    assert_eq!(released.plan().roles.len(), 4);
}

#[test]
fn where_somebody_gave_no_answer_nobody_is_a_leaver() {
    let observed = catalog([alice(), dora(), ghost("ghost")]);
    let mut unknown = acid(Members(&["alice"]));
    assert_eq!(
        find(&unknown, &observed, &style(), &vocabulary()).forgotten,
        BTreeSet::from([name("ghost")])
    );
    unknown.frozen_people = Some("the list of teams is not there".to_owned());
    assert_eq!(find(&unknown, &observed, &style(), &vocabulary()).forgotten, BTreeSet::new());
    unknown.frozen_people = None;
    unknown.frozen_robots = Some("she may be a robot".to_owned());
    assert_eq!(
        find(&unknown, &observed, &style(), &vocabulary()).unclear,
        BTreeSet::from([name("ghost")])
    );
    assert!(locked(&unknown, &observed).is_empty());
}

#[test]
fn a_name_that_postgresql_cut_is_known_for_what_it_was() {
    let renamed = |text: &str| is_renamed(&RoleName::from_catalog(text.to_owned()), DEFAULT_SUFFIX);
    assert!(renamed("alice_deleted"));
    assert!(renamed(&format!("{}_d", "a".repeat(61))));
    assert!(renamed(&format!("{}_", "a".repeat(62))));
    // Two bytes each, so that only 62 fitted.
    assert!(renamed(&format!("{}_d", "é".repeat(30))));
    assert!(!renamed("_deleted"), "nobody is left of it");
    assert!(!renamed("alice_d"), "short names are not cut");
    assert!(!renamed(&"a".repeat(63)));
}
