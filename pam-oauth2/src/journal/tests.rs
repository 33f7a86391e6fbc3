use zeroize::Zeroizing;

use super::*;
use crate::admit::{self, Admission};
use crate::cache::{Scratch, metrics};
use crate::clock::Timestamp;
use crate::error::Refusal;
use crate::redact::Redactor;
use crate::token::AccessToken;

fn journal(with_steps: bool) -> Journal {
    Journal::new(Clock::standing_at(Timestamp::from_seconds(1_800_000_000.0)), with_steps)
}

#[test]
fn foreign_words_are_quoted_between_our_own() {
    let token = AccessToken::parse(Zeroizing::new(b"unrelated-secret".to_vec())).unwrap();
    let text = Text::ours("the \"key\" ").foreign("a\"b\n").and(" is \u{f6}ld");
    assert_eq!(text.shown(Some(&Redactor::new(&token))), r#"the "key" "a\"b\n" is \u{f6}ld"#);
    assert_eq!(text.shown(None), r#"the "key" [not shown] is \u{f6}ld"#);
}

#[test]
fn steps_are_made_only_where_somebody_reads_them() {
    let quiet = journal(false);
    quiet.step("route", || unreachable!("nobody reads it"));
    assert!(quiet.take_steps().is_empty());
    let told = journal(true);
    told.step("route", || Text::ours("here"));
    told.asked(Asked::Jwks, Answered::Answered, "a.example");
    told.asked(Asked::Jwks, Answered::Failed, "b.example");
    let steps = told.take_steps();
    let shown: Vec<_> = steps.iter().map(|step| (step.name, step.text.shown(None))).collect();
    let wanted =
        [("route", "here"), ("ask", "a.example answered"), ("ask", "b.example did not answer")];
    assert_eq!(shown, wanted.map(|(name, text)| (name, text.to_owned())));
    assert!(told.take_steps().is_empty());
}

#[test]
fn a_warning_is_taken_once() {
    let journal = journal(false);
    journal.warn(Text::ours("look"));
    assert_eq!(journal.take_warnings().len(), 1);
    assert!(journal.take_warnings().is_empty());
}

/// The lines of the metrics that count something, after logins that ended so.
fn counted(ends: Vec<Result<Admission, Refusal>>) -> Vec<String> {
    let scratch = Scratch::new();
    let directory = scratch.directory();
    for decided in ends {
        let journal = journal(false);
        journal.asked(Asked::Tokeninfo, Answered::Answered, "x");
        journal.looked(Cached::Verdicts, Lookup::Miss);
        journal.count(Counter::BreakerRefusal);
        journal.leave(&directory, admit::counted(&decided));
    }
    let text = metrics::render(&directory);
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.ends_with(" 0"));
    lines.filter(|line| !line.contains("_seconds")).map(str::to_owned).collect()
}

#[test]
fn what_a_login_counted_is_left_behind() {
    let lines = counted(vec![Err(Refusal::Inactive), Err(Refusal::Inactive)]);
    let holds = |part: &str| lines.iter().any(|line| line.contains(part) && line.ends_with(" 2"));
    for part in ["requests_total", "cache_total", "breaker_refusals", "logins_total"] {
        assert!(holds(part), "{part}: {lines:#?}");
    }
    assert_eq!(lines.len(), 4, "{lines:#?}");
}

#[test]
fn a_refusal_is_counted_by_whose_fault_it_is() {
    let cases = [
        (Refusal::Inactive, "refused"),
        (Refusal::NoUser, "refused"),
        (Refusal::Busy { service: "x".to_owned() }, "unavailable"),
        (Refusal::NoServiceForRole, "misconfigured"),
        (Refusal::NoVerdict, "error"),
    ];
    for (refusal, outcome) in cases {
        let lines = counted(vec![Err(refusal)]);
        let found = lines.iter().filter(|line| line.contains(&format!("\"{outcome}\"")));
        assert_eq!(found.count(), 1, "{outcome}: {lines:#?}");
    }
}
