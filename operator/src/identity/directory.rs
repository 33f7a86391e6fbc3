//! Who is in which team: asked once for all clusters, again every `teams_refresh_period`, and
//! kept. An answer that cannot be had freezes its team, and is nobody's reason to wait.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client};
use teams_sync::teams::SourceError;
use teams_sync::teams::fetch::{Answer, Limits, fetch_all};
use teams_sync::teams::{Source, teams_api::TeamsApi};
use zeroize::Zeroizing;

use crate::config::Identity as Settings;
use crate::failure::describe;

/// What is known of all teams that somebody asked about.
#[derive(Debug, Default)]
pub struct Directory {
    known: Mutex<BTreeMap<String, Known>>,
    /// The source, as long as its URL and token stay the same.
    source: tokio::sync::Mutex<Option<Connected>>,
}

/// Of one team.
#[derive(Clone, Debug)]
pub struct Known {
    pub answer: Answer,
    /// When there was a complete answer last.
    pub seen: Option<Timestamp>,
    /// When this answer came, whatever it is.
    pub asked: Instant,
}

#[derive(Debug)]
struct Connected {
    url: String,
    token: Zeroizing<Vec<u8>>,
    source: Arc<dyn Source>,
}

/// A cluster waits for a team that nobody asked about yet, and not for long.
const LIMITS: fn() -> Limits = || Limits {
    request: Duration::from_secs(5),
    team: Duration::from_secs(8),
    ..Limits::default()
};
/// An answer is believed for so many refreshes, and for so long at least. Whoever asks again and
/// again may have been somebody else meanwhile, or nobody.
const REFRESHES: u32 = 3;
const BELIEVED: Duration = Duration::from_secs(120);
/// Keys of the Secret with the token, as the reference has them.
const TOKEN_TYPE: &str = "read-only-token-type";
const TOKEN: &str = "read-only-token-secret";
const KIND: &str = "teams_api";

impl Directory {
    /// What is known of these teams; those that nobody asked about yet, or not for long, are asked
    /// about now.
    pub async fn of(
        &self,
        client: &Client,
        settings: &Settings,
        teams: &BTreeSet<String>,
    ) -> BTreeMap<String, Known> {
        let missing = self.missing(settings, teams, Instant::now());
        if !missing.is_empty() {
            self.ask(client, settings, &missing).await;
        }
        let known = self.lock();
        teams.iter().filter_map(|team| Some((team.clone(), known.get(team)?.clone()))).collect()
    }

    fn missing(
        &self,
        settings: &Settings,
        teams: &BTreeSet<String>,
        now: Instant,
    ) -> BTreeSet<String> {
        let limit = BELIEVED.max(settings.teams_refresh_period.saturating_mul(REFRESHES));
        let known = self.lock();
        let is_fresh = |known: &Known| now.saturating_duration_since(known.asked) <= limit;
        teams.iter().filter(|team| !known.get(*team).is_some_and(is_fresh)).cloned().collect()
    }

    /// Nothing is known any more: somebody else asks now.
    pub fn clear(&self) {
        self.lock().clear();
    }

    /// Asks about these teams; which of them have another answer than before.
    pub async fn ask(
        &self,
        client: &Client,
        settings: &Settings,
        teams: &BTreeSet<String>,
    ) -> BTreeSet<String> {
        let answers = match self.source(client, settings).await {
            Ok(source) => fetch_all(&[source], teams, &LIMITS()).await,
            Err(error) => {
                let frozen = Answer::Frozen { source: KIND, error: SourceError::Auth(error) };
                teams.iter().map(|team| (team.clone(), frozen.clone())).collect()
            }
        };
        let now = Timestamp::now();
        let mut known = self.lock();
        let mut changed = BTreeSet::new();
        for (team, answer) in answers {
            let before = known.get(&team);
            let is_whole = matches!(answer, Answer::Team(_));
            let seen = if is_whole { Some(now) } else { before.and_then(|before| before.seen) };
            if before.is_none_or(|before| before.answer != answer) {
                changed.insert(team.clone());
            }
            known.insert(team, Known { answer, seen, asked: Instant::now() });
        }
        changed
    }

    /// Teams that no cluster has to do with any more are not remembered.
    pub fn keep_only(&self, teams: &BTreeSet<String>) {
        self.lock().retain(|team, _| teams.contains(team));
    }

    /// The source, with the token as it is in the Secret now.
    async fn source(
        &self,
        client: &Client,
        settings: &Settings,
    ) -> Result<Arc<dyn Source>, String> {
        let token = token(client, settings).await?;
        let mut connected = self.source.lock().await;
        if let Some(connected) = &*connected
            && connected.url == settings.teams_api_url
            && connected.token == token
        {
            return Ok(Arc::clone(&connected.source));
        }
        let origin = format!("the key {TOKEN} of the Secret {}", settings.oauth_token_secret_name);
        let source = TeamsApi::with_token(&settings.teams_api_url, &token, &origin);
        let source: Arc<dyn Source> = Arc::new(source.map_err(|error| error.to_string())?);
        let url = settings.teams_api_url.clone();
        *connected = Some(Connected { url, token, source: Arc::clone(&source) });
        Ok(source)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn token(client: &Client, settings: &Settings) -> Result<Zeroizing<Vec<u8>>, String> {
    let place = &settings.oauth_token_secret_name;
    let wrong = |what: String| format!("the Secret {place} of oauth_token_secret_name {what}");
    let api: Api<Secret> = Api::namespaced(client.clone(), &place.namespace);
    let secret = match api.get_opt(&place.name).await {
        Ok(Some(secret)) => secret,
        Ok(None) => return Err(wrong("is not there".to_owned())),
        Err(error) => return Err(wrong(format!("cannot be read: {}", describe(&error)))),
    };
    let mut data = secret.data.unwrap_or_default();
    let kind = data.get(TOKEN_TYPE).map(|ByteString(bytes)| bytes.trim_ascii());
    if kind != Some(b"Bearer") {
        return Err(wrong(format!("has no key {TOKEN_TYPE} with the word Bearer")));
    }
    let ByteString(token) =
        data.remove(TOKEN).ok_or_else(|| wrong(format!("has no key {TOKEN}")))?;
    Ok(Zeroizing::new(token))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::roles::vectors;

    #[test]
    fn an_answer_that_nobody_asked_for_again_is_not_believed_for_ever() {
        let directory = Directory::default();
        let asked = Instant::now();
        let known = Known { answer: Answer::NoSource, seen: None, asked };
        directory.lock().insert("acid".to_owned(), known);
        let (acid, both) = (BTreeSet::from(["acid".to_owned()]), ["acid", "dba"]);
        let both: BTreeSet<String> = both.map(str::to_owned).into();
        let mut settings = vectors::config().identity;
        settings.teams_refresh_period = Duration::from_secs(30);
        let missing = |settings: &Settings, teams, seconds| {
            directory.missing(settings, teams, asked + Duration::from_secs(seconds)).len()
        };
        assert_eq!(missing(&settings, &both, 0), 1);
        assert_eq!(missing(&settings, &acid, 120), 0);
        assert_eq!(missing(&settings, &acid, 121), 1);
        settings.teams_refresh_period = Duration::from_secs(600);
        assert_eq!(missing(&settings, &acid, 1800), 0);
        assert_eq!(missing(&settings, &acid, 1801), 1);
        directory.clear();
        assert_eq!(missing(&settings, &acid, 0), 1);
    }
}
