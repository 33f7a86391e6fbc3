use super::super::note::Place;
use super::*;

/// Two pods of 15 that are made for 16, and nothing against it.
fn ready() -> Situation {
    let pod = |name: &str, is_primary| Pod {
        name: name.to_owned(),
        is_ready: true,
        has_run: true,
        is_leaving: false,
        made_for: Some(16),
        server: Some(Server { runs: true, is_primary, version: Some(15) }),
    };
    let member = |name: &str, leads| Member {
        name: name.to_owned(),
        leads,
        streams: !leads,
        lag: (!leads).then_some(0),
    };
    Situation {
        wanted: 16,
        running: Some(15),
        is_allowed: true,
        is_standby: false,
        runs_here: false,
        note: None,
        script: None,
        is_lost_for_long: false,
        problem: None,
        has_failed: false,
        is_disturbed: false,
        is_paused: false,
        opens: None,
        expected: 2,
        pods: vec![pod("acid-0", false), pod("acid-1", true)],
        members: Some(vec![member("acid-0", false), member("acid-1", true)]),
    }
}

/// What comes of one thing that is otherwise.
fn with(change: impl FnOnce(&mut Situation)) -> Step {
    let mut now = ready();
    change(&mut now);
    next(&now)
}

fn reason(step: Step) -> &'static str {
    match step {
        Step::Wait(reason, _) | Step::Stop(reason, _) => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_script_runs_on_the_primary_when_nothing_is_against_it() {
    assert_eq!(next(&ready()), Step::Run("acid-1".to_owned()));
    let alone = with(|now| {
        now.pods.remove(0);
        now.members.as_mut().unwrap().remove(0);
        now.expected = 1;
    });
    assert_eq!(alone, Step::Run("acid-1".to_owned()));
}

#[test]
fn it_waits_for_pods_windows_and_replicas() {
    let opens = "2026-11-28T01:00:00Z".parse().unwrap();
    let cases: Vec<(&str, Step)> = vec![
        ("NoPrimary", with(|now| now.running = None)),
        ("Paused", with(|now| now.is_paused = true)),
        ("WaitsForWindow", with(|now| now.opens = Some(opens))),
        ("PodsNotReady", with(|now| now.expected = 3)),
        ("PodsNotReady", with(|now| now.pods[0].is_ready = false)),
        ("PodsNotReady", with(|now| now.pods[0].server = None)),
        ("PodsNotReady", with(|now| now.pods[0].server.as_mut().unwrap().runs = false)),
        // The one that was upgraded and the one that was not.
        ("PodsNotReady", with(|now| now.pods[0].server.as_mut().unwrap().version = Some(16))),
        ("PodsNotUpToDate", with(|now| now.is_disturbed = true)),
        ("PodsNotUpToDate", with(|now| now.pods[1].made_for = Some(15))),
        ("PodsNotUpToDate", with(|now| now.pods[0].is_leaving = true)),
        ("NotStreaming", with(|now| now.members = None)),
        ("NotStreaming", with(|now| now.members.as_mut().unwrap()[0].streams = false)),
        ("NotStreaming", with(|now| now.members.as_mut().unwrap()[0].lag = None)),
        ("NotStreaming", with(|now| now.members.as_mut().unwrap()[0].lag = Some(FARTHEST + 1))),
        ("NotStreaming", with(|now| drop(now.members.as_mut().unwrap().remove(0)))),
        ("NoPrimary", with(|now| now.pods[1].server.as_mut().unwrap().is_primary = false)),
        ("NoPrimary", with(|now| now.pods[0].server.as_mut().unwrap().is_primary = true)),
    ];
    for (expected, step) in cases {
        assert!(matches!(step, Step::Wait(..)), "{expected}: {step:?}");
        assert_eq!(reason(step.clone()), expected, "{step:?}");
    }
    let near = with(|now| now.members.as_mut().unwrap()[0].lag = Some(FARTHEST));
    assert_eq!(near, Step::Run("acid-1".to_owned()));
}

#[test]
fn some_things_somebody_has_to_change() {
    for (expected, step) in [
        ("DowngradeRefused", with(|now| now.wanted = 14)),
        ("Standby", with(|now| now.is_standby = true)),
        ("Off", with(|now| now.is_allowed = false)),
        ("UpgradeFailed", with(|now| now.has_failed = true)),
        ("UpgradeWithoutEffect", with(|now| now.note = Some(Note::Ended(16)))),
    ] {
        assert!(matches!(step, Step::Stop(..)), "{expected}: {step:?}");
        assert_eq!(reason(step), expected);
    }
}

#[test]
fn what_failed_is_tried_again_for_another_version_or_when_somebody_says_so() {
    let failed = |version| {
        with(move |now| {
            now.has_failed = true;
            now.note = Some(Note::Failed(version));
        })
    };
    assert_eq!(reason(failed(16)), "UpgradeFailed");
    assert_eq!(failed(17), Step::Run("acid-1".to_owned()));
    // Somebody has removed the annotation of the reference, and that is all that is asked for.
    let again = with(|now| now.note = Some(Note::Failed(16)));
    assert_eq!(again, Step::Run("acid-1".to_owned()));
}

#[test]
fn a_version_that_is_there_ends_what_was_noted() {
    let is = |version| {
        move |now: &mut Situation| {
            now.running = Some(version);
        }
    };
    assert_eq!(with(is(16)), Step::UpToDate { forget: false });
    let after = with(|now| {
        now.running = Some(16);
        now.has_failed = true;
    });
    assert_eq!(after, Step::UpToDate { forget: true });
    let ended = with(|now| {
        now.running = Some(16);
        now.note = Some(Note::Ended(16));
    });
    assert_eq!(ended, Step::UpToDate { forget: true });
}

/// A note of a script on `acid-1`, and what became of it.
fn lost(running: Option<u32>, script: Option<Script>) -> Situation {
    let place = Place { pod: "acid-1".to_owned(), uid: "1".to_owned() };
    Situation { running, script, note: Some(Note::Running(16, Some(place))), ..ready() }
}

#[test]
fn a_script_whose_end_nobody_saw_is_never_run_again_by_itself() {
    let ended = |running| lost(running, Some(Script::Ended));
    assert_eq!(next(&ended(Some(16))), Step::Succeeded);
    assert_eq!(next(&ended(Some(15))), Step::CutOff);
    assert_eq!(reason(next(&ended(None))), "NoPrimary");
    let long = Situation { is_lost_for_long: true, ..ended(None) };
    assert_eq!(next(&long), Step::CutOff, "or nothing would be done to the cluster any more");
    let ours = Situation { runs_here: true, ..lost(Some(15), None) };
    assert_eq!(next(&ours), Step::Runs);
}

#[test]
fn a_script_that_may_still_run_has_not_failed_whatever_servers_say_and_however_long_it_takes() {
    let unknown = Script::Unknown("forbidden".to_owned());
    for script in [Some(Script::Runs), Some(unknown), None] {
        for running in [None, Some(15), Some(16)] {
            let now = Situation { is_lost_for_long: true, ..lost(running, script.clone()) };
            assert_eq!(reason(next(&now)), "UpgradeRuns", "{script:?} {running:?}");
        }
    }
    let Step::Wait(_, text) = next(&lost(None, Some(Script::Unknown("forbidden".to_owned()))))
    else {
        panic!("it waits");
    };
    assert!(text.contains("acid-1") && text.contains("forbidden"), "{text}");
    assert!(text.contains("acid.zalan.do/major-upgrade"), "{text}");
}

#[test]
fn a_script_that_could_not_be_started_waits_before_the_next_try() {
    let problem = Some("forbidden".to_owned());
    let refused = with(|now| now.problem = problem);
    assert_eq!(reason(refused), "UpgradeNotStarted");
}

#[test]
fn a_pod_that_cannot_start_with_the_version_it_was_made_for_is_told_with_the_way_out() {
    let Step::Wait("PodsNotReady", text) = with(|now| {
        now.pods[0].is_ready = false;
        now.pods[0].has_run = false;
    }) else {
        panic!("it waits");
    };
    assert!(text.contains("set postgresql.version back to 15"), "{text}");
}
