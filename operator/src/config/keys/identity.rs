//! People, robots, their Secrets, and how people log in.

use super::CrdDefault::{Nothing, Other, Same};
use super::Rule::{AtLeast, Each, NotEmpty, Pairs, Restart, Within};
use super::keys;
use crate::config::pam;
use crate::config::syntax::{group_role, plain_role, role, role_part, setting, url};
use crate::config::template::secret_name;

keys! { pub(super) IN_KUBERNETES, Some("kubernetes");
    enable_cross_namespace_secret EnableCrossNamespaceSecret: Flag(secrets.enable_cross_namespace_secret) = "false", Nothing, Identity, [], "The Secret of a user `namespace.name` is in that namespace.";
    infrastructure_roles_secret_name InfrastructureRolesSecretName: OptName(identity.infrastructure_roles_secret_name) = "", Nothing, Identity, [], "The Secret with the roles of all clusters: `user1`, `password1`, `inrole1` and so on.";
    infrastructure_roles_secrets InfrastructureRoles: Robots(identity.infrastructure_roles_secrets) = "", Nothing, Identity, [], "Secrets with one such role each, and which of their keys holds what.";
    oauth_token_secret_name OAuthTokenSecretName: Name(identity.oauth_token_secret_name) = "postgresql-operator", Other("postgres-operator"), Identity, [NotEmpty("the token for the Teams API is read from it")], "The Secret with the token for the Teams API.";
    secret_name_template SecretNameTemplate: Text(secrets.secret_name_template) = "{username}.{cluster}.credentials.{tprkind}.{tprgroup}", Same, Identity, [NotEmpty("all Secrets would have the same name"), Each(secret_name)], "What the Secret of a role is called: `{username}`, `{cluster}`, `{tprkind}`, `{tprgroup}`.";
}

keys! { pub(super) TEAMS_API, Some("teams_api");
    enable_admin_role_for_users EnableAdminRoleForUsers: Flag(identity.enable_admin_role_for_users) = "true", Same, Identity, [], "The team admin role may grant the roles of a manifest.";
    enable_postgres_team_crd EnablePostgresTeamCRD: Flag(identity.enable_postgres_team_crd) = "false", Other("true"), Identity, [Restart], "Look at `PostgresTeam` objects.";
    enable_postgres_team_crd_superusers EnablePostgresTeamCRDSuperusers: Flag(identity.enable_postgres_team_crd_superusers) = "false", Nothing, Identity, [], "`PostgresTeam` objects may make superusers.";
    enable_team_member_deprecation EnableTeamMemberDeprecation: Flag(identity.enable_team_member_deprecation) = "false", Nothing, Identity, [], "The role of a person who left is renamed, too.";
    enable_team_superuser EnableTeamSuperuser: Flag(identity.enable_team_superuser) = "false", Nothing, Identity, [], "The team of a cluster are superusers on it.";
    enable_teams_api EnableTeamsAPI: Flag(identity.enable_teams_api) = "true", Nothing, Identity, [], "Ask the Teams API who is in a team.";
    guard_max_additions GuardMaxAdditions: Count(identity.guard.additions) = "100", Same, Ours, [Within(0, 1_000_000)], "More people at once wait for a person to release them.";
    guard_max_removals GuardMaxRemovals: Count(identity.guard.removals) = "3", Same, Ours, [Within(0, 1_000_000)], "So many people may always be removed at once.";
    guard_max_removals_share GuardMaxRemovalsShare: Share(identity.guard.removals_share) = "0.3", Same, Ours, [], "Beyond that, the part of all people that may be removed at once.";
    pam_configuration PamConfiguration: Text(identity.pam_configuration) = "https://info.example.com/oauth2/tokeninfo?access_token= uid realm=/employees", Same, Identity, [Each(pam::check)], "What follows `pam_oauth2.so` in the PAM file of pods. Empty: nobody logs in with a token.";
    pam_line_in_custom_hba PamLineInCustomHba: Flag(identity.pam_line_in_custom_hba) = "true", Same, Ours, [], "A `pg_hba` of a manifest gets the lines for logins with a token.";
    pam_role_name PamRoleName: Text(identity.pam_role_name) = "zalandos", Same, Identity, [NotEmpty("it is the role of all people"), Each(plain_role)], "The role that all people are members of. Spilo writes it into SQL and pg_hba.conf without quotes.";
    postgres_superuser_teams PostgresSuperuserTeams: Set(identity.postgres_superuser_teams) = "", Nothing, Identity, [], "Teams whose members are superusers everywhere.";
    protected_role_names ProtectedRoles: Set(identity.protected_role_names) = "admin,cron_admin", Same, Identity, [], "Roles that no manifest and no team can have.";
    role_deletion_suffix RoleDeletionSuffix: Text(identity.role_deletion_suffix) = "_deleted", Same, Identity, [Each(role_part)], "What is put behind the name of a person who left.";
    team_admin_role TeamAdminRole: OptText(identity.team_admin_role) = "admin", Same, Identity, [Each(group_role)], "The role that the team of a cluster are members of.";
    team_api_role_configuration TeamAPIRoleConfiguration: Settings(identity.team_api_role_configuration) = "log_statement:all", Same, Identity, [Pairs(setting)], "Settings of the roles of people.";
    teams_api_url TeamsAPIUrl: Text(identity.teams_api_url) = "https://teams.example.com/api/", Same, Identity, [NotEmpty("write enable_teams_api: \"false\" where there is none"), Each(url)], "What comes before `/teams/`.";
    teams_refresh_period TeamsRefreshPeriod: Time(identity.teams_refresh_period) = "30s", Same, Ours, [AtLeast(1000)], "How often teams are asked for.";
}

keys! { pub(super) USERS, Some("users");
    additional_owner_roles AdditionalOwnerRoles: List(identity.additional_owner_roles) = "", Nothing, Identity, [Each(group_role)], "Roles that are members of all owners of databases.";
    enable_password_rotation EnablePasswordRotation: Flag(secrets.enable_password_rotation) = "false", Nothing, Identity, [], "Renew passwords of roles of manifests.";
    password_rotation_interval PasswordRotationInterval: Days(secrets.password_rotation_interval) = "90", Same, Identity, [Within(0, 36500)], "Days after which a password is renewed.";
    password_rotation_user_retention PasswordRotationUserRetention: Days(secrets.password_rotation_user_retention) = "180", Other("120"), Identity, [Within(0, 36500)], "Days after which a user of a former password is dropped.";
    replication_username ReplicationUsername: Text(identity.replication_username) = "standby", Same, Identity, [NotEmpty("standbys log in with it"), Each(role)], "The role of standbys.";
    super_username SuperUsername: Text(identity.super_username) = "postgres", Same, Identity, [NotEmpty("the operator logs in with it"), Each(role)], "The superuser of every cluster.";
}
