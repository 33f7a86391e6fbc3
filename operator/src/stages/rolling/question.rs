//! How are the members of a cluster? One of them is asked, beside everything else, and the answer
//! is used once.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use tokio::time::Instant;

use crate::cluster::ClusterId;
use crate::config::Config;
use crate::context::Context;
use crate::controller::queue::Why;
use crate::patroni::{Patroni, View};
use crate::switchover::patroni;

/// An answer that waits longer for somebody to use it is about something else.
const FRESH: Duration = Duration::from_secs(10);

/// How it goes with the question.
#[derive(Debug, Default)]
pub(super) struct Question {
    is_under_way: bool,
    answer: Option<(Instant, Result<View, String>)>,
}

impl Question {
    /// The answer, if there is one that nobody has used.
    pub(super) fn answer(&mut self, now: Instant) -> Option<Result<View, String>> {
        let (at, answer) = self.answer.take()?;
        (now.duration_since(at) < FRESH).then_some(answer)
    }

    fn begins(&mut self) -> bool {
        !std::mem::replace(&mut self.is_under_way, true)
    }
}

/// Asks these pods one after the other until one answers, unless one is being asked. The answer
/// makes somebody look at the cluster.
pub(super) fn ask(context: &Arc<Context>, config: &Config, id: &ClusterId, pods: &[&Arc<Pod>]) {
    if !context.memory.with(id, |known| known.rolling.question.begins()) {
        return;
    }
    let doors: Vec<Patroni> = pods.iter().filter_map(|pod| patroni(context, config, pod)).collect();
    let (context, id) = (Arc::clone(context), id.clone());
    tokio::spawn(async move {
        let answer = first(&doors).await;
        context.memory.with(&id, |known| {
            let answer = Some((Instant::now(), answer));
            known.rolling.question = Question { is_under_way: false, answer };
        });
        context.objects.add(&id, Why::Object);
    });
}

/// What the first of them says that says anything.
async fn first(doors: &[Patroni]) -> Result<View, String> {
    let mut errors = Vec::new();
    for door in doors {
        match door.view().await {
            Ok(view) => return Ok(view),
            Err(error) => errors.push(error.to_string()),
        }
    }
    match errors.is_empty() {
        true => Err("no pod is ready".to_owned()),
        false => Err(errors.join("; ")),
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};
    use std::time::Duration;

    use tokio::time::Instant;

    use super::{Question, first};
    use crate::patroni::{Meant, Patroni};

    #[test]
    fn an_answer_is_used_once_and_not_when_it_is_old() {
        let now = Instant::now();
        let answered =
            |at| Question { is_under_way: false, answer: Some((at, Err(String::new()))) };
        let mut question = answered(now);
        assert!(question.answer(now + Duration::from_secs(1)).is_some());
        assert!(question.answer(now).is_none());
        assert!(answered(now).answer(now + Duration::from_secs(11)).is_none());
        assert!(question.begins() && !question.begins());
    }

    #[tokio::test]
    async fn where_one_does_not_answer_the_next_is_asked() {
        let _installed_before = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().no_proxy().build().expect("a client");
        // Nobody listens there.
        let doors: Vec<Patroni> = [2, 3]
            .map(|last| IpAddr::V4(Ipv4Addr::new(127, 0, 0, last)))
            .map(|address| {
                let meant = Meant::new("acid-0", None);
                Patroni::new(http.clone(), address, Duration::from_secs(1), meant)
            })
            .into();
        let error = first(&doors).await.expect_err("nobody answers");
        assert!(error.contains("127.0.0.2") && error.contains("127.0.0.3"), "{error}");
        assert_eq!(first(&[]).await, Err("no pod is ready".to_owned()));
    }
}
