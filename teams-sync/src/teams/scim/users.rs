//! From the ids of users to their logins.
//!
//! In: ids. Out: the login of each of them who is active. Never: an id without a user passed
//! over, a user without a login passed over; both are errors, because somebody would be missing.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::Value;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::super::SourceError;
use super::super::foreign::shown;
use super::super::http::encoded;
use super::{LoginAttribute, Missing, Object, Service, UserLookup, attribute, pages, text};

/// For how long a list of all users serves: about as long as one pass over all teams.
const LIST_AGE: Duration = Duration::from_secs(20);
/// Requests at a time for single users.
const CONCURRENCY: usize = 8;

/// What is known about a user.
#[derive(Clone, Debug)]
struct User {
    active: Active,
    login: Option<String>,
}

#[derive(Clone, Copy, Debug)]
enum Active {
    No,
    /// The attribute is no boolean.
    Unclear,
    Yes,
}

type All = Arc<HashMap<String, User>>;

/// The list of all users that was read last.
#[derive(Debug, Default)]
struct Kept {
    /// With the moment when reading it began.
    list: Option<(Instant, All)>,
    /// With the moment when reading it failed: who waited for it need not try again.
    fault: Option<(Instant, SourceError)>,
}

/// All users of a service, as far as they are needed.
#[derive(Debug)]
pub(super) struct Users {
    kept: Mutex<Kept>,
    login: LoginAttribute,
    lookup: UserLookup,
}

impl Users {
    pub(super) fn new(login: LoginAttribute, lookup: UserLookup) -> Self {
        Self { kept: Mutex::default(), login, lookup }
    }

    /// The logins of the active ones among `ids`, which were read at `known_at`.
    pub(super) async fn logins(
        &self,
        service: &Service,
        ids: &[String],
        known_at: Instant,
        limit: Duration,
    ) -> Result<Vec<String>, SourceError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        match self.lookup {
            UserLookup::ById => {
                let asked: Vec<_> = ids.iter().map(|id| self.one(service, id, limit)).collect();
                stream::iter(asked)
                    .buffered(CONCURRENCY)
                    .try_filter_map(async |login| Ok(login))
                    .try_collect()
                    .await
            }
            UserLookup::List => {
                let mut all = self.list(service, None, limit).await?;
                if ids.iter().any(|id| !all.contains_key(id)) {
                    // Somebody may be newer than the list.
                    all = self.list(service, Some(known_at), limit).await?;
                }
                let logins = ids.iter().map(|id| match all.get(id) {
                    Some(user) => self.login(id, user),
                    None => Err(SourceError::Incomplete(format!(
                        "a member of the group has the id \"{}\", but the list of users has \
                         nobody with it; if the service keeps some users out of \
                         lists, users = \"by_id\" asks for each of them",
                        shown(id),
                    ))),
                });
                logins.filter_map(Result::transpose).collect()
            }
        }
    }

    async fn one(
        &self,
        service: &Service,
        id: &str,
        limit: Duration,
    ) -> Result<Option<String>, SourceError> {
        if matches!(id, "." | "..") {
            return Err(SourceError::Malformed("the id of a user is made of dots".to_owned()));
        }
        let path = format!("/Users/{}", encoded(id));
        let query = format!("attributes={}", self.attributes());
        let missing = Missing::Named("but a group has this user as a member");
        let (user, about) = service.get(&path, &query, missing, limit).await?;
        if text(&user, "id") != Some(id) {
            return Err(about.malformed("the answer is about another user: its \"id\" differs"));
        }
        self.login(id, &self.user(&user))
    }

    /// All users. A list that began before `not_before` does not do.
    async fn list(
        &self,
        service: &Service,
        not_before: Option<Instant>,
        limit: Duration,
    ) -> Result<All, SourceError> {
        let arrived = Instant::now();
        // Whoever comes while the list is being read waits here, and finds it.
        let mut kept = self.kept.lock().await;
        if let Some((begun, all)) = &kept.list
            && begun.elapsed() < LIST_AGE
            && not_before.is_none_or(|moment| *begun >= moment)
        {
            return Ok(Arc::clone(all));
        }
        if let Some((failed, fault)) = &kept.fault
            && *failed > arrived
        {
            return Err(fault.clone());
        }
        let begun = Instant::now();
        let mut all = HashMap::new();
        let reading = pages::walk(service, "/Users", self.attributes(), limit, |id, user| {
            all.insert(id, self.user(user));
        });
        match reading.await {
            Ok(()) => {
                let all = Arc::new(all);
                kept.list = Some((begun, Arc::clone(&all)));
                Ok(all)
            }
            Err(fault) => {
                kept.fault = Some((Instant::now(), fault.clone()));
                Err(fault)
            }
        }
    }

    fn attributes(&self) -> &'static str {
        match self.login {
            LoginAttribute::ExternalId => "id,externalId,active",
            LoginAttribute::UserName => "id,userName,active",
        }
    }

    fn attribute(&self) -> &'static str {
        match self.login {
            LoginAttribute::ExternalId => "externalId",
            LoginAttribute::UserName => "userName",
        }
    }

    fn user(&self, user: &Object) -> User {
        let active = match attribute(user, "active") {
            // RFC 7643 section 4.1.1 leaves open what its absence means; services that know no
            // inactive users do not send it.
            None | Some(Value::Null | Value::Bool(true)) => Active::Yes,
            Some(Value::Bool(false)) => Active::No,
            Some(_) => Active::Unclear,
        };
        User { active, login: text(user, self.attribute()).map(str::to_owned) }
    }

    /// Nothing for an inactive user.
    fn login(&self, id: &str, user: &User) -> Result<Option<String>, SourceError> {
        match (user.active, &user.login) {
            (Active::No, _) => Ok(None),
            (Active::Yes, Some(login)) => Ok(Some(login.clone())),
            (Active::Yes, None) => Err(SourceError::Malformed(format!(
                "the user with the id \"{}\" has no \"{}\"; login_attribute names what her role \
                 is called",
                shown(id),
                self.attribute(),
            ))),
            (Active::Unclear, _) => Err(SourceError::Malformed(format!(
                "\"active\" of the user with the id \"{}\" is neither true nor false",
                shown(id),
            ))),
        }
    }
}
