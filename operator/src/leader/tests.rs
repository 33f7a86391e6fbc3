use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use tokio::sync::watch;
use tokio::time::Instant;

use super::decide::{Decision, Seen, decide, is_renewed_by_another};
use super::{DURATION, Election, Term};
use crate::testing::{Asked, FakeApi, refusal};

fn lease(version: &str, holder: &str) -> Lease {
    Lease {
        metadata: ObjectMeta {
            resource_version: Some(version.to_owned()),
            ..ObjectMeta::default()
        },
        spec: Some(LeaseSpec {
            holder_identity: Some(holder.to_owned()),
            lease_duration_seconds: Some(15),
            ..LeaseSpec::default()
        }),
    }
}

#[test]
fn a_lease_that_is_not_there_is_created() {
    let decision = decide(None, "me", &mut Seen::default(), Instant::now());
    assert_eq!(decision, Decision::Create);
}

#[test]
fn a_lease_that_was_given_back_is_taken_at_once() {
    let decision = decide(Some(&lease("1", "")), "me", &mut Seen::default(), Instant::now());
    assert_eq!(decision, Decision::Take);
}

#[test]
fn our_own_lease_is_renewed() {
    let decision = decide(Some(&lease("1", "me")), "me", &mut Seen::default(), Instant::now());
    assert_eq!(decision, Decision::Renew);
}

#[test]
fn a_lease_of_another_is_taken_only_when_it_stayed_unchanged_for_as_long_as_it_counts() {
    let (mut seen, start) = (Seen::default(), Instant::now());
    let mut look =
        |lease: &Lease, after: Duration| decide(Some(lease), "me", &mut seen, start + after);
    assert_eq!(look(&lease("1", "other"), Duration::ZERO), Decision::Wait);
    assert_eq!(look(&lease("1", "other"), Duration::from_secs(14)), Decision::Wait);
    // It renewed.
    assert_eq!(look(&lease("2", "other"), Duration::from_secs(16)), Decision::Wait);
    assert_eq!(look(&lease("2", "other"), Duration::from_secs(30)), Decision::Wait);
    assert_eq!(look(&lease("2", "other"), Duration::from_secs(31)), Decision::Take);
}

#[test]
fn a_lease_that_claims_to_count_for_a_second_counts_as_long_as_ours() {
    let (mut seen, start) = (Seen::default(), Instant::now());
    let mut short = lease("1", "other");
    short.spec.get_or_insert_default().lease_duration_seconds = Some(1);
    assert_eq!(decide(Some(&short), "me", &mut seen, start), Decision::Wait);
    let almost = start + DURATION - Duration::from_millis(1);
    assert_eq!(decide(Some(&short), "me", &mut seen, almost), Decision::Wait);
}

#[test]
fn another_one_is_seen_to_lead_when_it_takes_or_renews_the_lease_and_not_before() {
    let mut seen = Seen::default();
    let mut look = |lease: &Lease| {
        let is_renewed = is_renewed_by_another(lease, "me", &seen);
        decide(Some(lease), "me", &mut seen, Instant::now());
        is_renewed
    };
    assert!(!look(&lease("1", "other")), "it may have been left behind");
    assert!(!look(&lease("1", "other")));
    assert!(look(&lease("2", "other")));
    assert!(!look(&lease("3", "me")) && !look(&lease("4", "")));
    assert!(look(&lease("5", "other")), "it was ours, and somebody took it");
}

/// A Lease that answers as `answer` says, and an election for it; when each request came.
fn election(
    answer: impl Fn(&Asked) -> (u16, serde_json::Value) + Send + Sync + 'static,
) -> (Arc<Election>, Arc<Term>, FakeApi) {
    let api = FakeApi::new(answer);
    let term = Arc::new(Term::default());
    let leases = kube::Api::namespaced(api.client(), "default");
    let election = Election::new(leases, "me".to_owned(), Arc::clone(&term));
    (Arc::new(election), term, api)
}

fn held_by(holder: &str, version: u64) -> serde_json::Value {
    serde_json::to_value(lease(&version.to_string(), holder)).expect("JSON")
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_for_the_lease_asks_once_in_a_while() {
    let (election, _, api) = election(|_| (200, held_by("other", 1)));
    let (stop, stopped) = watch::channel(false);
    let task = tokio::spawn({
        let election = Arc::clone(&election);
        async move { election.run(stopped).await }
    });
    tokio::time::sleep(Duration::from_secs(10)).await;
    let asked = api.asked().len();
    assert!((8..=12).contains(&asked), "{asked}");
    stop.send(true).expect("it runs");
    task.await.expect("it ends");
}

#[tokio::test(start_paused = true)]
async fn whoever_lost_the_lease_stops_leading_in_time_and_asks_with_pauses() {
    let start = Instant::now();
    let is_up = move || start.elapsed() < Duration::from_secs(5);
    let (election, term, api) = election(move |asked| match asked.method.as_str() {
        _ if !is_up() => refusal(500),
        "GET" => (200, held_by("me", 1)),
        _ => (200, asked.body.clone()),
    });
    let (stop, stopped) = watch::channel(false);
    let mut leading = election.leading();
    let task = tokio::spawn({
        let election = Arc::clone(&election);
        async move { election.run(stopped).await }
    });
    let others = election.others();
    leading.wait_for(|leads| *leads).await.expect("it runs");
    assert!(term.holds());
    leading.wait_for(|leads| !leads).await.expect("it runs");
    assert!(!others.has_changed().expect("it runs"), "nobody else leads");
    // Renewed after four seconds at the latest.
    let lost = start.elapsed();
    assert!((12..=15).contains(&lost.as_secs()), "{lost:?}");
    assert!(!term.holds());
    let before = api.asked().len();
    tokio::time::sleep(Duration::from_secs(30)).await;
    let asked = api.asked().len() - before;
    assert!((25..=35).contains(&asked), "{asked}");
    stop.send(true).expect("it runs");
    task.await.expect("it ends");
}

#[tokio::test(start_paused = true)]
async fn it_is_told_that_another_one_renews_the_lease() {
    let (start, version) = (Instant::now(), |start: Instant| start.elapsed().as_secs() / 5);
    let (election, _, _) = election(move |_| (200, held_by("other", version(start))));
    let (stop, stopped) = watch::channel(false);
    let mut others = election.others();
    let task = tokio::spawn(async move { election.run(stopped).await });
    others.changed().await.expect("it runs");
    assert_eq!(start.elapsed().as_secs() / 5, 1);
    stop.send(true).expect("it runs");
    task.await.expect("it ends");
}

#[tokio::test(start_paused = true)]
async fn an_end_does_not_wait_for_an_api_server_that_does_not_answer() {
    let leases = kube::Api::namespaced(kube::Client::new(BlackHole, "default"), "default");
    let election = Election::new(leases, "me".to_owned(), Arc::default());
    let (stop, stopped) = watch::channel(false);
    let start = Instant::now();
    let later = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        stop.send(true).expect("it runs");
    };
    tokio::join!(election.run(stopped), later);
    assert_eq!(start.elapsed(), Duration::from_secs(1));
}

/// It never answers.
#[derive(Clone)]
struct BlackHole;

impl tower_service::Service<hyper::Request<kube::client::Body>> for BlackHole {
    type Response = hyper::Response<http_body_util::Full<hyper::body::Bytes>>;
    type Error = std::convert::Infallible;
    type Future =
        std::pin::Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(
        &mut self,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), Self::Error>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: hyper::Request<kube::client::Body>) -> Self::Future {
        Box::pin(std::future::pending())
    }
}
