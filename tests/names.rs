//! From the name of the token service to its addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use harness::dns::{Dns, Question, Reply};
use harness::pam::Report;
use harness::wire::BlackHole;
use harness::{Code, TokenService, World};

const CLAIMS: &str = r#"{"uid":"alice","realm":"/employees"}"#;
const NAME: &str = "info.corp.example";

/// A world whose `strict` line names the token service by [`NAME`].
fn world(timeout: &str) -> World {
    let world = World::without_postgres();
    let url = world.service.url_for(NAME);
    world.strict(&format!("{url} uid realm=/employees --allow-http --timeout={timeout}"));
    world
}

fn resolv_conf(world: &World, content: &str) {
    world.sandbox.workdir.file("etc/resolv.conf", content);
}

fn login(world: &World) -> Report {
    world.client("strict", "alice").token(world.grant("alice")).run(&["authenticate"])
}

#[track_caller]
fn assert_accepted(world: &World) {
    let report = login(world);
    assert_eq!(report.codes("authenticate"), [Code::Success], "{report:?}");
    assert_eq!(
        (report.number("threads-left"), report.number("descriptors-left")),
        (0, 0),
        "{report:?}"
    );
}

#[track_caller]
fn assert_accepted_within(world: &World, limit: Duration) {
    let start = Instant::now();
    assert_accepted(world);
    assert!(start.elapsed() < limit, "{:?}", start.elapsed());
}

#[track_caller]
fn assert_unavailable(world: &World, reason: &str, within: Duration) {
    let start = Instant::now();
    let report = login(world);
    let took = start.elapsed();
    assert_eq!(report.codes("authenticate"), [Code::AuthinfoUnavail], "{report:?}");
    assert!(report.value("told-3").contains(reason), "{reason:?} is not in {report:?}");
    assert!(took < within + Duration::from_secs(2), "took {took:?}");
}

fn localhost(_: &Question) -> Reply {
    Reply::Addresses(vec![Ipv4Addr::LOCALHOST.into()])
}

fn only_a_server(dns: &Dns) -> String {
    format!("nameserver {}\n", dns.address())
}

#[test]
fn the_hosts_file_comes_first_and_asks_nobody() {
    let world = world("2s");
    let dns = Dns::start(|_| Reply::Code(3));
    resolv_conf(&world, &only_a_server(&dns));
    world
        .sandbox
        .workdir
        .file("etc/hosts", "127.0.0.1 localhost\n127.0.0.1 x INFO.corp.example # ours\n");
    assert_accepted(&world);
    assert_eq!(dns.questions(), 0);
}

#[test]
fn a_dns_server_is_asked_for_both_families() {
    let world = world("2s");
    let dns = Dns::start(localhost);
    resolv_conf(&world, &only_a_server(&dns));
    assert_accepted(&world);
    assert_eq!(dns.questions(), 2);
}

#[test]
fn the_search_list_is_followed() {
    let world = World::without_postgres();
    let dns = Dns::start(|question| match question.name.as_str() {
        "info.corp.example" => localhost(question),
        _ => Reply::Code(3),
    });
    resolv_conf(
        &world,
        &format!("search nowhere.example corp.example\nnameserver {}\n", dns.address()),
    );
    world.strict(&format!("{} uid --allow-http", world.service.url_for("info")));
    assert_accepted(&world);
}

#[test]
fn a_name_that_does_not_exist_is_an_outage_at_once() {
    let world = world("5s");
    let dns = Dns::start(|_| Reply::Code(3));
    resolv_conf(&world, &only_a_server(&dns));
    assert_unavailable(&world, "does not exist, or has no address", Duration::ZERO);
    let empty = Dns::start(|_| Reply::Addresses(vec![]));
    resolv_conf(&world, &only_a_server(&empty));
    assert_unavailable(&world, "does not exist, or has no address", Duration::ZERO);
}

#[test]
fn a_server_that_fails_is_named() {
    let world = world("5s");
    for (code, text) in [(2, "SERVFAIL"), (5, "REFUSED")] {
        let dns = Dns::start(move |_| Reply::Code(code));
        resolv_conf(&world, &only_a_server(&dns));
        assert_unavailable(&world, &format!("{}: {text}", dns.address()), Duration::ZERO);
    }
    resolv_conf(&world, "nameserver 127.63.0.1\n");
    assert_unavailable(&world, "127.63.0.1: Connection refused", Duration::ZERO);
}

#[test]
fn a_silent_server_leaves_a_quarter_of_the_time_and_is_asked_again() {
    let world = world("2s");
    let dns = Dns::start(|_| Reply::Silence);
    resolv_conf(&world, &only_a_server(&dns));
    let start = Instant::now();
    let reason = format!("{}: no answer in time", dns.address());
    assert_unavailable(&world, &reason, Duration::from_secs(2));
    assert!(start.elapsed() > Duration::from_millis(1400), "{:?}", start.elapsed());
    // Two attempts for each family.
    assert_eq!(dns.questions(), 4);
}

#[test]
fn a_server_that_answers_late_is_heard() {
    let world = world("6s");
    let dns = Dns::start(|question| {
        harness::eventually::pause(Duration::from_millis(1200));
        localhost(question)
    });
    // It answers one question after the other: the second comes after it was asked again.
    resolv_conf(&world, &format!("{}options timeout:1 attempts:4\n", only_a_server(&dns)));
    assert_accepted(&world);
}

#[test]
fn garbage_is_passed_over_and_ends_with_the_deadline() {
    let world = world("1s");
    let garbage: [Vec<u8>; 5] = [
        vec![],
        vec![0x81, 0x80],
        vec![0xff; 400],
        // A pointer to itself as the question.
        [&[0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0][..], &[0xc0, 0x0c, 0, 1, 0, 1]].concat(),
        // The beginning of an answer to another question.
        [&[0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0][..], b"\x04evil\0\0\x01\0\x01"].concat(),
    ];
    for bytes in garbage {
        let dns = Dns::start(move |_| Reply::Raw(bytes.clone()));
        resolv_conf(&world, &only_a_server(&dns));
        assert_unavailable(&world, "no answer in time", Duration::from_secs(1));
    }
}

#[test]
fn a_dead_first_server_leaves_time_for_the_second() {
    let world = world("3s");
    let dead = Dns::start(|_| Reply::Silence);
    let failing = Dns::start(|_| Reply::Code(2));
    let good = Dns::start(localhost);
    for first in [&dead, &failing] {
        let servers = format!("nameserver {}\nnameserver {}\n", first.address(), good.address());
        resolv_conf(&world, &servers);
        assert_accepted(&world);
    }
}

#[test]
fn a_server_that_fails_once_is_asked_again() {
    let world = world("5s");
    let failures = AtomicUsize::new(0);
    let dns = Dns::start(move |question| {
        // Both questions of the first round.
        if failures.fetch_add(1, Ordering::Relaxed) < 2 {
            Reply::Code(2)
        } else {
            localhost(question)
        }
    });
    resolv_conf(&world, &only_a_server(&dns));
    assert_accepted(&world);
}

#[test]
fn a_dead_server_costs_its_share_once_however_long_the_search_list_is() {
    let world = world("4s");
    let dead = Dns::start(|_| Reply::Silence);
    let good = Dns::start(|question| match question.name.as_str() {
        NAME => localhost(question),
        _ => Reply::Code(3),
    });
    let search = "search a.example b.example c.example d.example e.example\noptions ndots:5\n";
    let servers = format!("nameserver {}\nnameserver {}\n", dead.address(), good.address());
    resolv_conf(&world, &format!("{search}{servers}"));
    assert_accepted_within(&world, Duration::from_secs(3));
}

#[test]
fn one_family_that_stays_silent_does_not_hold_up_the_other() {
    let world = world("6s");
    let dns = Dns::start(
        |question| {
            if question.kind == 28 { Reply::Silence } else { localhost(question) }
        },
    );
    resolv_conf(&world, &only_a_server(&dns));
    assert_accepted_within(&world, Duration::from_millis(2500));
}

#[test]
fn fifty_addresses_come_over_tcp_and_all_of_them_are_tried() {
    let world = world("5s");
    // Nobody listens at the others: each refuses at once.
    let mut addresses: Vec<IpAddr> = (1..50).map(|n| Ipv4Addr::new(127, 63, 1, n).into()).collect();
    addresses.push(Ipv4Addr::LOCALHOST.into());
    let dns = Dns::start(move |question| match question {
        Question { kind: 28, .. } => Reply::Addresses(vec![]),
        Question { tcp: false, .. } => Reply::Truncated,
        _ => Reply::Addresses(addresses.clone()),
    });
    resolv_conf(&world, &only_a_server(&dns));
    assert_accepted(&world);
}

#[test]
fn a_dead_address_is_overtaken_after_a_quarter_of_a_second() {
    let world = world("5s");
    let port = world.service.port();
    let six = BlackHole::at(SocketAddr::from((Ipv6Addr::LOCALHOST, port)));
    let four = BlackHole::at(SocketAddr::from((Ipv4Addr::new(127, 63, 2, 1), port)));
    let addresses = vec![six.address().ip(), four.address().ip(), Ipv4Addr::LOCALHOST.into()];
    let dns = Dns::start(move |_| Reply::Addresses(addresses.clone()));
    resolv_conf(&world, &only_a_server(&dns));
    // Two head starts, and what a busy machine adds.
    assert_accepted_within(&world, Duration::from_millis(2500));
    // The token went out once.
    assert_eq!(world.service.requests().len(), 1);
}

#[test]
fn what_failed_at_one_address_is_told_when_another_hangs() {
    let world = world("1s");
    let port = world.service.port();
    world.service.stop();
    let hole = BlackHole::at(SocketAddr::from((Ipv4Addr::new(127, 63, 4, 1), port)));
    let addresses = vec![Ipv4Addr::LOCALHOST.into(), hole.address().ip()];
    let dns = Dns::start(move |_| Reply::Addresses(addresses.clone()));
    resolv_conf(&world, &only_a_server(&dns));
    let reason = "had passed (tcp connect error: Connection refused (os error 111))";
    assert_unavailable(&world, reason, Duration::from_secs(1));
}

#[test]
fn an_address_that_takes_connections_and_stays_silent_is_not_sent_the_token_twice() {
    let world = world("2s");
    let port = world.service.port();
    let silent = TokenService::at(SocketAddr::from((Ipv4Addr::new(127, 63, 3, 1), port)));
    silent.on_request(|connection, _| harness::wire::hold(connection));
    let dns = Dns::start(|_| {
        Reply::Addresses(vec![Ipv4Addr::new(127, 63, 3, 1).into(), Ipv4Addr::LOCALHOST.into()])
    });
    resolv_conf(&world, &only_a_server(&dns));
    assert_unavailable(&world, "it had not begun to answer", Duration::from_secs(2));
    assert_eq!((silent.requests().len(), world.service.requests().len()), (1, 0));
}

#[test]
fn a_service_with_ipv6_alone_is_reached() {
    let world = World::without_postgres();
    let service = TokenService::at(SocketAddr::from((Ipv6Addr::LOCALHOST, 0)));
    let dns = Dns::start(|_| Reply::Addresses(vec![Ipv6Addr::LOCALHOST.into()]));
    resolv_conf(&world, &only_a_server(&dns));
    for host in [NAME, "[::1]"] {
        world.strict(&format!("{} uid --allow-http", service.url_for(host)));
        let token = world.grant("alice");
        service.know(&token, CLAIMS);
        let report = world.client("strict", "alice").token(token).run(&["authenticate"]);
        assert_eq!(report.codes("authenticate"), [Code::Success], "{report:?}");
    }
}
