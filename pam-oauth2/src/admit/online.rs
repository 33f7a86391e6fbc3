//! A token about which a service is asked, unless somebody asked a moment ago.

use super::{Admission, Login, Surroundings, Way, authorized};
use crate::authorize;
use crate::cache::{Answered, Breaker, Cached, Counter, Lookup, Permit, Turn, take_turn};
use crate::claims::Claims;
use crate::error::Refusal;
use crate::facts::Facts;
use crate::http::{Deadline, HttpFault, Stage};
use crate::journal::Text;
use crate::policy::Online;
use crate::redact::Foreign;
use crate::verify::jwt::UnverifiedJwt;
use crate::verify::remembered::{self, Known, Memory, Verdict};
use crate::verify::{self, Inquiry, Verified};

/// With a cache: a remembered verdict, or the answer of the one login that asks while the others
/// wait. Without, or where it `must_ask`: the service.
pub(super) fn admit(
    login: &Login,
    around: &Surroundings<'_>,
    must_ask: bool,
    service: &Online,
) -> Result<Admission, Refusal> {
    around.journal.step("route", || {
        Text::ours(format!("{} is to say whether the token is genuine", service.kind()))
    });
    let remember = around.cache.filter(|_| !must_ask);
    let memory = remember
        .and_then(|directory| Memory::of(directory, &login.policy, &login.role, &login.token));
    match memory {
        None => ask(login, around, service, around.deadline),
        Some(memory) => ask_once(login, around, service, &memory),
    }
}

/// For a JWT that is good by itself: the service has to say so too.
pub(super) fn confirm(login: &Login, around: &Surroundings<'_>) -> Result<(), Refusal> {
    let Some(service) = &login.policy.online else {
        return Err(Refusal::NoServiceForRole);
    };
    ask(login, around, service, around.deadline).map(drop)
}

fn ask_once(
    login: &Login,
    around: &Surroundings<'_>,
    service: &Online,
    memory: &Memory<'_>,
) -> Result<Admission, Refusal> {
    let clock = &around.clock;
    let look = || memory.known(clock.began(), clock.now());
    let bridge = memory.bridge(clock.now()).is_some();
    let until = around.deadline.of_turn(bridge).instant();
    let asked = match take_turn(memory.directory, memory.key(), until, look) {
        Turn::Theirs(known) => {
            around.journal.looked(Cached::Verdicts, Lookup::Hit);
            recall(login, around, known)
        }
        Turn::Late => Err(Refusal::Busy { service: service.name() }),
        Turn::Ours(_turn) => {
            around.journal.looked(Cached::Verdicts, Lookup::Miss);
            let asked = ask(login, around, service, around.deadline.of_attempt(bridge));
            match &asked {
                Ok(Admission { authorized, facts, .. }) => {
                    memory.accept(authorized, facts, clock.now());
                }
                Err(refusal) if refusal.is_denial() => memory.deny(clock.now()),
                Err(refusal) if refusal.is_outage() => {
                    memory.give_up(refusal.sentence(Some(&login.redactor())), clock.now());
                }
                // What is wrong here is wrong for each login by itself: no outage to bridge.
                Err(_) => {}
            }
            asked
        }
    };
    match asked {
        Err(refusal) if refusal.is_outage() => bridged(login, around, memory, refusal),
        asked => asked,
    }
}

/// What another login learned.
fn recall(login: &Login, around: &Surroundings<'_>, known: Known) -> Result<Admission, Refusal> {
    match known {
        Known::Accepted(verdict) => admit_again(login, around, &verdict, false),
        Known::Denied(ago) => Err(Refusal::Again { ago }),
        Known::Unanswered(reason) => Err(Refusal::SharedFailure { reason: Foreign::new(reason) }),
    }
}

/// Nobody can be asked: what was known counts, as far as the policy says.
fn bridged(
    login: &Login,
    around: &Surroundings<'_>,
    memory: &Memory<'_>,
    refusal: Refusal,
) -> Result<Admission, Refusal> {
    let now = around.clock.now();
    let Some(verdict) = memory.bridge(now) else { return Err(refusal) };
    around.journal.looked(Cached::Verdicts, Lookup::Stale);
    around.journal.warn(
        Text::ours(format!(
            "a verdict of {:.0} s ago is used, as --on-outage says: ",
            verdict.age(now)
        ))
        .and(refusal.sentence(Some(&login.redactor()))),
    );
    admit_again(login, around, &verdict, true)
}

fn admit_again(
    login: &Login,
    around: &Surroundings<'_>,
    verdict: &Verified<Verdict>,
    stale: bool,
) -> Result<Admission, Refusal> {
    let age = verdict.age(around.clock.now());
    around.journal.step("verdict", || Text::ours(format!("accepted {age:.0} s ago")));
    Ok(Admission {
        authorized: authorize::again(verdict, &login.role)?,
        facts: verdict.facts().clone(),
        way: Way::Verdict { age, stale },
    })
}

/// One question, if the breaker lets it through, and the decision on its answer.
fn ask(
    login: &Login,
    around: &Surroundings<'_>,
    service: &Online,
    deadline: Deadline,
) -> Result<Admission, Refusal> {
    let claims = ask_through_breaker(login, around, service, deadline)?;
    let now = around.clock.now();
    let mut facts = Facts::of(&claims, &login.policy.login.claim, now);
    // Some services do not tell when a token ends, and the token itself does.
    let own_end = UnverifiedJwt::read(&login.token).and_then(|jwt| jwt.unverified_end());
    facts.expires = [facts.expires, own_end].into_iter().flatten().min_by(f64::total_cmp);
    let authorized = authorized(login, around, &claims, &facts, None)?;
    let way = match service {
        Online::Introspection(_) => Way::Introspection,
        Online::Tokeninfo(_) => Way::Tokeninfo,
    };
    Ok(Admission { authorized, facts, way })
}

/// What a question shows about the service, if it was sent at all: only what cannot be *reached*
/// counts against it. An answer, whatever it says, comes without a wait, and so does a connection
/// that breaks behind it; a stranger with a strange token could provoke both.
fn was_reached<T>(asked: &Result<T, Refusal>) -> Option<bool> {
    match asked {
        Err(Refusal::Http { fault, service: _ }) => match fault {
            HttpFault::Late { .. }
            | HttpFault::Failed { stage: Stage::Resolving | Stage::Connecting, .. } => Some(false),
            HttpFault::Failed { .. } | HttpFault::TooLarge => Some(true),
            HttpFault::Starved { .. } | HttpFault::Trust(_) => None,
        },
        // Something of ours was wrong before anything was sent.
        Err(Refusal::Arguments(_) | Refusal::SecretFile { .. } | Refusal::Token(_)) => None,
        Ok(_) | Err(_) => Some(true),
    }
}

fn ask_through_breaker(
    login: &Login,
    around: &Surroundings<'_>,
    service: &Online,
    deadline: Deadline,
) -> Result<Verified<Claims>, Refusal> {
    let Login { policy, token, .. } = login;
    let name = service.name();
    // One that is asked with other certificates is another one.
    let asked_with = match &policy.limits.ca_file {
        Some(file) => format!("{name} ({})", file.display()),
        None => name.clone(),
    };
    let breaker = around.cache.map(|directory| Breaker::new(directory, &asked_with));
    if let Some(breaker) = &breaker
        && let Permit::Open { until, .. } = breaker.permit(around.clock.now(), deadline.left())
    {
        around.journal.count(Counter::BreakerRefusal);
        let left = until.since(around.clock.now());
        return Err(Refusal::BreakerOpen { service: name, left });
    }
    let hurried = deadline.left() < policy.limits.timeout.checked_div(4).unwrap_or_default();
    let inquiry = Inquiry {
        token,
        carrier: around.carrier,
        deadline,
        now: around.clock.now(),
        leeway: policy.limits.leeway,
    };
    let asked = verify::ask(service, &inquiry);
    if let (Some(directory), Err(refusal)) = (around.cache, &asked)
        && refusal.is_death()
    {
        remembered::bury(directory, token, around.clock.now());
    }
    if let Some(reached) = was_reached(&asked) {
        let unanswered = matches!(&asked, Err(Refusal::Http { .. }));
        let result = if unanswered { Answered::Failed } else { Answered::Answered };
        around.journal.asked(service.counted(), result, &name);
        match &breaker {
            Some(breaker) if reached => breaker.succeeded(),
            // Somebody who came to his turn late tells nothing about the service.
            Some(_) if hurried => {}
            Some(breaker) => breaker.failed(around.clock.now()),
            None => {}
        }
    }
    asked
}
