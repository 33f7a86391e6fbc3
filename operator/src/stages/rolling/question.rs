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
use crate::patroni::View;
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

/// Asks this pod, unless one is being asked. The answer makes somebody look at the cluster.
pub(super) fn ask(context: &Arc<Context>, config: &Config, id: &ClusterId, pod: Option<&Arc<Pod>>) {
    if !context.memory.with(id, |known| known.rolling.question.begins()) {
        return;
    }
    let patroni = pod.and_then(|pod| patroni(context, config, pod));
    let (context, id) = (Arc::clone(context), id.clone());
    tokio::spawn(async move {
        let answer = match patroni {
            Some(patroni) => patroni.view().await.map_err(|error| error.to_string()),
            None => Err("no pod is ready".to_owned()),
        };
        context.memory.with(&id, |known| {
            let answer = Some((Instant::now(), answer));
            known.rolling.question = Question { is_under_way: false, answer };
        });
        context.objects.add(&id, Why::Object);
    });
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::Question;

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
}
