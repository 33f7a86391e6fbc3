//! All teams from all sources, in paused time.

use std::collections::{BTreeMap, BTreeSet};
use std::future::pending;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::super::fetch::{Answer, Limits, fetch_all};
use super::super::{BoxFuture, Source, SourceError, Team};
use super::team;

type Script = dyn Fn(usize, &str) -> Step + Send + Sync;

enum Step {
    Answer(Result<Team, SourceError>),
    After(Duration, Result<Team, SourceError>),
    Never,
}

use self::Step::{After, Never};

/// Answers the n-th question as its script says.
struct Scripted {
    kind: &'static str,
    script: Box<Script>,
    /// When each question came, and how long it could take.
    asked: Mutex<Vec<(Instant, Duration)>>,
}

impl std::fmt::Debug for Scripted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.kind)
    }
}

impl Scripted {
    fn new(
        kind: &'static str,
        script: impl Fn(usize, &str) -> Step + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self { kind, script: Box::new(script), asked: Mutex::default() })
    }

    /// The pauses between the questions.
    fn pauses(&self) -> Vec<Duration> {
        let asked = self.asked.lock().unwrap();
        asked.windows(2).map(|pair| pair[1].0 - pair[0].0).collect()
    }

    fn count(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

impl Source for Scripted {
    fn kind(&self) -> &'static str {
        self.kind
    }

    fn fetch<'a>(
        &'a self,
        team: &'a str,
        limit: Duration,
    ) -> BoxFuture<'a, Result<Team, SourceError>> {
        Box::pin(async move {
            let number = {
                let mut asked = self.asked.lock().unwrap();
                asked.push((Instant::now(), limit));
                asked.len() - 1
            };
            match (self.script)(number, team) {
                Step::Answer(answer) => answer,
                After(time, answer) => {
                    sleep(time).await;
                    answer
                }
                Never => pending().await,
            }
        })
    }
}

fn answer(names: &[&str]) -> Step {
    Step::Answer(Ok(team(names)))
}

fn fault(error: fn(String) -> SourceError) -> Step {
    Step::Answer(Err(error("as scripted".to_owned())))
}

fn broken(code: u16) -> SourceError {
    SourceError::Status(code, "as scripted".to_owned())
}

fn limits() -> Limits {
    Limits { jitter: |pause| pause, ..Limits::default() }
}

async fn one(sources: &[Arc<Scripted>]) -> Answer {
    let sources: Vec<_> = sources.iter().map(|it| Arc::clone(it) as Arc<dyn Source>).collect();
    let teams = BTreeSet::from(["acid".to_owned()]);
    fetch_all(&sources, &teams, &limits()).await.remove("acid").unwrap()
}

async fn alone(source: &Arc<Scripted>) -> Answer {
    one(std::slice::from_ref(source)).await
}

fn members(given: &[(&str, &[&'static str])]) -> Answer {
    let kinds = |kinds: &[&'static str]| kinds.iter().copied().collect::<BTreeSet<_>>();
    let members = given.iter().map(|(name, from)| ((*name).to_owned(), kinds(from)));
    Answer::Team(members.collect::<BTreeMap<_, _>>())
}

fn millis(number: u64) -> Duration {
    Duration::from_millis(number)
}

#[tokio::test(start_paused = true)]
async fn what_may_pass_is_tried_again_with_growing_pauses() {
    let source = Scripted::new("a", |number, _| match number {
        0 => fault(SourceError::Unreachable),
        1 => fault(SourceError::Timeout),
        2 => Step::Answer(Err(broken(500))),
        3 => fault(SourceError::Incomplete),
        _ => answer(&["alice"]),
    });
    assert_eq!(alone(&source).await, members(&[("alice", &["a"])]));
    assert_eq!(source.pauses(), [millis(250), millis(500), millis(1000), millis(2000)]);
}

#[tokio::test(start_paused = true)]
async fn what_will_not_pass_is_tried_once() {
    for error in [
        SourceError::Auth(String::new()),
        SourceError::Malformed(String::new()),
        broken(302),
        broken(400),
    ] {
        let scripted = error.clone();
        let source = Scripted::new("a", move |_, _| Step::Answer(Err(scripted.clone())));
        assert_eq!(alone(&source).await, Answer::Frozen { source: "a", error });
        assert_eq!(source.count(), 1);
    }
    let source = Scripted::new("a", |_, _| fault(SourceError::UnknownTeam));
    assert_eq!(alone(&source).await, Answer::Unknown("as scripted".to_owned()));
    assert_eq!(source.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_asks_us_to_wait_is_obeyed_if_that_fits() {
    let throttled = |wait| SourceError::Throttled(String::new(), Some(Duration::from_secs(wait)));
    let source = Scripted::new("a", move |number, _| match number {
        0 => Step::Answer(Err(throttled(7))),
        1 => Step::Answer(Err(throttled(0))),
        _ => answer(&[]),
    });
    assert_eq!(alone(&source).await, members(&[]));
    assert_eq!(source.pauses(), [millis(7000), millis(500)]);

    let source = Scripted::new("a", move |_, _| Step::Answer(Err(throttled(30))));
    let begun = Instant::now();
    let frozen = Answer::Frozen { source: "a", error: throttled(30) };
    assert_eq!(alone(&source).await, frozen);
    assert_eq!((source.count(), begun.elapsed()), (1, Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn a_team_takes_no_longer_than_its_time() {
    let begun = Instant::now();
    let source = Scripted::new("a", |_, _| fault(SourceError::Unreachable));
    let Answer::Frozen { error, .. } = alone(&source).await else { panic!() };
    assert_eq!(error.reason(), "unreachable");
    assert!(begun.elapsed() <= Duration::from_secs(30) && source.count() > 5, "{source:?}");

    let begun = Instant::now();
    let source = Scripted::new("a", |_, _| Never);
    let Answer::Frozen { error, .. } = one(&[source]).await else { panic!() };
    assert_eq!(error.reason(), "timeout");
    assert_eq!(begun.elapsed(), Duration::from_secs(30));

    // The last attempt has no more than is left, and what was found out before is told.
    let begun = Instant::now();
    let source = Scripted::new("a", |number, _| match number {
        0 => After(Duration::from_secs(25), Err(broken(500))),
        _ => Never,
    });
    assert_eq!(alone(&source).await, Answer::Frozen { source: "a", error: broken(500) });
    assert_eq!(begun.elapsed(), Duration::from_secs(30));
    let limits: Vec<_> = source.asked.lock().unwrap().iter().map(|(_, limit)| *limit).collect();
    assert_eq!(limits, [Duration::from_secs(10), millis(4750)]);
}

#[tokio::test(start_paused = true)]
async fn a_team_is_the_union_of_what_its_sources_say() {
    let a = Scripted::new("a", |_, _| answer(&["alice", "bob"]));
    let b = Scripted::new("b", |_, _| answer(&["bob", "carol"]));
    let unaware = Scripted::new("c", |_, _| fault(SourceError::UnknownTeam));
    assert_eq!(
        one(&[a, unaware, b]).await,
        members(&[("alice", &["a"]), ("bob", &["a", "b"]), ("carol", &["b"])]),
    );
}

#[tokio::test(start_paused = true)]
async fn one_source_without_an_answer_freezes_the_team() {
    let frozen =
        Answer::Frozen { source: "b", error: SourceError::Malformed("as scripted".to_owned()) };
    let knows = || Scripted::new("a", |_, _| answer(&["alice"]));
    let unaware = || Scripted::new("c", |_, _| fault(SourceError::UnknownTeam));
    let failing = || Scripted::new("b", |_, _| fault(SourceError::Malformed));
    assert_eq!(one(&[knows(), failing()]).await, frozen);
    assert_eq!(one(&[unaware(), failing()]).await, frozen);
    assert_eq!(one(&[failing(), knows(), unaware()]).await, frozen);
}

#[tokio::test(start_paused = true)]
async fn a_team_is_unknown_only_where_every_source_says_so() {
    let unaware = || Scripted::new("a", |_, _| fault(SourceError::UnknownTeam));
    let unknown = Answer::Unknown("as scripted; as scripted".to_owned());
    assert_eq!(one(&[unaware(), unaware()]).await, unknown);
    let empty = Scripted::new("b", |_, _| answer(&[]));
    assert_eq!(one(&[unaware(), empty]).await, members(&[]));
    assert!(matches!(one(&[]).await, Answer::Unknown(_)));
}

#[tokio::test(start_paused = true)]
async fn teams_are_fetched_together_but_not_all_at_once() {
    static NOW: AtomicUsize = AtomicUsize::new(0);
    static MOST: AtomicUsize = AtomicUsize::new(0);

    #[derive(Debug)]
    struct Counting;
    impl Source for Counting {
        fn kind(&self) -> &'static str {
            "a"
        }
        fn fetch<'a>(
            &'a self,
            name: &'a str,
            _: Duration,
        ) -> BoxFuture<'a, Result<Team, SourceError>> {
            Box::pin(async move {
                let now = NOW.fetch_add(1, Ordering::SeqCst) + 1;
                MOST.fetch_max(now, Ordering::SeqCst);
                sleep(Duration::from_secs(1)).await;
                NOW.fetch_sub(1, Ordering::SeqCst);
                Ok(team(&[name]))
            })
        }
    }

    let teams: BTreeSet<String> = (0..200).map(|number| format!("t{number:03}")).collect();
    let begun = Instant::now();
    let answers = fetch_all(&[Arc::new(Counting)], &teams, &limits()).await;
    assert_eq!(answers.keys().cloned().collect::<BTreeSet<_>>(), teams);
    assert_eq!(answers["t007"], members(&[("t007", &["a"])]));
    assert_eq!(MOST.load(Ordering::SeqCst), 64);
    assert_eq!(begun.elapsed(), Duration::from_secs(4));
}

#[tokio::test(start_paused = true)]
async fn one_slow_team_does_not_hold_up_the_others() {
    let source = Scripted::new("a", |_, name| if name == "acid" { Never } else { answer(&[]) });
    let teams = BTreeSet::from(["acid", "base"].map(str::to_owned));
    let answers = fetch_all(&[source as Arc<dyn Source>], &teams, &limits()).await;
    assert!(matches!(answers["acid"], Answer::Frozen { .. }));
    assert_eq!(answers["base"], members(&[]));
}

#[test]
fn jitter_keeps_between_half_and_the_whole() {
    let jitter = Limits::default().jitter;
    let some: BTreeSet<_> = (0..100).map(|_| jitter(Duration::from_secs(10))).collect();
    assert!(some.iter().all(|it| (5..=10).contains(&it.as_secs())), "{some:?}");
    assert!(some.len() > 50);
}
