use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use zeroize::Zeroizing;

use super::{Credentials, Source, credentials, is_of_role, wanted};
use crate::build::tests::{cluster, config};
use crate::mark::SECRET_OF;
use crate::stages;
use crate::testing::{Asked, FakeApi, nothing};
use crate::validate::{Accepted, validate};

fn secret(data: &[(&str, &[u8])]) -> Secret {
    let data = data.iter().map(|(key, value)| ((*key).to_owned(), ByteString(value.to_vec())));
    Secret { data: Some(data.collect()), ..Secret::default() }
}

#[test]
fn a_secret_holds_a_name_and_a_password() {
    let found = credentials(&secret(&[("username", b"foo"), ("password", b"p w'")]));
    let found = found.expect("both are there");
    assert_eq!((found.username.as_str(), found.password.as_str()), ("foo", "p w'"));
    assert!(!format!("{found:?}").contains("p w'"));
}

#[test]
fn what_is_missing_in_a_secret_is_told_without_what_is_there() {
    for (data, wrong) in [
        (vec![("username", b"foo".as_slice())], "it has no key \"password\""),
        (vec![("username", b"foo"), ("password", b"")], "its key \"password\" is empty"),
        (vec![("username", b"\xff"), ("password", b"hidden")], "its key \"username\" is not UTF-8"),
    ] {
        assert_eq!(credentials(&secret(&data)), Err(wrong.to_owned()));
    }
}

#[test]
fn a_secret_is_of_a_role_by_its_own_name_or_with_a_day_behind_it() {
    let is = |username: &str| {
        let password = Zeroizing::new("p".to_owned());
        is_of_role(&Credentials { username: username.to_owned(), password }, "foo_user")
    };
    assert!(is("foo_user") && is("foo_user261125"));
    assert!(!is("foo_user26112") && !is("foo_user_admin") && !is("foo-user") && !is("foo"));
}

#[test]
fn roles_whose_secrets_would_have_one_name_collide_and_the_first_has_it() {
    let roles =
        ["foo_user", "foo-user", "bar"].map(|role| (role.to_owned(), None, Source::Generated));
    let (wanted, collisions) = wanted(&cluster(serde_json::json!({})), &config(), roles);
    let roles: Vec<_> = wanted.iter().map(|one| one.role.as_str()).collect();
    assert_eq!(roles, ["foo_user", "bar"]);
    assert_eq!(collisions.len(), 1);
    assert_eq!(collisions[0].second, "foo-user");
}

#[test]
fn a_secret_can_be_in_another_namespace_and_has_the_name_of_the_reference() {
    let roles = [("other.foo_user".to_owned(), Some("other".to_owned()), Source::Generated)];
    let (wanted, _) = wanted(&cluster(serde_json::json!({})), &config(), roles);
    assert_eq!(wanted[0].namespace, "other");
    let name = "other.foo-user.acid-minimal-cluster.credentials.postgresql.acid.zalan.do";
    assert_eq!(wanted[0].name, name);
}

#[tokio::test]
async fn a_secret_that_is_made_in_another_namespace_says_whose_it_is() {
    let mut config = config();
    config.secrets.enable_cross_namespace_secret = true;
    let api = FakeApi::new(|asked| match asked.method.as_str() {
        "POST" => (201, asked.body.clone()),
        _ => nothing(asked),
    });
    let context = api.context(config.clone(), None);
    let manifest = serde_json::from_value(serde_json::json!({
        "apiVersion": "acid.zalan.do/v1", "kind": "postgresql",
        "metadata": { "name": "acid-main", "namespace": "a", "uid": "uid-1" },
        "spec": { "teamId": "acid", "numberOfInstances": 1, "volume": { "size": "1Gi" },
            "postgresql": { "version": "15" }, "users": { "b.app": [] } },
    }));
    let manifest = manifest.expect("a manifest");
    let Accepted { cluster, roles, .. } = validate(&manifest, &config).expect("it is accepted");
    let finding = stages::secrets::run(&context, &config, &manifest, &cluster, &roles).await;
    assert_eq!(finding.message, "", "{:?}", roles.roles);
    let mark = |namespace: &str| {
        let path = format!("/api/v1/namespaces/{namespace}/secrets");
        let made: Vec<_> = api.asked().into_iter().filter(|one| one.path == path).collect();
        let mark = |one: &Asked| one.body["metadata"]["annotations"][SECRET_OF].clone();
        made.iter().filter(|one| one.method == "POST").map(mark).collect::<Vec<_>>()
    };
    assert_eq!(mark("b"), ["a/acid-main/uid-1"]);
    assert_eq!(mark("a"), [serde_json::Value::Null, serde_json::Value::Null], "these need none");
}
