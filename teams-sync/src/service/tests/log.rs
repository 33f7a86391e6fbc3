use std::borrow::Cow;
use std::io::Write;
use std::sync::{Arc, Mutex};

use crate::desired::Problem;
use crate::service::clean;
use crate::service::news::{FactNews, ServerNews};
use crate::sync::{Ended, Report};
use crate::teams::SourceError;
use crate::teams::fetch::Answer;

use super::{config, fine};

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What is logged meanwhile, at info and above.
fn logged(tell: impl FnOnce()) -> String {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(move || writer.clone())
        .without_time()
        .with_target(false)
        .finish();
    tracing::subscriber::with_default(subscriber, tell);
    let bytes = lines.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn what_a_terminal_would_obey_is_written_out() {
    assert_eq!(clean("\u{1b}[31m\r\n\u{9b}x\u{202e}"), r"\u{1b}[31m\r\n\u{9b}x\u{202e}");
    assert_eq!(clean("\u{7f}\0"), r"\u{7f}\0");
}

#[test]
fn what_people_write_stays_as_it_is() {
    let text = r#"it's "zoë" of C:\team, 東京"#;
    assert!(matches!(clean(text), Cow::Borrowed(same) if same == text));
}

#[test]
fn a_line_of_somebody_else_does_not_become_a_line_of_the_log() {
    let mut report = fine("prod");
    report.problems.insert(Problem::new("a\nERROR forged", "b\u{1b}]0;x\u{7}"));
    let lines = logged(|| ServerNews::default().tell(&report));
    assert_eq!(lines.lines().count(), 1, "{lines}");
    assert!(!lines.contains('\u{1b}') && !lines.contains('\u{7}'), "{lines}");
}

#[test]
fn what_stays_is_told_once_and_its_end_once() {
    let mut news = ServerNews::default();
    let failed = Report::broken("prod", "no such thing");
    let lines = logged(|| news.tell(&failed));
    assert!(lines.contains("ERROR server not brought in line server=\"prod\""), "{lines}");
    assert_eq!(logged(|| news.tell(&failed)), "");
    let lines = logged(|| news.tell(&Report::broken("prod", "another thing")));
    assert_eq!(lines.lines().count(), 1, "{lines}");
    assert!(logged(|| news.tell(&fine("prod"))).contains("INFO server reached again"));
    assert_eq!(logged(|| news.tell(&fine("prod"))), "");
}

#[test]
fn a_failed_pass_does_not_end_what_it_did_not_see() {
    let mut news = ServerNews::default();
    let mut report = fine("prod");
    report.problems.insert(Problem::new("bob", "two people are called so"));
    assert_eq!(logged(|| news.tell(&report)).lines().count(), 1);
    logged(|| news.tell(&Report::broken("prod", "it")));
    let lines = logged(|| news.tell(&report));
    assert!(!lines.contains("bob"), "{lines}");
}

#[test]
fn held_changes_are_told_with_their_plan_when_they_change() {
    let held = |id: &str| Report {
        held: vec![crate::approve::Held {
            role: super::role("alice"),
            reason: crate::approve::Reason::NoRobots,
            changes: vec!["drop login".to_owned()],
        }],
        plan_id: Some(id.parse().unwrap()),
        ..fine("prod")
    };
    let mut news = ServerNews::default();
    let lines = logged(|| news.tell(&held("0f3a5c7e9b1d2c4d6e8fa0b1c2d3e4f5")));
    assert!(lines.contains("WARN changes held server=\"prod\" role=\"alice\""), "{lines}");
    assert!(lines.contains("plan=0f3a5c7e9b1d2c4d6e8fa0b1c2d3e4f5"), "{lines}");
    assert_eq!(logged(|| news.tell(&held("0f3a5c7e9b1d2c4d6e8fa0b1c2d3e4f5"))), "");
    assert!(
        logged(|| news.tell(&held("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")))
            .contains("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")
    );
    assert!(logged(|| news.tell(&fine("prod"))).contains("nothing held any more"));
}

#[test]
fn many_of_a_kind_are_counted_and_not_all_told() {
    let mut report = fine("prod");
    report.problems.extend((0..1000).map(|number| Problem::new(number.to_string(), "bad")));
    let lines = logged(|| ServerNews::default().tell(&report));
    assert_eq!(lines.lines().count(), 21, "{lines}");
    assert!(lines.contains("number=1000"), "{lines}");
}

#[test]
fn ended_sessions_are_told_and_those_that_did_not_end() {
    let mut report = fine("prod");
    report.ended.push(Ended { on: "prod:5432".to_owned(), sessions: 2, error: None });
    let error = Some("it does not answer".to_owned());
    report.ended.push(Ended { on: "standby:5432".to_owned(), sessions: 0, error });
    let lines = logged(|| ServerNews::default().tell(&report));
    assert!(lines.contains("INFO sessions ended"), "{lines}");
    assert!(lines.contains("WARN sessions of people who are out not ended"), "{lines}");
}

#[test]
fn a_frozen_team_is_told_once_for_all_servers_and_when_it_answers_again() {
    let (config, mut news) = (config(&["a"]), FactNews::default());
    let teams = ["ops".to_owned()].into();
    let facts = |answer| crate::fleet::Facts {
        answers: [("ops".to_owned(), answer)].into(),
        robots: crate::infrastructure::Infrastructure::default(),
    };
    let frozen = facts(Answer::Frozen {
        source: "file",
        error: SourceError::Status(500, "it says 500\n".to_owned()),
    });
    let lines = logged(|| news.tell(&config, &teams, &frozen));
    assert!(lines.contains(r#"team="ops" error="file: it says 500\\n""#), "{lines}");
    assert_eq!(logged(|| news.tell(&config, &teams, &frozen)), "");
    let whole = facts(Answer::Team([].into()));
    assert!(logged(|| news.tell(&config, &teams, &whole)).contains("team answered again"));
    assert_eq!(logged(|| news.tell(&config, &teams, &whole)), "");
}
