//! Random teams, robots, rules and a random dirty catalog: what holds for all of them.

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use proptest::sample::select;

use super::catalog::{BOOTSTRAP, Catalog, ME, Row};
use super::{now, style};
use crate::approve::{Approved, Held, Limits, Reason, Releases, approve};
use crate::desired::tests::{Says, answers, humans, name, robot, robots, server};
use crate::desired::{Desired, TeamRules, desired};
use crate::infrastructure::Robot;
use crate::names::Names;
use crate::names::tests::names;
use crate::observed::CatalogRole;
use crate::observed::tests::role;
use crate::password::Checked;
use crate::plan::record::{Kind, Record};
use crate::plan::{Change, Plan, Style, plan, wanted};
use crate::role::{Attributes, Flag, RoleName, marker};

const TEAMS: [&str; 4] = ["acid", "blue", "crew", "dba"];
const MEMBERS: [&str; 11] = [
    "alice",
    "Alice",
    "bob",
    "carol",
    "dave",
    "erin",
    "etl",
    "reporting",
    "x y",
    "bob_deleted",
    "postgres",
];
const ROLES: [&str; 14] = [
    "alice",
    "bob",
    "carol",
    "dave",
    "erin",
    "etl",
    "web",
    "alice_deleted",
    "bob_deleted",
    "carol_deleted",
    "reporting",
    "postgres",
    "stranger",
    "web_deleted",
];
const GROUPS: [&str; 8] = [
    "users",
    "admin",
    "pg_read_all_data",
    "reporting",
    "byhand",
    "teams_sync_managed",
    "etl",
    "web",
];

/// Everything at random.
#[derive(Clone, Debug)]
struct World {
    catalog: Catalog,
    desired: Desired,
    style: Style,
    limits: Limits,
}

fn says() -> impl Strategy<Value = Option<BTreeSet<&'static str>>> {
    // `None` is a source that does not answer.
    prop_oneof![
        1 => Just(None),
        4 => btree_set(select(&MEMBERS[..]), 0..8).prop_map(Some),
    ]
}

fn wanted_roles() -> impl Strategy<Value = Desired> {
    let one = (
        select(&["etl", "web", "alice", "erin", "carol_deleted"][..]),
        vec(select(&GROUPS[..]), 0..3),
        vec(select(&Flag::ALL[..]), 0..3),
        select(&[Kind::Robot, Kind::Robot, Kind::Static][..]),
        btree_set(select(&ROLES[..]), 0..2),
    );
    let one = one.prop_map(|(own, groups, flags, kind, admins)| {
        let mut attributes = Attributes::NOLOGIN;
        flags.into_iter().for_each(|flag| attributes.set(flag, true));
        let member_of = groups.into_iter().filter(|group| *group != own).map(name).collect();
        let admins = admins.into_iter().map(name).collect();
        Robot { attributes, member_of, admins, kind, ..robot(own) }
    });
    let levels =
        vec(select(&["admin", "read-only", "read-write", "reporting", "superuser"][..]), 4);
    (
        (vec(says(), 4), levels, btree_set(select(&TEAMS[..]), 0..3), any::<bool>()),
        (vec(one, 0..4), prop::option::weighted(0.2, Just("unreadable".to_owned()))),
        (btree_set(select(&["web", "dave"][..]), 0..2), btree_set(select(&ROLES[..]), 0..2)),
    )
        .prop_map(
            |((says, levels, additional, has_owner), (list, frozen), (broken, protected))| {
                let mut humans = humans();
                for (team, level) in TEAMS.into_iter().zip(levels) {
                    let rules = TeamRules { level: Some(level.to_owned()), ..TeamRules::default() };
                    humans.teams.insert(team.to_owned(), rules);
                }
                let members: Vec<_> = says
                    .iter()
                    .map(|says| says.as_ref().map(|all| all.iter().copied().collect::<Vec<_>>()))
                    .collect();
                let said = members.iter().map(|members| match members {
                    Some(members) => Says::Members(members),
                    None => Says::Down,
                });
                let answers = answers(&TEAMS.into_iter().zip(said).collect::<Vec<_>>());
                let mut rules = server();
                rules.team = has_owner.then(|| "acid".to_owned());
                rules.additional_teams = additional.into_iter().map(str::to_owned).collect();
                let mut infrastructure = robots(list);
                infrastructure.frozen = frozen;
                infrastructure.broken = broken.into_iter().map(name).collect();
                let mut names: Names = names();
                names.protected.extend(protected.into_iter().map(name));
                desired(&humans, &names, &rules, &answers, &infrastructure)
            },
        )
}

fn comment() -> impl Strategy<Value = Option<String>> {
    let record = (
        select(&[Kind::Person, Kind::Person, Kind::Person, Kind::Robot, Kind::Static][..]),
        btree_set(select(&["acid", "blue", "crew", "dba", "gone"][..]), 0..3),
        btree_set(select(&GROUPS[..]), 0..3),
        any::<bool>(),
    );
    let record = record.prop_map(|(kind, teams, groups, left)| {
        let mut record = Record::new(kind);
        record.teams = teams.into_iter().map(str::to_owned).collect();
        record.roles = groups.into_iter().map(str::to_owned).collect();
        record.parameters = BTreeSet::from(["work_mem".to_owned()]);
        record.left = left.then(now);
        record.to_string()
    });
    prop_oneof![
        1 => Just(None),
        1 => Just(Some("somebody wrote this".to_owned())),
        1 => Just(Some("teams-sync: person teams=acid later=1".to_owned())),
        6 => record.prop_map(Some),
    ]
}

fn catalog() -> impl Strategy<Value = Catalog> {
    let attributes = (vec(select(&Flag::ALL[..]), 0..4), any::<bool>());
    let password =
        prop::option::weighted(0.3, Just("md587f77988ccb5aa917c93201ba314fcd4".to_owned()));
    let settings =
        vec(select(&["work_mem=1MB", "log_statement=all", "log_statement=ddl"][..]), 0..2);
    let one = (select(&ROLES[..]), attributes, comment(), any::<bool>(), password, settings);
    let row = (
        (select(&GROUPS[..]), select(&ROLES[..])),
        prop_oneof![Just(BOOTSTRAP), Just(ME), select(&ROLES[..])],
        any::<(bool, bool, bool)>(),
    );
    (
        prop_oneof![Just(13), Just(15), Just(16), Just(18)],
        vec(one, 0..14),
        vec(row, 0..30),
        any::<(bool, bool, bool)>(),
    )
        .prop_map(|(major, roles, rows, (boot, me, groups))| {
            let mut catalog = Catalog::new(major);
            // Hardened servers have it so. We ourselves came by SET ROLE.
            catalog.roles.get_mut(&name(BOOTSTRAP)).unwrap().attributes.login = boot;
            catalog.roles.get_mut(&name(ME)).unwrap().attributes.login = me;
            let there = if groups { &GROUPS[..6] } else { &GROUPS[1..5] };
            there.iter().for_each(|group| catalog.add(role(group)));
            let mut managed = Vec::new();
            for (own, (flags, login), comment, is_managed, password, settings) in roles {
                let mut role = CatalogRole { comment, password, ..role(own) };
                flags.into_iter().for_each(|flag| role.attributes.set(flag, true));
                role.attributes.login |= login;
                for entry in settings {
                    role = role.setting(entry);
                }
                catalog.add(role);
                managed.extend(is_managed.then(|| name(own)));
            }
            for ((group, member), grantor, (admin, inherit, set)) in rows {
                // A circle through roles that nobody looks up PostgreSQL itself has to refuse.
                if ["etl", "web"].contains(&group) && GROUPS.contains(&member) {
                    continue;
                }
                let (group, member, grantor) = (name(group), name(member), name(grantor));
                catalog.add_row(Row { group, member, grantor, admin, inherit, set });
            }
            for member in managed {
                let (group, grantor) = (marker(), name(BOOTSTRAP));
                let (admin, inherit, set) = (false, false, false);
                catalog.add_row(Row { group, member, grantor, admin, inherit, set });
            }
            catalog
        })
}

fn world() -> impl Strategy<Value = World> {
    let limits = (0..5_usize, select(&[0.0, 0.3, 1.0][..]), select(&[0, 2, 100][..]));
    let suffix = prop::option::of(Just("_deleted".to_owned()));
    (catalog(), wanted_roles(), suffix, any::<bool>(), limits).prop_map(
        |(catalog, desired, suffix, revoke, (removals, removals_share, additions))| World {
            catalog,
            desired,
            style: Style {
                role_deletion_suffix: suffix,
                revoke_other_memberships: revoke,
                ..style()
            },
            limits: Limits { removals, removals_share, additions },
        },
    )
}

impl World {
    fn plan(&self, catalog: &Catalog, checked: &Checked) -> Plan {
        let observed = catalog.observe(&wanted(&self.desired, &self.style));
        plan(&self.desired, &observed, &self.style, checked, now())
    }

    fn approve(&self, catalog: &Catalog, checked: &Checked) -> Approved {
        approve(self.plan(catalog, checked), &self.limits, &Releases::default())
    }

    /// Whether something that may have named a managed role gave no answer.
    fn is_frozen(&self, role: &CatalogRole) -> bool {
        let record = role.comment.as_deref().and_then(Record::find);
        let teams = &self.desired.frozen;
        match record {
            Some(record) if record.left.is_some() => false,
            Some(record) if record.kind != Kind::Person => self.desired.frozen_robots.is_some(),
            Some(record) if !record.teams.is_empty() => {
                record.teams.iter().any(|team| teams.contains_key(team))
            }
            _ => !teams.is_empty() || self.desired.frozen_robots.is_some(),
        }
    }

    /// What the configuration itself names.
    fn is_declared(&self, name: &RoleName) -> bool {
        self.desired.groups.contains_key(name)
            || self.desired.roles.get(name).is_some_and(|role| role.kind != Kind::Person)
    }
}

/// What a role has, whoever granted it, and whatever it is called by now.
#[derive(Debug, PartialEq)]
struct Has {
    role: CatalogRole,
    groups: BTreeMap<u32, (bool, bool, bool)>,
}

fn has(catalog: &Catalog, name: &RoleName) -> Option<Has> {
    let role = catalog.roles.get(name)?.clone();
    let mut groups = BTreeMap::new();
    for row in catalog.rows.iter().filter(|row| row.member == *name) {
        let group = catalog.roles.get(&row.group).unwrap().oid;
        let own = groups.entry(group).or_insert((false, false, false));
        *own = (own.0 || row.admin, own.1 || row.inherit, own.2 || row.set);
    }
    Some(Has { role, groups })
}

fn apply(approved: &Approved, catalog: &mut Catalog, checked: &Checked) {
    for planned in approved.plan().changes() {
        if let Err(error) = catalog.apply(planned, checked) {
            panic!("{planned}: {error}");
        }
    }
}

fn gives(change: &Change) -> bool {
    matches!(
        change,
        Change::Create { .. }
            | Change::Grant { .. }
            | Change::SwitchOn { .. }
            | Change::SetPassword { .. }
            | Change::Set { .. }
    )
}

proptest! {
    #[test]
    fn whatever_teams_say_and_a_server_has(world in world()) {
        let checked = Checked::new().unwrap();
        let before = &world.catalog;
        let approved = world.approve(before, &checked);
        let context = || {
            let changes: Vec<_> = approved.plan().changes().map(ToString::to_string).collect();
            format!("{changes:#?}\n{:#?}\n{:#?}", approved.held(), approved.plan().problems)
        };

        // The same each time.
        let again = world.approve(before, &checked);
        prop_assert_eq!(format!("{:?}", approved), format!("{:?}", again));

        // Power goes before power comes.
        let changes: Vec<_> = approved.plan().changes().collect();
        let first_gift = changes.iter().position(|planned| gives(&planned.change));
        let takes = |change: &Change| change.takes() || *change == Change::ClearPassword;
        let last_loss = changes.iter().rposition(|planned| takes(&planned.change));
        if let (Some(gift), Some(loss)) = (first_gift, last_loss) {
            prop_assert!(loss < gift, "{}", context());
        }

        let mut after = before.clone();
        apply(&approved, &mut after, &checked);

        // Nobody is locked out of the server itself.
        prop_assert!(before.superusers() == 0 || after.superusers() > 0, "{}", context());

        for name in before.roles.keys() {
            let (own, now) = (has(before, name).unwrap(), has(&after, name));
            // What is not ours and not named stays.
            let foreign = !before.is_managed(name) && !world.is_declared(name);
            let held = approved.held().iter().any(|held| {
                held.role == *name && held.reason != Reason::Superuser
            });
            let untouchable = [BOOTSTRAP, ME].contains(&name.as_str());
            let alone = world.desired.disputed.contains_key(name);
            if foreign || held || untouchable || alone {
                let Some(now) = &now else { panic!("{name} is gone: {}", context()) };
                prop_assert_eq!(&own.role, &now.role, "{}: {}", name, context());
                for (group, options) in &own.groups {
                    let kept = now.groups.get(group);
                    let kept = kept.is_some_and(|now| {
                        now.0 >= options.0 && now.1 >= options.1 && now.2 >= options.2
                    });
                    prop_assert!(kept, "{name} had {group}: {}", context());
                }
            }
            prop_assert!(!held || !approved.plan().out.contains(name));
        }
        keep_the_frozen(&world, &after, &context)?;

        // The next run has nothing to do, and so has everybody what she should.
        let mut last = world.approve(&after, &checked);
        // Who joins may make a superuser of others the last no longer, and a share a smaller one;
        // and when the one who was taken for a person turns out a robot, it is the first sync. One
        // run for each of these, then.
        let depends = |held: &Held| {
            use Reason::{LastSuperuser, ManyAdditions, ManyRemovals};
            matches!(held.reason, LastSuperuser | ManyRemovals { .. } | ManyAdditions { .. })
        };
        let may_take_more = approved.held().iter().any(depends)
            || approved.plan().problems.iter().any(|problem| problem.text.contains("circles"));
        let mut runs = 1;
        while !last.plan().is_empty() {
            let changes: Vec<_> = last.plan().changes().map(ToString::to_string).collect();
            prop_assert!(may_take_more && runs < 4, "{changes:#?} after {}", context());
            apply(&last, &mut after, &checked);
            last = world.approve(&after, &checked);
            runs += 1;
        }
        keep_the_frozen(&world, &after, &context)?;
        let context = || format!("{}\n{:#?}\n{:#?}", context(), last.held(), last.plan().problems);
        all_are_as_they_should(&world, &after, &last, &context)?;
    }
}

/// Nobody of a team without an answer loses anything.
fn keep_the_frozen(
    world: &World,
    after: &Catalog,
    context: &impl Fn() -> String,
) -> Result<(), TestCaseError> {
    let before = &world.catalog;
    for (name, role) in &before.roles {
        let ours = before.is_managed(name) && !world.is_declared(name);
        if !ours || !world.is_frozen(role) {
            continue;
        }
        let own = has(before, name).unwrap();
        // She may have got her name back.
        let now = after.roles.iter().find(|(_, now)| now.oid == role.oid);
        let Some(now) = now.and_then(|(now, _)| has(after, now)) else {
            panic!("{name} is gone: {}", context())
        };
        for flag in Flag::ALL {
            let kept = now.role.attributes.get(flag) >= own.role.attributes.get(flag);
            prop_assert!(kept, "{name} lost {flag:?}: {}", context());
        }
        for group in own.groups.keys() {
            prop_assert!(now.groups.contains_key(group), "{name} lost {group}: {}", context());
        }
        prop_assert!(own.role.password.is_none() || now.role.password.is_some(), "{}", context());
    }
    Ok(())
}

/// Who is out is out, and who is in is in, unless it is said why not.
fn all_are_as_they_should(
    world: &World,
    after: &Catalog,
    last: &Approved,
    context: &impl Fn() -> String,
) -> Result<(), TestCaseError> {
    let explained = |name: &RoleName| {
        last.held().iter().any(|held| held.role == *name)
            || last.plan().problems.iter().any(|problem| problem.subject == name.as_str())
    };
    for (name, role) in &after.roles {
        let desired = &world.desired;
        let spared = desired.roles.contains_key(name)
            || desired.disputed.contains_key(name)
            || desired.groups.contains_key(name)
            || [BOOTSTRAP, ME].contains(&name.as_str());
        if !after.is_managed(name) || spared || world.is_frozen(role) {
            continue;
        }
        // Or would come back under her own name.
        let original = name.as_str().strip_suffix("_deleted").unwrap_or(name.as_str());
        let held =
            last.held().iter().any(|held| held.role == *name || held.role.as_str() == original);
        if !held {
            let attributes = Attributes { inherit: true, ..role.attributes };
            prop_assert_eq!(attributes, Attributes::NOLOGIN, "{} is in: {}", name, context());
            prop_assert!(role.password.is_none(), "{name} has a password: {}", context());
            prop_assert!(last.plan().out.contains(name), "{name}: {}", context());
        }
        if !explained(name) && !held {
            prop_assert_eq!(after.groups_of(name), BTreeSet::from([marker()]), "{}", context());
        }
    }
    for (name, wanted) in &world.desired.roles {
        if explained(name) || world.desired.disputed.contains_key(name) {
            continue;
        }
        let Some(now) = has(after, name) else { panic!("{name} is not there: {}", context()) };
        for group in wanted.memberships.keys() {
            let group = after.roles.get(group).unwrap().oid;
            prop_assert!(now.groups.contains_key(&group), "{name} has no {group}: {}", context());
        }
        let frozen = world.is_frozen(&now.role);
        for flag in Flag::ALL {
            let (is, should) = (now.role.attributes.get(flag), wanted.attributes.get(flag));
            let fine = is == should || (frozen && is && !should);
            prop_assert!(fine, "{name}, {flag:?}: {}", context());
        }
        // A superuser only by the word of the local configuration.
        let mut before = world.catalog.roles.values();
        let was = before.any(|own| own.oid == now.role.oid && own.attributes.superuser);
        let rises = now.role.attributes.superuser && !was;
        let local = wanted.superuser.as_ref().is_some_and(|elevation| elevation.local);
        prop_assert!(!rises || local || wanted.kind != Kind::Person, "{}", context());
    }
    Ok(())
}
