use super::*;

/// A role as `CREATE ROLE name` makes it; the methods of [`CatalogRole`] below do the rest.
pub(crate) fn role(name: &str) -> CatalogRole {
    CatalogRole {
        rolname: name.to_owned(),
        oid: 16_384,
        attributes: Attributes::NOLOGIN,
        comment: None,
        settings: Vec::new(),
        memberships: Vec::new(),
        granted: Vec::new(),
        sessions: 0,
        password: None,
    }
}

pub(crate) fn name(text: &str) -> RoleName {
    RoleName::from_catalog(text.to_owned())
}

fn from_catalog(text: &str) -> RoleNameFromCatalog {
    RoleNameFromCatalog(name(text))
}

/// A server of this major version, seen by a superuser called `me`.
pub(crate) fn server(major: u32, roles: impl IntoIterator<Item = CatalogRole>) -> Observed {
    Observed {
        me: from_catalog("me"),
        superuser: true,
        createrole: true,
        version: major * 10_000,
        started: String::new(),
        system_identifier: "7".to_owned(),
        in_recovery: false,
        read_only: false,
        scram_iterations: None,
        sees_passwords: true,
        foreign_superusers: 1,
        roles: roles.into_iter().map(|role| (name(&role.rolname), role)).collect(),
    }
}

impl CatalogRole {
    pub(crate) fn name(&self) -> RoleName {
        name(&self.rolname)
    }

    pub(crate) fn login(mut self) -> Self {
        self.attributes.login = true;
        self
    }

    pub(crate) fn superuser(mut self) -> Self {
        self.attributes.superuser = true;
        self
    }

    pub(crate) fn managed(self) -> Self {
        self.row(marker().as_str(), "me", false, Some((false, false)))
    }

    /// As a superuser of PostgreSQL 15 grants it.
    pub(crate) fn member_of(self, role: &str) -> Self {
        self.row(role, "me", false, None)
    }

    /// A row with all that PostgreSQL 16 keeps: INHERIT and SET.
    pub(crate) fn row(
        mut self,
        role: &str,
        grantor: &str,
        admin: bool,
        options: Option<(bool, bool)>,
    ) -> Self {
        self.memberships.push(Membership {
            role: from_catalog(role),
            grantor: Some(from_catalog(grantor)),
            admin,
            inherit: options.map(|(inherit, _)| inherit),
            set: options.map(|(_, set)| set),
        });
        self
    }

    pub(crate) fn granted(mut self, role: &str, member: &str, admin: bool) -> Self {
        self.granted.push(Granted {
            role: from_catalog(role),
            member: from_catalog(member),
            admin,
            inherit: Some(true),
            set: Some(true),
        });
        self
    }

    pub(crate) fn comment(mut self, text: &str) -> Self {
        self.comment = Some(text.to_owned());
        self
    }

    pub(crate) fn setting(mut self, entry: &str) -> Self {
        self.settings.push(entry.to_owned());
        self
    }

    pub(crate) fn password(mut self, stored: &str) -> Self {
        self.password = Some(stored.to_owned());
        self
    }
}

const ANSWER_OF_16: &str = r#"{
    "me": "teams_sync", "superuser": false, "createrole": true, "version": 160004,
    "system_identifier": "7391", "in_recovery": false, "read_only": true,
    "scram_iterations": 8192, "sees_passwords": false, "foreign_superusers": 2,
    "roles": [{
        "rolname": "al\"ice", "oid": 4294967295, "rolsuper": true, "rolinherit": true,
        "rolcreaterole": false, "rolcreatedb": false, "rolcanlogin": true,
        "rolreplication": false, "rolbypassrls": false, "comment": null,
        "settings": ["log_statement=all"],
        "memberships": [{"role": "teams_sync_managed", "grantor": "me", "admin": false,
                         "inherit": false, "set": false}],
        "granted": [{"role": "admin", "member": "bob", "admin": true, "inherit": true, "set": true}],
        "sessions": 3
    }]
}"#;

#[test]
fn the_answer_of_postgresql_16_is_read_whole() {
    let expected = Observed {
        me: from_catalog("teams_sync"),
        superuser: false,
        version: 160_004,
        system_identifier: "7391".to_owned(),
        read_only: true,
        scram_iterations: Some(8192),
        sees_passwords: false,
        foreign_superusers: 2,
        ..server(
            16,
            [CatalogRole { oid: u32::MAX, sessions: 3, ..role("al\"ice") }
                .login()
                .superuser()
                .setting("log_statement=all")
                .managed()
                .granted("admin", "bob", true)],
        )
    };
    assert_eq!(serde_json::from_str::<Observed>(ANSWER_OF_16).unwrap(), expected);
}

#[test]
fn before_postgresql_16_there_are_no_options_and_a_grantor_may_be_gone() {
    let text = ANSWER_OF_16
        .replace("160004", "150018")
        .replace("8192", "null")
        .replace(r#""grantor": "me""#, r#""grantor": null"#)
        .replace(r#""inherit": false, "set": false"#, r#""inherit": null, "set": null"#);
    let observed: Observed = serde_json::from_str(&text).unwrap();
    assert!(!observed.has_grantors());
    assert_eq!(observed.scram_iterations, None);
    let alice = observed.roles.get(&name("al\"ice")).unwrap();
    assert!(alice.is_managed());
    assert_eq!(
        alice.memberships,
        [Membership {
            role: from_catalog("teams_sync_managed"),
            grantor: None,
            admin: false,
            inherit: None,
            set: None
        }]
    );
}

#[test]
fn an_answer_with_something_missing_is_none() {
    for key in ["me", "superuser", "version", "sees_passwords", "roles", "rolsuper", "rolcanlogin"]
    {
        let text = ANSWER_OF_16.replace(&format!("{key:?}:"), "\"else\":");
        assert!(serde_json::from_str::<Observed>(&text).is_err(), "{key}");
    }
}

#[test]
fn who_is_managed_says_the_marker_alone() {
    let observed = server(
        15,
        [
            role("alice").managed(),
            role("bob").comment("teams-sync: person teams=acid"),
            role("carol").member_of("users"),
        ],
    );
    assert_eq!(observed.managed().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["alice"]);
}
