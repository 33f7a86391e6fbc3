//! SCIM services of several kinds.

mod groups;
mod pages;
mod users;

use serde_json::{Value, json};

use super::super::scim::{LoginAttribute, Paging, Scim, ScimConfig, UserLookup};
use super::ask;
use super::server::{Reply, Server};

fn config(server: &Server) -> ScimConfig {
    let text = format!("url = '{}/scim/v2/'\nanonymous = true", server.url);
    toml::from_str(&text).unwrap()
}

fn source(server: &Server) -> Scim {
    config(server).build().unwrap()
}

fn list(resources: &[Value]) -> Reply {
    Reply::scim(&json!({"totalResults": resources.len(), "Resources": resources}))
}

fn group(id: &str, name: &str, members: &[Value]) -> Value {
    json!({"id": id, "displayName": name, "members": members})
}

fn user(id: &str, name: &str) -> Value {
    json!({"id": id, "userName": name})
}

fn member(id: &str) -> Value {
    json!({"value": id, "type": "User"})
}

fn inner(id: &str) -> Value {
    json!({"value": id, "type": "Group"})
}

/// One group `acid` with these members, and these users.
async fn serve(members: Vec<Value>, users: Vec<Value>) -> Server {
    Server::start(move |asked| match asked.path() {
        "/scim/v2/Groups" => list(&[group("g1", "acid", &members)]),
        "/scim/v2/Users" => list(&users),
        path => match path.strip_prefix("/scim/v2/Users/") {
            Some(id) => Reply::scim(users.iter().find(|user| user["id"] == id).unwrap()),
            None => Reply::whole("404 Not Found", "", ""),
        },
    })
    .await
}

#[tokio::test]
async fn no_message_has_the_query_in_it() {
    let server = Server::start(|_| Reply::whole("500 Oops", "", "")).await;
    let error = ask(&source(&server), "s3cret team").await.unwrap_err().to_string();
    assert!(error.starts_with(&format!("GET {}/scim/v2/Groups: 500", server.url)), "{error}");
}

#[test]
fn a_configuration_has_words_for_its_choices() {
    let text = "url = 'https://idp'\ntoken_env = 'T'\nusers = 'by_id'\npaging = 'cursor'\n\
                login_attribute = 'externalId'\npage_size = 1000";
    let config: ScimConfig = toml::from_str(text).unwrap();
    assert_eq!(
        (config.users, config.paging, config.login_attribute, config.page_size),
        (UserLookup::ById, Paging::Cursor, LoginAttribute::ExternalId, 1000),
    );
    config.build().unwrap();
    let zero = "url = 'https://idp'\ntoken_env = 'T'\npage_size = 0";
    toml::from_str::<ScimConfig>(zero).unwrap().build().unwrap_err();
    toml::from_str::<ScimConfig>("url = 'https://idp'\npages = 3").unwrap_err();
}
