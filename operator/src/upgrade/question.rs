//! What servers say of a cluster that may have to get another version, and whether a script runs
//! there that nobody waits for. Asked beside everything else, so that no worker waits for a pod
//! that does not answer; an answer is used once.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::note::Note;
use super::plan::{Member, Pod, Script};
use super::{ask, probe};
use crate::cluster::ClusterId;
use crate::config::Config;
use crate::context::Context;
use crate::controller::queue::Why;
use crate::pause::Pause;

/// An answer that waits longer for somebody to use it is about something else.
const FRESH: Duration = Duration::from_secs(10);
/// A script that runs is asked for again after this.
const RUNS: Duration = Duration::from_secs(15);

/// What is asked. The answer to another question is none to this one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Asked {
    pub wanted: u32,
    /// The primary, by its uid.
    pub primary: Option<String>,
    /// What is noted of a script that nobody waits for.
    pub lost: Option<Note>,
    /// All pods are asked, if the primary is behind.
    pub all: bool,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// Of the script that nobody waits for.
    pub script: Option<Script>,
    /// The major version of the primary.
    pub running: Option<u32>,
    pub pods: Vec<Pod>,
    pub members: Option<Vec<Member>>,
    /// Somebody has paused Patroni.
    pub is_paused: bool,
}

impl Answer {
    fn is_of_use(&self) -> bool {
        self.running.is_some() && matches!(self.script, None | Some(Script::Ended))
    }
}

/// How it goes with the question.
#[derive(Debug, Default)]
pub struct Question {
    is_under_way: bool,
    asked: Option<Asked>,
    answer: Option<(Instant, Answer)>,
    pause: Pause,
}

impl Question {
    /// The answer, if there is one that nobody has used. One that is of no use stays until it is
    /// time to ask again.
    pub fn answer(&mut self, now: Instant, asked: &Asked) -> Option<Answer> {
        if self.asked.as_ref() != Some(asked) {
            return None;
        }
        if self.pause.left(now).is_some() {
            return self.answer.as_ref().map(|(_, answer)| answer.clone());
        }
        let (at, answer) = self.answer.take()?;
        (answer.is_of_use() && now.duration_since(at) < FRESH).then_some(answer)
    }

    /// How long nobody asks again.
    pub fn left(&self, now: Instant) -> Option<Duration> {
        self.pause.left(now)
    }

    fn begins(&mut self, now: Instant, asked: &Asked) -> bool {
        let is_same = self.asked.as_ref() == Some(asked);
        if self.is_under_way || is_same && self.pause.left(now).is_some() {
            return false;
        }
        if !is_same {
            self.pause = Pause::default();
            self.asked = Some(asked.clone());
        }
        self.answer = None;
        self.is_under_way = true;
        true
    }

    fn ended(&mut self, now: Instant, answer: Answer, at_most: Duration) {
        self.is_under_way = false;
        match (answer.is_of_use(), &answer.script) {
            (true, _) => self.pause = Pause::default(),
            (false, Some(Script::Runs)) => self.pause.rest(now, RUNS),
            (false, _) => self.pause.lengthen(now, at_most),
        }
        self.answer = Some((now, answer));
    }
}

/// Asks, unless somebody does, or has just done so for nothing. The answer makes somebody look at
/// the cluster.
pub fn ask(context: &Arc<Context>, config: &Arc<Config>, id: &ClusterId, asked: Asked) {
    let begins = |now| context.memory.with(id, |known| known.upgrade.question.begins(now, &asked));
    if !begins(Instant::now()) {
        return;
    }
    let (context, config, id) = (Arc::clone(context), Arc::clone(config), id.clone());
    tokio::spawn(async move {
        let answer = answer(&context, &config, &id, &asked).await;
        let at_most = config.operation.repair_period;
        context.memory.with(&id, |known| {
            known.upgrade.question.ended(Instant::now(), answer, at_most);
        });
        context.objects.add(&id, Why::Object);
    });
}

async fn answer(context: &Context, config: &Config, id: &ClusterId, asked: &Asked) -> Answer {
    let script = match &asked.lost {
        Some(Note::Running(_, place)) => Some(probe::of(context, id, place.as_ref()).await),
        _ => None,
    };
    // What a server says while the script runs says nothing of how it ends.
    let has_ended = matches!(script, None | Some(Script::Ended));
    let mut answer = Answer { script, ..Answer::default() };
    if !has_ended {
        return answer;
    }
    let Some(primary) = ask::primary(context, config, id).await else { return answer };
    answer.running = primary.major();
    if asked.all && answer.running.is_some_and(|running| running < asked.wanted) {
        answer.pods = ask::pods(context, config, id).await;
        let members = ask::members(context, config, id, &primary).await;
        (answer.members, answer.is_paused) = match members {
            Some((members, is_paused)) => (Some(members), is_paused),
            None => (None, false),
        };
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(300);

    fn asked(wanted: u32) -> Asked {
        Asked { wanted, primary: Some("1".to_owned()), lost: None, all: true }
    }

    fn running(running: Option<u32>) -> Answer {
        Answer { running, ..Answer::default() }
    }

    #[test]
    fn an_answer_is_used_once_for_what_was_asked_and_not_when_it_is_old() {
        let now = Instant::now();
        let mut question = Question::default();
        assert!(question.begins(now, &asked(16)));
        assert!(!question.begins(now, &asked(16)), "one at a time");
        question.ended(now, running(Some(15)), LIMIT);
        assert!(question.answer(now, &asked(17)).is_none());
        assert_eq!(question.answer(now, &asked(16)).unwrap().running, Some(15));
        assert!(question.answer(now, &asked(16)).is_none());
        assert!(question.begins(now, &asked(16)), "an answer is no reason to wait");
        question.ended(now, running(Some(15)), LIMIT);
        assert!(question.answer(now + FRESH, &asked(16)).is_none());
    }

    #[test]
    fn who_does_not_answer_is_asked_less_and_less_and_another_pod_at_once() {
        let now = Instant::now();
        let mut question = Question::default();
        let mut at = now;
        for seconds in [2, 4, 8, 16, 32, 64, 128, 256, 300, 300] {
            assert!(question.begins(at, &asked(16)), "{seconds}");
            question.ended(at, running(None), LIMIT);
            let pause = Duration::from_secs(seconds);
            assert_eq!(question.left(at), Some(pause));
            // Meanwhile it is what is known.
            assert!(question.answer(at, &asked(16)).is_some());
            assert!(!question.begins(at, &asked(16)));
            at += pause;
            assert!(question.answer(at, &asked(16)).is_none());
        }
        assert!(question.begins(at, &asked(16)));
        question.ended(at, running(None), LIMIT);
        let other = Asked { primary: Some("2".to_owned()), ..asked(16) };
        assert!(question.begins(at, &other));
    }

    #[test]
    fn a_script_that_runs_is_looked_at_again_and_again() {
        let now = Instant::now();
        let mut question = Question::default();
        for _ in 0..20 {
            let runs = Answer { script: Some(Script::Runs), ..Answer::default() };
            question.ended(now, runs, LIMIT);
            assert_eq!(question.left(now), Some(RUNS));
        }
    }
}
