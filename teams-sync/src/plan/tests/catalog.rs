//! A catalog in memory that takes the changes of a plan as PostgreSQL would, and refuses what
//! PostgreSQL would refuse or only warn about.

use std::collections::{BTreeMap, BTreeSet};

use ring::rand::SystemRandom;

use super::super::change::{Change, Options, Planned};
use crate::observed::tests::{name, role, server};
use crate::observed::{CatalogRole, Observed, Wanted};
use crate::password::Checked;
use crate::plan::record::Record;
use crate::role::{Attributes, RoleName, entry_name, marker};

/// A row of `pg_auth_members`.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Row {
    pub(crate) group: RoleName,
    pub(crate) member: RoleName,
    pub(crate) grantor: RoleName,
    pub(crate) admin: bool,
    pub(crate) inherit: bool,
    pub(crate) set: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Catalog {
    pub(crate) major: u32,
    /// Its memberships are in `rows`.
    pub(crate) roles: BTreeMap<RoleName, CatalogRole>,
    pub(crate) rows: Vec<Row>,
    next_oid: u32,
}

/// Whom `initdb` made: the grantor of what superusers grant since PostgreSQL 16.
pub(crate) const BOOTSTRAP: &str = "boot";
pub(crate) const ME: &str = "me";

type Index<'a> = BTreeMap<&'a RoleName, Vec<&'a Row>>;

fn of<'a>(index: &Index<'a>, role: &RoleName) -> Vec<&'a Row> {
    index.get(role).cloned().unwrap_or_default()
}

impl Catalog {
    pub(crate) fn new(major: u32) -> Self {
        let boot = CatalogRole { oid: 10, ..role(BOOTSTRAP).login().superuser() };
        let mut catalog =
            Self { major, roles: BTreeMap::new(), rows: Vec::new(), next_oid: 16_384 };
        for role in [boot, role(ME).login().superuser()] {
            catalog.roles.insert(role.name(), role);
        }
        catalog
    }

    /// A role as it lies about; once only.
    pub(crate) fn add(&mut self, role: CatalogRole) {
        self.next_oid += 1;
        self.roles.entry(role.name()).or_insert(CatalogRole { oid: self.next_oid, ..role });
    }

    /// A membership as it lies about, if PostgreSQL would allow it.
    pub(crate) fn add_row(&mut self, mut row: Row) {
        let exist = self.roles.contains_key(&row.group) && self.roles.contains_key(&row.member);
        if !exist || self.is_above(&row.member, &row.group) {
            return;
        }
        if self.major < 16 {
            (row.inherit, row.set) = (true, true);
            self.rows.retain(|own| own.group != row.group || own.member != row.member);
            return self.rows.push(row);
        }
        let may_grant = self.is_admin(&row.grantor, &row.group)
            && !self.is_admin(&row.member, &row.group)
            && row.grantor != row.member;
        if !may_grant {
            row.grantor = name(BOOTSTRAP);
        }
        self.rows.retain(|own| {
            let same = own.group == row.group && own.member == row.member;
            let replaced = same && own.grantor == row.grantor;
            // Somebody may have granted it to others by then.
            row.admin |= replaced && own.admin;
            !replaced
        });
        self.rows.push(row);
    }

    fn is_admin(&self, member: &RoleName, group: &RoleName) -> bool {
        self.rows.iter().any(|own| own.group == *group && own.member == *member && own.admin)
    }

    /// Whether a role is the group, or the group is a member of it over any number of steps.
    fn is_above(&self, role: &RoleName, group: &RoleName) -> bool {
        role == group
            || self
                .rows
                .iter()
                .filter(|own| own.member == *group)
                .any(|own| self.is_above(role, &own.group))
    }

    pub(crate) fn is_managed(&self, role: &RoleName) -> bool {
        let mut rows = self.rows.iter().filter(|own| own.member == *role && own.group == marker());
        let comment = self.roles.get(role).and_then(|role| role.comment.as_deref());
        let is_noted = comment.and_then(Record::find).is_some();
        // The one who may mark others is not marked by that.
        rows.any(|own| is_noted || self.major < 16 || !own.admin || own.inherit || own.set)
    }

    pub(crate) fn groups_of(&self, role: &RoleName) -> BTreeSet<RoleName> {
        self.rows.iter().filter(|own| own.member == *role).map(|own| own.group.clone()).collect()
    }

    pub(crate) fn superusers(&self) -> usize {
        let all = self.roles.values();
        all.filter(|role| role.attributes.superuser && role.attributes.login).count()
    }

    /// What the query of the catalog answers: no more than was asked for.
    pub(crate) fn observe(&self, wanted: &Wanted) -> Observed {
        let mut members: Index<'_> = BTreeMap::new();
        let mut grantors: Index<'_> = BTreeMap::new();
        for row in &self.rows {
            members.entry(&row.member).or_default().push(row);
            grantors.entry(&row.grantor).or_default().push(row);
        }
        let member = |role: &RoleName, groups: &BTreeSet<RoleName>| {
            of(&members, role).iter().any(|own| groups.contains(&own.group))
        };
        let managed = BTreeSet::from([marker()]);
        let is_seen = |role: &RoleName| {
            let suffix = wanted.suffix.as_deref();
            let original = suffix.and_then(|suffix| role.as_str().strip_suffix(suffix)).map(name);
            wanted.names.contains(role)
                || member(role, &wanted.members_of)
                || original.is_some_and(|original| member(&original, &managed))
        };
        let roles = self.roles.iter().filter(|(name, _)| is_seen(name)).map(|(own, role)| {
            let mut role = role.clone();
            for row in of(&members, own) {
                let since_16 = (self.major >= 16).then_some((row.inherit, row.set));
                let (group, grantor) = (row.group.as_str(), row.grantor.as_str());
                role = role.row(group, grantor, row.admin, since_16);
            }
            for row in of(&grantors, own) {
                role = role.granted(row.group.as_str(), row.member.as_str(), row.admin);
            }
            role
        });
        let foreign = self.roles.iter().filter(|(name, role)| {
            role.attributes.superuser && role.attributes.login && !member(name, &managed)
        });
        let foreign_superusers = u32::try_from(foreign.count()).unwrap();
        Observed { foreign_superusers, ..server(self.major, roles) }
    }

    pub(crate) fn apply(&mut self, planned: &Planned, checked: &Checked) -> Result<(), String> {
        let own = &planned.role;
        match &planned.change {
            Change::CreateGroup => self.create(own, Attributes::NOLOGIN)?,
            Change::Create { attributes } => self.create(own, *attributes)?,
            Change::Grant { roles } => {
                let usable = *roles != [marker()];
                for group in roles {
                    let options = Options { admin: false, inherit: usable, set: usable };
                    self.grant(group, own, options)?;
                }
            }
            Change::GrantAdmin { admin, .. } => {
                let options = Options { admin: true, inherit: true, set: true };
                self.grant(own, admin, options)?;
            }
            Change::Regrant { role, member, options } => {
                self.grant(role, member, *options)?;
            }
            Change::Rename { to } => {
                if self.roles.contains_key(to) {
                    return Err(format!("{to} exists"));
                }
                let before = self.roles.remove(own).ok_or("no such role to rename")?;
                let after = CatalogRole { oid: before.oid, ..role(to.as_str()) };
                let CatalogRole { attributes, comment, settings, password, .. } = before;
                let after = CatalogRole { attributes, comment, settings, password, ..after };
                self.roles.insert(to.clone(), after);
                for row in &mut self.rows {
                    for place in [&mut row.group, &mut row.member, &mut row.grantor] {
                        if *place == *own {
                            place.clone_from(to);
                        }
                    }
                }
            }
            Change::Reset { parameter } => {
                self.role(own)?.settings.retain(|entry| entry_name(entry) != *parameter);
            }
            Change::Revoke { role, member, grantor } => {
                self.revoke(role, member, grantor.as_ref())?
            }
            Change::Set { parameter } => {
                let values: Vec<_> = match parameter.name.as_str() {
                    "search_path" => {
                        parameter.values.iter().map(|value| format!("{value:?}")).collect()
                    }
                    _ => parameter.values.clone(),
                };
                let entry = format!("{}={}", parameter.name, values.join(", "));
                let settings = &mut self.role(own)?.settings;
                settings.retain(|entry| entry_name(entry) != parameter.name);
                settings.push(entry);
            }
            Change::SetComment { comment } => self.role(own)?.comment = Some(comment.clone()),
            Change::SetPassword { password } => {
                let stored = checked
                    .verifier(password, planned.role.as_str(), 1, &SystemRandom::new())
                    .unwrap();
                self.role(own)?.password = Some(stored.to_string());
            }
            Change::ClearPassword => self.role(own)?.password = None,
            Change::SwitchOff { flags } => {
                flags.iter().try_for_each(|flag| self.switch(own, *flag, false))?;
            }
            Change::SwitchOn { flags } => {
                flags.iter().try_for_each(|flag| self.switch(own, *flag, true))?;
            }
        }
        Ok(())
    }

    fn role(&mut self, name: &RoleName) -> Result<&mut CatalogRole, String> {
        self.roles.get_mut(name).ok_or(format!("there is no {name}"))
    }

    fn switch(&mut self, name: &RoleName, flag: crate::role::Flag, on: bool) -> Result<(), String> {
        let attributes = &mut self.role(name)?.attributes;
        if attributes.get(flag) == on {
            return Err(format!("{name} is {} already", flag.keyword(on)));
        }
        attributes.set(flag, on);
        Ok(())
    }

    fn create(&mut self, name: &RoleName, attributes: Attributes) -> Result<(), String> {
        if self.roles.contains_key(name) {
            return Err(format!("{name} exists"));
        }
        self.add(CatalogRole { attributes, ..role(name.as_str()) });
        Ok(())
    }

    fn grant(&mut self, group: &RoleName, member: &RoleName, like: Options) -> Result<(), String> {
        for role in [group, member] {
            if !self.roles.contains_key(role) {
                return Err(format!("there is no {role}"));
            }
        }
        if self.is_above(member, group) {
            return Err(format!("{group} to {member} is a circle"));
        }
        let grantor = name(if self.major >= 16 { BOOTSTRAP } else { ME });
        let since_16 = self.major >= 16;
        let Options { mut admin, inherit, set } = like;
        self.rows.retain(|own| {
            let same = own.group == *group && own.member == *member;
            let replaced = same && (!since_16 || own.grantor == grantor);
            // No statement of ours says ADMIN FALSE where there may be more.
            admin |= replaced && own.admin;
            !replaced
        });
        let (group, member) = (group.clone(), member.clone());
        self.rows.push(Row { group, member, grantor, admin, inherit, set });
        Ok(())
    }

    fn revoke(
        &mut self,
        group: &RoleName,
        member: &RoleName,
        grantor: Option<&RoleName>,
    ) -> Result<(), String> {
        if grantor.is_some() != (self.major >= 16) {
            return Err("GRANTED BY is for PostgreSQL 16, and needed there".to_owned());
        }
        let found = self.rows.iter().position(|own| {
            own.group == *group
                && own.member == *member
                && grantor.is_none_or(|grantor| own.grantor == *grantor)
        });
        let found = found.ok_or(format!("{member} was not granted {group} by {grantor:?}"))?;
        self.rows.remove(found);
        let depends = self.rows.iter().any(|own| own.group == *group && own.grantor == *member);
        if self.major >= 16 && depends && !self.is_admin(member, group) {
            return Err(format!("others have {group} from {member}"));
        }
        Ok(())
    }
}
