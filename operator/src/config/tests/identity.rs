//! Roles of people and robots.

use super::{config, loaded, refused};

#[test]
fn the_role_of_people_needs_no_quotes() {
    for name in ["zalandos", "users", "_people2"] {
        assert_eq!(config(&[("pam_role_name", name)]).identity.pam_role_name, name);
    }
    for name in ["Users", "my-users", "2users", "a b", "x;drop", "all", "group", "sämtliche"] {
        let error = refused(&[("pam_role_name", name)]);
        assert!(error.contains("without quotes"), "{error}");
    }
    assert!(refused(&[("pam_role_name", "pg_users")]).contains("PostgreSQL keeps that name"));
}

#[test]
fn one_line_says_which_secret_has_a_robot() {
    let line = "secretname:monitoring-roles,userkey:user,passwordkey:password,rolekey:inrole";
    let loaded = loaded(&[("infrastructure_roles_secrets", line)]);
    let [role] = &loaded.config.identity.infrastructure_roles_secrets[..] else { panic!() };
    // Literally, as in the reference.
    assert_eq!(
        (role.secret.namespace.as_str(), role.secret.name.as_str()),
        ("default", "monitoring-roles")
    );
    assert_eq!(role.userkey.as_deref(), Some("user"));
    assert_eq!(role.rolekey.as_deref(), Some("inrole"));
    assert!(loaded.warnings[0].contains("which means `default` here"), "{:?}", loaded.warnings);
}

#[test]
fn a_robot_needs_a_name_and_a_password() {
    let vectors = [
        ("userkey:user,passwordkey:password", "secretname is missing"),
        ("secretname:x,userkey:user", "passwordkey is missing"),
        (
            "secretname:x,passwordkey:p",
            "userkey or defaultuservalue has to say what the role is called",
        ),
        ("secretname:x,passwordkey:p,user:u", "user is none of secretname"),
    ];
    for (line, reason) in vectors {
        let error = refused(&[("infrastructure_roles_secrets", line)]);
        assert!(error.contains(reason), "{error}");
    }
}

#[test]
fn quotes_are_no_part_of_a_setting() {
    let line = r#"log_statement:none, work_mem:'4GB', search_path:'"$user", public'"#;
    let settings =
        config(&[("team_api_role_configuration", line)]).identity.team_api_role_configuration;
    assert_eq!(settings["work_mem"], "4GB");
    assert_eq!(settings["search_path"], "\"$user\", public");
}

#[test]
fn the_guard_can_be_set() {
    let guard = config(&[
        ("guard_max_removals", "5"),
        ("guard_max_removals_share", "0.1"),
        ("guard_max_additions", "20"),
    ]);
    let guard = guard.identity.guard;
    assert_eq!((guard.removals, guard.additions), (5, 20));
    assert!((guard.removals_share - 0.1).abs() < 1e-9);
}

#[test]
fn a_secret_may_be_elsewhere() {
    let identity = config(&[("oauth_token_secret_name", "tokens/teams")]).identity;
    assert_eq!(identity.oauth_token_secret_name.namespace, "tokens");
    assert_eq!(identity.oauth_token_secret_name.name, "teams");
}

#[test]
fn credentials_in_a_url_are_refused_and_not_repeated() {
    let error = refused(&[("teams_api_url", "https://user:hunter2@teams.example.com/")]);
    assert!(error.starts_with("teams_api_url: credentials do not belong in a URL"), "{error}");
}
