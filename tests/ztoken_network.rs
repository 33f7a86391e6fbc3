//! What lies between `ztoken` and its provider: servers that stop talking, name servers that never
//! begin, proxies.

use std::time::Duration;

use harness::dns::{Dns, Reply};
use harness::http_server::HttpServer;
use harness::{Ztoken, wire};

use crate::ztoken::token_of;
use crate::ztoken_faults::{Scripted, assert_told, good};

#[test]
fn a_server_that_trickles_is_given_up_on() {
    let server = HttpServer::start(None, |connection, _| {
        connection.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{")?;
        for _ in 0..600 {
            connection.write_all(b" ")?;
            harness::eventually::pause(Duration::from_millis(50));
        }
        Ok(())
    });
    let issuer = server.origin("127.0.0.1");
    let alice = Ztoken::new(&format!(
        "[profile.prod]\nissuer = \"{issuer}\"\nclient_id = \"x\"\ntimeout = \"1s\"\n"
    ));
    let output = alice.run(&["login"]);
    assert_told(&output, 3, &["no whole answer within 1 s"]);
    assert!(output.elapsed < Duration::from_secs(10), "{output:?}");
}

#[test]
fn a_server_that_falls_silent_in_its_answer_is_given_up_on_in_time() {
    let server = HttpServer::start(None, |connection, _| {
        connection.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{")?;
        harness::eventually::pause(Duration::from_secs(30));
        Ok(())
    });
    let alice = Ztoken::new(&format!(
        "[profile.prod]\nissuer = \"{}\"\nclient_id = \"x\"\ntimeout = \"2s\"\n",
        server.origin("127.0.0.1")
    ));
    let output = alice.run(&["login"]);
    assert_told(&output, 3, &["no whole answer within 2 s"]);
    assert!(output.elapsed < Duration::from_secs(4), "{output:?}");
}

#[test]
fn name_servers_that_are_silent_hold_nobody_up() {
    let dns = Dns::start(|_| Reply::Silence);
    let mut alice = Ztoken::new(
        "[profile.prod]\nissuer = \"https://idp.example.com\"\nclient_id = \"x\"\ntimeout = \"1s\"\n",
    );
    let conf = alice.file("resolv.conf", &format!("nameserver {}\n", dns.address()));
    let enter = format!("mount --bind {} /etc/resolv.conf && exec \"$@\"", conf.display());
    alice.within(&["unshare", "--mount", "--", "sh", "-c", &enter, "sh"]);
    let output = alice.run(&["login"]);
    assert_told(&output, 3, &["no whole answer within 1 s"]);
    assert!(output.elapsed < Duration::from_secs(4), "{output:?}");
    assert!(dns.questions() > 0);
}

#[test]
fn a_proxy_carries_what_is_encrypted_and_nothing_else() {
    let provider = Scripted::answering(&[("200 OK", good("granted"))]);
    let mut pod = provider.pod();
    let proxy = HttpServer::start(None, |connection, _| {
        connection.write_all(&wire::http_answer("403 Forbidden", b""))
    });
    for name in ["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "http_proxy", "all_proxy"] {
        pod.set(name, &proxy.origin("127.0.0.1"));
    }
    assert_eq!(token_of(&pod.run(&[])), "granted");
    assert_eq!(proxy.connections(), 0);
    pod.configure("[profile.far]\nissuer = \"https://idp.example.com\"\nclient_id = \"x\"\n");
    assert_told(&pod.run(&["login"]), 3, &["idp.example.com", "cannot be reached"]);
    let requests = proxy.requests();
    assert_eq!(requests[0].method(), "CONNECT", "{requests:?}");
    assert_eq!(requests[0].target(), "idp.example.com:443");
    // What is wrong with its address is not told with the password in it.
    pod.set("HTTPS_PROXY", "user:hunter2/x@proxy:3128");
    let output = pod.run(&["login"]);
    assert_told(&output, 1, &["HTTPS_PROXY is not the address of a proxy"]);
    assert!(!output.stderr.contains("hunter2"), "{output:?}");
}
